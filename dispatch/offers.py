"""Offers: waves out of the live index, checked against the truth, and their end by time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

from dispatch import telling
from dispatch.calls import OFFERS_EXPIRE, WAVE, lock_call
from dispatch.facts import OfferMade
from dispatch.model import Call, CallNotFound, CallStatus, Offer, Standing, why_not
from dispatch.store import calls as store
from dispatch.store import workers as worker_store
from storage.base.codec import instant
from storage.tx import Tx

EMPTY_PAUSE_MAX_S = 20.0
"""Who becomes eligible meanwhile waits this long for his offer; he sees the call in the pool list at once."""

ROUGH_DEGREES = 2
"""Decimals of a call's place in an offer, about 1 km: no exact address before acceptance (HS-074)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Near:
    """A worker the live index found: metres from the call, and the instant of the fix that says so."""

    worker_id: str
    distance_m: float
    fix_at: datetime


async def offer_wave(tx: Tx, call_id: str, epoch: int, nearby: Sequence[Near], *, empty_before: int = 0) -> list[Offer]:
    """Offer a call to those of `nearby` who may have it, as the call's next wave.

    The index says where workers are, the locked rows say everything else. `empty_before` waves in a row have found
    nobody: a pool of calls that everybody near knows must not keep the dispatcher busy.
    Locks   the workers in id order, then the call.
    """
    call = await store.lock_with(tx, call_id, [near.worker_id for near in nearby])
    if call is None:
        raise CallNotFound
    if call.status is not CallStatus.OPEN or call.epoch != epoch:
        return []
    chosen = [
        (tx.new_id("ofr"), standing.worker.id, standing.distance_m or 0.0)
        for standing in await eligible(tx, call, nearby)
    ]
    call = _next_wave(call, [distance for _, _, distance in chosen])
    expires_at = tx.now + timedelta(seconds=call.plan.offer_ttl_s)
    made = await store.insert_offers(tx, call, chosen, expires_at) if chosen else []
    for offer in made:
        tx.tell(_made(call, offer), to=[telling.worker_audience(offer.worker_id)], expires_at=offer.expires_at)
    if made:
        tx.schedule(OFFERS_EXPIRE, f"offers:{call.id}:{call.epoch}:{call.wave}", expires_at, {"call_id": call.id})
    if chosen or call.wave == 1:
        telling.call_changed(tx, call)
    if not chosen and call.wave == 1:
        await store.save(tx, call)
    empty = 0 if made else empty_before + 1
    payload = {"call_id": call.id, "epoch": call.epoch, "empty": empty}
    tx.schedule(WAVE, f"wave:{call.id}", tx.now + timedelta(seconds=_pause_s(call, empty)), payload)
    return made


async def eligible(tx: Tx, call: Call, nearby: Sequence[Near]) -> list[Standing]:
    """Those of `nearby` who may be offered this call now and were not yet in this epoch."""
    if not nearby:
        return []
    seen = {near.worker_id: near for near in nearby}
    standings = [
        dataclasses.replace(
            standing, distance_m=seen[standing.worker.id].distance_m, fix_at=seen[standing.worker.id].fix_at
        )
        for standing in await worker_store.standings(tx, call, list(seen))
    ]
    return [found for found in standings if not found.is_offered and why_not(call, found, tx.now) is None]


def _pause_s(call: Call, empty: int) -> float:
    """Until the next wave: the plan's interval, doubled with each empty wave up to EMPTY_PAUSE_MAX_S."""
    doubled = call.plan.interval_s * (1 << min(empty, 8))
    return min(doubled, max(EMPTY_PAUSE_MAX_S, call.plan.interval_s))


def _next_wave(call: Call, distances: Sequence[float]) -> Call:
    ring_m = max([call.ring_m, *(round(distance) for distance in distances)])
    return dataclasses.replace(call, wave=call.wave + 1, ring_m=ring_m)


def _made(call: Call, offer: Offer) -> OfferMade:
    return OfferMade(
        offer_id=offer.id,
        call_id=call.id,
        subject_kind=call.subject_kind,
        subject_id=call.subject_id,
        service=call.service,
        mode=call.mode,
        epoch=offer.epoch,
        wave=offer.wave,
        distance_m=round(offer.distance_m),
        lon=round(call.point.lon, ROUGH_DEGREES),
        lat=round(call.point.lat, ROUGH_DEGREES),
        area_code=call.area_code,
        start_at=call.start_at,
        expires_at=offer.expires_at,
        detail=call.detail | {"sent_at": instant(offer.expires_at - timedelta(seconds=call.plan.offer_ttl_s))},
    )


async def expire_offers(tx: Tx, call_id: str) -> list[Offer]:
    """End this call's open offers whose time is up."""
    call = await lock_call(tx, call_id)
    ended = await store.close_offers(tx, state="expired", call_id=call.id, expired_only=True)
    telling.offers_closed(tx, ended, reason="expired")
    if ended and call.status is CallStatus.OPEN and not await store.has_open_offers(tx, call.id, call.epoch):
        tx.schedule(WAVE, f"wave:{call.id}", tx.now, {"call_id": call.id, "epoch": call.epoch})
    return ended
