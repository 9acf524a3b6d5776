"""Who gets what: the worked examples of the spec, and what holds for any rule and any amounts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money.settlement.split import TERMS, Basis, Part, Rule, scaled, split
from storage.base.money import share_bps

HOME = Rule(
    line="homeservice",
    version=1,
    parts=(
        Part(
            kind="technician",
            party="worker",
            bps=None,
            of=("item", "extension", "penalty_item"),
            whole=("travel", "penalty_travel", "tip", "-voucher"),
        ),
        Part(kind="channel_reward", party="channel", bps=100, of=("item", "extension", "-coupon", "-voucher")),
        Part(
            kind="platform_bonus",
            party="channel",
            bps=300,
            of=("item", "extension", "-coupon", "-voucher"),
            cap_fen=100_000,
        ),
        Part(kind="platform", party="platform"),
    ),
)
"""Written from HS-154 to HS-160, not read from the migration; a test compares the two."""

# (technician, 1 %, 3 %, platform) in fen; counted: bonus so far; None where there is no channel. Source: spec part 8.
EXAMPLES: dict[str, tuple[dict[str, int], int | None, tuple[int, ...]]] = {
    "plain order, no channel": ({"item": 40_000, "travel": 3_000, "kept": 43_000}, None, (27_000, 16_000)),
    "coupon and voucher, channel": (
        {"item": 40_000, "travel": 3_000, "coupon": 5_000, "voucher": 2_000, "kept": 36_000},
        0,
        (25_000, 330, 990, 9_680),
    ),
    "a member, his coupon and a voucher, channel": (
        # the technician's and, in version 1, the channel's part know nothing of the member's 20.00
        {"item": 40_000, "travel": 3_000, "member": 2_000, "coupon": 5_000, "voucher": 2_000, "kept": 34_000},
        0,
        (25_000, 330, 990, 7_680),
    ),
    "extension": (
        {"item": 40_000, "travel": 3_000, "coupon": 5_000, "voucher": 2_000, "extension": 10_000, "kept": 46_000},
        0,
        (31_000, 430, 1_290, 13_280),
    ),
    "bonus reaching the limit": ({"item": 40_000, "kept": 40_000}, 99_500, (24_000, 400, 500, 15_100)),
    "after the limit": ({"item": 40_000, "kept": 40_000}, 100_000, (24_000, 400, 0, 15_600)),
    "rounding": ({"item": 33_333, "kept": 33_333}, 0, (20_000, 333, 1_000, 12_000)),
    "tip": ({"tip": 5_000, "kept": 5_000}, 0, (5_000, 0, 0, 0)),
    "user penalty, en route": (
        {"penalty_item": 20_000, "penalty_travel": 3_000, "kept": 23_000},
        0,
        (15_000, 0, 0, 8_000),
    ),
    "penalty limited by payment": (
        {"penalty_item": 2_000, "penalty_travel": 3_000, "kept": 5_000},
        0,
        (4_200, 0, 0, 800),
    ),
    "a coupon beyond the platform's part": (
        {"item": 40_000, "travel": 3_000, "coupon": 38_000, "kept": 5_000},
        None,
        (27_000, -22_000),
    ),
    "a coupon above the item takes no reward back": (
        {"item": 1_000, "travel": 500, "coupon": 1_500, "kept": 0},
        0,
        (1_100, 0, 0, -1_100),
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_worked_example(name: str) -> None:
    amounts, counted, expected = EXAMPLES[name]
    shares = split(HOME, Basis(rate_bps=6_000, **amounts), has_channel=counted is not None, counted_fen=counted or 0)
    assert tuple(share.amount_fen for share in shares) == expected


def test_the_bonus_is_used_up_after_33333_yuan_and_a_third() -> None:
    paid = [
        split(HOME, Basis(rate_bps=6_000, item=item, kept=item), has_channel=True)[2].amount_fen
        for item in (3_333_332, 3_333_333, 3_333_334, 9_999_999)
    ]
    assert paid == [100_000, 100_000, 100_000, 100_000]
    assert split(HOME, Basis(rate_bps=6_000, item=3_333_300, kept=0), has_channel=True)[2].amount_fen == 99_999


fen = st.integers(0, 10**9)
bases = st.builds(Basis, kept=fen, rate_bps=st.integers(0, 10_000), **dict.fromkeys(TERMS, st.one_of(st.just(0), fen)))


@st.composite
def rules(draw: Any) -> Rule:
    """Any rule there may be."""
    parts = []
    for n in range(draw(st.integers(0, 5))):
        parts.append(
            Part(
                kind=f"kind{n}",
                party=draw(st.sampled_from(["worker", "channel"])),
                bps=draw(st.none() | st.integers(0, 10_000)),
                of=draw(st.lists(st.sampled_from([*TERMS, "-member", "-coupon", "-voucher"]), max_size=3).map(tuple)),
                whole=draw(st.lists(st.sampled_from(["travel", "tip"]), max_size=2, unique=True).map(tuple)),
                fixed_fen=draw(st.integers(0, 1000)),
            )
        )
    if parts and draw(st.booleans()):
        parts[0] = msgspec.structs.replace(parts[0], cap_fen=draw(fen))
    return Rule(line="any", version=1, parts=(*parts, Part(kind="platform", party="platform")))


@given(rules() | st.just(HOME), bases, st.booleans(), fen)
def test_parts_sum_to_what_was_kept_and_each_is_within_half_a_fen(
    rule: Rule, basis: Basis, has_channel: bool, counted: int
) -> None:
    """I7."""
    shares = split(rule, basis, has_channel=has_channel, counted_fen=counted)
    assert sum(share.amount_fen for share in shares) == basis.kept
    assert has_channel or all(share.party != "channel" for share in shares)
    by_kind = {share.kind: share.amount_fen for share in shares}
    for part in rule.parts[:-1]:
        if part.kind not in by_kind or part.cap_fen is not None:
            continue
        value = {**{term: getattr(basis, term) for term in TERMS}}
        value |= {f"-{term}": -amount for term, amount in value.items()}
        rate = basis.rate_bps if part.bps is None else part.bps
        exact = Fraction(max(0, sum(value[term] for term in part.of)) * rate, 10_000)
        exact += sum(value[term] for term in part.whole) + part.fixed_fen
        assert abs(by_kind[part.kind] - exact) <= Fraction(1, 2)


@given(rules(), bases, fen)
def test_a_cap_holds_whatever_was_counted_before(rule: Rule, basis: Basis, counted: int) -> None:
    capped = rule.capped
    if capped is None or capped.cap_fen is None:
        return
    shares = {s.kind: s.amount_fen for s in split(rule, basis, has_channel=True, counted_fen=counted)}
    assert 0 <= shares[capped.kind] <= max(0, capped.cap_fen - counted)
    free = msgspec.structs.replace(capped, cap_fen=None)
    parts = tuple(free if part == capped else part for part in rule.parts)
    uncapped = {
        s.kind: s.amount_fen for s in split(msgspec.structs.replace(rule, parts=parts), basis, has_channel=True)
    }
    assert shares[capped.kind] == max(0, min(uncapped[capped.kind], capped.cap_fen - counted))


@given(fen, st.integers(0, 10_000))
def test_without_coupons_the_platform_pays_nothing_in(item: int, rate: int) -> None:
    """I7: its part is only negative where the policy says so."""
    basis = Basis(kept=item, item=item, rate_bps=min(rate, 9_600))
    assert split(HOME, basis, has_channel=True)[-1].amount_fen >= -1  # three roundings of at most half a fen each


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9), st.data())
def test_a_scaled_part_is_exact_at_the_ends_and_never_grows_when_less_is_kept(
    base: int, base_kept: int, data: st.DataObject
) -> None:
    more = data.draw(st.integers(0, base_kept))
    less = data.draw(st.integers(0, more))
    assert (scaled(base, base_kept, base_kept), scaled(base, 0, base_kept)) == (base, 0)
    assert abs(scaled(base, more, base_kept) - Fraction(base * more, base_kept)) <= Fraction(1, 2)
    assert abs(scaled(base, less, base_kept)) <= abs(scaled(base, more, base_kept))
    assert scaled(base, 0, 0) == base


PLATFORM = Part(kind="platform", party="platform")
ONE = Part(kind="one", party="worker", bps=100, of=("item",))


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (ONE,),
        (PLATFORM, ONE),
        (PLATFORM, PLATFORM),
        (ONE, ONE, PLATFORM),
        (ONE, Part(kind="platform", party="platform", fixed_fen=1)),
        (Part(kind="x", party="worker", of=("profit",)), PLATFORM),
        (Part(kind="x", party="worker", bps=10_001), PLATFORM),
        (Part(kind="x", party="worker", bps=-1), PLATFORM),
        (Part(kind="x", party="worker", fixed_fen=-1), PLATFORM),
        (Part(kind="x", party="worker", cap_fen=1), Part(kind="y", party="worker", cap_fen=1), PLATFORM),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(parts: tuple[Part, ...]) -> None:
    with pytest.raises(ValueError):
        Rule(line="x", version=1, parts=parts)


@pytest.mark.parametrize("wrong", [{"kept": -1}, {"item": -1}, {"rate_bps": 10_001}, {"item": 10**12 + 1}])
def test_a_basis_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="basis"):
        Basis(**({"kept": 1, "rate_bps": 6_000} | wrong))


def test_rounding_is_half_up() -> None:
    """HS-220."""
    assert [share_bps(n, 5_000) for n in (1, 2, 3)] == [1, 1, 2]
