"""Price lines as properties: no discount makes a price dearer or touches travel, and every fen is somewhere."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.trade.pricing import (
    COUPON,
    ITEM,
    MEMBER,
    TRAVEL,
    VOUCHER,
    CouponStacking,
    Discount,
    PriceChanged,
    PriceLine,
    check_quote,
    net,
    price_lines,
    quote_hash,
    taken_off,
    total,
)
from rest.trade.pricing.lines import DISCOUNTS, STACKING

fen = st.integers(0, 10**9)
items = st.lists(fen, min_size=1, max_size=6).map(
    lambda amounts: [PriceLine(kind=ITEM, amount_fen=amount, ref=f"itm_{n}") for n, amount in enumerate(amounts)]
)
way = st.none() | fen.map(lambda amount: PriceLine(kind=TRAVEL, amount_fen=amount))
member = fen.map(lambda amount: Discount(MEMBER, amount, "gold"))
coupon = fen.map(lambda amount: Discount(COUPON, amount, "cpn_1"))
voucher = fen.map(lambda amount: Discount(VOUCHER, amount, "wrk_1"))
some = st.tuples(st.none() | member, st.none() | coupon, st.none() | voucher).map(lambda any_: [d for d in any_ if d])


@given(items, way, some)
def test_a_price_is_what_is_left_and_never_below_travel(
    given_items: list[PriceLine], travel: PriceLine | None, discounts: list[Discount]
) -> None:
    lines = price_lines(given_items, travel, discounts)
    goods, fee = sum(one.amount_fen for one in given_items), travel.amount_fen if travel else 0
    asked = sum(discount.amount_fen for discount in discounts)
    assert sum(line.amount_fen for line in lines) == total(lines) == max(0, goods - asked) + fee
    assert [line for line in lines if line.kind == TRAVEL] == ([travel] if travel else [])


@given(items, way, some, coupon)
def test_adding_a_coupon_never_raises_a_price(
    given_items: list[PriceLine], travel: PriceLine | None, discounts: list[Discount], more: Discount
) -> None:
    without = [one for one in discounts if one.kind != COUPON]
    before, after = price_lines(given_items, travel, without), price_lines(given_items, travel, [*without, more])
    assert 0 <= total(after) <= total(before)


@given(items, way, some)
def test_each_discount_is_spread_over_the_items_to_the_fen(
    given_items: list[PriceLine], travel: PriceLine | None, discounts: list[Discount]
) -> None:
    lines = price_lines(given_items, travel, discounts)
    left = sum(one.amount_fen for one in given_items)
    for discount in sorted(discounts, key=lambda one: DISCOUNTS.index(one.kind)):
        assert taken_off(lines, discount.kind) == min(discount.amount_fen, left)
        left -= taken_off(lines, discount.kind)
    nets = net(lines)
    assert [line.ref for line in nets] == [line.ref for line in given_items]
    assert sum(line.amount_fen for line in nets) == left
    for line, whole in zip(nets, given_items, strict=True):
        assert 0 <= line.amount_fen <= whole.amount_fen
    for line in lines:
        if line.allocated_to is not None:
            assert lines[line.allocated_to - 1].kind == ITEM


@given(items, way, some)
def test_the_order_in_which_discounts_are_named_does_not_matter(
    given_items: list[PriceLine], travel: PriceLine | None, discounts: list[Discount]
) -> None:
    hashes = {quote_hash(price_lines(given_items, travel, list(order))) for order in permutations(discounts)}
    assert len(hashes) == 1


def test_a_member_comes_first_then_the_coupon_then_the_voucher() -> None:
    goods = [PriceLine(kind=ITEM, amount_fen=1_000)]
    discounts = [Discount(VOUCHER, 900, "wrk_1"), Discount(COUPON, 500, "cpn_1"), Discount(MEMBER, 300, "gold")]
    lines = price_lines(goods, None, discounts)
    assert [(line.kind, line.amount_fen) for line in lines[1:]] == [(MEMBER, -300), (COUPON, -500), (VOUCHER, -200)]


def test_a_coupon_over_three_items_by_largest_remainder() -> None:
    three = [PriceLine(kind=ITEM, amount_fen=amount) for amount in (1_000, 1_000, 1_001)]
    lines = price_lines(three, None, [Discount(COUPON, 100, "cpn_1")])
    assert [(line.amount_fen, line.allocated_to) for line in lines[3:]] == [(-33, 1), (-33, 2), (-34, 3)]


ALLOWED = {
    (COUPON,): True, (VOUCHER,): True, (COUPON, VOUCHER): True, (COUPON, COUPON): False, (VOUCHER, VOUCHER): False,
    (COUPON, COUPON, VOUCHER): False, (COUPON, VOUCHER, VOUCHER): False,
    (MEMBER,): True, (MEMBER, COUPON): True, (MEMBER, VOUCHER): True, (MEMBER, COUPON, VOUCHER): True,
    (MEMBER, MEMBER): False, (MEMBER, COUPON, COUPON): False,
}  # fmt: skip
"""From HS-186: one coupon, and a technician's voucher beside it; a member has both."""


@pytest.mark.parametrize("kinds", ALLOWED)
def test_which_discounts_go_together(kinds: tuple[str, ...]) -> None:
    goods = [PriceLine(kind=ITEM, amount_fen=10_000)]
    for order in permutations(kinds):
        discounts = [Discount(kind, 100, f"d{n}") for n, kind in enumerate(order)]
        if ALLOWED[kinds]:
            assert total(price_lines(goods, None, discounts)) == 10_000 - 100 * len(kinds)
        else:
            with pytest.raises(CouponStacking):
                price_lines(goods, None, discounts)


def test_every_pair_of_discounts_is_decided() -> None:
    pairs = {(first, second) for n, first in enumerate(DISCOUNTS) for second in DISCOUNTS[n:]}
    assert STACKING.keys() == pairs


LINE = PriceLine(kind=ITEM, amount_fen=100, qty=1, ref="itm_1")


@pytest.mark.parametrize(
    "other",
    [
        PriceLine(kind=ITEM, amount_fen=101, qty=1, ref="itm_1"),
        PriceLine(kind=ITEM, amount_fen=100, qty=2, ref="itm_1"),
        PriceLine(kind=ITEM, amount_fen=100, qty=1, ref="itm_2"),
        PriceLine(kind=TRAVEL, amount_fen=100, qty=1, ref="itm_1"),
        PriceLine(kind=ITEM, amount_fen=100, qty=1, ref="itm_1", allocated_to=1),
    ],
)
def test_a_hash_tells_prices_apart(other: PriceLine) -> None:
    assert quote_hash([LINE]) == quote_hash([PriceLine(kind=ITEM, amount_fen=100, qty=1, ref="itm_1")])
    assert quote_hash([LINE]) != quote_hash([other])
    check_quote([LINE], quote_hash([LINE]))
    check_quote([LINE], None)
    with pytest.raises(PriceChanged) as refused:
        check_quote([other], quote_hash([LINE]))
    assert refused.value.fields == {"quote_hash": quote_hash([other])}
