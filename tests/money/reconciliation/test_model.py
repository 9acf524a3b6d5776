"""Both tables over every verb and state, and the judgement of every pair there can be."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money.channels.bills import LineKind, LineState
from rest.money.reconciliation.model import (
    HANDLING,
    MIDNIGHT,
    RUN_TABLE,
    RUN_VERBS,
    TABLE,
    VERBS,
    DifferenceKind,
    DifferenceState,
    Pair,
    RunKind,
    RunState,
    after_period,
    fee_of,
    judge,
)
from storage.base.clock import business_day, day_begins

DAY = date(2026, 11, 27)
NOON = day_begins(DAY) + timedelta(hours=12)


def pair(**changes: object) -> Pair:
    """A payment on which all three agree."""
    whole = {
        "line_kind": LineKind.PAYMENT, "key": "4200", "out_trade_no": "pay_1", "trade_no": "4200", "line_n": 1,
        "bill_fen": 40_900, "fee_fen": 245, "billed_at": NOON, "bill_state": LineState.DONE, "record_state": "paid",
        "record_trade_no": "4200", "book_fen": 40_900, "booked_at": NOON,
    }  # fmt: skip
    return Pair(**{**whole, **changes})  # type: ignore[arg-type]


def refund(**changes: object) -> Pair:
    return pair(**{"line_kind": LineKind.REFUND, "key": "rfd_1", "fee_fen": -245, "record_state": "done",
                   "record_trade_no": None, **changes})  # fmt: skip


NOT_HERE = {"book_fen": None, "booked_at": None}
ONLY_HERE = {"line_n": 0, "bill_fen": None, "bill_state": None, "billed_at": None, "fee_fen": 0}
TOMORROW = NOON + timedelta(days=1)
LAST = day_begins(DAY + timedelta(days=1)) - timedelta(seconds=1)

JUDGED = [
    (pair(), []),
    (pair(**NOT_HERE, record_state=None, record_trade_no=None), [("missing", "open", 40_900, 40_900)]),
    (pair(**NOT_HERE, record_trade_no="4201"), [("missing", "open", 40_900, 40_900)]),
    (pair(**NOT_HERE, record_state="ready", record_trade_no=None), [("status", "open", 40_900, 40_900)]),
    (pair(**NOT_HERE), [("status", "open", 40_900, 40_900)]),
    (pair(bill_state=LineState.FAILED), [("status", "open", -40_900, -40_900)]),
    (pair(bill_state=LineState.FAILED, **NOT_HERE, record_state="closed", record_trade_no=None), []),
    (pair(bill_fen=40_901), [("amount", "open", 1, 1)]),
    (pair(book_fen=40_901), [("amount", "open", -1, -1)]),
    (pair(fee_fen=246), [("fee", "open", 0, 0)]),
    (pair(booked_at=TOMORROW), [("date", "resolved", 40_900, 0)]),
    (pair(booked_at=TOMORROW, fee_fen=0), [("date", "resolved", 40_900, 0), ("fee", "open", 0, 0)]),
    (pair(booked_at=NOON + timedelta(days=2)), [("date", "open", 40_900, 0)]),
    (pair(is_repeat=True, fee_fen=9), [("duplicate", "open", 40_900, 40_900)]),
    (pair(is_ours=False, fee_fen=9), [("wrong_merchant", "open", -40_900, -40_900)]),
    (pair(is_ours=False, **NOT_HERE), [("wrong_merchant", "open", 0, 0)]),
    (pair(**ONLY_HERE), [("extra", "open", -40_900, -40_900)]),
    (pair(**ONLY_HERE, booked_at=LAST), [("date", "waiting", -40_900, -40_900)]),
    (pair(**ONLY_HERE, booked_at=LAST - MIDNIGHT), [("extra", "open", -40_900, -40_900)]),
    (pair(**ONLY_HERE, billed_on=DAY - timedelta(days=1)), [("date", "resolved", -40_900, 0)]),
    (refund(), []),
    (refund(fee_fen=-244), []),
    (refund(fee_fen=-243), [("fee", "open", 0, 0)]),
    (refund(**NOT_HERE, record_state="accepted"), [("status", "open", -40_900, -40_900)]),
    (refund(**NOT_HERE, record_state=None), [("missing", "open", -40_900, -40_900)]),
    (refund(bill_state=LineState.PROCESSING, **NOT_HERE, record_state="accepted"), []),
    (refund(bill_state=LineState.PROCESSING, booked_at=TOMORROW), []),
    (refund(bill_state=LineState.PROCESSING), [("status", "open", 40_900, 40_900)]),
    (refund(bill_state=LineState.FAILED, **NOT_HERE, record_state="manual"), []),
    (refund(bill_state=LineState.FAILED, **NOT_HERE, record_state="accepted"), [("status", "open", 0, 0)]),
    (refund(**ONLY_HERE), [("extra", "open", 40_900, 40_900)]),
]


@pytest.mark.parametrize(("given_pair", "expected"), JUDGED)
def test_every_case(given_pair: Pair, expected: list[tuple[str, str, int, int]]) -> None:
    found = judge(given_pair, DAY, 60)
    assert [(one.kind.value, one.state.value, one.effect_fen, one.gap_fen) for one in found] == expected


pairs = st.builds(
    Pair,
    line_kind=st.sampled_from(LineKind),
    key=st.just("k"),
    bill_fen=st.integers(1, 100),
    fee_fen=st.integers(-2, 2),
    bill_state=st.one_of(st.none(), st.sampled_from(LineState)),
    is_ours=st.booleans(),
    is_repeat=st.booleans(),
    record_state=st.one_of(st.none(), st.sampled_from(["ready", "paid", "closed", "requested", "accepted", "manual"])),
    record_trade_no=st.sampled_from([None, "k", "other"]),
    book_fen=st.integers(1, 100),
    booked_at=st.one_of(st.none(), st.integers(-3, 3).map(lambda days: NOON + timedelta(days=days))),
)


@given(pairs)
def test_effects_are_what_the_day_differs_by(one: Pair) -> None:
    """Whatever is said of a pair explains, to the fen, the bill of this day less the book of this day."""
    has_line = one.bill_state is not None
    book = one.book_fen if one.booked_at is not None else None
    if not has_line and book is None:
        return
    one = Pair(**{**{name: getattr(one, name) for name in Pair.__slots__}, "book_fen": book,
                  "bill_fen": one.bill_fen if has_line else None})  # fmt: skip
    if not has_line and business_day(one.booked_at or NOON) != DAY:
        return  # not asked about: it is another day's
    sign = 1 if one.line_kind is LineKind.PAYMENT else -1
    billed = (one.bill_fen or 0) if one.bill_state is LineState.DONE and one.is_ours else 0
    counts = book is not None and business_day(one.booked_at or NOON) == DAY and not (has_line and one.is_repeat)
    booked = (book or 0) if counts else 0
    assert sum(found.effect_fen for found in judge(one, DAY, 60)) == sign * (billed - booked)


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("verb", RUN_VERBS)
def test_every_verb_in_every_state_of_a_run(state: RunState, verb: str) -> None:
    after = {
        "waiting": {"delay": "waiting", "give_notice": "overdue", "balance": "balanced", "differ": "differing",
                    "close": "closed"},
        "overdue": {"delay": "overdue", "balance": "balanced", "differ": "differing", "close": "closed",
                    "start_again": "waiting"},
        "balanced": {"start_again": "waiting"},
        "differing": {"close": "closed", "start_again": "waiting"},
        "closed": {"start_again": "waiting"},
    }  # fmt: skip
    assert RUN_TABLE.get((state, verb)) == after[state.value].get(verb)


@pytest.mark.parametrize("state", DifferenceState)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_every_state_of_a_difference(state: DifferenceState, verb: str) -> None:
    after = {
        "waiting": {"expire": "open", "settle": "resolved", "resolve": "resolved"},
        "open": {"note": "open", "settle": "resolved", "resolve": "resolved"},
        "resolved": {},
    }
    assert TABLE.get((state, verb)) == after[state.value].get(verb)


def test_every_class_has_its_handling() -> None:
    assert set(HANDLING) == set(DifferenceKind)
    assert all(handling.settles is None or handling.asks is None for handling in HANDLING.values())


@given(st.integers(0, 10**9), st.integers(0, 10_000))
def test_a_fee_is_rounded_half_up_and_never_above_its_rate_by_a_fen(amount: int, bps: int) -> None:
    assert abs(2 * (fee_of(amount, bps) * 10_000 - amount * bps)) <= 10_000


def test_months_end_where_the_next_begin() -> None:
    assert after_period(RunKind.MONTHLY, date(2026, 12, 1)) == date(2027, 1, 1)
    assert after_period(RunKind.MONTHLY, date(2028, 2, 1)) == date(2028, 3, 1)
    assert after_period(RunKind.DAILY, date(2028, 2, 28)) == date(2028, 2, 29)
