"""Giving back: each part its share, the way it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rest.money import ledger, points, wallet
from rest.money.payments import store
from rest.money.payments.actions.holds import REASON, free, lock
from rest.money.payments.entries import giving_back
from rest.money.payments.facts import RefundDue
from rest.money.payments.model import RETURNED, Leg, Payment, share_of
from rest.money.payments.spreading import spread
from rest.money.wallet.model import RefundExceedsPaid
from storage.postgres import RetryTx
from storage.tx import Tx


async def return_late(tx: Tx, payment_id: str) -> Payment:
    """Late money goes back in full, to where it came from (HS-088, HS-150); what else was held is free again."""
    payment = await free(tx, await lock(tx, payment_id))
    arriving = payment.arriving
    given = [part.amount_fen if part in arriving else 0 for part in payment.parts]
    returned = _returned(tx, payment, payment.after("give_back"), given)
    source, ref = ledger.unapplied(payment.account_id), f"{payment.id}:returned"
    await _move(tx, payment, given, source, ref=ref, reason=RETURNED)
    await store.save(tx, returned)
    await store.save_refund(tx, returned, _legs(payment, given), ref=ref, given_as=ref, reason=RETURNED)
    return returned


def _returned(tx: Tx, before: Payment, after: Payment, given: Sequence[int]) -> Payment:
    parts = tuple(part.refunded(fen) for part, fen in zip(before.parts, given, strict=True))
    return replace(after, refunded_fen=sum(given), ended_at=tx.now, is_held=False, reason=RETURNED, parts=parts)


async def refund(tx: Tx, payment_id: str, amount_fen: int, *, ref: str, reason: str) -> Payment:
    """Give back a part or all of what this payment brought, from escrow to where it came from (HS-150).

    Each part gives its share (`spreading`). Accounts of ours have it at once. A channel is asked for it after the
    commit; until then the money is set aside. The same `ref` again gives nothing.
    Raises RefundExceedsPaid, WrongPaymentState, RefReused, NotFound.
    """
    payment = await lock(tx, payment_id)
    known = await store.legs(tx, ref)
    if known:
        if sum(leg.amount_fen for leg in known) != amount_fen or known[0].payment_id != payment_id:
            raise ledger.RefReused
        return payment
    _check_amount(amount_fen)
    return await _refund(tx, payment, payment.spread(amount_fen), ref=ref, given_as=ref, reason=reason)


async def give_back(tx: Tx, order_id: str, amount_fen: int, *, ref: str, reason: str) -> list[Leg]:
    """Give back this much of an order, over all its payments: each part of each gives its share of what it brought.

    Any row of refunds of an order ends like one refund of their sum. The same `ref` again gives nothing and returns the
    same legs. Raises RefundExceedsPaid, RefReused.
    """
    known = await store.legs(tx, ref)
    if known:
        if sum(leg.amount_fen for leg in known) != amount_fen:
            raise ledger.RefReused
        return known
    _check_amount(amount_fen)
    payments = [one for one in await store.of_order(tx, order_id) if one.was_applied]
    left = sum(payment.refundable_fen for payment in payments)
    if amount_fen > left:
        raise RefundExceedsPaid(left)
    given = spread(amount_fen, [share_of(part) for payment in payments for part in payment.parts])
    made: list[Leg] = []
    for payment in payments:
        mine, given = given[: len(payment.parts)], given[len(payment.parts) :]
        if any(mine):
            if (await lock(tx, payment.id)).version != payment.version:
                raise RetryTx
            await _refund(tx, payment, mine, ref=f"{ref}:{payment.id}", given_as=ref, reason=reason)
            made += _legs(payment, mine)
    return made


async def legs(tx: Tx, *, ref: str) -> list[Leg]:
    """What `give_back` of this reference gave; empty when there was none."""
    return await store.legs(tx, ref)


async def _refund(tx: Tx, payment: Payment, given: Sequence[int], *, ref: str, given_as: str, reason: str) -> Payment:
    """Move what each part gives out of the order's escrow. Raises RefundExceedsPaid, RefReused."""
    after = payment.refunded(given, tx.now)
    try:
        is_new = await _move(tx, payment, given, ledger.escrow(payment.order_id), ref=ref, reason=reason)
    except ledger.InsufficientFunds as short:
        raise RefundExceedsPaid(short.balance_fen) from None
    if not is_new:
        return payment
    await store.save(tx, after)
    await store.save_refund(tx, after, _legs(payment, given), ref=ref, given_as=given_as, reason=reason)
    return after


def _legs(payment: Payment, given: Sequence[int]) -> list[Leg]:
    return [
        Leg(payment.id, n, part.tender, fen, part.refunded(fen).points_refunded - part.points_refunded)
        for n, (part, fen) in enumerate(zip(payment.parts, given, strict=True), 1)
        if fen
    ]


def _check_amount(amount_fen: int) -> None:
    if amount_fen <= 0:
        raise ledger.BadTransfer(f"{amount_fen} fen cannot be given back")


async def _move(tx: Tx, payment: Payment, given: Sequence[int], source: str, *, ref: str, reason: str) -> bool:
    """Whether it had not been done before. Raises InsufficientFunds, RefReused."""
    if back := sum(leg.points for leg in _legs(payment, given)):
        await points.give_back(tx, payment.id, back, ref=ref, reason=REASON)
    entries = giving_back(payment, given, source)
    transfer = await wallet.move(tx, ref=ref, kind="refund", order_id=payment.order_id, note=reason, entries=entries)
    if transfer.repeated:
        return False
    for part, amount_fen in zip(payment.parts, given, strict=True):
        if part.by_channel and amount_fen:
            due = RefundDue(
                payment_id=payment.id,
                channel=part.tender.value,
                ref=ref,
                amount_fen=amount_fen,
                total_fen=part.amount_fen,
                reason=reason,
            )
            tx.tell(due, to=())
    return True
