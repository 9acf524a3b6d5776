"""Coupons as values: every verb in every state, what one takes off, and why one is no good."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.marketing.coupons.model import (
    TRANSITIONS,
    VERBS,
    Coupon,
    CouponQuota,
    CouponState,
    CouponTermsFixed,
    CouponTermsInvalid,
    Purchase,
    Reason,
    Template,
    TemplateChanges,
    Terms,
    WrongCouponState,
    discount,
    why_not,
)
from tests.conftest import MONDAY

DAY = timedelta(days=1)
NOW = MONDAY


def coupon(state: str = "issued", **changes: Any) -> Coupon:
    held = state in {"locked", "used"}
    values: dict[str, Any] = {
        "id": "cpn_1", "template_id": "cpt_1", "account_id": "acc_1", "seq": 1, "state": CouponState(state),
        "order_id": "ord_1" if held else None, "source": "claim", "gift_id": None, "valid_from": NOW - DAY,
        "valid_until": NOW + DAY, "issued_at": NOW - DAY, "locked_at": NOW if held else None,
        "used_at": NOW if state == "used" else None, "version": 3,
    }  # fmt: skip
    return Coupon(**(values | changes))


# Written from HS-185, not from the code.
EXPECTED = {
    ("issued", "lock"): "locked",
    ("issued", "expire"): "expired",
    ("locked", "use"): "used",
    ("locked", "release"): "issued",
    ("used", "give_back"): "issued",
    ("issued", "revoke"): "revoked",
    ("expired", "revoke"): "revoked",
}


@pytest.mark.parametrize("state", CouponState)
def test_every_verb_in_every_state(state: CouponState) -> None:
    assert set(VERBS) == {verb for _, verb in EXPECTED}
    for verb in VERBS:
        expected = EXPECTED.get((state.value, verb))
        if expected is None:
            with pytest.raises(WrongCouponState):
                coupon(state).after(verb)
        else:
            after = coupon(state).after(verb)
            assert (after.state.value, after.version) == (expected, 4)


def test_an_expired_coupon_never_comes_back() -> None:
    ends = {CouponState.EXPIRED, CouponState.REVOKED}
    assert all(after in ends for (before, _), after in TRANSITIONS.items() if before in ends)


@pytest.mark.parametrize("state", ["locked", "used"])
@pytest.mark.parametrize(("until", "after"), [(NOW + DAY, "issued"), (NOW, "expired"), (NOW - DAY / 2, "expired")])
def test_what_an_order_gives_back_is_free_or_over(state: str, until: Any, after: str) -> None:
    back = coupon(state, valid_until=until).returned(NOW)
    assert (back.state.value, back.order_id, back.locked_at, back.used_at) == (after, None, None, None)
    assert back.version == 4


@pytest.mark.parametrize("state", CouponState)
def test_time_takes_only_what_nobody_holds(state: CouponState) -> None:
    assert coupon(state).expired(NOW + DAY / 2) is None
    after = coupon(state).expired(NOW + DAY)
    assert (after.state if after else None) == (CouponState.EXPIRED if state == "issued" else None)


fen = st.integers(1, 10**9)
amounts = fen.map(lambda amount: Terms(amount_fen=amount, valid_days=1))
percents = st.tuples(st.integers(1, 10_000), fen).map(
    lambda both: Terms(percent_bps=both[0], cap_fen=both[1], valid_days=1)
)


@given(amounts | percents, st.integers(0, 10**10))
def test_a_coupon_takes_off_no_more_than_the_items_cost_and_no_more_than_it_is_worth(terms: Terms, item: int) -> None:
    assert 0 <= discount(terms, item) <= min(item, terms.worth_fen)


@given(amounts | percents, st.integers(0, 10**10), st.integers(0, 10**6))
def test_buying_more_never_lowers_the_discount_and_never_the_price(terms: Terms, item: int, more: int) -> None:
    before, after = discount(terms, item), discount(terms, item + more)
    assert before <= after <= before + more


@pytest.mark.parametrize(
    ("terms", "item", "off"),
    [
        ({"amount_fen": 5_000}, 40_000, 5_000),
        ({"amount_fen": 50_000}, 40_000, 40_000),
        ({"percent_bps": 1_500, "cap_fen": 100_000}, 40_000, 6_000),
        ({"percent_bps": 1_500, "cap_fen": 5_000}, 40_000, 5_000),
        ({"percent_bps": 1_500, "cap_fen": 5_000}, 30, 5),  # 4.5 fen, half up
        ({"percent_bps": 10_000, "cap_fen": 100_000}, 40_000, 40_000),
    ],
)
def test_discounts_by_hand(terms: dict[str, int], item: int, off: int) -> None:
    assert discount(Terms(**terms, valid_days=1), item) == off  # type: ignore[arg-type]


BUY = Purchase(line="homeservice", item_id="itm_a", region_code="510104", worker_id=None, item_fen=40_000)


@pytest.mark.parametrize(
    ("terms", "purchase", "reason"),
    [
        ({}, {}, None),
        ({"line": "homeservice"}, {}, None),
        ({"line": "rv"}, {}, Reason.LINE),
        ({"item_ids": ("itm_b", "itm_a")}, {}, None),
        ({"item_ids": ("itm_b",)}, {}, Reason.ITEM),
        ({"region_codes": ("510104",)}, {}, None),
        ({"region_codes": ("510100",)}, {}, None),
        ({"region_codes": ("510000",)}, {}, None),
        ({"region_codes": ("510105", "520000")}, {}, Reason.REGION),
        ({"worker_ids": ("wrk_1",)}, {}, Reason.TECHNICIAN),
        ({"worker_ids": ("wrk_1",)}, {"worker_id": "wrk_1"}, None),
        ({"worker_ids": ("wrk_1",)}, {"worker_id": "wrk_2"}, Reason.TECHNICIAN),
        ({"threshold_fen": 40_000}, {}, None),
        ({"threshold_fen": 40_001}, {}, Reason.THRESHOLD),
        ({"amount_fen": None, "percent_bps": 1, "cap_fen": 100}, {"item_fen": 10}, Reason.NO_DISCOUNT),
    ],
)
def test_what_a_coupon_is_good_for(terms: dict[str, Any], purchase: dict[str, Any], reason: Reason | None) -> None:
    given_terms = Terms(**({"amount_fen": 100, "valid_days": 1} | terms))
    assert why_not(coupon(), given_terms, replace(BUY, **purchase), NOW) is reason


@pytest.mark.parametrize(
    ("state", "at", "reason"),
    [
        ("issued", NOW - DAY, None),
        ("issued", NOW - DAY - timedelta(milliseconds=1), Reason.NOT_YET),
        ("issued", NOW + DAY - timedelta(milliseconds=1), None),
        ("issued", NOW + DAY, Reason.EXPIRED),
        ("locked", NOW, Reason.LOCKED),
        ("used", NOW, Reason.USED),
        ("expired", NOW, Reason.EXPIRED),
    ],
)
def test_when_a_coupon_is_good(state: str, at: Any, reason: Reason | None) -> None:
    assert why_not(coupon(state), Terms(amount_fen=100, valid_days=1), BUY, at) is reason


@pytest.mark.parametrize(
    "terms",
    [
        {"valid_days": 1},
        {"valid_days": 1, "amount_fen": 1, "percent_bps": 1, "cap_fen": 1},
        {"valid_days": 1, "percent_bps": 1},
        {"valid_days": 1, "amount_fen": 1, "cap_fen": 1},
        {"amount_fen": 1},
        {"amount_fen": 1, "valid_from": NOW},
        {"amount_fen": 1, "valid_until": NOW},
        {"amount_fen": 1, "valid_from": NOW, "valid_until": NOW},
        {"amount_fen": 1, "valid_from": NOW, "valid_until": NOW + DAY, "valid_days": 1},
    ],
)
def test_terms_that_contradict_themselves(terms: dict[str, Any]) -> None:
    with pytest.raises(CouponTermsInvalid):
        Terms(**terms)


def test_windows() -> None:
    assert Terms(amount_fen=1, valid_days=2).window(NOW) == (NOW, NOW + 2 * DAY)
    fixed = Terms(amount_fen=1, valid_from=NOW + DAY, valid_until=NOW + 2 * DAY)
    assert fixed.window(NOW) == (NOW + DAY, NOW + 2 * DAY)


def test_a_template_changes_all_but_what_people_hold() -> None:
    template = Template(
        id="cpt_1", name={"en": "A"}, terms=Terms(amount_fen=100, valid_days=1), quota=10, issued=3, per_account_max=1,
        claimable=True, active=True, version=1, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    after = template.changed(NOW + DAY, TemplateChanges(quota=3, active=False, name={"en": "B"}))
    assert (after.quota, after.active, after.name, after.version) == (3, False, {"en": "B"}, 2)
    assert after.updated_at == NOW + DAY
    with pytest.raises(CouponQuota):
        template.changed(NOW, TemplateChanges(quota=2))
    dearer = Terms(amount_fen=200, valid_days=1)
    with pytest.raises(CouponTermsFixed):
        template.changed(NOW, TemplateChanges(terms=dearer))
    assert replace(template, issued=0).changed(NOW, TemplateChanges(terms=dearer)).terms == dearer
