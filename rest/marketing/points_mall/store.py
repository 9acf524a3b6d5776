"""SQL of the points mall: one function per statement."""

from __future__ import annotations

from typing import Any

from rest.marketing.points_mall.model import Product, Purchase, PurchaseState
from storage.base import codec
from storage.tx import Tx

_PRODUCT = """id, name, coupon_template, points, cash_fen, list_fen, stock, held, sold, per_account_max, active,
    version, changed_by, created_at, updated_at"""
_PURCHASE = """id, product_id, account_id, coupon_template, points, cash_fen, list_fen, method, state, reason, note,
    delivered_by, coupon_id, version, created_at, expires_at, ended_at, refunded_at"""


def _product(row: Any) -> Product:  # noqa: ANN401 - a row
    return Product(**{**row, "name": codec.loads(row["name"])})


def _purchase(row: Any) -> Purchase:  # noqa: ANN401 - a row
    return Purchase(**{**row, "state": PurchaseState(row["state"])})


async def add_product(tx: Tx, new: Product) -> None:
    await tx.execute(
        """
        INSERT INTO points_products (id, name, coupon_template, points, cash_fen, stock, per_account_max, active,
                                     changed_by, created_at, updated_at, list_fen)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)
        """,
        new.id,
        codec.dumps(dict(new.name)).decode(),
        new.coupon_template,
        new.points,
        new.cash_fen,
        new.stock,
        new.per_account_max,
        new.active,
        new.changed_by,
        new.created_at,
        new.list_fen,
    )


async def product(tx: Tx, product_id: str, *, lock: bool = False) -> Product | None:
    row = await tx.fetchrow(
        f"SELECT {_PRODUCT} FROM points_products WHERE id = $1 {'FOR NO KEY UPDATE' if lock else ''}", product_id
    )
    return None if row is None else _product(row)


async def products(tx: Tx, *, only_active: bool, before_id: str, limit: int) -> list[Product]:
    """Newest first."""
    rows = await tx.fetch(
        f"SELECT {_PRODUCT} FROM points_products WHERE id < $1 AND (active OR NOT $2) ORDER BY id DESC LIMIT $3",
        before_id,
        only_active,
        limit,
    )
    return [_product(row) for row in rows]


async def save_product(tx: Tx, after: Product, *, stock_added: int) -> bool:
    """Under the version before; stock moves by a difference, because sales move it meanwhile."""
    written = await tx.execute(
        """
        UPDATE points_products
           SET points = $3, cash_fen = $4, per_account_max = $5, active = $6, stock = stock + $7, version = $2,
               changed_by = $8, updated_at = $9, list_fen = $10
         WHERE id = $1 AND version = $2 - 1 AND stock + $7 >= 0
        """,
        after.id,
        after.version,
        after.points,
        after.cash_fen,
        after.per_account_max,
        after.active,
        stock_added,
        after.changed_by,
        after.updated_at,
        after.list_fen,
    )
    return written == 1


async def take_piece(tx: Tx, product_id: str) -> Product | None:
    """Set one piece aside if there is one; the product, locked. None: say why by reading it."""
    row = await tx.fetchrow(
        f"""
        UPDATE points_products SET stock = stock - 1, held = held + 1 WHERE id = $1 AND active AND stock >= 1
        RETURNING {_PRODUCT}
        """,
        product_id,
    )
    return None if row is None else _product(row)


async def sell_piece(tx: Tx, product_id: str) -> None:
    await tx.execute("UPDATE points_products SET held = held - 1, sold = sold + 1 WHERE id = $1", product_id)


async def return_piece(tx: Tx, product_id: str) -> None:
    await tx.execute("UPDATE points_products SET held = held - 1, stock = stock + 1 WHERE id = $1", product_id)


async def unsell_piece(tx: Tx, product_id: str) -> None:
    """What was sold came back."""
    await tx.execute("UPDATE points_products SET sold = sold - 1, stock = stock + 1 WHERE id = $1", product_id)


async def bought(tx: Tx, product_id: str, account_id: str) -> int:
    """How many this account has or waits for; exact while the product is locked."""
    count: int = await tx.fetchval(
        """
        SELECT count(*) FROM points_purchases
         WHERE product_id = $1 AND account_id = $2 AND state NOT IN ('closed', 'refunded')
        """,
        product_id,
        account_id,
    )
    return count


async def add(tx: Tx, new: Purchase) -> None:
    await tx.execute(
        """
        INSERT INTO points_purchases (id, product_id, account_id, coupon_template, points, cash_fen, method, state,
                                      created_at, expires_at, list_fen)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        new.id,
        new.product_id,
        new.account_id,
        new.coupon_template,
        new.points,
        new.cash_fen,
        new.method,
        new.state.value,
        new.created_at,
        new.expires_at,
        new.list_fen,
    )


async def lock(tx: Tx, purchase_id: str) -> Purchase | None:
    row = await tx.fetchrow(f"SELECT {_PURCHASE} FROM points_purchases WHERE id = $1 FOR NO KEY UPDATE", purchase_id)
    return None if row is None else _purchase(row)


async def save(tx: Tx, before: Purchase, after: Purchase) -> bool:
    """Under the state and version it was read with."""
    written = await tx.execute(
        """
        UPDATE points_purchases
           SET state = $4, reason = $5, note = $6, delivered_by = $7, ended_at = $8, version = $9, coupon_id = $10,
               refunded_at = $11
         WHERE id = $1 AND state = $2 AND version = $3
        """,
        before.id,
        before.state.value,
        before.version,
        after.state.value,
        after.reason,
        after.note,
        after.delivered_by,
        after.ended_at,
        after.version,
        after.coupon_id,
        after.refunded_at,
    )
    return written == 1


async def find(tx: Tx, purchase_id: str, account_id: str) -> Purchase | None:
    row = await tx.fetchrow(
        f"SELECT {_PURCHASE} FROM points_purchases WHERE id = $1 AND account_id = $2", purchase_id, account_id
    )
    return None if row is None else _purchase(row)


async def page(tx: Tx, account_id: str | None, *, state: str | None, before_id: str, limit: int) -> list[Purchase]:
    """Newest first; all accounts' for None."""
    rows = await tx.fetch(
        f"""
        SELECT {_PURCHASE} FROM points_purchases
         WHERE ($1::text IS NULL OR account_id = $1) AND ($2::text IS NULL OR state = $2) AND id < $3
         ORDER BY id DESC LIMIT $4
        """,
        account_id,
        state,
        before_id,
        limit,
    )
    return [_purchase(row) for row in rows]
