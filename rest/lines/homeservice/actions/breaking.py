"""Breaks after departure: the customer or the technician wants out, nobody opens (HS-114 to HS-128).

People only say what they want; support talks to both sides and decides (spec part 10 rows 6 and 7). The one who may end
an order by himself is a technician who has waited at a closed door.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rest.lines.homeservice import breaks, candidates
from rest.lines.homeservice.errors import NotWaiting, WaitNotOver
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import CLOSED_PENALTY, Job
from rest.money.refunds.ladder import Outcome
from rest.trade import orders
from rest.trade.orders import SYSTEM, By, Role
from storage.tx import Tx

# The customer wants out


async def ask_end(tx: Tx, job: Job, by: By, reason: str) -> Job:
    """The customer does not want the visit any more; nothing changes until support has talked to him (HS-114, HS-123).

    Needs the lock. Asking again changes nothing. Raises WrongState.
    """
    if await orders.is_repeat(tx, job.order, "ask_end", by):
        return job
    return await orders.apply(tx, HOMESERVICE, job, "ask_end", by, data={"reason": reason})


async def record_phone_cancel(tx: Tx, order_id: str, staff_id: str, note: str) -> Job:
    """The customer has cancelled by phone; support writes it down (HS-117). Raises NotFound, WrongState."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by = By(Role.STAFF, staff_id)
    if await orders.is_repeat(tx, job.order, "ask_end", by):
        return job
    return await orders.apply(tx, HOMESERVICE, job, "ask_end", by, data={"reason": "by_phone", "note": note})


async def let_customer_go_on(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """The customer goes on after all (HS-115, HS-124). Raises NotFound, WrongState, CaseNotOpen."""
    return await _decided(tx, order_id, "go_on", By(Role.STAFF, staff_id), note=note, case_id=case_id)


async def break_off(
    tx: Tx, order_id: str, staff_id: str, note: str, *, shown: str | None = None, case_id: str | None = None
) -> Job:
    """The customer insists: the order ends, the penalty is kept, the rest goes back (HS-116, HS-125).

    `shown` names the preview that support has read out. Raises NotFound, WrongState, CaseNotOpen, PreviewChanged.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by = By(Role.STAFF, staff_id)
    HOMESERVICE.machine.decide(job.order.status, "insist", by)
    outcome = breaks.outcome_done(job, tx.now, shown=shown)
    return await _end_with_penalty(tx, job, "insist", by, outcome, note=note, case_id=case_id)


async def _end_with_penalty(tx: Tx, job: Job, verb: str, by: By, outcome: Outcome, **said: str | None) -> Job:
    data = {**breaks.penalty_parts(outcome), "tier": outcome.tier, **said}
    order = replace(job.order, refunded_fen=job.order.refunded_fen + outcome.refund_fen)
    after = not_waiting(replace(job, order=order))
    return await orders.apply(tx, HOMESERVICE, job, verb, by, to=CLOSED_PENALTY, after=after, data=data)


# The technician wants out


async def ask_terminate(tx: Tx, order_id: str, worker_id: str, reason: str) -> Job:
    """The technician does not want to go on; he cannot end it himself, support is asked (HS-118).

    Raises NotFound, WrongState.
    """
    job = await orders.lock_for_worker(tx, HOMESERVICE, order_id, worker_id)
    by = By(Role.WORKER, worker_id)
    if await orders.is_repeat(tx, job.order, "ask_terminate", by):
        return job
    return await orders.apply(tx, HOMESERVICE, job, "ask_terminate", by, data={"reason": reason})


async def let_technician_go_on(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """The technician goes on after all (HS-119). Raises NotFound, WrongState, CaseNotOpen."""
    return await _decided(tx, order_id, "resume_trip", By(Role.STAFF, staff_id), note=note, case_id=case_id)


async def terminate(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """The technician will not, and the customer wants nobody else: all goes back, the technician pays (HS-120, HS-122).

    Raises NotFound, WrongState, CaseNotOpen.
    """
    return await _end_for_nothing(tx, order_id, "terminate", By(Role.STAFF, staff_id), note=note, case_id=case_id)


# Nobody opens


async def miss_customer(tx: Tx, order_id: str, worker_id: str) -> Job:
    """The technician reaches nobody at the door: his wait begins, support calls both (HS-126).

    While he waits already nothing changes. Raises NotFound, WrongState.
    """
    job = await orders.lock_for_worker(tx, HOMESERVICE, order_id, worker_id)
    by = By(Role.WORKER, worker_id)
    HOMESERVICE.machine.decide(job.order.status, "miss_customer", by)
    if job.visit.wait_started_at is not None:
        return job
    due_at = tx.now + timedelta(seconds=job.rules.wait_s)
    after = replace(job, visit=replace(job.visit, wait_started_at=tx.now, wait_due_at=due_at))
    position = await candidates.last_position(tx, worker_id)
    data = {"lon": position.point.lon, "lat": position.point.lat} if position else {}
    return await orders.apply(tx, HOMESERVICE, job, "miss_customer", by, after=after, data=data)


async def wait_is_over(tx: Tx, job: Job) -> Job:
    """The wait was long enough: everybody is told (spec part 7)."""
    after = replace(job, visit=replace(job.visit, wait_due_at=None))
    return await orders.apply(tx, HOMESERVICE, job, "wait_over", SYSTEM, after=after)


async def find_customer(tx: Tx, job: Job, by: By, note: str | None = None, *, case_id: str | None = None) -> Job:
    """The customer is there: the wait ends, the service may start (HS-128).

    Needs the lock. Raises WrongState, NotWaiting; of support also CaseNotOpen.
    """
    HOMESERVICE.machine.decide(job.order.status, "find_customer", by)
    if job.visit.wait_started_at is None:
        if await orders.is_repeat(tx, job.order, "find_customer", by):
            return job
        raise NotWaiting
    data = {"note": note, "case_id": case_id} if note else {}
    return await orders.apply(tx, HOMESERVICE, job, "find_customer", by, after=not_waiting(job), data=data)


async def leave_unmet(tx: Tx, job: Job, by: By, note: str | None = None, *, case_id: str | None = None) -> Job:
    """The technician has waited long enough and leaves; the penalty is kept (HS-127). By support: it has his word.

    Needs the lock. Raises WrongState, NotWaiting, WaitNotOver with the seconds left; of support also CaseNotOpen.
    """
    HOMESERVICE.machine.decide(job.order.status, "leave_unmet", by)
    if job.visit.wait_started_at is None:
        raise NotWaiting
    left_s = breaks.wait_left_s(job, tx.now)
    if left_s:
        raise WaitNotOver(seconds_left=left_s)
    outcome = breaks.outcome_done(job, tx.now, no_show=True)
    return await _end_with_penalty(tx, job, "leave_unmet", by, outcome, note=note, case_id=case_id)


async def excuse(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """A supervisor ends the wait and the order without any penalty (5.9). Raises NotFound, WrongState, CaseNotOpen."""
    return await _end_for_nothing(tx, order_id, "excuse", By(Role.STAFF, staff_id), note=note, case_id=case_id)


def not_waiting(job: Job) -> Job:
    """The job with nobody at a closed door."""
    return replace(job, visit=replace(job.visit, wait_started_at=None, wait_due_at=None))


async def call_off(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """No technician comes in time: before departure the order ends, and keeps nothing (HS-063, HS-067).

    Raises NotFound, WrongState, CaseNotOpen.
    """
    return await _end_for_nothing(tx, order_id, "call_off", By(Role.STAFF, staff_id), note=note, case_id=case_id)


async def _decided(tx: Tx, order_id: str, verb: str, by: By, **said: str | None) -> Job:
    """Support's word, after which all is as it was."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    return await orders.apply(tx, HOMESERVICE, job, verb, by, data=said)


async def _end_for_nothing(tx: Tx, order_id: str, verb: str, by: By, **said: str | None) -> Job:
    """The order ends and keeps nothing of its customer's money; the coupon is his again."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    after = not_waiting(replace(job, order=replace(job.order, refunded_fen=job.order.paid_fen)))
    return await orders.apply(tx, HOMESERVICE, job, verb, by, after=after, data=said)
