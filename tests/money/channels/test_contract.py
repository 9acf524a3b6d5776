"""One contract for both adapters, against the simulator over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientTimeout

from rest.money.channels import BadSignature, ChannelRefused, ChannelUnreachable
from rest.money.channels.model import Channel, Prepay, RefundOrder, RefundWord, TradeState
from rest.money.channels.simulator import Simulator
from rest.money.channels.wiring import Channels
from storage.base.clock import ManualClock
from tests.money.channels.conftest import BOTH


@dataclass
class Desk:
    """One channel from both sides."""

    channel: Channel
    sim: Simulator
    clock: ManualClock

    def wanted(self, **changes: Any) -> Prepay:
        given = {"out_trade_no": "pay_1", "amount_fen": 40_900, "description": "深层清洁 & more", "payer": None}
        return Prepay(**{**given, "expires_at": self.clock.now() + timedelta(minutes=3), **changes})

    def paid(self, number: str = "pay_1") -> None:
        trade = self.sim.bank.find(self.channel.name, number)
        assert trade is not None
        self.sim.bank.pay(trade)

    def back(self, fen: int = 900, number: str = "rfd_1") -> RefundOrder:
        return RefundOrder(
            out_trade_no="pay_1", out_refund_no=number, amount_fen=fen, total_fen=40_900, reason="cancelled"
        )

    def fault(self, name: str, times: int = 1) -> None:
        self.sim.bank.faults[f"{self.channel.name}.{name}"] = times


@pytest.fixture(params=BOTH)
def desk(request: pytest.FixtureRequest, sim: Simulator, channels: Channels, clock: ManualClock) -> Desk:
    return Desk(channels.get(request.param), sim, clock)


QUESTIONS: dict[str, Callable[[Desk], Any]] = {
    "prepay": lambda desk: desk.channel.prepay(desk.wanted(out_trade_no="pay_2")),
    "query": lambda desk: desk.channel.query("pay_1"),
    "close": lambda desk: desk.channel.close("pay_1"),
    "refund": lambda desk: desk.channel.refund(desk.back()),
    "query_refund": lambda desk: desk.channel.query_refund(desk.back()),
}


async def test_a_code_to_scan_and_a_call_in_the_app(desk: Desk) -> None:
    code = await desk.channel.prepay(desk.wanted())
    assert (code["kind"], code["code_url"].endswith("pay_1")) == ("code", True)
    call = await desk.channel.prepay(desk.wanted(out_trade_no="pay_2", payer="oHkLxtx0vUqe-18p_AXTZ1innxkCY"))
    assert call["kind"] == {"wechat": "jsapi", "alipay": "trade"}[desk.channel.name]
    trade = desk.sim.bank.trades[desk.channel.name, "pay_2"]
    assert (trade.amount_fen, trade.payer) == (40_900, "oHkLxtx0vUqe-18p_AXTZ1innxkCY")
    assert trade.expires_at == desk.clock.now() + timedelta(minutes=3)


async def test_asking_again_is_the_same_trade_and_changed_parameters_are_refused(desk: Desk) -> None:
    assert await desk.channel.prepay(desk.wanted()) == await desk.channel.prepay(desk.wanted())
    with pytest.raises(ChannelRefused):
        await desk.channel.prepay(desk.wanted(amount_fen=40_901))


async def test_a_trade_from_unknown_to_paid(desk: Desk) -> None:
    assert (await desk.channel.query("pay_1")).state is TradeState.MISSING
    await desk.channel.prepay(desk.wanted())
    assert (await desk.channel.query("pay_1")).state is TradeState.WAITING
    desk.paid()
    trade = await desk.channel.query("pay_1")
    assert (trade.state, trade.amount_fen, trade.currency, trade.is_ours) == (TradeState.PAID, 40_900, "CNY", True)
    assert trade.trade_no


async def test_closing(desk: Desk) -> None:
    await desk.channel.prepay(desk.wanted())
    await desk.channel.close("pay_1")
    await desk.channel.close("pay_1")
    assert (await desk.channel.query("pay_1")).state is TradeState.CLOSED
    with pytest.raises(ChannelRefused):
        await desk.channel.prepay(desk.wanted())


async def test_what_is_paid_cannot_be_closed(desk: Desk) -> None:
    await desk.channel.prepay(desk.wanted())
    desk.paid()
    with pytest.raises(ChannelRefused):
        await desk.channel.close("pay_1")


async def test_a_trade_runs_out(desk: Desk) -> None:
    await desk.channel.prepay(desk.wanted())
    desk.clock.advance(minutes=3)
    assert (await desk.channel.query("pay_1")).state is TradeState.CLOSED


async def test_refunds_by_one_number_give_once(desk: Desk) -> None:
    await desk.channel.prepay(desk.wanted())
    desk.paid()
    first = await desk.channel.refund(desk.back())
    assert (first.state, first.out_refund_no) == (RefundWord.DONE, "rfd_1")
    await desk.channel.refund(desk.back())
    assert (await desk.channel.query_refund(desk.back())).state is RefundWord.DONE
    await desk.channel.refund(desk.back(40_000, "rfd_2"))
    trade = desk.sim.bank.trades[desk.channel.name, "pay_1"]
    assert (trade.refunded_fen, len(trade.refunds)) == (40_900, 2)
    with pytest.raises(ChannelRefused):
        await desk.channel.refund(desk.back(1, "rfd_3"))
    with pytest.raises(ChannelRefused):
        await desk.channel.refund(desk.back(901))


async def test_a_refund_under_way(desk: Desk) -> None:
    await desk.channel.prepay(desk.wanted())
    desk.paid()
    desk.sim.bank.slow_refunds = True
    assert (await desk.channel.refund(desk.back())).state is RefundWord.PROCESSING
    assert (await desk.channel.query_refund(desk.back())).state is RefundWord.PROCESSING
    desk.sim.bank.finish_refund(desk.sim.bank.trades[desk.channel.name, "pay_1"], "rfd_1")
    assert (await desk.channel.query_refund(desk.back())).state is RefundWord.DONE
    assert (await desk.channel.query_refund(desk.back(number="rfd_9"))).state is RefundWord.MISSING


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("refuse", ChannelRefused),
        ("error", ChannelUnreachable),
        ("hang", ChannelUnreachable),
        ("drop", ChannelUnreachable),
        ("lose", ChannelUnreachable),
        ("forge", BadSignature),
    ],
)
async def test_every_question_fails_in_the_same_three_ways(
    desk: Desk, question: str, fault: str, failure: type[Exception]
) -> None:
    await desk.channel.prepay(desk.wanted())
    if "refund" in question:
        desk.paid()
        await desk.channel.refund(desk.back())
    if fault == "hang":
        desk.channel._calls._timeout = ClientTimeout(total=0.3)  # type: ignore[attr-defined]
    desk.fault(fault, times=2)  # a question that changes nothing is asked again by the client when the line is cut
    with pytest.raises(failure):
        await QUESTIONS[question](desk)
    desk.fault(fault, times=0)
    if fault == "hang":
        return
    await QUESTIONS[question](desk)


async def test_nobody_listens(desk: Desk) -> None:
    await desk.sim._runner.cleanup()
    with pytest.raises(ChannelUnreachable):
        await desk.channel.query("pay_1")


async def test_strangers_are_refused(desk: Desk) -> None:
    """Requests signed by another key than the merchant's."""
    account = desk.channel._account  # type: ignore[attr-defined]
    import dataclasses

    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    other = generate_private_key(public_exponent=65537, key_size=2048)
    desk.channel._account = dataclasses.replace(account, key=other)  # type: ignore[attr-defined]
    with pytest.raises(ChannelRefused, match=r"SIGN_ERROR|invalid-signature"):
        await desk.channel.query("pay_1")
