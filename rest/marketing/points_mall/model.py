"""Products and purchases of the points mall as values, and the life of a purchase as a table. Pure.

Source: FR-095, FR-096; RV-305 to RV-307.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from storage.base.errors import Conflict

PREFIX = "pmo_"
"""How a purchase's id begins: payments name what they are for by its id."""

PAY_WITHIN = timedelta(minutes=15)
"""RV part 6: the payment window of everything that is not an order of a line."""

LOCK_EPOCH = 1
"""A purchase's price never changes: every attempt to pay it is for the same."""


class PurchaseState(StrEnum):
    """Where a purchase stands."""

    CREATED = "created"
    DONE = "done"
    DELIVERED = "delivered"
    CLOSED = "closed"


_CREATED, _DONE, _DELIVERED, _CLOSED = PurchaseState

TRANSITIONS: Mapping[tuple[PurchaseState, str], PurchaseState] = {
    (_CREATED, "pay"): _DONE,
    (_CREATED, "close"): _CLOSED,
    (_DONE, "deliver"): _DELIVERED,
}
"""(state, verb) → state. What is not listed is refused."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What points buy: a coupon of this template, or something that staff deliver. Units: points, fen, pieces."""

    id: str
    name: Mapping[str, str]
    coupon_template: str | None
    points: int
    cash_fen: int
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
    """One piece of a product at the price it had. Units: points, fen."""

    id: str
    product_id: str
    account_id: str
    coupon_template: str | None
    points: int
    cash_fen: int
    method: str | None
    state: PurchaseState
    reason: str | None
    note: str | None
    delivered_by: str | None
    version: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def after(self, verb: str) -> Purchase:
        """The purchase after this verb. Raises WrongPurchaseState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongPurchaseState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)
