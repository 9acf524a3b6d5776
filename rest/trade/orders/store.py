"""SQL of the order kernel: `orders` and `order_events`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rest.trade.orders.model import Event, Order
from rest.trade.pricing import PriceLine
from storage.base import codec
from storage.tx import Tx

_NAMES = (
    "id",
    "no",
    "line",
    "kind",
    "mode",
    "parent_id",
    "customer_id",
    "provider_id",
    "call_id",
    "status",
    "status_before_cancel",
    "version",
    "total_fen",
    "paid_fen",
    "refunded_fen",
    "refund_reserved_fen",
    "snapshot",
    "created_at",
    "updated_at",
    "closed_at",
)

ORDER_COLUMNS = ", ".join(f"o.{name}" for name in _NAMES)
"""The columns `order_of` reads, from `orders AS o`; lines join their own table beside it."""


def order_of(row: Mapping[str, Any]) -> Order:
    """An order from a row that has ORDER_COLUMNS."""
    values = {name: row[name] for name in _NAMES}
    values["snapshot"] = codec.loads(values["snapshot"])
    return Order(**values)


async def page(
    tx: Tx,
    *,
    line: str | None,
    status: str | None,
    since: datetime | None,
    until: datetime | None,
    before_id: str,
    limit: int,
) -> list[Order]:
    """Of all customers, newest first; `[since, until)` is when they were made."""
    rows = await tx.fetch(
        f"""
        SELECT {ORDER_COLUMNS} FROM orders o
         WHERE o.id < $1 AND ($3::text IS NULL OR o.line = $3) AND ($4::text IS NULL OR o.status = $4)
           AND ($5::timestamptz IS NULL OR o.created_at >= $5) AND ($6::timestamptz IS NULL OR o.created_at < $6)
         ORDER BY o.id DESC LIMIT $2
        """,
        before_id,
        limit,
        line,
        status,
        since,
        until,
    )
    return [order_of(row) for row in rows]


async def parties_of(tx: Tx, order_id: str) -> tuple[str, str | None] | None:
    """Whose order it is, and which worker is bound to it; for callers that decide themselves who may know."""
    row = await tx.fetchrow("SELECT customer_id, provider_id FROM orders WHERE id = $1", order_id)
    return None if row is None else (row["customer_id"], row["provider_id"])


async def numbers_of(tx: Tx, order_ids: Sequence[str]) -> dict[str, str]:
    """Order → the number people know it by."""
    rows = await tx.fetch("SELECT id, no FROM orders WHERE id = ANY ($1::text[])", list(order_ids))
    return {row["id"]: row["no"] for row in rows}


async def order_of_call(tx: Tx, call_id: str) -> str | None:
    """The order this call seeks a worker for."""
    found: str | None = await tx.fetchval("SELECT id FROM orders WHERE call_id = $1", call_id)
    return found


async def write_step(tx: Tx, before: Order, after: Order, event: Event) -> bool:
    """Write the order and its event together; False when the version moved under us."""
    # The event's number is the version the update made, so the timeline has no gap and no twin.
    written = await tx.fetchval(
        """
        WITH moved AS (
            UPDATE orders
               SET status = $3, status_before_cancel = $4, provider_id = $5, call_id = $6, version = $7,
                   total_fen = $8, paid_fen = $9, refunded_fen = $10, refund_reserved_fen = $11,
                   updated_at = $12, closed_at = $13
             WHERE id = $1 AND version = $2
            RETURNING id, version
        )
        INSERT INTO order_events (order_id, n, at, actor, verb, from_status, to_status, data)
        SELECT id, version, $12, $14, $15, $16, $3, $17::jsonb FROM moved
        RETURNING n
        """,
        before.id,
        before.version,
        after.status,
        after.status_before_cancel,
        after.provider_id,
        after.call_id,
        after.version,
        after.total_fen,
        after.paid_fen,
        after.refunded_fen,
        after.refund_reserved_fen,
        after.updated_at,
        after.closed_at,
        event.actor,
        event.verb,
        event.from_status,
        codec.dumps(event.data).decode() if event.data else None,
    )
    return written is not None


async def events(tx: Tx, order_id: str, *, after_n: int = 0, limit: int = 100) -> list[Event]:
    """The timeline from `after_n` on, oldest first."""
    found = await tx.fetch(
        """
        SELECT order_id, n, at, actor, verb, from_status, to_status, data
          FROM order_events
         WHERE order_id = $1 AND n > $2
         ORDER BY n
         LIMIT $3
        """,
        order_id,
        after_n,
        limit,
    )
    return [_event_of(row) for row in found]


async def last_event(tx: Tx, order_id: str, version: int) -> Event | None:
    """The step that made this version."""
    row = await tx.fetchrow(
        """
        SELECT order_id, n, at, actor, verb, from_status, to_status, data
          FROM order_events
         WHERE order_id = $1 AND n = $2
        """,
        order_id,
        version,
    )
    return None if row is None else _event_of(row)


def _event_of(row: Mapping[str, Any]) -> Event:
    return Event(
        order_id=row["order_id"],
        n=row["n"],
        at=row["at"],
        actor=row["actor"],
        verb=row["verb"],
        from_status=row["from_status"],
        to_status=row["to_status"],
        data=codec.loads(row["data"]) if row["data"] else {},
    )


async def write_lines(tx: Tx, order_id: str, epoch: int, lines: Sequence[PriceLine]) -> None:
    """Keep what the price is made of; once for each epoch, and never changed (a trigger refuses it)."""
    await tx.execute(
        """
        INSERT INTO order_lines (order_id, epoch, n, kind, ref, qty, amount_fen, allocated_to)
        SELECT $1, $2, n, kind, ref, qty, amount_fen, allocated_to
          FROM unnest($3::text[], $4::text[], $5::int[], $6::bigint[], $7::smallint[])
               WITH ORDINALITY AS line (kind, ref, qty, amount_fen, allocated_to, n)
        """,
        order_id,
        epoch,
        [line.kind for line in lines],
        [line.ref for line in lines],
        [line.qty for line in lines],
        [line.amount_fen for line in lines],
        [line.allocated_to for line in lines],
    )


_LINES = "SELECT order_id, kind, ref, qty, amount_fen, allocated_to FROM order_lines"


async def lines_of(tx: Tx, epochs: Mapping[str, int]) -> dict[str, list[PriceLine]]:
    """Order → the lines of its price under the epoch asked for, in their places."""
    if len(epochs) == 1:  # as nearly always; with arrays PostgreSQL plans anew each time, at five times the cost
        rows = await tx.fetch(f"{_LINES} WHERE order_id = $1 AND epoch = $2 ORDER BY n", *next(iter(epochs.items())))
    else:
        rows = await tx.fetch(
            f"""
            {_LINES} JOIN unnest($1::text[], $2::int[]) AS wanted (order_id, epoch) USING (order_id, epoch)
             ORDER BY order_id, n
            """,
            list(epochs),
            list(epochs.values()),
        )
    found: dict[str, list[PriceLine]] = {}
    for row in rows:
        line = PriceLine(
            kind=row["kind"],
            amount_fen=row["amount_fen"],
            qty=row["qty"],
            ref=row["ref"],
            allocated_to=row["allocated_to"],
        )
        found.setdefault(row["order_id"], []).append(line)
    return found
