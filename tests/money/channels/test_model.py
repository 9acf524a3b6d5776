"""The tables of attempts and refunds, the judgement of news, and amounts: pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money.channels import signing
from rest.money.channels.errors import BadSignature
from rest.money.channels.model import (
    ATTEMPT_TABLE,
    ATTEMPT_VERBS,
    REFUND_TABLE,
    REFUND_VERBS,
    Attempt,
    AttemptState,
    Outcome,
    Refund,
    RefundState,
    Trade,
    TradeState,
    WrongChannelState,
    fen,
    judge,
)
from rest.money.channels.simulator import Identity
from storage.base.money import FEN_MAX, yuan
from tests.conftest import MONDAY


def an_attempt(state: AttemptState = AttemptState.READY, **changes: object) -> Attempt:
    attempt = Attempt(
        payment_id="pay_1", order_id="ord_1", account_id="acc_1", channel="wechat", amount_fen=40_900, state=state,
        payer=None, description="x", expires_at=MONDAY + timedelta(minutes=3), params=None, trade_no=None, reason=None,
        version=4, created_at=MONDAY,
    )  # fmt: skip
    return replace(attempt, **changes)


def a_refund(state: RefundState) -> Refund:
    return Refund(
        trade_no=None,
        id="rfd_1", payment_id="pay_1", channel="wechat", ref="r", amount_fen=1, total_fen=2, reason="x", state=state,
        failures=0, problem=None, channel_ref=None, version=4, requested_at=MONDAY, ended_at=None,
    )  # fmt: skip


@pytest.mark.parametrize("state", AttemptState)
@pytest.mark.parametrize("verb", ATTEMPT_VERBS)
def test_every_verb_of_an_attempt_in_every_state(state: AttemptState, verb: str) -> None:
    expected = ATTEMPT_TABLE.get((state, verb))
    if expected is None:
        with pytest.raises(WrongChannelState):
            an_attempt(state).after(verb)
    else:
        assert an_attempt(state).after(verb) == replace(an_attempt(state), state=expected, version=5)


@pytest.mark.parametrize("state", RefundState)
@pytest.mark.parametrize("verb", REFUND_VERBS)
def test_every_verb_of_a_refund_in_every_state(state: RefundState, verb: str) -> None:
    expected = REFUND_TABLE.get((state, verb))
    if expected is None:
        with pytest.raises(WrongChannelState):
            a_refund(state).after(verb)
    else:
        assert a_refund(state).after(verb) == replace(a_refund(state), state=expected, version=5)


def test_money_may_come_in_any_state_and_ends_it() -> None:
    assert {state for (state, verb) in ATTEMPT_TABLE if verb == "pay"} == set(AttemptState) - {AttemptState.PAID}
    assert not [state for (state, _) in ATTEMPT_TABLE if state is AttemptState.PAID]


PAID = Trade(out_trade_no="pay_1", state=TradeState.PAID, trade_no="4200", amount_fen=40_900)


@pytest.mark.parametrize(
    ("change", "attempt", "outcome"),
    [
        ({}, an_attempt(), Outcome.PASSED_ON),
        ({}, an_attempt(AttemptState.CLOSED), Outcome.PASSED_ON),
        ({}, an_attempt(AttemptState.PAID, trade_no="4200"), Outcome.REPEATED),
        ({}, an_attempt(AttemptState.PAID, trade_no="4199"), Outcome.SECOND_MONEY),
        ({}, None, Outcome.UNKNOWN_ORDER),
        ({}, an_attempt(channel="alipay"), Outcome.UNKNOWN_ORDER),
        ({"amount_fen": 40_899}, an_attempt(), Outcome.WRONG_AMOUNT),
        ({"amount_fen": 40_901}, an_attempt(), Outcome.WRONG_AMOUNT),
        ({"currency": "HKD"}, an_attempt(), Outcome.WRONG_CURRENCY),
        ({"is_ours": False}, an_attempt(), Outcome.WRONG_MERCHANT),
        ({"is_ours": False}, None, Outcome.WRONG_MERCHANT),
        ({"state": TradeState.WAITING}, an_attempt(), Outcome.NOTED),
        ({"state": TradeState.CLOSED}, an_attempt(), Outcome.NOTED),
        ({"trade_no": None}, an_attempt(), Outcome.NOTED),
        ({"amount_fen": None}, an_attempt(), Outcome.NOTED),
    ],
)
def test_what_news_means(change: dict[str, object], attempt: Attempt | None, outcome: Outcome) -> None:
    assert judge(replace(PAID, **change), attempt, "wechat") is outcome


@given(st.integers(0, FEN_MAX))
def test_an_amount_comes_back_as_it_went(amount: int) -> None:
    assert fen(yuan(amount)) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0.01", 1), ("1", 100), ("1.5", 150), ("409.00", 40_900), ("-1", None), ("1.005", None), ("1e3", None),
     ("01.00", None), ("", None), ("１.00", None), (None, None), (4.09, None), ("1.00\n", None), (" 1", None)],
)  # fmt: skip
def test_amounts_as_alipay_writes_them(text: object, amount: int | None) -> None:
    assert fen(text) == amount


@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_a_changed_text_or_signature_is_refused(identity: Identity, text: bytes, place: int) -> None:
    key, signed = identity.merchant_key, signing.sign(identity.merchant_key, text)
    signing.check(key.public_key(), text, signed)
    at = place % len(signed)
    other = signed[:at] + ("A" if signed[at] != "A" else "B") + signed[at + 1 :]
    twin = signed[:-3] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[signed[-3]] + "=="  # the same to a lenient eye
    said = ((text + b"x", signed), (text, other), (text, twin), (text, signed + "\n"), (text, ""), (text, "é"))
    for wrong_text, wrong in said:
        with pytest.raises(BadSignature):
            signing.check(key.public_key(), wrong_text, wrong)
