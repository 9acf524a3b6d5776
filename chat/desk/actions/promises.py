"""Promises of time as rows: begun, paused, kept, and passed when a deadline fires. The thread is locked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from chat import calendars
from chat.calendars import Calendar
from chat.desk import sla
from chat.desk.facts import PromiseBroken, PromiseWarned, staff_of
from chat.desk.model import Queue, State, Thread
from chat.desk.sla import Promise, Timer, TimerState
from chat.desk.store import threads as thread_store
from chat.desk.store import timers as store
from storage.tx import Tx

SLA_KIND = "desk.promise"

Change = Callable[[Timer, datetime, Calendar], Timer]


async def begin(tx: Tx, thread: Thread, queue: Queue, *kinds: Promise, at: datetime | None = None) -> None:
    """Start the clock of these promises, where the queue makes them and none of the kind runs yet."""
    at = at or tx.now
    running = {timer.kind for timer in await store.live(tx, thread.conversation_id)}
    for kind in kinds:
        target_s = queue.sla.target_s(kind)
        if target_s is None or kind in running:
            continue
        calendar_id = queue.calendar_id if queue.sla.in_hours else None
        no = await store.last_no(tx, thread.conversation_id, kind) + 1
        timer = replace(sla.begin(thread.conversation_id, kind, no, target_s, at), calendar_id=calendar_id)
        calendar = await calendars.calendar_of(tx, calendar_id)
        timer = sla.resume(timer, at, calendar)
        await store.insert(tx, timer)
        _watch(tx, timer, calendar)


async def replied(tx: Tx, thread: Thread, queue: Queue, at: datetime) -> None:
    """A human answered: the replies promised are there, and the clock of the whole stands while the customer thinks."""
    changes: dict[Promise, Change] = {Promise.FIRST_REPLY: _met, Promise.NEXT_REPLY: _met}
    if queue.sla.pauses_for_customer:
        changes[Promise.RESOLVE] = sla.pause
    await _change(tx, thread, changes, at)


async def heard(tx: Tx, thread: Thread, queue: Queue, at: datetime) -> None:
    """The customer wrote: the clock of the whole runs again, and an answer is due once somebody has answered before."""
    await _change(tx, thread, {Promise.RESOLVE: sla.resume}, at)
    live = {timer.kind for timer in await store.live(tx, thread.conversation_id)}
    if Promise.FIRST_REPLY not in live and thread.state is State.OPEN:
        await begin(tx, thread, queue, Promise.NEXT_REPLY, at=at)


async def resolved(tx: Tx, thread: Thread) -> None:
    """It is answered: the whole is kept, and nobody waits for a reply any more."""
    await _change(tx, thread, {Promise.FIRST_REPLY: _dropped, Promise.NEXT_REPLY: _dropped, Promise.RESOLVE: _met})


async def forget(tx: Tx, thread: Thread) -> None:
    """It went away by itself: nothing was kept and nothing was broken that had not been yet."""
    await _change(tx, thread, dict.fromkeys(Promise, _dropped))


async def rebase(tx: Tx, thread: Thread, calendar_id: str | None, old: Calendar | None = None) -> None:
    """Count by other hours from now on. `old`: what the hours were, where the same calendar has new ones."""
    new = await calendars.calendar_of(tx, calendar_id)
    for timer in await store.live(tx, thread.conversation_id):
        before = old if old is not None and timer.calendar_id == calendar_id else None
        before = before or await calendars.calendar_of(tx, timer.calendar_id)
        rebased = replace(sla.rebase(timer, tx.now, before, new), calendar_id=calendar_id)
        await _save(tx, thread, timer, rebased, new)


async def fire(tx: Tx, payload: dict[str, Any]) -> None:
    """A mark may have been passed. A timer is a hint: whether it was is judged anew, and each mark counts once."""
    thread = await thread_store.lock(tx, payload["conversation_id"])
    if thread is None:
        return
    await _change(tx, thread, {Promise(payload["kind"]): sla.passed})


async def _change(tx: Tx, thread: Thread, changes: Mapping[Promise, Change], at: datetime | None = None) -> None:
    for timer in await store.live(tx, thread.conversation_id):
        change = changes.get(timer.kind)
        if change is not None:
            calendar = await calendars.calendar_of(tx, timer.calendar_id)
            await _save(tx, thread, timer, change(timer, at or tx.now, calendar), calendar)


async def _save(tx: Tx, thread: Thread, before: Timer, after: Timer, calendar: Calendar) -> None:
    if after != before:
        await store.save(tx, after, over=before.version)
    if after.warned > before.warned:
        await _tell(tx, thread, after)
    _watch(tx, after, calendar)


async def _tell(tx: Tx, thread: Thread, timer: Timer) -> None:
    """Of marks passed at once only the last is told, and a breach exactly once: `warned` never falls."""
    to = staff_of(thread, thread.assignee_id)
    if timer.breached_at is None:
        fact = PromiseWarned(
            conversation_id=thread.conversation_id, kind=timer.kind.value, percent=timer.warned, due_at=timer.due_at,
            assignee_id=thread.assignee_id,
        )  # fmt: skip
        tx.tell(fact, to=to)
        return
    detail = {"kind": timer.kind.value, "no": timer.no, "due_at": timer.breached_at}
    await thread_store.write_event(tx, thread, "breach", agent_id=thread.assignee_id, detail=detail)
    broken = PromiseBroken(
        conversation_id=thread.conversation_id, kind=timer.kind.value, due_at=timer.breached_at,
        assignee_id=thread.assignee_id,
    )  # fmt: skip
    tx.tell(broken, to=to)


def _watch(tx: Tx, timer: Timer, calendar: Calendar) -> None:
    key = f"desk:{timer.conversation_id}:promise:{timer.kind.value}"
    at = sla.next_mark(timer, calendar)
    if at is None:
        tx.unschedule(key)
    else:
        about = {"conversation_id": timer.conversation_id, "kind": timer.kind.value}
        tx.schedule(SLA_KIND, key, at, about)


def _met(timer: Timer, now: datetime, calendar: Calendar) -> Timer:
    return sla.end(timer, now, calendar, TimerState.MET)


def _dropped(timer: Timer, now: datetime, calendar: Calendar) -> Timer:
    return sla.end(timer, now, calendar, TimerState.DROPPED)
