"""The life of a thread with its agent: what is said, chat to ticket and back, the end and a new beginning."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chat import conversations
from chat.desk.actions import promises
from chat.desk.actions.asking import ask_rating
from chat.desk.actions.line import ticket_number
from chat.desk.actions.steps import (
    CLOSE_KIND,
    end_service,
    forget_deadlines,
    give_conversation,
    key_of,
    line_up,
    lock_thread,
    our_turn,
    poke,
    poke_queues_of,
    queue_of,
    tell,
    tell_changed,
    tell_customer,
    their_turn,
)
from chat.desk.errors import AgentFull, ReopenTooLate, ResolutionRequired, TalksElsewhere
from chat.desk.facts import ThreadClosed, ThreadResolved
from chat.desk.model import LIVE, Kind, State, Thread
from chat.desk.sla import Promise
from chat.desk.store import agents as agent_store
from chat.desk.store import threads as store
from storage.base.errors import NotFound
from storage.tx import Tx


async def hear(tx: Tx, conversation_id: str, *, at: datetime | None = None) -> Thread | None:
    """The customer wrote, `at` then. A thread that was over is opened again if that is not too long ago.

    None: it is not the desk's.
    """
    thread = await store.lock(tx, conversation_id)
    if thread is None:
        return None
    if thread.state not in LIVE:
        return await reopen(tx, conversation_id, by_id=thread.customer_id)
    heard = thread.after("hear", tx.now)
    await store.save(tx, heard)
    await store.write_event(tx, heard, "hear", agent_id=thread.assignee_id, by_id=thread.customer_id)
    await promises.heard(tx, heard, await queue_of(tx, thread.queue_id), at or tx.now)
    if thread.snoozed_until is not None:
        tx.unschedule(key_of(conversation_id, "snooze"))
    if thread.state is State.PENDING:
        await our_turn(tx, heard)
    if thread.state is State.PENDING or thread.snoozed_until is not None:
        tell_changed(tx, heard)
    return heard


async def reply(tx: Tx, conversation_id: str, agent_id: str, *, at: datetime | None = None) -> Thread | None:
    """An agent answered the customer, `at` then; notes are not replies. None: it is not the desk's, or he is no agent.

    It counts for him whoever has the thread by now; only the answer of who has it makes it the customer's turn.
    """
    thread = await store.lock(tx, conversation_id)
    if thread is None or await agent_store.find(tx, agent_id) is None:
        return None
    await store.write_event(tx, thread, "reply", agent_id=agent_id, by_id=agent_id)
    await store.served(tx, thread.customer_id, thread.scope, agent_id)
    await promises.replied(tx, thread, await queue_of(tx, thread.queue_id), at or tx.now)
    if thread.assignee_id != agent_id or thread.state not in (State.OPEN, State.PENDING):
        return thread
    replied = thread.after("reply", tx.now)
    await store.save(tx, replied)
    live = await store.live_assignment(tx, conversation_id)
    if live is not None:
        await store.count_reply(tx, live.id)
    await their_turn(tx, replied)
    if thread.state is not replied.state:
        tell_changed(tx, replied)
    return replied


async def convert(tx: Tx, conversation_id: str, kind: Kind, *, by_id: str) -> Thread:
    """Look at it as a ticket, or as a chat again: the same thread, the same messages, the same place.

    A chat needs more of its agent than a ticket. Raises NotFound, ThreadState, AgentFull.
    """
    thread = await lock_thread(tx, conversation_id)
    converted = thread.after("convert", tx.now)
    if thread.kind is kind:
        return thread
    live = await store.live_assignment(tx, conversation_id)
    if live is not None:
        more = kind.units - live.units
        if more > 0 and live.is_over_cap:
            await agent_store.claim_over(tx, live.agent_id, more)
        elif more > 0:
            if not await agent_store.claim(tx, live.agent_id, more):
                raise AgentFull
        else:
            await agent_store.release(tx, live.agent_id, -more, is_over_cap=live.is_over_cap)
            await poke_queues_of(tx, live.agent_id)
        await store.set_units(tx, live.id, kind.units)
    number = thread.number or (await ticket_number(tx) if kind is Kind.TICKET else None)
    converted = replace(converted, kind=kind, units=kind.units, number=number)
    await store.save(tx, converted)
    detail = {"kind": kind.value, "number": number}
    await store.write_event(tx, converted, "convert", agent_id=thread.assignee_id, by_id=by_id, detail=detail)
    await _follow_kind(tx, converted)
    tell_changed(tx, converted)
    tell_customer(tx, converted, notice=f"now_{kind.value}")
    return converted


async def _follow_kind(tx: Tx, thread: Thread) -> None:
    """A ticket is not given back for an hour's silence; a chat is. In the line, a ticket may now find room."""
    if thread.kind is Kind.TICKET:
        for what in ("wait", "reply", "idle"):
            tx.unschedule(key_of(thread.conversation_id, what))
    elif thread.state is State.OPEN:
        await our_turn(tx, thread)
    elif thread.state is State.PENDING:
        await their_turn(tx, thread)
    if thread.state is State.QUEUED:
        poke(tx, thread.queue_id, thread.conversation_id)


async def resolve(
    tx: Tx, conversation_id: str, *, by_id: str, resolution: str | None = None, reason: str = "answered"
) -> Thread:
    """It is answered: the agent has room again, and the customer is asked how it was. A ticket needs a text.

    Tells thread.resolved, rating.asked. Raises NotFound, ThreadState, ResolutionRequired.
    """
    thread = await lock_thread(tx, conversation_id)
    resolved = thread.after("resolve", tx.now)
    text = (resolution or "").strip() or None
    if thread.kind is Kind.TICKET and text is None:
        raise ResolutionRequired
    ended = await end_service(tx, thread, "resolved")
    owner_id = ended.agent_id if ended else None
    resolved = replace(
        resolved,
        epoch=thread.epoch + 1,
        closure_no=thread.closure_no + 1,
        resolution=text,
        resolved_at=tx.now,
        preferred_agent_id=owner_id,
    )
    await store.save(tx, resolved)
    await give_conversation(tx, resolved)
    await promises.resolved(tx, resolved)
    # Who answered is read from the log before this closure is in it.
    await ask_rating(tx, resolved, owner_id)
    detail = {"reason": reason, "closure_no": resolved.closure_no}
    await store.write_event(tx, resolved, "resolve", agent_id=owner_id, by_id=by_id, detail=detail)
    about = {"conversation_id": conversation_id}
    due_at = tx.now + timedelta(seconds=(await queue_of(tx, resolved.queue_id)).auto_close_s)
    tx.schedule(CLOSE_KIND, key_of(conversation_id, "close"), due_at, about)
    tell(tx, ThreadResolved, resolved, owner_id)
    tell_customer(tx, resolved, notice=reason)
    return resolved


async def close(tx: Tx, conversation_id: str, reason: str, *, by_id: str | None = None) -> Thread:
    """The end of a resolved thread: rated, or nobody said anything for long. Raises NotFound, ThreadState."""
    thread = await lock_thread(tx, conversation_id)
    closed = thread.after("close", tx.now)
    await store.save(tx, closed)
    await conversations.close_conversation(tx, conversation_id)
    await store.write_event(tx, closed, "close", by_id=by_id, detail={"reason": reason})
    tx.unschedule(key_of(conversation_id, "close"))
    tell(tx, ThreadClosed, closed, reason=reason)
    tell_customer(tx, closed, notice=reason)
    return closed


async def withdraw(tx: Tx, conversation_id: str, *, by_id: str) -> Thread:
    """The customer needs no answer any more. Raises NotFound, ThreadState."""
    thread = await lock_thread(tx, conversation_id)
    withdrawn = thread.after("withdraw", tx.now)
    ended = await end_service(tx, thread, "withdrawn")
    withdrawn = replace(withdrawn, epoch=thread.epoch + 1)
    await store.save(tx, withdrawn)
    await give_conversation(tx, withdrawn)
    await conversations.close_conversation(tx, conversation_id)
    agent_id = ended.agent_id if ended else None
    await store.write_event(tx, withdrawn, "withdraw", agent_id=agent_id, by_id=by_id)
    await forget_deadlines(tx, withdrawn)
    tell(tx, ThreadClosed, withdrawn, agent_id, reason="withdrawn")
    tell_customer(tx, withdrawn, notice="withdrawn")
    return withdrawn


async def reopen(tx: Tx, conversation_id: str, *, by_id: str) -> Thread:
    """It was not answered after all: into the line again, first to who had it last (FR-122).

    Raises NotFound, ThreadState, ReopenTooLate.
    """
    thread = await lock_thread(tx, conversation_id)
    queued = thread.after("reopen", tx.now)
    over_at, queue = thread.closed_at or thread.resolved_at or thread.state_at, await queue_of(tx, thread.queue_id)
    if tx.now > over_at + timedelta(days=queue.reopen_days):
        raise ReopenTooLate
    queued = replace(
        queued, epoch=thread.epoch + 1, queued_at=tx.now, declined_by=(), declined_until=None, resolved_at=None
    )
    await store.save(tx, queued)
    if thread.state is State.CLOSED:
        other = await conversations.reopen_conversation(tx, conversation_id)
        if other.id != conversation_id:
            raise TalksElsewhere(conversation_id=other.id)
    await give_conversation(tx, queued)
    await store.write_event(tx, queued, "reopen", by_id=by_id)
    await forget_deadlines(tx, queued)
    await promises.begin(tx, queued, queue, Promise.NEXT_REPLY, Promise.RESOLVE)
    await line_up(tx, queued, "reopened")
    return queued


async def find_thread(tx: Tx, conversation_id: str) -> Thread:
    """Raises NotFound."""
    thread = await store.find(tx, conversation_id)
    if thread is None:
        raise NotFound
    return thread


async def warn_idle(tx: Tx, conversation_id: str, since: str) -> bool:
    """The customer of a chat is silent: say so, and again look whether it can be ended."""
    thread = await _silent_since(tx, conversation_id, since)
    if thread is None:
        return False
    tell_customer(tx, thread, notice="idle")
    return True


async def end_idle(tx: Tx, conversation_id: str, since: str) -> Thread | None:
    """The customer of a chat went away: it ends, and the room it took is free (he may come back any time)."""
    thread = await _silent_since(tx, conversation_id, since)
    if thread is None or thread.assignee_id is None:
        return None
    return await resolve(tx, conversation_id, by_id="system", reason="idle")


async def _silent_since(tx: Tx, conversation_id: str, since: str) -> Thread | None:
    """The thread, locked, if it is a chat that has waited for its customer ever since."""
    thread = await lock_thread(tx, conversation_id)
    is_waiting = thread.kind is Kind.CHAT and thread.state is State.PENDING and thread.snoozed_until is None
    return thread if is_waiting and thread.state_at.isoformat() <= since else None
