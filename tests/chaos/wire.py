"""One Socket.IO connection over a WebSocket, as little as it takes: hundreds of them fit into one process.

It can do what a real client library never would: break its connection with a reset, walk away without a word, stop
reading. What the server says is checked as far as it is parsed: a frame that is not a whole, unmasked text frame ends
the connection with a reason that starts with `protocol`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

Hear = Callable[[str, Any], None]
"""Takes the name and the argument of an event."""

TEXT, CLOSE = 0x81, 0x88
_ESTABLISHED = 1
_HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Refused(ConnectionError):
    """The server answered CONNECT with an error; `error` is {code, detail, retry}."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"refused: {error.get('code')}")
        self.error = dict(error)


class Wire(asyncio.Protocol):
    """One connection to one namespace, used once."""

    def __init__(self, host: str, namespace: str, auth: Mapping[str, Any], hear: Hear) -> None:
        self._host, self._namespace, self._hear = host, namespace, hear
        self._connect = f"40{namespace}," + orjson.dumps(dict(auth)).decode()
        self._event = f"42{namespace},".encode()
        self._unread = bytearray()
        self._is_web_socket = False
        self._transport: Any = None
        loop = asyncio.get_running_loop()
        self.joined: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[str] = loop.create_future()

    @classmethod
    async def open(
        cls, url: str, namespace: str, auth: Mapping[str, Any], hear: Hear,
        *, timeout_s: float = 5.0, receive_buffer: int | None = None,
    ) -> Wire:  # fmt: skip
        """Connect and join. Raises OSError (also Refused) and TimeoutError."""
        at, loop = urlsplit(url), asyncio.get_running_loop()
        wire = cls(at.netloc, namespace, auth, hear)
        try:
            async with asyncio.timeout(timeout_s):
                if receive_buffer is None:
                    await loop.create_connection(lambda: wire, at.hostname, at.port)
                else:
                    narrow = await asyncio.to_thread(_narrow, at.hostname, at.port, receive_buffer)
                    await loop.create_connection(lambda: wire, sock=narrow)
                await wire.joined
        except BaseException:
            wire.reset()
            raise
        return wire

    def send(self, event: str, body: Any) -> None:
        """Emit without asking for an ack."""
        self._say(self._event.decode() + orjson.dumps([event, body]).decode())

    # Ends

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self._hear = _deaf
        if self._transport is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError, ValueError):  # it may be closed below and not know it yet
                raw = self._transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        self._end("reset")

    def abandon(self) -> None:
        """Walk away: the connection stays, nobody reads it, nothing is said. `reset` it some day."""
        self._hear = _deaf
        self.stop_reading()
        self._end("abandoned")

    def stop_reading(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._transport.pause_reading()

    def go_on_reading(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._transport.resume_reading()

    @property
    def is_cut(self) -> bool:
        """Whether the peer has ended it; known from the kernel, also to one who does not read."""
        raw = self._transport.get_extra_info("socket")
        return raw is None or raw.fileno() < 0 or raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO)[0] != _ESTABLISHED

    def _end(self, why: str) -> None:
        if not self.gone.done():
            self.gone.set_result(why)
        if not self.joined.done():
            self.joined.set_exception(ConnectionError(why))
            self.joined.exception()  # looked at: whether anybody still waits for it does not matter

    # The transport

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if self.gone.done():
            transport.abort()  # whoever wanted it has given up
            return
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(_HANDSHAKE.format(host=self._host).encode())

    def connection_lost(self, problem: Exception | None) -> None:
        self._end("lost" if problem is None else f"lost: {type(problem).__name__}")

    def data_received(self, data: bytes) -> None:
        unread = self._unread
        unread += data
        if not self._is_web_socket and not self._shake_hands():
            return
        start = 0
        while (size := self._frame_size(start)) is not None:
            head, begin, end = size
            start = end
            if head != TEXT:
                self._fail("closed" if head == CLOSE else f"protocol: frame {head:#x}")
                return
            self._packet(bytes(unread[begin:end]))
        del unread[:start]

    def _shake_hands(self) -> bool:
        head, found, rest = bytes(self._unread).partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self._fail(head.split(b"\r\n")[0].decode(errors="replace"))
            return False
        self._is_web_socket = True
        self._unread[:] = rest
        return True

    def _frame_size(self, start: int) -> tuple[int, int, int] | None:
        """First byte, where the payload begins and where it ends, of a frame that is here in whole."""
        unread = self._unread
        if len(unread) < start + 2:
            return None
        size, begin = unread[start + 1], start + 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            size, begin = int.from_bytes(unread[begin : begin + wide], "big"), begin + wide
        return (unread[start], begin, begin + size) if len(unread) >= begin + size else None

    def _packet(self, packet: bytes) -> None:
        if packet.startswith(self._event):
            event = orjson.loads(packet[len(self._event) :])
            self._hear(event[0], event[1] if len(event) > 1 else None)
        elif packet == b"2":
            self._say("3")
        elif packet.startswith(b"0"):
            self._say(self._connect)
        elif packet.startswith(b"40"):
            if not self.joined.done():
                self.joined.set_result(None)
        elif packet.startswith(b"44"):
            body = orjson.loads(packet[packet.index(b",") + 1 :])
            if not self.joined.done():
                self.joined.set_exception(Refused(body.get("data", {}).get("error", {})))
            self._fail("refused")
        elif not packet.startswith((b"43", b"6")):
            self._fail("disconnected" if packet.startswith((b"41", b"1")) else f"protocol: {packet[:80]!r}")

    def _fail(self, why: str) -> None:
        self._end(why)
        self._transport.abort()

    def _say(self, text: str) -> None:
        """One masked text frame (the mask is zero, which is a mask too)."""
        data, wide = text.encode(), b""
        size = len(data)
        if size >= 126:
            size, wide = (126, size.to_bytes(2, "big")) if size < 65_536 else (127, size.to_bytes(8, "big"))
        if not self._transport.is_closing():
            self._transport.write(bytes((TEXT, 0x80 | size)) + wide + bytes(4) + data)


def _narrow(host: str | None, port: int | None, receive_buffer: int) -> socket.socket:
    """A connection whose window is small from the first packet on."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.connect((host, port))
    raw.setblocking(False)
    return raw


def _deaf(_event: str, _body: Any) -> None:
    """What is heard after the client has gone is nobody's."""
