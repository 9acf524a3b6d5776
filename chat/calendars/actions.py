"""Verbs of stored calendars. Whoever goes by one (queues, agents, promises) follows changes: `desk.change_hours`."""

from __future__ import annotations

from dataclasses import replace

from chat.calendars import store
from chat.calendars.model import Calendar, always
from chat.calendars.records import Stored
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx

ALWAYS = always()


async def create_calendar(tx: Tx, calendar: Calendar, *, name: str, tenant_id: str | None = None) -> Stored:
    stored = Stored(tx.new_id("cal"), tenant_id, name, calendar, 1)
    await store.insert(tx, stored)
    return stored


async def save_calendar(tx: Tx, held: Stored, calendar: Calendar, *, name: str) -> Stored:
    """Replace the hours of a locked calendar. Raises RetryTx when it was not locked after all."""
    saved = replace(held, calendar=calendar, name=name, version=held.version + 1)
    if not await store.update(tx, saved):
        raise RetryTx
    return saved


async def find_calendar(tx: Tx, calendar_id: str) -> Stored:
    """Raises NotFound."""
    found = await store.find(tx, calendar_id)
    if found is None:
        raise NotFound
    return found


async def lock_calendar(tx: Tx, calendar_id: str) -> Stored:
    """Raises NotFound."""
    found = await store.lock(tx, calendar_id)
    if found is None:
        raise NotFound
    return found


async def calendar_of(tx: Tx, calendar_id: str | None) -> Calendar:
    """The hours under this id; day and night for None. Raises NotFound."""
    return ALWAYS if calendar_id is None else (await find_calendar(tx, calendar_id)).calendar
