"""What the points mall tells the buyer."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class PurchaseChanged(Fact, frozen=True, kw_only=True):
    """Every step of a purchase; `reason` where it was closed."""

    topic: ClassVar[str] = "purchase.changed"
    purchase_id: str
    product_id: str
    state: str
    version: int
    reason: str | None
