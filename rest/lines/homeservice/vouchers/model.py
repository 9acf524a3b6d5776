"""A technician's voucher as a value: what it takes off, how much it may be, and its life as a table. Pure.

Source: HS-187, 5.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from storage.base.errors import Conflict, Invalid
from storage.base.money import share_bps


class VoucherState(StrEnum):
    """Whether new quotes have it."""

    ON = "on"
    OFF = "off"
    USED_UP = "used_up"


_ON, _OFF, _USED_UP = VoucherState

TRANSITIONS: Mapping[tuple[VoucherState, str], VoucherState] = {
    (_ON, "switch_off"): _OFF,
    (_USED_UP, "switch_off"): _OFF,
    (_OFF, "switch_on"): _ON,
    (_OFF, "switch_on_empty"): _USED_UP,
    (_ON, "take"): _ON,
    (_ON, "take_last"): _USED_UP,
    (_OFF, "take"): _OFF,
    (_OFF, "take_last"): _OFF,
    (_ON, "return"): _ON,
    (_OFF, "return"): _OFF,
    (_USED_UP, "return"): _ON,
    (_ON, "replace"): _OFF,
    (_OFF, "replace"): _OFF,
    (_USED_UP, "replace"): _OFF,
}
"""(state, verb) → state. What is not listed is refused.

A quote made while it was on is kept while there is stock, so one that is off may still be taken. Whoever switched it
off is not overruled by a piece that comes back."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class WrongVoucherState(Conflict):
    """This voucher cannot do that now."""

    code = "voucher_state"


class VoucherOverShare(Invalid):
    """This is more than your share of the item."""

    code = "voucher_over_share"


class VoucherGone(Conflict):
    """The technician's voucher is used up; choose again at the price without it."""

    code = "voucher_gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is taken off, and from what: fen. `valid_until` None: until it is switched off."""

    amount_fen: int
    min_item_fen: int = 0
    valid_until: datetime | None = None


def taken_off(terms: Terms, *, item_fen: int, rate_bps: int, now: datetime) -> int:
    """What a quote made now has of it: nothing below its condition, and never more than his share of the items.

    His share may have become smaller than his voucher since he made it: a region's rate or price has changed.
    """
    if item_fen < terms.min_item_fen or (terms.valid_until is not None and now >= terms.valid_until):
        return 0
    return min(terms.amount_fen, share_bps(item_fen, rate_bps))


def most(regions: Iterable[tuple[int, int]], min_item_fen: int) -> int:
    """The most a voucher may be: his share where it is least. `regions`: price and rate of each he works in."""
    return min((share_bps(max(price_fen, min_item_fen), rate_bps) for price_fen, rate_bps in regions), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """A technician's voucher for one item. `stock` None: without end. `taken`: how many orders have it."""

    id: str
    worker_id: str
    item_id: str
    terms: Terms
    stock: int | None
    taken: int
    state: VoucherState
    replaced_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def is_gone(self) -> bool:
        """Nothing is left of it."""
        return self.stock == 0

    def after(self, verb: str, now: datetime) -> Voucher:
        """The voucher after this verb. Raises WrongVoucherState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongVoucherState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1, updated_at=now)

    def switched(self, now: datetime, *, on: bool) -> Voucher:
        """Itself when it is so already: an empty one that is on is used up."""
        if on == (self.state is not _OFF):
            return self
        verb = "switch_off" if not on else "switch_on_empty" if self.is_gone else "switch_on"
        return self.after(verb, now)

    def with_one_taken(self, now: datetime) -> Voucher:
        """Raises WrongVoucherState when nothing is left."""
        if self.is_gone:
            raise WrongVoucherState(state=self.state.value)
        after = self.after("take_last" if self.stock == 1 else "take", now)
        return replace(after, stock=None if self.stock is None else self.stock - 1, taken=self.taken + 1)

    def with_one_returned(self, now: datetime) -> Voucher:
        """An order let it go."""
        after = self.after("return", now)
        return replace(after, stock=None if self.stock is None else self.stock + 1, taken=self.taken - 1)

    def replaced(self, now: datetime) -> Voucher:
        """Another one stands in its place."""
        return replace(self.after("replace", now), replaced_at=now)
