"""A raw client of a realtime server: what a test says goes out as it stands, what comes back is handed over as it came.

Nothing here knows Socket.IO, and of Engine.IO only that packets in one poll are parted by \\x1e and that a ping ("2")
wants a pong ("3"). All waits are bounded: a server that stays silent is a `TimeoutError`, not a hung test.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

POLLING = "EIO=4&transport=polling"
WEBSOCKET = "EIO=4&transport=websocket"

PING, PONG, NOOP, CLOSE = "2", "3", "6", "1"
PROBE, PROBED, UPGRADE = "2probe", "3probe", "5"
SEPARATOR = "\x1e"

PING_INTERVAL_MS = 300
PING_TIMEOUT_MS = 200
MAX_PAYLOAD_BYTES = 1_000_000

PATIENCE_S = 5.0
"""How long anything may take on a loaded machine; far more than both heartbeat times."""

Answer = tuple[int, str]
"""Status and body of an HTTP response."""

_ENDS = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)
_PACKETS = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


class Wire:
    """A client of the server at one path.

    Where the reference implementation is looser than its own specification, only our server is held to the letter:
    `is_ours` says whether it is the one that is asked.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, *, is_ours: bool) -> None:
        self._http = http
        self._url = url
        self.is_ours = is_ours

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str, *, is_ours: bool) -> AsyncIterator[Self]:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_tell_it_is_sent)
        async with aiohttp.ClientSession(trace_configs=[trace]) as http:
            yield cls(http, url, is_ours=is_ours)

    async def ask(
        self, method: str, query: str, body: str | None = None, *, sent: asyncio.Event | None = None
    ) -> Answer:
        """One HTTP request; `sent` is set when it is on its way."""
        request = self._http.request(method, f"{self._url}?{query}", data=body, trace_request_ctx=sent)
        async with asyncio.timeout(PATIENCE_S), request as answer:
            return answer.status, await answer.text()

    async def poll_open(self) -> Polling:
        """A new session over HTTP long-polling."""
        _, text = await self.ask("GET", POLLING)
        return Polling(self, str(hello(text)["sid"]))

    @asynccontextmanager
    async def websocket(self, query: str = WEBSOCKET) -> AsyncIterator[Socket]:
        """A WebSocket of which nothing has been read yet."""
        brief = aiohttp.ClientWSTimeout(ws_close=1)
        async with asyncio.timeout(PATIENCE_S):
            ws = await self._http.ws_connect(f"{self._url}?{query}", timeout=brief)
        async with ws:
            yield Socket(ws)

    @asynccontextmanager
    async def socket_open(self) -> AsyncIterator[Socket]:
        """A new session over a WebSocket."""
        async with self.websocket() as socket:
            hello(await socket.receive())
            yield socket

    async def turns_away(self, query: str) -> bool:
        """A WebSocket is refused with 400, or let in only to be dropped before anything is said."""
        try:
            async with self.websocket(query) as socket:
                return await socket.receive() is None
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status == 400
        except ConnectionError:
            # Node.js lets some in, and then writes an HTTP refusal where a frame should be.
            return not self.is_ours

    async def settle(self) -> None:
        """Returns when the server has taken up whatever was sent before.

        A request that is refused out of hand is answered after those that came first, however slow the machine is.
        """
        await self.ask("GET", "")


async def _tell_it_is_sent(_http: aiohttp.ClientSession, context: Any, _params: Any) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.set()


def hello(packet: str | bytes | None) -> dict[str, Any]:
    """What the server says of itself in the first packet of a session."""
    if not isinstance(packet, str) or not packet.startswith("0"):
        raise ValueError(f"not an opening packet: {packet!r}")
    return dict(json.loads(packet[1:]))


class Polling:
    """A session over HTTP long-polling."""

    def __init__(self, wire: Wire, sid: str) -> None:
        self._wire = wire
        self.sid = sid

    async def poll(self) -> Answer:
        return await self._wire.ask("GET", f"{POLLING}&sid={self.sid}")

    async def post(self, body: str) -> Answer:
        return await self._wire.ask("POST", f"{POLLING}&sid={self.sid}", body)

    async def hear(self) -> str:
        """The next payload, without pings, which are answered."""
        while True:
            status, text = await self.poll()
            if status != 200:
                raise ConnectionError(f"the poll was answered {status}: {text}")
            packets = text.split(SEPARATOR)
            if PING in packets:
                await self.post(PONG)
            if others := [packet for packet in packets if packet != PING]:
                return SEPARATOR.join(others)

    async def begin_poll(self) -> asyncio.Task[Answer]:
        """A poll that waits in the server."""
        sent = asyncio.Event()
        waiting = asyncio.create_task(self._wire.ask("GET", f"{POLLING}&sid={self.sid}", sent=sent))
        await asyncio.wait_for(sent.wait(), PATIENCE_S)
        await self._wire.settle()
        return waiting

    async def is_gone(self) -> bool:
        """The server knows this session no more, and that without a missed heartbeat: pongs keep it alive."""
        for _ in range(round(PATIENCE_S / 0.02)):
            if (await self.post(PONG))[0] == 400:
                return True
            await asyncio.sleep(0.02)
        return False

    @asynccontextmanager
    async def probing(self) -> AsyncIterator[Socket]:
        """A WebSocket beside this session, which answered the probe and has not taken over yet."""
        async with self._wire.websocket(f"{WEBSOCKET}&sid={self.sid}") as socket:
            await socket.say(PROBE)
            if (answer := await socket.receive()) != PROBED:
                raise ConnectionError(f"the probe was answered {answer!r}")
            yield socket


class Socket:
    """A session over a WebSocket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws

    async def say(self, *packets: str | bytes) -> None:
        for packet in packets:
            await (self._ws.send_bytes(packet) if isinstance(packet, bytes) else self._ws.send_str(packet))

    async def receive(self) -> str | bytes | None:
        """The next packet, pings too; None when the server has closed."""
        message = await self._ws.receive(PATIENCE_S)
        if message.type in _ENDS:
            return None
        if message.type not in _PACKETS:
            raise ConnectionError(f"not a packet: {message!r}")
        data: str | bytes = message.data
        return data

    async def hear(self) -> str | bytes | None:
        """The next packet, without pings, which are answered; None when the server has closed."""
        while (packet := await self.receive()) == PING:
            await self.say(PONG)
        return packet

    async def last_words(self, *, alive: bool = True) -> list[str | bytes]:
        """All the server says until it closes.

        Pings are answered and left out, so that a server which only notices a missing pong does not look as if it had
        closed for another reason. Not so when `alive` is False: then a missing pong is why it closes.
        """
        heard: list[str | bytes] = []
        async with asyncio.timeout(PATIENCE_S):
            while (packet := await (self.hear() if alive else self.receive())) is not None:
                heard.append(packet)
        return heard
