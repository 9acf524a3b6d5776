"""SQL of `technician_vouchers` and `voucher_holds`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rest.lines.homeservice.vouchers.model import Terms, Voucher, VoucherState
from storage.tx import Tx

_COLUMNS = (
    "id, worker_id, item_id, amount_fen, min_item_fen, valid_until, stock, taken, state, replaced_at, version,"
    " created_at, updated_at"
)


def _voucher(row: Any) -> Voucher:  # noqa: ANN401 - a row
    fields = dict(row)
    terms = Terms(**{name: fields.pop(name) for name in ("amount_fen", "min_item_fen", "valid_until")})
    return Voucher(**fields | {"terms": terms, "state": VoucherState(row["state"])})


async def current(tx: Tx, worker_id: str, item_id: str, *, lock: bool = False) -> Voucher | None:
    """The one he has for this item."""
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM technician_vouchers
         WHERE worker_id = $1 AND item_id = $2 AND replaced_at IS NULL {"FOR NO KEY UPDATE" if lock else ""}
        """,
        worker_id,
        item_id,
    )
    return None if row is None else _voucher(row)


async def page(tx: Tx, worker_id: str, *, before_id: str, limit: int) -> list[Voucher]:
    """All he has and had, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM technician_vouchers WHERE worker_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        worker_id,
        before_id,
        limit,
    )
    return [_voucher(row) for row in rows]


async def add(tx: Tx, voucher: Voucher) -> None:
    terms = voucher.terms
    await tx.execute(
        """
        INSERT INTO technician_vouchers (id, worker_id, item_id, amount_fen, min_item_fen, valid_until, stock, state,
                                         created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
        """,
        voucher.id,
        voucher.worker_id,
        voucher.item_id,
        terms.amount_fen,
        terms.min_item_fen,
        terms.valid_until,
        voucher.stock,
        voucher.state.value,
        voucher.created_at,
    )


async def lock(tx: Tx, voucher_ids: Collection[str]) -> dict[str, Voucher]:
    """Lock these, in the order of their ids."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM technician_vouchers WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        sorted(voucher_ids),
    )
    return {row["id"]: _voucher(row) for row in rows}


async def save(tx: Tx, before: Voucher, after: Voucher) -> bool:
    """Write what moved under the version it was read with."""
    done = await tx.execute(
        """
        UPDATE technician_vouchers
           SET stock = $3, taken = $4, state = $5, replaced_at = $6, version = $7, updated_at = $8
         WHERE id = $1 AND version = $2
        """,
        before.id,
        before.version,
        after.stock,
        after.taken,
        after.state.value,
        after.replaced_at,
        after.version,
        after.updated_at,
    )
    return done == 1


async def gone(tx: Tx, voucher_ids: Collection[str]) -> frozenset[str]:
    """Those of these of which nothing is left."""
    rows = await tx.fetch("SELECT id FROM technician_vouchers WHERE id = ANY($1) AND stock = 0", list(voucher_ids))
    return frozenset(row["id"] for row in rows)


async def held(tx: Tx, order_id: str) -> str | None:
    """The voucher this order holds; its lock is the order's."""
    found: str | None = await tx.fetchval(
        "SELECT voucher_id FROM voucher_holds WHERE order_id = $1 AND returned_at IS NULL", order_id
    )
    return found


async def add_hold(tx: Tx, voucher_id: str, order_id: str, amount_fen: int) -> None:
    await tx.execute(
        "INSERT INTO voucher_holds (voucher_id, order_id, amount_fen, held_at) VALUES ($1, $2, $3, $4)",
        voucher_id,
        order_id,
        amount_fen,
        tx.now,
    )


async def end_hold(tx: Tx, order_id: str) -> None:
    await tx.execute(
        "UPDATE voucher_holds SET returned_at = $2 WHERE order_id = $1 AND returned_at IS NULL", order_id, tx.now
    )
