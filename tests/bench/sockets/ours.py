"""The transport alone, for the socket benchmark: no tokens, no limits, no feed. Does what handlers.mjs does.

python -m tests.bench.sockets.ours PORT
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Collection, Sequence
from typing import Any

import uvloop
from aiohttp import web

from hub.transport.emitter import Emitter
from hub.transport.front import listen
from hub.transport.links import Answer, Link
from hub.transport.options import EngineOptions
from hub.transport.packets import event_frame
from storage.base import codec

OK = {"ok": True}


class Rooms:
    """Everybody is in the room they name, and hears what is told to everybody."""

    namespaces: Collection[str] = ("/",)

    def __init__(self) -> None:
        self._everybody: dict[str, Link] = {}
        self._rooms: dict[str, dict[str, Link]] = {}
        self._room_of: dict[str, str] = {}

    async def admit(self, link: Link, auth: object) -> None:
        assert isinstance(auth, dict)
        self._room_of[link.sid] = auth["room"]

    async def admitted(self, link: Link) -> None:
        self._everybody[link.sid] = link
        self._rooms.setdefault(self._room_of[link.sid], {})[link.sid] = link

    def ask(self, link: Link, event: str, args: Sequence[Any], *, size: int) -> Answer | Awaitable[Answer]:
        if event in ("say", "position"):
            frame = event_frame("/", "said", codec.dumps(args[0]))
            for one in self._rooms[self._room_of[link.sid]].values():
                if one is not link:
                    one.send(frame)
        elif event == "blast":
            return self._blast(*args)
        elif event == "live":
            return self._live(*args)
        return OK

    async def _blast(self, how: str, events: int, text: str) -> Answer:
        for number in range(events):
            frame = event_frame("/", "news", codec.dumps({"n": number, "text": text}))
            for one in self._everybody.values():
                one.send(frame)
            if how == "turn":
                await asyncio.sleep(0)
        return OK

    async def _live(self, ms: int, keys: int, text: str) -> Answer:
        """Every key has a new value each 10 ms, told as the hub tells live values: only the latest need arrive."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + ms / 1000
        while loop.time() < ends:
            due = loop.time() + 0.01
            for key in map(str, range(keys)):
                frame = event_frame("/", "news", codec.dumps({"n": int(key), "text": text}))
                for one in self._everybody.values():
                    one.send_live(key, frame)
            await asyncio.sleep(max(0.0, due - loop.time()))
        return OK

    def full(self, link: Link) -> None:
        link.hang_up("slow")

    def left(self, link: Link, reason: str) -> None:
        self._everybody.pop(link.sid, None)
        name = self._room_of.pop(link.sid, "")
        if room := self._rooms.get(name):
            room.pop(link.sid, None)
            if not room:
                del self._rooms[name]


async def serve(port: int, rooms: Rooms) -> None:
    """Serve until killed."""
    options = EngineOptions(
        payload_bytes_max=100_000, buffer_bytes_max=4_000_000, connect_timeout_s=30,
        address_of=lambda request: request.remote or "",
    )  # fmt: skip
    app = web.Application()
    emitter = Emitter(rooms, options)
    emitter.attach_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await listen(runner.server, emitter.engine, "127.0.0.1", port)
    gc.freeze()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), Rooms()))
