"""The pool: technicians grab and take back, the customer chooses, an unpaid choice comes undone.

Lock order: worker rows (sorted) → order → call → vouchers. A verb that starts from a call or a grab looks up the order
and the worker first, without locks, and checks again under them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import dispatch
from dispatch.model import Bid, Call, Grab, OrderGone, OwnOrder
from geo import geodesic_m
from rest.lines.homeservice import candidates, members, store, vouchers
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import (
    CANCEL_REQUESTED,
    HAS_CANDIDATES,
    IN_POOL,
    PENDING_PAYMENT,
    POOL,
    Job,
    enter_pool,
)
from rest.lines.homeservice.prices import lines_of, quote_of, quoted_anew
from rest.money import payments
from rest.trade import orders
from rest.trade.orders import SYSTEM, By, Role, WrongState
from rest.trade.pricing import PriceLine, check_quote, travel_fee
from storage.base.errors import NotFound
from storage.tx import Tx


async def grab(tx: Tx, call_id: str, worker_id: str, *, request_id: str | None = None) -> Grab:
    """Say yes to an order, with a frozen quote; not exclusive (HS-075).

    A repeat with the same `request_id` returns the same grab and changes nothing.
    Raises NotFound, OwnOrder, AlreadyGrabbed, OrderGone, SlotConflict, NotEligible.
    """
    job, bidder = await _lock_of_call(tx, call_id, worker_id)
    bid = await dispatch.bid(tx, call_id, worker_id)
    if (before := bid.repeated(request_id)) is not None:
        return before
    made = await _grab_now(tx, job, bid, bidder, request_id)
    by, data = By(Role.WORKER, worker_id), {"grab_id": made.id, "quote": made.quote}
    await orders.apply(tx, HOMESERVICE, job, "grab", by, after=_grabbed(tx, job), data=data)
    return made


async def _grab_now(tx: Tx, job: Job, bid: Bid, bidder: store.Bidder, request_id: str | None) -> Grab:
    if job.order.customer_id == bid.worker.account_id:
        raise OwnOrder
    quote = quote_for(await members.fair(tx, job), bidder, _distance_m(job, bid), tx.now)
    made = await dispatch.grab(tx, bid, quote=quote, request_id=request_id)
    if job.order.status not in POOL:
        raise OrderGone(status=job.order.status)
    return made


def _grabbed(tx: Tx, job: Job) -> Job:
    """The job with one candidate more; from the first one on the customer's time to choose runs."""
    if job.order.status != IN_POOL:
        return job
    choice_due_at = tx.now + timedelta(seconds=job.rules.choice_s)
    return replace(
        job, visit=replace(job.visit, grab_first_at=tx.now, choice_due_at=choice_due_at, no_grab_due_at=None)
    )


def _distance_m(job: Job, bid: Bid) -> int | None:
    """How far the technician is: from his last position, or as his offer said when that is not on record.

    A first position may still be on its way to the record when its technician grabs.
    """
    if bid.standing.point is not None:
        return round(geodesic_m(bid.standing.point, job.visit_point))
    return None if bid.offer is None else round(bid.offer.distance_m)


def quote_for(job: Job, bidder: store.Bidder, distance_m: int | None, now: datetime) -> dict[str, Any]:
    """What a technician at this distance would cost. Empty while that is unknown: dispatch then refuses the grab."""
    if distance_m is None:
        return {}
    rate_bps = job.order.snapshot["technician_rate_bps"]
    voucher_fen = 0
    if bidder.voucher_id is not None and bidder.voucher is not None:
        voucher_fen = vouchers.taken_off(bidder.voucher, item_fen=job.visit.item_fen, rate_bps=rate_bps, now=now)
    return quote_of(
        job.visit,
        worker_id=bidder.worker_id,
        travel_fen=travel_fee(job.tariff, distance_m, bidder.free_travel_m),
        distance_m=distance_m,
        voucher_fen=voucher_fen,
        voucher_id=bidder.voucher_id,
    )


async def find_technician(
    tx: Tx, order_id: str, staff_id: str, worker_id: str, note: str, *, case_id: str | None = None
) -> Job:
    """Support has talked to a technician nearby who takes the order, and grabs for him on his word (HS-080).

    Raises NotFound, OwnOrder, AlreadyGrabbed, SlotConflict, NotEligible, WrongState, CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id, workers=(worker_id,))
    by = By(Role.STAFF, staff_id)
    HOMESERVICE.machine.decide(job.order.status, "find_technician", by)
    assert job.order.call_id is not None  # noqa: S101 - every order of this line is posted with a call
    job, bidder = await _lock_of_call(tx, job.order.call_id, worker_id)
    made = await _grab_now(tx, job, await dispatch.bid(tx, job.order.call_id or "", worker_id), bidder, None)
    data = {"grab_id": made.id, "quote": made.quote, "worker_id": worker_id, "note": note, "case_id": case_id}
    return await orders.apply(tx, HOMESERVICE, job, "find_technician", by, after=_grabbed(tx, job), data=data)


async def give_time(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """The customer wants to pay after all: his payment window starts anew (HS-054, HS-087).

    Raises NotFound, WrongState (also when the window is over), CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    by = By(Role.STAFF, staff_id)
    HOMESERVICE.machine.decide(job.order.status, "give_time", by)
    if not is_lock_running(tx, job):
        raise WrongState(status=job.order.status, verb="give_time")
    visit = replace(job.visit, lock_expires_at=tx.now + timedelta(seconds=job.rules.lock_s))
    data = {"note": note, "case_id": case_id}
    return await orders.apply(tx, HOMESERVICE, job, "give_time", by, after=replace(job, visit=visit), data=data)


async def wait_more(tx: Tx, order_id: str, staff_id: str, note: str, *, case_id: str | None = None) -> Job:
    """Nothing is decided: technicians are asked again, or the customer has his time to choose anew (HS-080, HS-081).

    Raises NotFound, WrongState, CaseNotOpen.
    """
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    if job.order.status == IN_POOL:
        visit = replace(enter_pool(job.visit, job.rules, tx.now), push_round=job.visit.push_round + 1)
    else:
        visit = replace(job.visit, choice_due_at=tx.now + timedelta(seconds=job.rules.choice_s))
    by, data = By(Role.STAFF, staff_id), {"note": note, "case_id": case_id}
    return await orders.apply(tx, HOMESERVICE, job, "wait_more", by, after=replace(job, visit=visit), data=data)


async def withdraw(tx: Tx, call_id: str, worker_id: str) -> Grab:
    """Take a grab back, unless locked (HS-077). Raises NotFound, Locked, OfferClosed."""
    job, _ = await _lock_of_call(tx, call_id, worker_id)
    taken_back = await dispatch.withdraw(tx, call_id, worker_id)
    by = By(Role.WORKER, worker_id)
    to, after = job.order.status, job
    if job.order.status == HAS_CANDIDATES:
        to, after = await _back_in_pool(tx, job)
    await orders.apply(tx, HOMESERVICE, job, "withdraw", by, to=to, after=after, data={"grab_id": taken_back.id})
    return taken_back


async def decline(tx: Tx, call_id: str, worker_id: str) -> None:
    """Say no to an offer; the order does not change. Raises NotFound, OfferClosed."""
    await dispatch.decline(tx, call_id, worker_id)


async def lose_candidates(tx: Tx, order_id: str) -> None:
    """Technicians were booked elsewhere or went offline; without any left the order is as if never grabbed."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    if job.order.status != HAS_CANDIDATES or job.order.call_id is None:
        return
    to, after = await _back_in_pool(tx, job)
    if to == IN_POOL:
        await orders.apply(tx, HOMESERVICE, job, "lose_candidates", SYSTEM, after=after)


async def choose(tx: Tx, order_id: str, account_id: str, grab_id: str, *, shown: str | None = None) -> Job:
    """Designate one of the grabbers and lock him for the payment window; the price is fixed (HS-082, HS-083).

    While unpaid another grabber may be chosen: the former one is let go and the window starts anew. Choosing the
    locked one again changes nothing. Of two concurrent choices one wins. `shown` is the hash of the price shown. A
    piece of the technician's voucher is taken; when none is left, the price without it has to be shown first, as when
    the customer is no member any more.
    Raises NotFound, CandidateGone, WrongState, PriceChanged.
    """
    wanted = await candidates.find_grab(tx, grab_id)
    workers = (wanted.worker_id,) if wanted is not None else ()
    job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id, workers=workers)
    return await _choose(tx, job, By(Role.CUSTOMER, account_id), wanted, {"grab_id": grab_id}, shown=shown)


async def choose_for(
    tx: Tx, order_id: str, staff_id: str, grab_id: str, note: str, *, case_id: str | None = None
) -> Job:
    """The customer has told support whom he wants (HS-081); the payment window starts, also anew.

    Raises NotFound, CandidateGone, WrongState, PriceChanged, CaseNotOpen.
    """
    wanted = await candidates.find_grab(tx, grab_id)
    workers = (wanted.worker_id,) if wanted is not None else ()
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id, workers=workers)
    data = {"grab_id": grab_id, "note": note, "case_id": case_id}
    return await _choose(tx, job, By(Role.STAFF, staff_id), wanted, data)


async def _choose(
    tx: Tx, job: Job, by: By, wanted: Grab | None, data: Mapping[str, Any], *, shown: str | None = None
) -> Job:
    HOMESERVICE.machine.decide(job.order.status, "choose", by)
    if wanted is None or wanted.call_id != job.order.call_id:
        raise NotFound
    if job.order.status == PENDING_PAYMENT:
        if by.role is Role.CUSTOMER and job.visit.worker_id == wanted.worker_id and is_lock_running(tx, job):
            return await members.hold_price(tx, job, by, shown)
        await dispatch.unlock(tx, wanted.call_id, reason="another_chosen")
    until = tx.now + timedelta(seconds=job.rules.lock_s)
    call = await dispatch.lock_candidate(tx, wanted.call_id, wanted.worker_id, until=until)
    now = await members.settle(tx, job)
    after = locked(now, wanted, await _quote_kept(tx, now, wanted, shown), call)
    return await orders.apply(tx, HOMESERVICE, job, "choose", by, after=after, data=data)


async def _quote_kept(tx: Tx, job: Job, grab: Grab, shown: str | None) -> Mapping[str, Any]:
    """The grab's quote with its voucher taken; without what is gone, when the caller was shown that price.

    Raises PriceChanged.
    """
    quote = grab.quote
    voucher_id = quote.get("voucher_id")
    if voucher_id is None:
        await vouchers.release(tx, job.order.id)
    is_whole = voucher_id is None or await vouchers.hold(tx, job.order.id, voucher_id, quote["voucher_fen"])
    if not is_whole or _is_of_another_member(job, quote):
        quote = quoted_anew(job.visit, quote, grab.worker_id, has_voucher=is_whole)
        shown = shown or ""  # whoever was shown nothing was shown the quote as it was
    check_quote(_quoted_lines(job, quote, grab.worker_id), shown)
    return quote


async def quotes_now(tx: Tx, job: Job, grabs: Sequence[Grab]) -> dict[str, Mapping[str, Any]]:
    """What choosing each of these would cost now, by grab: his frozen quote, without a voucher that is used up.

    And without the discount of a membership that is over.
    """
    promised = {voucher_id for grab in grabs if (voucher_id := grab.quote.get("voucher_id")) is not None}
    gone = await vouchers.gone(tx, promised) if promised else frozenset()
    job = await members.fair(tx, job)

    def now(grab: Grab) -> Mapping[str, Any]:
        is_chosen = job.order.provider_id is not None and grab.id == job.visit.grab_id
        lacks = job.visit.voucher_id is None if is_chosen else grab.quote.get("voucher_id") in gone
        if not (lacks and grab.quote.get("voucher_id")) and not _is_of_another_member(job, grab.quote):
            return grab.quote
        return quoted_anew(job.visit, grab.quote, grab.worker_id, has_voucher=not lacks)

    return {grab.id: now(grab) for grab in grabs}


def _is_of_another_member(job: Job, quote: Mapping[str, Any]) -> bool:
    """Whether the quote was made while the order had another discount for its member."""
    return bool(quote.get("member_fen", 0) != job.visit.member_fen)


def _quoted_lines(job: Job, quote: Mapping[str, Any], worker_id: str) -> list[PriceLine]:
    return lines_of(job.visit, travel_fen=quote["travel_fen"], voucher_fen=quote["voucher_fen"], voucher_by=worker_id)


def locked(job: Job, grab: Grab, quote: Mapping[str, Any], call: Call) -> Job:
    """The job with this grabber locked at this quote."""
    has_voucher = quote.get("voucher_id") is not None
    visit = replace(
        job.visit,
        grab_id=grab.id,
        worker_id=grab.worker_id,
        travel_fen=quote["travel_fen"],
        voucher_fen=quote["voucher_fen"],
        voucher_id=quote["voucher_id"] if has_voucher else None,
        voucher_worker_id=grab.worker_id if has_voucher else None,
        lock_expires_at=call.locked_until,
        lock_epoch=job.visit.lock_epoch + 1,
    )
    order = replace(job.order, provider_id=grab.worker_id, total_fen=quote["total_fen"])
    return replace(job, order=order, visit=visit)


def is_lock_running(tx: Tx, job: Job) -> bool:
    """Whether the payment window is open at this instant; at its very end it is over (spec part 8)."""
    return job.visit.lock_expires_at is not None and tx.now < job.visit.lock_expires_at


async def unbind(tx: Tx, job: Job) -> Job:
    """Let the unpaid technician go: told, and the order is pushed again; others' grabs stay (HS-086).

    While a cancel is being decided the order stays where it is, with nobody to go back to.
    """
    call_id = job.order.call_id
    assert call_id is not None  # noqa: S101 - every order of this line is posted with a call
    deciding = job.order.status == CANCEL_REQUESTED
    await dispatch.unlock(tx, call_id, reason="unpaid", paused=deciding)
    if job.visit.voucher_id is not None:
        await vouchers.release(tx, job.order.id)
    await payments.close_open(tx, job.order.id, "unbound")
    visit = replace(job.visit, lock_expires_at=None, unbinds=job.visit.unbinds + 1, push_round=job.visit.push_round + 1)
    order = replace(job.order, provider_id=None, total_fen=0)
    to, after = await _back_in_pool(tx, replace(job, order=order, visit=visit))
    if deciding:
        after = replace(after, order=replace(after.order, status_before_cancel=to))
        to = CANCEL_REQUESTED
    data = {"reason": "unpaid", "worker_id": job.order.provider_id}
    return await orders.apply(tx, HOMESERVICE, job, "unbind", SYSTEM, to=to, after=after, data=data)


async def _back_in_pool(tx: Tx, job: Job) -> tuple[str, Job]:
    """Where an unlocked order stands now: among its candidates, or in the pool with the no-grab clock anew."""
    assert job.order.call_id is not None  # noqa: S101 - every order of this line is posted with a call
    if await candidates.count_waiting(tx, job.order.call_id):
        return HAS_CANDIDATES, job
    return IN_POOL, replace(job, visit=enter_pool(job.visit, job.rules, tx.now))


async def _lock_of_call(tx: Tx, call_id: str, worker_id: str) -> tuple[Job, store.Bidder]:
    """Lock the worker, then the order behind the call; the order, and what his quote depends on. Raises NotFound."""
    found = await store.lock_of_call(tx, call_id, worker_id)
    if found is None:
        raise NotFound
    order_id, bidder = found
    job = await HOMESERVICE.read(tx, order_id)  # locked just now
    assert job is not None  # noqa: S101 - no order is ever deleted
    return job, bidder
