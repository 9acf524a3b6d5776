"""The transport alone for `bench_sockets`: `blast [n, text]` sends n events to everybody, anything else is acked."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Collection, Sequence
from typing import Any

import uvloop
from aiohttp import web

from hub.transport.emitter import Emitter, Link, event_frame
from hub.transport.front import listen
from hub.transport.options import EngineOptions
from storage.base import codec


class Room:
    """Everybody is in one room."""

    namespaces: Collection[str] = ("/",)

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}

    async def admit(self, link: Link, auth: object) -> None: ...

    async def admitted(self, link: Link) -> None:
        self._links[link.sid] = link

    async def ask(self, link: Link, event: str, args: Sequence[object], *, size: int) -> dict[str, Any] | list[Any]:  # noqa: ARG002
        if event != "blast":
            return {"ok": True}
        count, text = args
        assert isinstance(count, int)  # noqa: S101 - the bench's own request
        for number in range(count):
            frame = event_frame("/", "news", codec.dumps({"n": number, "text": text}))
            for one in self._links.values():
                one.send(frame)
            await asyncio.sleep(0)
        return {"ok": True}

    def full(self, link: Link) -> None:
        link.hang_up("slow")

    async def left(self, link: Link, reason: str) -> None:  # noqa: ARG002
        self._links.pop(link.sid, None)


async def serve(port: int) -> None:
    """Serve until killed."""
    options = EngineOptions(
        payload_bytes_max=100_000, buffer_bytes_max=4_000_000, connect_timeout_s=30,
        address_of=lambda request: request.remote or "",
    )  # fmt: skip
    app = web.Application()
    emitter = Emitter(Room(), options)
    emitter.attach_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await listen(runner.server, emitter.engine, "127.0.0.1", port)
    gc.freeze()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
