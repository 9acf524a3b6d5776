"""Engine.IO: who may open a session, by the door or by way of aiohttp, and how all of them end.

python-engineio gives the HTTP handshake and the polling payloads; sessions are ours (`session`). Answered otherwise
than by the stock release: origins (forwarding headers are nobody's word), the peer's real address (stock reports
127.0.0.1 for everybody), and no compression (a deflate context costs 90 KiB per socket).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakSet

import engineio
from aiohttp import web
from engineio.async_drivers import aiohttp as driver

from hub import metrics
from hub.transport.admission import Admission, Full
from hub.transport.classes import LIVE_WINDOW_S
from hub.transport.front import UpgradeRequest
from hub.transport.options import EngineOptions
from hub.transport.outbound import Flushed, Turn
from hub.transport.packets import Frame, ProtocolError
from hub.transport.rfc6455 import WireSocket
from hub.transport.session import OPEN, Listener, Session
from hub.transport.upgrade import Upgrade
from hub.transport.via_http import LINGER_S, WebSocket
from storage.base import codec
from storage.base.log import Seldom

__all__ = ["Engine", "ProtocolError", "Session"]

BURIED_AT_ONCE = 100
"""Sessions whose end is told in one turn of the loop: thousands that drop at once must not stop everybody else."""

_CLOSE_FRAME = Frame(b"1")
_METHODS = frozenset({"GET", "POST", "OPTIONS"})
_PLAIN = ("Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version")
"""Headers in which aiohttp's handshake expects ASCII, and fails without it."""


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
        self.on_open: Callable[[Session], Listener]
        self.admission = Admission(options)
        self._ended: deque[tuple[Session, str]] = deque()
        self._complaints = Seldom("socket.protocol_broken")
        self.turn = Turn()
        self._unwritten: list[Flushed] = []
        self._working: set[asyncio.Future[None]] = set()
        self._open: WeakSet[WireSocket] = WeakSet()
        self.path = "/engine.io/"

    def create_queue(self, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401
        """Sessions have an `Outbound` instead."""

    def generate_id(self) -> str:
        """The name of this node and a secret: who knows a polling session's id is that session."""
        secret = secrets.token_urlsafe(15)
        return f"{self.options.node}.{secret}" if self.options.node else secret

    def session_of(self, sid: str) -> Session | None:
        found: Session | None = self.sockets.get(sid)
        return found

    async def disconnect(self, sid: str | None = None) -> None:
        """python-engineio's name for the end of a session that broke the protocol over HTTP."""
        session = None if sid is None else self.session_of(sid)
        if session is not None:
            session.put(_CLOSE_FRAME)
            session.close()

    def hang_up_all(self, reason: str, *, abort: bool = False) -> None:
        """End every session."""
        for session in list(self.sockets.values()):
            session.close(abort=abort, reason=reason)

    # -- what sessions call -------------------------------------------------------------------------------------

    def ended(self, session: Session, reason: str) -> None:
        self.sockets.pop(session.sid, None)
        self.admission.left(session.address)
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._bury)
        self._ended.append((session, reason))

    def _bury(self) -> None:
        """Tell listeners that their sessions are over, some of them; the rest in the next turn."""
        for _ in range(min(BURIED_AT_ONCE, len(self._ended))):
            session, reason = self._ended.popleft()
            if session.listener is not None:
                listener, session.listener = session.listener, None
                listener.gone(reason)
        if self._ended:
            asyncio.get_running_loop().call_soon(self._bury)

    def flush_soon(self, link: Flushed) -> None:
        if not self._unwritten:
            asyncio.get_running_loop().call_later(LIVE_WINDOW_S, self._flush)
        self._unwritten.append(link)

    def _flush(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        for link in unwritten:
            link.flush()

    def beside(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    def complain(self, session: Session, problem: object) -> None:
        metrics.PROTOCOL_ERRORS.inc()
        self._complaints.log(address=session.address, problem=str(problem)[:200])

    def attach(self, app: web.Application, engineio_path: str = "engine.io") -> None:
        """Serve `/<path>/`, every method: what is wrong is ours to say, in the protocol's way."""
        self.path = f"/{engineio_path.strip('/')}/"
        app.router.add_route("*", self.path, self.handle_request)

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        sid, transport = request.query.get("sid"), request.query.get("transport")
        if not self.accepting and not sid:
            return web.Response(status=503, text="moving")
        # `j` asks for JSONP, with which any page could read a poll.
        is_odd = request.method not in _METHODS or not all(request.headers.get(name, "").isascii() for name in _PLAIN)
        if transport not in self.transports or "j" in request.query or is_odd:
            return web.Response(status=400, text="bad request")
        session = None if sid is None else self.session_of(sid)
        if session is not None and (session.upgraded or session.upgrading) and transport == "websocket":
            return await _turn_away(request)
        try:
            response: web.StreamResponse = await super().handle_request(request)
        except Full as full:
            return web.Response(status=503, text="full", headers={"Retry-After": str(full.retry_after_s)})
        except UnboundLocalError:  # python-engineio, when a POST ends the session it belongs to
            return web.Response(status=400, text="bad request")
        return response

    def _ok(
        self, packets: list[Any] | None = None, headers: list[Any] | None = None, jsonp_index: int | None = None
    ) -> Any:  # noqa: ANN401 - engineio's response
        answer = super()._ok(packets, headers, jsonp_index)
        return answer if packets is not None else {**answer, "response": b"ok"}

    def _cors_allowed_origins(self, environ: dict[str, Any]) -> list[str]:
        return self._origins(environ.get("HTTP_HOST", ""))

    def _origins(self, host: str) -> list[str]:
        """Whose pages may connect: those of the same host, whatever encrypts the way, and the allowed ones.

        Forwarding headers say nothing here: anybody can send them. A proxy that changes Host needs the setting.
        """
        return [f"http://{host}", f"https://{host}", *self.options.allowed_origins]

    def _environ(self, request: web.Request) -> dict[str, Any]:
        environ: dict[str, Any] = driver.translate_request(request)
        environ["REMOTE_ADDR"] = self.options.address_of(request)
        return environ

    async def _handle_connect(self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None) -> Any:  # noqa: ANN401
        self.admission.enter(environ["REMOTE_ADDR"])
        session = self._begin(environ["REMOTE_ADDR"])
        session.put(self._opening(session.sid, transport))
        if transport != "websocket":
            return self._ok(await session.polling.poll(), jsonp_index=jsonp_index)
        try:
            return await session.handle_get_request(environ)
        finally:
            session.close(abort=True, reason=self.reason.TRANSPORT_CLOSE)

    def _begin(self, address: str) -> Session:
        """A session that has still to be told its name (`_opening`)."""
        sid = self.generate_id()
        session = self.sockets[sid] = Session(self, sid, address)
        session.listener = self.on_open(session)
        session.schedule_ping()
        session.expect_company()
        return session

    # -- WebSockets from the door -------------------------------------------------------------------------------

    @property
    def frame_bytes_max(self) -> int:
        return self.options.frame_bytes_max

    def takes(self, handshake: UpgradeRequest) -> bool:
        """Whether nothing speaks against this WebSocket; what does is said by `handle_request`."""
        query, origin = handshake.query, handshake.headers.get("Origin")
        if query.get("EIO") != "4" or query.get("transport") != "websocket" or "j" in query:
            return False
        if origin is not None and origin not in self._origins(handshake.headers["Host"]):
            return False
        if "sid" not in query:
            return self.accepting and self.admission.limit_reached(self.options.address_of(handshake)) is None
        session = self.session_of(query["sid"])
        return session is not None and session.connected and not (session.upgraded or session.upgrading)

    def welcome(self, socket: WireSocket, handshake: UpgradeRequest, answer: bytes) -> None:
        """Serve a WebSocket until it ends: a new session, or the move of one that polled."""
        session = self.session_of(handshake.query.get("sid", ""))
        if session is None:
            address = self.options.address_of(handshake)
            self.admission.enter(address)
            session = self._begin(address)
            session.attach(socket, answer + self._opening(session.sid, "websocket").wire)
        else:
            socket.writer(answer)
            self.attach_to(session, socket)
        self._open.add(socket)

    def attach_to(self, session: Session, socket: WebSocket | WireSocket) -> None:
        """The first WebSocket of a new session, or one that a polling session may move to."""
        if session.closing or session.upgrading or session.upgraded:
            socket.close()  # of two that move one session, the first
        elif session.connected:
            Upgrade(session, socket)
        else:
            session.attach(socket)

    async def finish(self) -> None:
        """Cut every session and WebSocket, and wait until they are gone."""
        self.hang_up_all("shutdown", abort=True)
        for socket in list(self._open):
            socket.abort()
        if self._working:
            await asyncio.wait(list(self._working), timeout=LINGER_S)
        while self._ended:
            self._bury()
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
