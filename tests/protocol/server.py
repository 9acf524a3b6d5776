"""The real transport with the handlers that the official protocol suites expect.

`python -m tests.protocol.server --port P [--engine] [--uvloop]` serves Socket.IO at /socket.io/, or with `--engine`
Engine.IO at /engine.io/, so that anyone can point the suites of the Socket.IO project at it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from aiohttp import web
from socketio import packet

from hub.transport.emitter import Emitter
from hub.transport.engine import Engine, Session
from hub.transport.front import listen
from hub.transport.links import Link
from hub.transport.options import EngineOptions
from hub.transport.packets import Frame, frames_of
from tests.live import free_port

OPTIONS = EngineOptions(
    payload_bytes_max=1_000_000, buffer_bytes_max=4_000_000, connect_timeout_s=1.2, ping_interval_s=0.3,
    ping_timeout_s=0.2, allowed_origins=("*",), address_of=lambda request: request.remote or "",
)  # fmt: skip


class Echo:
    """`message` comes back as `message-back`, `message-with-ack` as its ack; `auth` tells what one said at connect."""

    namespaces: Collection[str] = ("/", "/custom")

    def __init__(self) -> None:
        self._said: dict[str, object] = {}

    async def admit(self, link: Link, auth: object) -> None:
        self._said[link.sid] = auth or {}

    async def admitted(self, link: Link) -> None:
        link.send_all(frames_of(packet.EVENT, link.namespace, ["auth", self._said[link.sid]]))

    def ask(self, link: Link, event: str, args: Sequence[object], *, size: int) -> dict[str, Any] | list[Any]:  # noqa: ARG002
        if event == "message":
            link.send_all(frames_of(packet.EVENT, link.namespace, ["message-back", *args]))
        return list(args)

    def full(self, link: Link) -> None:
        link.hang_up("slow")

    def left(self, link: Link, reason: str) -> None:  # noqa: ARG002
        self._said.pop(link.sid, None)


class EngineEcho:
    """Every message of one session comes back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        asyncio.get_running_loop().call_soon(session.in_company)

    def heard(self, data: str | bytes) -> None:
        self._session.put(Frame(data, is_binary=True) if isinstance(data, bytes) else Frame(b"4" + data.encode()))

    def gone(self, reason: str) -> None: ...


def echo_engine() -> Engine:
    """Engine.IO alone."""
    engine = Engine(OPTIONS)
    engine.on_open = EngineEcho
    return engine


@asynccontextmanager
async def serving(*, engine: bool, port: int | None = None) -> AsyncIterator[str]:
    """Serve until the block ends; its base URL."""
    app = web.Application()
    if engine:
        the_engine = echo_engine()
        the_engine.attach(app, "engine.io")
    else:
        emitter = Emitter(Echo(), OPTIONS)
        emitter.attach_to(app)
        the_engine = emitter.engine
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = port or free_port()
    server = await listen(runner.server, the_engine, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        await the_engine.finish()
        await runner.cleanup()


async def _serve_for_ever(port: int, *, engine: bool) -> None:
    async with serving(engine=engine, port=port) as url:
        print(f"listening at {url}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", action="store_true", help="Engine.IO at /engine.io/ instead of Socket.IO")
    parser.add_argument("--uvloop", action="store_true")
    arguments = parser.parse_args()
    loop_factory = uvloop.new_event_loop if arguments.uvloop else None
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve_for_ever(arguments.port, engine=arguments.engine))


if __name__ == "__main__":
    main()
