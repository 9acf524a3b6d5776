"""Money in suspense over HTTP: seen, and moved out once, to where it belongs (G9)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rest.money import ledger
from rest.money.channels.suspense_model import TABLE, VERBS, ItemState
from tests.money.channels.conftest import BOTH, Till
from tests.money.reconciliation.conftest import morning, proven, runs

SUSPENSE = "/v1/admin/suspense"
both = pytest.mark.parametrize("channel", BOTH)


async def wrong_money(till: Till, channel: str, fen: int = 40_901) -> str:
    """A payer has paid another amount than was asked; the payment's number."""
    _, number = await till.ready(channel)
    await till.press(number, channel=channel, amount_fen=fen)
    await till.deliver()
    await till.run()
    return number


async def listed(till: Till, state: str = "open") -> list[Any]:
    return list((await till.client.as_("fay").send("GET", f"{SUSPENSE}?state={state}"))[2]["data"])


async def move(till: Till, item: Any, verb: str, *, n: int = 1, who: str = "fay", **body: Any) -> tuple[int, Any]:
    headers = {"Idempotency-Key": f"suspense-key-{n:04}"}
    body = {"reason": "seen", **body}
    answer = await till.client.as_(who).send("POST", f"{SUSPENSE}/{item['id']}/{verb}", json=body, headers=headers)
    return answer[0], answer[2]


@both
async def test_it_goes_back_to_its_payer_by_the_channels_number(till: Till, channel: str) -> None:
    number = await wrong_money(till, channel)
    (item,) = await listed(till)
    assert (item["cause"], item["amount"]["amount"], item["out_trade_no"]) == ("wrong_amount", 40_901, number)
    assert (await move(till, item, "refund", who="ben"))[0] == 403
    status, done = await move(till, item, "refund")
    assert (status, done["state"], done["by"], done["reason"]) == (200, "refunded", "acc_fay", "seen")
    assert await till.balances(channel) == (-40_901, 40_901, 0)
    await till.run()
    assert await till.balances(channel) == (0, 0, 0)
    assert (await till.trade(number))["refunded_fen"] == 40_901
    assert await listed(till) == []
    assert (await move(till, item, "write_off", n=2))[1]["code"] == "suspense_state"
    await proven(till)
    # And the bill of the day agrees with all of it.
    await morning(till)
    assert (await runs(till, channel=channel))[0]["state"] == "balanced"


@both
async def test_money_of_an_order_that_was_not_known_is_given_to_its_payment(till: Till, channel: str) -> None:
    """The payer paid what was asked, but the channel named another order of ours."""
    _, number = await till.ready(channel)
    trade = till.sim.bank.trades.pop((channel, number))
    trade.number, till.sim.bank.trades[channel, "pay_typo"] = "pay_typo", trade
    await till.press("pay_typo", channel=channel)
    await till.deliver()
    await till.run()
    (item,) = await listed(till)
    assert (item["cause"], item["amount"]["amount"]) == ("unknown_order", 40_900)
    assert (await move(till, item, "assign", payment_id="pay_" + "0" * 26))[1]["code"] == "suspense_mismatch"
    status, done = await move(till, item, "assign", n=2, payment_id=number)
    assert (status, done["state"]) == (200, "assigned")
    await till.run()
    assert await till.attempt(number) == "paid"
    assert await till.balances(channel) == (-40_900, 0, 0)
    assert await till.value("SELECT state FROM payments WHERE id = $1", number) == "paid"
    await proven(till)
    assert await till.town.faults() == []


async def test_only_exactly_right_money_is_given_to_a_payment(till: Till) -> None:
    number = await wrong_money(till, "wechat")
    (item,) = await listed(till)
    assert (await move(till, item, "assign", payment_id=number))[1]["code"] == "suspense_mismatch"
    assert (await listed(till))[0]["state"] == "open"
    await proven(till)


async def test_it_is_written_off_to_an_account_named_for_it(till: Till) -> None:
    await wrong_money(till, "alipay", 7)
    (item,) = await listed(till)
    assert (await move(till, item, "write_off"))[1]["state"] == "written_off"
    async with till.db.begin() as tx:
        assert await ledger.balance(tx, ledger.written_off("alipay")) == 7
    assert [one["id"] for one in await listed(till, "written_off")] == [item["id"]]
    await proven(till)


async def test_less_than_nothing_cannot_be_given_back(till: Till) -> None:
    """The bill has less than the book: what is missing is in suspense, below zero."""
    _, number = await till.ready("wechat")
    await till.press(number)
    await till.deliver()
    await till.run()
    till.sim.bank.trades["wechat", number].paid_fen = 40_000
    await morning(till)
    (item,) = await listed(till)
    assert (item["cause"], item["amount"]["amount"]) == ("bill", -900)
    assert (await move(till, item, "refund"))[1]["code"] == "suspense_negative"
    assert (await move(till, item, "write_off", n=2))[0] == 200
    async with till.db.begin() as tx:
        assert await ledger.balance(tx, ledger.written_off("wechat")) == -900
    await proven(till)


async def test_two_people_at_once_move_it_once(till: Till) -> None:
    await wrong_money(till, "wechat")
    (item,) = await listed(till)
    verbs = ["refund", "write_off", "refund", "write_off"]
    answers = await asyncio.gather(*(move(till, item, verb, n=n) for n, verb in enumerate(verbs)))
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409]
    await till.run()
    assert (await till.balances())[2] == 0
    await proven(till)


@pytest.mark.parametrize("state", ItemState)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_every_state(state: ItemState, verb: str) -> None:
    after = {"assign": "assigned", "refund": "refunded", "write_off": "written_off"}
    assert TABLE.get((state, verb)) == (after[verb] if state is ItemState.OPEN else None)
