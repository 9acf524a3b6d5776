"""Another technician for an order whose first one will not go on (HS-121)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import dispatch
from dispatch.model import Grab, SlotConflict
from geo import geodesic_m
from rest.lines.homeservice.actions.pool import quote_for
from rest.lines.homeservice.errors import SameTechnician, TechnicianBusy
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job, departure_due
from rest.lines.homeservice.prices import agreed_lines
from rest.lines.homeservice.store import Bidder
from rest.lines.homeservice.technicians import free_travel_m
from rest.trade import orders
from rest.trade.orders import By, Role
from rest.trade.pricing import total
from storage.tx import Tx


async def change_technician(tx: Tx, order_id: str, staff_id: str, worker_id: str, note: str) -> Job:
    """Support has found a technician who comes instead, and the customer agrees; the first one pays his penalty.

    The customer pays no more: a longer way is the platform's, of a shorter one he has the difference back (part 8).
    Raises NotFound, WrongState, CaseNotOpen, SameTechnician, TechnicianBusy, NotEligible.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id, workers=(worker_id,))
    by, former = By(Role.STAFF, staff_id), job.order.provider_id
    HOMESERVICE.machine.decide(job.order.status, "change_technician", by)
    if worker_id == former:
        raise SameTechnician
    grab = await _assign(tx, job, worker_id)
    after = _changed(job, grab, tx.now)
    data = {"note": note, "former_worker_id": former, "worker_id": worker_id}
    return await orders.apply(tx, HOMESERVICE, job, "change_technician", by, after=after, data=data)


async def _assign(tx: Tx, job: Job, worker_id: str) -> Grab:
    """Take the call from the one and give it to the other, on his word to support; he must be able to take it."""
    call_id, former = job.order.call_id, job.order.provider_id
    assert call_id is not None  # noqa: S101 - every order of this line is posted with a call
    assert former is not None  # noqa: S101 - a departed order has a technician
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
    """The job with the new technician agreed; he departs anew."""
    paid_fen, travel_fen = job.visit.travel_fen or 0, grab.quote["travel_fen"]
    is_cheaper = travel_fen < paid_fen
    due_at = departure_due(job.rules, job.visit.start_at)
    visit = replace(
        job.visit,
        grab_id=grab.id,
        worker_id=grab.worker_id,
        travel_fen=min(travel_fen, paid_fen),
        travel_extra_fen=max(0, travel_fen - paid_fen),
        lock_epoch=job.visit.lock_epoch + is_cheaper,
        departed_at=None,
        departure_due_at=max(due_at, now + timedelta(seconds=job.rules.depart_late_s)),
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
