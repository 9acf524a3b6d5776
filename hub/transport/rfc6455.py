"""The server's side of one WebSocket (RFC 6455), written for many idle connections and short messages.

All connections of a process share one read buffer: reading is synchronous, and what is cut off in the middle of a
frame is kept aside. There is no compression, and nothing is allocated for a connection that is silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from base64 import b64encode
from collections import deque
from hashlib import sha1

from hub.transport.outbound import Frame

READ_AT_ONCE_BYTES = 262_144
WRITE_AT_ONCE_BYTES = 16_384
"""What leaves the buffer for the kernel in one go; later live messages can still replace what stays behind."""

UNREAD_MAX, UNREAD_BYTES_MAX = 64, 262_144
"""Messages waiting to be handled, and their bytes; beyond that the peer is not read until they are."""

FRAGMENTS_MAX = 1_000
"""Pieces of one message; empty ones would otherwise cost memory and no bytes."""

CLOSE_WAIT_S = 2.0
"""How long a peer may take to answer a Close before its connection is cut."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1000, 1002, 1007, 1009

_buffer = bytearray(READ_AT_ONCE_BYTES)
_view = memoryview(_buffer)


_NOT_SENT_LOW_WATER = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
"""Python names it from 3.12. With it the kernel takes no more than this ahead of what it can send."""


def hold_little(transport: asyncio.BaseTransport) -> None:
    """Keep what waits in this process, where it is counted and can be replaced, not in the kernel."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # not TCP, or a system without the option
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LOW_WATER, WRITE_AT_ONCE_BYTES)


class Violation(Exception):
    """The peer broke the protocol; `code` goes into the Close frame."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def accept_key(key: str) -> str:
    """`Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (§4.2.2)."""
    return b64encode(sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()  # noqa: S324 - by the RFC


class WireSocket(asyncio.BufferedProtocol):
    """One WebSocket: `await receive()` for messages, `write` for frames when the peer `is_clear`, else `await send`."""

    __slots__ = (
        "__weakref__", "_closing", "_fragments", "_fragments_bytes", "_is_deaf", "_kind", "_loop", "_max",
        "_missing_to", "_paused", "_reading_paused", "_room", "_tail", "_transport", "_unread", "_unread_bytes",
        "_wanted", "is_clear",
    )  # fmt: skip

    def __init__(self, message_bytes_max: int) -> None:
        self._max = message_bytes_max
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._tail = bytearray()
        self._missing_to = 0
        self._kind = 0
        self._fragments: list[bytes] | None = None
        self._fragments_bytes = 0
        self._unread: deque[tuple[int, str | bytes]] = deque()
        self._unread_bytes = 0
        self._wanted: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._paused = False
        self._reading_paused = False
        self._closing = False
        self.is_clear = True
        """Whether the peer has taken what was written so far, or nearly; a field, for it is asked most often."""
        self._is_deaf = False

    # -- what the session calls ---------------------------------------------------------------------------------

    @property
    def is_ending(self) -> bool:
        """Whether goodbyes are being said, or have been: it is then cut without anybody's help."""
        return self._closing

    def write(self, frame: Frame) -> None:
        """Write one frame now; for a peer that `is_clear`, so that nothing can wait here without bound."""
        self._transport.write(frame.wire)  # type: ignore[union-attr]  # connected, or not clear

    async def send(self, frame: Frame) -> None:
        """Write one frame; waits while the peer does not read. Raises ConnectionError when it is gone."""
        if self._closing or self._transport is None:
            raise ConnectionResetError
        self._transport.write(frame.wire)
        while self._paused and not self._closing:
            self._room = self._loop.create_future()
            await self._room

    async def receive(self) -> str | bytes | None:
        """The next message, or None when the peer is gone, has said goodbye or has broken the protocol."""
        while not self._unread:
            if self._closing:
                return None
            self._wanted = self._loop.create_future()
            try:
                await self._wanted
            finally:
                self._wanted = None
        size, message = self._unread.popleft()
        self._unread_bytes -= size
        if self._reading_paused and not self._has_enough() and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()
        return message

    def _has_enough(self) -> bool:
        return len(self._unread) > UNREAD_MAX or self._unread_bytes > UNREAD_BYTES_MAX

    async def close(self) -> None:
        """Say goodbye; the connection is cut when the peer has answered or does not."""
        self._say_goodbye(NORMAL)

    def abort(self) -> None:
        """Cut the connection; nothing more is written."""
        self._end()
        if self._transport is not None:
            self._transport.abort()

    # -- what the event loop calls ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")  # noqa: S101 - TCP or TLS
        self._transport = transport  # type: ignore[assignment]  # uvloop's own class
        transport.set_write_buffer_limits(high=WRITE_AT_ONCE_BYTES)  # type: ignore[attr-defined]  # as above
        hold_little(transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - one buffer for everybody
        return _view

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_deaf:
            return
        if not self._tail:
            self.feed(_buffer[:nbytes])
            return
        self._tail += _view[:nbytes]
        if len(self._tail) >= self._missing_to:
            whole, self._tail = self._tail, bytearray()
            self.feed(whole)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - gone is gone
        self._transport = None
        self._end()

    def pause_writing(self) -> None:
        self._paused = True
        self.is_clear = False

    def resume_writing(self) -> None:
        self._paused = False
        self.is_clear = not self._closing
        self._wake_writer()

    # -- frames -------------------------------------------------------------------------------------------------

    def feed(self, data: bytes | bytearray) -> None:
        """Take bytes of the peer, beginning where a frame begins."""
        start, end = 0, len(data)
        try:
            while end - start >= 2:
                used = self._frame(data, start, end)
                if used == 0:
                    break
                start += used
        except Violation as violation:
            self._is_deaf = True
            self._say_goodbye(violation.code)
            return
        if start < end:
            self._tail = bytearray(data[start:])
            self._missing_to = self._missing_to if end - start >= 2 else 2

    def _frame(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Handle the frame at `start`; its length, or 0 while part of it is missing."""
        first, second = data[start], data[start + 1]
        size, at = second & 0x7F, start + 2
        kind = first & 0x0F
        if first & 0x70 or not second & 0x80:
            raise Violation(PROTOCOL_ERROR)  # no extension was agreed; clients mask
        if size > 125:
            if kind >= CLOSE:
                raise Violation(PROTOCOL_ERROR)
            wide = 2 if size == 126 else 8
            if end - at < wide:
                self._missing_to = 2 + wide
                return 0
            size, at = int.from_bytes(data[at : at + wide], "big"), at + wide
        if size + self._fragments_bytes > self._max:
            raise Violation(TOO_BIG)
        if end - at < 4 + size:
            self._missing_to = at - start + 4 + size  # a frame that drips in is not parsed anew for every drop
            return 0
        payload = _unmasked(data[at : at + 4], data[at + 4 : at + 4 + size])
        self._take(kind, bool(first & 0x80), payload)
        return at + 4 + size - start

    def _take(self, kind: int, is_final: bool, payload: bytes) -> None:
        if kind >= CLOSE:
            if not is_final:
                raise Violation(PROTOCOL_ERROR)
            self._control(kind, payload)
        elif kind == CONTINUATION:
            if self._fragments is None:
                raise Violation(PROTOCOL_ERROR)
            if len(self._fragments) >= FRAGMENTS_MAX:
                raise Violation(TOO_BIG)
            self._fragments.append(payload)
            self._fragments_bytes += len(payload)
            if is_final:
                whole, self._fragments, self._fragments_bytes = b"".join(self._fragments), None, 0
                self._message(self._kind, whole)
        elif kind not in (TEXT, BINARY) or self._fragments is not None:
            raise Violation(PROTOCOL_ERROR)
        elif is_final:
            self._message(kind, payload)
        else:
            self._kind, self._fragments, self._fragments_bytes = kind, [payload], len(payload)

    def _message(self, kind: int, payload: bytes) -> None:
        if self._closing:
            return
        try:
            self._unread.append((len(payload), payload.decode() if kind == TEXT else payload))
        except UnicodeDecodeError:
            raise Violation(NOT_UTF8) from None
        self._unread_bytes += len(payload)
        self._wake_reader()
        if self._has_enough() and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()

    def _control(self, kind: int, payload: bytes) -> None:
        if kind == PING and not self._closing and self._transport is not None and not self._paused:
            self._transport.write(bytes((0x80 | PONG, len(payload))) + payload)
        elif kind == CLOSE:
            if self._closing and self._transport is not None:
                self._transport.close()  # the answer to ours
            else:
                self._say_goodbye(NORMAL if _is_sound(payload) else PROTOCOL_ERROR, is_answer=True)
        elif kind > PONG:
            raise Violation(PROTOCOL_ERROR)

    # -- the end ------------------------------------------------------------------------------------------------

    def _say_goodbye(self, code: int, *, is_answer: bool = False) -> None:
        if self._closing:
            return
        self._end()
        if self._transport is not None:
            self._transport.write(bytes((0x80 | CLOSE, 2)) + code.to_bytes(2, "big"))
            self._loop.call_later(CLOSE_WAIT_S, self._cut)
            if is_answer:
                self._transport.close()
            elif self._is_deaf and self._transport.can_write_eof():
                self._transport.write_eof()  # closed with bytes unread, the kernel would reset, and our Close be lost

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self._closing = True
        self.is_clear = False
        self._wake_reader()
        self._wake_writer()

    def _wake_reader(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    def _wake_writer(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)


def _unmasked(mask: bytes | bytearray, payload: bytes | bytearray) -> bytes:
    """XOR with the repeated mask (§5.3), as one big number: short messages need no native code for it."""
    size = len(payload)
    pattern = int.from_bytes((bytes(mask) * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ pattern).to_bytes(size, "little")


def _is_sound(close: bytes) -> bool:
    """Whether a Close payload is well formed (§5.5.1, §7.4)."""
    if not close:
        return True
    code = int.from_bytes(close[:2], "big")
    try:
        close[2:].decode()
    except UnicodeDecodeError:
        return False
    return len(close) >= 2 and ((1000 <= code <= 1011 and code not in (1004, 1005, 1006)) or 3000 <= code <= 4999)
