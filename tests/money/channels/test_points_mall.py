"""The points mall: points, stock and cash together or not at all, whoever comes at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from rest.marketing import coupons, points_mall, rewards
from rest.marketing.coupons import Terms
from rest.marketing.points_mall import Purchase, PurchaseState
from rest.marketing.points_mall.model import TRANSITIONS, VERBS, WrongPurchaseState
from rest.marketing.rewards import Event
from rest.money import ledger, points, wallet
from storage.base.errors import HubError
from tests.conftest import MONDAY
from tests.money.channels.conftest import Till
from tests.money.channels.test_topups import ask, balance
from tests.money.points_book import MALL_CHECKS

ANN = "acc_cust1"


async def faults(till: Till) -> list[str]:
    async with till.db.begin() as tx:
        found = [name for name, sql in MALL_CHECKS.items() if await tx.fetch(sql)]
    return found + await till.town.faults()


async def rich(till: Till, who: str = ANN, *, number: int = 1_000, fen: int = 0) -> None:
    await till.db.run(points.earn, who, number, ref=f"gift:{who}", reason="test")
    if fen:
        await till.db.run(wallet.credit, who, fen, f"cash:{who}", "test")


async def product(till: Till, **more: Any) -> str:
    body = {"name": {"zh-CN": "杯", "en": "Cup"}, "points": 300, "stock": 5, "per_account_max": 2}
    status, _, made = await ask(till, "opal", "POST", "/v1/admin/points_products", body | more)
    assert status == 201, made
    return str(made["id"])


async def redeem(till: Till, product_id: str, **body: Any) -> Any:
    return await ask(till, "cust1", "POST", f"/v1/points_products/{product_id}/redeem", {"confirm": True} | body)


async def stock(till: Till, product_id: str) -> tuple[int, int, int]:
    async with till.db.begin() as tx:
        row = await tx.fetchrow("SELECT stock, held, sold FROM points_products WHERE id = $1", product_id)
    return tuple(row)  # type: ignore[return-value]


async def have(till: Till) -> tuple[int, int]:
    totals = await till.db.run(points.totals, ANN)
    return totals.available, totals.held


async def answer(work: Awaitable[Purchase]) -> str:
    try:
        return (await work).state.value
    except HubError as refused:
        return refused.code


async def test_points_alone_buy_at_once_and_staff_deliver(till: Till) -> None:
    await rich(till)
    cup = await product(till)
    status, _, bought = await redeem(till, cup)
    assert (status, bought["state"], await have(till), await stock(till, cup)) == (201, "done", (700, 0), (4, 0, 1))
    path = f"/v1/admin/points_purchases/{bought['id']}/deliver"
    assert (await ask(till, "sue", "POST", path, {"note": "SF123"}))[0] == 403
    assert (await ask(till, "opal", "POST", path, {"note": "SF123"}))[2]["state"] == "delivered"
    assert (await ask(till, "opal", "POST", path, {"note": "SF124"}))[2]["code"] == "purchase_state"
    assert (await ask(till, "ben", "GET", f"/v1/points_purchases/{bought['id']}"))[0] == 404
    assert await faults(till) == []


async def test_a_coupon_comes_with_its_points_or_neither(till: Till) -> None:
    await rich(till)
    template = await till.db.run(
        coupons.create_template, name={"zh-CN": "券", "en": "C"}, terms=Terms(amount_fen=100, valid_days=9), quota=1,
        per_account_max=5, claimable=False, by_id="acc_opal",
    )  # fmt: skip
    coupon = await product(till, coupon_template=template.id)
    assert (await redeem(till, coupon))[2]["state"] == "delivered"
    assert (await redeem(till, coupon))[2]["code"] == "coupon_sold_out"
    assert (await have(till), await stock(till, coupon)) == ((700, 0), (4, 0, 1))
    assert await faults(till) == []


@pytest.mark.parametrize(
    ("more", "owned", "code"),
    [
        ({"stock": 0}, 1_000, "out_of_stock"),
        ({"active": False}, 1_000, "out_of_stock"),
        ({}, 299, "insufficient_points"),
        ({"cash_fen": 500}, 1_000, "insufficient_balance"),
    ],
)
async def test_what_is_refused_takes_nothing(till: Till, more: dict[str, Any], owned: int, code: str) -> None:
    await rich(till, number=owned)
    cup = await product(till, **more)
    before = await stock(till, cup)
    assert (await redeem(till, cup, method="wallet"))[2]["code"] == code
    assert (await have(till), await stock(till, cup)) == ((owned, 0), before)
    assert await faults(till) == []


@pytest.mark.parametrize("body", [{}, {"confirm": False}, {"confirm": False, "method": "wallet"}])
@pytest.mark.parametrize("cash_fen", [0, 500])
async def test_no_points_are_taken_that_nobody_has_agreed_to_give(
    till: Till, body: dict[str, Any], cash_fen: int
) -> None:
    """RV-305; cash alone needs no such word (RV-306)."""
    await rich(till, fen=2_000)
    cup = await product(till, cash_fen=cash_fen)
    status, _, refused = await redeem(till, cup, **({"confirm": False, "method": "wallet"} | body))
    assert (status, refused["code"]) == (422, "confirm_required")
    assert (refused["points"], refused["cash"]["amount"]) == ({"amount": 300, "unit": "PTS"}, cash_fen)
    assert (await have(till), await stock(till, cup)) == ((1_000, 0), (5, 0, 0))
    assert await till.value("SELECT count(*) FROM points_purchases") == 0
    sold = await product(till, points=0, cash_fen=500)
    assert (await redeem(till, sold, confirm=False, method="wallet"))[2]["state"] == "done"
    for wrong in ("true", 1, None):
        assert (await redeem(till, cup, confirm=wrong, method="wallet"))[0] == 400
    assert await faults(till) == []


async def test_who_has_too_few_points_is_told_how_to_earn_some(till: Till) -> None:
    """The rules in force, and no other: neither what ops have switched off nor what a rule said before."""
    await rich(till, number=299)
    cup = await product(till)
    assert (await redeem(till, cup))[2]["ways"] == []
    rule = {"fixed": 0, "per_100_yuan": 0, "points_max": 500, "pending_s": 0, "valid_days": None, "by_id": "acc_opal"}
    for event, line, active, changes in (
        (Event.REVIEW, "homeservice", True, {"fixed": 5}),
        (Event.REVIEW, "homeservice", True, {"fixed": 20}),
        (Event.ORDER_COMPLETED, "", True, {"per_100_yuan": 10}),
        (Event.CHECK_IN, "", True, {"fixed": 1}),
        (Event.CHECK_IN, "", False, {"fixed": 1}),
    ):
        await till.db.run(rewards.set_rule, event=event, line=line, active=active, **(rule | changes))
    status, _, refused = await redeem(till, cup)
    assert (status, refused["code"]) == (409, "insufficient_points")
    assert (refused["needed"]["amount"], refused["available"]["amount"]) == (300, 299)
    assert refused["ways"] == [
        {"event": "order_completed", "line": "", "fixed": 0, "per_100_yuan": 10, "points_max": 500},
        {"event": "review", "line": "homeservice", "fixed": 20, "per_100_yuan": 0, "points_max": 500},
    ]
    assert (await have(till), await stock(till, cup)) == ((299, 0), (5, 0, 0))
    assert await faults(till) == []


async def test_points_and_cash_over_a_channel(till: Till) -> None:
    await rich(till)
    cup = await product(till, cash_fen=990)
    assert (await redeem(till, cup))[0] == 400  # nobody said how to pay the cash
    bought = (await redeem(till, cup, method="wechat"))[2]
    assert (bought["state"], await have(till), await stock(till, cup)) == ("created", (700, 300), (4, 1, 0))
    await till.run()
    number = (await ask(till, "cust1", "GET", f"/v1/points_purchases/{bought['id']}/payment"))[2]["payment_id"]
    await till.press(number)
    await till.deliver()
    await till.run()
    assert (await have(till), await stock(till, cup)) == ((700, 0), (4, 0, 1))
    assert await balance(till, ledger.revenue("points_mall")) == 990
    assert await faults(till) == []


async def test_cash_that_does_not_come_gives_points_and_piece_back_and_comes_back_when_late(till: Till) -> None:
    """The worked example of RV part 8: 30 points and 9.90."""
    await rich(till, number=30)
    cup = await product(till, points=30, cash_fen=990)
    bought = (await redeem(till, cup, method="wechat"))[2]
    await till.run()
    number = (await ask(till, "cust1", "GET", f"/v1/points_purchases/{bought['id']}/payment"))[2]["payment_id"]
    till.clock.advance(minutes=15)
    await till.db.run(points_mall.actions.expire, {"purchase_id": bought["id"]})
    assert (await have(till), await stock(till, cup)) == ((30, 0), (5, 0, 0))
    await till.db.run(points_mall.actions.receive_money, bought["id"], number, ref="late")
    assert await balance(till, ledger.refunding("wechat")) == 990
    assert (await ask(till, "cust1", "GET", f"/v1/points_purchases/{bought['id']}"))[2]["state"] == "closed"
    assert await faults(till) == []


async def test_of_twenty_that_want_the_last_two_two_get_one(till: Till) -> None:
    cup = await product(till, stock=2, cash_fen=100)
    for n in range(20):
        await rich(till, f"acc_{n}", fen=100)
    buyers = [
        till.db.run(points_mall.redeem, f"acc_{n}", cup, confirmed=True, method="wallet" if n % 2 else "wechat")
        for n in range(20)
    ]
    answers = await asyncio.gather(*map(answer, buyers))
    assert sorted(answers).count("out_of_stock") == 18
    left, held, sold = await stock(till, cup)
    assert (left, held + sold) == (0, 2)
    assert await faults(till) == []


async def test_one_person_at_many_taps_gets_no_more_than_allowed(till: Till) -> None:
    await rich(till)
    cup = await product(till)
    taps = [till.db.run(points_mall.redeem, ANN, cup, confirmed=True) for _ in range(8)]
    answers = await asyncio.gather(*map(answer, taps))
    assert sorted(answers) == ["done"] * 2 + ["limit_reached"] * 6
    assert (await have(till), await stock(till, cup)) == ((400, 0), (3, 0, 2))
    assert await faults(till) == []


async def test_paying_cancelling_and_the_end_of_the_window_at_once_have_one_winner(till: Till) -> None:
    await rich(till)
    cup = await product(till, cash_fen=100, per_account_max=9)
    for _ in range(3):
        bought = (await redeem(till, cup, method="wechat"))[2]
        await till.run()
        number = (await ask(till, "cust1", "GET", f"/v1/points_purchases/{bought['id']}/payment"))[2]["payment_id"]
        till.clock.advance(minutes=15)
        await asyncio.gather(
            answer(till.db.run(points_mall.close, bought["id"], ANN)),
            answer(till.db.run(points_mall.actions.receive_money, bought["id"], number, ref=f"t{number}")),
            till.db.run(points_mall.actions.expire, {"purchase_id": bought["id"]}),
        )
        async with till.db.begin() as tx:
            state = await tx.fetchval("SELECT state FROM points_purchases WHERE id = $1", bought["id"])
            paid = await tx.fetchval("SELECT state FROM payments WHERE id = $1", number)
        assert (state, paid) in {("done", "paid"), ("closed", "refunded")}
    assert await faults(till) == []


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("before", list(PurchaseState))
def test_every_verb_in_every_state(before: PurchaseState, verb: str) -> None:
    purchase = Purchase(
        id="pmo_1", product_id="ppr_1", account_id=ANN, coupon_template=None, points=1, cash_fen=0, method=None,
        state=before, reason=None, note=None, delivered_by=None, version=1, created_at=MONDAY, list_fen=None,
        expires_at=MONDAY + timedelta(minutes=15), ended_at=None, coupon_id=None, refunded_at=None,
    )  # fmt: skip
    to = TRANSITIONS.get((before, verb))
    if to is None:
        with pytest.raises(WrongPurchaseState):
            purchase.after(verb)
    else:
        assert (purchase.after(verb).state, purchase.after(verb).version) == (to, 2)
