"""What settlements tell: each party its own part of an order, never another's."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class SettlementDone(Fact, frozen=True, kw_only=True):
    """An order has been shared out: what the listener gets of it, and when he may spend it (spec part 7)."""

    topic: ClassVar[str] = "settlement.done"

    settlement_id: str
    order_id: str
    net: Money
    available_at: datetime


class SettlementChanged(Fact, frozen=True, kw_only=True):
    """A refund or finance has changed what the listener has of an order: by how much, and what it is now."""

    topic: ClassVar[str] = "settlement.changed"

    settlement_id: str
    order_id: str
    cause: str
    change: Money
    net: Money
