"""Price lines: what a price is made of, which discounts go together, and who bears how much of each. Pure.

Discounts are applied in one order whatever the order they are given in, each to what the ones before have left of the
items; travel is never discounted (HS-045). Each is spread over the item lines by largest remainder, so that every line
knows its net to the fen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from rest.trade.pricing.model import PriceLine
from storage.base import codec
from storage.base.errors import Conflict, Invalid
from storage.base.money import allocate

ITEM = "item"
TRAVEL = "travel"
MEMBER = "discount.member"
COUPON = "discount.coupon"
VOUCHER = "discount.voucher"

DISCOUNTS = (MEMBER, COUPON, VOUCHER)
"""In the order they are applied: what everybody of a level has, what one gives up for it, what the technician adds."""

STACKING: Mapping[tuple[str, str], bool] = {
    (MEMBER, MEMBER): False,
    (MEMBER, COUPON): True,
    (MEMBER, VOUCHER): True,
    (COUPON, COUPON): False,
    (COUPON, VOUCHER): True,
    (VOUCHER, VOUCHER): False,
}
"""Whether two discounts may be on one order; a pair stands here in the order of DISCOUNTS (HS-186)."""

HASH_DIGITS = 32


class CouponStacking(Invalid):
    """These discounts cannot be used together."""

    code = "coupon_stacking"


class PriceChanged(Conflict):
    """The price is not the one you were shown."""

    code = "price_changed"


@dataclass(frozen=True, slots=True)
class Discount:
    """What shall be taken off the items: at most this many fen. `ref` names the level, the coupon, or who gave it."""

    kind: str
    amount_fen: int
    ref: str


def check_stacking(discounts: Sequence[Discount]) -> None:
    """Raises CouponStacking when two of them do not go together."""
    kinds = sorted((discount.kind for discount in discounts), key=DISCOUNTS.index)
    for n, first in enumerate(kinds):
        for second in kinds[n + 1 :]:
            if not STACKING[first, second]:
                raise CouponStacking(kinds=[first, second])


def price_lines(items: Sequence[PriceLine], travel: PriceLine | None, discounts: Sequence[Discount]) -> list[PriceLine]:
    """The lines of a price: items, travel, then a line for each part of each discount.

    `allocated_to` is the place of the item line a part is taken from, from 1. Raises CouponStacking.
    """
    check_stacking(discounts)
    lines = [*items, *([travel] if travel is not None else [])]
    left = [item.amount_fen for item in items]
    for discount in sorted(discounts, key=lambda one: DISCOUNTS.index(one.kind)):
        taken = min(max(discount.amount_fen, 0), sum(left))
        if taken == 0:
            continue
        for n, part in enumerate(allocate(taken, left)):
            if part:
                left[n] -= part
                lines.append(PriceLine(kind=discount.kind, amount_fen=-part, ref=discount.ref, allocated_to=n + 1))
    return lines


def taken_off(lines: Sequence[PriceLine], kind: str) -> int:
    """What discounts of this kind take off, in fen."""
    return -sum(line.amount_fen for line in lines if line.kind == kind)


def net(lines: Sequence[PriceLine]) -> list[PriceLine]:
    """The item lines with what is left of each: what may go back for it."""
    off = dict.fromkeys(range(1, len(lines) + 1), 0)
    for line in lines:
        if line.allocated_to is not None:
            off[line.allocated_to] += line.amount_fen
    items = [(n, line) for n, line in enumerate(lines, 1) if line.kind == ITEM]
    return [msgspec.structs.replace(line, amount_fen=line.amount_fen + off[n]) for n, line in items]


def quote_hash(lines: Sequence[PriceLine]) -> str:
    """A name for exactly this price: the same lines have the same, others another."""
    rows = [[line.kind, line.ref, line.qty, line.amount_fen, line.allocated_to] for line in lines]
    return sha256(codec.dumps(rows)).hexdigest()[:HASH_DIGITS]


def check_quote(lines: Sequence[PriceLine], shown: str | None) -> None:
    """Compare with the price the caller was shown, if he says so. Raises PriceChanged with the one it is now."""
    if shown is not None and shown != (now := quote_hash(lines)):
        raise PriceChanged(quote_hash=now)
