"""Parts of orders paid out by the channel: matured, split, refunded with a return, and everything that may go wrong."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.lines.homeservice import actions
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.routes import REFUNDED
from rest.money import ledger, refunds, settlement
from rest.money.payments import Ask, Tender
from rest.money.refunds import Reason, RefundRules
from rest.money.shares import WrongShareState, store
from rest.money.shares.actions import splits
from rest.money.shares.model import (
    RECEIVER_TABLE,
    RETURN_TABLE,
    SPLIT_TABLE,
    Receiver,
    ReceiverState,
    Return,
    ReturnState,
    Split,
    SplitState,
    owed,
    planned,
)
from rest.trade import orders
from rest.trade.orders import By, Role
from tests.conftest import MONDAY
from tests.homeservice.conftest import WAY_TO, Tech
from tests.money import invariants
from tests.money.channels.conftest import BOTH, Till

both = pytest.mark.parametrize("channel", BOTH)
ACCOUNT = "2088111100001111"
MOST = 12_270
"""30 % of the order's 409.00."""
NET = 24_900
"""The technician's part of it."""
REST = NET - MOST
LEFT = 6_636
"""What is left of his part when 300.00 are given back."""


@dataclass
class Order:
    till: Till
    channel: str
    job: Job
    tech: Tech
    number: str

    @property
    def trade(self) -> Any:
        return self.till.sim.bank.trades[self.channel, self.number]

    @property
    def shares(self) -> Any:
        return self.till.sim._sides[self.channel].shares

    async def split(self) -> Split:
        async with self.till.db.begin() as tx:
            found = await store.split_of(tx, self.number)
        assert found is not None
        return found

    async def look(self) -> tuple[str, int, int, int]:
        """The split's state; what the technician has at the channel, in his wallet, and waiting."""
        tech, value = self.tech.id, self.till.town.balance
        wallet, pending = await value(ledger.worker_wallet(tech)), await value(ledger.pending("worker", tech))
        return (await self.split()).state.value, self.trade.shared_fen, wallet, pending

    async def refund(self, fen: int) -> None:
        async def ask(tx: Any) -> Any:
            held = await orders.lock_for_system(tx, HOMESERVICE, self.job.order.id)
            wish = actions.Wish(amount_fen=fen, reason=Reason.LATE, note="late")
            return await actions.ask_refund(
                tx, RefundRules(), held, By(Role.CUSTOMER, self.job.order.customer_id), wish
            )

        one = await self.till.db.run(ask)
        await self.till.db.run(refunds.approve, REFUNDED, one.id, by="acc_fay", note="fine")

    async def is_whole(self, *, refunded: int = 0) -> None:
        """The book is right, and the channel and the book say the same."""
        assert await self.till.town.faults() == []
        assert await invariants.violations(self.till.db) == []
        assert self.trade.refunded_fen == refunded
        clearing, refunding, _ = await self.till.balances(self.channel)
        assert clearing == -(self.trade.paid_fen - self.trade.shared_fen - refunded)
        assert refunding == 0


async def bind(till: Till, tech: Tech, channel: str, account: str = ACCOUNT) -> Any:
    body = {"worker_id": tech.id, "channel": channel, "account": account, "name": "武汉技师公司"}
    key = {"Idempotency-Key": f"key-{tech.id}-{account}"}
    made = await till.client.as_("opal").send("POST", "/v1/admin/share_receivers", json=body, headers=key)
    await till.run()
    return made


async def completed(till: Till, channel: str, *, is_bound: bool = True, shared: bool = True) -> Order:
    """A completed order paid over a channel, with its technician's receiver bound."""
    till.town.rules = replace(till.town.rules, share_by_channel=shared)
    job, number = await till.ready(channel)
    tech = till.town.technicians[-1]
    if is_bound:
        assert (await bind(till, tech, channel))[0] == 201
    await till.press(number, channel=channel)
    await till.deliver()
    await till.run()
    for name in WAY_TO["completed"][3:]:
        job = await till.town._go(job, tech, name)
    return Order(till, channel, job, tech, number)


async def shared(till: Till, channel: str) -> Order:
    order = await completed(till, channel)
    await till.advance(hours=24)
    await till.advance(seconds=60)
    assert await order.look() == ("done", MOST, REST, 0)
    return order


@both
async def test_a_matured_part_is_paid_by_the_channel_and_comes_back_for_refunds(till: Till, channel: str) -> None:
    order = await completed(till, channel)
    assert order.trade.is_shareable
    await till.advance(hours=24)
    assert await order.look() == ("asked", MOST, 0, NET)
    await till.advance(seconds=60)
    assert await order.look() == ("done", MOST, REST, 0)  # what is above the limit is in the wallet
    assert not order.trade.is_shareable  # and the rest is ours
    await order.is_whole()

    await order.refund(30_000)
    assert await till.town.balance(ledger.worker_wallet(order.tech.id)) == REST - (NET - LEFT)
    await till.run()
    await till.advance(seconds=60)
    assert await order.look() == ("done", LEFT, 0, 0)
    await order.is_whole(refunded=30_000)
    await order.refund(10_900)
    await till.run()
    await till.advance(seconds=60)
    assert await order.look() == ("done", 0, 0, 0)
    await order.is_whole(refunded=40_900)


@both
async def test_a_small_refund_leaves_the_receiver_what_he_has(till: Till, channel: str) -> None:
    order = await shared(till, channel)
    await order.refund(10_000)
    await till.run()
    assert await order.look() == ("done", MOST, REST - (NET - 18_812), 0)
    await order.is_whole(refunded=10_000)


async def test_a_mixed_payment_shares_of_its_channels_part_alone(till: Till) -> None:
    """Most of it came from the wallet; however little is left of the trade, it is enough for what has to go back."""
    till.town.rules = replace(till.town.rules, share_by_channel=True)
    job = await till.chosen(fen=30_000)
    tech = till.town.technicians[-1]
    await bind(till, tech, "wechat")
    asked = [Ask(Tender.WALLET, 30_000), Ask(Tender.WECHAT)]
    await till.town.by_customer(
        lambda tx, order_id, who: actions.pay(tx, order_id, who, asked=asked, open_channels=frozenset(BOTH)), job
    )
    number = str(await till.value("SELECT id FROM payments WHERE state = 'created'"))
    await till.run()
    await till.press(number)
    await till.deliver()
    await till.run()
    for name in WAY_TO["completed"][3:]:
        job = await till.town._go(job, tech, name)
    order = Order(till, "wechat", job, tech, number)
    await till.advance(hours=24)
    await till.advance(seconds=60)
    assert await order.look() == ("done", 10_900 * 3 // 10, NET - 3_270, 0)
    await order.is_whole()
    for fen in (36_811, 4_089):
        await order.refund(fen)
        await till.run()
    assert await order.look() == ("done", 0, 0, 0)
    await order.is_whole(refunded=10_900)


async def test_by_default_nothing_is_shared(till: Till) -> None:
    order = await completed(till, "wechat", shared=False)
    await till.advance(hours=24)
    assert not order.trade.is_shareable
    assert await till.value("SELECT count(*) FROM share_splits") == 0
    assert await till.town.balance(ledger.worker_wallet(order.tech.id)) == NET
    await order.is_whole()


@both
async def test_without_a_receiver_the_wallet_is_paid_and_the_trade_is_ours(till: Till, channel: str) -> None:
    order = await completed(till, channel, is_bound=False)
    await till.advance(hours=24)
    assert await order.look() == ("done", 0, NET, 0)
    assert not order.trade.is_shareable
    await order.is_whole()


@both
async def test_a_receiver_unbound_while_his_part_rests_has_it_in_his_wallet(till: Till, channel: str) -> None:
    order = await completed(till, channel)
    till.clock.advance(hours=24)
    await till.db.run(splits.mature, (await _settlement(order)).id)
    assert await order.look() == ("planned", 0, 0, NET)
    receiver_id = await till.value("SELECT id FROM share_receivers")
    path, key = f"/v1/admin/share_receivers/{receiver_id}/unbind", {"Idempotency-Key": "key-0123456789abcdef"}
    assert (await till.client.as_("opal").send("POST", path, headers=key))[2]["state"] == "unbound"
    await till.run()
    assert await order.look() == ("done", 0, NET, 0)
    await order.is_whole()


@both
@pytest.mark.parametrize("fault", ["hang", "drop", "error", "lose", "forge"])
async def test_a_channel_without_a_word_is_asked_until_it_has_one(till: Till, channel: str, fault: str) -> None:
    """Also when it has done it and its answer was lost: it shares once, and the part rests meanwhile."""
    order = await completed(till, channel)
    if fault == "hang":
        till.channels.get(channel)._calls._timeout = type(till.channels.get(channel)._calls._timeout)(total=0.2)
    await till.control("POST", "faults", **{f"{channel}.{fault}": 3})
    await till.advance(hours=24)
    state, _, wallet, pending = await order.look()
    assert (state, wallet, pending) == ("asked", 0, NET)
    for wait_s in (60, 300, 1_800, 1_800, 1_800):
        await till.advance(seconds=wait_s)
    assert await order.look() == ("done", MOST, REST, 0)
    assert len(order.shares.splits) == 1
    await order.is_whole()


@both
async def test_a_channel_that_refuses_for_good_leaves_all_to_the_wallet(till: Till, channel: str) -> None:
    order = await completed(till, channel)
    order.shares.receivers.clear()
    await till.advance(hours=24)
    assert await order.look() == ("failed", 0, NET, 0)
    assert not order.trade.is_shareable
    await order.is_whole()
    await order.refund(40_900)
    await till.run()
    await order.is_whole(refunded=40_900)


@both
async def test_a_receiver_who_cannot_take_it_leaves_it_to_the_wallet(till: Till, channel: str) -> None:
    order = await completed(till, channel)
    order.shares.unwilling = {ACCOUNT}
    await till.advance(hours=24)
    await till.advance(seconds=60)
    assert await order.look() == ("done", 0, NET, 0)
    assert [part.is_paid for part in (await order.split()).parts] == [False]
    await order.is_whole()


@both
async def test_a_refund_waits_for_a_split_that_is_under_way(till: Till, channel: str) -> None:
    """The channel answers late; meanwhile the whole order is refunded. What it shared then comes back."""
    order = await completed(till, channel)
    order.shares.is_slow = True
    await till.advance(hours=24)
    await order.refund(40_900)
    await till.run()
    assert (order.trade.refunded_fen, await order.look()) == (0, ("asked", MOST, 0, 0))
    assert await invariants.violations(till.db) == []
    order.shares.is_slow = False
    for _ in range(4):
        await till.advance(seconds=300)
    assert await order.look() == ("done", 0, 0, 0)
    assert await till.value("SELECT sum(failures) FROM channel_refunds") == 0  # it was not asked for before
    await order.is_whole(refunded=40_900)


@both
async def test_what_a_receiver_does_not_return_is_a_claim_on_his_wallet(till: Till, channel: str) -> None:
    """The channel refuses to bring it back; then the refund, which a person has to see to."""
    order = await shared(till, channel)
    order.shares.splits[(await order.split()).id].closed = {ACCOUNT}
    await order.refund(30_000)
    await till.run()
    for wait_s in (60, 600, 600):
        await till.advance(seconds=wait_s)
    assert await till.value("SELECT string_agg(state, ' ') FROM share_returns") == "failed"
    assert await till.value("SELECT state FROM channel_refunds") in {"manual", "done"}
    assert (await order.look())[2] == REST - (NET - LEFT)
    assert await till.town.faults() == []
    assert await invariants.violations(till.db) == []


@both
@pytest.mark.parametrize("fault", ["lose", "error"])
async def test_a_return_whose_answer_is_lost_comes_back_once(till: Till, channel: str, fault: str) -> None:
    order = await shared(till, channel)
    await till.control("POST", "faults", **{f"{channel}.{fault}": 2})
    await order.refund(30_000)
    await till.run()
    for wait_s in (60, 300, 600, 1_800):
        await till.advance(seconds=wait_s)
    assert await order.look() == ("done", LEFT, 0, 0)
    await order.is_whole(refunded=30_000)


class Killed(BaseException):
    """The process has gone."""


@both
async def test_killed_between_asking_and_booking_it_asks_again_by_the_same_number(
    till: Till, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await completed(till, channel)
    till.clock.advance(hours=24)
    await till.db.run(splits.mature, (await _settlement(order)).id)
    side = till.channels.get(channel).sharing
    asked = type(side).split

    async def die(*args: Any) -> Any:
        await asked(*args)
        raise Killed

    from rest.money.shares.jobs import outside_jobs

    job = outside_jobs(till.db, till.channels, till.town.runner._settings)[splits.SPLIT]
    payload = {"split_id": (await order.split()).id, "looked": 0}
    with monkeypatch.context() as patch:
        patch.setattr(type(side), "split", die)
        with pytest.raises(Killed):
            await job(payload)
    assert await order.look() == ("asked", MOST, 0, NET)
    await asyncio.gather(job(payload), job(payload))
    assert await order.look() == ("done", MOST, REST, 0)
    await till.run()
    assert len(order.shares.splits) == 1
    await order.is_whole()


@both
async def test_receivers_are_bound_once_by_staff_and_accepted_by_the_channel(till: Till, channel: str) -> None:
    tech, other = await till.town.technician(), await till.town.technician()
    body = {"worker_id": tech.id, "channel": channel, "account": ACCOUNT, "name": "x"}
    key = {"Idempotency-Key": "key-0123456789abcdef"}
    ben = till.client.as_("ben")
    assert (await ben.send("POST", "/v1/admin/share_receivers", json=body, headers=key))[0] == 403
    made = await bind(till, tech, channel)
    assert (made[0], made[2]["state"]) == (201, "asking")
    assert till.sim._sides[channel].shares.receivers == {ACCOUNT: "武汉技师公司"}
    assert (await bind(till, tech, channel, "2088111100009999"))[2]["code"] == "receiver_taken"
    assert (await bind(till, other, channel))[2]["code"] == "receiver_taken"
    await till.control("POST", "faults", **{f"{channel}.refuse": 1})
    await bind(till, other, channel, "2088111100002222")
    opal = till.client.as_("opal")
    shown = (await opal.send("GET", "/v1/admin/share_receivers"))[2]["data"]
    assert {one["account"]: one["state"] for one in shown} == {ACCOUNT: "bound", "2088111100002222": "refused"}
    assert "name" not in shown[0]
    assert await till.value("SELECT count(*) FROM share_receivers WHERE name IS NOT NULL") == 0
    path = f"/v1/admin/share_receivers/{made[2]['id']}/unbind"
    for status in (200, 409):
        again = {"Idempotency-Key": f"key-0123456789-{status}"}
        assert (await opal.send("POST", path, headers=again))[0] == status
    assert (await bind(till, tech, channel, "2088111100003333"))[0] == 201
    assert (await opal.send("GET", "/v1/admin/share_splits"))[2]["data"] == []


async def _settlement(order: Order) -> settlement.Settlement:
    async with order.till.db.begin() as tx:
        return await settlement.of_order(tx, order.job.order.id)


# Tables and rules

NOW = {"version": 1, "created_at": MONDAY, "ended_at": None, "reason": None}
RECEIVER = Receiver(
    id="rcv_1", worker_id="wrk_1", channel="wechat", account="1", name="x", name_hash="", by_id="acc", **NOW,
    state=ReceiverState.ASKING,
)  # fmt: skip
SPLIT = Split(
    id="spl_1", payment_id="pay_1", settlement_id="stl_1", order_id="ord_1", channel="wechat", trade_no="4", **NOW,
    state=SplitState.PLANNED,
)  # fmt: skip
RETURN = Return(id="srt_1", split_id="spl_1", n=1, refund_id="rfd_1", amount_fen=1, state=ReturnState.ASKED, **NOW)
WAYS: list[tuple[Any, Any, dict[str, dict[str, str]]]] = [
    (RECEIVER, RECEIVER_TABLE, {
        "asking": {"accept": "bound", "refuse": "refused", "unbind": "unbound"}, "bound": {"unbind": "unbound"},
    }),
    (SPLIT, SPLIT_TABLE, {"planned": {"ask": "asked"}, "asked": {"finish": "done", "give_up": "failed"}}),
    (RETURN, RETURN_TABLE, {"asked": {"finish": "done", "give_up": "failed"}}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "table", "ways"), WAYS)
def test_every_verb_in_every_state(one: Any, table: Any, ways: dict[str, dict[str, str]]) -> None:
    verbs = {verb for _, verb in table}
    assert verbs == {verb for way in ways.values() for verb in way}
    for state in type(one.state):
        for verb in verbs:
            wanted = ways.get(state.value, {}).get(verb)
            if wanted is None:
                with pytest.raises(WrongShareState):
                    replace(one, state=state).after(verb, MONDAY)
                continue
            after = replace(one, state=state).after(verb, MONDAY)
            assert (after.state.value, after.version) == (wanted, 2)
            assert (after.ended_at is not None) == (wanted not in {"bound", "asked"})


@given(st.lists(st.integers(1, 10**9), max_size=60), st.integers(0, 10**10))
def test_nobody_is_planned_more_than_he_wants_or_all_more_than_is_left(wants: list[int], left: int) -> None:
    got = planned(wants, left)
    assert all(0 <= fen <= want for fen, want in zip(got, wants, strict=True))
    assert sum(got) == min(left, sum(wants[:50]))
    assert not any(got[50:])


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(-(10**9), 10**9)), max_size=50), st.integers(0, 10**10))
def test_what_is_owed_leaves_each_his_net_and_the_trade_enough(pairs: list[tuple[int, int]], left: int) -> None:
    held, nets = [has for has, _ in pairs], [net for _, net in pairs]
    kept = [has - back for has, back in zip(held, owed(held, nets, left), strict=True)]
    assert all(0 <= keeps <= max(0, min(has, net)) for keeps, has, net in zip(kept, held, nets, strict=True))
    assert sum(kept) == min(left, sum(max(0, min(has, net)) for has, net in pairs))
