"""What the order kernel tells."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from storage.base.facts import Fact


class OrderChanged(Fact, frozen=True, kw_only=True):
    """Every step of an order, to its customer, its worker (also the one let go) and operations.

    `who` is the role that acted. Folding these over the order gives its present state.
    """

    topic: ClassVar[str] = "order.changed"
    order_id: str
    line: str
    status: str
    version: int
    who: str
    verb: str
    worker_id: str | None
    lock_expires_at: datetime | None = None
    ends_at: datetime | None = None
    reason: str | None = None


class OrderRefunded(Fact, frozen=True, kw_only=True):
    """The order keeps less than before: money went back, or is promised to. For domains above; no phone hears it."""

    topic: ClassVar[str] = "money.order_refunded"
    order_id: str
    kept_fen: int


class TrackingEnded(Fact, frozen=True, kw_only=True):
    """The worker's live position is no longer shown for this order; told once, when the trip is over."""

    topic: ClassVar[str] = "tracking.ended"
    order_id: str
    reason: str
