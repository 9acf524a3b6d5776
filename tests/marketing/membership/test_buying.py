"""Buying a level: the wallet at once, a channel when its money comes, and whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

import pytest

from rest.marketing import coupons, membership
from rest.marketing.membership import actions
from rest.marketing.membership.runs import add_months
from rest.money import ledger
from storage.base.clock import BUSINESS_ZONE
from storage.base.errors import HubError
from tests.marketing.membership.conftest import Till, buy, faults, heard, of, rich
from tests.money.channels.test_topups import ask, balance
from tests.money.members_book import publish

ANN = "acc_cust1"
GOLD = {"version": 1, "method": "wallet"}


async def template(till: Till, *, quota: int = 9, per_account_max: int = 9) -> str:
    made = await till.db.run(
        coupons.create_template, name={"zh-CN": "券", "en": "C"}, terms=coupons.Terms(amount_fen=500, valid_days=9),
        quota=quota, per_account_max=per_account_max, claimable=True, by_id="acc_opal",
    )  # fmt: skip
    return made.id


async def answer(work: Awaitable[Any]) -> str:
    try:
        found = await work
    except HubError as refused:
        return refused.code
    return "ok" if found is None else str(found.state.value)


async def over_wechat(till: Till, code: str = "gold", version: int = 1) -> tuple[str, str]:
    """A purchase that waits for its money, and the number of its payment."""
    one = await buy(till.db, ANN, code, version=version, method="wechat")
    await till.run()
    number = await till.value("SELECT id FROM payments WHERE order_id = $1 AND state = 'created'", one.id)
    return one.id, str(number)


async def state(till: Till, purchase_id: str) -> tuple[str, str | None]:
    async with till.db.begin() as tx:
        row = await tx.fetchrow("SELECT state, reason FROM member_purchases WHERE id = $1", purchase_id)
    return row["state"], row["reason"]


async def test_a_level_bought_from_the_wallet_runs_at_once_with_its_coupons(till: Till) -> None:
    """One coupon comes; one is sold out and one is more than he may have: both are written down, and he is a member."""
    await rich(till.db, ANN, 10_000)
    good, gone, mine = await template(till), await template(till, quota=1), await template(till, per_account_max=1)
    await till.db.run(coupons.claim, gone, "acc_ben")
    await till.db.run(coupons.claim, mine, ANN)
    await publish(till.db, coupon_templates=(gone, good, mine))
    one = await buy(till.db, ANN)
    assert (one.state.value, one.kind, one.ends_at) == ("paid", "buy", add_months(till.clock.now(), 1))
    await till.run()
    assert await state(till, one.id) == ("done", None)
    got = (await ask(till, "cust1", "GET", f"/v1/member_purchases/{one.id}/coupons"))[2]["data"]
    assert [(c["template_id"], c["coupon_id"] is not None, c["skipped"]) for c in got] == [
        (gone, False, "coupon_sold_out"), (good, True, None), (mine, False, "coupon_limit"),
    ]  # fmt: skip
    codes = (ledger.customer_wallet(ANN), ledger.revenue("membership"))
    assert [await balance(till, code) for code in codes] == [7_000, 3_000]
    (fact,) = await heard(till, ANN)
    assert (fact["verb"], fact["state"], fact["level"]) == ("buy", "active", "gold")
    assert [fact["state"] for fact in await heard(till, ANN, "membership.purchase_changed")] == ["paid", "done"]
    await till.db.run(actions.grant, {"purchase_id": one.id})  # once
    assert await faults(till) == []


async def test_a_template_that_is_off_or_over_is_skipped_too(till: Till) -> None:
    await rich(till.db, ANN)
    off = await template(till)
    async with till.db.begin() as tx:
        found = await coupons.lock_template(tx, off)
        await coupons.change_template(tx, found, coupons.TemplateChanges(active=False))
    await publish(till.db, coupon_templates=(off,))
    one = await buy(till.db, ANN)
    await till.run()
    assert await till.value("SELECT skipped FROM member_coupons WHERE purchase_id = $1", one.id) == "coupon_not_open"
    assert await faults(till) == []


async def test_renewing_adds_months_to_the_end_from_the_day_it_began(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db)
    begins = datetime(2026, 1, 31, 20, 0, tzinfo=BUSINESS_ZONE)
    till.clock.advance(seconds=(begins - till.clock.now()).total_seconds())
    await buy(till.db, ANN)
    ends = []
    for _ in range(3):
        run = (await of(till.db, ANN)).run
        ends.append(f"{run.ends_at.astimezone(BUSINESS_ZONE):%m-%d %H:%M}")  # type: ignore[union-attr]
        till.clock.advance(hours=24)
        status, _, made = await ask(till, "cust1", "POST", "/v1/memberships/homeservice/renew", GOLD)
        assert (status, made["kind"]) == (201, "renew")
    assert ends == ["02-28 20:00", "03-31 20:00", "04-30 20:00"]
    assert await balance(till, ledger.revenue("membership")) == 12_000
    assert await faults(till) == []


async def test_a_higher_level_begins_at_once_and_a_lower_one_is_refused(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db, "silver", price_fen=1_000, discount_bps=300)
    await publish(till.db, "black", price_fen=6_000, discount_bps=2_000)
    await buy(till.db, ANN, "silver")
    till.clock.advance(hours=24 * 15 + 12)  # half of January's 31 days
    one = await buy(till.db, ANN, "black")
    run = (await of(till.db, ANN)).run
    assert run is not None
    assert (one.kind, one.carried_fen, run.worth_fen) == ("upgrade", 500, 6_500)
    assert (run.level, run.discount_bps) == ("black", 2_000)
    whole = add_months(till.clock.now(), 1) - till.clock.now()
    assert run.ends_at == add_months(till.clock.now() + timedelta(seconds=whole.total_seconds() * 500 // 6_000), 1)
    status, _, refused = await ask(till, "cust1", "POST", "/v1/member_levels/silver/buy", GOLD)
    assert (status, refused["code"], refused["level"]) == (409, "already_member", "black")
    assert await balance(till, ledger.revenue("membership")) == 7_000
    assert await faults(till) == []


async def test_money_over_a_channel_gives_what_was_bought_though_the_level_is_another_by_now(till: Till) -> None:
    await publish(till.db)
    purchase_id, number = await over_wechat(till)
    await publish(till.db, price_fen=9_900, months=12, discount_bps=100, on_sale=False)
    await till.press(number)
    await till.deliver()
    await till.run()
    run = (await of(till.db, ANN)).run
    assert run is not None
    assert (run.level_version, run.discount_bps, run.ends_at) == (1, 1_000, add_months(till.clock.now(), 1))
    assert await state(till, purchase_id) == ("done", None)
    assert await balance(till, ledger.revenue("membership")) == 3_000
    await till.deliver()  # the same news again
    await till.run()
    assert await faults(till) == []


async def test_money_that_comes_too_late_goes_back(till: Till) -> None:
    await publish(till.db)
    purchase_id, number = await over_wechat(till)
    await till.advance(minutes=15)
    assert await state(till, purchase_id) == ("closed", "unpaid")
    await till.db.run(membership.receive_money, purchase_id, number, ref="late")
    assert await balance(till, ledger.refunding("wechat")) == 3_000
    assert ((await of(till.db, ANN)).state.value, await state(till, purchase_id)) == ("none", ("closed", "unpaid"))
    assert (await ask(till, "cust1", "GET", "/v1/memberships"))[2] == {"data": []}
    assert await faults(till) == []


async def test_another_purchase_takes_the_place_of_one_that_waits(till: Till) -> None:
    """So no money of a lower level can come once a higher one is paid; what still comes of it goes back."""
    await rich(till.db, ANN)
    await publish(till.db, "silver", price_fen=1_000)
    await publish(till.db)
    waits, number = await over_wechat(till, "silver")
    await buy(till.db, ANN, "gold")
    assert await state(till, waits) == ("closed", "replaced")
    await till.db.run(membership.receive_money, waits, number, ref="late")
    assert await balance(till, ledger.refunding("wechat")) == 1_000
    assert await faults(till) == []


async def test_money_of_a_level_below_the_one_that_runs_goes_back(till: Till) -> None:
    """It cannot come about by the rules; should it all the same, nobody's money is kept for nothing."""
    await rich(till.db, ANN)
    await publish(till.db, "silver", price_fen=1_000)
    await publish(till.db)
    waits, number = await over_wechat(till, "silver")
    async with till.db.begin() as tx:
        await tx.execute("UPDATE member_purchases SET line = 'rv' WHERE id = $1", waits)
    await buy(till.db, ANN, "gold")
    async with till.db.begin() as tx:
        await tx.execute("UPDATE member_purchases SET line = 'homeservice' WHERE id = $1", waits)
    await till.db.run(membership.receive_money, waits, number, ref="w1")
    assert await state(till, waits) == ("closed", "already_member")
    assert await balance(till, ledger.refunding("wechat")) == 1_000
    assert await faults(till) == []


async def test_a_refused_payment_and_a_change_of_mind_close_the_purchase(till: Till) -> None:
    await publish(till.db)
    first, number = await over_wechat(till)
    await till.db.run(actions.refuse, first, number, "no_funds")
    assert await state(till, first) == ("closed", "refused")
    second, _ = await over_wechat(till)
    path = f"/v1/member_purchases/{second}/cancel"
    assert (await ask(till, "ben", "POST", path))[0] == 404
    assert (await ask(till, "cust1", "POST", path))[2]["reason"] == "cancelled"
    assert (await ask(till, "cust1", "POST", path))[0] == 200
    assert await faults(till) == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("member_levels/gold/buy", {"version": 2, "method": "wallet"}, "member_level_changed"),
        ("member_levels/black/buy", GOLD, "member_level_not_sold"),
        ("member_levels/tin/buy", GOLD, "not_found"),
        ("member_levels/gold/buy", GOLD, "insufficient_balance"),
        ("member_levels/silver/buy", GOLD, "ok"),
        ("memberships/homeservice/renew", GOLD, "not_a_member"),
        ("memberships/rv/renew", GOLD, "not_a_member"),
        ("member_levels/gold/buy", {"version": 1, "method": "cash"}, "invalid_input"),
    ],
)
async def test_what_is_refused_takes_nothing(till: Till, path: str, body: Any, code: str) -> None:
    await rich(till.db, ANN, 2_999)
    await publish(till.db, "silver", price_fen=2_999)
    await publish(till.db)
    await publish(till.db, "black", on_sale=False)
    status, _, found = await ask(till, "cust1", "POST", f"/v1/{path}", body)
    assert found.get("code", "ok") == code, found
    assert await balance(till, ledger.customer_wallet(ANN)) == (0 if status == 201 else 2_999)
    assert await faults(till) == []


async def test_nobody_is_a_member_for_more_than_five_years_ahead(till: Till) -> None:
    await rich(till.db, ANN, 1_000_000)
    await publish(till.db, months=36)
    await buy(till.db, ANN)
    assert await answer(buy(till.db, ANN)) == "membership_limit"
    assert await balance(till, ledger.revenue("membership")) == 3_000
    assert await faults(till) == []


async def test_a_member_is_reminded_once_and_it_ends_at_its_end(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db)
    await buy(till.db, ANN)
    await till.advance(hours=24 * 23)
    assert await heard(till, ANN, "membership.ending") == []
    await buy(till.db, ANN)  # renewed just before: nobody is told of the old end
    await till.advance(hours=24)
    assert await heard(till, ANN, "membership.ending") == []
    membership_id = (await of(till.db, ANN)).id
    await till.db.run(actions.remind, {"membership_id": membership_id})  # what fired just before the renewal
    run = (await of(till.db, ANN)).run
    assert run is not None
    till.clock.advance(seconds=(run.ends_at - timedelta(days=7) - till.clock.now()).total_seconds())
    await till.run()
    (fact,) = await heard(till, ANN, "membership.ending")
    assert (fact["level"], datetime.fromisoformat(fact["ends_at"])) == ("gold", run.ends_at)
    till.clock.advance(seconds=(run.ends_at - till.clock.now()).total_seconds() - 1)
    await till.db.run(actions.expire, {"membership_id": membership_id})
    assert (await of(till.db, ANN)).state.value == "active"
    till.clock.advance(seconds=1)
    async with till.db.begin() as tx:
        assert await membership.rights(tx, ANN, "homeservice") is None  # though its deadline has not fired yet
    await till.run()
    assert (await of(till.db, ANN)).state.value == "expired"
    await till.db.run(actions.expire, {"membership_id": membership_id})
    assert [fact["verb"] for fact in await heard(till, ANN)] == ["buy", "renew", "expire"]
    again = await buy(till.db, ANN)
    assert (again.kind, again.starts_at) == ("buy", till.clock.now())
    assert await faults(till) == []


# At once


async def test_two_buys_at_once_are_two_purchases_one_after_the_other(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db)
    bought = await asyncio.gather(*(buy(till.db, ANN) for _ in range(4)))
    assert sorted(one.kind for one in bought) == ["buy", "renew", "renew", "renew"]
    assert (await of(till.db, ANN)).run.ends_at == add_months(till.clock.now(), 4)  # type: ignore[union-attr]
    assert await balance(till, ledger.customer_wallet(ANN)) == 88_000
    assert await faults(till) == []


async def test_one_tap_twice_buys_once(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db)
    client = till.client.as_("cust1")
    sent = [
        client.send("POST", "/v1/member_levels/gold/buy", json=GOLD, headers={"Idempotency-Key": "key-tap-000000001"})
        for _ in range(2)
    ]
    answers = await asyncio.gather(*sent)
    assert {made["id"] for status, _, made in answers if status == 201} != set()
    assert len({made["id"] for status, _, made in answers if status == 201}) == 1
    assert await balance(till, ledger.revenue("membership")) == 3_000
    assert await faults(till) == []


@pytest.mark.parametrize("before_s", [0, 1])
async def test_renewing_and_ending_at_once_is_one_before_the_other(till: Till, before_s: int) -> None:
    """Just before the end it is a renewal; at the end it is over, and bought anew: whoever is first."""
    await rich(till.db, ANN)
    await publish(till.db)
    for _ in range(3):
        await buy(till.db, ANN)
        one = await of(till.db, ANN)
        assert one.run is not None
        till.clock.advance(seconds=(one.run.ends_at - till.clock.now()).total_seconds() - before_s)
        made, _ = await asyncio.gather(
            buy(till.db, ANN), till.db.run(actions.expire, {"membership_id": one.id})
        )
        assert made.kind == ("renew" if before_s else "buy")
        after = await of(till.db, ANN)
        assert (after.state.value, made.starts_at) == ("active", one.run.ends_at)
        till.clock.advance(hours=24 * 100)
        await till.run()
    assert await faults(till) == []


async def test_the_same_money_twice_at_once_gives_once(till: Till) -> None:
    await publish(till.db)
    purchase_id, number = await over_wechat(till)
    news = [till.db.run(membership.receive_money, purchase_id, number, ref="one") for _ in range(4)]
    await asyncio.gather(*news)
    assert (await of(till.db, ANN)).run.months == 1  # type: ignore[union-attr]
    assert await balance(till, ledger.revenue("membership")) == 3_000
    assert await faults(till) == []


async def test_paying_cancelling_replacing_and_the_end_of_the_window_at_once_have_one_winner(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db)
    for n in range(4):
        purchase_id, number = await over_wechat(till)
        till.clock.advance(minutes=15)
        others = [buy(till.db, ANN)] if n % 2 else []
        await asyncio.gather(
            answer(till.db.run(membership.close, purchase_id, ANN)),
            answer(till.db.run(membership.receive_money, purchase_id, number, ref=f"t{number}")),
            answer(till.db.run(actions.expire_purchase, {"purchase_id": purchase_id})),
            *map(answer, others),
        )
        ended, _ = await state(till, purchase_id)
        paid = await till.value("SELECT state FROM payments WHERE id = $1", number)
        assert (ended, paid) in {("paid", "paid"), ("closed", "refunded")}
    assert await faults(till) == []
