"""A bought coupon is given back within a day: its points, its cash and its piece return, or it is used, never both."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from rest.marketing import coupons, points_mall
from rest.marketing.coupons import Terms
from rest.money import ledger, points
from rest.money.points import store as lots
from storage.base.errors import HubError
from tests.conftest import MONDAY
from tests.money.channels.conftest import Till
from tests.money.channels.test_points_mall import ANN, faults, have, product, redeem, rich, stock
from tests.money.channels.test_topups import ask, balance


async def template(till: Till, **more: Any) -> str:
    given = {"quota": 5, "per_account_max": 5, "terms": Terms(amount_fen=100, valid_days=9)} | more
    made = await till.db.run(
        coupons.create_template, name={"zh-CN": "券", "en": "C"}, claimable=False, by_id="acc_opal", **given
    )
    return made.id


async def bought(till: Till, method: str = "wallet", **more: Any) -> tuple[str, Any]:
    """A product that is a coupon, and one purchase of it that is paid and given."""
    sold = await product(till, coupon_template=await template(till), cash_fen=990, **more)
    made = (await redeem(till, sold, method=method))[2]
    await till.run()
    if method != "wallet":
        number = (await ask(till, "cust1", "GET", f"/v1/points_purchases/{made['id']}/payment"))[2]["payment_id"]
        await till.press(number, channel=method)
        await till.deliver()
        await till.run()
    return sold, (await ask(till, "cust1", "GET", f"/v1/points_purchases/{made['id']}"))[2]


async def give_back(till: Till, purchase: Any, who: str = "cust1") -> Any:
    return await ask(till, who, "POST", f"/v1/points_purchases/{purchase['id']}/refund", {})


async def test_points_return_to_their_lots_cash_to_the_wallet_and_the_piece_to_the_stock(till: Till) -> None:
    await rich(till, fen=990, number=200)
    ends = MONDAY + timedelta(days=3)
    await till.db.run(points.earn, ANN, 200, ref="soon", reason="test", expires_at=ends)
    sold, purchase = await bought(till)
    assert (purchase["state"], await have(till), await stock(till, sold)) == ("delivered", (100, 0), (4, 0, 1))
    assert (await give_back(till, purchase, "ben"))[0] == 404
    till.clock.advance(hours=23, minutes=59)
    status, _, after = await give_back(till, purchase)
    assert (status, after["state"], after["coupon_id"]) == (200, "refunded", purchase["coupon_id"])
    assert (await have(till), await stock(till, sold)) == ((400, 0), (5, 0, 0))
    assert await balance(till, ledger.customer_wallet(ANN)) == 990
    async with till.db.begin() as tx:
        found = await lots.lots_of_account(tx, ANN, before_id="~", limit=9)
    kept = {lot.ref: (lot.left, lot.expires_at) for lot in found}
    assert kept == {f"gift:{ANN}": (200, None), "soon": (200, ends)}
    assert (await give_back(till, purchase))[2]["version"] == after["version"]  # once more moves nothing
    assert (await redeem(till, sold, method="wallet"))[2]["state"] == "done"  # and somebody may buy it again
    assert await faults(till) == []


async def test_cash_of_a_channel_goes_back_over_it(till: Till) -> None:
    await rich(till)
    _, purchase = await bought(till, "wechat")
    assert (await give_back(till, purchase))[0] == 200
    assert await balance(till, ledger.refunding("wechat")) == 990
    await till.run()
    await till.deliver()
    await till.advance(minutes=10)
    assert await till.value("SELECT state FROM channel_refunds") == "done"
    assert await balance(till, ledger.revenue("points_mall")) == 0
    assert await faults(till) == []


async def test_what_is_late_used_held_or_no_coupon_stays(till: Till) -> None:
    await rich(till, fen=90_000, number=2_000)
    sold, first = await bought(till, per_account_max=9)
    others = []
    for _ in range(2):
        made = (await redeem(till, sold, method="wallet"))[2]
        await till.run()
        others.append((await ask(till, "cust1", "GET", f"/v1/points_purchases/{made['id']}"))[2])
    jobs = [await till.town.post(ANN, coupon_id=one["coupon_id"]) for one in others]
    tech = await till.town.technician()
    await till.town.pay(await till.town.choose(jobs[0], await till.town.grab(jobs[0], tech)))
    cup = (await redeem(till, await product(till)))[2]
    before = (await have(till), await balance(till, ledger.customer_wallet(ANN)))
    assert (await give_back(till, others[0]))[2]["code"] == "coupon_used"
    assert (await give_back(till, others[1]))[2]["code"] == "coupon_locked"
    assert (await give_back(till, cup))[2]["code"] == "not_refundable"
    till.clock.advance(hours=24)
    refused = await give_back(till, first)
    assert (refused[0], refused[2]["code"], refused[2]["until"]) == (422, "refund_window", "2026-01-06T02:00:00.000Z")
    assert (await have(till), await balance(till, ledger.customer_wallet(ANN))) == before
    assert await faults(till) == []


async def test_a_coupon_that_was_paid_and_is_sold_out_can_be_given_back_at_any_time(till: Till) -> None:
    await rich(till, fen=990)
    sold = await product(till, coupon_template=await template(till, quota=1), cash_fen=990)
    async with till.db.begin() as tx:
        await tx.execute("UPDATE coupon_templates SET active = false")
    purchase = (await redeem(till, sold, method="wallet"))[2]
    await till.run()
    till.clock.advance(hours=30)
    assert (await give_back(till, purchase))[2]["state"] == "refunded"
    async with till.db.begin() as tx:
        await tx.execute("UPDATE coupon_templates SET active = true")
    await till.run()
    assert (await till.value("SELECT count(*) FROM coupons"), await have(till)) == (0, (1_000, 0))
    assert await balance(till, ledger.customer_wallet(ANN)) == 990
    assert await faults(till) == []


async def test_used_and_given_back_at_once_one_wins(till: Till) -> None:
    """On connections of their own: an order takes the coupon while its buyer gives it back, five times at a time."""
    await rich(till, fen=10_000, number=5_000)
    sold = await product(till, coupon_template=await template(till, quota=50, per_account_max=50), cash_fen=100,
                         points=10, per_account_max=50, stock=50)  # fmt: skip
    won = []
    for n in range(8):
        made = (await redeem(till, sold, method="wallet"))[2]
        await till.run()
        coupon_id = await till.value("SELECT coupon_id FROM points_purchases WHERE id = $1", made["id"])
        use = till.town.post(ANN, coupon_id=coupon_id)
        backs = [till.db.run(points_mall.give_back, made["id"], ANN) for _ in range(4)]
        both = [use, *backs] if n % 2 else [*backs, use]
        answers = await asyncio.gather(*both, return_exceptions=True)
        assert all(not isinstance(one, BaseException) or isinstance(one, HubError) for one in answers), answers
        state = await till.value("SELECT state FROM coupons WHERE id = $1", coupon_id)
        given = await till.value("SELECT state FROM points_purchases WHERE id = $1", made["id"])
        assert (state, given) in {("locked", "delivered"), ("revoked", "refunded")}
        won.append(state)
        assert await faults(till) == []
    print(f"won: {won}")


async def test_what_costs_no_points_is_bought_for_cash_and_shows_what_it_costs_elsewhere(till: Till) -> None:
    await rich(till, fen=990)
    sold = await product(till, points=0, cash_fen=990, list_fen=1_990, coupon_template=await template(till))
    shown = (await ask(till, "cust1", "GET", "/v1/points_products"))[2]["data"][0]
    assert (shown["cash"]["amount"], shown["list_price"]["amount"]) == (990, 1_990)
    made = (await redeem(till, sold, method="wallet"))[2]
    await till.run()
    assert made["list_price"]["amount"] == 1_990
    assert (await give_back(till, made))[2]["state"] == "refunded"
    assert await balance(till, ledger.customer_wallet(ANN)) == 990
    body = {"name": {"zh-CN": "空", "en": "Air"}, "points": 0, "stock": 5}
    assert (await ask(till, "opal", "POST", "/v1/admin/points_products", body))[0] == 400
    assert await faults(till) == []
