"""What dispatch tells. Positions of calls are rounded for workers: the exact address is the owner's to give."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from storage.base.facts import Fact


class OfferMade(Fact, frozen=True):
    """A worker is shown a call. Expires with the offer."""

    topic: ClassVar[str] = "offer.made"
    offer_id: str
    call_id: str
    subject_kind: str
    subject_id: str
    service: str
    mode: str
    epoch: int
    wave: int
    distance_m: int
    lon: float
    lat: float
    area_code: str
    start_at: datetime
    expires_at: datetime
    detail: dict[str, Any]


class OfferClosed(Fact, frozen=True):
    """An offer has ended; each offer tells this once."""

    topic: ClassVar[str] = "offer.closed"
    offer_id: str
    call_id: str
    state: str
    reason: str


class GrabAdded(Fact, frozen=True):
    """The owner of the call sees a new candidate."""

    topic: ClassVar[str] = "grab.added"
    grab_id: str
    call_id: str
    subject_id: str
    worker: dict[str, Any]
    quote: dict[str, Any]


class GrabRemoved(Fact, frozen=True):
    """A candidate has gone."""

    topic: ClassVar[str] = "grab.removed"
    grab_id: str
    call_id: str
    subject_id: str
    worker_id: str
    reason: str


class GrabLocked(Fact, frozen=True):
    """The worker was chosen and is held until `locked_until`."""

    topic: ClassVar[str] = "grab.locked"
    grab_id: str
    call_id: str
    subject_id: str
    locked_until: datetime


class GrabClosed(Fact, frozen=True):
    """How a worker's grab ended: won, lost, unbound, withdrawn, void."""

    topic: ClassVar[str] = "grab.closed"
    grab_id: str
    call_id: str
    subject_id: str
    state: str
    reason: str


class CallWon(Fact, frozen=True):
    """A first-wins or direct call has its worker."""

    topic: ClassVar[str] = "call.won"
    call_id: str
    subject_kind: str
    subject_id: str
    worker_id: str


class CallChanged(Fact, frozen=True):
    """Operations: where a call stands."""

    topic: ClassVar[str] = "call.changed"
    call_id: str
    subject_kind: str
    subject_id: str
    status: str
    epoch: int
    wave: int
    ring_m: int
    lon: float
    lat: float
    worker_id: str | None


class WorkerChanged(Fact, frozen=True):
    """Operations, and the dispatcher's index: read this worker again."""

    topic: ClassVar[str] = "worker.changed"
    worker_id: str
    online: bool
    state: str
