"""The Engine.IO half of the wall: one transport session, its heartbeat, its send buffer.

python-engineio gives the HTTP handshake, the origin check and the polling payloads. Replaced here, each for a reason
that was measured or reproduced against the stock release:

- a bounded `Outbound` buffer instead of an unbounded queue, so that a slow reader costs a known amount of memory;
- one timer for the heartbeat, on the loop's own clock: stepping the machine's clock disconnects nobody, and a peer
  that stops answering is cut off, not left half open;
- frames are checked before they are parsed: garbage ends the session instead of leaving a traceback per frame;
- no compression (a deflate context costs 90 KiB per socket) and a small kernel buffer, so that what waits, waits here;
- the peer's real address (stock reports 127.0.0.1 for everybody);
- a session that joins no application within `connect_timeout_s` is closed.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakSet

import engineio
from aiohttp import web
from engineio import exceptions
from engineio.async_drivers import aiohttp as driver
from engineio.async_socket import AsyncSocket

from hub.options import EngineOptions
from hub.outbound import Frame, Outbound, OutboundLimits, Put
from hub.transport.front import Handshake
from hub.transport.rfc6455 import WRITE_AT_ONCE_BYTES, WireSocket
from hub.websocket import LINGER_S, WebSocket
from storage.base import codec

UPGRADE_TIMEOUT_S = 10.0
POLLER_LOOK_S = 0.5
"""aiohttp tells a handler that its client has gone only by cancelling it, which no other handler here wants."""

POLLED_PACKETS_MAX = 256  # in one POST; the payload limit bounds their bytes

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
_METHODS = frozenset({"GET", "POST", "OPTIONS"})
_CLOSE_FRAME, _PING_FRAME, _NOOP_FRAME = Frame(b"1"), Frame(b"2"), Frame(b"6")


class ProtocolError(Exception):
    """The peer sent something that is not Engine.IO or Socket.IO; its session ends."""


class Session(AsyncSocket):  # type: ignore[misc]  # python-engineio has no types
    """One Engine.IO session over polling or WebSocket."""

    # Declared by python-engineio, named here for the type checker.
    server: Engine
    sid: str
    connected: bool
    closing: bool
    closed: bool
    upgrading: bool
    upgraded: bool

    def __init__(self, server: Engine, sid: str) -> None:
        super().__init__(server, sid)
        options = server.options
        self.outbound = Outbound(OutboundLimits(bytes_max=options.buffer_bytes_max))
        self.address = ""
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._wanted: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self.poller: web.Request | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._lonely: asyncio.TimerHandle | None = None
        self._web_socket: WebSocket | WireSocket | None = None
        self._polling = False
        self._is_writing = False
        self._finished = False

    # -- sending ------------------------------------------------------------------------------------------------

    def put(self, frame: Frame) -> Put:
        """Write a frame that must arrive, or queue it behind what waits."""
        if self._is_clear():
            self._web_socket.write(frame)  # type: ignore[union-attr]  # is clear
            return Put.QUEUED
        outcome = self.outbound.put(frame)
        self._wake()
        return outcome

    def put_live(self, key: str, frame: Frame) -> Put:
        """Write a frame, or queue it so that a newer one with the same key may replace it."""
        if self._is_clear():
            self._web_socket.write(frame)  # type: ignore[union-attr]  # is clear
            return Put.QUEUED
        outcome = self.outbound.put_live(key, frame)
        self._wake()
        return outcome

    def _is_clear(self) -> bool:
        """Nothing waits and nobody is in the middle of writing: the usual case, with no task and no queue."""
        return (
            self._web_socket is not None
            and not self._is_writing
            and not self.outbound
            and not self.closing
            and self._web_socket.is_clear
        )

    async def send(self, pkt: Any) -> None:  # noqa: ANN401 - engineio packet
        """Engine.IO's own packets."""
        self.put(Frame(pkt.encode().encode()))

    def _wake(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def _next(self, *, noop_ends: bool = False) -> list[Frame]:
        """What waits, as soon as something does; empty when the session is over (or must stop polling)."""
        while not self.outbound and not self._finished and not (noop_ends and self.upgrading):
            self._wanted = self._loop.create_future()
            try:
                await self._wanted
            finally:
                self._wanted = None
        if noop_ends and self.upgrading:
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
            body = (await environ["wsgi.input"].readexactly(length)).decode()
            packets = body.split("\x1e")
            if len(packets) > POLLED_PACKETS_MAX:
                raise ProtocolError("too many packets")
            for text in packets:
                await self.receive(base64.b64decode(text[1:], validate=True) if text[:1] == "b" else text)
        except (ProtocolError, ValueError, asyncio.IncompleteReadError) as problem:
            raise exceptions.UnknownPacketError(str(problem)) from problem

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
        try:
            async with asyncio.timeout(UPGRADE_TIMEOUT_S):
                if await ws.receive() != PING + "probe":
                    return False
                await ws.send(Frame(b"3probe"))
                self.upgrading = True
                self._wake()
                self.upgraded = await ws.receive() == UPGRADE
        except TimeoutError:
            pass
        finally:
            self.upgrading = False
        return bool(self.upgraded)

    async def _write(self, ws: WebSocket | WireSocket) -> None:
        try:
            while frames := await self._next():
                self._is_writing = True  # what these wait for, later ones may not overtake
                for frame in frames:
                    await ws.send(frame)
                self._is_writing = False
            await ws.close()
        except (ConnectionError, RuntimeError):  # aiohttp raises RuntimeError on a response that is closed already
            ws.abort()

    # -- the end ------------------------------------------------------------------------------------------------

    async def close(self, wait: bool = False, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002
        """End the session: what is queued may still leave, for a moment, unless `abort`."""
        if self.closing:
            return
        self.closing = True
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


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # python-engineio has no types
    """Accepts sessions and hands their messages over."""

    options: EngineOptions
    _async: dict[str, Any]

    def __init__(self, options: EngineOptions) -> None:
        super().__init__(
            async_mode="aiohttp",
            monitor_clients=False,
            ping_interval=options.ping_interval_s,
            ping_timeout=options.ping_timeout_s,
            max_http_buffer_size=options.payload_bytes_max,
            http_compression=False,
            cors_credentials=False,
            transports=["polling", "websocket"] if options.polling else ["websocket"],
            logger=_SILENT,
        )
        self._async = {**self._async, "websocket": WebSocket, "translate_request": self._environ}
        self.options = options
        self.accepting = True
        self.on_open: Callable[[Session, str, str], None]
        self.on_message: Callable[[str, str | bytes], Awaitable[None]]
        self.on_close: Callable[[str, str], Awaitable[None]]
        self._hanging_up: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._open: WeakSet[WireSocket] = WeakSet()
        self.path = "/engine.io/"

    def create_queue(self, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401
        """Sessions have an `Outbound` instead."""

    def session_of(self, sid: str) -> Session | None:
        found: Session | None = self.sockets.get(sid)
        return found

    def hang_up(self, sid: str, reason: str, *, abort: bool = False) -> None:
        """End a session from outside its own task."""
        session = self.session_of(sid)
        if session is not None:
            task = asyncio.get_running_loop().create_task(session.close(abort=abort, reason=reason))
            self._hanging_up.add(task)
            task.add_done_callback(self._hanging_up.discard)

    def attach(self, app: web.Application, engineio_path: str = "engine.io") -> None:
        """Serve `/<path>/`, every method: what is wrong is ours to say, in the protocol's way."""
        self.path = f"/{engineio_path.strip('/')}/"
        app.router.add_route("*", self.path, self.handle_request)

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        sid, transport = request.query.get("sid"), request.query.get("transport")
        if not self.accepting and sid is None:
            return web.Response(status=503, text="moving")
        # `j` asks for JSONP, with which any page could read a poll.
        if transport not in self.transports or "j" in request.query or request.method not in _METHODS:
            return web.Response(status=400, text="bad request")
        session = None if sid is None else self.session_of(sid)
        if session is not None and session.upgraded and transport == "websocket":
            return await _turn_away(request)
        if session is not None and request.method == "GET" and transport == "polling":
            session.poller = request
        response: web.StreamResponse = await super().handle_request(request)
        return response

    def _ok(
        self, packets: list[Any] | None = None, headers: list[Any] | None = None, jsonp_index: int | None = None
    ) -> Any:  # noqa: ANN401 - engineio's response
        answer = super()._ok(packets, headers, jsonp_index)
        return answer if packets is not None else {**answer, "response": b"ok"}

    def _cors_allowed_origins(self, environ: dict[str, Any]) -> list[str]:
        own: list[str] = super()._cors_allowed_origins(environ)  # none are set there: it answers our own
        return [*own, *self.options.allowed_origins]

    def _environ(self, request: web.Request) -> dict[str, Any]:
        environ: dict[str, Any] = driver.translate_request(request)
        environ["REMOTE_ADDR"] = self.options.address_of(request)
        return environ

    async def _handle_connect(self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None) -> Any:  # noqa: ANN401
        session = self._begin(transport, environ["REMOTE_ADDR"], environ.get("HTTP_USER_AGENT", ""))
        if transport != "websocket":
            session.connected = True
            return self._ok(await session.poll(), jsonp_index=jsonp_index)
        try:
            return await session.handle_get_request(environ)
        finally:
            await session.close(abort=True, reason=self.reason.TRANSPORT_CLOSE)

    def _begin(self, transport: str, address: str, user_agent: str) -> Session:
        sid = self.generate_id()
        session = self.sockets[sid] = Session(self, sid)
        session.put(self._opening(sid, transport))
        self.on_open(session, address, user_agent)
        session.schedule_ping()
        session.expect_company()
        return session

    # -- WebSockets from the door -------------------------------------------------------------------------------

    @property
    def frame_bytes_max(self) -> int:
        return self.options.frame_bytes_max

    def takes(self, handshake: Handshake) -> bool:
        """Whether nothing speaks against this WebSocket; what does is said by `handle_request`."""
        query, origin = handshake.query, handshake.headers.get("Origin")
        same = f"http://{handshake.headers['Host']}"
        if query.get("EIO") != "4" or query.get("transport") != "websocket" or "j" in query:
            return False
        if origin is not None and origin != same and origin not in self.options.allowed_origins:
            return False
        if "sid" not in query:
            return self.accepting
        session = self.session_of(query["sid"])
        return session is not None and session.connected and not (session.upgraded or session.upgrading)

    def welcome(self, socket: WireSocket, handshake: Handshake) -> None:
        """Serve a WebSocket until it ends: a new session, or the move of one that polled."""
        session = self.session_of(handshake.query.get("sid", ""))
        if session is None:
            address, agent = self.options.address_of(handshake), handshake.headers.get("User-Agent", "")
            session = self._begin("websocket", address, agent)
        self._open.add(socket)
        task = asyncio.get_running_loop().create_task(session._websocket_handler(socket))  # noqa: SLF001 - same file
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def finish(self) -> None:
        """Cut every session and WebSocket, and wait until they are gone."""
        for sid in list(self.sockets):
            self.hang_up(sid, "shutdown", abort=True)
        for socket in list(self._open):
            socket.abort()
        if running := [*self._serving, *self._hanging_up]:
            await asyncio.wait(running, timeout=LINGER_S)
        await asyncio.sleep(0)  # for the event loop to close the connections

    def _opening(self, sid: str, transport: str) -> Frame:
        hello = {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingInterval": round(self.ping_interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.max_http_buffer_size,
        }
        return Frame(OPEN.encode() + codec.dumps(hello))


async def _turn_away(request: web.Request) -> web.StreamResponse:
    """A second WebSocket for one session: accepted, as the protocol has it, and closed."""
    second = web.WebSocketResponse(compress=False)
    await second.prepare(request)
    await second.close()
    return second


class _Silent:
    """python-engineio logs each frame; what matters is counted and logged by us."""

    level = 0

    def _nothing(self, *_args: object, **_kwargs: object) -> None: ...

    info = warning = error = exception = _nothing


_SILENT = _Silent()
