"""How endings are told: each offer and each grab ends in one statement, and what that statement ended is told here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dispatch.facts import CallChanged, GrabClosed, GrabRemoved, OfferClosed
from dispatch.model import Call, Grab, Offer
from dispatch.store import calls as store
from storage.tx import Tx

OFFER_STATE = {"unbound": "withdrawn", "withdrawn": "withdrawn", "void": "void"}
"""How the offer behind a grab ends when the grab ends."""


def worker_audience(worker_id: str) -> str:
    return f"worker:{worker_id}"


def offers_closed(tx: Tx, offers: Iterable[Offer], *, reason: str) -> None:
    """Tell each worker that his offer has ended."""
    for offer in sorted(offers, key=lambda ended: ended.id):
        fact = OfferClosed(offer_id=offer.id, call_id=offer.call_id, state=offer.state, reason=reason)
        tx.tell(fact, to=[worker_audience(offer.worker_id)])


async def end_grabs(tx: Tx, grabs: Sequence[Grab], *, state: str, reason: str) -> None:
    """Tell workers and the calls' audiences of grabs that have just ended in `state`, and end their offers."""
    if not grabs:
        return
    subjects = await store.subjects(tx, sorted({grab.call_id for grab in grabs}))
    grabs_ended(tx, grabs, subjects, state=state, reason=reason)
    offer_ids = [grab.offer_id for grab in grabs]
    ended = await store.close_offers(tx, state=OFFER_STATE[state], offer_ids=offer_ids, was=("grabbed",))
    offers_closed(tx, ended, reason=reason)


def grabs_ended(
    tx: Tx, grabs: Iterable[Grab], subjects: Mapping[str, tuple[str, tuple[str, ...]]], *, state: str, reason: str
) -> None:
    """Tell of grabs whose offers end too; `subjects` are subject id and audience by call."""
    for grab in grabs:
        subject_id, audience = subjects[grab.call_id]
        closed = GrabClosed(grab_id=grab.id, call_id=grab.call_id, subject_id=subject_id, state=state, reason=reason)
        tx.tell(closed, to=[worker_audience(grab.worker_id)])
        if state != "won":
            removed = GrabRemoved(
                grab_id=grab.id, call_id=grab.call_id, subject_id=subject_id, worker_id=grab.worker_id, reason=reason
            )
            tx.tell(removed, to=audience)


def call_changed(tx: Tx, call: Call) -> None:
    """Tell operations where a call stands."""
    tx.tell(
        CallChanged(
            call_id=call.id,
            subject_kind=call.subject_kind,
            subject_id=call.subject_id,
            status=call.status,
            epoch=call.epoch,
            wave=call.wave,
            ring_m=call.ring_m,
            lon=round(call.point.lon, 6),
            lat=round(call.point.lat, 6),
            worker_id=call.worker_id,
        ),
        to=["ops"],
    )
