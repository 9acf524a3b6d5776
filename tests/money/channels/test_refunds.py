"""Money on its way back over a channel: once, by one number, and to a person when it does not get through (HS-150)."""

from __future__ import annotations

from typing import Any

import pytest

from rest.lines.homeservice import actions
from rest.money import payments
from tests.money.channels.conftest import BOTH, Till

both = pytest.mark.parametrize("channel", BOTH)


async def cancelled(till: Till, channel: str) -> str:
    """A paid order whose customer gets all of it back; the channel's number. Nothing of it is asked for yet."""
    job, number = await till.ready(channel)
    await till.press(number, channel=channel)
    await till.deliver()
    await till.run()
    await till.town.by_customer(actions.cancel, job, "changed my mind")
    await till.town.db.run(actions.decide_cancel, job.order.id, "acc_staff", saved=False, note="ok")
    return number


async def leg(till: Till) -> Any:
    async with till.db.begin() as tx:
        return await tx.fetchrow("SELECT id, state, failures, problem FROM channel_refunds")


@both
async def test_a_cancelled_order_is_paid_back_over_its_channel(till: Till, channel: str) -> None:
    number = await cancelled(till, channel)
    assert await till.balances(channel) == (-40_900, 40_900, 0)
    await till.run()
    assert (await till.trade(number))["refunded_fen"] == 40_900
    assert (await leg(till))["state"] == "done"
    assert await till.balances(channel) == (0, 0, 0)
    assert await till.deliver() == [200]
    await till.run()
    assert await till.outcomes() == ["passed_on", "refund_done"]
    assert await till.balances(channel) == (0, 0, 0)
    assert await till.town.faults() == []


@both
async def test_a_lost_answer_gives_back_once(till: Till, channel: str) -> None:
    """The refund was done and its answer lost: asked again by the same number, nothing more is given."""
    number = await cancelled(till, channel)
    await till.control("POST", "faults", **{f"{channel}.lose": 1})
    await till.run()
    assert (await leg(till))["state"] == "requested"
    await till.advance(seconds=60)
    await till.advance(seconds=60)
    assert (await leg(till))["state"] == "done"
    assert (await till.trade(number))["refunded_fen"] == 40_900
    assert len(till.sim.bank.trades[channel, number].refunds) == 1
    assert await till.balances(channel) == (0, 0, 0)


@both
async def test_after_three_failures_a_person_has_it_asked_for_again(till: Till, channel: str) -> None:
    number = await cancelled(till, channel)
    await till.control("POST", "faults", **{f"{channel}.refuse": 3})
    await till.run()
    for wait_s in (59, 1, 599, 1):
        await till.advance(seconds=wait_s)
    failed = await leg(till)
    assert (failed["state"], failed["failures"]) == ("manual", 3)
    fay = till.client.as_("fay")
    (shown,) = (await fay.send("GET", "/v1/admin/channel_refunds"))[2]["data"]
    assert (shown["id"], shown["payment_id"], shown["amount"]["amount"]) == (failed["id"], number, 40_900)
    path = f"/v1/admin/channel_refunds/{failed['id']}/retry"
    assert (await till.client.as_("ben").send("POST", path))[0] == 403
    assert (await fay.send("POST", "/v1/admin/channel_refunds/rfd_x/retry"))[0] == 404
    assert (await fay.send("POST", path))[0] == 200
    await till.run()
    assert (await leg(till))["state"] == "done"
    assert (await fay.send("POST", path))[2]["code"] == "channel_state"
    assert (await fay.send("GET", "/v1/admin/channel_refunds"))[2]["data"] == []
    assert await till.balances(channel) == (0, 0, 0)


@both
@pytest.mark.parametrize("hears", [True, False])
async def test_a_refund_that_takes_its_time(till: Till, channel: str, hears: bool) -> None:
    """Accepted is not done: its news ends it, or the question after it."""
    number = await cancelled(till, channel)
    await till.control("POST", "faults", slow_refunds=True)
    await till.run()
    refund_id = (await leg(till))["id"]
    assert (await leg(till))["state"] == "accepted"
    await till.advance(seconds=60)
    assert await till.balances(channel) == (-40_900, 40_900, 0)
    await till.press(number, "finish_refund", channel=channel, refund=refund_id)
    if hears:
        assert await till.deliver() == [200]
    else:
        await till.advance(seconds=300)
    assert ((await leg(till))["state"], await till.balances(channel)) == ("done", (0, 0, 0))


@both
async def test_news_of_a_refund_nobody_asked_for_is_an_alarm(till: Till, channel: str) -> None:
    number = await cancelled(till, channel)
    await till.run()
    trade = till.sim.bank.trades[channel, number]
    refund = next(iter(trade.refunds.values()))
    refund.number = "rfd_unknown"
    trade.refunds = {"rfd_unknown": refund}
    for news in till.sim.bank.news.values():
        news.refund = news.refund and "rfd_unknown"
    assert await till.deliver() == [200]
    assert await till.outcomes() == ["passed_on", "wrong_refund"]


async def test_refunds_of_a_part_go_one_by_one_and_never_exceed_what_came(till: Till) -> None:
    job, number = await till.ready("alipay")
    await till.press(number, channel="alipay")
    await till.deliver()
    await till.run()
    async with till.db.begin() as tx:
        for n, fen in enumerate((1, 20_000, 20_899)):
            await payments.refund(tx, number, fen, ref=f"part:{n}", reason="test")
        with pytest.raises(payments.WrongPaymentState):
            await payments.refund(tx, number, 1, ref="part:3", reason="test")
    await till.run()
    trade = till.sim.bank.trades["alipay", number]
    assert (trade.refunded_fen, sorted(refund.amount_fen for refund in trade.refunds.values())) == (
        40_900,
        [1, 20_000, 20_899],
    )
    assert await till.balances("alipay") == (0, 0, 0)
    assert job.order.id
