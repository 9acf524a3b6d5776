"""The visit: departure, arrival, service with the customer's code, its end, and leaving (HS-101 to HS-113)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from geo import haversine_m
from rest.lines.homeservice import candidates, codes
from rest.lines.homeservice.actions.breaking import leave_unmet, not_waiting
from rest.lines.homeservice.errors import NotConfirmed, PositionUnknown, TooEarly, TooFar
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import (
    ARRIVED,
    CLOSED_PENALTY,
    IN_SERVICE,
    LEAVE_CONFIRMED,
    SERVICE_ENDED,
    Job,
    visit_end,
)
from rest.lines.homeservice.technicians import count_done
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.codec import instant
from storage.tx import Tx


async def depart(tx: Tx, order_id: str, worker_id: str) -> Job:
    """On the way; the customer sees the position from now on (HS-101). Raises NotFound, TooEarly, WrongState."""
    job, by = await _lock_mine(tx, order_id, worker_id)
    if not await orders.guard(tx, HOMESERVICE, job, "depart", by):
        return job
    earliest_at = job.visit.start_at - timedelta(seconds=job.rules.depart_early_s)
    if tx.now < earliest_at:
        raise TooEarly(earliest_at=instant(earliest_at))
    after = replace(job, visit=replace(job.visit, departed_at=tx.now, departure_due_at=None))
    return await orders.apply(tx, HOMESERVICE, job, "depart", by, after=after)


async def arrive(tx: Tx, order_id: str, worker_id: str) -> Job:
    """At the door; tracking ends (HS-103). Raises NotFound, PositionUnknown, TooFar, WrongState."""
    job, by = await _lock_mine(tx, order_id, worker_id)
    if not await orders.guard(tx, HOMESERVICE, job, "arrive", by):
        return job
    position = await candidates.last_position(tx, worker_id)
    if position is None or tx.now - position.at > timedelta(seconds=job.rules.position_fresh_s):
        raise PositionUnknown
    distance_m = haversine_m(position.point, job.visit_point)
    if distance_m > job.rules.arrive_near_m:
        raise TooFar(distance_m=round(distance_m), near_m=job.rules.arrive_near_m)
    return await _arrived(tx, job, by, {"distance_m": round(distance_m)})


async def confirm_arrival(tx: Tx, order_id: str, staff_id: str, note: str) -> Job:
    """Support confirms an arrival that the position does not show (HS-103). Raises NotFound, WrongState."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    return await _arrived(tx, job, By(Role.STAFF, staff_id), {"note": note})


async def _arrived(tx: Tx, job: Job, by: By, data: dict[str, object]) -> Job:
    after = replace(job, visit=replace(job.visit, arrived_at=tx.now))
    return await orders.apply(tx, HOMESERVICE, job, "arrive", by, after=after, data=data)


async def start(tx: Tx, order_id: str, worker_id: str, code: str) -> Job:
    """Start the service with the code the customer shows; the clock runs (HS-104, HS-105).

    Raises NotFound, WrongState, CodeInvalid, StartCodeExpired, CodeUsed. A wrong try is counted by the caller, in a
    transaction of its own, because this one is undone.
    """
    job, by = await _lock_mine(tx, order_id, worker_id)
    if job.order.status != IN_SERVICE:
        HOMESERVICE.machine.decide(job.order.status, "start", by)
    await codes.use(tx, order_id, code)
    ends_at = visit_end(tx.now, job.visit.minutes)
    after = not_waiting(replace(job, visit=replace(job.visit, started_at=tx.now, ends_at=ends_at)))
    return await orders.apply(tx, HOMESERVICE, job, "start", by, after=after)


async def end(tx: Tx, order_id: str, account_id: str) -> Job:
    """The customer ends the service; unused time is not refunded (HS-106). Raises NotFound, WrongState."""
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
    by = By(Role.CUSTOMER, account_id)
    if not await orders.guard(tx, HOMESERVICE, job, "end", by):
        return job
    return await orders.apply(tx, HOMESERVICE, job, "end", by, after=ended(tx, job))


def ended(tx: Tx, job: Job) -> Job:
    """The job with its service over; the technician may leave alone after a while (HS-110).

    It ended when its time was up at the latest, also when the timer fires late (HS-217).
    """
    ended_at = min(tx.now, job.visit.ends_at or tx.now)
    leave_due_at = ended_at + timedelta(seconds=job.rules.leave_alone_s)
    return replace(job, visit=replace(job.visit, ended_at=ended_at, leave_due_at=leave_due_at))


async def confirm_left(tx: Tx, order_id: str, account_id: str) -> Job:
    """The customer confirms that the technician left (HS-108). Raises NotFound, WrongState."""
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
    by = By(Role.CUSTOMER, account_id)
    if not await orders.guard(tx, HOMESERVICE, job, "confirm_left", by):
        return job
    return await orders.apply(tx, HOMESERVICE, job, "confirm_left", by)


async def leave(tx: Tx, order_id: str, worker_id: str) -> Job:
    """The technician has left: the order is completed and its money shared out (HS-109).

    At a closed door: he has waited long enough (HS-127). Raises NotFound, WrongState; NotConfirmed until the customer
    has confirmed or half an hour has passed; NotWaiting, WaitNotOver at the door.
    """
    job, by = await _lock_mine(tx, order_id, worker_id)
    if job.order.status == ARRIVED:
        return await leave_unmet(tx, job, by)
    if job.order.status == CLOSED_PENALTY and await orders.is_repeat(tx, job.order, "leave_unmet", by):
        return job
    if not await orders.guard(tx, HOMESERVICE, job, "leave", by):
        return job
    if job.order.status == SERVICE_ENDED and not _may_leave_alone(tx, job):
        raise NotConfirmed
    is_confirmed = job.order.status == LEAVE_CONFIRMED
    done = await orders.apply(tx, HOMESERVICE, job, "leave", by, data={"confirmed": is_confirmed})
    await count_done(tx, worker_id)
    return done


def _may_leave_alone(tx: Tx, job: Job) -> bool:
    ended_at = job.visit.ended_at
    return ended_at is not None and tx.now >= ended_at + timedelta(seconds=job.rules.leave_alone_s)


async def ask_help(tx: Tx, job: Job, by: By) -> Job:
    """A person asks for help: all of support is called at top priority, with the last position (HS-111)."""
    worker_id = job.order.provider_id
    position = await candidates.last_position(tx, worker_id) if worker_id else None
    data = {"lon": position.point.lon, "lat": position.point.lat} if position else {}
    return await orders.apply(tx, HOMESERVICE, job, "ask_help", by, to=job.order.status, data=data)


async def _lock_mine(tx: Tx, order_id: str, worker_id: str) -> tuple[Job, By]:
    job = await orders.lock_for_worker(tx, HOMESERVICE, order_id, worker_id)
    return job, By(Role.WORKER, worker_id)
