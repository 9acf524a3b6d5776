"""SQL of cases: one function per statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chat.cases.model import Case, CaseFilter, CaseState, Stage
from storage.postgres import RetryTx
from storage.tx import Tx

_COLUMNS = """id, type, line, subject_kind, subject_id, title, state, stage, priority, audience, due_at, opened_at,
    taken_by, taken_at, closed_by, closed_at, outcome, note, version"""


def _case(row: Any) -> Case:  # noqa: ANN401 - a row
    values = dict(row)
    values["state"] = CaseState(values["state"])
    values["stage"] = Stage(values["stage"])
    values["audience"] = tuple(values["audience"])
    return Case(**values)


async def insert(tx: Tx, case: Case) -> bool:
    """False when the subject has an open case of this type."""
    written = await tx.execute(
        """
        INSERT INTO cases (id, type, line, subject_kind, subject_id, title, state, stage, priority, audience,
                           due_at, opened_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (subject_kind, subject_id, type) WHERE state <> 'closed' DO NOTHING
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


async def save(tx: Tx, case: Case) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx when another got in between."""
    written = await tx.execute(
        """
        UPDATE cases
           SET state = $3, stage = $4, taken_by = $5, taken_at = $6, closed_by = $7, closed_at = $8, outcome = $9,
               note = $10, version = $2
         WHERE id = $1 AND version = $2 - 1
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
    )
    if written == 0:
        raise RetryTx


_FILTERS = """($1::text[] IS NULL OR state = ANY ($1))
           AND ($2::text[] IS NULL OR type = ANY ($2))
           AND ($3::text IS NULL OR subject_id = $3)"""


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
         WHERE {_FILTERS} AND ($4::text IS NULL OR id < $4)
         ORDER BY id DESC
         LIMIT $5
        """,
        wanted.states,
        wanted.types,
        wanted.subject_id,
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
         WHERE {_FILTERS} AND ($4::int IS NULL OR (-priority, due_at, id) > (-$4, $5::timestamptz, $6::text))
         ORDER BY -priority, due_at, id
         LIMIT $7
        """,
        wanted.states,
        wanted.types,
        wanted.subject_id,
        priority,
        due_at,
        case_id,
        limit,
    )
    return [_case(row) for row in rows]
