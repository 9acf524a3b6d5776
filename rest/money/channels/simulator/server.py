"""The simulator as a server: both channels, the control endpoint and the page, and whoever carries the news."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from rest.money.channels.simulator.alipay import AlipaySide
from rest.money.channels.simulator.bank import Bank, News, Refusal, Trade
from rest.money.channels.simulator.keys import Identity
from rest.money.channels.simulator.wechat import WechatSide
from storage.base import codec
from storage.base.clock import Clock
from storage.base.log import log

PAGE = Path(__file__).with_name("page.html")
WAITS_S = (15, 15, 30, 180, 600)
"""Seconds between two tries to tell, as WeChat's first ones are."""
LOOK_EVERY_S = 0.5
TELL_TIMEOUT_S = 5
LATE_S = 200
"""Longer than the payment window of home service."""
OLD = timedelta(seconds=301)


class Simulator:
    """Both pretended channels on one port of this machine.

    `auto`: news is sent at once and again until it is taken. Without, it waits for `POST /control/deliver`, so that a
    test decides order, number and faults of every single message.
    """

    def __init__(self, identity: Identity, clock: Clock, *, auto: bool) -> None:
        self.bank = Bank(clock)
        self._auto = auto
        self._sides: dict[str, WechatSide | AlipaySide] = {
            "wechat": WechatSide(self.bank, identity),
            "alipay": AlipaySide(self.bank, identity),
        }
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._due: dict[int, float] = {}
        self.url = ""

    # Life

    async def start(self, port: int = 0) -> Self:
        """Listen on loopback only: whoever reaches it makes money out of nothing."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TELL_TIMEOUT_S))
        if self._auto:
            self._task = asyncio.create_task(self._carry(), name="simulator")
        return self

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._session is not None:
            await self._session.close()
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=1_048_576)
        for side in self._sides.values():
            side.add_to(app)
        app.router.add_get("/", self._page)
        app.router.add_get("/control/trades", self._trades)
        app.router.add_get("/control/news", self._news)
        app.router.add_post("/control/trades/{channel}/{number}/{verb}", self._act)
        app.router.add_post("/control/faults", self._set_faults)
        app.router.add_post("/control/bills", self._spoil_bills)
        app.router.add_post("/control/deliver", self._deliver)
        return app

    # News

    async def _carry(self) -> None:
        """Tell what is owed, and again until it is taken."""
        while True:
            self.bank.age()
            for news in self.bank.owed():
                tries = len(news.answers)
                if tries <= len(WAITS_S) and self._due.get(news.id, 0) <= time.monotonic():
                    self._due[news.id] = time.monotonic() + WAITS_S[min(tries, len(WAITS_S) - 1)]
                    await self.tell(news)
            await asyncio.sleep(LOOK_EVERY_S)

    async def tell(self, news: News, fault: str | None = None) -> int:
        """Send one notification; the status of the answer, 0 for none. Alipay's `fail` counts as 400.

        `fault`: corrupt (a changed body), probe (a signature that is wrong on purpose), old (signed too long ago),
        replay (the last message once more, as it was), raw_repeat is what a network does and no fault of theirs.
        """
        at = self.bank.now - OLD if fault == "old" else self.bank.now
        url, headers, raw = self._sides[news.channel].news(news, at=at)
        if fault == "replay" and news.sent is not None:
            headers, raw = news.sent
        news.sent = headers, raw
        if fault is not None:
            headers, raw = spoil(news.channel, fault, headers, raw)
        assert self._session is not None  # noqa: S101 - started
        try:
            async with self._session.post(url, data=raw, headers=headers) as answer:
                said = await answer.read()
                status = 400 if news.channel == "alipay" and said != b"success" else answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            log("simulator.not_told", level="warning", channel=news.channel, reason=str(problem)[:200])
            status = 0
        news.answers.append(status)
        news.is_taken = news.is_taken or status in {200, 204}
        return status

    # Control

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=PAGE.read_text("utf-8"), content_type="text/html")

    async def _trades(self, _request: web.Request) -> web.StreamResponse:
        self.bank.age()
        newest = sorted(self.bank.trades.values(), key=lambda trade: trade.number, reverse=True)[:100]
        return _json([_shown(trade) for trade in newest])

    async def _news(self, _request: web.Request) -> web.StreamResponse:
        return _json([{**asdict(news), "sent": None} for news in self.bank.news.values()])

    async def _act(self, request: web.Request) -> web.StreamResponse:
        """pay {amount_fen?, told?} | pay_late {after_s?} | fail | close | finish_refund {refund} on one trade."""
        place = request.match_info
        trade = self.bank.trades.get((place["channel"], place["number"]))
        if trade is None:
            raise web.HTTPNotFound
        body: dict[str, Any] = codec.loads(await request.read() or b"{}")
        try:
            match place["verb"]:
                case "pay":
                    self.bank.pay(trade, amount_fen=body.get("amount_fen"), told=body.get("told"))
                case "pay_late":
                    self.bank.pay_late(trade, body.get("after_s", LATE_S))
                case "fail":
                    self.bank.fail(trade)
                case "close":
                    self.bank.close(trade)
                case "finish_refund":
                    self.bank.finish_refund(trade, body["refund"])
                case _:
                    raise web.HTTPNotFound
        except Refusal as refusal:
            return _json({"code": refusal.code}, status=409)
        return _json(_shown(trade))

    async def _set_faults(self, request: web.Request) -> web.StreamResponse:
        """{"wechat.drop": 2, …, "slow_refunds": true}: how many of the next answers go wrong, and how."""
        body: dict[str, Any] = codec.loads(await request.read())
        self.bank.slow_refunds = bool(body.pop("slow_refunds", self.bank.slow_refunds))
        self.bank.faults.update({name: int(times) - self.bank.faults[name] for name, times in body.items()})
        return _json(dict(self.bank.faults))

    async def _spoil_bills(self, request: web.Request) -> web.StreamResponse:
        """{"lines": [{"channel", "number", "fault"}, …]}: what the bills of these say wrongly from now on."""
        body: dict[str, Any] = codec.loads(await request.read())
        self.bank.bill_faults.update({(line["channel"], line["number"]): line["fault"] for line in body["lines"]})
        return _json(len(self.bank.bill_faults))

    async def _deliver(self, request: web.Request) -> web.StreamResponse:
        """{"news": [{"id", "fault"?}, …]}: send these, one after the other; the status of each answer."""
        body: dict[str, Any] = codec.loads(await request.read())
        answers = []
        for wanted in body["news"]:
            news = self.bank.news.get(wanted["id"])
            if news is None:
                raise web.HTTPNotFound
            answers.append(await self.tell(news, wanted.get("fault")))
        return _json(answers)


def spoil(channel: str, fault: str, headers: dict[str, str], raw: bytes) -> tuple[dict[str, str], bytes]:
    """The message with something wrong."""
    if fault == "corrupt":
        return headers, raw.replace(b"4200", b"4201").replace(b"ciphertext", b"cipherText")
    if fault == "probe" and channel == "wechat":
        return {**headers, "Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"][19:]}, raw
    if fault == "probe":
        return headers, raw.replace(b"&sign=", b"&sign=AAAA", 1)
    return headers, raw


def _shown(trade: Trade) -> Mapping[str, Any]:
    return {
        "channel": trade.channel,
        "number": trade.number,
        "state": trade.state,
        "amount_fen": trade.amount_fen,
        "paid_fen": trade.paid_fen,
        "refunded_fen": trade.refunded_fen,
        "description": trade.description,
        "payer": trade.payer,
        "expires_at": trade.expires_at,
        "refunds": {number: refund.is_done for number, refund in trade.refunds.items()},
    }


def _json(value: Any, *, status: int = 200) -> web.Response:  # noqa: ANN401 - JSON
    return web.Response(status=status, body=codec.dumps(value), content_type="application/json")
