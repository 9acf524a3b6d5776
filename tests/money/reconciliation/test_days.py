"""A day of a channel and the morning after it, over the simulator: what agrees, and every way in which it does not."""

from __future__ import annotations

from typing import Any

import pytest

from rest.money import ledger, payments
from tests.money.channels.conftest import BOTH, Till
from tests.money.reconciliation.conftest import differences, morning, paid, proven, runs, topped_up

both = pytest.mark.parametrize("channel", BOTH)


async def spoil(till: Till, channel: str, number: str, fault: str) -> None:
    await till.control("POST", "bills", lines=[{"channel": channel, "number": number, "fault": fault}])


async def only(till: Till, channel: str) -> tuple[Any, list[Any]]:
    """The channel's one day and its differences."""
    (run,) = await runs(till, channel=channel)
    return run, await differences(till, run)


@both
async def test_a_day_that_agrees(till: Till, channel: str) -> None:
    number = await paid(till, channel)
    async with till.db.begin() as tx:
        await payments.refund(tx, number, 900, ref="part", reason="test")
    await till.run()
    await morning(till)
    run, found = await only(till, channel)
    assert (run["state"], run["lines"], found) == ("balanced", 2, [])
    assert (run["bill_paid"]["amount"], run["bill_refunded"]["amount"], run["fee"]["amount"]) == (40_900, 900, 240)
    assert (run["book_paid"], run["book_refunded"]) == (run["bill_paid"], run["bill_refunded"])
    async with till.db.begin() as tx:
        assert await ledger.balance(tx, ledger.channel_fee(channel)) == -240
        assert await ledger.balance(tx, ledger.clearing(channel)) == -40_000 + 240
        assert await ledger.verify(tx) == []
    other = next(name for name in BOTH if name != channel)
    (idle,) = await runs(till, channel=other)
    assert idle["state"] == "balanced"


EXPECTED = {
    "missing": ("extra", "open", None),
    "amount": ("amount", "resolved", "suspended"),
    "fee": ("fee", "resolved", "booked"),
    "twice": ("duplicate", "open", None),
    "merchant": ("wrong_merchant", "open", None),
}


@both
@pytest.mark.parametrize("fault", EXPECTED)
async def test_one_thing_amiss_is_found_and_nothing_else(till: Till, channel: str, fault: str) -> None:
    await paid(till, channel)
    number = await paid(till, channel)
    await spoil(till, channel, number, fault)
    await morning(till)
    run, (found,) = await only(till, channel)
    kind, state, resolution = EXPECTED[fault]
    assert (found["kind"], found["state"], found["resolution"]) == (kind, state, resolution)
    assert run["unexplained"]["amount"] == 0
    assert run["state"] == ("differing" if state == "open" else "closed")
    if fault == "amount":
        assert (await till.balances(channel))[2] == 100
    await proven(till)


@both
async def test_a_line_nobody_here_knows(till: Till, channel: str) -> None:
    """The channel is asked; it knows nothing of what its bill says, so a person has to look."""
    await till.control("POST", "faults", **{f"{channel}.bill_extra": 1})
    await morning(till)
    run, (found,) = await only(till, channel)
    assert (found["kind"], found["state"], run["explained"]["amount"]) == ("missing", "open", 1_234)
    steps = (await till.client.as_("fay").send("GET", f"/v1/admin/reconciliation_differences/{found['id']}"))[2][
        "steps"
    ]
    assert [(step["verb"], step["detail"]) for step in steps] == [("note", "the channel says missing")]


@both
async def test_money_whose_news_never_came_is_taken(till: Till, channel: str) -> None:
    """Everything that would have told us is lost; the bill tells."""
    _, number = await till.ready(channel)
    async with till.db.begin() as tx:
        await tx.execute("DELETE FROM jobs WHERE kind = 'channel.watch'")
    await till.press(number, channel=channel)
    await morning(till)
    run, (found,) = await only(till, channel)
    assert (found["kind"], found["state"], found["resolution"]) == ("status", "resolved", "asked")
    assert (run["state"], await till.attempt(number)) == ("closed", "paid")
    await proven(till)
    await morning(till)
    first, second = (await runs(till, channel=channel))[::-1]
    assert (first["state"], second["state"]) == ("closed", "closed")
    (crossed,) = await differences(till, second)
    assert (crossed["kind"], crossed["resolution"]) == ("date", "other_day")


@both
async def test_a_trade_of_ours_that_nobody_here_knows_goes_into_suspense(till: Till, channel: str) -> None:
    number = await paid(till, channel)
    trade = till.sim.bank.trades.pop((channel, number))
    trade.number = "pay_unknown"
    till.sim.bank.trades[channel, "pay_unknown"] = trade
    trade.trade_no = "4200999"
    await morning(till)
    _, found = await only(till, channel)
    kinds = {one["kind"]: (one["state"], one["resolution"]) for one in found}
    assert kinds == {"missing": ("resolved", "taken"), "extra": ("open", None)}
    assert (await till.balances(channel))[2] == 40_900
    await proven(till)


@both
async def test_the_channels_clock_is_ahead_at_midnight(till: Till, channel: str) -> None:
    """Ours is of this day, the bill's of the next: it waits, and the next bill ends it."""
    till.clock.advance(seconds=(24 - 10) * 3600 - 5)
    number = await topped_up(till, channel)
    await spoil(till, channel, number, "date")
    await morning(till)
    run, (found,) = await only(till, channel)
    assert (found["kind"], found["state"], run["state"]) == ("date", "waiting", "differing")
    await morning(till)
    first, second = (await runs(till, channel=channel))[::-1]
    assert (first["state"], second["state"]) == ("closed", "closed")
    assert [one["resolution"] for run in (first, second) for one in await differences(till, run)] == ["other_day"] * 2


@both
async def test_what_waits_for_the_next_day_and_is_not_there_is_extra(till: Till, channel: str) -> None:
    till.clock.advance(seconds=(24 - 10) * 3600 - 5)
    number = await topped_up(till, channel)
    await spoil(till, channel, number, "missing")
    await morning(till)
    await morning(till)
    first = (await runs(till, channel=channel))[-1]
    (found,) = await differences(till, first)
    assert (found["kind"], found["state"]) == ("extra", "open")


async def test_a_refund_that_failed_at_the_channel_is_asked_for(till: Till) -> None:
    number = await paid(till, "wechat")
    async with till.db.begin() as tx:
        await payments.refund(tx, number, 900, ref="part", reason="test")
    await till.run()
    refund_id = str(await till.value("SELECT id FROM channel_refunds"))
    await spoil(till, "wechat", refund_id, "state")
    await morning(till)
    run, (found,) = await only(till, "wechat")
    assert (found["kind"], found["line_kind"], found["resolution"]) == ("status", "refund", "asked")
    assert run["state"] == "closed"


@both
async def test_a_refund_whose_end_nobody_told_is_finished(till: Till, channel: str) -> None:
    number = await paid(till, channel)
    await till.control("POST", "faults", slow_refunds=True)
    async with till.db.begin() as tx:
        await payments.refund(tx, number, 900, ref="part", reason="test")
    await till.run()
    refund_id = str(await till.value("SELECT id FROM channel_refunds"))
    async with till.db.begin() as tx:
        await tx.execute("DELETE FROM jobs WHERE kind = 'channel.refund'")
    await till.press(number, "finish_refund", channel=channel, refund=refund_id)
    await morning(till)
    _, (found,) = await only(till, channel)
    assert (found["kind"], found["resolution"]) == ("status", "asked")
    assert (await till.balances(channel))[1] == 0


@both
async def test_the_bill_is_late_then_broken_then_there(till: Till, channel: str) -> None:
    await paid(till, channel)
    await till.control("POST", "faults", **{f"{channel}.bill_late": 1, f"{channel}.bill_broken": 1})
    await morning(till)
    run, _ = await only(till, channel)
    assert (run["state"], run["problem"]) == ("waiting", "bill_not_ready")
    await till.advance(minutes=15)
    run, _ = await only(till, channel)
    assert (run["state"], run["lines"]) == ("waiting", 0)
    await till.advance(minutes=15)
    run, _ = await only(till, channel)
    assert (run["state"], run["lines"]) == ("balanced", 1)


async def test_a_bill_that_stays_away_is_told_and_asked_for_all_the_same(till: Till) -> None:
    await paid(till, "wechat")
    await till.control("POST", "faults", **{"wechat.bill_late": 98})
    await morning(till)
    for _ in range(97):
        await till.advance(minutes=15)
    assert (await runs(till, channel="wechat"))[-1]["state"] == "overdue"
    await till.control("POST", "faults", **{"wechat.bill_late": 0})
    await till.advance(hours=1)
    assert (await runs(till, channel="wechat"))[-1]["state"] == "balanced"


async def test_comparing_again_books_nothing_twice(till: Till) -> None:
    one, two = await paid(till, "wechat"), await paid(till, "wechat")
    await spoil(till, "wechat", one, "amount")
    await spoil(till, "wechat", two, "twice")
    await morning(till)
    run, found = await only(till, "wechat")
    before = await till.balances("wechat")
    fay = till.client.as_("fay")
    status, _, again = await fay.send(
        "POST", f"/v1/admin/reconciliations/{run['id']}/start_again", json={"reason": "x"}
    )
    assert (status, again["state"]) == (200, "waiting")
    await till.run()
    after, found_again = await only(till, "wechat")
    assert (after["state"], await till.balances("wechat")) == ("differing", before)
    assert sorted(one["kind"] for one in found_again) == sorted(one["kind"] for one in found) == ["amount", "duplicate"]
    assert after["unexplained"]["amount"] == 0
    await proven(till)
