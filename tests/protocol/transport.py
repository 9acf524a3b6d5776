"""The checks of Engine.IO 4 that hold whatever is spoken above it: handshake, heartbeat, close.

Both test files run them, each against its own server.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.protocol.wire import (
    CLOSE,
    MAX_PAYLOAD_BYTES,
    NOOP,
    PING,
    PING_INTERVAL_MS,
    PING_TIMEOUT_MS,
    POLLING,
    PONG,
    Wire,
    hello,
)

SLACK_S = 0.3
"""For a server whose clock is late on a busy machine."""


def assert_is_true(said: dict[str, Any], *, upgrades: list[str]) -> None:
    """The opening packet has exactly these fields, and they say how this server was set up."""
    assert isinstance(said["sid"], str)
    assert said["sid"]
    assert said == {
        "sid": said["sid"],
        "upgrades": upgrades,
        "pingInterval": PING_INTERVAL_MS,
        "pingTimeout": PING_TIMEOUT_MS,
        "maxPayload": MAX_PAYLOAD_BYTES,
    }


class HandshakeChecks:
    """How a session is opened, and how it is not."""

    async def test_polling_opens_a_session(self, wire: Wire) -> None:
        status, text = await wire.ask("GET", POLLING)
        assert status == 200
        assert_is_true(hello(text), upgrades=["websocket"])

    async def test_polling_needs_a_known_protocol_version(self, wire: Wire) -> None:
        assert (await wire.ask("GET", "transport=polling"))[0] == 400
        assert (await wire.ask("GET", "EIO=abc&transport=polling"))[0] == 400

    async def test_polling_needs_a_known_transport(self, wire: Wire) -> None:
        assert (await wire.ask("GET", "EIO=4"))[0] == 400
        assert (await wire.ask("GET", "EIO=4&transport=abc"))[0] == 400

    async def test_only_a_get_opens_a_session(self, wire: Wire) -> None:
        assert (await wire.ask("POST", POLLING))[0] == 400
        assert (await wire.ask("PUT", POLLING))[0] == 400

    async def test_a_websocket_opens_a_session(self, wire: Wire) -> None:
        async with wire.websocket() as socket:
            assert_is_true(hello(await socket.receive()), upgrades=[])

    async def test_a_websocket_needs_a_known_protocol_version(self, wire: Wire) -> None:
        assert await wire.turns_away("transport=websocket")
        assert await wire.turns_away("EIO=abc&transport=websocket")

    async def test_a_websocket_needs_a_known_transport(self, wire: Wire) -> None:
        assert await wire.turns_away("EIO=4")
        assert await wire.turns_away("EIO=4&transport=abc")


class HeartbeatChecks:
    """Pings go on for as long as pongs come back."""

    async def test_a_polling_session_is_pinged_again_after_each_pong(self, wire: Wire) -> None:
        session = await wire.poll_open()
        for _ in range(3):
            assert await session.poll() == (200, PING)
            assert await session.post(PONG) == (200, "ok")

    async def test_a_polling_session_without_pongs_ends(self, wire: Wire) -> None:
        session = await wire.poll_open()
        # Nothing is asked in between: the server has to notice by itself.
        await asyncio.sleep((PING_INTERVAL_MS + PING_TIMEOUT_MS) / 1_000 + SLACK_S)
        assert (await session.poll())[0] == 400

    async def test_a_socket_is_pinged_again_after_each_pong(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            for _ in range(3):
                assert await socket.receive() == PING
                await socket.say(PONG)

    async def test_a_socket_without_pongs_is_closed(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            assert await socket.last_words(alive=False) == [PING]


class CloseChecks:
    """The client says that it leaves."""

    async def test_a_polling_client_that_leaves_gets_its_waiting_poll_back(self, wire: Wire) -> None:
        session = await wire.poll_open()
        waiting = await session.begin_poll()
        assert await session.post(CLOSE) == (200, "ok")
        assert await waiting == (200, NOOP)
        assert (await session.poll())[0] == 400

    async def test_a_socket_client_that_leaves_is_let_go(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await socket.say(CLOSE)
            # Node.js passes over this packet and closes when it misses a pong.
            heard = await socket.last_words(alive=wire.is_ours)
            assert heard == [] or (heard == [PING] and not wire.is_ours)
