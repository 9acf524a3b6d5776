"""The technician's answer to a paid order, and what support makes of a rejection (HS-060, HS-061, HS-092 to 096)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rest.lines.homeservice import technicians
from rest.lines.homeservice.errors import AlreadyAnswered
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import BOUND, CANCEL_REQUESTED, PAID, Job, departure_due
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.errors import Malformed
from storage.tx import Tx


async def accept(tx: Tx, order_id: str, worker_id: str) -> Job:
    """Take the paid order; the exact address shows. Raises NotFound, AlreadyAnswered, WrongState."""
    job, is_repeat = await _lock_to_answer(tx, order_id, worker_id, "accept")
    if is_repeat:
        return job
    return await orders.apply(tx, HOMESERVICE, job, "accept", By(Role.WORKER, worker_id), after=agreed(job))


async def reject(tx: Tx, order_id: str, worker_id: str, reason: str) -> Job:
    """Refuse the paid order; support talks first to the technician (HS-092). Raises Malformed, and as `accept`."""
    if not reason.strip():
        raise Malformed("Say why.", field="reason")  # HS-061
    job, is_repeat = await _lock_to_answer(tx, order_id, worker_id, "reject")
    if is_repeat:
        return job
    by = By(Role.WORKER, worker_id)
    return await orders.apply(tx, HOMESERVICE, job, "reject", by, data={"reason": reason})


async def accept_if_automatic(tx: Tx, job: Job) -> Job:
    """Accept a just paid order for a technician who has set that; the slot is his already (HS-071)."""
    worker_id = job.order.provider_id
    if worker_id is None or not await technicians.accepts_by_itself(tx, worker_id):
        return job
    by = By(Role.WORKER, worker_id)
    return await orders.apply(tx, HOMESERVICE, job, "accept", by, after=agreed(job), data={"reason": "auto_accept"})


async def _lock_to_answer(tx: Tx, order_id: str, worker_id: str, verb: str) -> tuple[Job, bool]:
    job = await orders.lock_for_worker(tx, HOMESERVICE, order_id, worker_id)
    is_answered = job.order.status != PAID and job.order.status in (*BOUND, CANCEL_REQUESTED)
    by = By(Role.WORKER, worker_id)
    if is_answered and not await orders.is_repeat(tx, job.order, verb, by):
        raise AlreadyAnswered(status=job.order.status)
    return job, not await orders.guard(tx, HOMESERVICE, job, verb, by)


def agreed(job: Job) -> Job:
    """The job with its technician agreed: departure is watched from now on (HS-112)."""
    due_at = departure_due(job.rules, job.visit.start_at)
    return replace(job, visit=replace(job.visit, answer_due_at=None, departure_due_at=due_at))


async def ask_again(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """Support has reached the technician: he has his time to answer, or to depart, once more (HS-065, HS-112).

    Raises NotFound, WrongState, CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    if job.order.status == PAID:
        visit = replace(job.visit, answer_due_at=tx.now + timedelta(seconds=job.rules.answer_s))
    else:
        visit = replace(job.visit, departure_due_at=tx.now + timedelta(seconds=job.rules.depart_late_s))
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    return await orders.apply(tx, HOMESERVICE, job, "ask_again", by, after=replace(job, visit=visit), data=data)


async def decide_rejection(
    tx: Tx, order_id: str, staff_id: str, *, outcome: str, note: str, case_id: str | None = None
) -> Job:
    """What came of a rejection: `technician_agreed`, or `cancel` when the customer wants nobody else.

    Raises NotFound, WrongState, CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    if outcome == "technician_agreed":
        return await orders.apply(tx, HOMESERVICE, job, "agree", by, after=agreed(job), data=data)
    after = replace(job, order=replace(job.order, status_before_cancel=job.order.status))
    return await orders.apply(tx, HOMESERVICE, job, "give_up", by, after=after, data=data)
