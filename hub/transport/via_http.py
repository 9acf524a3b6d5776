"""A WebSocket that came by way of aiohttp: the unusual handshakes, and connections that spoke HTTP before.

As the wall wants it: no compression, little in the kernel, cuttable. The usual way in is `hub.transport.front`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

from hub.transport.outbound import Frame
from hub.transport.rfc6455 import WRITE_AT_ONCE_BYTES, hold_little

LINGER_S = 2.0
"""How long a closing session may still write what it has before its connection is cut."""

class WebSocket:
    """One WebSocket under an Engine.IO session."""

    def __init__(self, handler: Callable[[WebSocket], Awaitable[None]], server: Any) -> None:  # noqa: ANN401
        """Called by python-engineio for each WebSocket; `server` is the `Engine`, which imports this file."""
        self._handler = handler
        self._frame_bytes_max = server.options.frame_bytes_max
        self._response: Any = None
        self._transport: asyncio.Transport | None = None

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        request: web.Request = environ["aiohttp.request"]
        response = web.WebSocketResponse(
            max_msg_size=self._frame_bytes_max, compress=False, timeout=LINGER_S, writer_limit=0
        )
        await response.prepare(request)
        self._response, self._transport = response, request.transport
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=WRITE_AT_ONCE_BYTES)
            hold_little(self._transport)
        await self._handler(self)
        return response

    @property
    def is_clear(self) -> bool:
        """Whether the peer has taken what was written so far, or nearly."""
        transport = self._transport
        return (
            transport is not None
            and not transport.is_closing()
            and transport.get_write_buffer_size() < WRITE_AT_ONCE_BYTES
        )

    @property
    def is_ending(self) -> bool:
        """Whether it is cut without our help."""
        return False

    def write(self, frame: Frame) -> None:
        """Write one frame now; for a peer that `is_clear`, so that nothing can wait here without bound."""
        assert self._transport is not None  # noqa: S101 - is_clear has looked
        self._transport.write(frame.wire)

    async def send(self, frame: Frame) -> None:
        """Write one frame; waits while the peer does not read."""
        await self._response.send_frame(frame.data, WSMsgType.BINARY if frame.is_binary else WSMsgType.TEXT)

    async def receive(self) -> str | bytes | None:
        """The next message, or None when the peer is gone or sent more than it may."""
        message = await self._response.receive()
        return message.data if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) else None

    async def close(self) -> None:
        await self._response.close()

    def abort(self) -> None:
        """Cut the connection; nothing more is written."""
        if self._transport is not None:
            self._transport.abort()
