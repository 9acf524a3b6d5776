"""Why was this worker not offered that call? Every candidate of a call with the answer (support reads it)."""

from __future__ import annotations

from dataclasses import dataclass

from dispatch.calls import get_call
from dispatch.model import Offer, why_not
from dispatch.store import calls as call_store
from dispatch.store import workers as store
from storage.tx import Tx

CANDIDATES_MAX = 200
LOOK_DEGREES = 0.5
"""About 55 km around the call; farther workers are not candidates of anything local."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidacy:
    """One worker with regard to one call. `reason` is None when offered, or when the next wave will offer it."""

    worker_id: str
    display_name: str
    distance_m: float | None
    offered: bool
    offer: Offer | None
    grab_state: str | None
    reason: str | None


async def candidates(tx: Tx, call_id: str) -> list[Candidacy]:
    """Everybody in the neighbourhood and everybody offered, nearest first, at most CANDIDATES_MAX.

    The reasons are the ones the waves use (`model.why_not`), as of now; `later_wave` means nothing is in the way.
    """
    call = await get_call(tx, call_id)
    offers = {offer.worker_id: offer for offer in await call_store.offers_of_call(tx, call_id)}
    grabs = await call_store.grabs_of_call(
        tx,
        call_id,
        states=("offered", "locked", "won", "lost", "unbound", "withdrawn", "void"),
        limit=10 * CANDIDATES_MAX,
    )
    grab_states = {grab.worker_id: grab.state for grab in grabs}
    nearby = await store.near(tx, call.point, degrees=LOOK_DEGREES, limit=CANDIDATES_MAX)
    everybody = list(dict.fromkeys([*list(offers)[:CANDIDATES_MAX], *nearby]))
    found = []
    for standing in await store.standings(tx, call, everybody):
        worker = standing.worker
        offer = offers.get(worker.id)
        reason = None if offer and offer.epoch == call.epoch else why_not(call, standing, tx.now) or "later_wave"
        found.append(
            Candidacy(
                worker_id=worker.id,
                display_name=worker.display_name,
                distance_m=standing.distance_m,
                offered=offer is not None,
                offer=offer,
                grab_state=grab_states.get(worker.id),
                reason=reason,
            )
        )
    return sorted(found, key=lambda one: (one.distance_m is None, one.distance_m or 0.0, one.worker_id))
