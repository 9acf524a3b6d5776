"""One Engine.IO session: its heartbeat, its send buffer, and what its peer says, over a WebSocket or polling.

Everything here happens in callbacks of the event loop: an idle session has no task, no queue and no buffer. A message
is handled where it is read; only when its handling has to wait is there a task, and the peer's next message waits for
it. A reader who keeps up is written to at once; for one who does not there is an `Outbound`.

In place of python-engineio's session, for reasons that were measured or reproduced against the stock release: bounded
buffers; a heartbeat on the loop's own clock, so that stepping the machine's clock disconnects nobody, and a peer that
stops answering is cut off, not left half open; garbage ends the session instead of leaving a traceback per frame; a
session that joins no application within `connect_timeout_s` is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from hub.transport.classes import FACT, DeliveryClass
from hub.transport.options import EngineOptions
from hub.transport.outbound import Flushed, Outbound, OutboundLimits, Put, Turn
from hub.transport.packets import Frame, ProtocolError
from hub.transport.polling import Polling
from hub.transport.rfc6455 import PROTOCOL_BROKEN, WRITE_AT_ONCE_BYTES, WireSocket
from hub.transport.via_http import LINGER_S, WebSocket
from storage.base.log import log

if TYPE_CHECKING:
    from aiohttp import web

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
_PING_FRAME = Frame(b"2")
CLIENT_LEFT, SERVER_LEFT, PING_TIMEOUT = "client disconnect", "server disconnect", "ping timeout"


class Listener(Protocol):
    """Whoever is told of one session's messages."""

    def heard(self, data: str | bytes) -> Awaitable[None] | None:
        """One message; what must be awaited before the next one may be handled. Raises ProtocolError."""

    def gone(self, reason: str) -> None:
        """The session is over."""


class Sessions(Protocol):
    """What a session asks of its engine."""

    options: EngineOptions
    turn: Turn

    def ended(self, session: Session, reason: str) -> None:
        """It is not to be found any more; its listener is told soon."""

    def complain(self, session: Session, problem: object) -> None:
        """It broke the protocol."""

    def attach_to(self, session: Session, socket: WebSocket | WireSocket) -> None:
        """A WebSocket has come for it."""

    def flush_soon(self, link: Flushed) -> None:
        """Have its live values written when their window ends."""

    def beside(self, work: Awaitable[None]) -> None:
        """Run this in a task that is waited for at the end."""


class Session:
    """One Engine.IO session over polling or a WebSocket; the owner of its `WireSocket`."""

    __slots__ = (
        "_engine", "_heartbeat", "_late", "_late_bytes", "_lonely", "_outbound", "_polling", "_room", "_socket",
        "_turn", "_write", "_wrote_in", "address", "closing", "listener", "sid", "upgraded", "upgrading",
    )  # fmt: skip

    def __init__(self, engine: Sessions, sid: str, address: str) -> None:
        self._engine = engine
        self.sid = sid
        self.address = address
        self.listener: Listener | None = None
        self._outbound: Outbound | None = None
        self._turn = engine.turn
        self._wrote_in = 0
        self._late: list[bytes] | None = None
        """Frames of this turn of the loop, after the first one; written when it ends."""
        self._late_bytes = 0
        self._room: asyncio.Future[None] | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._lonely: asyncio.TimerHandle | None = None
        self._socket: WebSocket | WireSocket | None = None
        self._write: Callable[[bytes], None] | None = None
        """Writes to the WebSocket at once; None while there is none, or the peer is behind."""
        self._polling: Polling | None = None
        self.upgrading = False
        self.upgraded = False
        self.closing = False

    # -- sending ------------------------------------------------------------------------------------------------

    def put(self, frame: Frame, kind: DeliveryClass = FACT, key: str | None = None) -> Put:
        """Write a frame, or keep it for a peer who is behind, as its class says.

        The first frame of a loop's turn leaves at once; those that follow in the same turn leave together.
        """
        if (write := self._write) is None:
            return self._keep(frame, kind, key)
        if self._wrote_in != (turn := self._turn).number:
            self._wrote_in = turn.number
            if not turn.is_ending:
                turn.begin()
            write(frame.wire)
            return Put.QUEUED
        if self._late is None:
            self._late = []
            turn.unwritten.append(self)
        self._late.append(frame.wire)
        self._late_bytes += len(frame.wire)
        if self._late_bytes > WRITE_AT_ONCE_BYTES:
            self.flush()
        return Put.QUEUED

    def gather(self) -> None:
        """What is put in the rest of this turn leaves together, also the first of it."""
        self._wrote_in = self._turn.number
        if not self._turn.is_ending:
            self._turn.begin()

    def flush(self) -> None:
        """Write what this turn has left to write."""
        late, self._late, self._late_bytes = self._late, None, 0
        if late and self._socket is not None:
            self._socket.writer(b"".join(late))

    @property
    def is_clear(self) -> bool:
        """Whether what is put now is written now."""
        return self._write is not None

    def put_together(self, wires: list[bytes]) -> bool:
        """Write frames in one go; False, and nothing is written, for a peer who is behind."""
        self.flush()  # nothing overtakes what was said before
        if self._write is None:
            return False
        self._write(b"".join(wires))
        return True

    def flush_soon(self, link: Flushed) -> None:
        """Have the live values of a link written when their window ends."""
        self._engine.flush_soon(link)

    def _keep(self, frame: Frame, kind: DeliveryClass, key: str | None) -> Put:
        outcome = self.outbound.put(frame, kind, key)
        if self._polling is not None:
            self._polling.wake()
        return outcome

    @property
    def outbound(self) -> Outbound:
        """What waits; made when something does."""
        if self._outbound is None:
            self._outbound = Outbound(OutboundLimits(self._engine.options.buffer_bytes_max))
            self._outbound.closed = self.closing
        return self._outbound

    @property
    def live_lost(self) -> int:
        """Live messages this peer did not get, ever."""
        return 0 if self._outbound is None else self._outbound.live_lost

    def forget(self, key: str | None = None) -> None:
        """What waits under this key is not sent; without a key, nothing that waits is."""
        if key is None:
            self._late, self._late_bytes = None, 0
            if self._outbound is not None:
                self._outbound.clear()
        elif self._outbound is not None:
            self._outbound.drop_live(key)

    def take(self, count_max: int = 1_000) -> list[Frame]:
        """The next frames that wait."""
        frames = [] if self._outbound is None else self._outbound.take(WRITE_AT_ONCE_BYTES, count_max)
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        return frames

    async def has_room(self) -> bool:
        """Wait until at most half of the buffer is taken; False when nothing moves for a while or all is over."""
        options = self._engine.options
        while not self.closing and self._outbound is not None and self._outbound.bytes > options.buffer_bytes_max // 2:
            self._room = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(options.stall_s):
                    await self._room
            except TimeoutError:
                return False
            finally:
                self._room = None
        return not self.closing

    # -- the WebSocket's owner ----------------------------------------------------------------------------------

    def attach(self, socket: WebSocket | WireSocket, answer: bytes = b"") -> None:
        """Live on this WebSocket from now on; `answer` is still to be written to it."""
        self.upgraded, self.upgrading = True, False
        self._socket = socket
        if self._polling is not None and self._polling.is_busy:
            socket.hold()  # what was posted comes first
            self._polling.when_idle = socket.release
        socket.listen(self)
        self.ready(answer)

    def heard(self, message: str | bytes) -> None:
        """Handle one message of the WebSocket, or begin to."""
        try:
            if isinstance(message, str) and message[:1] == MESSAGE and self.listener is not None and not self.closing:
                work = self.listener.heard(message[1:])  # as most are
            else:
                work = self.receive(message)
        except ProtocolError as problem:
            self.breaks_off(problem)
        except Exception as problem:  # noqa: BLE001 - the socket loop: one message must not end the server
            self.failed(problem)
        else:
            socket = self._socket
            if work is not None and socket is not None:
                socket.hold()
                self.work(work, socket.release)
            elif work is not None:  # it went while this was looked at; what was begun is still ended
                self.work(work, lambda: None)

    def work(self, work: Awaitable[None], done: Callable[[], None]) -> None:
        """Go on with one message in a task of its own; the next one is for when it is `done`."""
        self._engine.beside(self._finish(work, done))

    async def _finish(self, work: Awaitable[None], done: Callable[[], None]) -> None:
        try:
            await work
        except Exception as problem:  # noqa: BLE001 - as above
            self.failed(problem)
        finally:
            done()

    def failed(self, problem: Exception) -> None:
        """Handling a message went wrong: that ends this session and nothing else."""
        if isinstance(problem, RecursionError):  # what is nested that deeply is an attack, and worth no traceback
            self.breaks_off("nested too deeply")
            return
        log("socket.message_failed", level="error", error=problem)
        self.close(abort=True, reason="internal")

    def stalled(self) -> None:
        self._write = None
        self.flush()

    def ready(self, first: bytes = b"") -> None:
        """Write what waits, then at once again."""
        socket = self._socket
        if socket is None:
            return
        self._write = socket.writer
        while self._write is not None and (self._outbound or first):
            socket.writer(first + b"".join([frame.wire for frame in self.take()]))
            first = b""
        if self._write is not None and self.closing:
            self._write = None
            socket.close()

    def gone(self, reason: str) -> None:
        self._write = self._socket = self._late = None
        if reason == PROTOCOL_BROKEN:
            self._engine.complain(self, "not a WebSocket frame")
        self.close(abort=True, reason=reason)

    def breaks_off(self, problem: object) -> None:
        """The peer broke the protocol: say so once, and end it."""
        self._engine.complain(self, problem)
        self.close(abort=True, reason=PROTOCOL_BROKEN)

    # -- heartbeat ----------------------------------------------------------------------------------------------

    def schedule_ping(self) -> None:
        """Start, or after a pong restart, the heartbeat."""
        self._beat(self._engine.options.ping_interval_s, self._ping)

    def _beat(self, seconds: float, action: Callable[[], None]) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if not self.closing:
            self._heartbeat = asyncio.get_running_loop().call_later(seconds, action)

    def _ping(self) -> None:
        self.put(_PING_FRAME)
        self._beat(self._engine.options.ping_timeout_s, self._lost)

    def _lost(self) -> None:
        self.close(abort=True, reason=PING_TIMEOUT)

    def expect_company(self) -> None:
        """Close this session unless it joins an application in time."""
        self.in_company()
        if not self.closing:
            loop = asyncio.get_running_loop()
            self._lonely = loop.call_later(self._engine.options.connect_timeout_s, self.still_lonely)

    def in_company(self) -> None:
        if self._lonely is not None:
            self._lonely.cancel()

    def still_lonely(self) -> None:
        self.close(reason="connect timeout")

    # -- receiving ----------------------------------------------------------------------------------------------

    def receive(self, message: str | bytes) -> Awaitable[None] | None:
        """One Engine.IO message; what must be awaited before the next one. Raises ProtocolError."""
        listener = self.listener
        if listener is None or self.closing:
            return None
        if isinstance(message, bytes):
            return listener.heard(message)
        if message[:1] == MESSAGE:
            return listener.heard(message[1:])
        if message == PONG:
            self.schedule_ping()
        elif message == CLOSE:
            self.close(abort=True, reason=CLIENT_LEFT)
        else:
            raise ProtocolError("unknown packet")
        return None

    # -- python-engineio's names, for its HTTP side -------------------------------------------------------------

    @property
    def polling(self) -> Polling:
        """The HTTP side of this session."""
        if self._polling is None:
            self._polling = Polling(self, self._engine.options)
        return self._polling

    @property
    def connected(self) -> bool:
        """Whether it was opened: over HTTP, or by a WebSocket."""
        return self._polling is not None or self.upgraded

    @property
    def closed(self) -> bool:
        return self.closing

    async def handle_get_request(self, environ: dict[str, Any]) -> Any:  # noqa: ANN401 - a response, or packets
        request: web.Request = environ["aiohttp.request"]
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await WebSocket(self._move_or_begin, self._engine)(environ)
        return await self.polling.poll(request)

    def _move_or_begin(self, socket: WebSocket) -> None:
        self._engine.attach_to(self, socket)

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        await self.polling.post(environ["aiohttp.request"])

    # -- the end ------------------------------------------------------------------------------------------------

    def close(self, *, abort: bool = False, reason: str = SERVER_LEFT) -> None:
        """End the session: what is queued may still leave, for a moment, unless `abort`."""
        if self.closing:
            return
        if abort:
            self.forget()
        self.closing = True
        if self._outbound is not None:
            self._outbound.closed = True
        self.in_company()
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        if self._polling is not None:
            self._polling.end()
        self._engine.ended(self, reason)
        self._part(abort=abort)

    def _part(self, *, abort: bool) -> None:
        """Let go of the WebSocket."""
        self.flush()
        socket, is_clear, self._write = self._socket, self._write is not None, None
        if socket is None:
            return
        if abort:
            self._socket = None
            socket.abort()
        elif is_clear:
            self._socket = None
            socket.close()
        else:  # `ready` says goodbye when the peer has taken the rest
            asyncio.get_running_loop().call_later(LINGER_S, self._cut)

    def _cut(self) -> None:
        if self._socket is not None:
            self._socket.abort()
            self._socket = None
