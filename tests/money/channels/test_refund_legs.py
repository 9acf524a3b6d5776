"""How far the money of a refund request has come, over every way it goes (RV-288, HS-150)."""

from __future__ import annotations

from typing import Any

import pytest

from rest.lines.homeservice import actions
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.routes import REFUNDED
from rest.money import refunds
from rest.money.refunds import Reason, RefundRules
from rest.money.refunds import store as requests
from rest.money.refunds.model import progress
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.ids import AFTER_ALL_IDS
from tests.homeservice.conftest import WAY_TO
from tests.money.channels.conftest import BOTH, Till


async def given(till: Till, channel: str, fen: int) -> Any:
    """A completed order paid over a channel, of which this much is given back; nothing of it is asked for yet."""
    job, number = await till.ready(channel)
    await till.press(number, channel=channel)
    await till.deliver()
    await till.run()
    tech = till.town.technicians[-1]
    for name in WAY_TO["completed"][3:]:
        job = await till.town._go(job, tech, name)

    async def ask(tx: Any) -> Any:
        held = await orders.lock_for_system(tx, HOMESERVICE, job.order.id)
        wish = actions.Wish(amount_fen=fen, reason=Reason.LATE, note="late")
        return await actions.ask_refund(tx, RefundRules(), held, By(Role.CUSTOMER, job.order.customer_id), wish)

    one = await till.db.run(ask)
    return await till.db.run(refunds.approve, REFUNDED, one.id, by="acc_fay", note="fine")


async def state(till: Till, one: Any) -> tuple[str, list[tuple[str, int, str]]]:
    async with till.db.begin() as tx:
        legs = (await requests.legs_of(tx, [one.id]))[one.id]
        waiting = await requests.page(tx, before_id=AFTER_ALL_IDS, limit=9, manual=True)
    assert (waiting == [one]) == any(leg.state == "manual" for leg in legs)
    return progress(legs), [(leg.method, leg.amount_fen, leg.state) for leg in legs]


@pytest.mark.parametrize("channel", BOTH)
async def test_a_leg_over_a_channel_is_seen_until_the_customer_has_it(till: Till, channel: str) -> None:
    one = await given(till, channel, 10_000)
    assert await state(till, one) == ("processing", [(channel, 10_000, "requested")])
    await till.control("POST", "faults", slow_refunds=True)
    await till.run()
    assert await state(till, one) == ("processing", [(channel, 10_000, "accepted")])
    async with till.db.begin() as tx:
        row = await tx.fetchrow("SELECT id, payment_id FROM channel_refunds")
    await till.press(row["payment_id"], "finish_refund", channel=channel, refund=row["id"])
    assert await till.deliver() == [200]
    assert await state(till, one) == ("succeeded", [(channel, 10_000, "done")])
    assert await till.town.faults() == []


async def test_a_leg_that_does_not_get_through_waits_for_a_person(till: Till) -> None:
    one = await given(till, "wechat", 10_000)
    await till.control("POST", "faults", **{"wechat.refuse": 3})
    await till.run()
    for wait_s in (60, 600):
        await till.advance(seconds=wait_s)
    assert await state(till, one) == ("manual", [("wechat", 10_000, "manual")])
    refund_id = await till.value("SELECT id FROM channel_refunds")
    fay = till.client.as_("fay")
    assert (await fay.send("POST", f"/v1/admin/channel_refunds/{refund_id}/retry"))[0] == 200
    await till.run()
    assert await state(till, one) == ("succeeded", [("wechat", 10_000, "done")])
    assert await till.town.faults() == []
