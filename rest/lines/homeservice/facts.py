"""What the home-service line tells, besides `order.changed` and `tracking.ended` of the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import msgspec

from rest.edge.values import Money
from storage.base.facts import Fact


class OrderOffered(Fact, frozen=True, kw_only=True):
    """The technician is paid for and has until `answer_due_at` to accept or reject (HS-059). The place is rough."""

    topic: ClassVar[str] = "order.offered"
    order_id: str
    item_id: str
    item_name: Mapping[str, str]
    start_at: datetime
    minutes: int
    lon: float
    lat: float
    region_code: str
    payable: Money
    answer_due_at: datetime


class OrderClock(Fact, frozen=True, kw_only=True):
    """The service clock at a change: when the service ends and how long that is from now (HS-105)."""

    topic: ClassVar[str] = "order.clock"
    order_id: str
    ends_at: datetime
    remaining_s: int


class PartMoved(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of paying gave or got; `points` are what its amount cost."""

    method: str
    amount: Money
    points: int | None


class PaymentSettled(Fact, frozen=True, kw_only=True):
    """Money of an order has moved: `state` is paid, failed, returned (late or wrong money) or refunded.

    `parts` say by which ways, and sum to the amount.
    """

    topic: ClassVar[str] = "payment.settled"
    order_id: str
    amount: Money
    state: str
    parts: list[PartMoved]


class WaitStarted(Fact, frozen=True, kw_only=True):
    """The technician is at the door and reaches nobody; after `over_at` he may leave for the penalty (HS-126)."""

    topic: ClassVar[str] = "wait.started"
    order_id: str
    started_at: datetime
    over_at: datetime


class WaitOver(Fact, frozen=True, kw_only=True):
    """The technician has waited long enough and may leave (HS-127)."""

    topic: ClassVar[str] = "wait.over"
    order_id: str


class WaitEnded(Fact, frozen=True, kw_only=True):
    """The customer has turned up, says `who`; a later wait counts from nothing (HS-128)."""

    topic: ClassVar[str] = "wait.ended"
    order_id: str
    who: str
