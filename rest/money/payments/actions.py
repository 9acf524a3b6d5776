"""Verbs of payment attempts. Lock order: the order (held by the caller) → the attempt → ledger accounts."""

from __future__ import annotations

from dataclasses import replace

from rest.money import ledger, wallet
from rest.money.payments import store
from rest.money.payments.facts import AttemptClosed, RefundDue
from rest.money.payments.model import MONEY_IS_IN, Method, Payment, PaymentState, Receipt
from rest.money.wallet.model import RefundExceedsPaid
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


async def open_payment(
    tx: Tx,
    *,
    order_id: str,
    account_id: str,
    amount_fen: int,
    lock_epoch: int,
    method: Method = Method.WALLET,
) -> Payment:
    """Open an attempt for exactly this amount under this lock.

    Asking for the open attempt again returns it (a double tap); asking for another closes it first: its money, should
    it still come, is late.
    """
    known = await store.lock_open(tx, order_id)
    if known is not None:
        if known.is_for(account_id, method, amount_fen, lock_epoch):
            return known
        await _close(tx, known, "replaced")
    payment = Payment(
        id=tx.new_id("pay"),
        order_id=order_id,
        account_id=account_id,
        method=method,
        amount_fen=amount_fen,
        refunded_fen=0,
        state=PaymentState.CREATED,
        lock_epoch=lock_epoch,
        ref=None,
        reason=None,
        version=1,
        created_at=tx.now,
        paid_at=None,
        ended_at=None,
    )
    await store.insert(tx, payment)
    return payment


async def settle_paid(tx: Tx, payment_id: str, *, ref: str | None = None) -> Payment:
    """The money came in time: book it into the order's escrow.

    For the wallet this takes the money. Raises InsufficientFunds (nothing is written: the caller may go on with
    `fail`), WrongPaymentState, NotFound.
    """
    payment = await _lock(tx, payment_id)
    paid = replace(payment.after("settle"), ref=ref, paid_at=tx.now)
    await _book(tx, payment, ledger.escrow(payment.order_id), "pay")
    await store.save(tx, paid)
    return paid


async def fail(tx: Tx, payment_id: str, reason: str) -> Payment:
    """The attempt was refused by its channel or for lack of money. Raises WrongPaymentState, NotFound."""
    payment = await _lock(tx, payment_id)
    failed = replace(payment.after("fail"), reason=reason, ended_at=tx.now)
    await store.save(tx, failed)
    return failed


async def close_open(tx: Tx, order_id: str, reason: str) -> Payment | None:
    """Nobody waits for the order's open attempt any more (unbound, cancelled); None when there is none."""
    payment = await store.lock_open(tx, order_id)
    if payment is None:
        return None
    return await _close(tx, payment, reason)


async def _close(tx: Tx, payment: Payment, reason: str) -> Payment:
    closed = replace(payment.after("close"), reason=reason, ended_at=tx.now)
    await store.save(tx, closed)
    if payment.method is not Method.WALLET:
        tx.tell(AttemptClosed(payment_id=payment.id, channel=payment.method.value), to=())
    return closed


async def receive(tx: Tx, payment_id: str, *, lock_epoch: int | None, ref: str | None = None) -> Receipt:
    """The channel says the money has come: book it, whatever has happened to the order meanwhile.

    `lock_epoch` is the order's now, None when it waits for no payment. On time means an open attempt of this very
    lock. Money of any other attempt is late and waits in the customer's unapplied account; the caller then decides
    between `restore_late` and `return_late`. The same news again books nothing (HS-147).

    Raises NotFound; InsufficientFunds for a wallet that has become too small.
    """
    payment = await _lock(tx, payment_id)
    if payment.state in MONEY_IS_IN:
        return Receipt(payment, late=payment.state is PaymentState.PAID_LATE, repeated=True)
    if payment.state is PaymentState.CREATED and payment.lock_epoch == lock_epoch:
        return Receipt(await settle_paid(tx, payment_id, ref=ref), late=False, repeated=False)
    late = replace(payment.after("arrive_late"), ref=ref, paid_at=tx.now)
    await _book(tx, payment, ledger.unapplied(payment.account_id), "pay_late")
    await store.save(tx, late)
    log(
        "payment.late",
        level="warning",
        payment_id=payment_id,
        order_id=payment.order_id,
        was=payment.state.value,
    )
    return Receipt(late, late=True, repeated=False)


async def restore_late(tx: Tx, payment_id: str, *, lock_epoch: int) -> Payment:
    """Late money is good after all: the same technician was locked again, under this epoch (HS-088)."""
    payment = await _lock(tx, payment_id)
    paid = replace(payment.after("restore"), lock_epoch=lock_epoch)
    await ledger.post(
        tx,
        ref=f"{payment.id}:restored",
        kind="pay",
        order_id=payment.order_id,
        entries=[
            (ledger.unapplied(payment.account_id), -payment.amount_fen),
            (ledger.escrow(payment.order_id), payment.amount_fen),
        ],
    )
    await store.save(tx, paid)
    return paid


async def return_late(tx: Tx, payment_id: str) -> Payment:
    """Late money goes back in full, to where it came from (HS-088, HS-150)."""
    payment = await _lock(tx, payment_id)
    returned = replace(payment.after("give_back"), refunded_fen=payment.amount_fen, ended_at=tx.now)
    source, ref = ledger.unapplied(payment.account_id), f"{payment.id}:returned"
    await _give_back(tx, payment, source, payment.amount_fen, ref=ref, reason="paid_late")
    await store.save(tx, returned)
    return returned


async def refund(tx: Tx, payment_id: str, amount_fen: int, *, ref: str, reason: str) -> Payment:
    """Give back a part or all of what this attempt brought, from escrow to where it came from (HS-150).

    The wallet has it at once. A channel is asked for it after the commit; until then the money is set aside.
    The same `ref` again gives nothing. Raises RefundExceedsPaid, WrongPaymentState, RefReused, NotFound.
    """
    payment = await _lock(tx, payment_id)
    is_repeat = await ledger.is_posted(tx, ref)
    after = payment if is_repeat else payment.refunded(amount_fen, tx.now)
    try:
        await _give_back(tx, payment, ledger.escrow(payment.order_id), amount_fen, ref=ref, reason=reason)
    except ledger.InsufficientFunds as short:
        raise RefundExceedsPaid(short.balance_fen) from None
    if not is_repeat:
        await store.save(tx, after)
    return after


async def refund_all(tx: Tx, order_id: str, *, reason: str) -> int:
    """Give back all that is left of the order's payments; how much that was, in fen (HS-091)."""
    total = 0
    for payment in await store.of_order(tx, order_id):
        left = payment.refundable_fen
        if left > 0:
            ref = f"{payment.id}:refund:{payment.version}"
            await refund(tx, payment.id, left, ref=ref, reason=reason)
            total += left
    return total


async def of_order(tx: Tx, order_id: str) -> list[Payment]:
    """The order's attempts, oldest first."""
    return await store.of_order(tx, order_id)


async def _give_back(tx: Tx, payment: Payment, source: str, amount_fen: int, *, ref: str, reason: str) -> None:
    """Move money of this attempt out of `source`. Raises InsufficientFunds, RefReused."""
    if amount_fen <= 0:
        raise ledger.BadTransfer(f"{amount_fen} fen cannot be given back")
    by_wallet, channel = payment.method is Method.WALLET, payment.method.value
    target = ledger.customer_wallet(payment.account_id) if by_wallet else ledger.refunding(channel)
    transfer = await wallet.move(
        tx,
        ref=ref,
        kind="refund",
        order_id=payment.order_id,
        note=reason,
        entries=[(source, -amount_fen), (target, amount_fen)],
    )
    if not by_wallet and not transfer.repeated:
        due = RefundDue(
            payment_id=payment.id,
            channel=channel,
            ref=ref,
            amount_fen=amount_fen,
            total_fen=payment.amount_fen,
            reason=reason,
        )
        tx.tell(due, to=())


async def _lock(tx: Tx, payment_id: str) -> Payment:
    payment = await store.lock(tx, payment_id)
    if payment is None:
        raise NotFound
    return payment


async def _book(tx: Tx, payment: Payment, into: str, kind: str) -> None:
    """Move the attempt's money from where its method keeps it. Once per attempt, whatever it became."""
    by_wallet = payment.method is Method.WALLET
    source = ledger.customer_wallet(payment.account_id) if by_wallet else ledger.clearing(payment.method.value)
    await wallet.move(
        tx,
        ref=f"{payment.id}:received",
        kind=kind,
        order_id=payment.order_id,
        entries=[(source, -payment.amount_fen), (into, payment.amount_fen)],
    )
