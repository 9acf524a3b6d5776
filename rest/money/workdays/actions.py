"""Verbs of working days."""

from __future__ import annotations

from datetime import date, datetime

from rest.money.workdays import store
from rest.money.workdays.model import LOOKED_AHEAD, end_of_wait
from storage.base.clock import business_day
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


async def due_after(tx: Tx, since: datetime, working_days: int) -> datetime:
    """When so many working days have passed after the day of `since`, by what is known of holidays now."""
    day = business_day(since)
    odd = await store.odd_days(tx, day, day + LOOKED_AHEAD)
    return end_of_wait(since, working_days, {row["day"]: row["works"] for row in odd})


async def put(tx: Tx, day: date, *, works: bool, note: str, by_id: str) -> None:
    """Say that a day is a holiday, or is worked."""
    await store.put(tx, day, works=works, note=note, by_id=by_id, at=tx.now)
    log("workdays.changed", day=day.isoformat(), works=works, by=by_id)


async def forget(tx: Tx, day: date, *, by_id: str) -> None:
    """The day is what its weekday says again. Raises NotFound."""
    if not await store.forget(tx, day):
        raise NotFound
    log("workdays.forgotten", day=day.isoformat(), by=by_id)
