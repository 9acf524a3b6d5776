"""Shares of a trade's money over both channels: within their limits, once by a number, and back before a refund."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from alipay import AliPay
from hypothesis import given
from hypothesis import strategies as st
from wechatpayv3.core import Core

from rest.money.channels import ChannelRefused, ChannelUnreachable, signing
from rest.money.channels.errors import BadSignature
from rest.money.channels.model import Channel, Prepay, RefundOrder, RefundWord
from rest.money.channels.sharing import (
    SHARE_AFTER,
    NotShareable,
    Receiver,
    ReturnOrder,
    Share,
    Shareable,
    ShareState,
    SplitOrder,
    check_split,
)
from rest.money.channels.simulator import Identity, Simulator
from rest.money.channels.simulator.bank import Trade
from rest.money.channels.simulator.sharing import RATIO_BPS, Shares
from rest.money.channels.wiring import Channels
from storage.base.clock import ManualClock
from tests.conftest import MONDAY
from tests.money.channels.conftest import BOTH
from tests.money.channels.test_oracles import core, sdk

__all__ = ["core", "sdk"]

WU, LI = "2088111100001111", "2088111100002222"


def share(account: str = WU, fen: int = 5_000) -> Share:
    return Share(account=account, amount_fen=fen, description="分账 for the technician")


@dataclass
class Booth:
    """One channel with a paid trade of 400.00 that may be shared, a minute ago."""

    channel: Channel
    sim: Simulator
    clock: ManualClock

    @property
    def trade(self) -> Trade:
        return self.sim.bank.trades[self.channel.name, "pay_1"]

    @property
    def shares(self) -> Shares:
        return self.sim._sides[self.channel.name].shares

    async def open(self, *, is_shared: bool = True, number: str = "pay_1") -> None:
        until = self.clock.now() + timedelta(minutes=3)
        await self.channel.prepay(
            Prepay(out_trade_no=number, amount_fen=40_000, description="x", expires_at=until, payer=None,
                   is_shared=is_shared)
        )  # fmt: skip
        trade = self.sim.bank.find(self.channel.name, number)
        assert trade is not None
        self.sim.bank.pay(trade)

    def wanted(self, *shares: Share, number: str = "stn_1", ends: bool = False) -> SplitOrder:
        return SplitOrder(
            out_split_no=number, trade_no=self.trade.trade_no or "", shares=shares or (share(),), ends=ends
        )

    async def refund(self, fen: int, *returns: Share) -> RefundWord:
        wanted = RefundOrder(
            out_trade_no="pay_1", out_refund_no="rfd_1", amount_fen=fen, total_fen=40_000, reason="x", returns=returns
        )
        return (await self.channel.refund(wanted)).state


@pytest.fixture(params=BOTH)
async def booth(
    request: pytest.FixtureRequest, sim: Simulator, channels: Channels, clock: ManualClock
) -> AsyncIterator[Booth]:
    booth = Booth(channels.get(request.param), sim, clock)
    await booth.open()
    for account in (WU, LI):
        await booth.channel.sharing.add_receiver(Receiver(account=account, name="武汉技师公司"))
    clock.advance(seconds=SHARE_AFTER.total_seconds())
    yield booth


async def test_a_share_is_accepted_first_and_done_later(booth: Booth) -> None:
    assert booth.shares.receivers[WU] == "武汉技师公司"
    sharing, wanted = booth.channel.sharing, booth.wanted(share(), share(LI, 7_000))
    assert (await sharing.query_split(wanted)).state is ShareState.MISSING
    assert (await sharing.split(wanted)).state is ShareState.PROCESSING
    booth.shares.is_slow = True
    assert (await sharing.query_split(wanted)).state is ShareState.PROCESSING
    booth.shares.is_slow = False
    done = await sharing.query_split(wanted)
    assert (done.state, done.out_split_no, bool(done.channel_ref)) == (ShareState.DONE, "stn_1", True)
    assert {(one.account, one.amount_fen, one.state) for one in done.shares} == {
        (WU, 5_000, ShareState.DONE), (LI, 7_000, ShareState.DONE),
    }  # fmt: skip


async def test_the_same_number_shares_once(booth: Booth) -> None:
    sharing = booth.channel.sharing
    for _ in range(2):
        await sharing.split(booth.wanted())
    assert (booth.trade.shared_fen, len(booth.shares.splits)) == (5_000, 1)
    with pytest.raises(ChannelRefused):
        await sharing.split(booth.wanted(share(fen=5_001)))


async def test_a_receiver_who_cannot_take_it_gives_it_back_to_us(booth: Booth) -> None:
    booth.shares.unwilling = {LI}
    sharing, wanted = booth.channel.sharing, booth.wanted(share(), share(LI))
    await sharing.split(wanted)
    told = {one.account: one for one in (await sharing.query_split(wanted)).shares}
    assert (told[WU].state, told[LI].state, bool(told[LI].reason)) == (ShareState.DONE, ShareState.FAILED, True)
    assert booth.trade.shared_fen == 5_000


async def test_the_channel_refuses_what_our_own_limits_refuse(booth: Booth) -> None:
    """The two lists of reasons are one: what we let through is taken, what we stop would have been refused."""
    await booth.open(is_shared=False, number="pay_2")
    now = booth.clock.now()
    ours = Shareable(
        paid_fen=40_000, fee_fen=240, shared_fen=0, refunded_fen=0, paid_at=now - SHARE_AFTER, is_flagged=True
    )
    most = 40_000 * RATIO_BPS // 10_000
    check_split(ours, (share(fen=most),), max_bps=RATIO_BPS, now=now)
    for trade, shares, why in (
        (ours, (share(fen=most + 1),), "too_much"),
        (ours, tuple(share(f"20881111{n:08}", 1) for n in range(51)), "receivers"),
        (replace(ours, is_flagged=False), (share(),), "not_flagged"),
        (replace(ours, paid_at=now - SHARE_AFTER + timedelta(seconds=1)), (share(),), "too_soon"),
    ):
        with pytest.raises(NotShareable) as refused:
            check_split(trade, shares, max_bps=RATIO_BPS, now=now)
        assert refused.value.fields["reason"] == why
        if why in {"too_much", "receivers"}:
            with pytest.raises(ChannelRefused):
                await booth.channel.sharing.split(booth.wanted(*shares))
    flagless = booth.sim.bank.trades[booth.channel.name, "pay_2"]
    with pytest.raises(ChannelRefused):
        await booth.channel.sharing.split(replace(booth.wanted(), trade_no=flagless.trade_no or ""))
    booth.trade.paid_at = now - SHARE_AFTER + timedelta(seconds=1)
    with pytest.raises(ChannelRefused):
        await booth.channel.sharing.split(booth.wanted())
    booth.trade.paid_at = now - SHARE_AFTER
    with pytest.raises(ChannelRefused):
        await booth.channel.sharing.split(booth.wanted(share("2088999900009999")))
    await booth.channel.sharing.split(booth.wanted(share(fen=most)))


async def test_what_was_shared_comes_back_before_it_is_refunded(booth: Booth) -> None:
    sharing = booth.channel.sharing
    await sharing.split(booth.wanted())
    await sharing.query_split(booth.wanted())
    with pytest.raises(ChannelRefused):
        await booth.refund(40_000)
    back = ReturnOrder(
        out_return_no="srt_1", out_split_no="stn_1", trade_no=booth.trade.trade_no or "", share=share(fen=5_000)
    )
    if sharing.returns_with_refunds:
        with pytest.raises(ChannelRefused):
            await sharing.give_back(back)
        assert await booth.refund(40_000, share()) is RefundWord.DONE
    else:
        assert (await sharing.query_return(back)).state is ShareState.MISSING
        for _ in range(2):
            assert (await sharing.give_back(back)).state is ShareState.DONE
        with pytest.raises(ChannelRefused):
            await sharing.give_back(replace(back, out_return_no="srt_2"))
        assert (await sharing.query_return(back)).state is ShareState.DONE
        assert await booth.refund(40_000) is RefundWord.DONE
    assert (booth.trade.shared_fen, booth.trade.refunded_fen) == (0, 40_000)


async def test_after_half_a_year_nothing_comes_back(booth: Booth) -> None:
    sharing = booth.channel.sharing
    await sharing.split(booth.wanted())
    booth.clock.advance(hours=24 * 181)
    back = ReturnOrder(out_return_no="srt_1", out_split_no="stn_1", trade_no="x", share=share())
    with pytest.raises(ChannelRefused):
        await (booth.refund(40_000, share()) if sharing.returns_with_refunds else sharing.give_back(back))


async def test_what_is_unfrozen_is_shared_no_more(booth: Booth) -> None:
    sharing = booth.channel.sharing
    await sharing.unfreeze("stn_9", booth.trade.trade_no or "")
    with pytest.raises(ChannelRefused):
        await sharing.split(booth.wanted())


@pytest.mark.parametrize(
    ("fault", "failure"), [("refuse", ChannelRefused), ("lose", ChannelUnreachable), ("forge", BadSignature)]
)
async def test_questions_about_shares_fail_as_all_do(booth: Booth, fault: str, failure: type[Exception]) -> None:
    booth.sim.bank.faults[f"{booth.channel.name}.{fault}"] = 1
    with pytest.raises(failure):
        await booth.channel.sharing.split(booth.wanted())
    assert (await booth.channel.sharing.split(booth.wanted())).state is ShareState.PROCESSING
    assert booth.trade.shared_fen == 5_000


async def test_the_kit_of_wechat_asks_the_same(
    identity: Identity, core: Core, sim: Simulator, channels: Channels, clock: ManualClock
) -> None:
    """Its questions are taken, and are about what ours have made; its sealed name opens as ours does."""
    from wechatpayv3 import profitsharing as kit

    booth = Booth(channels.get("wechat"), sim, clock)
    await booth.open()
    clock.advance(minutes=1)
    core._gate_way = sim.url

    class Kit:
        _core, _partner_mode, _appid = core, False, identity.wechat_app_id

    async def ask(question: Any, *args: Any, **named: Any) -> Any:
        status, told = await asyncio.to_thread(question, Kit, *args, **named)
        assert status == 200, told
        return json.loads(told)

    await ask(kit.profitsharing_add_receiver, "MERCHANT_ID", WU, "PARTNER", name="武汉技师公司")
    assert booth.shares.receivers == {WU: "武汉技师公司"}
    await booth.channel.sharing.split(booth.wanted())
    trade_no = booth.trade.trade_no
    again = await ask(
        kit.profitsharing_order, trade_no, "stn_1",
        [{"type": "MERCHANT_ID", "account": WU, "amount": 5_000, "description": share().description}], False,
    )  # fmt: skip
    assert (again["out_order_no"], len(booth.shares.splits)) == ("stn_1", 1)
    assert (await ask(kit.profitsharing_order_query, trade_no, "stn_1"))["state"] == "FINISHED"
    await ask(kit.profitsharing_return, "srt_1", WU, 5_000, "refund", out_order_no="stn_1")
    back = ReturnOrder(out_return_no="srt_1", out_split_no="stn_1", trade_no=trade_no or "", share=share())
    assert (await booth.channel.sharing.query_return(back)).state is ShareState.DONE
    assert (await ask(kit.profitsharing_unfreeze, trade_no, "stn_2", "the rest is ours"))["state"] == "FINISHED"


async def test_the_kit_of_alipay_asks_for_the_same_shares(
    sdk: AliPay, sim: Simulator, channels: Channels, clock: ManualClock
) -> None:
    booth = Booth(channels.get("alipay"), sim, clock)
    await booth.open()
    await booth.channel.sharing.add_receiver(Receiver(account=WU, name="武汉技师公司"))
    clock.advance(minutes=1)
    sdk._gateway = f"{sim.url}/gateway.do"
    parameters = [{"royalty_type": "transfer", "trans_in_type": "userId", "trans_in": WU, "amount": "50.00"}]
    told = await asyncio.to_thread(
        sdk.api_alipay_trade_order_settle, "stn_1", trade_no=booth.trade.trade_no, royalty_parameters=parameters
    )
    assert (told["code"], told["trade_no"]) == ("10000", booth.trade.trade_no)
    (one,) = (await booth.channel.sharing.query_split(booth.wanted())).shares
    assert (one.account, one.amount_fen, one.state) == (WU, 5_000, ShareState.DONE)


@given(st.text(max_size=60))
def test_a_sealed_name_opens_for_the_platform_alone(identity: Identity, name: str) -> None:
    from wechatpayv3 import utils as oracle

    key = identity.platform_key
    assert signing.decrypt(key, signing.encrypt(key.public_key(), name)) == name
    assert oracle.rsa_decrypt(signing.encrypt(key.public_key(), name), key) == name
    with pytest.raises(BadSignature):
        signing.decrypt(identity.merchant_key, signing.encrypt(key.public_key(), name))


@given(
    st.integers(1, 10**9), st.integers(0, 100), st.integers(0, 10_000),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=8),
)  # fmt: skip
def test_nothing_beyond_the_limits_is_ever_shared(paid: int, fee: int, max_bps: int, wanted: list[int]) -> None:
    """Whatever is asked for, one by one: what is let through is ours, after the fee, and in the part allowed."""
    shared = 0
    for amount in wanted:
        trade = Shareable(
            paid_fen=paid, fee_fen=min(fee, paid), shared_fen=shared, refunded_fen=0, paid_at=MONDAY, is_flagged=True
        )
        try:
            check_split(trade, (share(fen=amount),), max_bps=max_bps, now=MONDAY + SHARE_AFTER)
        except NotShareable:
            assert amount > trade.left_fen(max_bps)
            continue
        shared += amount
    assert shared <= paid - min(fee, paid)
    assert shared <= paid * max_bps // 10_000
