"""What a policy lets a price be made up of: the lines' own policies, and those of lines to come, on one model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.lines.homeservice.policies import PAY_POLICIES
from rest.money.payments import (
    CHANNELS,
    Ask,
    MethodUnavailable,
    PartsMismatch,
    PayPolicy,
    PointsShare,
    Purse,
    SingleLimit,
    Tender,
    TooManyMethods,
)

T = Tender
HOMESERVICE = PAY_POLICIES[1]
FREIGHT = PayPolicy(version=1, tenders=(T.PREPAID, T.POINTS, T.WALLET, T.WECHAT), methods_max=4, points_share_bps=2_000)
"""FR-064: wallet, recharge funds, WeChat, points; a coupon is in the price already, which makes five."""
RV = PayPolicy(
    version=1, tenders=(T.WALLET, T.WECHAT, T.ALIPAY, T.OFFLINE), methods_max=2, points_share_bps=0, uses_up=True
)
"""RV-277, RV-278: two methods at most, the balance first, a transfer never combined."""
POLICIES = [HOMESERVICE, FREIGHT, RV]
OPEN = frozenset({"wechat", "alipay"})
RICH = Purse(wallet=10**8, credit=10**8, prepaid=10**8, bonus=10**8, points=10**10, worker_id="wrk_wu")


def plan(policy: PayPolicy, payable: int, *asked: Any, purse: Purse = RICH, channels: frozenset[str] = OPEN) -> Any:
    asks = [Ask(*one) if isinstance(one, tuple) else Ask(one) for one in asked]
    return [(part.tender.value, part.amount_fen) for part in policy.plan(payable, asks, purse, channels)]


@pytest.mark.parametrize(
    ("policy", "asked", "expected"),
    [
        (HOMESERVICE, [(T.WALLET, 100), (T.POINTS, 50), T.WECHAT], [("points", 50), ("wallet", 100), ("wechat", 850)]),
        (HOMESERVICE, [T.CREDIT], [("credit", 1000)]),
        (HOMESERVICE, [(T.WALLET, 1000), T.WECHAT], [("wallet", 1000)]),  # FR-067: nothing is left for WeChat
        (FREIGHT, [(T.PREPAID, 600), (T.WALLET, 400)], [("prepaid", 600), ("wallet", 400)]),
        (FREIGHT, [(T.PREPAID, 1), (T.POINTS, 200), (T.WALLET, 1), T.WECHAT],
         [("prepaid", 1), ("points", 200), ("wallet", 1), ("wechat", 798)]),
        (RV, [T.OFFLINE], [("offline", 1000)]),
    ],
)  # fmt: skip
def test_a_price_is_made_up_as_asked(policy: PayPolicy, asked: list[Any], expected: list[Any]) -> None:
    assert plan(policy, 1000, *asked) == expected


@pytest.mark.parametrize(
    ("policy", "asked", "refusal"),
    [
        (HOMESERVICE, [T.OFFLINE], MethodUnavailable),
        (HOMESERVICE, [T.BONUS], MethodUnavailable),
        (HOMESERVICE, [(T.WALLET, 999)], PartsMismatch),
        (HOMESERVICE, [(T.WALLET, 1001)], PartsMismatch),
        (HOMESERVICE, [(T.WALLET, 600), (T.WECHAT, 401)], PartsMismatch),
        (HOMESERVICE, [(T.WALLET, -1), T.WECHAT], PartsMismatch),
        (HOMESERVICE, [(T.WALLET, 1100), T.WECHAT], PartsMismatch),
        (HOMESERVICE, [T.WALLET, T.WECHAT], PartsMismatch),
        (HOMESERVICE, [(T.WALLET, 500), (T.WALLET, 500)], PartsMismatch),
        (HOMESERVICE, [(T.ALIPAY, 500), T.WECHAT], PartsMismatch),
        (HOMESERVICE, [], PartsMismatch),
        (HOMESERVICE, [(T.POINTS, 301), T.WECHAT], PointsShare),
        (HOMESERVICE, [T.POINTS], PointsShare),
        (FREIGHT, [T.ALIPAY], MethodUnavailable),
        (FREIGHT, [(T.POINTS, 201), T.WALLET], PointsShare),
        (RV, [(T.WALLET, 1), T.OFFLINE], TooManyMethods),
        (RV, [T.WALLET, T.WECHAT, T.ALIPAY], TooManyMethods),
        (RV, [(T.WALLET, 400), T.WECHAT], PartsMismatch),  # the balance would cover more
    ],
)
def test_what_a_policy_does_not_allow(policy: PayPolicy, asked: list[Any], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        plan(policy, 1000, *asked)


def test_a_channel_that_is_not_open_is_not_offered() -> None:
    with pytest.raises(MethodUnavailable):
        plan(HOMESERVICE, 1000, T.WECHAT, channels=frozenset())
    assert T.WECHAT not in HOMESERVICE.offered(["alipay"])
    assert T.OFFLINE in RV.offered([])


def test_rv_uses_the_balance_first_and_the_other_method_covers_the_rest() -> None:
    """RV-278."""
    assert plan(RV, 1000, T.WALLET, T.WECHAT, purse=Purse(wallet=300)) == [("wallet", 300), ("wechat", 700)]
    assert plan(RV, 1000, T.WALLET, T.ALIPAY, purse=Purse(wallet=0)) == [("alipay", 1000)]
    assert plan(RV, 1000, T.WALLET, T.WECHAT, purse=RICH) == [("wallet", 1000)]
    assert plan(RV, 1000, T.WALLET, purse=Purse(wallet=300)) == [("wallet", 1000)]  # the book refuses it


def test_prepaid_principal_before_bonus() -> None:
    """FR-066."""
    purse = Purse(prepaid=300, bonus=900)
    assert plan(FREIGHT, 1000, T.PREPAID, purse=purse) == [("prepaid", 300), ("bonus", 700)]
    assert plan(FREIGHT, 200, T.PREPAID, purse=purse) == [("prepaid", 200)]
    assert plan(FREIGHT, 200, T.PREPAID, purse=Purse(bonus=900)) == [("bonus", 200)]
    assert plan(FREIGHT, 2000, T.PREPAID, purse=purse) == [("prepaid", 2000)]  # too little: the book refuses it


def test_limits_of_one_payment() -> None:
    """RV-280; transfers are exempt."""
    for policy in POLICIES:
        assert plan(policy, 5_000_000, T.WALLET) == [("wallet", 5_000_000)]
        with pytest.raises(SingleLimit):
            plan(policy, 5_000_001, T.WALLET)
    assert plan(RV, 90_000_000, T.OFFLINE) == [("offline", 90_000_000)]


def test_a_policy_that_cannot_hold_is_not_made() -> None:
    for wrong in (
        {"tenders": (T.BONUS,)},
        {"tenders": (T.WALLET, T.WALLET)},
        {"methods_max": 0},
        {"points_per_yuan": 0},
    ):
        with pytest.raises(ValueError, match=r"each tender once|something pay"):
            PayPolicy(**({"version": 1, "tenders": (T.WALLET,), "methods_max": 1} | wrong))


money = st.integers(0, 200_000)
purses = st.builds(
    Purse, wallet=money, credit=money, prepaid=money, bonus=money, points=money, worker_id=st.just("wrk_wu")
)
policies = st.builds(
    PayPolicy,
    version=st.just(1),
    tenders=st.lists(st.sampled_from([one for one in T if one is not T.BONUS]), min_size=1, unique=True).map(tuple),
    methods_max=st.integers(1, 7),
    points_per_yuan=st.integers(1, 10_000),
    points_share_bps=st.integers(0, 10_000),
    uses_up=st.booleans(),
)
any_policy = st.sampled_from(POLICIES) | policies


@given(any_policy, st.integers(1, 150_000), purses, st.data())
def test_whatever_is_allowed_sums_exactly(policy: PayPolicy, payable: int, purse: Purse, data: st.DataObject) -> None:
    """FR-064. Mostly sensible wishes, so that many are allowed."""
    named = data.draw(
        st.lists(st.sampled_from(policy.offered(OPEN) or [T.WALLET]), min_size=1, max_size=5, unique=True)
    )
    most = payable // len(named)
    asked = [Ask(tender, data.draw(st.none() if n == 0 else st.integers(-1, most))) for n, tender in enumerate(named)]
    try:
        parts = policy.plan(payable, asked, purse, OPEN)
    except (MethodUnavailable, TooManyMethods, PartsMismatch, PointsShare, SingleLimit):
        return
    assert sum(part.amount_fen for part in parts) == payable
    assert all(part.amount_fen > 0 for part in parts)
    tenders = {T.PREPAID if part.tender is T.BONUS else part.tender for part in parts}
    assert len(tenders) <= policy.methods_max
    assert tenders <= set(policy.tenders)
    assert len(tenders & CHANNELS) <= 1
    for part in parts:
        if part.tender is T.POINTS:
            assert part.amount_fen <= policy.points_max_fen(payable)
            assert policy.worth_fen(part.points) >= part.amount_fen
            assert policy.worth_fen(part.points - 1) < part.amount_fen


@given(any_policy, st.integers(1, 150_000), purses, st.sampled_from([OPEN, frozenset({"alipay"}), frozenset()]))
def test_what_is_suggested_can_be_paid(policy: PayPolicy, payable: int, purse: Purse, channels: frozenset[str]) -> None:
    """FR-222: within the purse, within the policy, all of the price."""
    found = policy.suggest(payable, purse, channels)
    if not found:
        assert not any(tender in CHANNELS - policy.alone for tender in policy.offered(channels))
        return
    parts = policy.plan(payable, found, purse, channels)
    for part in parts:
        has = {T.WALLET: purse.wallet, T.CREDIT: purse.credit, T.PREPAID: purse.prepaid, T.BONUS: purse.bonus}
        assert part.amount_fen <= has.get(part.tender, part.amount_fen)
        assert part.points <= purse.points
