"""Verbs of grabs: grab, withdraw, decline, and the one path that assigns a worker.

Lock order: the worker's row first, then the subject's (taken by the caller), then the call's. Whoever holds a worker's
row knows that no other transaction books that worker, so the overlap is looked up, and the exclusion constraint on
`bookings` is only the backstop.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from dispatch import telling, workers
from dispatch.calls import WAVE, WINDOW, lock_call
from dispatch.facts import CallWon, GrabAdded, GrabLocked
from dispatch.model import (
    AlreadyGrabbed,
    Bid,
    Call,
    CallNotFound,
    CallStatus,
    CandidateGone,
    Grab,
    Locked,
    Mode,
    NotEligible,
    Offer,
    OfferClosed,
    OrderGone,
    OwnOrder,
    SlotConflict,
    Worker,
    WorkerNotFound,
    rank,
    why_not,
)  # fmt: skip
from dispatch.store import calls as store
from dispatch.store import workers as worker_store
from storage.tx import Tx

GRABS_MAX = 200
"""Candidates of one call that are ranked or listed."""


async def bid(tx: Tx, call_id: str, worker_id: str) -> Bid:
    """Lock the worker, then the call, and see how they stand. Raises CallNotFound, WorkerNotFound."""
    call = await store.lock_with(tx, call_id, [worker_id])
    if call is None:
        raise CallNotFound
    standing = await worker_store.standing(tx, call, worker_id)
    if standing is None:
        raise WorkerNotFound
    offer, live = await store.between(tx, call, worker_id)
    return Bid(call=call, standing=standing, offer=offer, grab=live)


async def grab(tx: Tx, bid: Bid, *, quote: dict[str, Any], request_id: str | None = None) -> Grab:
    """Say yes to a call. In `choose_back` one candidate more, in `first_wins` the window runs, in `direct` it is won.

    A repeat with the same `request_id` returns the same grab. An eligible worker who was not offered the call yet is
    offered it by asking, in the same transaction, so that every grab rests on an offer.
    Raises  AlreadyGrabbed, OrderGone, OfferClosed, SlotConflict, NotEligible, OwnOrder (HS-075).
    """
    if (before := bid.repeated(request_id)) is not None:
        return before
    call, worker = bid.call, bid.worker
    if bid.grab is not None:
        raise AlreadyGrabbed(grab_id=bid.grab.id)
    if call.status is not CallStatus.OPEN:
        raise OrderGone(status=call.status)
    _check_may_grab(bid, tx.now)
    offer = bid.offer or await _offer_to_himself(tx, bid)
    made = Grab(
        id=tx.new_id("grb"), call_id=call.id, worker_id=worker.id, offer_id=offer.id, epoch=call.epoch,
        distance_m=offer.distance_m, quote=quote, request_id=request_id, state="offered", at=tx.now,
    )  # fmt: skip
    if not await store.take_offer(tx, made):
        raise OfferClosed(state=offer.state)
    _tell_added(tx, call, worker, made)
    if call.mode is Mode.DIRECT or (call.mode is Mode.FIRST_WINS and call.plan.window_ms == 0):
        await _win_now(tx, call, worker)
    elif call.mode is Mode.FIRST_WINS and await store.count_offered(tx, call.id) == 1:
        due_at = tx.now + timedelta(milliseconds=call.plan.window_ms)
        tx.schedule(WINDOW, f"window:{call.id}", due_at, {"call_id": call.id, "epoch": call.epoch})
    return made


def _check_may_grab(bid: Bid, now: datetime) -> None:
    reason = why_not(bid.call, bid.standing, now)
    if reason == "busy":
        raise SlotConflict
    if reason == "own_order":
        raise OwnOrder
    if bid.offer is not None and reason in {"offers_full", "stale_fix"}:
        return  # true when the offer was made; a phone in a tunnel keeps it
    if reason is not None:
        raise NotEligible(reason=reason)


async def _offer_to_himself(tx: Tx, bid: Bid) -> Offer:
    expires_at = tx.now + timedelta(seconds=bid.call.plan.offer_ttl_s)
    wanted = [(tx.new_id("ofr"), bid.worker.id, bid.standing.distance_m or 0.0)]
    (own,) = await store.insert_offers(tx, bid.call, wanted, expires_at)
    return own


def _tell_added(tx: Tx, call: Call, worker: Worker, made: Grab) -> None:
    card = {
        "worker_id": worker.id,
        "display_name": worker.display_name,
        "score": worker.score_milli / 1000,
        "distance_m": round(made.distance_m),
    }
    fact = GrabAdded(grab_id=made.id, call_id=call.id, subject_id=call.subject_id, worker=card, quote=made.quote)
    tx.tell(fact, to=call.audience)


async def withdraw(tx: Tx, call_id: str, worker_id: str) -> Grab:
    """Take a grab back; refused once locked (HS-077)."""
    call, worker = await _lock_pair(tx, call_id, worker_id)
    live = await store.live_grab(tx, call.id, worker.id)
    if live is None:
        raise OfferClosed
    if live.state != "offered":
        raise Locked
    await store.set_grab(tx, live.id, "withdrawn", was=("offered",))
    await telling.end_grabs(tx, [live], state="withdrawn", reason="withdrawn")
    return dataclasses.replace(live, state="withdrawn")


async def decline(tx: Tx, call_id: str, worker_id: str) -> None:
    """Say no to an offer; when nobody of the wave is left to answer, the next wave goes out at once."""
    call, worker = await _lock_pair(tx, call_id, worker_id)
    offer = await store.offer_of(tx, call.id, worker.id, call.epoch)
    if offer is None or offer.state not in {"open", "declined"}:
        raise OfferClosed
    if offer.state == "declined":
        return
    telling.offers_closed(tx, await store.close_offers(tx, state="declined", offer_ids=[offer.id]), reason="declined")
    if call.status is CallStatus.OPEN and not await store.has_open_offers(tx, call.id, call.epoch):
        tx.schedule(WAVE, f"wave:{call.id}", tx.now, {"call_id": call.id, "epoch": call.epoch})


async def lock_candidate(tx: Tx, call_id: str, worker_id: str, *, until: datetime) -> Call:
    """Hold the chosen grabber until `until`: he is booked for the time, the call leaves the pool (HS-082, HS-084).

    Raises CandidateGone when he took his grab back or is booked meanwhile, Locked when another is locked.
    """
    call, worker = await _lock_pair(tx, call_id, worker_id)
    if call.status is CallStatus.LOCKED:
        raise Locked
    after = call.after("lock")
    live = await store.live_grab(tx, call.id, worker.id)
    if live is None or await _is_taken(tx, call, worker):
        raise CandidateGone
    await store.set_grab(tx, live.id, "locked", was=("offered",))
    await worker_store.book(tx, booking_id=tx.new_id("bkg"), worker=worker, call=call, state="held")
    waiting = await store.close_offers(tx, state="withdrawn", call_id=call.id)
    telling.offers_closed(tx, waiting, reason="locked")
    locked = dataclasses.replace(call, status=after, worker_id=worker.id, locked_until=until)
    await _save(tx, locked, worker)
    fact = GrabLocked(grab_id=live.id, call_id=call.id, subject_id=call.subject_id, locked_until=until)
    tx.tell(fact, to=[telling.worker_audience(worker.id)])
    return locked


async def relock(tx: Tx, call_id: str, *, until: datetime) -> Call:
    """Start the lock's time anew (a cancelled order was kept, HS-090)."""
    call = await lock_call(tx, call_id)
    if call.status is not CallStatus.LOCKED:
        raise OrderGone(status=call.status)
    locked = dataclasses.replace(call, locked_until=until)
    await store.save(tx, locked)
    return locked


async def win(tx: Tx, call_id: str, worker_id: str) -> Call:
    """Give the call to this worker for good: the one code path that assigns.

    From `locked` only the locked worker; from `open` (late money, first-wins, direct) one whose grab is on record, also
    an unbound one, while he is free. Everybody else's grab and offer end as lost, his overlapping grabs elsewhere as
    void.
    Raises CandidateGone when he is not the one or no longer free.
    """
    call, worker = await _lock_pair(tx, call_id, worker_id)
    return await _win_now(tx, call, worker)


async def _lock_pair(tx: Tx, call_id: str, worker_id: str) -> tuple[Call, Worker]:
    """Lock the worker, then the call. Raises WorkerNotFound, CallNotFound."""
    pair = await store.lock_pair(tx, call_id, worker_id)
    if pair is None:
        await workers.lock_worker(tx, worker_id)
        raise CallNotFound
    return pair


async def _win_now(tx: Tx, call: Call, worker: Worker) -> Call:
    after = call.after("win")
    if call.status is CallStatus.LOCKED:
        if call.worker_id != worker.id:
            raise CandidateGone
    else:
        if not worker.status == "active" or await _is_taken(tx, call, worker):
            raise CandidateGone
        await worker_store.book(tx, booking_id=tx.new_id("bkg"), worker=worker, call=call, state="firm")
    await _settle_grabs(tx, call, worker)
    won = dataclasses.replace(call, status=after, worker_id=worker.id, locked_until=None)
    await _save(tx, won, worker, booking="firm")
    fact = CallWon(call_id=call.id, subject_kind=call.subject_kind, subject_id=call.subject_id, worker_id=worker.id)
    tx.tell(fact, to=[*call.audience, telling.worker_audience(worker.id)])
    return won


async def _settle_grabs(tx: Tx, call: Call, worker: Worker) -> None:
    grabs, offers, subjects = await store.settle(tx, call, worker.id)
    if not any(grab.state == "won" for grab in grabs):
        grabs = [await _revive(tx, call, worker), *grabs]
        subjects[call.id] = (call.subject_id, call.audience)
    for state, reason in (("won", "won"), ("lost", "another_won"), ("void", "worker_booked")):
        telling.grabs_ended(tx, [grab for grab in grabs if grab.state == state], subjects, state=state, reason=reason)
        telling.offers_closed(tx, [offer for offer in offers if offer.state == state], reason=reason)


async def _revive(tx: Tx, call: Call, worker: Worker) -> Grab:
    """Late money (HS-088): the last unbound grab of this worker counts again, under its old quote, and has won."""
    past = await store.grabs_of_call(tx, call.id, states=("unbound",), limit=GRABS_MAX)
    mine = [found for found in past if found.worker_id == worker.id]
    if not mine:
        raise CandidateGone
    again = dataclasses.replace(mine[-1], id=tx.new_id("grb"), request_id=None, state="won", at=tx.now)
    await store.insert_grab(tx, again)
    return again


async def _is_taken(tx: Tx, call: Call, worker: Worker) -> bool:
    return await worker_store.is_booked(tx, worker.id, call.start_at, call.busy_until, but_call=call.id)


async def _save(tx: Tx, call: Call, worker: Worker, *, booking: str | None = None) -> None:
    await store.save(tx, call, booking=booking)
    telling.call_changed(tx, call)
    await workers.tell_changed(tx, worker.id)


async def close_window(tx: Tx, call_id: str, epoch: int) -> Call | None:
    """First-wins: give the call to the best grab of the window; a best one that is booked meanwhile is struck.

    Worker rows are locked in id order before the call, as everywhere.
    """
    waiting = await store.grabs_of_call(tx, call_id, states=("offered",), limit=GRABS_MAX)
    locked = {worker.id: worker for worker in await worker_store.lock_many(tx, [found.worker_id for found in waiting])}
    call = await lock_call(tx, call_id)
    if call.status is not CallStatus.OPEN or call.epoch != epoch:
        return None
    waiting = await store.grabs_of_call(tx, call_id, states=("offered",), limit=GRABS_MAX)
    ranked = sorted(
        (found for found in waiting if found.worker_id in locked),
        key=lambda found: rank(found, locked[found.worker_id].score_milli),
    )
    for best in ranked:
        try:
            return await _win_now(tx, call, locked[best.worker_id])
        except CandidateGone:
            await store.set_grab(tx, best.id, "void", was=("offered",))
            await telling.end_grabs(tx, [best], state="void", reason="worker_booked")
    return None
