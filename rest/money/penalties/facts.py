"""Receipts of penalties, to whoever pays and to the other side (HS-129)."""

from __future__ import annotations

from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class PenaltyFact(Fact, frozen=True, kw_only=True):
    """What every receipt says. `payer` is `customer` or `worker`; the parts sum to the amount."""

    penalty_id: str
    order_id: str
    payer: str
    cause: str
    amount: Money
    item_part: Money
    travel_part: Money


class PenaltyBooked(PenaltyFact, frozen=True, kw_only=True):
    """A penalty was kept from what was paid, or taken from a worker's wallet."""

    topic: ClassVar[str] = "penalty.booked"


class PenaltyTakenBack(PenaltyFact, frozen=True, kw_only=True):
    """A penalty was a mistake and went back."""

    topic: ClassVar[str] = "penalty.reversed"
