"""SQL of exports."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from rest.papers.exports.model import Export, ExportState, filters_of
from rest.papers.sheet import Format
from storage.base import codec
from storage.tx import Tx

_COLUMNS = """id, account_id, kind, format, language, filters, scope, state, attempts, claimed_until, file_id,
    row_count, problem, created_at, ended_at"""


class Load(NamedTuple):
    """How much one account has asked for."""

    waiting: int
    of_day: int


async def lock_account(tx: Tx, account_id: str) -> Load:
    """Count what the account has asked for; others of it wait until this transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('exports'), hashtext($1))", account_id)
    row = await tx.fetchrow(
        """
        SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) AS of_day
          FROM exports WHERE account_id = $1 AND created_at > $2
        """,
        account_id,
        tx.now - timedelta(hours=24),
    )
    return Load(row["waiting"], row["of_day"])


async def insert(tx: Tx, new: Export) -> None:
    await tx.execute(
        """
        INSERT INTO exports (id, account_id, kind, format, language, filters, scope, state, created_at)
        VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8, $9)
        """,
        new.id,
        new.account_id,
        new.kind,
        new.format.value,
        new.language,
        codec.dumps({name: getattr(new.filters, name) for name in sorted(new.filters.named)}).decode(),
        codec.dumps(dict(new.scope)).decode(),
        new.state.value,
        new.created_at,
    )


async def claim(tx: Tx, export_id: str, until: datetime) -> Export | None:
    """Begin to make it; None when it has ended or somebody else is making it."""
    row = await tx.fetchrow(
        f"""
        UPDATE exports SET claimed_until = $2, attempts = attempts + 1
         WHERE id = $1 AND state = 'waiting' AND (claimed_until IS NULL OR claimed_until <= $3)
        RETURNING {_COLUMNS}
        """,
        export_id,
        until,
        tx.now,
    )
    return None if row is None else _export(row)


async def lock(tx: Tx, export_id: str) -> Export | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM exports WHERE id = $1 FOR NO KEY UPDATE", export_id)
    return None if row is None else _export(row)


async def read(tx: Tx, export_id: str) -> Export | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM exports WHERE id = $1", export_id)
    return None if row is None else _export(row)


async def save(tx: Tx, moved: Export) -> None:
    """Needs the lock."""
    await tx.execute(
        """
        UPDATE exports SET state = $2, claimed_until = NULL, file_id = $3, row_count = $4, problem = $5, ended_at = $6
         WHERE id = $1
        """,
        moved.id,
        moved.state.value,
        moved.file_id,
        moved.row_count,
        moved.problem,
        moved.ended_at,
    )


async def unclaim(tx: Tx, export_id: str) -> None:
    """It was not begun after all."""
    await tx.execute(
        "UPDATE exports SET claimed_until = NULL, attempts = attempts - 1 WHERE id = $1 AND state = 'waiting'",
        export_id,
    )


async def page(tx: Tx, account_id: str, *, before_id: str, limit: int) -> list[Export]:
    """Newest first, older than `before_id`."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM exports WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        account_id,
        before_id,
        limit,
    )
    return [_export(row) for row in rows]


def _export(row: Any) -> Export:  # noqa: ANN401 - a row
    values = dict(row)
    values["format"] = Format(values["format"])
    values["state"] = ExportState(values["state"])
    values["filters"] = filters_of(codec.loads(values["filters"]))
    values["scope"] = msgspec.convert(codec.loads(values["scope"]), dict[str, str])
    return Export(**values)
