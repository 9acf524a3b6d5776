"""Verbs of broadcasts: planned, cancelled, told batch by batch, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from rest.people.crowds import Crowd, Part, crowd
from rest.reach.actions.telling import notice_of, tell
from rest.reach.broadcasts import store
from rest.reach.broadcasts.facts import BroadcastChanged
from rest.reach.broadcasts.model import (
    BATCH,
    COUNT_EVERY,
    PAUSE,
    WAIT,
    WAITING_MAX,
    AudienceEmpty,
    AudienceUnknown,
    Broadcast,
    BroadcastState,
    check_time,
    next_count,
)
from rest.reach.kinds import BROADCAST
from rest.reach.terms import Terms
from storage.base.errors import NotFound
from storage.tx import Tx

STEP = "reach.broadcast"
COUNT = "reach.broadcast_count"

DESK = ("desk",)
UNKNOWN_SHOWN = 10


async def plan(
    tx: Tx,
    *,
    title: Mapping[str, str],
    body: Mapping[str, str],
    link: str | None,
    who: Crowd,
    send_at: datetime | None,
    by_id: str,
) -> Broadcast:
    """Have it told, now or then. Raises TimePast, AudienceEmpty, AudienceUnknown."""
    due_at = check_time(send_at, tx.now)
    await _check_audience(tx, who)
    one = Broadcast(
        id=tx.new_id("brc"),
        title=title,
        body=body,
        link=link,
        audience=who.part.value,
        tenant_id=who.tenant_id,
        account_ids=tuple(who.account_ids),
        state=BroadcastState.SCHEDULED,
        send_at=due_at,
        created_by=by_id,
        created_at=tx.now,
    )
    await store.add(tx, one)
    _go_on(tx, one, due_at)
    return one


async def _check_audience(tx: Tx, who: Crowd) -> None:
    named = set(who.account_ids)
    found = await crowd(tx, who, after="", born_by=tx.now, limit=max(1, len(named)))
    if unknown := sorted(named - set(found)):
        raise AudienceUnknown(account_ids=unknown[:UNKNOWN_SHOWN])
    if not found:
        raise AudienceEmpty


async def cancel(tx: Tx, broadcast_id: str) -> Broadcast:
    """Nobody more is told of it. Raises NotFound, WrongBroadcastState; locks the broadcast."""
    one = await store.find(tx, broadcast_id, lock=True)
    if one is None:
        raise NotFound
    cancelled = one.after("cancel", ended_at=tx.now)
    await store.save(tx, cancelled)
    tx.unschedule(f"{STEP}:{one.id}")
    _tell_desk(tx, cancelled)
    return cancelled


async def step(tx: Tx, payload: dict[str, Any], *, terms: Terms) -> None:
    """Tell the next of its audience, and note the place; locks the broadcast."""
    one = await store.find(tx, payload["broadcast_id"], lock=True)
    if one is None or one.state not in {BroadcastState.SCHEDULED, BroadcastState.SENDING}:
        return
    if await store.waiting(tx, limit=WAITING_MAX) >= WAITING_MAX:
        _go_on(tx, one, tx.now + WAIT)
        return
    if one.state is BroadcastState.SCHEDULED:
        one = replace(one.after("begin", begun_at=tx.now), version=one.version)  # saved together with the first batch
        tx.schedule(COUNT, f"{COUNT}:{one.id}", tx.now + COUNT_EVERY, payload)
    who = Crowd(part=Part(one.audience), tenant_id=one.tenant_id, account_ids=one.account_ids)
    accounts = await crowd(tx, who, after=one.place, born_by=one.begun_at or tx.now, limit=BATCH)
    await _tell_these(tx, one, accounts, terms)
    counts = replace(one.counts, told=one.counts.told + len(accounts))
    if len(accounts) == BATCH:
        after = one.after("go_on", place=accounts[-1], counts=counts)
        _go_on(tx, one, tx.now + PAUSE)
    else:
        after = one.after("end", place=(accounts or [one.place])[-1], counts=counts, ended_at=tx.now)
    await store.save(tx, after)
    if after.state is BroadcastState.SENT or not one.place:
        _tell_desk(tx, after)


async def _tell_these(tx: Tx, one: Broadcast, accounts: Sequence[str], terms: Terms) -> None:
    fact = {"broadcast_id": one.id, "title": one.title, "body": one.body, "link": one.link}
    about = BROADCAST.about(fact)
    wanted = [notice_of(tx, BROADCAST, who, fact_id=one.id, fact=fact, about=about) for who in accounts]
    await tell(tx, wanted, terms, is_bulk=True)


def _go_on(tx: Tx, one: Broadcast, due_at: datetime) -> None:
    tx.schedule(STEP, f"{STEP}:{one.id}", due_at, {"broadcast_id": one.id})


async def count(tx: Tx, payload: dict[str, Any]) -> None:
    """See what became of it, and look again later; comes back by itself while it is young."""
    one = await store.find(tx, payload["broadcast_id"])
    if one is None or one.begun_at is None:
        return
    counts = replace(await store.count(tx, one.id), told=one.counts.told)
    await store.save_counts(tx, one.id, counts)
    if replace(one.counts, told=counts.told) != counts:
        _tell_desk(tx, replace(one, counts=counts))
    again_at = next_count(one.begun_at, tx.now)
    if again_at is not None:
        tx.schedule(COUNT, f"{COUNT}:{one.id}", again_at, payload)


def _tell_desk(tx: Tx, one: Broadcast) -> None:
    counts = one.counts
    fact = BroadcastChanged(
        broadcast_id=one.id,
        state=one.state.value,
        told=counts.told,
        sent=counts.sent,
        delivered=counts.delivered,
        failed=counts.failed,
        opened=counts.opened,
    )
    tx.tell(fact, to=DESK)
