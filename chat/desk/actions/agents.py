"""Agents: who they are, what they can, whether they are there and on duty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chat import calendars
from chat.conversations import agent_audience
from chat.desk.actions.steps import agent_of, look_who_serves, poke_queues_of
from chat.desk.errors import CapBelowLoad, QueueInvalid
from chat.desk.facts import DESK, AgentChanged, QueueAccess
from chat.desk.model import FOREVER, LOST_S, PRESENCE_LEASE_S, Agent, AgentState, Kind, agent_after
from chat.desk.store import agents as store
from chat.desk.store import queues as queue_store
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx

DUTY_KIND = "desk.duty"
LOST_KIND = "desk.lost"


async def add_agent(
    tx: Tx,
    account_id: str,
    *,
    name: str,
    chats_max: int,
    tenant_id: str | None = None,
    calendar_id: str | None = None,
    is_supervisor: bool = False,
) -> Agent:
    """Somebody who answers, offline at first; who is one already stays as he is. `calendar_id`: the shifts, if any."""
    if await store.insert(
        tx, account_id, tenant_id=tenant_id, name=name, is_supervisor=is_supervisor, calendar_id=calendar_id
    ):
        duty_from, duty_until = await _duty(tx, calendar_id)
        await store.insert_load(tx, account_id, chats_max * Kind.CHAT.units, duty_from, duty_until)
        agent = await agent_of(tx, account_id)
        await store.log_state(tx, agent, AgentState.OFFLINE, "supervisor")
        _watch_duty(tx, account_id, duty_from, duty_until)
    return await agent_of(tx, account_id)


async def change_agent(
    tx: Tx, agent: Agent, *, name: str, chats_max: int, calendar_id: str | None, is_supervisor: bool
) -> Agent:
    """What staff set of a locked agent. Raises CapBelowLoad."""
    changed = replace(agent, name=name, calendar_id=calendar_id, is_supervisor=is_supervisor, version=agent.version + 1)
    if not await store.update(tx, changed):
        raise RetryTx
    if not await store.set_cap(tx, agent.id, chats_max * Kind.CHAT.units):
        raise CapBelowLoad(load=agent.load)
    if agent.is_supervisor is not is_supervisor:  # who watches over is let in everywhere
        for queue_id in await queue_store.members_only_ids(tx):
            await _tell_access(tx, agent.id, queue_id)
    await refresh_duty(tx, agent.id)
    return await agent_of(tx, agent.id)


async def lock_agent(tx: Tx, agent_id: str) -> Agent:
    """Raises NotFound."""
    agent = await store.lock(tx, agent_id)
    if agent is None:
        raise NotFound
    return agent


async def set_skills(tx: Tx, agent_id: str, skills: Mapping[str, int]) -> None:
    """Skill → level 1 … 5, all of them."""
    await lock_agent(tx, agent_id)
    await store.set_skills(tx, agent_id, skills)
    await poke_queues_of(tx, agent_id)


async def set_queues(tx: Tx, agent_id: str, queue_ids: Sequence[str]) -> None:
    """The queues somebody works in, all of them. A tenant's agents work in its queues only.

    He gives back what he has of a queue that is kept to its members. Tells queue.access_changed. Raises QueueInvalid.
    """
    agent = await lock_agent(tx, agent_id)
    for queue_id in queue_ids:
        queue = await queue_store.find(tx, queue_id)
        if queue is None or (agent.tenant_id is not None and queue.tenant_id != agent.tenant_id):
            raise QueueInvalid
    before = set(await store.queues_of(tx, agent_id))
    await store.set_queues(tx, agent_id, sorted(set(queue_ids)))
    for queue_id in sorted(before ^ set(queue_ids)):
        await _tell_access(tx, agent_id, queue_id)
    await poke_queues_of(tx, agent_id)


async def _tell_access(tx: Tx, agent_id: str, queue_id: str) -> None:
    """The agent is let into a queue, or is not any more."""
    queue = await queue_store.find(tx, queue_id)
    if queue is not None and queue.members_only:
        tx.tell(QueueAccess(queue_id=queue_id, members_only=True), to=[agent_audience(agent_id)])
        look_who_serves(tx, queue_id, agent_id)


# State


async def set_state(tx: Tx, agent_id: str, verb: str, *, source: str = "agent") -> Agent:
    """`online`, `busy`, `away` or `offline`. Tells agent.changed. Raises AgentStateInvalid.

    Whoever goes offline keeps the chats for a moment, in case it was the tram; then others get them.
    """
    agent = await lock_agent(tx, agent_id)
    return await _become(tx, agent, agent_after(agent.state, verb), source)


async def became_away(tx: Tx, agent_id: str) -> Agent:
    """Two offers were let pass."""
    agent = await lock_agent(tx, agent_id)
    return await _become(tx, agent, agent_after(agent.state, "miss"), "misses")


async def _become(tx: Tx, agent: Agent, state: AgentState, source: str) -> Agent:
    if state is agent.state:
        return agent
    await store.set_state(tx, agent.id, state)
    await store.log_state(tx, agent, state, source)
    if state is AgentState.ONLINE:
        await poke_queues_of(tx, agent.id)
    if agent.state is AgentState.OFFLINE:
        _watch_presence(tx, agent.id, max(agent.present_until, tx.now))
    if state is AgentState.OFFLINE and source != "lease":
        tx.schedule(LOST_KIND, lost_key(agent.id), tx.now + timedelta(seconds=LOST_S), {"agent_id": agent.id})
    tenant = [f"{DESK}:{agent.tenant_id}"] if agent.tenant_id else []
    fact = AgentChanged(agent_id=agent.id, state=state.value, source=source)
    tx.tell(fact, to=[DESK, *tenant, f"agent:{agent.id}"])
    return await agent_of(tx, agent.id)


# Presence


async def renew_presence(tx: Tx, agent_id: str) -> None:
    """A sign of life, for one lease. The hub gives it while a socket of the agent's is open. Raises NotFound."""
    until = tx.now + timedelta(seconds=PRESENCE_LEASE_S)
    before = await store.renew(tx, agent_id, until)
    if before is None:
        raise NotFound
    if before <= tx.now:
        _watch_presence(tx, agent_id, until)
        await poke_queues_of(tx, agent_id)


async def renew_presences(tx: Tx, agent_ids: Sequence[str]) -> datetime:
    """The same for all agents of one hub, in one statement; who is no agent is passed over. Until when it holds."""
    until = tx.now + timedelta(seconds=PRESENCE_LEASE_S)
    for agent_id in await store.renew_all(tx, agent_ids, until):
        _watch_presence(tx, agent_id, until)
        await poke_queues_of(tx, agent_id)
    return until


async def end_unrenewed(tx: Tx, agent_id: str, renewed_until: datetime) -> None:
    """The last socket of one hub has been gone for a while: no new work from now on, and the grace runs.

    `renewed_until`: what that hub had been told by then. Who has shown life elsewhere since has a later lease, and
    keeps it. Somebody who is no agent is passed over.
    """
    agent = await store.lock(tx, agent_id)
    if agent is not None and tx.now < agent.present_until <= renewed_until:
        await end_presence(tx, agent_id)


async def end_presence(tx: Tx, agent_id: str) -> None:
    """The last socket closed: no new work from now on, and the grace runs. Raises NotFound."""
    agent = await lock_agent(tx, agent_id)
    await store.end_lease(tx, agent.id)
    _watch_presence(tx, agent_id, min(agent.present_until, tx.now))


def _watch_presence(tx: Tx, agent_id: str, until: datetime) -> None:
    due_at = until + timedelta(seconds=LOST_S)
    tx.schedule(LOST_KIND, lost_key(agent_id), due_at, {"agent_id": agent_id})


def lost_key(agent_id: str) -> str:
    return f"desk:agent:{agent_id}:lost"


async def judge_lost(tx: Tx, agent_id: str) -> bool:
    """Whether the agent is gone for good: no lease for LOST_S, or said so. Looked at again later when not.

    Whoever is gone is offline from now on; the chats are given back by the caller, each under its own lock.
    """
    agent = await store.lock(tx, agent_id)
    if agent is None:
        return False
    grace = timedelta(seconds=LOST_S)
    if agent.state is not AgentState.OFFLINE and tx.now < agent.present_until + grace:
        _watch_presence(tx, agent_id, agent.present_until)
        return False
    await _become(tx, agent, AgentState.OFFLINE, "lease")
    return True


# Shifts


async def refresh_duty(tx: Tx, agent_id: str) -> None:
    """Write down the shift that runs, or the next one, and come back when it begins or ends."""
    agent = await lock_agent(tx, agent_id)
    duty_from, duty_until = await _duty(tx, agent.calendar_id)
    await store.set_duty(tx, agent_id, duty_from, duty_until)
    _watch_duty(tx, agent_id, duty_from, duty_until)
    if duty_from <= tx.now:
        await poke_queues_of(tx, agent_id)


async def _duty(tx: Tx, calendar_id: str | None) -> tuple[datetime, datetime]:
    """The span of duty from now on. With no shift in sight: one nobody will see."""
    if calendar_id is None:
        return tx.now, tx.now + FOREVER
    calendar = await calendars.calendar_of(tx, calendar_id)
    span = calendars.open_span(calendar, tx.now)
    return span or (tx.now + FOREVER, tx.now + 2 * FOREVER)


def _watch_duty(tx: Tx, agent_id: str, duty_from: datetime, duty_until: datetime) -> None:
    due_at = duty_from if duty_from > tx.now else duty_until
    tx.schedule(DUTY_KIND, f"desk:agent:{agent_id}:duty", due_at, {"agent_id": agent_id})
