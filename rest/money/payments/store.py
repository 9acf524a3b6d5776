"""SQL of payment attempts: one function per statement."""

from __future__ import annotations

from typing import Any

from rest.money.payments.model import Method, Payment, PaymentState
from storage.postgres import RetryTx
from storage.tx import Tx

_COLUMNS = """id, order_id, account_id, method, amount_fen, refunded_fen, state, lock_epoch, ref, reason, version,
    created_at, paid_at, ended_at"""


def _payment(row: Any) -> Payment:  # noqa: ANN401 - a row
    values = dict(row)
    values["method"] = Method(values["method"])
    values["state"] = PaymentState(values["state"])
    return Payment(**values)


async def insert(tx: Tx, payment: Payment) -> None:
    await tx.execute(
        """
        INSERT INTO payments (id, order_id, account_id, method, amount_fen, state, lock_epoch, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        payment.id,
        payment.order_id,
        payment.account_id,
        payment.method.value,
        payment.amount_fen,
        payment.state.value,
        payment.lock_epoch,
        payment.created_at,
    )


async def lock(tx: Tx, payment_id: str) -> Payment | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS}
          FROM payments
         WHERE id = $1
           FOR UPDATE
        """,
        payment_id,
    )
    return None if row is None else _payment(row)


async def lock_open(tx: Tx, order_id: str) -> Payment | None:
    """The one open attempt of an order."""
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS}
          FROM payments
         WHERE order_id = $1 AND state = 'created'
           FOR UPDATE
        """,
        order_id,
    )
    return None if row is None else _payment(row)


async def of_order(tx: Tx, order_id: str) -> list[Payment]:
    """All attempts, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM payments
         WHERE order_id = $1
         ORDER BY created_at, id
        """,
        order_id,
    )
    return [_payment(row) for row in rows]


async def save(tx: Tx, payment: Payment) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx when another got in between."""
    written = await tx.execute(
        """
        UPDATE payments
           SET state = $3, refunded_fen = $4, lock_epoch = $5, ref = $6, reason = $7, paid_at = $8, ended_at = $9,
               version = $2
         WHERE id = $1 AND version = $2 - 1
        """,
        payment.id,
        payment.version,
        payment.state.value,
        payment.refunded_fen,
        payment.lock_epoch,
        payment.ref,
        payment.reason,
        payment.paid_at,
        payment.ended_at,
    )
    if written == 0:
        raise RetryTx
