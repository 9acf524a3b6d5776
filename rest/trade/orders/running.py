"""Orders somebody is at work on: for those who watch the field."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from storage.tx import Tx


@dataclass(frozen=True, slots=True)
class Running:
    """An open order of a worker."""

    worker_id: str
    order_id: str
    line: str
    status: str


async def running_orders(tx: Tx, statuses: Collection[str], *, limit: int) -> list[Running]:
    """Open orders that have a worker and one of these statuses, over all lines, newest first."""
    rows = await tx.fetch(
        """
        SELECT provider_id, id, line, status FROM orders
         WHERE closed_at IS NULL AND provider_id IS NOT NULL AND status = ANY($1)
         ORDER BY id DESC LIMIT $2
        """,
        sorted(statuses),
        limit,
    )
    return [Running(row["provider_id"], row["id"], row["line"], row["status"]) for row in rows]


async def running_of(tx: Tx, worker_id: str) -> Running | None:
    """The worker's order that has moved last."""
    row = await tx.fetchrow(
        """
        SELECT provider_id, id, line, status FROM orders
         WHERE provider_id = $1 AND closed_at IS NULL
         ORDER BY updated_at DESC LIMIT 1
        """,
        worker_id,
    )
    return None if row is None else Running(row["provider_id"], row["id"], row["line"], row["status"])
