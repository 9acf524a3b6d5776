"""What points tell their owner."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from storage.base.facts import Fact


class PointsChanged(Fact, frozen=True, kw_only=True):
    """Points have come or gone: `reason` says why, `points` how many may be spent more (or less) than before."""

    topic: ClassVar[str] = "points.changed"
    account_id: str
    reason: str
    points: int
    available: int
    pending: int
    owed: int


class PointsExpiring(Fact, frozen=True, kw_only=True):
    """These points end soon (FR-098)."""

    topic: ClassVar[str] = "points.expiring"
    account_id: str
    points: int
    expires_at: datetime


def owner(account_id: str) -> str:
    return f"customer:{account_id}"
