"""Bills of both channels: files of the real ones, made by the simulator of what it did, read as one kind of line."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from alipay import AliPay
from hypothesis import given
from hypothesis import strategies as st
from wechatpayv3.core import Core

from rest.money.channels import ChannelRefused, ChannelUnreachable, wechat_bill
from rest.money.channels.bills import BillBroken, BillLine, BillNotReady, fen_of
from rest.money.channels.model import Channel, Prepay, RefundOrder
from rest.money.channels.simulator import Identity, Simulator
from rest.money.channels.simulator.bills import OTHER_MERCHANT, Item, wechat_file
from rest.money.channels.wiring import Channels
from storage.base.clock import ManualClock, business_day, day_begins
from tests.conftest import MONDAY
from tests.money.channels.conftest import BOTH
from tests.money.channels.test_oracles import core, sdk

__all__ = ["core", "sdk"]

DAY = business_day(MONDAY)


@dataclass
class Clerk:
    """One channel, a day of business behind it, and a place for its bill."""

    channel: Channel
    sim: Simulator
    clock: ManualClock
    path: Path

    @property
    def name(self) -> str:
        return self.channel.name

    async def pay(self, number: str, fen: int) -> None:
        until = self.clock.now() + timedelta(minutes=3)
        wanted = Prepay(out_trade_no=number, amount_fen=fen, description="深层清洁, 二次", expires_at=until, payer=None)
        await self.channel.prepay(wanted)
        trade = self.sim.bank.find(self.name, number)
        assert trade is not None
        self.sim.bank.pay(trade)

    async def refund(self, number: str, refund: str, fen: int, total: int) -> None:
        await self.channel.refund(
            RefundOrder(out_trade_no=number, out_refund_no=refund, amount_fen=fen, total_fen=total, reason="x")
        )

    async def bill(self, day: date = DAY) -> list[BillLine]:
        await self.channel.fetch_bill(day, self.path)
        return list(self.channel.read_bill(self.path))


@pytest.fixture(params=BOTH)
async def clerk(
    request: pytest.FixtureRequest, sim: Simulator, channels: Channels, clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Clerk]:
    clerk = Clerk(channels.get(request.param), sim, clock, tmp_path / "bill")
    await clerk.pay("pay_1", 40_900)
    await clerk.pay("pay_2", 1)
    await clerk.refund("pay_1", "rfd_1", 900, 40_900)
    clock.advance(hours=24)
    yield clerk


async def test_a_bill_tells_what_happened(clerk: Clerk) -> None:
    paid, small, back = sorted(await clerk.bill(), key=lambda line: (line.kind, line.out_trade_no))
    trade = clerk.sim.bank.trades[clerk.name, "pay_1"]
    assert paid == (
        "payment", "pay_1", "", trade.trade_no, 40_900, 245, MONDAY, "done", clerk.channel.merchant
    )  # fmt: skip
    assert (small.out_trade_no, small.amount_fen, small.fee_fen) == ("pay_2", 1, 0)
    assert back[:6] == ("refund", "pay_1", "rfd_1", trade.trade_no, 900, -5)
    assert await clerk.bill(DAY - timedelta(days=1)) == []


async def test_a_bill_is_not_ready_before_its_hour(clerk: Clerk) -> None:
    hour = {"wechat": 10, "alipay": 9}[clerk.name]
    at = day_begins(DAY) + timedelta(days=2, hours=hour)
    clerk.clock.advance(seconds=(at - clerk.clock.now()).total_seconds() - 1)
    with pytest.raises(BillNotReady):
        await clerk.bill(DAY + timedelta(days=1))
    clerk.clock.advance(seconds=1)
    assert await clerk.bill(DAY + timedelta(days=1)) == []
    clerk.sim.bank.faults[f"{clerk.name}.bill_late"] = 1
    with pytest.raises(BillNotReady):
        await clerk.bill()
    assert len(await clerk.bill()) == 3


async def test_a_damaged_file_is_no_bill(clerk: Clerk) -> None:
    clerk.sim.bank.faults[f"{clerk.name}.bill_broken"] = 1
    with pytest.raises(BillBroken):
        await clerk.bill()
    assert len(await clerk.bill()) == 3


@pytest.mark.parametrize(("fault", "failure"), [("refuse", ChannelRefused), ("drop", ChannelUnreachable)])
async def test_asking_for_a_bill_fails_as_every_question(clerk: Clerk, fault: str, failure: type[Exception]) -> None:
    clerk.sim.bank.faults[f"{clerk.name}.{fault}"] = 2
    with pytest.raises(failure):
        await clerk.bill()


@pytest.mark.parametrize("fault", ["missing", "amount", "fee", "state", "date", "twice", "merchant", "extra"])
async def test_every_fault_is_in_the_file(clerk: Clerk, fault: str) -> None:
    """So that nothing that is proven with faults is proven with a bill that has none."""
    if (clerk.name, fault) == ("alipay", "state"):
        return  # its bill has no column for it
    good = await clerk.bill()
    if fault == "extra":
        clerk.sim.bank.faults[f"{clerk.name}.bill_extra"] = 1
    else:
        clerk.sim.bank.bill_faults[clerk.name, "pay_1"] = fault
        clerk.sim.bank.bill_faults[clerk.name, "rfd_1"] = fault
    clerk.clock.advance(hours=24)
    bad = await clerk.bill()
    assert len(bad) == {"missing": 1, "date": 1, "twice": 5, "extra": 4}.get(fault, 3)
    assert bad != good
    if fault == "merchant":
        assert [line.merchant for line in bad].count(OTHER_MERCHANT[clerk.name]) == 2


async def test_the_kit_of_wechat_gets_the_same_file(  # noqa: PLR0917 - fixtures
    identity: Identity, core: Core, sim: Simulator, channels: Channels, clock: ManualClock, tmp_path: Path
) -> None:
    """Its question is ours, its download too, and what it has in hand we read."""
    from wechatpayv3.transaction import download_bill, trade_bill

    clerk = Clerk(channels.get("wechat"), sim, clock, tmp_path / "bill")
    await clerk.pay("pay_1", 40_900)
    clock.advance(hours=24)
    core._gate_way = sim.url

    class Kit:
        _core, _partner_mode = core, False

    status, told = await asyncio.to_thread(trade_bill, Kit, DAY.isoformat())
    assert status == 200
    answer = json.loads(told)
    status, raw = await asyncio.to_thread(download_bill, Kit, answer["download_url"])
    assert status == 200
    (tmp_path / "theirs").write_bytes(raw)
    wechat_bill.check_hash(tmp_path / "theirs", answer["hash_type"], answer["hash_value"])
    assert list(wechat_bill.read(tmp_path / "theirs")) == await clerk.bill()


async def test_the_kit_of_alipay_asks_the_same(
    sdk: AliPay, sim: Simulator, channels: Channels, clock: ManualClock, tmp_path: Path
) -> None:
    from urllib.request import urlopen

    clerk = Clerk(channels.get("alipay"), sim, clock, tmp_path / "bill")
    await clerk.pay("pay_1", 40_900)
    clock.advance(hours=24)
    sdk._gateway = f"{sim.url}/gateway.do"
    asked = {"bill_type": "trade", "bill_date": DAY.isoformat()}
    told = await asyncio.to_thread(sdk.server_api, "alipay.data.dataservice.bill.downloadurl.query", asked)
    raw: Any = await asyncio.to_thread(lambda: urlopen(told["bill_download_url"]).read())  # noqa: ASYNC210, S310
    (tmp_path / "theirs").write_bytes(raw)
    assert list(clerk.channel.read_bill(tmp_path / "theirs")) == await clerk.bill()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("change", ["cut", "a line less", "a column less", "an amount", "a word", "nothing", "bytes"])
def test_a_file_with_something_wrong_is_broken(tmp_path: Path, packed: bool, change: str) -> None:
    item = Item(number="pay_1", trade_no="4200", amount_fen=100, fee_fen=1, at=MONDAY, merchant="1")
    raw, _ = wechat_file([item, item], "wx1", packed=False)
    lines = raw.splitlines(keepends=True)
    spoiled = {
        "cut": b"".join(lines[:-1]),
        "a line less": b"".join([*lines[:1], *lines[2:]]),
        "a column less": raw.replace("手续费,".encode(), b"", 1),
        "an amount": b"".join([lines[0], lines[1].replace(b"`1.00", b"`2.00"), *lines[2:]]),
        "a word": b"".join([lines[0], lines[1].replace(b"`1.00", b"`l.OO"), *lines[2:]]),
        "nothing": b"",
        "bytes": raw.replace("交易时间".encode(), b"\xff\xfe", 1),
    }[change]
    path = tmp_path / "bill"
    path.write_bytes(gzip.compress(spoiled) if packed else spoiled)
    with pytest.raises(BillBroken):
        list(wechat_bill.read(path))


@given(st.integers(-(10**12), 10**12), st.sampled_from(["", "000"]))
def test_amounts_of_bills_are_read_to_the_fen(fen: int, more: str) -> None:
    assert fen_of(f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02}{more}") == fen
