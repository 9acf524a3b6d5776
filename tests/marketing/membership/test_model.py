"""The tables of membership, and its time: calendar months that add up, and what is left of the money."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rest.marketing.membership.model import (
    MONTHS_AHEAD_MAX,
    PURCHASE_TRANSITIONS,
    PURCHASE_VERBS,
    TRANSITIONS,
    VERBS,
    AlreadyMember,
    MemberPurchase,
    MemberPurchaseState,
    Membership,
    MembershipState,
    MembershipTooLong,
    WrongMemberPurchaseState,
    WrongMembershipState,
)
from rest.marketing.membership.runs import Level, Rights, Run, add_months, begun, renewed, upgraded
from rest.money.refunds import RefundWindow
from storage.base.clock import BUSINESS_ZONE

NOW = datetime(2026, 1, 31, 4, 0, tzinfo=UTC)


def level(code: str = "gold", **changes: object) -> Level:
    given = {
        "code": code, "version": 1, "line": "homeservice", "name": {"en": code}, "rank": 2, "price_fen": 3_000,
        "months": 1, "discount_bps": 1_000, "coupon_templates": (), "on_sale": True,
        "changed_by": "acc_opal", "created_at": NOW,
    }  # fmt: skip
    return Level(**(given | changes))  # type: ignore[arg-type]


def membership(state: MembershipState = MembershipState.ACTIVE, run: Run | None = None) -> Membership:
    return Membership(
        id="mbr_1", account_id="acc_ann", line="homeservice", state=state, run=run or begun(level(), NOW), version=1,
        updated_at=NOW,
    )  # fmt: skip


TABLE = {
    ("none", "buy"): "active", ("expired", "buy"): "active", ("active", "renew"): "active",
    ("active", "upgrade"): "active", ("active", "expire"): "expired", ("active", "restore"): "active",
    ("active", "lapse"): "expired", ("active", "forget"): "none",
}  # fmt: skip
"""From 5.8 of the specification and RV-269; everything else is refused."""
MEMBER_VERBS = ["buy", "renew", "upgrade", "expire", "restore", "lapse", "forget"]


@pytest.mark.parametrize(("state", "verb"), list(product(MembershipState, MEMBER_VERBS)))
def test_every_verb_in_every_state_of_a_membership(state: MembershipState, verb: str) -> None:
    to = TABLE.get((state.value, verb))
    if to is None:
        with pytest.raises(WrongMembershipState):
            membership(state).after(verb, NOW)
    else:
        after = membership(state).after(verb, NOW)
        assert (after.state, after.version) == (to, 2)


PURCHASES = {
    ("created", "pay"): "paid", ("created", "close"): "closed", ("paid", "grant"): "done",
    ("paid", "refund"): "refunded", ("done", "refund"): "refunded",
}  # fmt: skip
PURCHASE_DOES = ["pay", "close", "grant", "refund"]


def purchase(state: MemberPurchaseState = MemberPurchaseState.DONE, **changes: object) -> MemberPurchase:
    given = {
        "id": "mem_1", "account_id": "acc_ann", "line": "homeservice", "level": "gold", "level_version": 1,
        "kind": "buy", "price_fen": 1, "method": "wallet", "state": state, "reason": None, "carried_fen": 0,
        "starts_at": None, "ends_at": None, "version": 1, "created_at": NOW, "expires_at": NOW, "ended_at": None,
    }  # fmt: skip
    return MemberPurchase(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("state", "verb"), list(product(MemberPurchaseState, PURCHASE_DOES)))
def test_every_verb_in_every_state_of_a_purchase(state: MemberPurchaseState, verb: str) -> None:
    one = purchase(state)
    to = PURCHASES.get((state.value, verb))
    if to is None:
        with pytest.raises(WrongMemberPurchaseState):
            one.after(verb)
    else:
        assert (one.after(verb).state, one.after(verb).version) == (to, 2)


def test_the_tables_have_no_other_verbs() -> None:
    assert {(state.value, verb) for state, verb in TRANSITIONS} == set(TABLE)
    assert {(state.value, verb) for state, verb in PURCHASE_TRANSITIONS} == set(PURCHASES)
    assert (set(VERBS), set(PURCHASE_VERBS)) == (set(MEMBER_VERBS), set(PURCHASE_DOES))


@pytest.mark.parametrize("state", MemberPurchaseState)
def test_whether_a_purchase_may_be_given_back_is_its_state_first_and_then_its_week(state: MemberPurchaseState) -> None:
    one = purchase(state, ended_at=NOW, membership_version=2)
    week = timedelta(days=7)
    if state.value in {"paid", "done"}:
        assert one.refunded(NOW + week - timedelta(microseconds=1)).state == "refunded"
        for late, given in ((NOW + week, one), (NOW, purchase(state, ended_at=NOW))):  # the second: of before RV-269
            with pytest.raises(RefundWindow):
                given.refunded(late)
    else:
        with pytest.raises(WrongMemberPurchaseState):
            one.refunded(NOW + week)


@given(
    months=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    steps_s=st.lists(st.integers(0, 10**7), min_size=4, max_size=4),
    late_s=st.integers(0, 604_799),
)
def test_giving_back_undoes_the_last_purchase_whatever_it_was(
    months: list[int], steps_s: list[int], late_s: int
) -> None:
    """Buying, renewing and upgrading in any order; what is there afterwards is what time made of what was before."""
    now, one = NOW, membership(MembershipState.NONE)
    one = replace(one, run=None)
    for n, step_s in zip(months, steps_s, strict=False):
        now += timedelta(seconds=step_s)
        one = one.expired(now) or one
        before = one
        code = "gold" if n % 2 or (one.run is not None and one.run.level == "black") else "black"
        rank = 3 if code == "black" else 2
        if one.state is MembershipState.ACTIVE and one.run is not None and rank < one.run.rank:
            code, rank = "black", 3
        one = one.with_level(level(code, rank=rank, months=n), now)
    later = now + timedelta(seconds=late_s)
    verb, after = one.given_back(before.run, later)
    assert (after.run, after.version) == (before.run, one.version + 1)
    expected = before.expired(later) or before
    assert after.state is expected.state
    assert verb == {"none": "forget", "expired": "lapse", "active": "restore"}[after.state.value]


@pytest.mark.parametrize(
    ("begins", "months", "ends"),
    [
        ("2026-01-31 12:00", 1, "2026-02-28 12:00"),
        ("2028-01-31 12:00", 1, "2028-02-29 12:00"),
        ("2026-01-31 12:00", 2, "2026-03-31 12:00"),
        ("2026-12-15 00:30", 1, "2027-01-15 00:30"),
        ("2026-08-31 23:59", 6, "2027-02-28 23:59"),
        ("2028-02-29 08:00", 12, "2029-02-28 08:00"),
        ("2026-02-01 00:30", 1, "2026-03-01 00:30"),  # January 31 in UTC: the business zone's calendar counts
    ],
)
def test_months_are_those_of_the_business_calendar(begins: str, months: int, ends: str) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=BUSINESS_ZONE).astimezone(UTC)

    assert add_months(at(begins), months) == at(ends)


instants = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
some_months = st.integers(1, 36)
prices = st.integers(1, 10**9)
levels = st.builds(level, price_fen=prices, months=some_months)


@given(instants, some_months)
def test_months_later_it_is_the_same_time_of_the_same_day_or_the_months_last(at: datetime, months: int) -> None:
    before, after = at.astimezone(BUSINESS_ZONE), add_months(at, months).astimezone(BUSINESS_ZONE)
    assert before.timetz() == after.timetz()
    assert (after.year - before.year) * 12 + after.month - before.month == months
    assert after.day == before.day or (after.day < before.day and (after + timedelta(days=1)).day == 1)


@example(NOW, [1, 1], [0] * 6)
@given(instants, st.lists(some_months, min_size=1, max_size=6), st.lists(st.integers(0, 10**6), min_size=6, max_size=6))
def test_months_add_up_whenever_they_are_bought(at: datetime, parts: list[int], waits: list[int]) -> None:
    """Renewing never shifts the day: Jan 31, Feb 28, Mar 31. All at once or one by one ends at the same time."""
    run, now = begun(level(months=parts[0]), at), at
    for months, wait in zip(parts[1:], waits, strict=False):
        now = min(now + timedelta(seconds=wait), run.ends_at - timedelta(seconds=1))
        after = renewed(run, level(months=months), now)
        assert after.ends_at > run.ends_at
        run = after
    assert (run.ends_at, run.since) == (add_months(at, sum(parts)), at)


@given(instants, levels, st.lists(st.tuples(levels, st.floats(0, 1)), max_size=5))
def test_what_is_left_of_the_money_only_wears_off_and_is_gone_at_the_end(
    at: datetime, first: Level, later: list[tuple[Level, float]]
) -> None:
    run, now, paid_fen = begun(first, at), at, first.price_fen
    assert run.left_fen(at) == first.price_fen
    for more, part in later:
        now = now + (run.ends_at - now) * part * 0.99
        left = run.left_fen(now)
        assert 0 <= left <= run.worth_fen
        higher = replace(more, code="black", rank=3)
        for after in (renewed(run, more, now), upgraded(run, higher, now)):
            assert after.left_fen(now) == after.worth_fen == left + more.price_fen
            assert after.left_fen(after.ends_at) == 0
        run, paid_fen = renewed(run, more, now), paid_fen + more.price_fen
    assert run.worth_fen <= paid_fen
    third = now + (run.ends_at - now) / 3
    assert run.worth_fen >= run.left_fen(now) >= run.left_fen(third) >= run.left_fen(run.ends_at) == 0


@given(instants, levels, levels, st.floats(0, 1))
def test_an_upgrade_gives_its_months_in_full_and_the_rest_in_front(
    at: datetime, low: Level, high: Level, part: float
) -> None:
    run = begun(low, at)
    now = at + (run.ends_at - at) * part * 0.99
    after = upgraded(run, replace(high, code="black", rank=3), now)
    carried = after.anchor_at - now
    rest, whole = run.ends_at - now, add_months(now, high.months) - now
    assert timedelta(0) <= carried <= rest
    assert after.ends_at == add_months(now + carried, high.months) >= add_months(now, high.months)
    # What is in front is paid for by what was left: never more, and less than a second too little.
    assert carried / whole * high.price_fen <= run.left_fen(now) + 1e-6 * high.price_fen
    if carried < rest - timedelta(seconds=1):
        assert (carried + timedelta(seconds=1)) / whole * high.price_fen > run.left_fen(now) * (1 - 1e-9)
    assert (after.since, after.discount_bps, after.level) == (run.since, high.discount_bps, "black")


def test_half_of_a_level_at_half_the_price_is_a_quarter_of_the_dear_one_in_front() -> None:
    run = begun(level(months=2, price_fen=4_000), datetime(2026, 3, 1, tzinfo=UTC))  # 61 days
    now = run.since + timedelta(days=30, hours=12)
    after = upgraded(run, level("black", months=2, price_fen=8_000), now)
    assert after.anchor_at - now == timedelta(days=15, hours=6)  # 2000 of 8000 fen for 61 days
    assert after.worth_fen == 10_000


def test_which_verb_buying_is() -> None:
    low, high = level("silver", rank=1), level("black", rank=3)
    assert [membership().verb_for(one) for one in (level(), high)] == ["renew", "upgrade"]
    with pytest.raises(AlreadyMember):
        membership().verb_for(low)
    assert {membership(state).verb_for(low) for state in (MembershipState.NONE, MembershipState.EXPIRED)} == {"buy"}


def test_nobody_pays_for_more_than_five_years_ahead() -> None:
    run = begun(level(months=36), NOW)
    membership(run=renewed(run, level(months=MONTHS_AHEAD_MAX - 36), NOW)).check_length(NOW)
    with pytest.raises(MembershipTooLong):
        membership(run=renewed(run, level(months=MONTHS_AHEAD_MAX - 35), NOW)).check_length(NOW)


@pytest.mark.parametrize(("after_s", "is_over"), [(-1, False), (0, True), (1, True)])
def test_a_membership_ends_at_its_end(after_s: int, is_over: bool) -> None:
    one = membership()
    assert one.run is not None
    assert (one.expired(one.run.ends_at + timedelta(seconds=after_s)) is not None) == is_over


def test_a_discount_is_rounded_half_up() -> None:
    rights = Rights(level="gold", discount_bps=500, ends_at=NOW)
    assert [rights.off(fen) for fen in (0, 9, 10, 40_000)] == [0, 0, 1, 2_000]
