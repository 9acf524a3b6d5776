"""Putting a thread aside until a time: the agent's own reminder, which nobody who is served notices.

The promises run on, for they are the customer's; so does the time after which a chat that owes an answer goes to
others. What stands still is the agent's patience with a silent customer: a chat put aside does not end by itself. It
comes back at the time, or at once when the customer writes; every verb that changes whose it is brings it back too
(`model.ASIDE`). It keeps its place in the agent's cap: who puts things aside still has them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chat import calendars
from chat.desk.actions.steps import key_of, lock_thread, queue_of, tell_changed, their_turn
from chat.desk.errors import NotYours
from chat.desk.later import Later, checked, instant_of
from chat.desk.model import State, Thread
from chat.desk.store import threads as store
from storage.base.clock import BUSINESS_ZONE
from storage.tx import Tx

WAKE_KIND = "desk.wake"


async def snooze(tx: Tx, conversation_id: str, *, by_id: str, until: datetime | Later) -> Thread:
    """Only who has it, while it is open. `until`: an instant, or a word for one in the zone of its queue's hours.

    Tells thread.changed. Raises NotFound, NotYours, ThreadState, SnoozeTime.
    """
    thread = await _own(tx, conversation_id, by_id)
    snoozed = thread.after("snooze", tx.now)
    at = await _instant(tx, thread, until) if isinstance(until, Later) else checked(until, tx.now)
    snoozed = replace(snoozed, snoozed_until=at)
    await store.save(tx, snoozed)
    await store.write_event(tx, snoozed, "snooze", agent_id=by_id, by_id=by_id, detail={"until": at})
    tx.unschedule(key_of(conversation_id, "idle"))
    tx.schedule(WAKE_KIND, key_of(conversation_id, "snooze"), at, {"conversation_id": conversation_id})
    tell_changed(tx, snoozed)
    return snoozed


async def wake(tx: Tx, conversation_id: str, *, by_id: str) -> Thread:
    """Back at once; what is not put aside stays as it is. Raises NotFound, NotYours."""
    thread = await _own(tx, conversation_id, by_id)
    if thread.snoozed_until is None:
        return thread
    tx.unschedule(key_of(conversation_id, "snooze"))
    return await _bring_back(tx, thread, by_id)


async def wake_due(tx: Tx, conversation_id: str) -> Thread | None:
    """Back because it is time; None when it is not, or was put aside anew."""
    thread = await lock_thread(tx, conversation_id)
    if thread.snoozed_until is None or tx.now < thread.snoozed_until:
        return None
    return await _bring_back(tx, thread, None)


async def zone_of(tx: Tx, calendar_id: str | None) -> str:
    """The zone in whose wall time these hours are; of a desk that is always open, that of the business."""
    return BUSINESS_ZONE.key if calendar_id is None else (await calendars.calendar_of(tx, calendar_id)).zone


async def _instant(tx: Tx, thread: Thread, later: Later) -> datetime:
    queue = await queue_of(tx, thread.queue_id)
    return instant_of(later, tx.now, await zone_of(tx, queue.calendar_id))


async def _own(tx: Tx, conversation_id: str, by_id: str) -> Thread:
    thread = await lock_thread(tx, conversation_id)
    if thread.assignee_id != by_id:
        raise NotYours
    return thread


async def _bring_back(tx: Tx, thread: Thread, by_id: str | None) -> Thread:
    woken = thread.after("wake", tx.now)
    await store.save(tx, woken)
    await store.write_event(tx, woken, "wake", agent_id=woken.assignee_id, by_id=by_id)
    if woken.state is State.PENDING:
        await their_turn(tx, woken)
    tell_changed(tx, woken)
    return woken
