"""Paying the chosen technician in time, and money that comes when nobody waits for it any more.

Money is decided by the state stored, never by the order in which news arrives (HS-152).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import dispatch
from rest.lines.homeservice import candidates, members, vouchers
from rest.lines.homeservice.actions.answering import accept_if_automatic
from rest.lines.homeservice.actions.pool import is_lock_running, unbind
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import PENDING_PAYMENT, POOL, Job
from rest.lines.homeservice.policies import PAY_POLICIES
from rest.lines.homeservice.prices import agreed_lines, relocked
from rest.lines.homeservice.vouchers import VoucherGone
from rest.money import channels, payments
from rest.money.payments import CHANNELS, Ask, MethodUnavailable, Part, PayPolicy, Purse, Tender
from rest.trade import orders
from rest.trade.orders import SYSTEM, By, Role, WrongState
from rest.trade.pricing import check_quote
from storage.tx import Tx


async def pay(
    tx: Tx,
    order_id: str,
    account_id: str,
    method: str = Tender.WALLET,
    *,
    asked: Sequence[Ask] = (),
    payer: str | None = None,
    open_channels: Collection[str] = (),
    shown: str | None = None,
) -> Job:
    """Take the price as it is asked for, by one method or several; the technician is told (HS-085).

    With a channel among them the order waits for its money, and what the others give is held meanwhile. After the
    payment window the late rule holds: the same technician is locked again and paid if he is still free and the order
    unlocked; else nothing is taken (HS-088). `shown` is the hash of the price the customer was shown.
    Raises NotFound, MethodUnavailable and other refusals of the policy, InsufficientFunds (nothing is taken),
    CandidateGone, WrongState, PriceChanged, VoucherGone.
    """
    wanted = tuple(asked) or (Ask(_tender(method)),)
    way = _Way(wanted, account_id, frozenset(open_channels), payer)
    if any(ask.tender in CHANNELS for ask in wanted):
        return await _begin(tx, order_id, way, shown)
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
    by = By(Role.CUSTOMER, account_id)
    if job.order.status == PENDING_PAYMENT and not is_lock_running(tx, job):
        job = await unbind(tx, job)
    if job.order.status in POOL and job.visit.worker_id is not None:
        now = await members.settle(tx, job)
        check_quote(agreed_lines(now), shown if now is job else shown or "")
        job = now
        if not await _has_voucher_again(tx, job):
            raise VoucherGone
        return await _pay_late(tx, job, by, await _open(tx, relocked(job), way))
    if not await orders.guard(tx, HOMESERVICE, job, "pay", by):
        return job
    job = await members.hold_price(tx, job, by, shown)
    return await _pay(tx, job, by, await _open(tx, job, way))


@dataclass(frozen=True, slots=True)
class _Way:
    """How somebody wants to pay."""

    asked: tuple[Ask, ...]
    account_id: str
    open_channels: Collection[str]
    payer: str | None


def _tender(method: str) -> Tender:
    try:
        return Tender(method)
    except ValueError:
        raise MethodUnavailable(method=method) from None


def policy_of(job: Job) -> PayPolicy:
    """What this order may be paid with."""
    return PAY_POLICIES[job.rules.pay_policy]


async def _parts(tx: Tx, job: Job, way: _Way) -> tuple[Part, ...]:
    """What the price is made up of. Raises MethodUnavailable and other refusals of the policy."""
    policy, worker_id = policy_of(job), job.visit.worker_id
    if len(way.asked) == 1 and way.asked[0].tender in CHANNELS | {Tender.WALLET}:
        purse = Purse(worker_id=worker_id)  # whoever pays all of it needs no look into the purse
    else:
        purse = await payments.purse(tx, way.account_id, order_id=job.order.id, worker_id=worker_id)
    return policy.plan(due_fen(job), way.asked, purse, way.open_channels)


async def _begin(tx: Tx, order_id: str, way: _Way, shown: str | None) -> Job:
    """Open a payment over a channel, which lasts as long as the payment window. The order waits for its money.

    Raises NotFound, PriceChanged, MethodUnavailable; WrongState: after the window nobody is locked whom the money could
    be for.
    """
    account_id, channel = way.account_id, next(ask.tender for ask in way.asked if ask.tender in CHANNELS)
    if channel not in way.open_channels:
        raise MethodUnavailable(method=channel.value)
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
    by = By(Role.CUSTOMER, account_id)
    if not await orders.guard(tx, HOMESERVICE, job, "pay", by):
        return job
    until = job.visit.lock_expires_at
    if until is None or not is_lock_running(tx, job):
        raise WrongState(status=job.order.status, verb="pay")
    job = await members.hold_price(tx, job, by, shown)
    if due_fen(job) == 0:  # a coupon or money of before has left nothing that a channel could take
        raise MethodUnavailable(method=channel.value)
    parts = await _parts(tx, job, way)
    if not any(part.by_channel for part in parts):  # the others cover it (FR-067)
        return await _pay(tx, job, by, await _open_parts(tx, job, account_id, parts))
    await channels.begin(
        tx,
        order_id=order_id,
        account_id=account_id,
        amount_fen=due_fen(job),
        lock_epoch=job.visit.lock_epoch,
        channel=channel.value,
        payer=way.payer,
        description=f"{job.item_name.get('zh-CN') or next(iter(job.item_name.values()))} {job.order.no}"[:100],
        expires_at=until,
        parts=parts,
        policy=policy_of(job),
        is_shared=job.rules.share_by_channel,
    )
    return job


async def _open(tx: Tx, job: Job, way: _Way) -> payments.Payment | None:
    """A payment of what is due; None when a coupon or money of before has left nothing to pay."""
    if due_fen(job) == 0:
        return None
    return await _open_parts(tx, job, way.account_id, await _parts(tx, job, way))


async def _open_parts(tx: Tx, job: Job, account_id: str, parts: tuple[Part, ...]) -> payments.Payment:
    return await payments.open_payment(
        tx,
        order_id=job.order.id,
        account_id=account_id,
        amount_fen=due_fen(job),
        lock_epoch=job.visit.lock_epoch,
        parts=parts,
        policy=policy_of(job),
    )


def told_of(payment: payments.Payment | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - values of a timeline
    """What the timeline and facts say of a payment; nothing was left to pay without one."""
    if payment is None:
        return {"payment_id": None, "method": Tender.WALLET.value, "parts": [], **more}
    return {"payment_id": payment.id, "method": payment.method.value, "parts": payments.summary(payment.parts), **more}


def due_fen(job: Job) -> int:
    """What the price asks beyond the money that an order turned into a pool order has kept (HS-068)."""
    return max(0, job.order.total_fen - job.order.kept_fen)


def paid(tx: Tx, job: Job) -> Job:
    """The job with its price paid; the technician's time to answer starts (HS-059).

    Money of before that the price does not need goes back (HS-068).
    """
    answer_due_at = tx.now + timedelta(seconds=job.rules.answer_s)
    order = replace(
        job.order,
        paid_fen=job.order.paid_fen + due_fen(job),
        refunded_fen=job.order.refunded_fen + max(0, job.order.kept_fen - job.order.total_fen),
    )
    return replace(job, order=order, visit=replace(job.visit, lock_expires_at=None, answer_due_at=answer_due_at))


async def _pay(tx: Tx, job: Job, by: By, payment: payments.Payment | None, **more: Any) -> Job:  # noqa: ANN401
    data = told_of(payment, **more)
    done = await orders.apply(tx, HOMESERVICE, job, "pay", by, after=paid(tx, job), data=data, payment=payment)
    return await accept_if_automatic(tx, done)


async def _pay_late(tx: Tx, job: Job, by: By, payment: payments.Payment | None, *, is_in: bool = False) -> Job:
    data = told_of(payment, late=is_in)
    after = paid(tx, relocked(job))
    done = await orders.apply(tx, HOMESERVICE, job, "pay_late", by, after=after, data=data, payment=payment)
    return await accept_if_automatic(tx, done)


async def receive_money(tx: Tx, order_id: str, payment_id: str, *, ref: str | None = None) -> Job:
    """A channel says that the money of this attempt has come; the caller has verified the news.

    In time: the order is paid. Late: the same technician is locked again if he is still free and the order is
    unlocked; else all of it goes back and the order stays as it is (HS-088, HS-058). The same news again changes
    nothing. Locks the worker, the order and the call before any account.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    if job.order.call_id is not None:
        await dispatch.lock_call(tx, job.order.call_id)
    if job.visit.voucher_id is not None:
        await vouchers.lock(tx, job.visit.voucher_id)
    if job.order.status == PENDING_PAYMENT and not is_lock_running(tx, job):
        job = await unbind(tx, job)
    waits = job.visit.lock_epoch if job.order.status == PENDING_PAYMENT else None
    receipt = await payments.receive(tx, payment_id, lock_epoch=waits, ref=ref)
    if receipt.repeated:
        return job
    if not receipt.late:
        return await _pay(tx, job, SYSTEM, receipt.payment, received=True)
    if await _is_good_after_all(tx, job, receipt.payment):
        return await _pay_late(tx, job, SYSTEM, receipt.payment, is_in=True)
    amount = receipt.payment.paid_fen
    data = told_of(receipt.payment, received=True) | {"parts": payments.summary(receipt.payment.arriving)}
    order = replace(job.order, paid_fen=job.order.paid_fen + amount, refunded_fen=job.order.refunded_fen + amount)
    after = replace(job, order=order)
    return await orders.apply(tx, HOMESERVICE, job, "return_money", SYSTEM, to=job.order.status, after=after, data=data)


async def _is_good_after_all(tx: Tx, job: Job, payment: payments.Payment) -> bool:
    """Late money of the last lock, an unlocked order, the technician free, its price with its voucher, all parts."""
    if job.order.status not in POOL or job.visit.worker_id is None or job.order.call_id is None:
        return False
    if payment.lock_epoch != job.visit.lock_epoch or payment.amount_fen != due_fen(relocked(job)):
        return False
    call = await dispatch.lock_call(tx, job.order.call_id)
    if not await candidates.is_free_for(tx, call, job.visit.worker_id):
        return False
    if not await _has_voucher_again(tx, job):
        return False
    if await payments.hold_late(tx, payment.id):
        return True
    await vouchers.release(tx, job.order.id)
    return False


async def _has_voucher_again(tx: Tx, job: Job) -> bool:
    """Whether an order that was let go has its price still: with a voucher, only while a piece is left for it."""
    visit = job.visit
    return visit.voucher_id is None or await vouchers.hold(tx, job.order.id, visit.voucher_id, visit.voucher_fen)


async def fail_payment(tx: Tx, order_id: str, payment_id: str, reason: str) -> Job:
    """A channel refused the payment: support is asked; until the lock ends the customer may pay again (HS-087)."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    failed = await payments.fail(tx, payment_id, reason)
    if job.order.status != PENDING_PAYMENT or failed.lock_epoch != job.visit.lock_epoch:
        return job
    return await orders.apply(tx, HOMESERVICE, job, "fail_payment", SYSTEM, data=told_of(failed, reason=reason))
