"""What the families share: the payment's lock, and holding and freeing the parts that are ours to move."""

from __future__ import annotations

from dataclasses import replace

from rest.money import wallet
from rest.money.payments import store
from rest.money.payments.entries import holding, voiding
from rest.money.payments.model import Payment
from storage.base.errors import NotFound
from storage.tx import Tx


async def lock(tx: Tx, payment_id: str) -> Payment:
    """Raises NotFound."""
    payment = await store.lock(tx, payment_id)
    if payment is None:
        raise NotFound
    return payment


async def hold(tx: Tx, payment: Payment) -> None:
    """Raises InsufficientFunds; nothing is written then."""
    ref = f"{payment.id}:held:{payment.version}"
    await wallet.move(tx, ref=ref, kind="hold", order_id=payment.order_id, entries=holding(payment))


async def free(tx: Tx, payment: Payment) -> Payment:
    """The payment without its hold: what was held is back where it came from."""
    if not payment.is_held:
        return payment
    ref = f"{payment.id}:freed:{payment.version}"
    await wallet.move(tx, ref=ref, kind="hold_freed", order_id=payment.order_id, entries=voiding(payment))
    return replace(payment, is_held=False)


async def uncount(tx: Tx, payment: Payment) -> None:
    """What was given up counts against no day's limit."""
    if payment.counted_on is not None:
        await store.uncount_day(tx, payment.account_id, payment.counted_on, payment.amount_fen)
