"""What happens when time is up at the desk. A timer is a hint: each verb looks at the state again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from chat.desk.actions import agents, line, promises, queues, snoozing, steps, threads, transfers
from chat.desk.model import AgentState, Kind, State
from chat.desk.store import agents as agent_store
from chat.desk.store import queues as queue_store
from chat.desk.store import threads as store
from storage.base.log import log
from storage.tx import Tx

SWEEP_KIND = "desk.sweep"
SWEEP_KEY = "desk:sweep"
SWEEP_S = 5
GIVE_BACK_KIND = "desk.give_back"
IDLE_CLOSE_KIND = "desk.idle_close"

Payload = dict[str, Any]


async def drain(tx: Tx, payload: Payload) -> None:
    """Give away one thread, and go on in another transaction until there is none that somebody can serve."""
    made = await line.drain(tx, payload["queue_id"])
    if made is not None:
        steps.poke(tx, payload["queue_id"], made.conversation_id)


async def sweep(tx: Tx, _payload: Payload) -> None:
    """The safety net under the drains. What it finds is a fault of ours: it is counted, logged and mended."""
    for queue_id in await queue_store.waiting_without_reason(tx):
        log("desk.sweeper_found", level="error", queue_id=queue_id)
        await store.write_found(tx, queue_id)
        steps.poke(tx, queue_id, "swept")
    begin_sweeping(tx)


def begin_sweeping(tx: Tx) -> None:
    """Have the next sweep done; one row however many processes ask."""
    tx.schedule(SWEEP_KIND, SWEEP_KEY, tx.now + timedelta(seconds=SWEEP_S), {})


async def missed(tx: Tx, payload: Payload) -> None:
    await line.miss(tx, payload["assignment_id"])


async def silent(tx: Tx, payload: Payload) -> None:
    """The agent of a chat owes an answer for too long."""
    thread = await store.lock(tx, payload["conversation_id"])
    if thread is not None and thread.state is State.OPEN and thread.kind is Kind.CHAT:
        await line.give_back(tx, thread.conversation_id, payload["epoch"], "silent")


async def lost(tx: Tx, payload: Payload) -> None:
    """An agent may be gone: each of the chats goes back under its own lock; tickets wait for him."""
    if not await agents.judge_lost(tx, payload["agent_id"]):
        return
    for held in await store.held_by(tx, payload["agent_id"]):
        about = {"conversation_id": held.conversation_id, "epoch": held.epoch, "agent_id": held.agent_id}
        tx.schedule(GIVE_BACK_KIND, steps.key_of(held.conversation_id, "give_back"), tx.now, about)


async def give_back(tx: Tx, payload: Payload) -> None:
    """A lost agent's chat, unless it is somebody else's by now, or he is back. What nobody waits in stays put aside."""
    thread = await store.lock(tx, payload["conversation_id"])
    if thread is None or thread.kind is not Kind.CHAT or (thread.snoozed_until and thread.state is State.PENDING):
        return
    if not await _is_there(tx, payload["agent_id"]):
        await line.give_back(tx, thread.conversation_id, payload["epoch"], "lost")


KEPT_KIND = "desk.kept"
KEEP_OUT_BATCH = 200


async def keep_out(tx: Tx, payload: Payload) -> None:
    """Threads of a queue of members only that others still have: each goes back under its own lock."""
    queue_id, cause = payload["queue_id"], payload["cause"]
    found = await store.not_admitted(tx, queue_id, after=payload["after"], limit=KEEP_OUT_BATCH)
    for conversation_id, epoch in found:
        about = {"conversation_id": conversation_id, "epoch": epoch}
        tx.schedule(KEPT_KIND, steps.key_of(conversation_id, "kept"), tx.now, about)
    if len(found) == KEEP_OUT_BATCH:
        steps.look_who_serves(tx, queue_id, cause, after=found[-1][0])


async def kept(tx: Tx, payload: Payload) -> None:
    await line.keep_out(tx, payload["conversation_id"], payload["epoch"])


async def _is_there(tx: Tx, agent_id: str | None) -> bool:
    agent = None if agent_id is None else await agent_store.find(tx, agent_id)
    return agent is not None and agent.is_present(tx.now) and agent.state is not AgentState.OFFLINE


async def wake(tx: Tx, payload: Payload) -> None:
    """What was put aside is due again. A chat whose agent has gone home goes to others."""
    thread = await snoozing.wake_due(tx, payload["conversation_id"])
    if thread is not None and thread.kind is Kind.CHAT and not await _is_there(tx, thread.assignee_id):
        await line.give_back(tx, thread.conversation_id, thread.epoch, "lost")


async def warn_idle(tx: Tx, payload: Payload) -> None:
    thread = await store.find(tx, payload["conversation_id"])
    if thread is None or not await threads.warn_idle(tx, payload["conversation_id"], payload["since"]):
        return
    queue = await steps.queue_of(tx, thread.queue_id)
    at = tx.now + timedelta(seconds=queue.idle_close_s - queue.idle_warn_s)
    tx.schedule(IDLE_CLOSE_KIND, steps.key_of(thread.conversation_id, "idle"), at, payload)


async def end_idle(tx: Tx, payload: Payload) -> None:
    await threads.end_idle(tx, payload["conversation_id"], payload["since"])


async def kept_waiting(tx: Tx, payload: Payload) -> None:
    """A chat waits for long: a ticket is offered; where nobody is there at all it becomes one, and keeps its place."""
    thread = await store.lock(tx, payload["conversation_id"])
    if thread is None or thread.state is not State.QUEUED or thread.kind is not Kind.CHAT:
        return
    if await queue_store.has_somebody(tx, thread.queue_id):
        steps.tell_customer(tx, thread, notice="ticket_offered")
    else:
        await threads.convert(tx, thread.conversation_id, Kind.TICKET, by_id="system")


async def overflow(tx: Tx, payload: Payload) -> None:
    await transfers.overflow(tx, payload["conversation_id"])


async def close(tx: Tx, payload: Payload) -> None:
    thread = await store.lock(tx, payload["conversation_id"])
    if thread is not None and thread.state is State.RESOLVED:
        await threads.close(tx, thread.conversation_id, "in_time")


async def duty(tx: Tx, payload: Payload) -> None:
    await agents.refresh_duty(tx, payload["agent_id"])


async def rebase(tx: Tx, payload: Payload) -> None:
    after = await queues.rebase_batch(tx, payload["calendar_id"], payload["after"])
    if after is not None:
        key = f"desk:calendar:{payload['calendar_id']}:rebase:{after}"
        tx.schedule(queues.REBASE_KIND, key, tx.now, {**payload, "after": after})


DEADLINES: Mapping[str, Callable[[Tx, Payload], Awaitable[None]]] = {
    steps.DRAIN_KIND: drain,
    SWEEP_KIND: sweep,
    steps.ACCEPT_KIND: missed,
    steps.REPLY_KIND: silent,
    agents.LOST_KIND: lost,
    GIVE_BACK_KIND: give_back,
    steps.KEEP_OUT_KIND: keep_out,
    KEPT_KIND: kept,
    steps.IDLE_KIND: warn_idle,
    IDLE_CLOSE_KIND: end_idle,
    steps.WAIT_KIND: kept_waiting,
    steps.OVERFLOW_KIND: overflow,
    steps.CLOSE_KIND: close,
    snoozing.WAKE_KIND: wake,
    agents.DUTY_KIND: duty,
    queues.REBASE_KIND: rebase,
    promises.SLA_KIND: promises.fire,
}
