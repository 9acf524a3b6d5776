"""SQL of threads, assignments and the log of what happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from chat.conversations import circle_of
from chat.desk.model import Assignment, Kind, Severity, State, Thread
from storage.base import codec
from storage.postgres import RetryTx
from storage.tx import Tx

_CIRCLE = "(SELECT w.circle FROM conversation_circles w WHERE w.conversation_id = desk_threads.conversation_id)"
_COLUMNS = f"""conversation_id, kind, state, tenant_id, customer_id, audience, subject_kind, subject_id, number,
    category, severity, rank, priority, queue_id, required_skills, optional_skills, preferred_agent_id, declined_by,
    declined_until, units, epoch, assignee_id, closure_no, resolution, opened_at, queued_at, state_at, resolved_at,
    closed_at, version, former_id, snoozed_until, {_CIRCLE} AS circle"""

# What an agent sees of threads; $1 he himself, null: somebody who sees all of his desk.
SEEN = """($1::text IS NULL OR NOT EXISTS (
    SELECT FROM conversation_circles w WHERE w.conversation_id = desk_threads.conversation_id AND $1 <> ALL (w.ids)))"""

_ASSIGNMENT = """id, conversation_id, queue_id, agent_id, epoch, units, is_over_cap, reason, queued_at, offered_at,
    expires_at, accepted_at, replies, ended_at, end_reason"""


def _thread(row: Any) -> Thread:  # noqa: ANN401 - a row
    values = dict(row)
    values["kind"], values["state"] = Kind(values["kind"]), State(values["state"])
    values["severity"] = Severity(values["severity"])
    for name in ("audience", "required_skills", "optional_skills", "declined_by"):
        values[name] = tuple(values[name])
    values["circle"] = circle_of(values["circle"])
    return Thread(**values)


async def insert(tx: Tx, thread: Thread) -> bool:
    """False when the conversation has a thread already."""
    written = await tx.execute(
        """
        INSERT INTO desk_threads (conversation_id, kind, state, tenant_id, customer_id, audience, subject_kind,
                                  subject_id, number, category, severity, rank, priority, queue_id, required_skills,
                                  optional_skills, preferred_agent_id, units, opened_at, queued_at, state_at,
                                  former_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
            ON CONFLICT (conversation_id) DO NOTHING
        """,
        thread.conversation_id,
        thread.kind.value,
        thread.state.value,
        thread.tenant_id,
        thread.customer_id,
        list(thread.audience),
        thread.subject_kind,
        thread.subject_id,
        thread.number,
        thread.category,
        thread.severity.value,
        thread.rank,
        thread.priority,
        thread.queue_id,
        list(thread.required_skills),
        list(thread.optional_skills),
        thread.preferred_agent_id,
        thread.units,
        thread.opened_at,
        thread.queued_at,
        thread.state_at,
        thread.former_id,
    )
    return written == 1


async def lock_last(tx: Tx, customer_id: str, tenant_id: str | None, subject: tuple[str, str] | None) -> Thread | None:
    """The customer's newest thread at this desk about this, or about nothing."""
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS}
          FROM desk_threads
         WHERE customer_id = $1 AND tenant_id IS NOT DISTINCT FROM $2
           AND subject_kind IS NOT DISTINCT FROM $3 AND subject_id IS NOT DISTINCT FROM $4
         ORDER BY conversation_id DESC
         LIMIT 1
           FOR NO KEY UPDATE
        """,
        customer_id,
        tenant_id,
        *(subject or (None, None)),
    )
    return None if row is None else _thread(row)


async def lock(tx: Tx, conversation_id: str) -> Thread | None:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM desk_threads WHERE conversation_id = $1 FOR NO KEY UPDATE", conversation_id
    )
    return None if row is None else _thread(row)


async def not_admitted(tx: Tx, queue_id: str, *, after: str, limit: int) -> list[tuple[str, int]]:
    """Threads of this queue whose agent may see them no longer, by id, each with its epoch."""
    rows = await tx.fetch(
        """
        SELECT t.conversation_id, t.epoch
          FROM desk_threads t JOIN conversation_circles w ON w.conversation_id = t.conversation_id
         WHERE t.queue_id = $1 AND t.state IN ('offered', 'open', 'pending') AND t.assignee_id <> ALL (w.ids)
           AND t.conversation_id > $2
         ORDER BY t.conversation_id LIMIT $3
        """,
        queue_id,
        after,
        limit,
    )
    return [(row["conversation_id"], row["epoch"]) for row in rows]


async def find(tx: Tx, conversation_id: str) -> Thread | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM desk_threads WHERE conversation_id = $1", conversation_id)
    return None if row is None else _thread(row)


async def save(tx: Tx, thread: Thread) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx when another got in between."""
    written = await tx.execute(
        """
        UPDATE desk_threads
           SET kind = $3, state = $4, number = $5, severity = $6, priority = $7, queue_id = $8, required_skills = $9,
               optional_skills = $10, preferred_agent_id = $11, declined_by = $12, declined_until = $13, units = $14,
               epoch = $15, assignee_id = $16, closure_no = $17, resolution = $18, queued_at = $19, state_at = $20,
               resolved_at = $21, closed_at = $22, snoozed_until = $23, version = $2
         WHERE conversation_id = $1 AND version = $2 - 1
        """,
        thread.conversation_id,
        thread.version,
        thread.kind.value,
        thread.state.value,
        thread.number,
        thread.severity.value,
        thread.priority,
        thread.queue_id,
        list(thread.required_skills),
        list(thread.optional_skills),
        thread.preferred_agent_id,
        list(thread.declined_by),
        thread.declined_until,
        thread.units,
        thread.epoch,
        thread.assignee_id,
        thread.closure_no,
        thread.resolution,
        thread.queued_at,
        thread.state_at,
        thread.resolved_at,
        thread.closed_at,
        thread.snoozed_until,
    )
    if written == 0:
        raise RetryTx


async def next_number(tx: Tx) -> int:
    return int(await tx.fetchval("SELECT nextval('ticket_numbers')"))


async def newest(
    tx: Tx,
    *,
    customer_id: str | None = None,
    assignee_id: str | None = None,
    queue_id: str | None = None,
    kind: str | None = None,
    states: list[str] | None = None,
    severity: str | None = None,
    tenant_id: str | None = None,
    seen_by: str | None = None,
    before: str,
    limit: int,
) -> list[Thread]:
    """By conversation id, which is by time; older than `before`. `seen_by`: what this agent may see of them."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM desk_threads
         WHERE conversation_id < $2 AND {SEEN}
           AND ($4::text IS NULL OR customer_id = $4) AND ($5::text IS NULL OR assignee_id = $5)
           AND ($6::text IS NULL OR queue_id = $6) AND ($7::text IS NULL OR kind = $7)
           AND ($8::text[] IS NULL OR state = ANY ($8))
           AND ($9::text IS NULL OR tenant_id = $9) AND ($10::text IS NULL OR severity = $10)
         ORDER BY conversation_id DESC
         LIMIT $3
        """,
        seen_by,
        before,
        limit,
        customer_id,
        assignee_id,
        queue_id,
        kind,
        states,
        tenant_id,
        severity,
    )
    return [_thread(row) for row in rows]


async def is_about(
    tx: Tx, subject_kind: str, subject_id: str, tenant_id: str | None, *, seen_by: str | None = None
) -> bool:
    """Whether there is a thread about this, of a tenant or (None) any. Found by the index of its conversation."""
    return bool(
        await tx.fetchval(
            f"""
            SELECT EXISTS (SELECT FROM conversations c JOIN desk_threads ON desk_threads.conversation_id = c.id
                            WHERE c.subject_id = $3 AND c.subject_kind = $2
                              AND ($4::text IS NULL OR desk_threads.tenant_id = $4) AND {SEEN})
            """,
            seen_by,
            subject_kind,
            subject_id,
            tenant_id,
        )
    )


async def ahead_of(tx: Tx, thread: Thread) -> int:
    """How many are served before it, in its queue."""
    return int(
        await tx.fetchval(
            """
            SELECT count(*)
              FROM desk_threads
             WHERE queue_id = $1 AND state = 'queued'
               AND (priority > $2 OR (priority = $2 AND (queued_at, conversation_id) < ($3, $4)))
            """,
            thread.queue_id,
            thread.priority,
            thread.queued_at,
            thread.conversation_id,
        )
    )


async def recent_waits_s(tx: Tx, queue_id: str, since: datetime, limit: int) -> list[float]:
    """How long those waited who were answered last in this queue."""
    rows = await tx.fetch(
        """
        SELECT extract(epoch FROM accepted_at - queued_at)::float8 AS wait_s
          FROM assignments
         WHERE queue_id = $1 AND accepted_at >= $2 AND reason IN ('known', 'balanced', 'round_robin')
         ORDER BY accepted_at DESC
         LIMIT $3
        """,
        queue_id,
        since,
        limit,
    )
    return [row["wait_s"] for row in rows]


# Assignments


def _assignment(row: Any) -> Assignment:  # noqa: ANN401 - a row
    return Assignment(**dict(row))


async def assign(tx: Tx, queue_id: str, assignment_id: str) -> Assignment | None:
    """Give the next of the queue to somebody; see the function. None when there is nobody to give or to take."""
    row = await tx.fetchrow(f"SELECT {_ASSIGNMENT} FROM desk_assign($1, $2, $3)", queue_id, assignment_id, tx.now)
    return None if row is None else _assignment(row)


async def insert_assignment(tx: Tx, made: Assignment) -> None:
    await tx.execute(
        """
        INSERT INTO assignments (id, conversation_id, queue_id, agent_id, epoch, units, is_over_cap, reason, queued_at,
                                 offered_at, expires_at, accepted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        made.id,
        made.conversation_id,
        made.queue_id,
        made.agent_id,
        made.epoch,
        made.units,
        made.is_over_cap,
        made.reason,
        made.queued_at,
        made.offered_at,
        made.expires_at,
        made.accepted_at,
    )


async def live_assignment(tx: Tx, conversation_id: str) -> Assignment | None:
    """The one of a locked thread."""
    row = await tx.fetchrow(
        f"SELECT {_ASSIGNMENT} FROM assignments WHERE conversation_id = $1 AND ended_at IS NULL", conversation_id
    )
    return None if row is None else _assignment(row)


async def find_assignment(tx: Tx, assignment_id: str) -> Assignment | None:
    row = await tx.fetchrow(f"SELECT {_ASSIGNMENT} FROM assignments WHERE id = $1", assignment_id)
    return None if row is None else _assignment(row)


async def held_by(tx: Tx, agent_id: str) -> list[Assignment]:
    """What an agent is asked for or serves."""
    rows = await tx.fetch(
        f"SELECT {_ASSIGNMENT} FROM assignments WHERE agent_id = $1 AND ended_at IS NULL ORDER BY id LIMIT 1000",
        agent_id,
    )
    return [_assignment(row) for row in rows]


async def accept(tx: Tx, assignment_id: str) -> bool:
    """Whether it was still an offer in time."""
    written = await tx.execute(
        """
        UPDATE assignments SET accepted_at = $2
         WHERE id = $1 AND ended_at IS NULL AND accepted_at IS NULL AND $2 < expires_at
        """,
        assignment_id,
        tx.now,
    )
    return written == 1


async def end_assignment(tx: Tx, assignment_id: str, reason: str) -> bool:
    written = await tx.execute(
        "UPDATE assignments SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
        assignment_id,
        tx.now,
        reason,
    )
    return written == 1


async def count_reply(tx: Tx, assignment_id: str) -> None:
    await tx.execute("UPDATE assignments SET replies = replies + 1 WHERE id = $1", assignment_id)


async def set_units(tx: Tx, assignment_id: str, units: int) -> None:
    await tx.execute("UPDATE assignments SET units = $2 WHERE id = $1 AND ended_at IS NULL", assignment_id, units)


async def served(tx: Tx, customer_id: str, scope: str, agent_id: str) -> None:
    """Remember who answered this customer last."""
    await tx.execute(
        """
        INSERT INTO last_served (customer_id, scope, agent_id, at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (customer_id, scope) DO UPDATE SET agent_id = $3, at = $4
        """,
        customer_id,
        scope,
        agent_id,
        tx.now,
    )


async def last_served(tx: Tx, customer_id: str, scope: str, within: timedelta) -> str | None:
    found: str | None = await tx.fetchval(
        "SELECT agent_id FROM last_served WHERE customer_id = $1 AND scope = $2 AND at > $3",
        customer_id,
        scope,
        tx.now - within,
    )
    return found


# The log


async def write_event(
    tx: Tx,
    thread: Thread,
    verb: str,
    *,
    agent_id: str | None = None,
    by_id: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    await tx.execute(
        """
        INSERT INTO desk_events (at, conversation_id, verb, queue_id, agent_id, by_id, epoch, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)
        """,
        tx.now,
        thread.conversation_id,
        verb,
        thread.queue_id,
        agent_id,
        by_id,
        thread.epoch,
        None if detail is None else codec.dumps(detail).decode(),
    )


async def write_found(tx: Tx, queue_id: str) -> None:
    """The sweeper found somebody waiting in this queue whom a drain should have served."""
    await tx.execute(
        "INSERT INTO desk_events (at, conversation_id, verb, queue_id, epoch) VALUES ($1, '', 'sweep_found', $2, 0)",
        tx.now,
        queue_id,
    )
