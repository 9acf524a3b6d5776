"""The HTTP side of a session: long polls that take what waits, and POSTs that bring packets.

One poll and one POST at a time; a second one beside it ends the session, as the protocol has it.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Callable, Sized
from typing import Any, Protocol

from aiohttp import web
from engineio import exceptions

from hub.transport.options import EngineOptions
from hub.transport.packets import Frame, ProtocolError

POLLER_LOOK_S = 0.5
"""aiohttp tells a handler that its client has gone only by cancelling it, which no other handler here wants."""

PACKETS_MAX = 256
"""In one POST, whose bytes the payload limit bounds; with more than that unhandled the next POST waits."""

POLLED_MAX = 16
"""In the answer to one poll: python-engineio's client gives up at more."""

_NOOP_FRAME = Frame(b"6")


class Polled(Protocol):
    """The session behind polls and POSTs."""

    closing: bool
    upgraded: bool

    @property
    def outbound(self) -> Sized: ...

    def take(self, count_max: int) -> list[Frame]: ...

    def receive(self, message: str | bytes) -> Awaitable[None] | None: ...

    def work(self, work: Awaitable[None], done: Callable[[], None]) -> None: ...

    def failed(self, problem: Exception) -> None: ...

    def breaks_off(self, problem: object) -> None: ...

    def close(self, *, abort: bool = False, reason: str = "") -> None: ...


class Polling:
    """Polls and POSTs of one session."""

    def __init__(self, session: Polled, options: EngineOptions) -> None:
        self._session = session
        self._options = options
        self._wanted: asyncio.Future[None] | None = None
        self._is_polled = False
        self._reading: asyncio.Future[bytes] | None = None
        self._unread: deque[str | bytes] = deque()
        self._is_busy = False
        self.when_idle: Callable[[], None] | None = None
        """Called once when all that was posted has been handled."""
        self._has_room: asyncio.Future[None] | None = None
        self.is_probed = False

    def wake(self) -> None:
        """Something waits, or all is over."""
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    def probed(self, *, is_probed: bool) -> None:
        """A WebSocket is about to take over: no poll may wait any more."""
        self.is_probed = is_probed
        self.wake()

    def end(self) -> None:
        """The session is over: nobody waits for it."""
        self.wake()
        if self._reading is not None:
            self._reading.cancel()
        if self._has_room is not None and not self._has_room.done():
            self._has_room.set_result(None)

    @property
    def is_busy(self) -> bool:
        """Whether something posted is still being handled."""
        return self._is_busy or bool(self._unread)

    async def poll(self, request: web.Request | None = None) -> list[Any]:
        """Packets for one long poll. Raises QueueEmpty when the session ends by it."""
        session = self._session
        if self._is_polled:
            raise exceptions.QueueEmpty
        self._is_polled = True
        watch = asyncio.get_running_loop().create_task(self._watch(request))
        try:
            while not (session.outbound or session.closing or session.upgraded or self.is_probed):
                self._wanted = asyncio.get_running_loop().create_future()
                await self._wanted
        finally:
            self._wanted = None
            self._is_polled = False
            watch.cancel()
        frames = [] if self.is_probed or session.upgraded else session.take(POLLED_MAX)
        return [_Encoded(frame) for frame in frames or [_NOOP_FRAME]]

    async def _watch(self, request: web.Request | None) -> None:
        """End the session when its poll is given up: what is sent to nobody would be lost without a word."""
        if request is None:
            return
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(POLLER_LOOK_S)
        self._session.close(abort=True, reason="transport close")

    async def post(self, request: web.Request) -> None:
        """The packets of one POST; anything unreadable ends the session with 400.

        They are answered when they have come, not when they have been handled: a pong must not wait for a request.
        """
        length = request.content_length or 0
        if length > self._options.frame_bytes_max:
            raise exceptions.ContentTooLongError
        if self._reading is not None:
            raise exceptions.UnknownPacketError("two at once")
        try:
            packets = (await self._read(request, length)).decode().split("\x1e")
            if len(packets) > PACKETS_MAX:
                raise ProtocolError("too many packets")
            for text in packets:
                self._unread.append(base64.b64decode(text[1:], validate=True) if text[:1] == "b" else text)
            self._hand_over()
            while len(self._unread) > PACKETS_MAX and not self._session.closing:
                self._has_room = asyncio.get_running_loop().create_future()
                await self._has_room
        except (ProtocolError, ValueError, asyncio.IncompleteReadError) as problem:
            self._session.breaks_off(problem)
            raise exceptions.UnknownPacketError(str(problem)) from problem
        finally:
            self._reading = None

    def _hand_over(self) -> None:
        """Handle what has come, one after the other, up to one whose handling has to wait. Raises ProtocolError."""
        while self._unread and not self._is_busy:
            if self._session.closing:
                raise ProtocolError("after the end")
            try:
                work = self._session.receive(self._unread.popleft())
            except ProtocolError:
                raise
            except Exception as problem:  # noqa: BLE001 - as over a WebSocket: one message must not end the server
                self._session.failed(problem)
                return
            if work is not None:
                self._is_busy = True
                self._session.work(work, self._go_on)

    def _go_on(self) -> None:
        self._is_busy = False
        if self._session.closing:
            self._unread.clear()
        try:
            self._hand_over()
        except ProtocolError as problem:
            self._session.breaks_off(problem)
        if self.when_idle is not None and not self.is_busy:
            idle, self.when_idle = self.when_idle, None
            idle()
        if self._has_room is not None and not self._has_room.done():
            self._has_room.set_result(None)

    async def _read(self, request: web.Request, length: int) -> bytes:
        """A POST's body; one that does not come ends with the session. Raises ProtocolError."""
        self._reading = asyncio.ensure_future(request.content.readexactly(length))
        await asyncio.wait([self._reading])
        if self._reading.cancelled():
            raise ProtocolError("the session is over")
        try:
            return self._reading.result()
        except OSError as problem:
            raise ProtocolError("the body broke off") from problem


class _Encoded:
    """A frame in the shape the polling payload encoder asks for."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def encode(self, *, b64: bool) -> str:  # noqa: ARG002 - text needs no base64
        return self._frame.text
