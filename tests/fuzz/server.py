"""The real transport in a process of its own, to be attacked, and a page that tells how it fares.

`python -m tests.fuzz.server --port P` serves Socket.IO at /socket.io/ and its own state at /census.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import json
import logging
import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web
from socketio import packet

from hub.transport.emitter import Emitter
from hub.transport.front import listen
from hub.transport.links import Link
from hub.transport.options import EngineOptions
from hub.transport.packets import frames_of
from rest.edge.runner import ProblemRunner
from storage.base import log

OPTIONS = EngineOptions(
    payload_bytes_max=16_384, buffer_bytes_max=65_536, connect_timeout_s=2, ping_interval_s=1, ping_timeout_s=2,
    address_of=lambda request: request.remote or "",
)  # fmt: skip
BEAT_S = 0.002
KEPT = 20


class Floor:
    """Echoes, some of it at once and some later; whispers go to the one client that was named at connect."""

    namespaces: Collection[str] = ("/", "/custom")

    def __init__(self) -> None:
        self.links: dict[Link, object] = {}
        self._named: dict[str, Link] = {}

    async def admit(self, link: Link, auth: object) -> None:
        self.links[link] = auth
        await asyncio.sleep(0)

    async def admitted(self, link: Link) -> None:
        match self.links.get(link):
            case {"name": str(name)}:
                self._named[name] = link

    def ask(self, link: Link, event: str, args: Sequence[object], *, size: int) -> Any:
        if event == "message":
            link.send_all(frames_of(packet.EVENT, link.namespace, ["message-back", *args]))
        if event == "give":
            return self._later(list(args))
        if event == "whisper":
            match self.links.get(link):
                case {"to": str(name)} if name in self._named:
                    self._named[name].send_all(frames_of(packet.EVENT, link.namespace, ["whisper", *args]))
        return list(args)

    async def _later(self, answer: list[object]) -> list[object]:
        await asyncio.sleep(0)
        return answer

    def full(self, link: Link) -> None:
        link.hang_up("slow")

    def left(self, link: Link, reason: str) -> None:
        assert reason
        self.links.pop(link, None)


class Meter:
    """What goes wrong, and how long the loop is busy without a pause: in CPU time, for others use this machine too."""

    def __init__(self) -> None:
        self.unhandled: list[str] = []
        self.lines: Counter[str] = Counter()
        self.alarms: list[str] = []
        self._loop = asyncio.get_running_loop()
        self._worst_s = 0.0
        self._spent = time.thread_time()
        self._loop.set_exception_handler(self._caught)
        log.direct_to(_Lines(self))
        logging.basicConfig(handlers=[_Handler(self)], level=logging.INFO)
        self._beat()

    def write(self, event: str, line: str, *, alarming: bool) -> None:
        self.lines[event] += 1
        if alarming and len(self.alarms) < KEPT:
            self.alarms.append(line[:3_000])

    def _caught(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        problem = context.get("exception")
        if len(self.unhandled) < KEPT:
            self.unhandled.append(f"{context.get('message')}: {problem!r}")

    def _beat(self) -> None:
        spent = time.thread_time()
        self._worst_s, self._spent = max(self._worst_s, spent - self._spent), spent
        self._loop.call_later(BEAT_S, self._beat)

    def worst_ms(self) -> float:
        return round(self._worst_s * 1_000, 1)

    def begin_anew(self) -> None:
        """Forget what the measuring itself has cost."""
        self._worst_s, self._spent = 0.0, time.thread_time()


class _Lines(io.StringIO):
    """The hub's own log."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def write(self, line: str) -> int:
        fact = json.loads(line)
        self._meter.write(fact["event"], line, alarming=fact["level"] == "error")
        return len(line)


class _Handler(logging.Handler):
    """What libraries say."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def emit(self, record: logging.LogRecord) -> None:
        self._meter.write(record.name, self.format(record), alarming=record.levelno >= logging.ERROR)


async def serve(port: int) -> None:
    floor, meter = Floor(), Meter()
    emitter = Emitter(floor, OPTIONS)

    async def census(_request: web.Request) -> web.Response:
        worst_ms = meter.worst_ms()
        gc.collect()
        meter.begin_anew()
        counted = {
            "sessions": emitter.sessions, "links": len(floor.links), "tasks": len(asyncio.all_tasks()),
            "files": len(list(Path("/proc/self/fd").iterdir())), "lines": meter.lines, "unhandled": meter.unhandled,
            "alarms": meter.alarms, "worst_ms": worst_ms,
        }  # fmt: skip
        return web.json_response(counted)

    app = web.Application()
    emitter.attach_to(app)
    app.router.add_get("/census", census)
    runner = ProblemRunner(app, lingering_time=1)  # it goes on reading bodies that were refused, for clients long gone
    await runner.setup()
    await listen(runner.server, emitter.engine, "127.0.0.1", port)
    print(f"listening at {port}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--uvloop", action="store_true")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if arguments.uvloop else None) as runner:
        runner.run(serve(arguments.port))


if __name__ == "__main__":
    main()
