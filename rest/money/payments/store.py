"""SQL of payments and their parts: one function per statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from rest.money.payments.model import Leg, Part, Payment, PaymentState, Tender
from storage.postgres import RetryTx
from storage.tx import Tx

_COLUMNS = """id, order_id, account_id, method, amount_fen, refunded_fen, state, lock_epoch, ref, reason, version,
    created_at, paid_at, ended_at, paid_fen, is_held, counted_on"""


def _payment(row: Any) -> Payment:  # noqa: ANN401 - a row
    values = dict(row)
    values["method"] = Tender(values["method"])
    values["state"] = PaymentState(values["state"])
    return Payment(**values)


async def insert(tx: Tx, payment: Payment, *, daily_max_fen: int) -> bool:
    """A payment with its parts, counted where it says so against its customer's day, which it locks.

    False when that is too much.
    """
    written = await tx.execute(
        """
        WITH counted AS (
            INSERT INTO payment_days AS known (account_id, day, amount_fen)
            SELECT $3, $10, $5::bigint WHERE $10::date IS NOT NULL AND $5 <= $15::bigint
            ON CONFLICT (account_id, day) DO UPDATE SET amount_fen = known.amount_fen + EXCLUDED.amount_fen
             WHERE known.amount_fen + EXCLUDED.amount_fen <= $15
            RETURNING day
        ), payment AS (
            INSERT INTO payments (id, order_id, account_id, method, amount_fen, state, lock_epoch, created_at, is_held,
                                  counted_on)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE $10::date IS NULL OR EXISTS (SELECT FROM counted)
            RETURNING id
        )
        INSERT INTO payment_parts (payment_id, n, tender, amount_fen, points, worker_id)
        SELECT payment.id, part.n, part.tender, part.amount_fen, part.points, part.worker_id
          FROM payment, unnest($11::text[], $12::bigint[], $13::bigint[], $14::text[])
               WITH ORDINALITY AS part (tender, amount_fen, points, worker_id, n)
        """,
        payment.id,
        payment.order_id,
        payment.account_id,
        payment.method.value,
        payment.amount_fen,
        payment.state.value,
        payment.lock_epoch,
        payment.created_at,
        payment.is_held,
        payment.counted_on,
        [part.tender.value for part in payment.parts],
        [part.amount_fen for part in payment.parts],
        [part.points for part in payment.parts],
        [part.worker_id for part in payment.parts],
        daily_max_fen,
    )
    return written > 0


async def with_parts(tx: Tx, payments: Sequence[Payment]) -> list[Payment]:
    """The same payments with their parts: read after the lock, so that they are those of the version locked."""
    if not payments:
        return []
    rows = await tx.fetch(
        """
        SELECT payment_id, tender, amount_fen, points, worker_id, refunded_fen, points_refunded
          FROM payment_parts WHERE payment_id = ANY ($1) ORDER BY payment_id, n
        """,
        [payment.id for payment in payments],
    )
    parts: dict[str, list[Part]] = {payment.id: [] for payment in payments}
    for row in rows:
        parts[row["payment_id"]].append(
            Part(
                tender=Tender(row["tender"]),
                amount_fen=row["amount_fen"],
                points=row["points"],
                worker_id=row["worker_id"],
                refunded_fen=row["refunded_fen"],
                points_refunded=row["points_refunded"],
            )
        )
    return [replace(payment, parts=tuple(parts[payment.id])) for payment in payments]


async def _one(tx: Tx, row: Any) -> Payment | None:  # noqa: ANN401 - a row
    return None if row is None else (await with_parts(tx, [_payment(row)]))[0]


async def lock(tx: Tx, payment_id: str) -> Payment | None:
    return await _one(
        tx,
        await tx.fetchrow(
            f"""
            SELECT {_COLUMNS}
              FROM payments
             WHERE id = $1
               FOR UPDATE
            """,
            payment_id,
        ),
    )


async def read(tx: Tx, payment_id: str) -> Payment | None:
    return await _one(tx, await tx.fetchrow(f"SELECT {_COLUMNS} FROM payments WHERE id = $1", payment_id))


async def lock_open(tx: Tx, order_id: str) -> Payment | None:
    """The one open payment of an order."""
    return await _one(
        tx,
        await tx.fetchrow(
            f"""
            SELECT {_COLUMNS}
              FROM payments
             WHERE order_id = $1 AND state IN ('created', 'review')
               FOR UPDATE
            """,
            order_id,
        ),
    )


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
    return await with_parts(tx, [_payment(row) for row in rows])


async def page(
    tx: Tx,
    *,
    account_id: str | None,
    order_id: str | None,
    states: Sequence[str] | None,
    tender: str | None,
    before_id: str,
    limit: int,
) -> list[Payment]:
    """Newest first: of one customer, or of all."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM payments
         WHERE ($1::text IS NULL OR account_id = $1) AND ($2::text IS NULL OR order_id = $2)
           AND ($3::text[] IS NULL OR state = ANY ($3)) AND id < $5
           AND ($4::text IS NULL
                OR EXISTS (SELECT FROM payment_parts AS p WHERE p.payment_id = payments.id AND p.tender = $4))
         ORDER BY id DESC LIMIT $6
        """,
        account_id,
        order_id,
        states,
        tender,
        before_id,
        limit,
    )
    return await with_parts(tx, [_payment(row) for row in rows])


async def save(tx: Tx, payment: Payment) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx when another got in between."""
    written = await tx.execute(
        """
        UPDATE payments
           SET state = $3, refunded_fen = $4, lock_epoch = $5, ref = $6, reason = $7, paid_at = $8, ended_at = $9,
               paid_fen = $10, is_held = $11, counted_on = $12, version = $2
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
        payment.paid_fen,
        payment.is_held,
        payment.counted_on,
    )
    if written == 0:
        raise RetryTx


async def save_refund(tx: Tx, payment: Payment, legs: Iterable[Leg], *, ref: str, given_as: str, reason: str) -> None:
    """What the parts have given back so far, and the legs of this refund; needs the lock."""
    await tx.execute(
        """
        UPDATE payment_parts AS p
           SET refunded_fen = part.refunded_fen, points_refunded = part.points
          FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS part (refunded_fen, points, n)
         WHERE p.payment_id = $1 AND p.n = part.n
        """,
        payment.id,
        [part.refunded_fen for part in payment.parts],
        [part.points_refunded for part in payment.parts],
    )
    await tx.executemany(
        """
        INSERT INTO payment_refunds (ref, given_as, payment_id, n, amount_fen, points, reason, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        [(ref, given_as, payment.id, leg.n, leg.amount_fen, leg.points, reason, tx.now) for leg in legs],
    )


async def legs(tx: Tx, given_as: str) -> list[Leg]:
    """What the refund given as this gave, of every payment; empty when there was none."""
    rows = await tx.fetch(
        """
        SELECT r.payment_id, r.n, p.tender, r.amount_fen, r.points
          FROM payment_refunds AS r JOIN payment_parts AS p ON p.payment_id = r.payment_id AND p.n = r.n
         WHERE r.given_as = $1 ORDER BY r.payment_id, r.n
        """,
        given_as,
    )
    return [Leg(**{**row, "tender": Tender(row["tender"])}) for row in rows]


# Limits of a day


async def uncount_day(tx: Tx, account_id: str, day: date, amount_fen: int) -> None:
    await tx.execute(
        "UPDATE payment_days SET amount_fen = amount_fen - $3 WHERE account_id = $1 AND day = $2",
        account_id,
        day,
        amount_fen,
    )


async def counted(tx: Tx, account_id: str, day: date) -> int:
    found: int | None = await tx.fetchval(
        "SELECT amount_fen FROM payment_days WHERE account_id = $1 AND day = $2", account_id, day
    )
    return found or 0
