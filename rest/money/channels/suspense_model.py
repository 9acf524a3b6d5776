"""Money in suspense as a value, and where it may go from there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from storage.base.errors import Conflict


class ItemState(StrEnum):
    """Where the money is: still in suspense, or where a person of finance has said."""

    OPEN = "open"
    ASSIGNED = "assigned"
    REFUNDED = "refunded"
    WRITTEN_OFF = "written_off"


TABLE: Mapping[tuple[ItemState, str], ItemState] = {
    (ItemState.OPEN, "assign"): ItemState.ASSIGNED,
    (ItemState.OPEN, "refund"): ItemState.REFUNDED,
    (ItemState.OPEN, "write_off"): ItemState.WRITTEN_OFF,
}
"""(state, verb) → state. What is not listed is refused: money leaves suspense once."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TABLE))


class Cause(StrEnum):
    """Why it is there; `bill`: the channel's bill and the book disagreed about an amount."""

    UNKNOWN_ORDER = "unknown_order"
    WRONG_AMOUNT = "wrong_amount"
    SECOND_MONEY = "second_money"
    BILL = "bill"


class WrongItemState(Conflict):
    """This money has left suspense."""

    code = "suspense_state"


class NotThatPayment(Conflict):
    """The payment named is not exactly what this money would pay."""

    code = "suspense_mismatch"


class NothingToReturn(Conflict):
    """The channel has less than the book here, so there is nothing it could give back."""

    code = "suspense_negative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Money of one trade in suspense, fen; below zero where the channel has less than was booked.

    `total_fen` is what the whole trade brought, `ref` the transfer that put the money here.
    """

    id: str
    channel: str
    ref: str
    cause: Cause
    out_trade_no: str
    trade_no: str
    amount_fen: int
    total_fen: int
    state: ItemState
    reason: str | None
    by_id: str | None
    version: int
    parked_at: datetime
    ended_at: datetime | None

    def after(self, verb: str, *, reason: str, by: str, now: datetime) -> Item:
        """Raises WrongItemState."""
        state = TABLE.get((self.state, verb))
        if state is None:
            raise WrongItemState(state=self.state.value)
        return replace(self, state=state, reason=reason, by_id=by, ended_at=now, version=self.version + 1)
