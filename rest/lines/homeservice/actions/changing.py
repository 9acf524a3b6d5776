"""Another technician for an order whose first one does not come, or another way to one (HS-062 to HS-069, HS-121)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import dispatch
from dispatch.model import Grab, SlotConflict
from geo import geodesic_m
from rest.lines.homeservice.actions.pool import quote_for
from rest.lines.homeservice.errors import SameTechnician, TechnicianBusy
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import PAID, Job, departure_due, enter_pool, pool_close_due
from rest.lines.homeservice.prices import agreed_lines
from rest.lines.homeservice.store import Bidder
from rest.lines.homeservice.technicians import free_travel_m
from rest.trade import orders
from rest.trade.orders import By, Role
from rest.trade.pricing import total
from storage.tx import Tx


async def change_technician(
    tx: Tx, order_id: str, staff_id: str, worker_id: str, note: str, *, case_id: str | None = None
) -> Job:
    """Support has found a technician who comes instead, and the customer agrees (HS-062, HS-066, HS-095, HS-121).

    Of an order nobody has answered yet he is asked as the first one was; of any other support has his word. Who would
    not go on though under way pays his penalty. The customer pays no more: a longer way is the platform's, of a shorter
    one he has the difference back (HS-069, part 8).
    Raises NotFound, WrongState, CaseNotOpen, SameTechnician, TechnicianBusy, NotEligible.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id, workers=(worker_id,))
    by, former = By(Role.STAFF, staff_id), job.order.provider_id
    HOMESERVICE.machine.decide(job.order.status, "change_technician", by)
    if worker_id == former:
        raise SameTechnician
    grab = await _assign(tx, job, worker_id)
    after = _changed(job, grab, tx.now)
    data = {"note": note, "case_id": case_id, "former_worker_id": former, "worker_id": worker_id}
    return await orders.apply(tx, HOMESERVICE, job, "change_technician", by, after=after, data=data)


async def convert_to_pool(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """The paid technician does not come and the customer agrees to choose anew: the order is pushed again (HS-068).

    What was paid stays with the order; of the next price the difference is charged or goes back. The technician never
    comes back to this order, and his voucher is his again. Raises NotFound, WrongState, CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by = By(Role.STAFF, staff_id)
    HOMESERVICE.machine.decide(job.order.status, "convert_to_pool", by)
    visit = replace(
        enter_pool(job.visit, job.rules, tx.now),
        push_round=job.visit.push_round + 1,
        pool_close_due_at=pool_close_due(job.rules, job.visit.start_at),
        answer_due_at=None,
        grab_id=None,
        worker_id=None,
        travel_fen=None,
        travel_extra_fen=0,
        voucher_fen=0,
        voucher_id=None,
        voucher_worker_id=None,
    )
    after = replace(job, order=replace(job.order, provider_id=None, total_fen=0), visit=visit)
    data = {"note": note, "case_id": case_id, "former_worker_id": job.order.provider_id}
    return await orders.apply(tx, HOMESERVICE, job, "convert_to_pool", by, after=after, data=data)


async def _assign(tx: Tx, job: Job, worker_id: str) -> Grab:
    """Take the call from the one and give it to the other, on his word to support; he must be able to take it."""
    call_id, former = job.order.call_id, job.order.provider_id
    assert call_id is not None  # noqa: S101 - every order of this line is posted with a call
    assert former is not None  # noqa: S101 - a paid order has a technician
    await dispatch.reopen(tx, call_id, exclude=[former], reason="changed")
    bid = await dispatch.bid(tx, call_id, worker_id)
    point = bid.standing.point
    distance_m = None if point is None else round(geodesic_m(point, job.visit_point))
    # The customer's price stands, so his own voucher is not asked for: what was promised before is kept.
    quote = quote_for(job, Bidder(worker_id, await free_travel_m(tx, worker_id)), distance_m, tx.now)
    try:
        grab = await dispatch.grab(tx, bid, quote=quote)
    except SlotConflict:
        raise TechnicianBusy from None
    await dispatch.win(tx, call_id, worker_id)
    return grab


def _changed(job: Job, grab: Grab, now: datetime) -> Job:
    """The job with the new technician; he answers, or departs, anew."""
    paid_fen, travel_fen = job.visit.travel_fen or 0, grab.quote["travel_fen"]
    is_cheaper = travel_fen < paid_fen
    late_at = max(departure_due(job.rules, job.visit.start_at), now + timedelta(seconds=job.rules.depart_late_s))
    has_answered = job.order.status != PAID
    visit = replace(
        job.visit,
        grab_id=grab.id,
        worker_id=grab.worker_id,
        travel_fen=min(travel_fen, paid_fen),
        travel_extra_fen=max(0, travel_fen - paid_fen),
        lock_epoch=job.visit.lock_epoch + is_cheaper,
        departed_at=None,
        answer_due_at=None if has_answered else now + timedelta(seconds=job.rules.answer_s),
        departure_due_at=late_at if has_answered else None,
    )
    moved = replace(job, visit=visit)
    price_fen = total(agreed_lines(moved))
    back_fen = min(job.order.total_fen - price_fen, job.order.kept_fen)
    order = replace(
        job.order,
        provider_id=grab.worker_id,
        total_fen=price_fen,
        refunded_fen=job.order.refunded_fen + back_fen,
    )
    return replace(moved, order=order)
