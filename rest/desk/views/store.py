"""SQL of saved views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest.desk.views.model import View
from storage.base import codec
from storage.tx import Tx

_COLUMNS = "id, holder, name, filter::text AS filter, created_by, created_at"


def _view(row: Any) -> View:  # noqa: ANN401 - a row
    return View(**{**dict(row), "filter": codec.loads(row["filter"])})


async def insert(tx: Tx, view: View, slots: int) -> bool:
    """Into the first free place of its holder; False where there is none, or one of this name."""
    written = await tx.execute(
        """
        INSERT INTO desk_views (id, holder, slot, name, filter, created_by, created_at)
        SELECT $1, $2, s.slot, $3, $4::jsonb, $5, $6
          FROM generate_series(1, $7::int) AS s (slot)
         WHERE NOT EXISTS (SELECT FROM desk_views v WHERE v.holder = $2 AND v.slot = s.slot)
         ORDER BY s.slot LIMIT 1
            ON CONFLICT DO NOTHING
        """,
        view.id,
        view.holder,
        view.name,
        codec.dumps(view.filter).decode(),
        view.created_by,
        view.created_at,
        slots,
    )
    return written == 1


async def of_name(tx: Tx, holder: str, name: str) -> bool:
    query = "SELECT EXISTS (SELECT FROM desk_views WHERE holder = $1 AND name = $2)"
    return bool(await tx.fetchval(query, holder, name))


async def count(tx: Tx, holder: str) -> int:
    return int(await tx.fetchval("SELECT count(*) FROM desk_views WHERE holder = $1", holder))


async def page(tx: Tx, holders: Sequence[str], after: str, limit: int) -> list[View]:
    """By id, which is by time."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM desk_views WHERE holder = ANY ($1::text[]) AND id > $2 ORDER BY id LIMIT $3",
        list(holders),
        after,
        limit,
    )
    return [_view(row) for row in rows]


async def lock(tx: Tx, view_id: str) -> View | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM desk_views WHERE id = $1 FOR UPDATE", view_id)
    return None if row is None else _view(row)


async def delete(tx: Tx, view_id: str) -> None:
    await tx.execute("DELETE FROM desk_views WHERE id = $1", view_id)
