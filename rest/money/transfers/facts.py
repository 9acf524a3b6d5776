"""What transfers tell their customers."""

from __future__ import annotations

from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class TransferDecided(Fact, frozen=True, kw_only=True):
    """Finance has looked: `state` is confirmed or rejected, then with the reason."""

    topic: ClassVar[str] = "transfer.decided"
    order_id: str
    payment_id: str
    state: str
    amount: Money
    reason: str | None
