"""What refund requests tell: the customer, and the provider who is asked or bears a part of it."""

from __future__ import annotations

from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class RefundChanged(Fact, frozen=True, kw_only=True):
    """A refund request has moved. `amount` is what was approved, before that what was asked for."""

    topic: ClassVar[str] = "refund.changed"

    refund_id: str
    order_id: str
    state: str
    version: int
    amount: Money
