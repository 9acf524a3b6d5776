"""What top-ups tell."""

from __future__ import annotations

from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class TopupPaid(Fact, frozen=True, kw_only=True):
    """The money is where it was meant to go, with its bonus; points and coupons follow from this fact."""

    topic: ClassVar[str] = "topup.paid"
    topup_id: str
    account_id: str
    kind: str
    amount: Money
    bonus: Money
    bonus_points: int
    bonus_coupon: str | None


class TopupClosed(Fact, frozen=True, kw_only=True):
    """Nobody waits for this top-up's money any more."""

    topic: ClassVar[str] = "topup.closed"
    topup_id: str
    reason: str
