"""Money that comes: in time into the order's escrow, late into the customer's unapplied account."""

from __future__ import annotations

from dataclasses import replace

from rest.money import ledger, wallet
from rest.money.payments import store
from rest.money.payments.actions.holds import free, hold, lock, spend_points
from rest.money.payments.entries import Entries, releasing, taking
from rest.money.payments.model import MONEY_IS_IN, OPEN, Payment, PaymentState, Receipt
from rest.money.points import InsufficientPoints
from storage.base.log import log
from storage.tx import Tx


async def settle_paid(tx: Tx, payment: Payment, *, ref: str | None = None) -> Payment:
    """The money came in time: book all parts into the order's escrow, in one transfer.

    `payment` is as this transaction opened or locked it. Parts that are not held are taken now. Raises
    InsufficientFunds (of a payment without points nothing is written: the caller may go on with `fail`),
    InsufficientPoints, WrongPaymentState; RetryTx where the payment has moved.
    """
    paid = replace(payment.after("settle"), ref=ref, paid_at=tx.now, paid_fen=payment.amount_fen, is_held=False)
    escrow = ledger.escrow(payment.order_id)
    entries = _inner(payment, escrow)
    if (part := payment.channel_part) is not None:
        entries += taking(payment, [part], escrow)
    await spend_points(tx, payment, payment.inner_parts)
    await _book(tx, payment, entries, "pay")
    await store.save(tx, paid)
    return paid


def _inner(payment: Payment, into: str) -> Entries:
    """The parts that are ours to move, from the hold or from the customer's accounts."""
    return releasing(payment, into) if payment.is_held else taking(payment, payment.inner_parts, into)


async def receive(tx: Tx, payment_id: str, *, lock_epoch: int | None, ref: str | None = None) -> Receipt:
    """The channel says the money has come: book it, whatever has happened to the order meanwhile.

    `lock_epoch` is the order's now, None when it waits for no payment. On time means an open payment of this very
    lock. Money of any other payment is late: what came over the channel waits in the customer's unapplied account, and
    what was held is free again. The caller then decides between `restore_late` and `return_late`. The same news again
    books nothing (HS-147).

    Raises NotFound; InsufficientFunds for a wallet that has become too small.
    """
    payment = await lock(tx, payment_id)
    if payment.state in MONEY_IS_IN:
        return Receipt(payment, late=payment.state is PaymentState.PAID_LATE, repeated=True)
    if payment.state in OPEN and payment.lock_epoch == lock_epoch:
        return Receipt(await settle_paid(tx, payment, ref=ref), late=False, repeated=False)
    came = sum(part.amount_fen for part in payment.arriving)
    late = replace(payment.after("arrive_late"), ref=ref, paid_at=tx.now, paid_fen=came, is_held=False)
    await free(tx, payment)
    await spend_points(tx, payment, payment.arriving)
    await _book(tx, payment, taking(payment, payment.arriving, ledger.unapplied(payment.account_id)), "pay_late")
    await store.save(tx, late)
    log(
        "payment.late",
        level="warning",
        payment_id=payment_id,
        order_id=payment.order_id,
        was=payment.state.value,
    )
    return Receipt(late, late=True, repeated=False)


async def hold_late(tx: Tx, payment_id: str) -> bool:
    """Hold again what belongs to late money beside it; whether it is all still there.

    To be asked before `restore_late` wherever the payment may be mixed; what is false goes back by `return_late`.
    Raises WrongPaymentState, NotFound.
    """
    payment = await lock(tx, payment_id)
    held = replace(payment.after("hold_again"), is_held=True)
    if payment.is_held or payment.paid_fen == payment.amount_fen:
        return True
    try:
        await hold(tx, held)
    except (ledger.InsufficientFunds, InsufficientPoints):
        return False
    await store.save(tx, held)
    return True


async def restore_late(tx: Tx, payment_id: str, *, lock_epoch: int) -> Payment:
    """Late money is good after all: the same technician was locked again, under this epoch (HS-088).

    The other parts are taken again. Raises InsufficientFunds where `hold_late` has not made sure of them.
    """
    payment = await lock(tx, payment_id)
    paid = replace(payment.after("restore"), lock_epoch=lock_epoch, paid_fen=payment.amount_fen, is_held=False)
    unapplied, escrow = ledger.unapplied(payment.account_id), ledger.escrow(payment.order_id)
    entries = [(unapplied, -payment.paid_fen), (escrow, payment.paid_fen)]
    if payment.paid_fen < payment.amount_fen:
        entries += _inner(payment, escrow)
        await spend_points(tx, payment, payment.inner_parts)
    await wallet.move(tx, ref=f"{payment.id}:restored", kind="pay", order_id=payment.order_id, entries=entries)
    await store.save(tx, paid)
    return paid


async def _book(tx: Tx, payment: Payment, entries: Entries, kind: str) -> None:
    """Move what has come. Once per payment, whatever became of it."""
    ref = f"{payment.id}:received"
    await wallet.move(tx, ref=ref, kind=kind, order_id=payment.order_id, entries=entries)
