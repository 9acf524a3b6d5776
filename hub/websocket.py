"""One WebSocket under an Engine.IO session, as the wall wants it: no compression, little in the kernel, cuttable."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

from hub.outbound import Frame

WRITE_AT_ONCE_BYTES = 16_384
"""What leaves the buffer for the kernel in one go; later live messages can still replace what stays behind."""

LINGER_S = 2.0
"""How long a closing session may still write what it has before its connection is cut."""

_NOT_SENT_LOW_WATER = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
"""Python names it from 3.12. With it the kernel takes no more than this ahead of what it can send."""


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
            _hold_little(self._transport.get_extra_info("socket"))
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


def _hold_little(raw: Any) -> None:  # noqa: ANN401 - the loop's own socket type
    with contextlib.suppress(OSError, AttributeError, TypeError):  # not TCP, or a system without the option
        raw.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LOW_WATER, WRITE_AT_ONCE_BYTES)
