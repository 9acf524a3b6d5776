"""Cancelling. Before departure: at once while nothing is bound, otherwise support decides (HS-089 to HS-091)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rest.lines.homeservice import candidates
from rest.lines.homeservice.actions.breaking import ask_end
from rest.lines.homeservice.actions.pool import is_lock_running, unbind
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import (
    BOUND,
    HAS_CANDIDATES,
    IN_POOL,
    ON_THE_WAY,
    PAID,
    PENDING_PAYMENT,
    POOL,
    Job,
    enter_pool,
)
from rest.trade import orders
from rest.trade.orders import By, Role, WrongState
from storage.tx import Tx


async def cancel(tx: Tx, order_id: str, account_id: str, reason: str) -> Job:
    """The customer wants out. Unpaid and unlocked orders end at once; others wait for support's word.

    From `departed` on it may cost a penalty (part 4.9). Asking again changes nothing. Raises NotFound, WrongState (from
    `in_service` on).
    """
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
    by = By(Role.CUSTOMER, account_id)
    if job.order.status in ON_THE_WAY:
        return await ask_end(tx, job, by, reason)
    may_at_once = job.order.kept_fen == 0 and not job.rules.support_confirms_unpaid_cancel
    at_once = job.order.status in POOL and may_at_once
    verb = "cancel" if at_once or job.order.closed_at is not None else "ask_cancel"
    if not await orders.guard(tx, HOMESERVICE, job, verb, by):
        return job
    before = None if at_once else job.order.status
    after = replace(job, order=replace(job.order, status_before_cancel=before))
    return await orders.apply(tx, HOMESERVICE, job, verb, by, after=after, data={"reason": reason})


async def cancel_for(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """Support cancels an order that nobody is paid for, with its customer's word (HS-080, HS-081, HS-087).

    In the pool it ends at once, and what an order turned into a pool order has kept goes back; with a technician locked
    a cancel request is opened. Raises NotFound, WrongState, CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    if job.order.status not in (*POOL, PENDING_PAYMENT):
        raise WrongState(status=job.order.status, verb="cancel")
    if job.order.status in POOL:
        after = replace(job, order=replace(job.order, refunded_fen=job.order.paid_fen))
        return await orders.apply(tx, HOMESERVICE, job, "cancel", by, after=after, data=data)
    after = replace(job, order=replace(job.order, status_before_cancel=job.order.status))
    return await orders.apply(tx, HOMESERVICE, job, "ask_cancel", by, after=after, data=data)


async def decide_cancel(
    tx: Tx, order_id: str, staff_id: str, *, saved: bool, note: str, case_id: str | None = None
) -> Job:
    """Support's word on a cancel request: back to where it was, or the end with everything paid given back.

    Raises NotFound, WrongState, CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    if not saved:
        # Money alone is no sign of a technician: an order that seeks another one keeps what was paid.
        was_bound = job.order.kept_fen > 0 and job.order.status_before_cancel in BOUND
        order = replace(
            job.order,
            refunded_fen=job.order.paid_fen,
            provider_id=job.order.provider_id if was_bound else None,
        )
        visit = replace(job.visit, lock_expires_at=None)
        return await orders.apply(
            tx, HOMESERVICE, job, "drop", by, after=replace(job, order=order, visit=visit), data=data
        )
    HOMESERVICE.machine.decide(job.order.status, "save", by, IN_POOL)
    if job.order.status_before_cancel == PENDING_PAYMENT and not is_lock_running(tx, job):
        job = await unbind(tx, job)
    to, after = await _restored(tx, job)
    return await orders.apply(tx, HOMESERVICE, job, "save", by, to=to, after=after, data=data)


async def _restored(tx: Tx, job: Job) -> tuple[str, Job]:
    """The former state; a running lock starts anew, without a technician it is the pool (HS-090)."""
    to, visit = job.order.status_before_cancel or IN_POOL, job.visit
    if to in POOL:
        to = HAS_CANDIDATES if await candidates.count_waiting(tx, job.order.call_id or "") else IN_POOL
        if to == IN_POOL:
            visit = enter_pool(visit, job.rules, tx.now)
    elif to == PENDING_PAYMENT:
        visit = replace(visit, lock_expires_at=tx.now + timedelta(seconds=job.rules.lock_s))
    elif to == PAID:
        visit = replace(visit, answer_due_at=tx.now + timedelta(seconds=job.rules.answer_s))
    order = replace(job.order, status_before_cancel=None)
    return to, replace(job, order=order, visit=visit)
