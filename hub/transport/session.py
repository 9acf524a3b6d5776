"""One Engine.IO session: its heartbeat, its send buffer, and what its peer says, over polling or a WebSocket.

In place of python-engineio's own, each for a reason that was measured or reproduced against the stock release:

- a bounded `Outbound` buffer instead of an unbounded queue, so that a slow reader costs a known amount of memory; one
  who keeps up is written to at once, without queue or task;
- one timer for the heartbeat, on the loop's own clock: stepping the machine's clock disconnects nobody, and a peer
  that stops answering is cut off, not left half open;
- frames are checked before they are parsed: garbage ends the session instead of leaving a traceback per frame;
- a session that joins no application within `connect_timeout_s` is closed.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from aiohttp import web
from engineio import exceptions
from engineio.async_socket import AsyncSocket

from hub.transport.options import EngineOptions
from hub.transport.outbound import Frame, Outbound, OutboundLimits, Put
from hub.transport.rfc6455 import WRITE_AT_ONCE_BYTES, WireSocket
from hub.transport.via_http import LINGER_S, WebSocket

UPGRADE_TIMEOUT_S = 10.0
POLLER_LOOK_S = 0.5
"""aiohttp tells a handler that its client has gone only by cancelling it, which no other handler here wants."""

POLLED_PACKETS_MAX = 256  # in one POST; the payload limit bounds their bytes

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
_CLOSE_FRAME, _PING_FRAME, _NOOP_FRAME = Frame(b"1"), Frame(b"2"), Frame(b"6")


class ProtocolError(Exception):
    """The peer sent something that is not Engine.IO or Socket.IO; its session ends."""


class Sessions(Protocol):
    """What a session asks of its engine."""

    options: EngineOptions
    reason: Any
    sockets: MutableMapping[str, Any]
    on_message: Callable[[str, str | bytes], Awaitable[None]]
    on_close: Callable[[str, str], Awaitable[None]]

    def hang_up(self, sid: str, reason: str, *, abort: bool = False) -> None: ...


class Session(AsyncSocket):  # type: ignore[misc]  # python-engineio has no types
    """One Engine.IO session over polling or WebSocket."""

    # Declared by python-engineio, named here for the type checker.
    server: Sessions
    sid: str
    connected: bool
    closing: bool
    closed: bool
    upgrading: bool
    upgraded: bool

    def __init__(self, server: Sessions, sid: str) -> None:
        super().__init__(server, sid)
        options = server.options
        self.outbound = Outbound(OutboundLimits(bytes_max=options.buffer_bytes_max))
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._wanted: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self.poller: web.Request | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._lonely: asyncio.TimerHandle | None = None
        self._web_socket: WebSocket | WireSocket | None = None
        self._polling = False
        self._direct: WebSocket | WireSocket | None = None
        """The WebSocket while nothing waits for it and nobody is in the middle of writing."""
        self._finished = False
        self._probed = False
        self._reads: set[asyncio.Future[bytes]] = set()

    # -- sending ------------------------------------------------------------------------------------------------

    def put(self, frame: Frame) -> Put:
        """Write a frame that must arrive, or queue it behind what waits."""
        if (ws := self._direct) is not None and ws.is_clear:
            ws.write(frame)
            return Put.QUEUED
        self._direct = None
        outcome = self.outbound.put(frame)
        self._wake()
        return outcome

    def put_live(self, key: str, frame: Frame) -> Put:
        """Write a frame, or queue it so that a newer one with the same key may replace it."""
        if (ws := self._direct) is not None and ws.is_clear:
            ws.write(frame)
            return Put.QUEUED
        self._direct = None
        outcome = self.outbound.put_live(key, frame)
        self._wake()
        return outcome

    async def send(self, pkt: Any) -> None:  # noqa: ANN401 - engineio packet
        """Engine.IO's own packets."""
        self.put(Frame(pkt.encode().encode()))

    def _wake(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def _next(self, *, noop_ends: bool = False) -> list[Frame]:
        """What waits, as soon as something does; empty when the session is over (or must stop polling)."""
        while not self.outbound and not self._finished and not (noop_ends and self._probed):
            self._wanted = self._loop.create_future()
            try:
                await self._wanted
            finally:
                self._wanted = None
        if noop_ends and self._probed:
            return [_NOOP_FRAME]
        frames = self.outbound.take(WRITE_AT_ONCE_BYTES)
        self._room.set()
        return frames

    async def has_room(self) -> bool:
        """Wait until at most half of the buffer is taken; False when nothing moves for a while or all is over."""
        while self.outbound.bytes > self._options.buffer_bytes_max // 2 and not self.closing:
            self._room.clear()
            try:
                async with asyncio.timeout(self._options.stall_s):
                    await self._room.wait()
            except TimeoutError:
                return False
        return not self.closing

    async def poll(self) -> list[Any]:
        """Packets for one long poll. A second poll beside a pending one ends the session."""
        if self._polling:
            raise exceptions.QueueEmpty
        self._polling = True
        watch = self._loop.create_task(self._watch_poller())
        try:
            frames = await self._next(noop_ends=True)
        finally:
            self._polling = False
            watch.cancel()
        return [_Polled(frame) for frame in frames or [_NOOP_FRAME]]

    async def _watch_poller(self) -> None:
        """End the session when its poll is given up: what is sent to nobody would be lost without a word."""
        while self.poller is not None and not _has_gone(self.poller):  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(POLLER_LOOK_S)
        if self.poller is not None:
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)

    # -- heartbeat ----------------------------------------------------------------------------------------------

    def schedule_ping(self) -> None:
        """Start, or after a pong restart, the heartbeat."""
        self._beat(self._options.ping_interval_s, self._ping)

    def _beat(self, seconds: float, action: Callable[[], None]) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if not self.closing:
            self._heartbeat = self._loop.call_later(seconds, action)

    def _ping(self) -> None:
        self.put(_PING_FRAME)
        self._beat(self._options.ping_timeout_s, self._lost)

    def _lost(self) -> None:
        self.server.hang_up(self.sid, self.server.reason.PING_TIMEOUT)

    def expect_company(self) -> None:
        """Close this session unless it joins an application in time."""
        self.in_company()
        self._lonely = self._loop.call_later(self._options.connect_timeout_s, self._still_lonely)

    def in_company(self) -> None:
        if self._lonely is not None:
            self._lonely.cancel()
            self._lonely = None

    def _still_lonely(self) -> None:
        self.server.hang_up(self.sid, "connect timeout")

    # -- receiving ----------------------------------------------------------------------------------------------

    async def receive(self, pkt: str | bytes) -> None:
        """One Engine.IO message. Raises ProtocolError."""
        if isinstance(pkt, bytes):
            await self.server.on_message(self.sid, pkt)
        elif pkt[:1] == MESSAGE:
            await self.server.on_message(self.sid, pkt[1:])
        elif pkt == PONG:
            self.schedule_ping()
        elif pkt == CLOSE:
            await self.close(abort=True, reason=self.server.reason.CLIENT_DISCONNECT)
        else:
            raise ProtocolError("unknown packet")

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """The packets of one long-polling POST; anything unreadable ends the session with 400."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self._options.frame_bytes_max:
            raise exceptions.ContentTooLongError
        try:
            body = (await self._read(environ["wsgi.input"], length)).decode()
            packets = body.split("\x1e")
            if len(packets) > POLLED_PACKETS_MAX:
                raise ProtocolError("too many packets")
            for text in packets:
                if self.closing:
                    raise ProtocolError("after the end")
                await self.receive(base64.b64decode(text[1:], validate=True) if text[:1] == "b" else text)
        except (ProtocolError, ValueError, asyncio.IncompleteReadError) as problem:
            raise exceptions.UnknownPacketError(str(problem)) from problem

    async def _read(self, body: Any, length: int) -> bytes:  # noqa: ANN401 - aiohttp's stream in engineio's shape
        """A POST's body; one that does not come ends with the session. Raises ProtocolError."""
        reading: asyncio.Future[bytes] = asyncio.ensure_future(body.readexactly(length))
        self._reads.add(reading)
        try:
            await asyncio.wait([reading])
            if reading.cancelled():
                raise ProtocolError("the session is over")
            return reading.result()
        except OSError as problem:
            raise ProtocolError("the body broke off") from problem
        finally:
            self._reads.discard(reading)
            reading.cancel()

    async def _websocket_handler(self, ws: WebSocket | WireSocket) -> None:
        """Live on this WebSocket until it ends; a session that polled so far moves to it first."""
        if self.connected and not await self._upgrade(ws):
            await ws.close()
            return
        self.connected = self.upgraded = True
        self._web_socket = ws
        writer = self._loop.create_task(self._write(ws))
        reason = self.server.reason.TRANSPORT_CLOSE
        try:
            while (data := await ws.receive()) is not None and not self.closing:
                await self.receive(data)
        except ProtocolError:
            reason = "protocol error"
        finally:
            await self.close(abort=True, reason=reason)
            await writer

    async def _upgrade(self, ws: WebSocket | WireSocket) -> bool:
        """Move a polling session to this WebSocket: probe, end the pending poll, switch."""
        if self.upgrading or self.upgraded:
            return False  # of two that move one session, the first
        self.upgrading = True
        try:
            async with asyncio.timeout(UPGRADE_TIMEOUT_S):
                if await ws.receive() != PING + "probe":
                    return False
                await ws.send(Frame(b"3probe"))
                self._probed = True
                self._wake()
                self.upgraded = await ws.receive() == UPGRADE
        except TimeoutError:
            pass
        finally:
            self.upgrading = self._probed = False
        return bool(self.upgraded)

    async def _write(self, ws: WebSocket | WireSocket) -> None:
        try:
            while frames := await self._next():
                for frame in frames:
                    await ws.send(frame)
                if not self.outbound and not self.closing:
                    self._direct = ws
            await ws.close()
        except (ConnectionError, RuntimeError):  # aiohttp raises RuntimeError on a response that is closed already
            ws.abort()

    # -- the end ------------------------------------------------------------------------------------------------

    async def close(self, wait: bool = False, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002
        """End the session: what is queued may still leave, for a moment, unless `abort`."""
        if self.closing:
            return
        self.closing = True
        self._direct = None
        self.in_company()
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        await self.server.on_close(self.sid, reason or self.server.reason.SERVER_DISCONNECT)
        if abort:
            self.outbound.clear()
        elif not self.upgraded:
            self.outbound.put(_CLOSE_FRAME)
        self.closed = self._finished = self.outbound.closed = True
        self._room.set()
        self._wake()
        for reading in self._reads:
            reading.cancel()
        self.server.sockets.pop(self.sid, None)
        self._loop.call_later(0 if abort else LINGER_S, self._cut)

    def _cut(self) -> None:
        self.outbound.clear()
        if self._web_socket is not None and not self._web_socket.is_ending:
            self._web_socket.abort()


def _has_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


class _Polled:
    """A frame in the shape the polling payload encoder asks for."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def encode(self, *, b64: bool) -> str:  # noqa: ARG002 - text needs no base64
        return self._frame.text
