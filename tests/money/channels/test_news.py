"""Notifications as they really come: twice, late, out of order, broken, replayed, about nothing of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rest.money import ledger
from tests.homeservice.test_pool import refused
from tests.money.channels.conftest import BOTH, Till

both = pytest.mark.parametrize("channel", BOTH)


@both
async def test_the_order_is_paid_by_the_news(till: Till, channel: str) -> None:
    job, number = await till.ready(channel)
    await till.press(number, channel=channel)
    assert await till.status(job) == "pending_payment"
    assert await till.deliver() == [200]
    await till.run()
    assert (await till.status(job), await till.states(job)) == ("paid", ["paid"])
    assert await till.balances(channel) == (-40_900, 0, 0)
    assert (await till.outcomes(), await till.attempt(number)) == (["passed_on"], "paid")
    assert await till.town.faults() == []


@both
async def test_eight_times_in_any_order_is_once(till: Till, channel: str) -> None:
    """HS-147; G2: two orders' news, eight times each, mixed, some at the same moment."""
    first, one = await till.ready(channel)
    second, two = await till.ready(channel)
    for number in (one, two):
        await till.press(number, channel=channel)
    ids = await till.owed()
    answers = await till.deliver(*(ids[n % 2] for n in (1, 0, 0, 1, 1, 0)))
    await till.run()
    answers += [status for some in await asyncio.gather(*(till.deliver(*ids) for _ in range(5))) for status in some]
    await till.run()
    assert answers == [200] * 16
    assert [await till.status(job) for job in (first, second)] == ["paid", "paid"]
    assert await till.balances(channel) == (-81_800, 0, 0)
    assert await till.outcomes() == ["passed_on", "passed_on"]


@both
async def test_other_news_of_the_same_money_books_nothing(till: Till, channel: str) -> None:
    """Channels may give one payment several notification numbers."""
    job, number = await till.ready(channel)
    await till.press(number, channel=channel)
    trade = till.sim.bank.trades[channel, number]
    for _ in range(3):
        till.sim.bank.owe(trade)
    assert await till.deliver() == [200] * 4
    await till.run()
    assert await till.outcomes() == ["passed_on", "repeated", "repeated", "repeated"]
    assert (await till.status(job), await till.balances(channel)) == ("paid", (-40_900, 0, 0))


@pytest.mark.parametrize(
    ("channel", "fault"),
    [("wechat", "corrupt"), ("wechat", "probe"), ("wechat", "old"), ("alipay", "corrupt"), ("alipay", "probe")],
)
async def test_what_is_not_signed_has_no_effect_and_is_told_so(till: Till, channel: str, fault: str) -> None:
    job, number = await till.ready(channel)
    await till.press(number, channel=channel)
    status = {"wechat": 401, "alipay": 400}[channel]
    assert await till.deliver(fault=fault) == [status]
    await till.run()
    assert (await till.status(job), await till.outcomes()) == ("pending_payment", [])
    assert await till.deliver() == [200]
    await till.run()
    assert await till.status(job) == "paid"


async def test_the_same_signed_message_is_taken_once(till: Till) -> None:
    """A nonce that was used before is somebody else's copy; the channel itself signs anew each time."""
    _, number = await till.ready("wechat")
    await till.press(number)
    (news,) = await till.owed()
    assert await till.deliver(news) == [200]
    assert await till.deliver(news, fault="replay") == [401]
    assert await till.deliver(news) == [200]
    assert await till.outcomes() == ["passed_on"]


async def test_nonces_are_forgotten_when_their_time_is_no_longer_believed(till: Till) -> None:
    from rest.money.channels import jobs

    _, number = await till.ready("wechat")
    await till.press(number)
    await till.deliver()
    await till.db.run(jobs.purge, {})
    assert await till.value("SELECT count(*) FROM channel_nonces") == 1
    till.clock.advance(minutes=16)
    await till.db.run(jobs.purge, {})
    assert await till.value("SELECT count(*) FROM channel_nonces") == 0


WRONG = {
    "amount": ({"wechat": {"amount": {"total": 40_899}}, "alipay": {"total_amount": "408.99"}}, "wrong_amount", 40_899),
    "currency": ({"wechat": {"amount": {"currency": "HKD"}}, "alipay": {"trans_currency": "HKD"}}, "wrong_currency", 0),
    "merchant": ({"wechat": {"mchid": "1900000099"}, "alipay": {"seller_id": "2088999"}}, "wrong_merchant", 0),
    "application": ({"wechat": {"appid": "wx9"}, "alipay": {"app_id": "9"}}, "wrong_merchant", 0),
    "order": ({"wechat": {"out_trade_no": "pay_x"}, "alipay": {"out_trade_no": "pay_x"}}, "unknown_order", 40_900),
    "odd order": ({"wechat": {"out_trade_no": "支\0" * 9}, "alipay": {"out_trade_no": "é"}}, "unknown_order", 40_900),
}  # fmt: skip


@both
@pytest.mark.parametrize("what", WRONG)
async def test_what_is_not_exactly_ours_never_confirms(till: Till, channel: str, what: str) -> None:
    """D2; I13: money that came is in suspense, and finance sees it."""
    told, outcome, parked = WRONG[what]
    job, number = await till.ready(channel)
    await till.press(number, channel=channel, told=told[channel])
    assert await till.deliver() == [200]
    assert await till.deliver(*till.sim.bank.news) == [200]
    await till.run()
    assert (await till.status(job), await till.outcomes()) == ("pending_payment", [outcome])
    assert await till.balances(channel) == (-parked, 0, parked)
    _, _, page = await till.client.as_("fay").send("GET", "/v1/admin/channel_alarms")
    (alarm,) = page["data"]
    assert (alarm["outcome"], alarm["in_suspense"], alarm["channel"]) == (outcome, bool(parked), channel)
    assert await till.town.faults() == []


@both
async def test_more_money_than_asked_is_parked_whole(till: Till, channel: str) -> None:
    job, number = await till.ready(channel)
    await till.press(number, channel=channel, amount_fen=50_000)
    await till.deliver()
    await till.run()
    assert (await till.status(job), await till.balances(channel)) == ("pending_payment", (-50_000, 0, 50_000))


async def test_money_in_suspense_is_not_booked_again_when_the_news_is_put_right(till: Till) -> None:
    """I12: one trade of the channel is one movement, whatever else is said about it later."""
    job, number = await till.ready("wechat")
    await till.press(number, told={"amount": {"total": 1}})
    await till.deliver()
    trade = till.sim.bank.trades["wechat", number]
    trade.told = {}
    till.sim.bank.owe(trade)
    assert await till.deliver() == [200]
    await till.run()
    assert (await till.status(job), await till.outcomes()) == ("pending_payment", ["repeated", "wrong_amount"])
    assert await till.balances() == (-1, 0, 1)


async def test_a_second_money_for_one_number_is_parked(till: Till) -> None:
    job, number = await till.ready("wechat")
    await till.press(number)
    await till.deliver()
    trade = till.sim.bank.trades["wechat", number]
    trade.trade_no = "4200999"
    till.sim.bank.owe(trade)
    await till.deliver()
    await till.run()
    assert (await till.status(job), await till.outcomes()) == ("paid", ["passed_on", "second_money"])
    assert await till.balances() == (-81_800, 0, 40_900)


@both
async def test_news_that_nothing_was_paid_is_noted(till: Till, channel: str) -> None:
    told = {"wechat": {"trade_state": "CLOSED"}, "alipay": {"trade_status": "TRADE_CLOSED"}}[channel]
    job, number = await till.ready(channel)
    await till.press(number, channel=channel, told=told)
    assert await till.deliver() == [200]
    await till.run()
    assert (await till.status(job), await till.outcomes()) == ("pending_payment", ["noted"])
    assert await till.balances(channel) == (0, 0, 0)


@both
async def test_news_that_never_comes_is_asked_for(till: Till, channel: str) -> None:
    job, number = await till.ready(channel)
    await till.press(number, channel=channel)
    await till.advance(seconds=14)
    assert await till.status(job) == "pending_payment"
    await till.advance(seconds=1)
    assert (await till.status(job), await till.outcomes()) == ("paid", ["passed_on"])
    assert await till.deliver() == [200]
    await till.run()
    assert await till.outcomes() == ["passed_on", "repeated"]
    assert await till.balances(channel) == (-40_900, 0, 0)


async def test_who_may_see_alarms_and_that_they_come_in_pages(till: Till) -> None:
    for who, status in ((None, 401), ("sue", 403), ("ben", 403), ("fay", 200)):
        for path in ("channel_alarms", "channel_refunds"):
            assert (await till.client.as_(who).send("GET", f"/v1/admin/{path}"))[0] == status
    numbers = []
    for _ in range(5):
        _, number = await till.ready("wechat")
        await till.press(number, told={"out_trade_no": f"gone_{number[-8:]}"})
        await till.deliver()
    path: str | None = "/v1/admin/channel_alarms?limit=2"
    while path:
        _, _, page = await till.client.as_("fay").send("GET", path)
        numbers += [alarm["id"] for alarm in page["data"]]
        path = f"/v1/admin/channel_alarms?limit=2&cursor={page['next_cursor']}" if page["has_more"] else None
    assert (numbers, len(set(numbers))) == (sorted(numbers, reverse=True), 5)


@pytest.mark.parametrize("channel", [*BOTH, "cash"])
async def test_strange_bodies_are_refused_and_kept_nowhere(till: Till, channel: str) -> None:
    for raw in (b"", b"{}", b"\x00" * 100, b"a=1&b=2", b"[" * 5000, b'{"id": 1, "resource": []}'):
        status, _, answer = await till.client.send("POST", f"/v1/notify/{channel}", data=raw)
        wanted: Any = {"wechat": 401, "alipay": 200, "cash": 404}[channel]
        assert status == wanted
        if channel == "wechat":
            assert (answer["code"], answer["message"]) == ("bad_signature", "bad signature")
        if channel == "alipay":
            assert answer == b"fail"
    assert await till.outcomes() == []


async def test_a_body_beyond_64_kib_is_not_read_as_news(till: Till) -> None:
    status, _, problem = await till.client.send("POST", "/v1/notify/wechat", data=b"x" * 65_537)
    assert (status, problem["code"]) == (413, "payload_too_large")


async def test_a_method_that_is_not_set_up_is_not_available(till: Till) -> None:
    from rest.lines.homeservice import actions

    job = await till.chosen()
    assert await refused(till.town.by_customer(actions.pay, job, "wechat")) == "method_unavailable"
    assert await till.town.balance(ledger.escrow(job.order.id)) == 0
