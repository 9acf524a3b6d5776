"""What broadcasts tell the desk."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class BroadcastChanged(Fact, frozen=True, kw_only=True):
    """A broadcast is on its way, is through, was cancelled, or was counted anew. Counts are of people."""

    topic: ClassVar[str] = "broadcast.changed"

    broadcast_id: str
    state: str
    told: int
    sent: int
    delivered: int
    failed: int
    opened: int
