"""The door: one port for everything, and a short way in for WebSockets.

A connection whose first request is a sound WebSocket handshake for the Socket.IO path is answered here and becomes a
`WireSocket`. Everything else, also every handshake with anything unusual about it, goes to aiohttp with all its bytes,
and is answered or refused there: nothing is decided twice. Source: RFC 6455 §4.2, RFC 9112.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import parse_qs

from multidict import CIMultiDict

from hub.transport.rfc6455 import WireSocket, accept_key

HEAD_BYTES_MAX = 16_384
HEAD_WAIT_S = 10.0
"""A connection that sends nothing whole within this is cut; browsers open some ahead of need."""

Http = Callable[[], asyncio.Protocol]
"""Makes aiohttp's protocol for a connection: `AppRunner.server`."""


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A sound WebSocket handshake; shaped like a request where addresses are read."""

    remote: str
    headers: CIMultiDict[str]
    query: Mapping[str, str]


class SocketEngine(Protocol):
    """What the door asks of the engine."""

    path: str
    frame_bytes_max: int

    def takes(self, handshake: UpgradeRequest) -> bool:
        """Whether this handshake can go on as a WebSocket."""

    def welcome(self, socket: WireSocket, handshake: UpgradeRequest, answer: bytes) -> None:
        """The WebSocket is open when `answer` has been written: before anything else, and best together with it."""


class Door(asyncio.Protocol):
    """A connection before it is known what it speaks."""

    __slots__ = ("_engine", "_head", "_http", "_late", "_transport")

    def __init__(self, http: Http, engine: SocketEngine | None) -> None:
        self._http = http
        self._engine = engine
        self._head = b""
        self._transport: Any = None
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._late = asyncio.get_running_loop().call_later(HEAD_WAIT_S, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - gone is gone
        if self._late is not None:
            self._late.cancel()

    def data_received(self, data: bytes) -> None:
        self._head += data
        engine = self._engine
        if engine is None or not _may_be(self._head, b"GET " + engine.path.encode() + b"?"):
            self._hand_on()
            return
        end = self._head.find(b"\r\n\r\n")
        if end < 0 and len(self._head) < HEAD_BYTES_MAX:
            return  # the rest of the head is on its way
        handshake = None if end < 0 else read_handshake(self._head[:end], self._remote())
        if handshake is None or not engine.takes(handshake):
            self._hand_on()
            return
        self._become_socket(engine, handshake, rest=self._head[end + 4 :])

    def _remote(self) -> str:
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple | list) and peer else ""

    def _become_socket(self, engine: SocketEngine, handshake: UpgradeRequest, *, rest: bytes) -> None:
        self._stop_waiting()
        socket = WireSocket(engine.frame_bytes_max)
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept_key(handshake.headers["Sec-WebSocket-Key"]).encode()
            + b"\r\n\r\n"
        )
        self._transport.set_protocol(socket)
        socket.connection_made(self._transport)
        engine.welcome(socket, handshake, answer)
        if rest:
            socket.feed(rest)

    def _hand_on(self) -> None:
        self._stop_waiting()
        protocol = self._http()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._head)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()


def _may_be(head: bytes, start: bytes) -> bool:
    """Whether the bytes so far begin as `start` does."""
    return head.startswith(start) if len(head) >= len(start) else start.startswith(head)


_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]++):([\t -~]*+)\r\n")
"""A header: a token, and no control characters after it (RFC 9110 §5); a proxy in front must read what we read."""

_FIELDS = re.compile(f"(?:{_FIELD.pattern})*+")

_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")


def read_handshake(head: bytes, remote: str) -> UpgradeRequest | None:
    """A WebSocket handshake with nothing unusual about it; None leaves the request to aiohttp."""
    try:
        first, _, lines = (head.decode("ascii") + "\r\n").partition("\r\n")
        method, target, version = first.split(" ")
        query = _query_of(target)
    except ValueError:
        return None
    if _FIELDS.fullmatch(lines) is None:
        return None
    headers = CIMultiDict((name, value.strip()) for name, value in _FIELD.findall(lines))
    plain = (
        (method, version) == ("GET", "HTTP/1.1")
        and target.isprintable()
        and headers.get("Upgrade", "").lower() == "websocket"
        and "upgrade" in {part.strip().lower() for part in headers.get("Connection", "").split(",")}
        and headers.get("Sec-WebSocket-Version") == "13"
        and _KEY.fullmatch(headers.get("Sec-WebSocket-Key", "")) is not None
        and all(len(headers.getall(name, ())) <= 1 for name in ("Host", "Origin", "Sec-WebSocket-Key"))
        and "Host" in headers
        and not {"Content-Length", "Transfer-Encoding", "Expect"} & headers.keys()
    )
    return UpgradeRequest(remote, headers, query) if plain else None


@lru_cache(maxsize=64)
def _query_of(target: str) -> Mapping[str, str]:
    """The first value of each parameter; nearly all clients ask for the same. Raises ValueError."""
    return {name: values[0] for name, values in parse_qs(target.partition("?")[2], strict_parsing=True).items()}


def tls_context(certificate: str, key: str) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with this chain and key (PEM files); None without them. Raises OSError."""
    if not certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key)
    return context


async def listen(
    http: Http, engine: SocketEngine | None, host: str, port: int, *, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Accept connections until the server is closed. Several processes may share the port."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Door(http, engine), host, port, reuse_port=True, backlog=1_024, ssl=tls, start_serving=True
    )
