"""The server's side of one WebSocket (RFC 6455), written for many idle connections and short messages.

Reading is synchronous: the event loop's one read buffer serves everybody, and only what is cut off in the middle of a
frame is kept aside. There is no compression, and nothing is allocated for a connection that is silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from hashlib import sha1
from typing import Protocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled part for this platform
    from websockets.utils import apply_mask

WRITE_AT_ONCE_BYTES = 16_384
"""What leaves the buffer for the kernel in one go; later live messages can still replace what stays behind."""

UNREAD_MAX, UNREAD_BYTES_MAX = 64, 262_144
"""Messages waiting to be handled, and their bytes; beyond that the peer is not read until they are."""

FRAGMENTS_MAX = 1_000
"""Pieces of one message; empty ones would otherwise cost memory and no bytes."""

CLOSE_WAIT_S = 2.0
"""How long a peer may take to answer a Close before its connection is cut."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL_TEXT = 0x80 | TEXT
NORMAL, PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1000, 1002, 1007, 1009

TRANSPORT_CLOSE, PROTOCOL_BROKEN = "transport close", "protocol error"
"""Why a connection is gone."""

_NOT_SENT_LOW_WATER = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
"""Python names it from 3.12. With it the kernel takes no more than this ahead of what it can send."""


def hold_little(transport: asyncio.BaseTransport) -> None:
    """Keep what waits in this process, where it is counted and can be replaced, not in the kernel."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # not TCP, or a system without the option
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LOW_WATER, WRITE_AT_ONCE_BYTES)


_SHORT_TEXT = tuple(bytes((FINAL_TEXT, 0x80 | max(0, size - 6))) for size in range(132))
"""How a read of this size begins that is one whole short text."""


class Violation(Exception):
    """The peer broke the protocol; `code` goes into the Close frame."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def accept_key(key: str) -> str:
    """`Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (§4.2.2)."""
    return b64encode(sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()  # noqa: S324 - by the RFC


class Owner(Protocol):
    """Whose WebSocket it is."""

    def heard(self, message: str | bytes) -> None:
        """A message came; called in order, and not while the socket is held."""

    def stalled(self) -> None:
        """The peer does not take what is written: nothing may be written until it is `ready`."""

    def ready(self) -> None:
        """The peer has taken nearly everything."""

    def gone(self, reason: str) -> None:
        """The connection has ended or is about to, not by the owner's wish. Nothing is called after this."""


def _nowhere(_frame: bytes) -> None:
    """The connection has ended while something was still being said."""


class WireSocket(asyncio.Protocol):
    """One WebSocket. Messages go to its owner as they come; while it is held they wait, and then the peer does.

    What was said before the peer left is still handed over before the owner hears that it is gone.
    """

    __slots__ = (
        "__weakref__", "_closing", "_fragments", "_fragments_bytes", "_gone", "_held", "_is_deaf", "_kind",
        "_max", "_missing_to", "_owner", "_paused", "_reading_paused", "_tail", "_transport", "_unread",
        "_unread_bytes",
    )  # fmt: skip

    def __init__(self, message_bytes_max: int) -> None:
        self._max = message_bytes_max
        self._owner: Owner | None = None
        self._transport: asyncio.Transport | None = None
        self._tail: bytearray | None = None
        self._missing_to = 0
        self._kind = 0
        self._fragments: list[bytes] | None = None
        self._fragments_bytes = 0
        self._unread: deque[str | bytes] | None = None
        self._unread_bytes = 0
        self._held = False
        self._paused = False
        self._reading_paused = False
        self._closing = False
        self._is_deaf = False
        self._gone: str | None = None

    # -- what the session calls ---------------------------------------------------------------------------------

    def listen(self, owner: Owner) -> None:
        """From now on this is whose it is."""
        self._owner = owner

    @property
    def writer(self) -> Callable[[bytes], None]:
        """Writes whole frames at once; not to be called while the owner is stalled. After the end it writes nowhere."""
        return _nowhere if self._transport is None else self._transport.write

    @property
    def is_ending(self) -> bool:
        """Whether goodbyes are being said, or have been: it is then cut without anybody's help."""
        return self._closing

    def hold(self) -> None:
        """Keep what comes until `release`: the owner is at work on a message."""
        self._held = True

    def release(self) -> None:
        """Hand over what came meanwhile, then what comes."""
        self._held = False
        while self._unread and not self._held and self._owner is not None:
            message = self._unread.popleft()
            self._unread_bytes -= len(message)
            self._owner.heard(message)
        if self._held:
            return
        self._unread, self._unread_bytes = None, 0
        if self._gone is not None:
            self._tell_gone(self._gone)
        if self._reading_paused and not self._has_enough() and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()

    def _has_enough(self) -> bool:
        return self._unread is not None and (
            len(self._unread) > UNREAD_MAX or self._unread_bytes > UNREAD_BYTES_MAX
        )

    def close(self) -> None:
        """Say goodbye; the connection is cut when the peer has answered or does not. Nothing more is told."""
        self._owner = None
        self._say_goodbye(NORMAL)

    def abort(self) -> None:
        """Cut the connection; nothing more is written, nothing more is told."""
        self._owner = None
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    # -- what the event loop calls ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")  # noqa: S101 - TCP or TLS
        self._transport = transport  # type: ignore[assignment]  # uvloop's own class
        transport.set_write_buffer_limits(high=WRITE_AT_ONCE_BYTES)  # type: ignore[attr-defined]  # as above
        hold_little(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        if self._tail is None:
            if 6 <= len(data) < 132 and data[:2] == _SHORT_TEXT[len(data)] and self._fragments is None:
                self._usual(data)  # one whole short text and nothing else, as most reads are
            else:
                self.feed(data)
            return
        self._tail += data
        if len(self._tail) >= self._missing_to:
            whole, self._tail = self._tail, None
            self.feed(whole)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - gone is gone
        self._transport = None
        self._closing = True
        self._tell_gone(TRANSPORT_CLOSE)

    def _tell_gone(self, reason: str) -> None:
        owner = self._owner
        if owner is None:
            return
        if self._unread and self._held:
            self._gone = self._gone or reason
            owner.stalled()
            return
        self._owner = None
        owner.gone(self._gone or reason)

    def pause_writing(self) -> None:
        self._paused = True
        if self._owner is not None:
            self._owner.stalled()

    def resume_writing(self) -> None:
        self._paused = False
        if self._owner is not None and not self._closing:
            self._owner.ready()

    # -- frames -------------------------------------------------------------------------------------------------

    def _usual(self, data: bytes) -> None:
        try:
            message = apply_mask(data[6:], data[2:6]).decode()
        except UnicodeDecodeError:
            self._break_off(Violation(NOT_UTF8))
            return
        if self._held or self._owner is None or self._closing:
            self._keep(message)
        else:
            self._owner.heard(message)

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
            self._break_off(violation)
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
        payload = apply_mask(data[at + 4 : at + 4 + size], data[at : at + 4])
        if first == FINAL_TEXT and self._fragments is None:
            self._message(TEXT, payload)
        else:
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
            message = payload.decode() if kind == TEXT else payload
        except UnicodeDecodeError:
            raise Violation(NOT_UTF8) from None
        if self._held or self._owner is None:
            self._keep(message)
        else:
            self._owner.heard(message)

    def _keep(self, message: str | bytes) -> None:
        """Until the owner is ready for it; for an owner who has gone there is nothing to keep."""
        if self._closing:
            return
        self._unread = self._unread or deque()
        self._unread.append(message)
        self._unread_bytes += len(message)
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
                self._tell_gone(TRANSPORT_CLOSE)
        elif kind > PONG:
            raise Violation(PROTOCOL_ERROR)

    # -- the end ------------------------------------------------------------------------------------------------

    def _break_off(self, violation: Violation) -> None:
        self._is_deaf = True
        self._say_goodbye(violation.code)
        self._tell_gone(PROTOCOL_BROKEN)

    def _say_goodbye(self, code: int, *, is_answer: bool = False) -> None:
        if self._closing:
            return
        self._closing = True
        if self._transport is None:
            return
        self._transport.write(bytes((0x80 | CLOSE, 2)) + code.to_bytes(2, "big"))
        asyncio.get_running_loop().call_later(CLOSE_WAIT_S, self._cut)
        if is_answer:
            self._transport.close()
        elif self._is_deaf and self._transport.can_write_eof():
            self._transport.write_eof()  # closed with bytes unread, the kernel would reset, and our Close be lost

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _is_sound(close: bytes) -> bool:
    """Whether a Close payload is well formed (§5.5.1, §7.4)."""
    if not close:
        return True
    code = int.from_bytes(close[:2], "big")
    try:
        close[2:].decode()
    except UnicodeDecodeError:
        return False
    return len(close) >= 2 and ((1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code <= 4999)
