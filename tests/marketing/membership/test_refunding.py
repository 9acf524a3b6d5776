"""A purchase is given back within a week: its price, its time and its coupons together; or it is used, never both."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rest.lines.homeservice import actions as homeservice
from rest.marketing import claims, coupons, membership
from rest.marketing.membership import actions
from rest.marketing.membership.model import MemberPurchase
from rest.marketing.membership.runs import Run
from rest.money import ledger
from storage.base.errors import HubError
from tests.conftest import MONDAY
from tests.marketing.membership.conftest import Till, buy, faults, heard, of, rich
from tests.marketing.membership.test_buying import ANN, answer, over_wechat, state, template
from tests.money.channels.test_topups import ask, balance
from tests.money.members_book import publish


async def refund(till: Till, purchase_id: str, who: str = "cust1") -> tuple[int, Any]:
    status, _, body = await ask(till, who, "POST", f"/v1/member_purchases/{purchase_id}/refund", {})
    return status, body


async def code(till: Till, purchase_id: str) -> str:
    """`ok`, or why it is not given back."""
    return str((await refund(till, purchase_id))[1].get("code", "ok"))


async def levels(till: Till) -> None:
    """A purse of 1,000 yuan, and three levels."""
    await rich(till.db, ANN)
    for name, price in (("silver", 1_000), ("gold", 3_000), ("black", 6_000)):
        await publish(till.db, name, price_fen=price)


async def run_of(till: Till) -> Run:
    found = (await of(till.db, ANN)).run
    assert found is not None
    return found


async def members_coupon(till: Till) -> str:
    """A template that members of the line may take from."""
    made = await till.db.run(
        coupons.create_template, name={"zh-CN": "券", "en": "C"}, terms=coupons.Terms(amount_fen=500, valid_days=90),
        quota=99, per_account_max=99, claimable=True, members=coupons.Members(line="homeservice"), by_id="acc_opal",
    )  # fmt: skip
    return made.id


async def coupon_state(till: Till, coupon_id: str) -> str:
    return str(await till.value("SELECT state FROM coupons WHERE id = $1", coupon_id))


async def given_by(till: Till, purchase: MemberPurchase) -> str:
    return str(await till.value("SELECT coupon_id FROM member_coupons WHERE purchase_id = $1", purchase.id))


# What comes back


async def test_all_of_a_first_purchase_goes_back_and_there_is_no_membership(till: Till) -> None:
    await rich(till.db, ANN, 3_000)
    one, two = await template(till), await template(till)
    await publish(till.db, coupon_templates=(one, two))
    bought = await buy(till.db, ANN)
    await till.run()
    assert (await refund(till, bought.id, "ben"))[0] == 404
    till.clock.advance(hours=24 * 6 + 23)
    status, back = await refund(till, bought.id)
    assert (status, back["state"], back["refunded_at"]) == (200, "refunded", "2026-01-12T01:00:00.000Z")
    assert (await refund(till, bought.id))[1]["version"] == back["version"]  # once more moves nothing
    assert await balance(till, ledger.customer_wallet(ANN)) == 3_000
    assert await balance(till, ledger.revenue("membership")) == 0
    assert (await of(till.db, ANN)).state.value == "none"
    assert (await ask(till, "cust1", "GET", "/v1/memberships"))[2] == {"data": []}
    async with till.db.begin() as tx:
        assert await membership.rights(tx, ANN, "homeservice") is None
        left = [row[0] for row in await tx.fetch("SELECT issued FROM coupon_templates")]
        states = {row[0] for row in await tx.fetch("SELECT state FROM coupons")}
    assert (left, states) == ([0, 0], {"revoked"})  # and somebody else may have them
    last = (await heard(till, ANN))[-1]
    assert (last["verb"], last["state"], last["level"], last["ends_at"]) == (
        "forget", "none", "gold", "2026-01-12T01:00:00.000Z",
    )  # fmt: skip
    assert (await buy(till.db, ANN)).kind == "buy"
    assert await faults(till) == []


async def test_money_of_a_channel_goes_back_over_it(till: Till) -> None:
    await publish(till.db)
    bought, number = await over_wechat(till)
    await till.press(number)
    await till.deliver()
    await till.run()
    assert await code(till, bought) == "ok"
    assert await balance(till, ledger.refunding("wechat")) == 3_000
    await till.run()
    await till.deliver()
    await till.advance(minutes=10)
    assert await till.value("SELECT state FROM channel_refunds") == "done"
    assert await balance(till, ledger.revenue("membership")) == 0
    assert await faults(till) == []


@pytest.mark.parametrize("then", ["gold", "black"])
async def test_a_renewal_and_an_upgrade_leave_what_was_there_before(till: Till, then: str) -> None:
    """To the microsecond, and with its deadlines; an order of the former level stays as cheap as it was."""
    await levels(till)
    await buy(till.db, ANN, "gold")
    job = await till.town.post(ANN)
    till.clock.advance(seconds=86_400 * 9 + 0.123457)
    before = await of(till.db, ANN)
    bought = await buy(till.db, ANN, then)
    assert (await of(till.db, ANN)).run != before.run
    till.clock.advance(hours=50)
    assert await code(till, bought.id) == "ok"
    after = await of(till.db, ANN)
    assert (after.run, after.state) == (before.run, before.state)
    assert await balance(till, ledger.customer_wallet(ANN)) == 97_000
    assert (await till.town.job(job)).visit.member_fen == 4_000
    assert [one["verb"] for one in await heard(till, ANN)][-1] == "restore"
    assert await faults(till) == []
    till.clock.advance(seconds=(before.run.ends_at - till.clock.now()).total_seconds())  # type: ignore[union-attr]
    await till.run()
    assert (await of(till.db, ANN)).state.value == "expired"
    assert await faults(till) == []


async def test_a_renewal_given_back_after_the_old_end_leaves_what_is_over(till: Till) -> None:
    await levels(till)
    await buy(till.db, ANN)
    before = await run_of(till)
    till.clock.advance(seconds=(before.ends_at - till.clock.now()).total_seconds() - 60)
    renewal = await buy(till.db, ANN)
    till.clock.advance(minutes=2)
    assert (await of(till.db, ANN)).state.value == "active"
    assert await code(till, renewal.id) == "ok"
    after = await of(till.db, ANN)
    assert (after.state.value, after.run) == ("expired", before)
    fact = (await heard(till, ANN))[-1]
    assert (fact["verb"], fact["state"], fact["ends_at"]) == ("lapse", "expired", "2026-02-05T02:00:00.000Z")
    assert await faults(till) == []


async def test_one_bought_after_another_was_over_leaves_the_one_that_was(till: Till) -> None:
    await levels(till)
    await buy(till.db, ANN, "silver")
    before = await run_of(till)
    till.clock.advance(hours=24 * 60)
    again = await buy(till.db, ANN, "black")
    assert again.kind == "buy"
    assert await code(till, again.id) == "ok"
    after = await of(till.db, ANN)
    assert (after.state.value, after.run) == ("expired", before)
    assert await faults(till) == []


async def test_the_last_goes_back_first(till: Till) -> None:
    await levels(till)
    first, second, third = [await buy(till.db, ANN, one) for one in ("silver", "gold", "gold")]
    for early in (first, second):
        status, refused = await refund(till, early.id)
        assert (status, refused["code"], refused["purchase_id"]) == (409, "later_purchase", third.id)
    for one in (third, second, first):
        assert await code(till, one.id) == "ok"
    assert (await of(till.db, ANN)).state.value == "none"
    assert await balance(till, ledger.customer_wallet(ANN)) == 100_000
    assert await faults(till) == []


async def test_before_its_coupons_have_come_none_comes(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db, coupon_templates=(await template(till),))
    bought = await buy(till.db, ANN)
    assert (await state(till, bought.id), await code(till, bought.id)) == (("paid", None), "ok")
    await till.run()
    await till.db.run(actions.grant, {"purchase_id": bought.id})  # a job that had begun
    assert await till.value("SELECT count(*) FROM coupons") == 0
    assert await faults(till) == []


# What does not


async def test_every_state_of_a_purchase(till: Till) -> None:
    """Each of them asked once: what waits for money or was closed is not given back, what was is once."""
    await levels(till)
    found = {}
    waiting, _ = await over_wechat(till, "silver")
    found["created"] = await code(till, waiting)
    await till.db.run(membership.close, waiting, ANN)
    found["closed"] = await code(till, waiting)
    bought = await buy(till.db, ANN)
    found["paid"] = await code(till, bought.id)
    found["refunded"] = await code(till, bought.id)
    bought = await buy(till.db, ANN)
    await till.run()
    assert (await state(till, bought.id))[0] == "done"
    found["done"] = await code(till, bought.id)
    refused = "member_purchase_state"
    assert found == {"created": refused, "closed": refused, "paid": "ok", "refunded": "ok", "done": "ok"}
    assert await balance(till, ledger.customer_wallet(ANN)) == 100_000
    assert (await refund(till, "mem_01kcbs3t20ewxvqs1a5d9rm2f7"))[0] == 404
    assert await faults(till) == []


async def test_after_a_week_it_stays(till: Till) -> None:
    await levels(till)
    bought = await buy(till.db, ANN)
    shown = (await ask(till, "cust1", "GET", f"/v1/member_purchases/{bought.id}"))[2]
    assert shown["refundable_until"] == "2026-01-12T02:00:00.000Z"
    till.clock.advance(hours=24 * 7)
    status, refused = await refund(till, bought.id)
    assert (status, refused["code"], refused["until"]) == (422, "refund_window", "2026-01-12T02:00:00.000Z")
    again = await buy(till.db, ANN)
    async with till.db.begin() as tx:  # one of the time before it was written down what it stood on
        await tx.execute("UPDATE member_purchases SET membership_version = NULL, former = NULL")
    status, refused = await refund(till, again.id)
    assert (status, refused["code"], refused["until"]) == (422, "refund_window", None)
    assert await balance(till, ledger.customer_wallet(ANN)) == 94_000


@pytest.mark.parametrize("light", [False, True])
async def test_an_order_that_was_cheaper_by_it_keeps_it(till: Till, light: bool) -> None:
    """Though it is cancelled; and one that was cheaper by the level before is no use of this one."""
    await levels(till)
    first = await buy(till.db, ANN, "silver")
    await till.town.post(ANN)
    second = await buy(till.db, ANN, "gold")
    assert await code(till, second.id) == "ok"
    second = await buy(till.db, ANN, "gold")
    run = till.db.run_light if light else till.db.run
    job = await run(homeservice.post, till.town.rules, ANN, till.town.wanted())
    await till.town.by_customer(homeservice.cancel, job, "hm")
    status, refused = await refund(till, second.id)
    assert (status, refused["code"], refused["order_id"]) == (422, "benefit_used", job.order.id)
    assert await code(till, first.id) == "later_purchase"
    assert (await run_of(till)).level == "gold"
    assert await faults(till) == []


async def test_an_order_without_a_discount_uses_nothing(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db, discount_bps=0)
    bought = await buy(till.db, ANN)
    await till.town.post(ANN)
    assert await code(till, bought.id) == "ok"
    assert await faults(till) == []


async def test_a_renewal_that_holds_an_older_price_is_used(till: Till) -> None:
    """The order was posted under the run before, and is chosen after its end at the discount that the renewal keeps."""
    await levels(till)
    await buy(till.db, ANN)
    ends_at = (await run_of(till)).ends_at
    till.clock.advance(seconds=(ends_at - till.clock.now()).total_seconds() - 60)
    tech = await till.town.newcomer(work_from_min=0, work_to_min=1440)
    job = await till.town.post(ANN)
    grab = await till.town.grab(job, tech)
    renewal = await buy(till.db, ANN)
    till.clock.advance(minutes=2)
    job = await till.town.choose(job, grab)
    assert job.visit.member_fen == 4_000
    assert await code(till, renewal.id) == "benefit_used"
    assert await faults(till) == []


async def test_a_coupon_of_it_that_was_used_keeps_it_and_one_that_is_held_for_now(till: Till) -> None:
    await rich(till.db, ANN)
    await publish(till.db, discount_bps=0, coupon_templates=(await template(till),))
    bought = await buy(till.db, ANN)
    await till.run()
    coupon_id = await given_by(till, bought)
    job = await till.town.post(ANN, coupon_id=coupon_id)
    assert await code(till, bought.id) == "coupon_locked"
    tech = await till.town.technician()
    await till.town.pay(await till.town.choose(job, await till.town.grab(job, tech)))
    status, refused = await refund(till, bought.id)
    assert (status, refused["code"], refused["coupon_id"]) == (422, "benefit_used", coupon_id)
    assert (await of(till.db, ANN)).state.value == "active"
    assert await faults(till) == []


@pytest.mark.parametrize("used", [False, True])
async def test_what_was_taken_as_a_member_goes_with_it(till: Till, used: bool) -> None:
    """One taken before this purchase stays; one that everybody may take too."""
    await rich(till.db, ANN)
    await publish(till.db, discount_bps=0)
    await buy(till.db, ANN)
    mine, free = await members_coupon(till), await template(till)
    early = (await till.db.run(claims.claim, mine, ANN)).coupon.id
    till.clock.advance(hours=1)
    bought = await buy(till.db, ANN)
    taken, other = [(await till.db.run(claims.claim, one, ANN)).coupon.id for one in (mine, free)]
    if used:
        job = await till.town.post(ANN, coupon_id=taken)
        tech = await till.town.technician()
        await till.town.pay(await till.town.choose(job, await till.town.grab(job, tech)))
    assert await code(till, bought.id) == ("benefit_used" if used else "ok")
    states = [await coupon_state(till, one) for one in (early, taken, other)]
    assert states == ["issued", "used" if used else "revoked", "issued"]
    assert await faults(till) == []


# At once


async def settled(work: list[Any]) -> list[str]:
    """What each came to: an error's code, or the name of what came back."""
    found = await asyncio.gather(*work, return_exceptions=True)
    assert all(not isinstance(one, BaseException) or isinstance(one, HubError) for one in found), found
    return [one.code if isinstance(one, HubError) else type(one).__name__ for one in found]


USED = """SELECT count(*) FROM member_uses u JOIN member_purchases p ON p.membership_version = u.membership_version
           WHERE p.id = $1"""
"""How many orders were cheaper by what this purchase had made of the membership."""


@pytest.mark.parametrize("use", ["order", "light order", "order with a coupon", "coupon"])
async def test_used_and_given_back_at_once_one_wins(till: Till, use: str) -> None:
    """Sixteen at a time on connections of their own: eight use what was bought, eight give it back."""
    await rich(till.db, ANN, 1_000_000)
    made = await template(till, quota=99, per_account_max=99)
    await publish(till.db, discount_bps=0 if use == "coupon" else 1_000, coupon_templates=(made,))
    won = []
    for n in range(6):
        bought = await buy(till.db, ANN)
        await till.run()
        coupon_id = await given_by(till, bought)
        wanted = till.town.wanted(coupon_id=coupon_id if "coupon" in use else None)
        run = till.db.run_light if use == "light order" else till.db.run
        uses = [run(homeservice.post, till.town.rules, ANN, wanted) for _ in range(8)]
        backs = [till.db.run(membership.give_back, bought.id, ANN) for _ in range(8)]
        came = await settled([*uses, *backs] if n % 2 else [*backs, *uses])
        is_back = (await state(till, bought.id))[0] == "refunded"
        cheaper = await till.value(USED, bought.id)
        held = await till.value("SELECT count(*) FROM homeservice_orders WHERE coupon_id = $1", coupon_id)
        assert is_back == ("MemberPurchase" in came), came
        if use == "coupon":
            assert (is_back, await coupon_state(till, coupon_id)) == (held == 0, "revoked" if is_back else "locked")
        else:
            assert is_back == (cheaper == 0), came
        assert await faults(till) == []
        won.append("back" if is_back else "used")
    print(f"won: {won}")


async def test_given_back_sixteen_times_at_once_moves_once(till: Till) -> None:
    await levels(till)
    bought = await buy(till.db, ANN)
    came = await settled([till.db.run(membership.give_back, bought.id, ANN) for _ in range(16)])
    assert set(came) == {"MemberPurchase"}
    assert await balance(till, ledger.customer_wallet(ANN)) == 100_000
    assert [one["verb"] for one in await heard(till, ANN)] == ["buy", "forget"]
    assert await faults(till) == []


async def test_a_renewal_given_back_at_the_old_end_while_deadlines_fire(till: Till) -> None:
    """The old end's deadline had been moved; given back at that instant it is over, whoever says so."""
    await rich(till.db, ANN, 1_000_000)
    await publish(till.db)
    for late_s in (-1, 0, 1) * 2:
        await buy(till.db, ANN)
        before = await of(till.db, ANN)
        assert before.run is not None
        till.clock.advance(seconds=(before.run.ends_at - till.clock.now()).total_seconds() - 60)
        renewal = await buy(till.db, ANN)
        till.clock.advance(seconds=60 + late_s)
        payload = {"membership_id": before.id}
        await settled([
            *(till.db.run(actions.expire, payload) for _ in range(8)),
            *(till.db.run(membership.give_back, renewal.id, ANN) for _ in range(8)),
        ])  # fmt: skip
        after = await of(till.db, ANN)
        assert (await state(till, renewal.id))[0] == "refunded"
        assert (after.run, after.state.value) == (before.run, "active" if late_s < 0 else "expired")
        till.clock.advance(hours=24 * 40)
        assert await faults(till) == []


async def test_given_back_bought_again_and_granted_at_once(till: Till) -> None:
    """Whatever comes first: what is there is what the purchases that are kept have made of it."""
    await rich(till.db, ANN, 1_000_000)
    made, mine = await template(till, quota=99, per_account_max=99), await members_coupon(till)
    await publish(till.db, coupon_templates=(made,))
    for _ in range(4):
        bought = await buy(till.db, ANN)
        await settled([
            *(till.db.run(membership.give_back, bought.id, ANN) for _ in range(5)),
            *(till.db.run(claims.claim, mine, ANN) for _ in range(4)),
            *(till.db.run(actions.grant, {"purchase_id": bought.id}) for _ in range(5)),
            *(buy(till.db, ANN) for _ in range(2)),
        ])  # fmt: skip
        assert await faults(till) == []
        till.clock.advance(hours=24 * 8)
    assert MONDAY + timedelta(days=32) == till.clock.now()


async def test_whoever_looked_before_it_was_given_back_posts_at_the_full_price(till: Till) -> None:
    """The post has read the discount and is held up; by the time it writes there is no membership."""
    await levels(till)
    bought = await buy(till.db, ANN)
    async with till.db.begin() as tx:
        await membership.give_back(tx, bought.id, ANN)
        posting = asyncio.create_task(till.db.run_light(homeservice.post, till.town.rules, ANN, till.town.wanted()))
        await asyncio.sleep(0.1)
        assert not posting.done()
    assert (await posting).visit.member_fen == 0
    assert await answer(till.db.run(membership.give_back, bought.id, ANN)) == "refunded"
    assert await faults(till) == []
