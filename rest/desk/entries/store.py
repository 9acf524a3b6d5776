"""SQL of service entries."""

from __future__ import annotations

from rest.desk.entries.model import Method, ServiceEntry
from storage.tx import Tx


async def insert(tx: Tx, entry: ServiceEntry) -> None:
    await tx.execute(
        "INSERT INTO service_entries (id, account_id, kind, method, order_id, at) VALUES ($1, $2, $3, $4, $5, $6)",
        entry.id,
        entry.account_id,
        entry.kind,
        entry.method.value,
        entry.order_id,
        entry.at,
    )


async def page(
    tx: Tx, *, account_id: str | None, order_id: str | None, kind: str | None, before: str, limit: int
) -> list[ServiceEntry]:
    """Newest first, older than `before`."""
    rows = await tx.fetch(
        """
        SELECT id, account_id, kind, method, order_id, at
          FROM service_entries
         WHERE id < $1 AND ($3::text IS NULL OR account_id = $3) AND ($4::text IS NULL OR order_id = $4)
           AND ($5::text IS NULL OR kind = $5)
         ORDER BY id DESC
         LIMIT $2
        """,
        before,
        limit,
        account_id,
        order_id,
        kind,
    )
    return [ServiceEntry(**(dict(row) | {"method": Method(row["method"])})) for row in rows]
