"""From one agent to another, to another queue, to a supervisor. Each says why, in a note that stays with the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chat import conversations
from chat.desk.actions import promises
from chat.desk.actions.steps import (
    agent_of,
    assigned,
    end_service,
    follow_side,
    give_conversation,
    line_up,
    lock_thread,
    our_turn,
    queue_of,
)
from chat.desk.errors import AgentFull, AgentNotMember, AgentOffDuty, NoteRequired, NotYours, QueueInvalid, ThreadState
from chat.desk.facts import ThreadHidden, staff_of
from chat.desk.model import SERVED, Agent, Assignment, Kind, State, Thread
from chat.desk.store import agents as agent_store
from chat.desk.store import queues as queue_store
from chat.desk.store import threads as store
from storage.base.errors import Denied
from storage.tx import Tx


async def transfer_to_queue(tx: Tx, conversation_id: str, queue_id: str, *, by_id: str, note: str) -> Thread:
    """Into another line, at the place of its first arrival there. Its promises go by that queue's hours from now on.

    Who has it may, and any supervisor. Raises NotFound, NoteRequired, NotYours, QueueInvalid, ThreadState.
    """
    thread = await lock_thread(tx, conversation_id)
    _say_why(note)
    await may_handle(tx, thread, by_id)
    return await move(tx, thread, queue_id, "transferred", by_id=by_id, note=note)


async def move(
    tx: Tx, thread: Thread, queue_id: str, reason: str, *, by_id: str | None = None, note: str | None = None
) -> Thread:
    """A locked thread into another line."""
    queue = await queue_of(tx, queue_id)
    if queue.tenant_id not in (None, thread.tenant_id):
        raise QueueInvalid("This queue is another tenant's.")
    moved = thread.after("move", tx.now)
    ended = await end_service(tx, thread, reason)
    moved = replace(
        moved,
        queue_id=queue_id,
        epoch=thread.epoch + 1,
        declined_by=(),
        declined_until=None,
        preferred_agent_id=None,
        circle=await queue_store.circle(tx, queue, thread.tenant_id),
    )
    await store.save(tx, moved)
    _hide(tx, thread, moved)
    await give_conversation(tx, moved)
    await follow_side(tx, moved, queue)
    agent_id = ended.agent_id if ended else None
    detail = {"reason": reason, "from": thread.queue_id, "note": note}
    await store.write_event(tx, moved, "move", agent_id=agent_id, by_id=by_id, detail=detail)
    if note is not None:
        await write_down(tx, moved, reason, note, by_id)
    await promises.rebase(tx, moved, queue.calendar_id if queue.sla.in_hours else None)
    await line_up(tx, moved, reason, agent_id)
    return moved


def _hide(tx: Tx, before: Thread, moved: Thread) -> None:
    """Tell those who may see it no longer, before those who still do hear where it is."""
    heard = set(staff_of(moved))
    gone = [one for one in staff_of(before, before.assignee_id) if one not in heard]
    if moved.circle is not None and gone:
        tx.tell(ThreadHidden(conversation_id=moved.conversation_id), to=gone)


async def transfer_to_agent(
    tx: Tx, conversation_id: str, agent_id: str, *, by_id: str, note: str, override: bool = False
) -> Thread:
    """To this agent: the room is taken now, and he must accept a chat. A supervisor may override duty and room.

    Raises NotFound, NoteRequired, NotYours, AgentFull, AgentNotMember, AgentOffDuty, ThreadState.
    """
    thread = await lock_thread(tx, conversation_id)
    _say_why(note)
    by = await may_handle(tx, thread, by_id)
    target = await agent_of(tx, agent_id)
    if target.tenant_id is not None and target.tenant_id != thread.tenant_id:
        raise Denied
    if not thread.admits(agent_id):
        raise AgentNotMember
    if thread.assignee_id == agent_id:
        raise ThreadState(state=thread.state.value)
    is_override = override and by is not None and by.is_supervisor
    if not is_override and not target.is_ready(tx.now):
        raise AgentOffDuty
    handed = thread.after("hand", tx.now)
    if thread.kind is Kind.TICKET:
        handed = replace(handed.after("accept", tx.now), version=handed.version)
    return await _give(tx, thread, handed, target, "transferred", by_id=by_id, note=note, may_exceed=is_override)


async def take_over(tx: Tx, conversation_id: str, *, by_id: str, note: str) -> Thread:
    """A supervisor has it from now on, beyond his own cap if need be.

    Raises NotFound, NoteRequired, Denied, ThreadState.
    """
    thread = await lock_thread(tx, conversation_id)
    _say_why(note)
    supervisor = await agent_store.find(tx, by_id)
    if supervisor is None or not supervisor.is_supervisor or supervisor.tenant_id not in (None, thread.tenant_id):
        raise Denied
    if thread.assignee_id == by_id and thread.state is not State.OFFERED:
        return thread
    taken = thread.after("take", tx.now)
    return await _give(tx, thread, taken, supervisor, "taken_over", by_id=by_id, note=note, may_exceed=True)


async def _give(
    tx: Tx,
    thread: Thread,
    changed: Thread,
    target: Agent,
    reason: str,
    *,
    by_id: str,
    note: str,
    may_exceed: bool,
) -> Thread:
    """End one assignment and write the next. Two agents' rows are locked in the order of their ids."""
    for one in sorted({target.id, thread.assignee_id or target.id}):
        await agent_store.lock(tx, one)
    ended = await end_service(tx, thread, reason)
    is_over_cap = not await agent_store.claim(tx, target.id, thread.units)
    if is_over_cap:
        if not may_exceed:
            raise AgentFull
        await agent_store.claim_over(tx, target.id, thread.units)
    # An offer takes two epochs: one under which it is nobody's, and the one under which it will be accepted.
    is_offer = changed.state is State.OFFERED
    changed = replace(changed, epoch=thread.epoch + 1 + is_offer, assignee_id=target.id)
    await store.save(tx, changed)
    if is_offer:
        await give_conversation(tx, replace(changed, epoch=thread.epoch + 1))
    made = await _write(tx, changed, target, reason, is_over_cap=is_over_cap)
    detail = {"reason": reason, "to": target.id, "note": note, "over_cap": is_over_cap}
    agent_id = ended.agent_id if ended else None
    verb = "take" if reason == "taken_over" else "hand"
    await store.write_event(tx, changed, verb, agent_id=agent_id, by_id=by_id, detail=detail)
    await write_down(tx, changed, reason, note, by_id)
    await assigned(tx, changed, made, by_id=by_id)
    await our_turn(tx, changed)
    return changed


async def _write(tx: Tx, thread: Thread, target: Agent, reason: str, *, is_over_cap: bool) -> Assignment:
    queue = await queue_of(tx, thread.queue_id)
    is_offer = thread.state is State.OFFERED
    made = Assignment(
        id=tx.new_id("asg"),
        conversation_id=thread.conversation_id,
        queue_id=thread.queue_id,
        agent_id=target.id,
        epoch=thread.epoch,
        units=thread.units,
        is_over_cap=is_over_cap,
        reason=reason,
        queued_at=thread.queued_at,
        offered_at=tx.now,
        expires_at=tx.now + timedelta(seconds=queue.accept_s) if is_offer else None,
        accepted_at=None if is_offer else tx.now,
        replies=0,
        ended_at=None,
        end_reason=None,
    )
    await store.insert_assignment(tx, made)
    return made


async def overflow(tx: Tx, conversation_id: str) -> Thread | None:
    """Nobody of the queue has been there for as long as its contract says: the next queue answers."""
    thread = await lock_thread(tx, conversation_id)
    queue = await queue_of(tx, thread.queue_id)
    if thread.state is not State.QUEUED or queue.overflow_queue_id is None:
        return None
    if await queue_store.has_somebody(tx, queue.id):
        return None
    return await move(tx, thread, queue.overflow_queue_id, "overflow")


async def write_down(tx: Tx, thread: Thread, reason: str, note: str, by_id: str | None) -> None:
    """The note, in the conversation, for staff alone."""
    data = {"event": reason, "by_id": by_id, "assignee_id": thread.assignee_id, "queue_id": thread.queue_id}
    await conversations.say_system(tx, thread.conversation_id, note, data=data, internal=True)


def _say_why(note: str) -> None:
    if not note.strip():
        raise NoteRequired


async def may_handle(tx: Tx, thread: Thread, by_id: str) -> Agent | None:
    """Who has the thread may hand it on or end it, and a supervisor of the platform or its tenant. Raises NotYours."""
    by = await agent_store.find(tx, by_id)
    if by is not None and by.is_supervisor and by.tenant_id in (None, thread.tenant_id):
        return by
    if thread.state not in SERVED or thread.assignee_id != by_id:
        raise NotYours
    return by


async def may_close(tx: Tx, thread: Thread, by_id: str) -> None:
    """A resolved thread is closed by who had it last, or a supervisor of its desk. Raises NotYours."""
    if thread.state is State.RESOLVED and thread.preferred_agent_id == by_id:
        return
    await may_handle(tx, thread, by_id)
