"""What the families share: the payment's lock, and holding and freeing the parts that are ours to move."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rest.money import ledger, points, wallet
from rest.money.payments import store
from rest.money.payments.entries import holding, voiding
from rest.money.payments.model import Part, Payment
from storage.base.errors import NotFound
from storage.tx import Tx

REASON = "payment"
"""Why points move, as their owner reads it."""


async def lock(tx: Tx, payment_id: str) -> Payment:
    """Raises NotFound."""
    payment = await store.lock(tx, payment_id)
    if payment is None:
        raise NotFound
    return payment


async def hold(tx: Tx, payment: Payment) -> None:
    """Raises InsufficientFunds, InsufficientPoints; nothing is held then."""
    await hold_points(tx, payment, payment.inner_parts)
    entries = holding(payment)
    if not entries:
        return
    ref = f"{payment.id}:held:{payment.version}"
    try:
        await wallet.move(tx, ref=ref, kind="hold", order_id=payment.order_id, entries=entries)
    except ledger.InsufficientFunds:
        await free_points(tx, payment)
        raise


async def free(tx: Tx, payment: Payment) -> Payment:
    """The payment without its hold: what was held is back where it came from."""
    if not payment.is_held:
        return payment
    await free_points(tx, payment)
    if entries := voiding(payment):
        ref = f"{payment.id}:freed:{payment.version}"
        await wallet.move(tx, ref=ref, kind="hold_freed", order_id=payment.order_id, entries=entries)
    return replace(payment, is_held=False)


# Points go before fen everywhere: their purse is locked before accounts of the book.


async def hold_points(tx: Tx, payment: Payment, parts: Iterable[Part]) -> None:
    """Set aside the points of these parts, if they are not. Raises InsufficientPoints; nothing is written then."""
    if wanted := sum(part.points for part in parts):
        await points.hold(tx, payment.account_id, wanted, holder_id=payment.id, reason=REASON)


async def spend_points(tx: Tx, payment: Payment, parts: Iterable[Part]) -> None:
    """The points of these parts are gone, held before or not. Raises InsufficientPoints; nothing is written then."""
    spent = [part for part in parts if part.points]
    if spent:
        await hold_points(tx, payment, spent)
        await points.use_held(tx, payment.id, reason=REASON)


async def free_points(tx: Tx, payment: Payment) -> None:
    if any(part.points for part in payment.parts):
        await points.release(tx, payment.id, reason=REASON)


async def uncount(tx: Tx, payment: Payment) -> None:
    """What was given up counts against no day's limit."""
    if payment.counted_on is not None:
        await store.uncount_day(tx, payment.account_id, payment.counted_on, payment.amount_fen)
