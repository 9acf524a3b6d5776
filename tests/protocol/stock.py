"""python-socketio as it is released, and our transport, each serving the same application to be compared.

The application: `auth` is answered with what was said at connect, every other event with its own arguments; `message`
also comes back as `message-back`. At connect one may ask to be refused, greeted, or to crash the handler.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import socketio
from aiohttp import web
from socketio import packet

from hub.transport.emitter import Emitter
from hub.transport.front import listen
from hub.transport.links import Link, Refused
from hub.transport.packets import frames_of
from tests.protocol import server

OPTIONS = replace(
    server.OPTIONS, payload_bytes_max=100_000, buffer_bytes_max=400_000, connect_timeout_s=30, ping_interval_s=25.5,
    ping_timeout_s=20, allowed_origins=(),
)  # fmt: skip
CRASH, REFUSE, GREET = {"crash": True}, {"refuse": True}, {"greet": True}
REFUSAL = {"code": "no", "detail": "Not you."}

Serving = Callable[[], AbstractAsyncContextManager[str]]
"""Serves until the block ends; gives the base URL."""


class Application(server.Echo):
    """For our transport."""

    async def admit(self, link: Link, auth: object) -> None:
        if auth == CRASH:
            raise ZeroDivisionError
        if auth == REFUSE:
            raise Refused(REFUSAL)
        self._said[link.sid] = auth or {}

    async def admitted(self, link: Link) -> None:
        if self._said[link.sid] == GREET:
            link.send_all(frames_of(packet.EVENT, link.namespace, ["hello"]))

    async def ask(self, link: Link, event: str, args: Sequence[object], *, size: int) -> Any:
        if event == "auth":
            return [self._said[link.sid]]
        if event == "message":
            link.send_all(frames_of(packet.EVENT, link.namespace, ["message-back", *args]))
        return list(args)


def stock_server() -> socketio.AsyncServer:
    """Set up as its documentation has it, but for handlers that run in order: without it nothing can be compared."""
    stock = socketio.AsyncServer(
        async_mode="aiohttp",
        async_handlers=False,
        ping_interval=OPTIONS.ping_interval_s,
        ping_timeout=OPTIONS.ping_timeout_s,
        max_http_buffer_size=OPTIONS.payload_bytes_max,
    )
    for namespace in server.Echo.namespaces:
        _add_application(stock, namespace)
    return stock


def _add_application(stock: socketio.AsyncServer, namespace: str) -> None:
    said: dict[str, Any] = {}

    async def connect(sid: str, _environ: dict[str, Any], auth: Any) -> None:
        if auth == CRASH:
            raise ZeroDivisionError
        if auth == REFUSE:
            raise socketio.exceptions.ConnectionRefusedError(REFUSAL["code"], {"error": REFUSAL})
        said[sid] = auth or {}
        if auth == GREET:
            await stock.emit("hello", to=sid, namespace=namespace)

    async def ask(event: str, sid: str, *args: Any) -> tuple[Any, ...]:
        if event == "auth":
            return (said[sid],)
        if event == "message":
            await stock.emit("message-back", args, to=sid, namespace=namespace)
        return args

    stock.on("connect", connect, namespace=namespace)
    stock.on("*", ask, namespace=namespace)


@asynccontextmanager
async def serving_stock() -> AsyncIterator[str]:
    app = web.Application()
    stock = stock_server()
    stock.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await stock.shutdown()
        await runner.cleanup()


@asynccontextmanager
async def serving_ours() -> AsyncIterator[str]:
    app = web.Application()
    emitter = Emitter(Application(), OPTIONS)
    emitter.attach_to(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    door = await listen(runner.server, emitter.engine, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{door.sockets[0].getsockname()[1]}"
    finally:
        door.close()
        await emitter.finish()
        await runner.cleanup()
