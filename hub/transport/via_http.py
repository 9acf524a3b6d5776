"""A WebSocket that came by way of aiohttp: the unusual handshakes, and connections that spoke HTTP before.

As the wall wants it: no compression, little in the kernel, cuttable, messages handed to the owner one after the other.
The usual way in is `hub.transport.front`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from hub.transport.rfc6455 import PROTOCOL_BROKEN, TRANSPORT_CLOSE, WRITE_AT_ONCE_BYTES, Owner, hold_little

logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # it warns of each handshake with a subprotocol

LINGER_S = 2.0
"""How long a closing session may still write what it has before its connection is cut."""

LOOK_S = 0.05
"""aiohttp does not tell when the peer has read; for as long as it has not, it is looked at this often."""


class WebSocket:
    """One WebSocket under an Engine.IO session."""

    def __init__(self, attach: Callable[[WebSocket], None], server: Any) -> None:  # noqa: ANN401
        """Called by python-engineio for each WebSocket; `server` is the `Engine`, which imports this file."""
        self._attach = attach
        self._frame_bytes_max = server.options.frame_bytes_max
        self._response: Any = None
        self._transport: Any = None
        self._owner: Owner | None = None
        self._held: asyncio.Event = asyncio.Event()
        self._held.set()

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        """Serve until the peer or the session ends it."""
        request: web.Request = environ["aiohttp.request"]
        response = web.WebSocketResponse(max_msg_size=self._frame_bytes_max, compress=False, timeout=LINGER_S)
        await response.prepare(request)
        self._response, self._transport = response, request.transport
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=WRITE_AT_ONCE_BYTES)
            hold_little(self._transport)
        self._attach(self)
        reason = TRANSPORT_CLOSE
        try:
            while self._owner is not None:
                message = await response.receive()
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    reason = PROTOCOL_BROKEN if message.type is WSMsgType.ERROR else TRANSPORT_CLOSE
                    break
                self._owner.heard(message.data)
                await self._held.wait()
        finally:
            if self._owner is not None:
                self._owner.gone(reason)
        if not response.closed:
            await response.close()
        return response

    def listen(self, owner: Owner) -> None:
        """From now on this is whose it is."""
        self._owner = owner

    @property
    def writer(self) -> Callable[[bytes], None]:
        """Writes whole frames at once; not to be called while the owner is stalled, nor after the end."""
        return self._write

    def _write(self, frame: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(frame)
        if self._has_plenty() and self._owner is not None:
            self._owner.stalled()
            asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _has_plenty(self) -> bool:
        return bool(self._transport.get_write_buffer_size() >= WRITE_AT_ONCE_BYTES)

    def _look(self) -> None:
        if self._owner is None or self._transport.is_closing():
            return
        if self._has_plenty():
            asyncio.get_running_loop().call_later(LOOK_S, self._look)
        else:
            self._owner.ready()

    @property
    def is_ending(self) -> bool:
        """Whether it is cut without our help."""
        return False

    def hold(self) -> None:
        """Keep what comes until `release`: the owner is at work on a message."""
        self._held.clear()

    def release(self) -> None:
        """Hand over what comes."""
        self._held.set()

    def close(self) -> None:
        """Say goodbye; the connection is cut when the peer has answered or does not. Nothing more is told."""
        self._owner = None
        self._closing = asyncio.get_running_loop().create_task(self._response.close())

    def abort(self) -> None:
        """Cut the connection; nothing more is written, nothing more is told."""
        self._owner = None
        if self._transport is not None:
            self._transport.abort()
