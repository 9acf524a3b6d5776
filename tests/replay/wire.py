"""One Socket.IO connection over WebSocket, twice: the official client, and a lean one for thousands in one process.

Both speak Engine.IO 4 / Socket.IO 5 to the same server and offer the same few verbs. Neither reconnects by itself: the
phone above does, because what it must say on connect (`since`, `epoch`) changes with every fact it hears.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import aiohttp
import orjson
import socketio

Hear = Callable[[str, Any], None]
"""Takes the name and the argument of an event."""

CONNECT_TIMEOUT_S = 10.0
_BYTES_MAX = 4 << 20


class Gone(ConnectionError):
    """There is no connection (any more); whether a request was carried out is not known."""


class Refused(Exception):
    """The server does not let this client in; `error` is its answer: {code, detail, retry}."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('code')}: {error.get('detail')}")
        self.error = dict(error)


class Wire(Protocol):
    """One connection to one namespace, used once."""

    async def open(self, auth: Mapping[str, Any]) -> None:
        """Connect. Raises Gone, Refused."""

    async def ask(self, event: str, body: Any, *, timeout_s: float) -> Any:
        """Send a request and wait for its ack. Raises Gone, TimeoutError."""

    async def wait_gone(self) -> str:
        """Returns when the connection has ended: why."""

    def cut(self) -> None:
        """Break the transport without a word, as a tunnel does."""

    async def close(self) -> None:
        """Leave politely."""


class LeanWire:
    """As little as it takes: one WebSocket, one reading task, one future per request."""

    def __init__(self, http: aiohttp.ClientSession, url: str, namespace: str, hear: Hear) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/socket.io/?EIO=4&transport=websocket"
        self._namespace = namespace
        self._hear = hear
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self, auth: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._socket = await self._http.ws_connect(self._url, max_msg_size=_BYTES_MAX, autoping=True)
                self._reader = asyncio.create_task(self._read(self._socket, auth))
                await self._joined
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            await self.close()
            raise Gone(f"{type(problem).__name__}: {problem}") from problem
        except (Gone, Refused):
            await self.close()
            raise

    async def ask(self, event: str, body: Any, *, timeout_s: float) -> Any:
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            await self._send(f"42{self._namespace},{number}" + orjson.dumps([event, body]).decode())
            async with asyncio.timeout(timeout_s):
                return await answer
        finally:
            self._asked.pop(number, None)

    async def wait_gone(self) -> str:
        return await asyncio.shield(self._gone)

    def cut(self) -> None:
        if self._socket is not None:
            break_transport(self._socket)

    async def close(self) -> None:
        if self._socket is not None and not self._socket.closed:
            with contextlib.suppress(Gone):
                await self._send(f"41{self._namespace},")
            await self._socket.close()
        if self._reader is not None and self._reader is not asyncio.current_task():
            await asyncio.wait([self._reader])
        self._end("closed")

    async def _send(self, text: str) -> None:
        if self._socket is None or self._gone.done():
            raise Gone("not connected")
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError, RuntimeError) as problem:
            raise Gone(str(problem)) from problem

    async def _read(self, frames: aiohttp.ClientWebSocketResponse, auth: Mapping[str, Any]) -> None:
        why = "cut"
        try:
            async for frame in frames:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    raise Gone(f"a frame of type {frame.type}")
                kind, rest = frame.data[0], frame.data[1:]
                if kind == "0":
                    await self._send(f"40{self._namespace}," + orjson.dumps(dict(auth)).decode())
                elif kind == "2":
                    await self._send("3")
                elif kind == "4":
                    self._packet(rest)
                elif kind == "1":
                    why = "closed by the server"
                    break
        except (Gone, Refused) as problem:
            why = str(problem)
        finally:
            self._end(why)
            await frames.close()

    def _packet(self, packet: str) -> None:
        kind, rest = packet[0], packet[1:]
        namespace, _, rest = rest.partition(",") if rest.startswith("/") else ("/", "", rest)
        if namespace != self._namespace:
            return
        digits = len(rest) - len(rest.lstrip("0123456789"))
        body: Any = orjson.loads(rest[digits:]) if rest[digits:] else None
        if kind == "2":
            self._hear(body[0], body[1] if len(body) > 1 else None)
        elif kind == "3":
            waiting = self._asked.get(int(rest[:digits]))
            if waiting is not None and not waiting.done():
                waiting.set_result(body[0] if body else None)
        elif kind == "0":
            self._joined.set_result(None)
        elif kind == "4":
            self._joined.set_exception(Refused(refusal(body)))
        elif kind == "1":
            raise Gone("disconnected by the server")

    def _end(self, why: str) -> None:
        if not self._gone.done():
            self._gone.set_result(why)
        if not self._joined.done():
            self._joined.set_exception(Gone(why))
            self._joined.exception()  # looked at: whether anybody still waits for it does not matter
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(Gone(why))


class OfficialWire:
    """The official Python client, with its own reconnecting switched off."""

    def __init__(self, http: aiohttp.ClientSession, url: str, namespace: str, hear: Hear) -> None:
        self._url = url
        self._namespace = namespace
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._refused: Mapping[str, Any] | None = None
        self._client = socketio.AsyncClient(reconnection=False, http_session=http, handle_sigint=False)
        self._client.on("*", lambda event, *args: hear(event, args[0] if args else None), namespace=namespace)
        self._client.on("disconnect", self._disconnected, namespace=namespace)
        self._client.on("connect_error", self._connect_error, namespace=namespace)

    async def open(self, auth: Mapping[str, Any]) -> None:
        try:
            await self._client.connect(
                self._url, auth=dict(auth), transports=["websocket"], namespaces=[self._namespace],
                wait_timeout=CONNECT_TIMEOUT_S,
            )  # fmt: skip
        except (socketio.exceptions.ConnectionError, aiohttp.ClientError, OSError) as problem:
            await self.close()
            if self._refused is not None:
                raise Refused(self._refused) from problem
            raise Gone(str(problem)) from problem

    async def ask(self, event: str, body: Any, *, timeout_s: float) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answered(*args: Any) -> None:
            if not answer.done():
                answer.set_result(args[0] if args else None)

        try:
            await self._client.emit(event, body, namespace=self._namespace, callback=answered)
        except socketio.exceptions.SocketIOError as problem:
            raise Gone(str(problem)) from problem
        await asyncio.wait([answer, self._gone], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise Gone(self._gone.result()) if self._gone.done() else TimeoutError(event)

    async def wait_gone(self) -> str:
        return await asyncio.shield(self._gone)

    def cut(self) -> None:
        if self._client.eio.ws is not None:
            break_transport(self._client.eio.ws)

    async def close(self) -> None:
        await self._client.disconnect()
        self._disconnected("closed")

    def _disconnected(self, why: str = "") -> None:
        if not self._gone.done():
            self._gone.set_result(str(why))

    def _connect_error(self, error: Any = None) -> None:
        if isinstance(error, Mapping):
            self._refused = refusal(error)


def refusal(body: Any) -> dict[str, Any]:
    """The error of a CONNECT_ERROR packet: {message, data?}, where data is ours."""
    if not isinstance(body, Mapping):
        return {"code": "refused", "detail": str(body), "retry": False}
    inner = body.get("data")
    error = inner.get("error", inner) if isinstance(inner, Mapping) else body
    return {"code": error.get("code", "refused"), "detail": str(error.get("detail", body.get("message"))), **error}


def break_transport(web_socket: aiohttp.ClientWebSocketResponse) -> None:
    """Shut the TCP connection down under the WebSocket: no close frame, no packet."""
    raw = web_socket.get_extra_info("socket")
    if raw is None or raw.fileno() < 0:
        return
    # A second handle on the same connection: what the loop gives out is not always a whole socket.
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(raw.fileno())) as handle:
        handle.shutdown(socket.SHUT_RDWR)
