"""SQL of cases: one function per statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chat.cases.model import Case, CaseEvent, CaseFilter, CaseState, Stage
from storage.base import codec
from storage.postgres import RetryTx
from storage.tx import Tx

_COLUMNS = """id, type, line, subject_kind, subject_id, title, state, stage, priority, audience, due_at, opened_at,
    taken_by, taken_at, closed_by, closed_at, outcome, note, version, parties"""


def _case(row: Any) -> Case:  # noqa: ANN401 - a row
    values = dict(row)
    values["state"] = CaseState(values["state"])
    values["stage"] = Stage(values["stage"])
    values["audience"] = tuple(values["audience"])
    values["parties"] = tuple(values["parties"])
    return Case(**values)


async def insert(tx: Tx, case: Case, *, actor: str | None, data: Mapping[str, Any]) -> bool:
    """With the first row of its history. False when the subject has an open case of this type."""
    written = await tx.execute(
        """
        WITH made AS (
            INSERT INTO cases (id, type, line, subject_kind, subject_id, title, state, stage, priority, audience,
                               due_at, opened_at, parties)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                ON CONFLICT (subject_kind, subject_id, type) WHERE state <> 'closed' DO NOTHING
            RETURNING id, version
        )
        INSERT INTO case_events (case_id, n, at, actor, verb, data)
        SELECT id, version, $12, $14, 'open', $15::jsonb FROM made
        """,
        case.id,
        case.type,
        case.line,
        case.subject_kind,
        case.subject_id,
        case.title,
        case.state.value,
        case.stage.value,
        case.priority,
        list(case.audience),
        case.due_at,
        case.opened_at,
        list(case.parties),
        actor,
        codec.dumps(data).decode(),
    )
    return written == 1


async def lock_open(tx: Tx, subject_kind: str, subject_id: str, types: Sequence[str] | None) -> list[Case]:
    """The subject's cases not closed yet, of these types or of all, by id."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM cases
         WHERE subject_kind = $1 AND subject_id = $2 AND state <> 'closed' AND ($3::text[] IS NULL OR type = ANY ($3))
         ORDER BY id
           FOR UPDATE
        """,
        subject_kind,
        subject_id,
        None if types is None else list(types),
    )
    return [_case(row) for row in rows]


async def lock(tx: Tx, case_id: str) -> Case | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM cases WHERE id = $1 FOR UPDATE", case_id)
    return None if row is None else _case(row)


async def find(tx: Tx, case_id: str) -> Case | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM cases WHERE id = $1", case_id)
    return None if row is None else _case(row)


async def save(tx: Tx, case: Case, verb: str, *, actor: str | None, data: Mapping[str, Any]) -> None:
    """Write what may change, over exactly the version before, and what was done. Raises RetryTx when another did."""
    written = await tx.execute(
        """
        WITH moved AS (
            UPDATE cases
               SET state = $3, stage = $4, taken_by = $5, taken_at = $6, closed_by = $7, closed_at = $8, outcome = $9,
                   note = $10, version = $2
             WHERE id = $1 AND version = $2 - 1
            RETURNING id, version
        )
        INSERT INTO case_events (case_id, n, at, actor, verb, data)
        SELECT id, version, $11, $12, $13, $14::jsonb FROM moved
        """,
        case.id,
        case.version,
        case.state.value,
        case.stage.value,
        case.taken_by,
        case.taken_at,
        case.closed_by,
        case.closed_at,
        case.outcome,
        case.note,
        tx.now,
        actor,
        verb,
        codec.dumps(data).decode(),
    )
    if written == 0:
        raise RetryTx


async def events(tx: Tx, case_id: str, *, after_n: int, limit: int) -> list[CaseEvent]:
    """What was done to a case, oldest first."""
    rows = await tx.fetch(
        """
        SELECT case_id, n, at, actor, verb, data
          FROM case_events
         WHERE case_id = $1 AND n > $2
         ORDER BY n
         LIMIT $3
        """,
        case_id,
        after_n,
        limit,
    )
    return [CaseEvent(**(dict(row) | {"data": codec.loads(row["data"])})) for row in rows]


async def last_contact(tx: Tx, subject_kind: str, subject_id: str, party: str) -> str | None:
    """The conversation in which this party was last talked to about the subject, in any of its cases."""
    found: str | None = await tx.fetchval(
        """
        SELECT e.data->>'conversation_id'
          FROM cases c JOIN case_events e ON e.case_id = c.id AND e.verb = 'contact'
         WHERE c.subject_kind = $1 AND c.subject_id = $2 AND e.data->>'party' = $3
           AND e.data->>'conversation_id' IS NOT NULL
         ORDER BY e.at DESC, e.case_id DESC, e.n DESC
         LIMIT 1
        """,
        subject_kind,
        subject_id,
        party,
    )
    return found


_FILTERS = """($1::text[] IS NULL OR state = ANY ($1))
           AND ($2::text[] IS NULL OR type = ANY ($2))
           AND ($3::text IS NULL OR subject_id = $3)
           AND ($4::text IS NULL OR line = $4)
           AND ($5::text IS NULL OR taken_by = $5)
           AND ($6::int IS NULL OR priority >= $6)
           AND ($7::timestamptz IS NULL OR (state <> 'closed' AND due_at < $7))
           AND ($8::text IS NULL OR parties @> ARRAY[$8])
           AND ($9::timestamptz IS NULL OR opened_at >= $9) AND ($10::timestamptz IS NULL OR opened_at < $10)"""


def _filter_values(wanted: CaseFilter) -> tuple[Any, ...]:
    return (
        wanted.states,
        wanted.types,
        wanted.subject_id,
        wanted.line,
        wanted.taken_by,
        wanted.priority_min,
        wanted.overdue_at,
        wanted.party,
        wanted.since,
        wanted.until,
    )


async def newest(
    tx: Tx,
    wanted: CaseFilter,
    *,
    before: str | None,
    limit: int,
) -> list[Case]:
    """By id, which is by time of opening; older than the case `before`."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM cases
         WHERE {_FILTERS} AND ($11::text IS NULL OR id < $11)
         ORDER BY id DESC
         LIMIT $12
        """,
        *_filter_values(wanted),
        before,
        limit,
    )
    return [_case(row) for row in rows]


async def most_urgent(
    tx: Tx,
    wanted: CaseFilter,
    *,
    after: tuple[int, datetime, str] | None,
    limit: int,
) -> list[Case]:
    """By priority, then by when an answer is due; after the (priority, due_at, id) of a case."""
    priority, due_at, case_id = after or (None, None, None)
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM cases
         WHERE {_FILTERS} AND ($11::int IS NULL OR (-priority, due_at, id) > (-$11, $12::timestamptz, $13::text))
         ORDER BY -priority, due_at, id
         LIMIT $14
        """,
        *_filter_values(wanted),
        priority,
        due_at,
        case_id,
        limit,
    )
    return [_case(row) for row in rows]
