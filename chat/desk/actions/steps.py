"""What verbs of threads share: locking, letting go of an agent, going back into the line, telling."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chat import conversations
from chat.desk.actions import promises
from chat.desk.errors import QueueInvalid
from chat.desk.facts import (
    ThreadAssigned,
    ThreadChanged,
    ThreadFact,
    ThreadOffered,
    ThreadQueued,
    audience_of,
    fields_of,
    for_customer,
    staff_of,
)
from chat.desk.model import DECLINE_S, Agent, Assignment, Kind, Queue, State, Thread
from chat.desk.store import agents as agent_store
from chat.desk.store import queues as queue_store
from chat.desk.store import threads as store
from storage.base.errors import NotFound
from storage.tx import Tx

DRAIN_KIND = "desk.drain"
ACCEPT_KIND = "desk.accept"
REPLY_KIND = "desk.reply"
IDLE_KIND = "desk.idle"
WAIT_KIND = "desk.wait"
OVERFLOW_KIND = "desk.overflow"
CLOSE_KIND = "desk.close"
KEEP_OUT_KIND = "desk.keep_out"


def key_of(conversation_id: str, what: str) -> str:
    return f"desk:{conversation_id}:{what}"


async def lock_thread(tx: Tx, conversation_id: str) -> Thread:
    """Raises NotFound."""
    thread = await store.lock(tx, conversation_id)
    if thread is None:
        raise NotFound
    return thread


async def queue_of(tx: Tx, queue_id: str) -> Queue:
    """Raises QueueInvalid."""
    queue = await queue_store.find(tx, queue_id)
    if queue is None:
        raise QueueInvalid
    return queue


async def agent_of(tx: Tx, agent_id: str) -> Agent:
    """Raises NotFound."""
    agent = await agent_store.find(tx, agent_id)
    if agent is None:
        raise NotFound
    return agent


def poke(tx: Tx, queue_id: str, cause: str) -> None:
    """Have the queue drained as soon as this is committed. A row per cause: nobody's drain replaces another's."""
    tx.schedule(DRAIN_KIND, f"desk:drain:{queue_id}:{cause}", tx.now, {"queue_id": queue_id})


def poke_later(tx: Tx, queue_id: str, conversation_id: str, why: str, at: datetime) -> None:
    """Have it drained when time alone makes somebody eligible."""
    tx.schedule(DRAIN_KIND, key_of(conversation_id, why), at, {"queue_id": queue_id})


async def poke_queues_of(tx: Tx, agent_id: str) -> None:
    """The agent has room, or came: drain all his queues."""
    for queue_id in await agent_store.queues_of(tx, agent_id):
        poke(tx, queue_id, agent_id)


def look_who_serves(tx: Tx, queue_id: str, cause: str, after: str = "") -> None:
    """Have threads of the queue taken from agents who may see them no longer, as soon as this is committed."""
    key = f"desk:keep_out:{queue_id}:{cause}"
    tx.schedule(KEEP_OUT_KIND, key, tx.now, {"queue_id": queue_id, "after": after, "cause": cause})


async def end_service(tx: Tx, thread: Thread, reason: str) -> Assignment | None:
    """End the assignment of a locked thread and give its room back; what waits for the agent's slot is told.

    The caller changes the thread itself, with an epoch of its own.
    """
    live = await store.live_assignment(tx, thread.conversation_id)
    if live is None:
        return None
    await store.end_assignment(tx, live.id, reason)
    await agent_store.release(tx, live.agent_id, live.units, is_over_cap=live.is_over_cap)
    for what in ("accept", "reply", "idle", "snooze"):
        tx.unschedule(key_of(thread.conversation_id, what))
    await poke_queues_of(tx, live.agent_id)
    return live


async def put_back(
    tx: Tx, thread: Thread, verb: str, reason: str, *, by_id: str | None = None, not_to: str | None = None
) -> Thread:
    """Into the line again, at the place of its first arrival; `not_to` is not asked again for a while."""
    ended = await end_service(tx, thread, reason)
    queued = replace(thread.after(verb, tx.now), epoch=thread.epoch + 1, preferred_agent_id=None)
    if not_to is not None:
        until = tx.now + timedelta(seconds=DECLINE_S)
        queued = replace(queued, declined_by=_with(thread, not_to, tx.now), declined_until=until)
    else:
        queued = replace(queued, declined_by=(), declined_until=None)
    await store.save(tx, queued)
    await give_conversation(tx, queued)
    agent_id = ended.agent_id if ended else None
    await store.write_event(tx, queued, verb, agent_id=agent_id, by_id=by_id, detail={"reason": reason})
    await line_up(tx, queued, reason, agent_id)
    return queued


async def give_conversation(tx: Tx, thread: Thread) -> None:
    """Whoever serves the thread answers in its conversation, under the thread's epoch; an offer gives nothing yet.

    Who had it before is refused from this commit on (A4). Locks the conversation, after the thread.
    """
    agent_id = thread.assignee_id if thread.state is not State.OFFERED else None
    await conversations.set_assignee(tx, thread.conversation_id, agent_id, thread.epoch)
    if agent_id is not None and thread.tenant_id is not None:
        agent = await agent_of(tx, agent_id)
        if agent.tenant_id is None:
            await conversations.hand_over(tx, thread.conversation_id, to_platform=True)


async def follow_side(tx: Tx, thread: Thread, queue: Queue) -> None:
    """A tenant's thread in a queue of the platform's can be read there, and in its own queue no longer."""
    if thread.tenant_id is not None:
        await conversations.hand_over(tx, thread.conversation_id, to_platform=queue.tenant_id is None)


def _with(thread: Thread, agent_id: str, now: datetime) -> tuple[str, ...]:
    """Those asked in vain, until the last of them may be asked again."""
    is_past = thread.declined_until is None or thread.declined_until <= now
    earlier = () if is_past else thread.declined_by
    return (*(one for one in earlier if one != agent_id), agent_id)[-50:]


async def line_up(tx: Tx, thread: Thread, reason: str, *agent_ids: str | None) -> None:
    """Everything that follows from waiting in a line: drains, deadlines, facts."""
    queue = await queue_of(tx, thread.queue_id)
    poke(tx, queue.id, thread.conversation_id)
    relaxes_at = thread.queued_at + timedelta(seconds=queue.relax_s)
    if thread.optional_skills and relaxes_at > tx.now:
        poke_later(tx, queue.id, thread.conversation_id, "relax", relaxes_at)
    if thread.declined_until is not None and thread.declined_until > tx.now:
        poke_later(tx, queue.id, thread.conversation_id, "declined", thread.declined_until)
    about = {"conversation_id": thread.conversation_id}
    if thread.kind is Kind.CHAT:
        at = max(tx.now, thread.queued_at + timedelta(seconds=queue.offer_ticket_s))
        tx.schedule(WAIT_KIND, key_of(thread.conversation_id, "wait"), at, about)
    if queue.overflow_queue_id is not None:
        at = max(tx.now, thread.queued_at + timedelta(seconds=queue.overflow_s))
        tx.schedule(OVERFLOW_KIND, key_of(thread.conversation_id, "overflow"), at, about)
    tell(tx, ThreadQueued, thread, *agent_ids, reason=reason)
    tell_customer(tx, thread, notice=reason)


async def assigned(tx: Tx, thread: Thread, made: Assignment, *, by_id: str | None = None) -> None:
    """Everything that follows from an assignment that was written: its deadline, the log, facts."""
    detail = {"reason": made.reason, "assignment_id": made.id}
    verb = "offer" if made.accepted_at is None else "assign"
    await store.write_event(tx, thread, verb, agent_id=made.agent_id, by_id=by_id, detail=detail)
    for what in ("wait", "overflow", "relax", "declined"):
        tx.unschedule(key_of(thread.conversation_id, what))
    if made.expires_at is not None and made.accepted_at is None:
        about = {"assignment_id": made.id}
        tx.schedule(ACCEPT_KIND, key_of(thread.conversation_id, "accept"), made.expires_at, about)
        fact = ThreadOffered(**fields_of(thread), assignment_id=made.id, reason=made.reason, expires_at=made.expires_at)
        tx.tell(fact, to=staff_of(thread, made.agent_id), expires_at=made.expires_at)
        return
    await give_conversation(tx, thread)
    tell(tx, ThreadAssigned, thread, made.agent_id, assignment_id=made.id, reason=made.reason)
    agent = await agent_of(tx, made.agent_id)
    tell_customer(tx, thread, agent_name=agent.name)


async def our_turn(tx: Tx, thread: Thread) -> None:
    """A chat an agent must answer: silence gives it to others."""
    tx.unschedule(key_of(thread.conversation_id, "idle"))
    if thread.kind is Kind.CHAT and thread.state is State.OPEN:
        queue = await queue_of(tx, thread.queue_id)
        at = tx.now + timedelta(seconds=queue.reply_s)
        about = {"conversation_id": thread.conversation_id, "epoch": thread.epoch}
        tx.schedule(REPLY_KIND, key_of(thread.conversation_id, "reply"), at, about)


async def their_turn(tx: Tx, thread: Thread) -> None:
    """A chat the customer must answer: silence warns, then ends it; not one that was put aside, which comes back."""
    tx.unschedule(key_of(thread.conversation_id, "reply"))
    if thread.kind is Kind.CHAT and thread.state is State.PENDING and thread.snoozed_until is None:
        queue = await queue_of(tx, thread.queue_id)
        at = tx.now + timedelta(seconds=queue.idle_warn_s)
        about = {"conversation_id": thread.conversation_id, "since": tx.now.isoformat()}
        tx.schedule(IDLE_KIND, key_of(thread.conversation_id, "idle"), at, about)


def tell(tx: Tx, kind: type[ThreadFact], thread: Thread, *agent_ids: str | None, **more: Any) -> None:  # noqa: ANN401 - the fact's own fields
    tx.tell(kind(**fields_of(thread), **more), to=staff_of(thread, thread.assignee_id, *agent_ids))


def tell_changed(tx: Tx, thread: Thread) -> None:
    tell(tx, ThreadChanged, thread)


def tell_customer(tx: Tx, thread: Thread, *, notice: str | None = None, agent_name: str | None = None) -> None:
    tx.tell(for_customer(thread, notice=notice, agent_name=agent_name), to=audience_of(thread))


async def forget_deadlines(tx: Tx, thread: Thread) -> None:
    """Of a thread that is over, or starts anew."""
    for what in ("wait", "overflow", "relax", "declined", "close"):
        tx.unschedule(key_of(thread.conversation_id, what))
    await promises.forget(tx, thread)
