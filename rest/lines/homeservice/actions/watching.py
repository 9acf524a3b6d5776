"""What happens when time is up: one verb per timer, each called with the job locked and its timer due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from rest.lines.homeservice.actions.visiting import ended
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.trade import orders
from rest.trade.orders import SYSTEM
from storage.tx import Tx


async def nobody_grabbed(tx: Tx, job: Job) -> Job:
    """First the order is pushed again, wider, and support is asked; then the lead and the customer are told.

    As long as it stays in the pool it is pushed again whenever its offers have run out.
    Source: HS-078, HS-079.
    """
    if job.visit.no_grab_stage == LEAD_IS_DUE:
        visit = replace(job.visit, no_grab_stage=PUSH_AGAIN, no_grab_due_at=_after(tx, job.rules.offer_s))
        return await _step(tx, job, "raise_no_grab", replace(job, visit=visit), reason="no_grab")
    is_first = job.visit.no_grab_stage == 0
    lead_due_at = job.visit.pool_entered_at + timedelta(seconds=job.rules.no_grab_lead_s)
    visit = replace(
        job.visit,
        no_grab_stage=LEAD_IS_DUE if is_first else PUSH_AGAIN,
        no_grab_due_at=lead_due_at if is_first else _after(tx, job.rules.offer_s),
        push_round=job.visit.push_round + 1,
    )
    return await _step(tx, job, "push_again", replace(job, visit=visit))


LEAD_IS_DUE, PUSH_AGAIN = 1, 2
"""Stages of an order nobody grabs, after the first push."""


def _after(tx: Tx, seconds: int) -> datetime:
    return tx.now + timedelta(seconds=seconds)


async def nobody_chose(tx: Tx, job: Job) -> Job:
    """HS-081."""
    return await _step(tx, job, "ask_choice", replace(job, visit=replace(job.visit, choice_due_at=None)))


async def start_is_near(tx: Tx, job: Job) -> Job:
    """HS-098: no technician is paid for; the customer may change the time or cancel."""
    after = replace(job, visit=replace(job.visit, pool_close_due_at=None))
    return await _step(tx, job, "near_start", after, reason="pool_expired")


async def nobody_answered(tx: Tx, job: Job) -> Job:
    """HS-064: the order stays paid, the technician may still answer until support acts."""
    return await _step(tx, job, "miss_answer", replace(job, visit=replace(job.visit, answer_due_at=None)))


async def nobody_departed(tx: Tx, job: Job) -> Job:
    """HS-112."""
    after = replace(job, visit=replace(job.visit, departure_due_at=None))
    return await _step(tx, job, "miss_departure", after, reason="late_departure")


async def time_is_up(tx: Tx, job: Job) -> Job:
    """HS-107: the service ends by itself."""
    return await _step(tx, job, "time_up", ended(tx, job))


async def nobody_confirmed(tx: Tx, job: Job) -> Job:
    """HS-110: the technician may leave alone from now on."""
    after = replace(job, visit=replace(job.visit, leave_due_at=None))
    return await _step(tx, job, "miss_confirmation", after)


async def _step(tx: Tx, job: Job, verb: str, after: Job, *, reason: str | None = None) -> Job:
    data = {"reason": reason} if reason else {}
    return await orders.apply(tx, HOMESERVICE, job, verb, SYSTEM, after=after, data=data)
