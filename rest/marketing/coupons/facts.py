"""What coupons tell their owners."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from storage.base.facts import Fact


class CouponIssued(Fact, frozen=True, kw_only=True):
    """A coupon is yours: taken (`claim`) or given (`gift`). Names by language tag."""

    topic: ClassVar[str] = "coupon.issued"
    coupon_id: str
    template_id: str
    name: Mapping[str, str]
    source: str
    valid_from: datetime
    valid_until: datetime


class CouponReleased(Fact, frozen=True, kw_only=True):
    """An order gave the coupon back: `state` is issued, or expired when its time has passed meanwhile."""

    topic: ClassVar[str] = "coupon.released"
    coupon_id: str
    order_id: str
    state: str
    valid_until: datetime


class CouponRevoked(Fact, frozen=True, kw_only=True):
    """The coupon is gone: you have given it back, or the membership it came with."""

    topic: ClassVar[str] = "coupon.revoked"
    coupon_id: str
    template_id: str


def owner(account_id: str) -> str:
    return f"customer:{account_id}"
