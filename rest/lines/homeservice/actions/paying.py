"""Paying the chosen technician in time, and money that comes when nobody waits for it any more.

Money is decided by the state stored, never by the order in which news arrives (HS-152).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import dispatch
from rest.lines.homeservice import candidates
from rest.lines.homeservice.actions.answering import accept_if_automatic
from rest.lines.homeservice.actions.pool import is_lock_running, unbind
from rest.lines.homeservice.errors import MethodUnavailable
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import PENDING_PAYMENT, POOL, Job
from rest.lines.homeservice.prices import agreed_lines
from rest.money import payments
from rest.money.payments import Method
from rest.trade import orders
from rest.trade.orders import SYSTEM, By, Role
from rest.trade.pricing import check_quote, total
from storage.postgres import RetryTx
from storage.tx import Tx


async def pay(tx: Tx, order_id: str, account_id: str, method: str, *, shown: str | None = None) -> Job:
    """Take the price from the customer's wallet; the technician is told (HS-085).

    After the payment window the late rule holds: the same technician is locked again and paid if he is still free
    and the order unlocked; else nothing is taken (HS-088). `shown` is the hash of the price the customer was shown.
    Raises NotFound, MethodUnavailable, InsufficientFunds (nothing is taken), CandidateGone, WrongState, PriceChanged.
    """
    if method != Method.WALLET:
        raise MethodUnavailable(method=method)
    seen = await orders.read_for_customer(tx, HOMESERVICE, order_id, account_id)
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id, workers=_last_worker(seen))
    _check_last_worker(seen, job)
    by = By(Role.CUSTOMER, account_id)
    if job.order.status == PENDING_PAYMENT and not is_lock_running(tx, job):
        job = await unbind(tx, job)
    if job.order.status in POOL and job.visit.worker_id is not None:
        check_quote(agreed_lines(job), shown)
        return await _pay_late(tx, job, by, await _open(tx, relocked(job)))
    if not await orders.guard(tx, HOMESERVICE, job, "pay", by):
        return job
    check_quote(agreed_lines(job), shown)
    payment = await _open(tx, job)
    return await _pay(tx, job, by, {"payment_id": payment.id if payment else None, "method": method})


async def _open(tx: Tx, job: Job) -> payments.Payment | None:
    """An attempt over the order's price; None when a coupon has left nothing to pay."""
    if job.order.total_fen == 0:
        return None
    return await payments.open_payment(
        tx,
        order_id=job.order.id,
        account_id=job.order.customer_id,
        amount_fen=job.order.total_fen,
        lock_epoch=job.visit.lock_epoch,
    )


def paid(tx: Tx, job: Job) -> Job:
    """The job with its price paid; the technician's time to answer starts (HS-059)."""
    answer_due_at = tx.now + timedelta(seconds=job.rules.answer_s)
    order = replace(job.order, paid_fen=job.order.paid_fen + job.order.total_fen)
    return replace(job, order=order, visit=replace(job.visit, lock_expires_at=None, answer_due_at=answer_due_at))


def relocked(job: Job) -> Job:
    """The job with its last chosen technician locked again at the price of his lock."""
    visit = job.visit
    order = replace(job.order, provider_id=visit.worker_id, total_fen=total(agreed_lines(job)))
    return replace(job, order=order, visit=replace(visit, lock_epoch=visit.lock_epoch + 1))


async def _pay(tx: Tx, job: Job, by: By, data: dict[str, Any]) -> Job:
    done = await orders.apply(tx, HOMESERVICE, job, "pay", by, after=paid(tx, job), data=data)
    return await accept_if_automatic(tx, done)


async def _pay_late(tx: Tx, job: Job, by: By, payment: payments.Payment | None, *, is_in: bool = False) -> Job:
    method = payment.method if payment is not None else Method.WALLET
    data = {"payment_id": payment.id if payment else None, "method": method.value, "late": is_in}
    after = paid(tx, relocked(job))
    done = await orders.apply(tx, HOMESERVICE, job, "pay_late", by, after=after, data=data)
    return await accept_if_automatic(tx, done)


async def receive_money(tx: Tx, order_id: str, payment_id: str, *, ref: str | None = None) -> Job:
    """A channel says that the money of this attempt has come; the caller has verified the news.

    In time: the order is paid. Late: the same technician is locked again if he is still free and the order is
    unlocked; else all of it goes back and the order stays as it is (HS-088, HS-058). The same news again changes
    nothing. Locks the worker, the order and the call before any account.
    """
    seen = await orders.read_for_staff(tx, HOMESERVICE, order_id)
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id, workers=_last_worker(seen))
    _check_last_worker(seen, job)
    if job.order.call_id is not None:
        await dispatch.lock_call(tx, job.order.call_id)
    if job.order.status == PENDING_PAYMENT and not is_lock_running(tx, job):
        job = await unbind(tx, job)
    waits = job.visit.lock_epoch if job.order.status == PENDING_PAYMENT else None
    receipt = await payments.receive(tx, payment_id, lock_epoch=waits, ref=ref)
    if receipt.repeated:
        return job
    data = {"payment_id": payment_id, "method": receipt.payment.method.value, "received": True}
    if not receipt.late:
        return await _pay(tx, job, SYSTEM, data)
    if await _is_good_after_all(tx, job, receipt.payment):
        return await _pay_late(tx, job, SYSTEM, receipt.payment, is_in=True)
    amount = receipt.payment.amount_fen
    order = replace(job.order, paid_fen=job.order.paid_fen + amount, refunded_fen=job.order.refunded_fen + amount)
    after = replace(job, order=order)
    return await orders.apply(tx, HOMESERVICE, job, "return_money", SYSTEM, to=job.order.status, after=after, data=data)


async def _is_good_after_all(tx: Tx, job: Job, payment: payments.Payment) -> bool:
    """Late money of the last lock, an unlocked order, the same technician free, and the same price."""
    if job.order.status not in POOL or job.visit.worker_id is None or job.order.call_id is None:
        return False
    if payment.lock_epoch != job.visit.lock_epoch or payment.amount_fen != relocked(job).order.total_fen:
        return False
    call = await dispatch.lock_call(tx, job.order.call_id)
    return await candidates.is_free_for(tx, call, job.visit.worker_id)


async def fail_payment(tx: Tx, order_id: str, payment_id: str, reason: str) -> Job:
    """A channel refused the payment: support is asked; until the lock ends the customer may pay again (HS-087)."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    failed = await payments.fail(tx, payment_id, reason)
    if job.order.status != PENDING_PAYMENT or failed.lock_epoch != job.visit.lock_epoch:
        return job
    return await orders.apply(
        tx, HOMESERVICE, job, "fail_payment", SYSTEM, data={"payment_id": payment_id, "reason": reason}
    )


def _check_last_worker(seen: Job, job: Job) -> None:
    """The late rule may need the last chosen technician's lock. Raises RetryTx when another was chosen meanwhile."""
    if job.visit.worker_id not in {None, seen.visit.worker_id, job.order.provider_id}:
        raise RetryTx


def _last_worker(job: Job) -> tuple[str, ...]:
    return (job.visit.worker_id,) if job.visit.worker_id is not None else ()
