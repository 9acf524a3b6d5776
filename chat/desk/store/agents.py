"""SQL of agents, their load, skills, queues and what they were when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chat.desk.choosing import Candidate
from chat.desk.model import Agent, AgentState
from storage.tx import Tx

_COLUMNS = """a.id, a.unit_no, a.tenant_id, a.name, a.is_supervisor, a.calendar_id, a.version, l.cap, l.load,
    l.over_units, l.state, l.present_until, l.duty_from, l.duty_until, l.misses, l.last_assigned_at"""


def _agent(row: Any) -> Agent:  # noqa: ANN401 - a row
    values = {name: row[name] for name in Agent.__dataclass_fields__}
    values["state"] = AgentState(values["state"])
    return Agent(**values)


async def insert(
    tx: Tx, agent_id: str, *, tenant_id: str | None, name: str, is_supervisor: bool, calendar_id: str | None
) -> bool:
    written = await tx.execute(
        """
        INSERT INTO desk_agents (id, tenant_id, name, is_supervisor, calendar_id, created_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
            ON CONFLICT (id) DO NOTHING
        """,
        agent_id,
        tenant_id,
        name,
        is_supervisor,
        calendar_id,
        tx.now,
    )
    return written == 1


async def insert_load(tx: Tx, agent_id: str, cap: int, duty_from: datetime, duty_until: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO agent_load (agent_id, cap, present_until, duty_from, duty_until) VALUES ($1, $2, $3, $4, $5)
        """,
        agent_id,
        cap,
        tx.now,
        duty_from,
        duty_until,
    )


async def update(tx: Tx, agent: Agent) -> bool:
    """Write what staff set, over exactly the version before."""
    written = await tx.execute(
        """
        UPDATE desk_agents
           SET name = $3, is_supervisor = $4, calendar_id = $5, version = $2, changed_at = $6
         WHERE id = $1 AND version = $2 - 1
        """,
        agent.id,
        agent.version,
        agent.name,
        agent.is_supervisor,
        agent.calendar_id,
        tx.now,
    )
    return written == 1


async def find(tx: Tx, agent_id: str) -> Agent | None:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM desk_agents a JOIN agent_load l ON l.agent_id = a.id WHERE a.id = $1", agent_id
    )
    return None if row is None else _agent(row)


async def lock(tx: Tx, agent_id: str) -> Agent | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM desk_agents a JOIN agent_load l ON l.agent_id = a.id WHERE a.id = $1
           FOR NO KEY UPDATE OF l
        """,
        agent_id,
    )
    return None if row is None else _agent(row)


async def page(tx: Tx, *, tenant_id: str | None, after: str, limit: int) -> list[Agent]:
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM desk_agents a JOIN agent_load l ON l.agent_id = a.id
         WHERE a.id > $1 AND ($3::text IS NULL OR a.tenant_id = $3)
         ORDER BY a.id
         LIMIT $2
        """,
        after,
        limit,
        tenant_id,
    )
    return [_agent(row) for row in rows]


async def on_duty(tx: Tx, limit: int) -> list[str]:
    rows = await tx.fetch(
        """
        SELECT a.id FROM desk_agents a JOIN agent_load l ON l.agent_id = a.id
         WHERE a.tenant_id IS NULL AND l.duty_from <= $1 AND $1 < l.duty_until ORDER BY a.id LIMIT $2
        """,
        tx.now,
        limit,
    )
    return [row["id"] for row in rows]


async def candidates(tx: Tx, queue_id: str, limit: int) -> list[Candidate]:
    """Members of a queue with their skills, by id."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS},
               (SELECT array_agg(s.skill ORDER BY s.skill) FROM agent_skills s WHERE s.agent_id = a.id) AS skills,
               (SELECT array_agg(s.level ORDER BY s.skill) FROM agent_skills s WHERE s.agent_id = a.id) AS levels
          FROM queue_members m
          JOIN desk_agents a ON a.id = m.agent_id
          JOIN agent_load l ON l.agent_id = a.id
         WHERE m.queue_id = $1
         ORDER BY a.id
         LIMIT $2
        """,
        queue_id,
        limit,
    )
    return [
        Candidate(_agent(row), True, dict(zip(row["skills"] or (), row["levels"] or (), strict=True))) for row in rows
    ]


# Load: each of these is one guarded write on one row.


async def claim(tx: Tx, agent_id: str, units: int) -> bool:
    """Take room; False when there is none."""
    written = await tx.execute(
        """
        UPDATE agent_load SET load = load + $2, last_assigned_at = $3 WHERE agent_id = $1 AND load + $2 <= cap
        """,
        agent_id,
        units,
        tx.now,
    )
    return written == 1


async def claim_over(tx: Tx, agent_id: str, units: int) -> None:
    """What a supervisor takes or gives beyond the cap, counted apart."""
    await tx.execute(
        "UPDATE agent_load SET over_units = over_units + $2, last_assigned_at = $3 WHERE agent_id = $1",
        agent_id,
        units,
        tx.now,
    )


async def release(tx: Tx, agent_id: str, units: int, *, is_over_cap: bool) -> None:
    await tx.execute(
        """
        UPDATE agent_load
           SET load = load - CASE WHEN $3 THEN 0 ELSE $2 END, over_units = over_units - CASE WHEN $3 THEN $2 ELSE 0 END
         WHERE agent_id = $1
        """,
        agent_id,
        units,
        is_over_cap,
    )


async def set_cap(tx: Tx, agent_id: str, cap: int) -> bool:
    """False when more than that is held."""
    written = await tx.execute("UPDATE agent_load SET cap = $2 WHERE agent_id = $1 AND load <= $2", agent_id, cap)
    return written == 1


async def set_misses(tx: Tx, agent_id: str, *, is_miss: bool) -> int:
    """Count one, or forget them; the number now."""
    return int(
        await tx.fetchval(
            """
            UPDATE agent_load SET misses = CASE WHEN $2 THEN misses + 1 ELSE 0 END WHERE agent_id = $1 RETURNING misses
            """,
            agent_id,
            is_miss,
        )
    )


async def set_state(tx: Tx, agent_id: str, state: AgentState) -> None:
    await tx.execute("UPDATE agent_load SET state = $2, misses = 0 WHERE agent_id = $1", agent_id, state.value)


async def renew(tx: Tx, agent_id: str, until: datetime) -> datetime | None:
    """Extend the lease, never shorten it; how long it ran before. None for nobody."""
    found: datetime | None = await tx.fetchval(
        """
        UPDATE agent_load l SET present_until = greatest(l.present_until, $2)
          FROM (SELECT agent_id, present_until FROM agent_load WHERE agent_id = $1 FOR NO KEY UPDATE) before
         WHERE l.agent_id = before.agent_id
        RETURNING before.present_until
        """,
        agent_id,
        until,
    )
    return found


async def renew_all(tx: Tx, agent_ids: Sequence[str], until: datetime) -> list[str]:
    """The same for many in one statement, locked in the order of their ids; those whose lease had run out."""
    rows = await tx.fetch(
        """
        WITH before AS (
            SELECT agent_id, present_until FROM agent_load WHERE agent_id = ANY ($1)
             ORDER BY agent_id FOR NO KEY UPDATE)
        UPDATE agent_load l SET present_until = greatest(l.present_until, $2)
          FROM before WHERE l.agent_id = before.agent_id
        RETURNING l.agent_id, before.present_until <= $3 AS was_gone
        """,
        list(agent_ids),
        until,
        tx.now,
    )
    return sorted(row["agent_id"] for row in rows if row["was_gone"])


async def end_lease(tx: Tx, agent_id: str) -> None:
    await tx.execute(
        "UPDATE agent_load SET present_until = least(present_until, $2) WHERE agent_id = $1", agent_id, tx.now
    )


async def set_duty(tx: Tx, agent_id: str, duty_from: datetime, duty_until: datetime) -> None:
    await tx.execute(
        "UPDATE agent_load SET duty_from = $2, duty_until = $3 WHERE agent_id = $1", agent_id, duty_from, duty_until
    )


async def names_of(tx: Tx, agent_ids: Sequence[str]) -> dict[str, str]:
    rows = await tx.fetch("SELECT id, name FROM desk_agents WHERE id = ANY ($1::text[])", list(agent_ids))
    return {row["id"]: row["name"] for row in rows}


async def ids_with_calendar(tx: Tx, calendar_id: str) -> list[str]:
    rows = await tx.fetch("SELECT id FROM desk_agents WHERE calendar_id = $1 ORDER BY id", calendar_id)
    return [row["id"] for row in rows]


# Skills and queues, replaced as a whole under the lock of the load row.


async def set_skills(tx: Tx, agent_id: str, skills: Mapping[str, int]) -> None:
    await tx.execute("DELETE FROM agent_skills WHERE agent_id = $1", agent_id)
    await tx.execute(
        "INSERT INTO agent_skills (agent_id, skill, level) SELECT $1, unnest($2::text[]), unnest($3::smallint[])",
        agent_id,
        list(skills),
        list(skills.values()),
    )


async def set_queues(tx: Tx, agent_id: str, queue_ids: Sequence[str]) -> None:
    await tx.execute("DELETE FROM queue_members WHERE agent_id = $1", agent_id)
    await tx.execute(
        "INSERT INTO queue_members (agent_id, queue_id) SELECT $1, unnest($2::text[])", agent_id, list(queue_ids)
    )


async def queues_of(tx: Tx, agent_id: str) -> list[str]:
    rows = await tx.fetch("SELECT queue_id FROM queue_members WHERE agent_id = $1 ORDER BY queue_id", agent_id)
    return [row["queue_id"] for row in rows]


# The log of states


async def log_state(tx: Tx, agent: Agent, state: AgentState, source: str) -> None:
    """End the spell that runs and begin another, under the lock of the load row. A spell of no length leaves no row."""
    await tx.execute(
        "DELETE FROM agent_state_log WHERE agent_id = $1 AND upper_inf(during) AND lower(during) >= $2",
        agent.id,
        tx.now,
    )
    await tx.execute(
        """
        UPDATE agent_state_log SET during = tstzrange(lower(during), $2) WHERE agent_id = $1 AND upper_inf(during)
        """,
        agent.id,
        tx.now,
    )
    await tx.execute(
        """
        INSERT INTO agent_state_log (unit_no, agent_id, state, source, during)
        VALUES ($1, $2, $3, $4, tstzrange($5, NULL))
        """,
        agent.unit_no,
        agent.id,
        state.value,
        source,
        tx.now,
    )
