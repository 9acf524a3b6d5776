"""SQL of penalties."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest.money.penalties.model import Payer, Penalty, PenaltyState
from storage.tx import Tx

_COLUMNS = """id, order_id, line, payer_kind, payer_id, other_kind, other_id, cause, item_fen, travel_fen, state, by,
    note, at, reversed_by, reversed_reason, reversed_at"""


def _penalty(row: Any) -> Penalty:  # noqa: ANN401 - a row
    values = dict(row)
    values["payer"] = Payer(values.pop("payer_kind"), values.pop("payer_id"))
    values["other"] = Payer(values.pop("other_kind"), values.pop("other_id"))
    values["state"] = PenaltyState(values["state"])
    return Penalty(**values)


async def insert(tx: Tx, new: Penalty) -> bool:
    """False when this payer has a penalty of this order."""
    written = await tx.execute(
        """
        INSERT INTO penalties (id, order_id, line, payer_kind, payer_id, other_kind, other_id, cause, item_fen,
                               travel_fen, state, by, note, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (order_id, payer_kind, payer_id) DO NOTHING
        """,
        new.id,
        new.order_id,
        new.line,
        new.payer.kind,
        new.payer.id,
        new.other.kind,
        new.other.id,
        new.cause,
        new.item_fen,
        new.travel_fen,
        new.state.value,
        new.by,
        new.note,
        new.at,
    )
    return written == 1


async def lock(tx: Tx, penalty_id: str) -> Penalty | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM penalties WHERE id = $1 FOR NO KEY UPDATE", penalty_id)
    return None if row is None else _penalty(row)


async def read(tx: Tx, penalty_id: str) -> Penalty | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM penalties WHERE id = $1", penalty_id)
    return None if row is None else _penalty(row)


async def save_reversal(tx: Tx, penalty: Penalty) -> None:
    """Needs the lock."""
    await tx.execute(
        """
        UPDATE penalties SET state = $2, reversed_by = $3, reversed_reason = $4, reversed_at = $5
         WHERE id = $1 AND reversed_at IS NULL
        """,
        penalty.id,
        penalty.state.value,
        penalty.reversed_by,
        penalty.reversed_reason,
        penalty.reversed_at,
    )


async def of_order(tx: Tx, order_id: str) -> list[Penalty]:
    """Oldest first; one for its customer and one for each technician it had."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM penalties WHERE order_id = $1 ORDER BY id LIMIT 100", order_id)
    return [_penalty(row) for row in rows]


async def page(
    tx: Tx,
    *,
    before_id: str,
    limit: int,
    payer: Payer | None = None,
    cause: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Penalty]:
    """Newest first, older than `before_id`; of this payer, for this cause, booked in [since, until)."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM penalties
         WHERE id < $1 AND ($3::text IS NULL OR (payer_kind = $3 AND payer_id = $4))
           AND ($5::text IS NULL OR cause = $5)
           AND ($6::timestamptz IS NULL OR at >= $6) AND ($7::timestamptz IS NULL OR at < $7)
         ORDER BY id DESC LIMIT $2
        """,
        before_id,
        limit,
        None if payer is None else payer.kind,
        None if payer is None else payer.id,
        cause,
        since,
        until,
    )
    return [_penalty(row) for row in rows]
