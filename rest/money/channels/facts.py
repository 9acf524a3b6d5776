"""What channels tell the lines. Nobody's phone hears the first two: they are for subscribers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class MoneyCame(Fact, frozen=True, kw_only=True):
    """A channel has the money of this attempt: verified, and just what was asked. `ref` is its own number."""

    topic: ClassVar[str] = "money.came"
    order_id: str
    payment_id: str
    ref: str


class MoneyRefused(Fact, frozen=True, kw_only=True):
    """A channel will not take this payment."""

    topic: ClassVar[str] = "money.refused"
    order_id: str
    payment_id: str
    reason: str


class PaymentReady(Fact, frozen=True, kw_only=True):
    """The customer can pay now: `params` is what his app or page needs for it. `amount` is the channel's part."""

    topic: ClassVar[str] = "payment.ready"
    order_id: str
    payment_id: str
    method: str
    amount: Money
    params: Mapping[str, str]
    expires_at: datetime


class RefundSlow(Fact, frozen=True, kw_only=True):
    """A refund has not reached its customer within its working days: finance asks why. Told once."""

    topic: ClassVar[str] = "refund.slow"
    channel_refund_id: str
    channel: str
    state: str
    amount: Money
    requested_at: datetime
