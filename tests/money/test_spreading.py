"""How refunds are spread over parts: exact, capped, and the same end whatever the steps (RV-289, I6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rest.money.payments.model import Part, Tender
from rest.money.payments.spreading import Share, deal, spread
from storage.base.money import allocate

weights = st.lists(st.integers(1, 10**9), min_size=1, max_size=6)
shares = st.lists(st.builds(Share, st.integers(1, 10**7), st.just(0), st.booleans()), min_size=1, max_size=6)


@given(weights, st.data())
@example([1, 1, 1], None)
def test_dealing_is_exact_and_never_takes_back(parts: list[int], data: st.DataObject | None) -> None:
    total = sum(parts) if data is None else data.draw(st.integers(0, sum(parts)))
    now = deal(total, parts)
    assert sum(now) == total
    assert all(0 <= mine <= whole for mine, whole in zip(now, parts, strict=True))
    if total:
        before = deal(total - 1, parts)
        assert all(mine >= was for mine, was in zip(now, before, strict=True))
    assert deal(sum(parts), parts) == parts


def dealt_one_by_one(total: int, parts: list[int]) -> list[int]:
    """The definition, a fen at a time."""
    has = [0] * len(parts)
    for _ in range(total):
        has[max(range(len(parts)), key=lambda i: (Fraction(parts[i], 2 * has[i] + 1), i))] += 1
    return has


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.data())
def test_dealing_is_what_it_says(parts: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(parts)))
    assert deal(total, parts) == dealt_one_by_one(total, parts)


def after(parts: Sequence[Share], amount: int) -> list[Share]:
    given_now = spread(amount, parts)
    assert sum(given_now) == amount
    assert all(0 <= fen <= part.left for fen, part in zip(given_now, parts, strict=True))
    return [replace(part, given=part.given + fen) for part, fen in zip(parts, given_now, strict=True)]


@given(shares, st.data())
def test_any_row_of_refunds_ends_like_one_of_the_sum(parts: list[Share], data: st.DataObject) -> None:
    """I6."""
    stepwise, total = parts, 0
    for _ in range(data.draw(st.integers(1, 6))):
        left = sum(part.left for part in stepwise)
        if left == 0:
            break
        amount = data.draw(st.integers(1, left))
        stepwise, total = after(stepwise, amount), total + amount
    assert stepwise == after(parts, total)


def test_largest_remainders_alone_would_take_back() -> None:
    """Why they do not decide: of one fen more in all, the last part would get one less."""
    parts = [5, 5, 2]
    assert any(
        one > other
        for total in range(sum(parts))
        for one, other in zip(allocate(total, parts), allocate(total + 1, parts), strict=True)
    )


@given(shares, st.data())
def test_what_was_refunded_otherwise_is_never_exceeded(parts: list[Share], data: st.DataObject) -> None:
    odd = [replace(part, given=data.draw(st.integers(0, part.brought))) for part in parts]
    left = sum(part.left for part in odd)
    if left:
        after(odd, data.draw(st.integers(1, left)))


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(1, [0, 1]), (2, [0, 2]), (3, [1, 2]), (150, [50, 100]), (299, [99, 200]), (300, [100, 200])],
)
def test_the_rest_goes_over_the_channel(amount: int, expected: list[int]) -> None:
    """RV-289: 1 yuan of the balance and 2 of WeChat; what does not divide goes back by WeChat."""
    assert spread(amount, [Share(100, 0, by_channel=False), Share(200, 0, by_channel=True)]) == expected


@pytest.mark.parametrize("amount", [0, -1, 301])
def test_more_than_there_is_is_a_mistake(amount: int) -> None:
    with pytest.raises(ValueError, match="cannot be given back"):
        spread(amount, [Share(100, 0, by_channel=False), Share(200, 0, by_channel=True)])


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.data())
def test_points_come_back_in_proportion_and_all_in_the_end(amount: int, points: int, data: st.DataObject) -> None:
    part = Part(Tender.POINTS, amount, points=points)
    cut = data.draw(st.integers(0, amount))
    first = part.refunded(cut)
    assert 0 <= first.points_refunded <= points
    assert first.refunded(amount - cut).points_refunded == points
