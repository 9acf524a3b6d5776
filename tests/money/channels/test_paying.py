"""From an order to its money over a channel, and everything that may come between."""

from __future__ import annotations

import pytest

from rest.money import channels as channels_domain
from rest.money import ledger, payments
from tests.homeservice.conftest import PRICES
from tests.homeservice.test_pool import refused
from tests.money.channels.conftest import BOTH, Till, pay_over

both = pytest.mark.parametrize("channel", BOTH)
KEY = {"Idempotency-Key": "key-pay-000000001"}
OTHER_KEY = {"Idempotency-Key": "key-pay-000000002"}


async def over_http(till: Till, order_id: str, body: dict[str, str], headers: dict[str, str] = KEY) -> tuple[int, dict]:
    me = till.client.as_("cust1")
    status, _, answer = await me.send("POST", f"/v1/orders/{order_id}/pay", json=body, headers=headers)
    return status, answer


async def payment(till: Till, order_id: str) -> dict:
    return (await till.client.as_("cust1").send("GET", f"/v1/orders/{order_id}/payment"))[2]


async def my_order(till: Till) -> str:
    """An order of the customer whose token is `cust1`, with a technician locked."""
    tech = await till.town.technician()
    job = await till.town.post("acc_cust1")
    await till.town.choose(job, await till.town.grab(job, tech))
    return str(job.order.id)


@both
async def test_a_customer_pays_over_http(till: Till, channel: str) -> None:
    """The whole way: pay, read how, press pay at the channel, news, paid."""
    order_id = await my_order(till)
    me = till.client.as_("cust1")
    assert (await me.send("GET", f"/v1/orders/{order_id}/payment"))[0] == 404
    status, order = await over_http(till, order_id, {"method": channel})
    assert (status, order["status"]) == (200, "pending_payment")
    begun = await payment(till, order_id)
    assert (begun["state"], begun["method"], begun["params"]) == ("created", channel, None)
    await till.run()
    ready = await payment(till, order_id)
    assert ready["params"]["kind"] == "code"
    told = await till.town.heard("customer:acc_cust1", "payment.ready")
    assert [(fact["payment_id"], fact["params"]) for fact in told] == [(ready["payment_id"], ready["params"])]
    assert (await till.client.as_("ben").send("GET", f"/v1/orders/{order_id}/payment"))[0] == 404

    await till.press(ready["payment_id"], channel=channel)
    assert await till.deliver() == [200]
    await till.run()
    assert (await me.send("GET", f"/v1/orders/{order_id}"))[2]["status"] == "paid"
    assert (await payment(till, order_id))["state"] == "paid"
    assert (await payment(till, order_id))["params"] is None
    assert await till.town.faults() == []


async def test_a_payer_in_the_app_gets_a_call_and_a_double_tap_is_one_attempt(till: Till) -> None:
    order_id = await my_order(till)
    await over_http(till, order_id, {"method": "wechat", "payer": "oHkLxtx0vUqe"})
    await over_http(till, order_id, {"method": "wechat", "payer": "oHkLxtx0vUqe"}, OTHER_KEY)
    await till.run()
    shown = await payment(till, order_id)
    assert set(shown["params"]) == {"kind", "appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert till.sim.bank.asked["wechat"] == 1
    assert (await over_http(till, order_id, {"method": "wechat", "payer": "a b"}, OTHER_KEY))[0] == 400


async def test_another_payer_is_another_attempt(till: Till) -> None:
    """The channel would refuse other parameters under the same number."""
    job = await till.chosen()
    first = await till.begin(job, "wechat", payer="ann")
    await till.run()
    second = await till.begin(job, "wechat", payer="ben")
    await till.run()
    assert first != second
    assert [(await till.trade(number))["state"] for number in (first, second)] == ["closed", "waiting"]
    assert [await till.attempt(number) for number in (first, second)] == ["closed", "ready"]


async def test_without_a_lock_nothing_is_begun(till: Till) -> None:
    job = await till.town.post()
    assert await refused(till.town.by_customer(pay_over("wechat"), job)) == "invalid_state"
    job = await till.chosen()
    till.clock.advance(minutes=3)
    assert await refused(till.town.by_customer(pay_over("wechat"), job)) == "invalid_state"
    assert await till.value("SELECT count(*) FROM payments") == 0


@both
async def test_an_answer_that_is_lost_is_asked_for_again(till: Till, channel: str) -> None:
    """The channel has opened the trade, and its answer never came: the same number again is the same trade."""
    job = await till.chosen()
    await till.control("POST", "faults", **{f"{channel}.lose": 1, f"{channel}.error": 1})
    number = await till.begin(job, channel)
    await till.run()
    assert await till.attempt(number) == "asking"
    for _ in range(2):
        await till.advance(seconds=4)
    assert await till.attempt(number) == "ready"
    assert len(till.sim.bank.trades) == 1


@both
async def test_a_refused_payment_asks_support_and_another_way_is_open(till: Till, channel: str) -> None:
    job = await till.chosen(fen=100_000)
    await till.control("POST", "faults", **{f"{channel}.refuse": 1})
    number = await till.begin(job, channel)
    await till.run()
    assert (await till.states(job), await till.attempt(number)) == (["failed"], "refused")
    assert await till.town.open_cases(job) == {"payment_failed": "queue"}
    assert (await till.town.pay(job)).order.status == "paid"


@both
async def test_an_unpaid_attempt_is_closed_at_its_channel_when_the_lock_ends(till: Till, channel: str) -> None:
    job, number = await till.ready(channel)
    await till.advance(minutes=3)
    assert (await till.status(job), await till.states(job)) == ("in_pool", ["closed"])
    assert (await till.attempt(number), (await till.trade(number))["state"]) == ("closed", "closed")
    assert (await till.press(number, channel=channel)) == {"code": "NOT_PAYABLE"}


@both
async def test_money_found_while_closing_is_late_and_good_while_the_technician_is_free(
    till: Till, channel: str
) -> None:
    """HS-088: paid in the last moment, its news delayed; the query before the close finds it."""
    job, number = await till.ready(channel)
    till.clock.advance(seconds=179)
    await till.press(number, channel=channel)
    await till.advance(seconds=1)
    assert (await till.status(job), await till.states(job)) == ("paid", ["paid"])
    assert [event.verb for event in await till.town.events(job)][-2:] == ["unbind", "pay_late"]
    assert await till.deliver() == [200]
    await till.run()
    assert await till.balances(channel) == (-40_900, 0, 0)
    assert await till.town.faults() == []


@both
async def test_late_money_goes_back_over_its_channel_when_the_technician_is_taken(till: Till, channel: str) -> None:
    """HS-058, HS-150: the payer's bank was slow; a second customer has the technician meanwhile."""
    job, number = await till.ready(channel)
    await till.press(number, "pay_late", channel=channel, after_s=400)
    await till.town.fresh()
    await till.advance(minutes=3)
    assert (await till.status(job), await till.attempt(number)) == ("in_pool", "closing")
    other = await till.town.post(item_id="itm_cleaning")
    tech = till.town.technicians[0]
    other = await till.town.choose(other, await till.town.grab(other, tech))
    await till.town.pay(other)
    await till.advance(seconds=300)
    await till.deliver()
    await till.advance(seconds=1)
    assert (await till.states(job), await till.town.wallet(job.order.customer_id)) == (["refunded"], 0)
    assert (await till.trade(number))["refunded_fen"] == 40_900
    assert await till.balances(channel) == (0, 0, 0)
    assert await till.town.balance(ledger.unapplied(job.order.customer_id)) == 0


async def test_both_attempts_of_one_order_succeed(till: Till) -> None:
    """D1: paid by WeChat and by Alipay; one pays the order, the other goes back by itself."""
    job, wechat = await till.ready("wechat")
    await till.press(wechat, "pay_late", after_s=30)
    alipay = await till.begin(job, "alipay")
    await till.run()
    await till.press(alipay, channel="alipay")
    await till.deliver()
    await till.run()
    assert (await till.status(job), sorted(await till.states(job))) == ("paid", ["closed", "paid"])
    await till.advance(seconds=31)
    await till.deliver()
    await till.advance(seconds=120)
    assert sorted(await till.states(job)) == ["paid", "refunded"]
    assert await till.balances("wechat") == (0, 0, 0)
    assert await till.balances("alipay") == (-40_900, 0, 0)
    assert (await till.trade(wechat))["refunded_fen"] == 40_900
    assert (await till.trade(alipay))["refunded_fen"] == 0


async def test_paying_by_wallet_instead_closes_the_attempt(till: Till) -> None:
    job = await till.chosen(fen=100_000)
    number = await till.begin(job, "wechat")
    await till.run()
    assert (await till.town.pay(job)).order.status == "paid"
    await till.run()
    assert (await till.trade(number))["state"] == "closed"
    assert sorted(await till.states(job)) == ["closed", "paid"]


async def test_an_attempt_whose_answer_comes_after_it_was_let_go_is_closed_all_the_same(till: Till) -> None:
    """The prepay and the close of one attempt may cross."""
    job = await till.chosen()
    number = await till.begin(job, "wechat")
    async with till.db.begin() as tx:
        await channels_domain.actions.let_go(tx, number)
    await till.run()
    assert await till.attempt(number) == "closed"  # the channel knew nothing yet
    answer = await till.channels.get("wechat").prepay(await wanted(till, number))
    assert (await till.trade(number))["state"] == "waiting"
    async with till.db.begin() as tx:
        await channels_domain.actions.answer(tx, number, answer)
    await till.run()
    assert (await till.trade(number))["state"] == "closed"


async def wanted(till: Till, number: str) -> channels_domain.model.Prepay:
    from rest.money.channels import store

    async with till.db.begin() as tx:
        attempt = await store.read_attempt(tx, number)
    assert attempt is not None
    return channels_domain.model.Prepay(
        out_trade_no=number, amount_fen=attempt.amount_fen, description=attempt.description,
        expires_at=attempt.expires_at, payer=None,
    )  # fmt: skip


async def test_a_code_nobody_scanned_is_looked_at_once_more_after_its_end(till: Till) -> None:
    """Alipay knows no trade before the code is scanned, so there is nothing to close yet."""
    job, number = await till.ready("alipay")
    trade = till.sim.bank.trades.pop(("alipay", number))
    async with till.db.begin() as tx:
        await payments.close_open(tx, job.order.id, "test")
    await till.run()
    assert await till.attempt(number) == "closed"
    till.sim.bank.trades["alipay", number] = trade
    await till.press(number, channel="alipay")
    await till.advance(minutes=5)
    assert await till.attempt(number) == "paid"
    assert await till.outcomes() == ["passed_on"]


async def test_what_the_customer_is_asked_for_is_what_the_order_costs(till: Till) -> None:
    job, number = await till.ready("alipay")
    trade = await till.trade(number)
    assert trade["amount_fen"] == job.order.total_fen == PRICES["itm_massage"] + 900
    assert job.order.no in trade["description"]
