"""Refund policies: the worked examples, and what is true of any policy at any instant (I16, G8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money.refunds import Fee, Occasion, Policy, PolicyInvalid, PreviewChanged, Share, Tier, execute, preview
from rest.money.refunds.ladder import TERMS
from rest.money.refunds.ready import READY, check_successor, content, policy_of
from storage.base import codec

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 3, 10, 9, 0, tzinfo=SHANGHAI)
MS = timedelta(milliseconds=1)


def refund(name: str, left: timedelta, paid: int, **more: Any) -> int:
    occasion = Occasion(now=START - left, start_at=START, **more)
    return preview(READY[name], occasion, {"paid": paid}).refund_fen


DAY, HOURS = timedelta(days=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "paid", "steps"),
    [
        # rv part 8; a day is a calendar day, so the hour does not matter
        ("special_offer", 299_900, {7: 299_900, 6: 209_930, 3: 209_930, 2: 89_970, 1: 89_970, 0: 0, -1: 0}),
        ("campsite", 48_000, {30: 48_000, 3: 48_000, 2: 24_000, 1: 24_000, 0: 0, -5: 0}),
        ("tour", 499_750, {7: 499_750, 5: 349_825, 2: 149_925, 0: 0}),
    ],
)
@pytest.mark.parametrize("at", [(0, 0), (8, 59), (9, 1), (23, 59)])
def test_calendar_ladders(name: str, paid: int, steps: dict[int, int], at: tuple[int, int]) -> None:
    for days, back in steps.items():
        now = (START - days * DAY).replace(hour=at[0], minute=at[1])
        assert preview(READY[name], Occasion(now=now, start_at=START), {"paid": paid}).refund_fen == back, days


def test_a_day_of_the_ladder_is_a_day_of_shanghai() -> None:
    """17:00 UTC is 1 o'clock of the next day there."""
    start = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
    for now, back in (("2026-03-07T15:59:59.999+00:00", 48_000), ("2026-03-07T16:00:00+00:00", 24_000)):
        occasion = Occasion(now=datetime.fromisoformat(now), start_at=start)
        assert preview(READY["campsite"], occasion, {"paid": 48_000}).refund_fen == back


def test_the_rental_ladder_to_the_millisecond() -> None:
    """RV-094, RV-095: 24 hours or more are free, half-open downwards."""
    assert refund("rental", 24 * HOURS + MS, 186_100) == 186_100
    assert refund("rental", 24 * HOURS, 186_100) == 186_100
    assert refund("rental", 24 * HOURS - MS, 186_100) == 167_490
    assert refund("rental", -3 * HOURS, 186_100) == 167_490
    assert refund("rental", 2 * HOURS, 186_100, circumstances=frozenset({"plus_member"})) == 186_100


def test_no_shows_and_waivers() -> None:
    assert refund("rental", 100 * DAY, 10_000, no_show=True) == 9_000
    assert refund("campsite", 100 * DAY, 10_000, no_show=True) == 0
    assert refund("tour", timedelta(0), 10_000, circumstances=frozenset({"not_formed"})) == 10_000
    assert refund("campsite", timedelta(0), 10_000, circumstances=frozenset({"not_formed"})) == 0  # not its waiver


@pytest.mark.parametrize(
    ("paid", "item", "travel", "parts"),
    [
        (36_000, 40_000, 3_000, {"travel": 3_000, "item": 20_000}),  # part 8: penalty 230.00
        (5_000, 40_000, 3_000, {"travel": 3_000, "item": 2_000}),  # limited by what was paid: travel first
        (2_999, 40_000, 3_000, {"travel": 2_999}),
        (0, 40_000, 3_000, {}),
        (33_333, 33_333, 0, {"item": 16_667}),  # half up
    ],
)
def test_the_home_service_penalty(paid: int, item: int, travel: int, parts: dict[str, int]) -> None:
    amounts = {"paid": paid, "item": item, "travel": travel}
    for occasion in (Occasion(now=START, stage="after_departure"), Occasion(now=START, no_show=True)):
        found = preview(READY["homeservice"], occasion, amounts)
        assert (found.parts, found.fee_fen, found.refund_fen) == (
            parts,
            sum(parts.values()),
            paid - sum(parts.values()),
        )
    assert preview(READY["homeservice"], Occasion(now=START, stage="before_departure"), amounts).fee_fen == 0


# Any policy


fens = st.integers(0, 100_000)


@st.composite
def ladders(draw: st.DrawFn) -> Policy:
    """A policy whose fees rise from tier to tier, built by adding."""
    bounds = sorted(draw(st.sets(st.integers(0, 20_000), max_size=5)), reverse=True)
    shares, fixed, floor = dict.fromkeys(TERMS, 0), 0, 0
    cap = draw(st.none() | st.integers(50_000, 10**6))
    fees = []
    for _ in range(len(bounds) + 2):
        for term in TERMS:
            shares[term] = min(10_000, shares[term] + draw(st.integers(0, 4_000)))
        fixed, floor = fixed + draw(st.integers(0, 5_000)), floor + draw(st.integers(0, 5_000))
        cap = None if cap is None or draw(st.booleans()) else cap + draw(st.integers(0, 9_000))
        order = draw(st.permutations(TERMS))
        fees.append(Fee(
            shares=tuple(Share(of=term, bps=shares[term]) for term in order if shares[term]),
            fixed_fen=fixed, floor_fen=floor, cap_fen=cap,
        ))  # fmt: skip
    edges: Sequence[int | None] = [None, *bounds, None]
    tiers = tuple(Tier(below=edges[n], at_least=edges[n + 1], fee=fees[n]) for n in range(len(bounds) + 1))
    clock = draw(st.sampled_from(["minutes", "days"]))
    return Policy(name="rental", version=2, clock=clock, tiers=tiers, no_show=fees[-1])


amounts_of = st.fixed_dictionaries({"paid": fens, "item": fens, "travel": fens})


def instants(policy: Policy) -> list[datetime]:
    """Every edge of every tier, and a millisecond to each side."""
    unit = timedelta(minutes=1) if policy.clock == "minutes" else DAY
    at = START if policy.clock == "minutes" else START.replace(hour=0, minute=0)
    edges = [at - bound * unit for tier in policy.tiers for bound in (tier.at_least, tier.below) if bound is not None]
    return sorted({edge + step for edge in [*edges, START] for step in (-MS, timedelta(0), MS)})


@given(ladders(), amounts_of)
def test_what_goes_back_never_grows_with_time_and_is_paid_less_fee(policy: Policy, amounts: dict[str, int]) -> None:
    policy.check()
    last = amounts["paid"]
    for now in instants(policy):
        found = preview(policy, Occasion(now=now, start_at=START), amounts)
        assert 0 <= found.refund_fen <= last
        assert found.fee_fen == sum(found.parts.values()) == amounts["paid"] - found.refund_fen
        last = found.refund_fen
    assert preview(policy, Occasion(now=START, start_at=START, no_show=True), amounts).refund_fen <= last


@given(ladders(), amounts_of)
def test_a_preview_is_what_an_execution_does_at_every_edge(policy: Policy, amounts: dict[str, int]) -> None:
    for now in instants(policy):
        occasion = Occasion(now=now, start_at=START)
        shown = preview(policy, occasion, amounts)
        done = execute(policy, occasion, amounts, subject_id="ord_1", shown=shown.hash("ord_1"))
        assert done == shown == execute(policy, occasion, amounts, subject_id="ord_1", shown=None)
        later = Occasion(now=now + MS, start_at=START)
        try:
            again = execute(policy, later, amounts, subject_id="ord_1", shown=shown.hash("ord_1"))
        except PreviewChanged as changed:
            now_is = preview(policy, later, amounts)
            assert now_is != shown
            assert changed.fields["preview"]["preview_hash"] == now_is.hash("ord_1")
        else:
            assert again == shown


@given(ladders(), amounts_of, st.integers(-30_000, 30_000))
def test_the_tier_is_the_one_an_oracle_finds(policy: Policy, amounts: dict[str, int], minutes: int) -> None:
    """By counting, not by spans: the tier is the first whose lower bound has not been passed."""
    now = START - timedelta(minutes=minutes, seconds=17)
    left = minutes + 17 / 60
    if policy.clock == "days":
        left = (START.date() - now.astimezone(SHANGHAI).date()).days
    expected = next(n for n, tier in enumerate(policy.tiers, 1) if tier.at_least is None or left >= tier.at_least)
    assert preview(policy, Occasion(now=now, start_at=START), amounts).tier == str(expected)


def test_a_hash_names_the_subject_and_every_amount() -> None:
    shown = preview(READY["rental"], Occasion(now=START, start_at=START), {"paid": 10_000})
    others = [msgspec.structs.replace(shown, **change) for change in (
        {"paid_fen": 9_999}, {"fee_fen": 1}, {"tier": "1"}, {"version": 2}, {"parts": {"fixed": 1_000}},
    )]  # fmt: skip
    assert len({shown.hash("ord_1"), shown.hash("ord_2"), *(other.hash("ord_1") for other in others)}) == 7


# Publishing


def changed(name: str, **changes: Any) -> Policy:
    return msgspec.structs.replace(READY[name], version=2, **changes)


def span(at_least: int | None, below: int | None, bps: int = 0) -> Tier:
    return Tier(at_least=at_least, below=below, fee=Fee(shares=(Share(of="paid", bps=bps),) if bps else ()))


FREE_THEN_HALF = (span(10, None), span(None, 10, 5_000))


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (changed("rental", tiers=(span(10, None, 5_000), span(None, 10))), "a later fee"),
        (changed("rental", tiers=(span(10, None), span(None, 9, 1_000))), "where the one before ends"),
        (changed("rental", tiers=(span(10, None), span(11, 10), span(None, 11))), "further down"),
        (changed("rental", tiers=(span(10, 20), span(None, 10))), "no upper bound"),
        (changed("rental", tiers=(span(10, None),)), "the last no lower one"),
        (changed("rental", tiers=(*FREE_THEN_HALF[:1], Tier(stage="x", below=10))), "no stage"),
        (changed("rental", tiers=FREE_THEN_HALF, no_show=Fee(fixed_fen=10**9)), "a later fee"),
        (changed("rental", clock="days"), "counts minutes"),
        (changed("rental", no_show=None), "did not come"),
        (changed("rental", no_show=Fee(shares=(Share(of="paid", bps=10_000),), floor_fen=2, cap_fen=1)), "a cap"),
        (changed("rental", no_show=Fee(shares=(Share(of="paid", bps=9_000), Share(of="paid", bps=1)))), "once"),
        (changed("homeservice", tiers=READY["homeservice"].tiers[1:]), "stages of a line"),
        (changed("homeservice", tiers=tuple(msgspec.structs.replace(t, fee=READY["homeservice"].no_show)
                                            for t in READY["homeservice"].tiers)), "for nothing"),
        (changed("homeservice", tiers=(Tier(stage="a"), Tier(stage="a"))), "of its own"),
        (changed("homeservice", tiers=(Tier(stage="a", below=3),)), "no span"),
        (msgspec.structs.replace(READY["rental"], name="yacht"), "no line"),
    ],
)  # fmt: skip
def test_what_is_no_policy(policy: Policy, why: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        check_successor(policy)
    assert why in refused.value.fields["reason"]


def test_the_ready_made_policies_are_valid_and_survive_being_stored() -> None:
    for name, policy in READY.items():
        check_successor(policy)
        assert policy.name == name
        assert policy_of(codec.loads(codec.dumps(content(policy)))) == policy


def test_version_one_of_a_policy_never_changes() -> None:
    """Orders carry their own content; but a version that meant two things would make every report a lie."""
    named = {name: sha256(codec.dumps(content(policy))).hexdigest()[:12] for name, policy in READY.items()}
    assert named == PINNED


PINNED = {
    "homeservice": "b3ac32e523ce",
    "campsite": "5eb8b78f3035",
    "special_offer": "e6fd00b4acfb",
    "tour": "f2991946aa0c",
    "rental": "c5dea79d2b5a",
}
