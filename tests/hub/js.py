"""The official JavaScript client as a child process, and a road to a hub that can be cut or lead elsewhere."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(
    NODE is None or not (ROOT / "node_modules/socket.io-client").exists(),
    reason="needs node and the npm package socket.io-client (make test installs it)",
)


class JsPhone:
    """`phone.mjs` as a child."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.heard: list[tuple[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, url: str, namespace: str, auth: dict[str, Any], transports: str = "websocket") -> Self:
        process = await asyncio.create_subprocess_exec(
            str(NODE), str(Path(__file__).with_name("phone.mjs")), url, namespace, json.dumps(auth), transports,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        return cls(process)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event, body = json.loads(line)
            self.heard.append((event, body))

    def bodies(self, event: str) -> list[Any]:
        return [body for name, body in self.heard if name == event]

    def bells(self) -> list[int]:
        return [body["n"] for body in self.bodies("order.bell_rung")]

    async def until(self, done: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(8):
                while not done():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"it did not happen; heard {str(self.heard)[-1_500:]}") from None

    def tell(self, event: str, body: Any = None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([event, body]).encode() + b"\n")

    async def ask(self, event: str, body: Any) -> Any:
        count = len(self.bodies(f"ack {event}"))
        self.tell(event, body)
        await self.until(lambda: len(self.bodies(f"ack {event}")) > count)
        return self.bodies(f"ack {event}")[-1]

    async def close(self) -> None:
        self._process.kill()
        await self._process.wait()
        await self._reading


class Road:
    """A port that leads to a hub: it can be cut, closed, and made to lead to another one."""

    def __init__(self) -> None:
        self._writers: set[asyncio.StreamWriter] = set()
        self._from_phones: set[asyncio.StreamWriter] = set()
        self._strands = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.url = ""
        self.leads_to: str | None = None

    async def open(self, leads_to: str) -> None:
        self.leads_to = leads_to
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._from_phones.add(writer)
        if self.leads_to is None:
            writer.transport.abort()
            return
        at = urlsplit(self.leads_to)
        there, back = await asyncio.open_connection(at.hostname, at.port)
        self._writers.add(back)
        for source, target in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._carry(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def cut(self) -> None:
        """End every connection without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def strand(self) -> None:
        """Cut the phones off in a way no hub can notice."""
        self._strands = True
        for writer in self._from_phones:
            writer.transport.abort()
        self._from_phones.clear()

    async def close(self) -> None:
        self.leads_to = None
        self.cut()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                target.write(data)
        except ConnectionError:
            pass
        finally:
            if not self._strands:
                target.transport.abort()
