"""What agents do with threads, the same over HTTP and sockets: who may, then the verb of `chat.desk`.

An agent of a tenant does not see what is not his tenant's: there it is not found.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chat import desk
from chat.conversations import MembersOnly
from chat.desk import Agent, AgentState, Kind, Later, Severity, Thread, Verdict
from rest.desk.conversations.readers import Caller, is_supervisor, side_of
from storage.base.errors import Malformed, NotFound
from storage.tx import Tx


async def me(tx: Tx, who: Caller) -> Agent:
    """The caller as an agent of the desk he works for. Raises NotFound."""
    agent = await desk.agent_of(tx, who.account_id)
    if agent.tenant_id != side_of(who):
        raise NotFound
    return agent


async def seen(tx: Tx, who: Caller, conversation_id: str) -> Thread:
    """A thread the caller's desk sees: the platform's sees all (FR-113), but for queues of members only (EB-070).

    Raises NotFound, MembersOnly.
    """
    thread = await desk.find_thread(tx, conversation_id)
    if side_of(who) not in (None, thread.tenant_id):
        raise NotFound
    if not is_supervisor(who) and not thread.admits(who.account_id):
        raise MembersOnly
    return thread


async def candidates(tx: Tx, who: Caller, conversation_id: str) -> list[Verdict]:
    """Who would get it, and why not the others; a tenant does not see the agents of a line of the platform's."""
    thread = await seen(tx, who, conversation_id)
    if who.tenant_id is not None and (await desk.queue_of(tx, thread.queue_id)).tenant_id != who.tenant_id:
        return []
    return await desk.explain(tx, thread)


async def set_state(tx: Tx, who: Caller, state: str) -> Agent:
    """Saying so is a sign of life too."""
    agent = await me(tx, who)
    await desk.renew_presence(tx, agent.id)
    return await desk.set_state(tx, agent.id, AgentState(state))


async def accept(tx: Tx, who: Caller, assignment_id: str) -> Thread:
    return await desk.accept(tx, assignment_id, (await me(tx, who)).id)


async def decline(tx: Tx, who: Caller, assignment_id: str) -> Thread:
    return await desk.decline(tx, assignment_id, (await me(tx, who)).id)


@dataclass(frozen=True, slots=True)
class Handing:
    """To whom a thread is handed and why; `override` is a supervisor's."""

    note: str
    agent_id: str | None
    queue_id: str | None
    override: bool

    @classmethod
    def of(cls, body: Any) -> Handing:  # noqa: ANN401 - of a route or of a socket
        return cls(body.note, body.agent_id, body.queue_id, body.override)


async def transfer(tx: Tx, who: Caller, conversation_id: str, to: Handing) -> Thread:
    """To an agent or to a queue: exactly one of them is named. Raises Malformed."""
    agent, _ = await _on(tx, who, conversation_id)
    if to.queue_id is not None and to.agent_id is None:
        return await desk.transfer_to_queue(tx, conversation_id, to.queue_id, by_id=agent.id, note=to.note)
    if to.agent_id is None or to.queue_id is not None:
        raise Malformed("Name an agent or a queue.")
    return await desk.transfer_to_agent(
        tx, conversation_id, to.agent_id, by_id=agent.id, note=to.note, override=to.override
    )


async def take_over(tx: Tx, who: Caller, conversation_id: str, note: str) -> Thread:
    agent, _ = await _on(tx, who, conversation_id)
    return await desk.take_over(tx, conversation_id, by_id=agent.id, note=note)


async def resolve(tx: Tx, who: Caller, conversation_id: str, resolution: str | None) -> Thread:
    agent = await _handling(tx, who, conversation_id)
    return await desk.resolve(tx, conversation_id, by_id=agent.id, resolution=resolution)


async def convert(tx: Tx, who: Caller, conversation_id: str, kind: str) -> Thread:
    agent = await _handling(tx, who, conversation_id)
    return await desk.convert(tx, conversation_id, Kind(kind), by_id=agent.id)


async def set_severity(tx: Tx, who: Caller, conversation_id: str, severity: str) -> Thread:
    agent, _ = await _on(tx, who, conversation_id)
    return await desk.raise_severity(tx, conversation_id, Severity(severity), agent.id)


async def snooze(tx: Tx, who: Caller, conversation_id: str, until: datetime | None, later: str | None) -> Thread:
    """Until an instant, or a word for one: exactly one of them is named. Raises Malformed."""
    agent, _ = await _on(tx, who, conversation_id)
    if until is None and later is not None:
        return await desk.snooze(tx, conversation_id, by_id=agent.id, until=Later(later))
    if until is None or later is not None:
        raise Malformed("Say until when, or name a time.")
    return await desk.snooze(tx, conversation_id, by_id=agent.id, until=until)


async def wake(tx: Tx, who: Caller, conversation_id: str) -> Thread:
    agent, _ = await _on(tx, who, conversation_id)
    return await desk.wake(tx, conversation_id, by_id=agent.id)


async def close(tx: Tx, who: Caller, conversation_id: str) -> Thread:
    """A resolved thread is over, rated or not."""
    agent, thread = await _on(tx, who, conversation_id)
    await desk.may_close(tx, thread, agent.id)
    return await desk.close(tx, conversation_id, "by_staff", by_id=agent.id)


async def _handling(tx: Tx, who: Caller, conversation_id: str) -> Agent:
    """The caller, who has the thread or is a supervisor."""
    agent, thread = await _on(tx, who, conversation_id)
    await desk.may_handle(tx, thread, agent.id)
    return agent


async def _on(tx: Tx, who: Caller, conversation_id: str) -> tuple[Agent, Thread]:
    """The caller, and the thread, held: what he may is asked of it as it stays until he has done it."""
    agent = await me(tx, who)
    await desk.lock_thread(tx, conversation_id)
    # Read after the wait: whom it is kept to is asked beside the row, and would be as it was before.
    return agent, await seen(tx, who, conversation_id)
