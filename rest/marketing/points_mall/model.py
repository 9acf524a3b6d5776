"""Products and purchases of the points mall as values, and the life of a purchase as a table. Pure.

Source: FR-095, FR-096; RV-305 to RV-308, RV-322.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rest.money.refunds.model import RefundWindow
from storage.base import codec
from storage.base.errors import Conflict, Invalid

PREFIX = "pmo_"
"""How a purchase's id begins: payments name what they are for by its id."""

PAY_WITHIN = timedelta(minutes=15)
"""RV part 6: the payment window of everything that is not an order of a line."""

REFUND_WITHIN = timedelta(hours=24)
"""RV-308: how long after it was paid a bought coupon may be given back."""

LOCK_EPOCH = 1
"""A purchase's price never changes: every attempt to pay it is for the same."""


class PurchaseState(StrEnum):
    """Where a purchase stands."""

    CREATED = "created"
    DONE = "done"
    DELIVERED = "delivered"
    CLOSED = "closed"
    REFUNDED = "refunded"


_CREATED, _DONE, _DELIVERED, _CLOSED, _REFUNDED = PurchaseState

TRANSITIONS: Mapping[tuple[PurchaseState, str], PurchaseState] = {
    (_CREATED, "pay"): _DONE,
    (_CREATED, "close"): _CLOSED,
    (_DONE, "deliver"): _DELIVERED,
    (_DONE, "refund"): _REFUNDED,
    (_DELIVERED, "refund"): _REFUNDED,
}
"""(state, verb) → state. What is not listed is refused. Only what is a coupon may be given back."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class WrongPurchaseState(Conflict):
    """This purchase is past that."""

    code = "purchase_state"


class ProductOutOfStock(Conflict):
    """There is nothing left of this, or it is not sold now."""

    code = "out_of_stock"


class ProductLimit(Conflict):
    """One person gets no more of this."""

    code = "limit_reached"


class ConfirmRequired(Invalid):
    """Say that you agree to give these points for it."""

    code = "confirm_required"


class NotRefundable(Invalid):
    """Only coupons can be given back here."""

    code = "not_refundable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What points buy: a coupon of this template, or something that staff deliver. Units: points, fen, pieces.

    `list_fen` is what it costs elsewhere (RV-322).
    """

    id: str
    name: Mapping[str, str]
    coupon_template: str | None
    points: int
    cash_fen: int
    list_fen: int | None
    stock: int
    held: int
    sold: int
    per_account_max: int
    active: bool
    version: int
    changed_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One piece of a product at the price it had. Units: points, fen. `ended_at`: when it was paid, or closed."""

    id: str
    product_id: str
    account_id: str
    coupon_template: str | None
    points: int
    cash_fen: int
    list_fen: int | None
    method: str | None
    state: PurchaseState
    reason: str | None
    note: str | None
    delivered_by: str | None
    coupon_id: str | None
    version: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    refunded_at: datetime | None

    def after(self, verb: str) -> Purchase:
        """The purchase after this verb. Raises WrongPurchaseState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongPurchaseState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    @property
    def refundable_until(self) -> datetime | None:
        """Until just before when the coupon it gave may be given back; None where it has given none."""
        return None if self.coupon_id is None or self.ended_at is None else self.ended_at + REFUND_WITHIN

    def refunded(self, now: datetime) -> Purchase:
        """The purchase whose price goes back (RV-308). Whoever has paid and waits for his coupon may always have it.

        Raises NotRefundable, WrongPurchaseState, RefundWindow.
        """
        by_hand = self.state is _DELIVERED and self.coupon_id is None
        if self.coupon_template is None or by_hand:
            raise NotRefundable
        after = replace(self.after("refund"), refunded_at=now)
        until = self.refundable_until
        if until is not None and now >= until:
            raise RefundWindow(until=codec.instant(until))
        return after
