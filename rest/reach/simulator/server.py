"""The simulator as a server: four providers, the control endpoint and the page."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

from rest.reach.simulator.keys import Identity
from rest.reach.simulator.providers import Aliyun, Answer, Jpush, Robot, Sending, Wechat
from storage.base import codec
from storage.base.clock import Clock

SENT_MAX = 1_000
FAULTS = ("hang", "down", "limit", "drop")
"""Before the work: no answer for long, 503, too many. After it: the answer is lost."""
HANG_S = 30


class NoticeSimulator:
    """All pretended providers on one port of this machine. `sent` is what devices and people would have got."""

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self.sent: list[Sending] = []
        self.asked: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.released = asyncio.Event()
        self.jpush = Jpush(identity, self._take)
        self.aliyun = Aliyun(identity, self._take)
        self.wechat = Wechat(identity, clock, self._take)
        self.robot = Robot(identity, clock, self._take)
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        self.url = ""

    def _take(self, sending: Sending) -> None:
        self.sent.append(sending)
        del self.sent[:-SENT_MAX]

    async def start(self, port: int = 0) -> Self:
        """Listen on loopback only: it shows everybody's messages."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        self.released.set()
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v3/push/cid", self._provider("cid", self.jpush.cid))
        app.router.add_post("/v3/push", self._provider("jpush", self.jpush.push))
        app.router.add_post("/aliyun/", self._provider("aliyun", self.aliyun.send))
        app.router.add_post("/cgi-bin/stable_token", self._provider("token", self.wechat.token))
        app.router.add_post("/cgi-bin/message/subscribe/send", self._provider("wechat", self.wechat.send))
        app.router.add_post("/cgi-bin/webhook/send", self._provider("wecom", self.robot.send))
        app.router.add_get("/", self._page)
        app.router.add_get("/control/sent", self._sent)
        app.router.add_post("/control/faults", self._set_faults)
        return app

    def _provider(
        self, name: str, answer: Callable[[web.Request, bytes], Awaitable[Answer]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.asked[name] += 1
            raw = await request.read()
            fault = next((fault for fault in FAULTS if self._strikes(f"{name}.{fault}")), "")
            if fault == "hang":
                async with asyncio.timeout(HANG_S):
                    await self.released.wait()
            if fault == "down":
                return web.Response(status=503, text="Service Unavailable")
            found = await answer(request, raw) if fault != "limit" else LIMITED[name]
            if fault == "drop" and request.transport is not None:
                request.transport.abort()
            return web.Response(
                status=found.status,
                body=codec.dumps(found.body),
                content_type="application/json",
                headers=found.headers,
            )

        return handle

    def _strikes(self, fault: str) -> bool:
        """Whether this fault is due; a negative count is due for ever."""
        if self.faults[fault] == 0:
            return False
        self.faults[fault] -= 1 if self.faults[fault] > 0 else 0
        return True

    # Control

    async def _set_faults(self, request: web.Request) -> web.StreamResponse:
        """{"jpush.drop": 2, "aliyun.down": -1, …}: how many of the next questions go wrong, and how."""
        body: dict[str, int] = codec.loads(await request.read())
        self.faults.update({name: times - self.faults[name] for name, times in body.items()})
        return _json(dict(self.faults))

    async def _sent(self, _request: web.Request) -> web.StreamResponse:
        return _json([sending.shown() for sending in reversed(self.sent)])

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=PAGE, content_type="text/html", charset="utf-8")


LIMITED = {
    "cid": Answer(429, {"error": {"code": 2002, "message": "Rate limit exceeded"}}, {"X-Rate-Limit-Reset": "7"}),
    "jpush": Answer(429, {"error": {"code": 2002, "message": "Rate limit exceeded"}}, {"X-Rate-Limit-Reset": "7"}),
    "aliyun": Answer(200, {"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "触发小时级流控", "RequestId": "R"}),
    "token": Answer(200, {"errcode": 45009, "errmsg": "reach max api daily quota limit"}),
    "wechat": Answer(200, {"errcode": 45009, "errmsg": "reach max api daily quota limit"}),
    "wecom": Answer(200, {"errcode": 45009, "errmsg": "api freq out of limit"}),
}

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Notices</title>
<style>body{font:15px system-ui;margin:2rem}
td,th{padding:.3rem .8rem;text-align:left;border-bottom:1px solid #ddd}</style>
<h1>What phones would have got</h1><table><thead><tr><th>way<th>to<th>title<th>text</thead><tbody></tbody></table>
<script>
const body = document.querySelector("tbody");
async function show() {
  const sent = await (await fetch("/control/sent")).json();
  body.replaceChildren(...sent.map(one => {
    const row = document.createElement("tr");
    for (const name of ["provider", "address", "title", "text"]) row.insertCell().textContent = one[name];
    return row;
  }));
}
show();
setInterval(show, 2000);
</script>
"""


def _json(value: Any) -> web.Response:  # noqa: ANN401 - JSON
    return web.Response(body=codec.dumps(value), content_type="application/json")
