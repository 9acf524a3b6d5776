"""The real transport with an edge that does what the checks of the clients ask of it.

`python -m tests.protocol.clients.server --port P [--uvloop]` serves Socket.IO at /socket.io/.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Collection, Sequence
from typing import Any

import uvloop
from aiohttp import web
from socketio import packet

from hub.transport.emitter import Emitter, frames_of
from hub.transport.front import listen
from hub.transport.links import Answer, Link, Refused
from hub.transport.options import EngineOptions

OPTIONS = EngineOptions(
    payload_bytes_max=100_000, buffer_bytes_max=4_000_000, connect_timeout_s=10, allowed_origins=("*",),
    address_of=lambda request: request.remote or "",
)  # fmt: skip


class Playground:
    """Each request, `on_…`, does one thing; what it was given is the answer where it gives none."""

    namespaces: Collection[str] = ("/", "/custom")

    def __init__(self) -> None:
        self.emitter = Emitter(self, OPTIONS)
        self._auth: dict[str, object] = {}
        self._links: dict[str, Link] = {}
        self._counted: defaultdict[str, list[object]] = defaultdict(list)
        self._gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._farewells: dict[str, str] = {}

    async def admit(self, link: Link, auth: object) -> None:
        wish = auth.get("wish") if isinstance(auth, dict) else None
        if wish == "refuse":
            raise Refused({"code": "forbidden", "detail": "嘀咚: not here.", "retry": False})
        if wish == "crash":
            raise ZeroDivisionError
        self._auth[link.sid] = auth

    async def admitted(self, link: Link) -> None:
        self._links[link.sid] = link
        _emit(link, "welcome", self._auth.pop(link.sid))

    def ask(self, link: Link, event: str, args: Sequence[Any], *, size: int) -> Answer | Awaitable[Answer]:
        handler = getattr(self, f"on_{event}", None)
        if handler is None:
            return {"error": {"code": "unknown_event"}}
        answer = handler(link, *args)
        return list(args) if answer is None else answer

    def full(self, link: Link) -> None:
        link.hang_up("slow")

    def left(self, link: Link, reason: str) -> None:
        self._links.pop(link.sid, None)
        self._farewells[link.sid] = reason

    def on_echo(self, _link: Link, *_args: object) -> None: ...

    def on_emit_back(self, link: Link, *args: object) -> None:
        _emit(link, "back", *args)

    def on_count(self, _link: Link, key: str, number: int) -> Awaitable[Answer] | None:
        """Each seventh takes a moment, for which the others have to wait."""
        if number % 7 == 0:
            return self._count_later(key, number)
        self._counted[key].append(number)
        return None

    async def _count_later(self, key: str, number: int) -> Answer:
        await asyncio.sleep(0)
        self._counted[key].append(number)
        return [key, number]

    async def on_hold(self, _link: Link, key: str, number: int) -> Answer:
        """Count when somebody says `release`."""
        await self._gates[key].wait()
        self._counted[key].append(number)
        return []

    def on_release(self, _link: Link, key: str) -> None:
        self._gates[key].set()

    def on_counted(self, _link: Link, key: str) -> list[object]:
        return [self._counted[key]]

    def on_flood(self, link: Link, count: int) -> None:
        """Numbered events; each third one has an attachment, which must stay with it."""
        for n in range(count):
            _emit(link, "tick", n, *([n.to_bytes(2, "big")] if n % 3 == 0 else []))

    def on_kick(self, link: Link) -> None:
        self.emitter.dismiss(link, "kicked")

    def on_hang_up(self, _link: Link, sid: str) -> None:
        self._links[sid].hang_up("moving")

    def on_farewell(self, _link: Link, sid: str) -> list[object]:
        return [self._farewells.get(sid)]

    def on_cut(self, link: Link) -> None:
        """Cut the connection; what is answered afterwards is lost with it."""
        session = self.emitter.engine.session_of(link.session_sid)
        assert session is not None
        session.close(abort=True, reason="cut")

    def on_count_and_cut(self, link: Link, key: str, number: int) -> None:
        """Count, but cut the connection when it is the third to come."""
        self._counted[key].append(number)
        if len(self._counted[key]) == 3:
            self.on_cut(link)


def _emit(link: Link, event: str, *args: object) -> None:
    link.send_all(frames_of(packet.EVENT, link.namespace, [event, *args]))


async def _serve_for_ever(port: int) -> None:
    emitter = Playground().emitter
    app = web.Application()
    emitter.attach_to(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await listen(runner.server, emitter.engine, "127.0.0.1", port)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--uvloop", action="store_true")
    arguments = parser.parse_args()
    loop_factory = uvloop.new_event_loop if arguments.uvloop else None
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve_for_ever(arguments.port))


if __name__ == "__main__":
    main()
