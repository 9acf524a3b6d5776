"""A payment is opened, replaced, sent for review, refused or given up; its own parts are held meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rest.money import ledger
from rest.money.payments import store
from rest.money.payments.actions.holds import free, hold, lock, uncount
from rest.money.payments.facts import AttemptClosed
from rest.money.payments.model import Method, Part, Payment, PaymentState, Tender, WrongPaymentState, method_of
from rest.money.payments.policy import DailyLimit, PayPolicy, Purse
from storage.base.clock import business_day
from storage.base.money import as_money
from storage.tx import Tx


async def open_payment(
    tx: Tx,
    *,
    order_id: str,
    account_id: str,
    amount_fen: int,
    lock_epoch: int,
    method: Method = Method.WALLET,
    parts: Sequence[Part] = (),
    policy: PayPolicy | None = None,
) -> Payment:
    """Open a payment of exactly this amount under this lock, of these parts or all by one method.

    While a channel's part is awaited the others are held, so that nothing else spends them; without one nothing is
    taken before `settle_paid`, which the caller does in the same transaction. Asking for the open payment again
    returns it (a double tap); asking for another closes it first: its money, should it still come, is late. `policy`
    sets the limits.

    Raises InsufficientFunds, DailyLimit: the transaction must end then; WrongPaymentState while a transfer is reviewed.
    """
    parts = tuple(parts) or (Part(method, amount_fen),)
    if sum(part.amount_fen for part in parts) != amount_fen:
        raise ledger.BadTransfer(f"parts of {order_id} do not sum to {amount_fen}")
    known = await store.lock_open(tx, order_id)
    if known is not None:
        if known.is_for(account_id, parts, lock_epoch):
            return known
        if known.state is PaymentState.REVIEW:
            raise WrongPaymentState(state=known.state.value)
        await _close(tx, known, "replaced")
    payment = Payment(
        id=tx.new_id("pay"),
        order_id=order_id,
        account_id=account_id,
        method=method_of(parts),
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
        counted_on=business_day(tx.now) if policy is not None and policy.limited_fen(parts) else None,
        parts=parts,
    )
    if payment.channel_part is not None and payment.inner_parts:
        payment = replace(payment, is_held=True)
    await _insert(tx, payment, policy.daily_max_fen if policy is not None else 0)
    if payment.is_held:
        await hold(tx, payment)
    return payment


async def _insert(tx: Tx, payment: Payment, daily_max_fen: int) -> None:
    """Write it, counted against its customer's day. Raises DailyLimit."""
    if not await store.insert(tx, payment, daily_max_fen=daily_max_fen):
        counted_fen = await store.counted(tx, payment.account_id, business_day(tx.now))
        raise DailyLimit(left=as_money(max(0, daily_max_fen - counted_fen)))


async def submit(tx: Tx, payment_id: str) -> Payment:
    """The customer says he has transferred the money: a person looks. Raises WrongPaymentState, NotFound."""
    payment = await lock(tx, payment_id)
    if payment.method is not Tender.OFFLINE:
        raise WrongPaymentState(state=payment.state.value)
    sent = payment.after("submit")
    await store.save(tx, sent)
    return sent


async def fail(tx: Tx, payment_id: str, reason: str) -> Payment:
    """The payment was refused by its channel or for lack of money. Raises WrongPaymentState, NotFound."""
    return await _end(tx, await lock(tx, payment_id), "fail", reason)


async def close_open(tx: Tx, order_id: str, reason: str) -> Payment | None:
    """Nobody waits for the order's open payment any more (unbound, cancelled); None when there is none."""
    payment = await store.lock_open(tx, order_id)
    if payment is None:
        return None
    return await _close(tx, payment, reason)


async def _close(tx: Tx, payment: Payment, reason: str) -> Payment:
    closed = await _end(tx, payment, "close", reason)
    part = payment.channel_part
    if part is not None and part.tender is not Tender.OFFLINE:
        tx.tell(AttemptClosed(payment_id=payment.id, channel=part.tender.value), to=())
    return closed


async def _end(tx: Tx, payment: Payment, verb: str, reason: str) -> Payment:
    """End without money: what was held is free again, and the day forgets it."""
    ended = replace(payment.after(verb), reason=reason, ended_at=tx.now, counted_on=None)
    await uncount(tx, payment)
    ended = replace(ended, is_held=(await free(tx, payment)).is_held)
    await store.save(tx, ended)
    return ended


async def of_order(tx: Tx, order_id: str) -> list[Payment]:
    """The order's attempts, oldest first."""
    return await store.of_order(tx, order_id)


async def find(tx: Tx, payment_id: str) -> Payment | None:
    """A payment as it is now, without a lock."""
    return await store.read(tx, payment_id)


async def purse(tx: Tx, account_id: str, *, order_id: str, worker_id: str | None = None) -> Purse:
    """What a customer could pay this order with: his accounts, and what an open payment of the order holds of them.

    `worker_id`: whose technician's credit counts.
    """
    codes = {
        "wallet": ledger.customer_wallet(account_id),
        "prepaid": ledger.customer_prepaid(account_id),
        "bonus": ledger.customer_bonus(account_id),
        "points": ledger.customer_points(account_id),
        **({"credit": ledger.customer_credit(account_id, worker_id)} if worker_id is not None else {}),
    }
    found = await ledger.balances(tx, list(codes.values()))
    has = {name: found.get(code, 0) for name, code in codes.items()}
    opened = next((one for one in await store.of_order(tx, order_id) if one.is_held), None)
    for part in opened.inner_parts if opened is not None else ():
        if part.tender.value in has and (part.worker_id is None or part.worker_id == worker_id):
            has[part.tender.value] += part.points or part.amount_fen
    return Purse(**has, worker_id=worker_id)
