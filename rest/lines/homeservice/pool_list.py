"""The pool as one technician sees it: open orders that fit him now; rough places, no names (HS-074)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from dispatch.model import Call, Standing, Worker, why_not
from dispatch.store import calls, workers
from rest.edge.values import Money
from rest.lines.homeservice import candidates
from rest.lines.homeservice.casework.effects import SUBJECT
from rest.lines.homeservice.effects import ROUGH_DEGREES
from storage.tx import Tx

SHOWN_MAX = 50
METRES_PER_DEGREE = 111_000
FORGIVEN = frozenset({"offers_full", "stale_fix"})
"""Reasons that keep new offers away but not what is shown on asking: a phone in a tunnel still sees the list."""


class PoolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One open order. `grab_state` is set where the technician has grabbed it already."""

    call_id: str
    order_id: str
    item_id: str
    item_name: Mapping[str, str]
    qty: int
    minutes: int
    start_at: datetime
    item: Money
    distance_m: int
    lon: float
    lat: float
    area_code: str
    grab_state: str | None


async def pool_for(tx: Tx, worker: Worker) -> list[PoolCall]:
    """At most SHOWN_MAX calls around the worker's last position, nearest first, then soonest."""
    position = await workers.position(tx, worker.id)
    if position is None:
        return []
    point, _ = position
    degrees = 2 * worker.radius_m / METRES_PER_DEGREE
    near = await calls.open_near(
        tx, services=sorted(worker.services), lon=point.lon, lat=point.lat, degrees=degrees, limit=SHOWN_MAX
    )
    grabbed = await candidates.grab_states(tx, worker.id, [call.id for call in near])
    stands = await workers.standings_to(tx, near, worker.id)
    looked = [_shown(call, stands[call.id], grabbed.get(call.id), tx.now) for call in near if call.id in stands]
    shown = [found for found in looked if found is not None]
    return sorted(shown, key=lambda one: (one.distance_m, one.start_at, one.call_id))


def _shown(call: Call, standing: Standing, grab_state: str | None, now: datetime) -> PoolCall | None:
    if call.subject_kind != SUBJECT or standing.distance_m is None:
        return None
    if why_not(call, standing, now) not in {None, *FORGIVEN}:
        return None
    return PoolCall(
        call_id=call.id,
        order_id=call.subject_id,
        item_id=call.detail["item_id"],
        item_name=call.detail["item_name"],
        qty=call.detail["qty"],
        minutes=call.detail["minutes"],
        start_at=call.start_at,
        item=Money(call.detail["item_fen"]),
        distance_m=round(standing.distance_m),
        lon=round(call.point.lon, ROUGH_DEGREES),
        lat=round(call.point.lat, ROUGH_DEGREES),
        area_code=call.area_code,
        grab_state=grab_state,
    )
