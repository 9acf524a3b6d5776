"""Fees, totals and splits: the worked examples of spec part 8 and properties over all amounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.trade.pricing import DistanceTariff, PriceLine, total, travel_fee

TARIFF = DistanceTariff(base_m=3000, base_fen=900, per_km_fen=250)
metres = st.integers(0, 200_000)


@pytest.mark.parametrize(
    ("distance_m", "free_m", "fee_fen"),
    [
        (3000, 0, 900),
        (3001, 0, 1150),
        (3100, 0, 1150),
        (4000, 0, 1150),
        (4001, 0, 1400),
        (8400, 0, 2400),
        (8400, 5000, 1150),
        (0, 0, 900),
        (2999, 0, 900),
        (5000, 5000, 0),
        (4999, 5000, 0),
        (5001, 5000, 900),
    ],
)
def test_travel_fee_of_the_worked_examples(distance_m: int, free_m: int, fee_fen: int) -> None:
    assert travel_fee(TARIFF, distance_m, free_m) == fee_fen


@given(metres, metres, metres)
def test_a_longer_trip_never_costs_less_and_more_free_metres_never_cost_more(
    distance_m: int, further_m: int, free_m: int
) -> None:
    assert travel_fee(TARIFF, distance_m, free_m) <= travel_fee(TARIFF, distance_m + further_m, free_m)
    assert travel_fee(TARIFF, distance_m, free_m) >= travel_fee(TARIFF, distance_m, free_m + further_m)


def test_travel_fee_refuses_negative_distances() -> None:
    with pytest.raises(ValueError, match="negative"):
        travel_fee(TARIFF, -1)


def test_a_tariff_refuses_negative_and_absurd_amounts() -> None:
    with pytest.raises(ValueError, match="tariff"):
        DistanceTariff(base_m=1, base_fen=-1, per_km_fen=1)
    with pytest.raises(ValueError, match="tariff"):
        DistanceTariff(base_m=1, base_fen=10**13, per_km_fen=1)


def test_a_total_is_the_sum_of_its_lines_and_never_below_zero() -> None:
    lines = [PriceLine(kind="item", amount_fen=40_000), PriceLine(kind="travel", amount_fen=3_000)]
    assert total(lines) == 43_000
    assert total([*lines, PriceLine(kind="discount.coupon", amount_fen=-50_000)]) == 0
