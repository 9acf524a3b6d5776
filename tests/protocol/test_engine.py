"""Engine.IO 4 on the wire, against a server that echoes every message: 25 checks.

`FIELDHUB_PROTOCOL_URL_ENGINE` points them at another server (see `conftest.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.protocol.conftest import Server
from tests.protocol.transport import CloseChecks, HandshakeChecks, HeartbeatChecks
from tests.protocol.wire import CLOSE, NOOP, SEPARATOR, UPGRADE, WEBSOCKET, Socket, Wire


@pytest.fixture
async def wire(engine: Server) -> AsyncIterator[Wire]:
    async with Wire.to(f"{engine.url}/engine.io/", is_ours=engine.is_ours) as client:
        yield client


async def assert_echoes(socket: Socket) -> None:
    await socket.say("4hello")
    assert await socket.hear() == "4hello"


class TestHandshake(HandshakeChecks):
    """As everywhere."""


class TestHeartbeat(HeartbeatChecks):
    """As everywhere."""


class TestClose(CloseChecks):
    """As everywhere."""


class TestMessages:
    """What is sent comes back, and what is no packet ends the session."""

    async def test_polling_carries_one_text(self, wire: Wire) -> None:
        session = await wire.poll_open()
        assert await session.post("4hello") == (200, "ok")
        assert await session.hear() == "4hello"

    async def test_polling_carries_several_texts_in_one_body(self, wire: Wire) -> None:
        body = SEPARATOR.join(["4test1", "4test2", "4test3"])
        session = await wire.poll_open()
        assert await session.post(body) == (200, "ok")
        assert await session.hear() == body

    async def test_polling_carries_binary_as_base64_beside_text(self, wire: Wire) -> None:
        body = SEPARATOR.join(["4hello", "bAQIDBA=="])
        session = await wire.poll_open()
        assert await session.post(body) == (200, "ok")
        assert await session.hear() == body

    async def test_a_posted_body_that_is_no_packet_ends_the_session(self, wire: Wire) -> None:
        session = await wire.poll_open()
        status, _ = await session.post("abc")
        assert status == 400 or not wire.is_ours  # Node.js says ok, and ends the session all the same
        assert (await session.poll())[0] == 400

    async def test_a_second_poll_beside_a_waiting_one_ends_the_session(self, wire: Wire) -> None:
        session = await wire.poll_open()
        waiting = await session.begin_poll()
        assert (await session.poll())[0] == 400
        assert await waiting == (200, CLOSE)
        assert (await session.poll())[0] == 400

    async def test_a_poll_that_is_given_up_ends_the_session(self, wire: Wire) -> None:
        session = await wire.poll_open()
        waiting = await session.begin_poll()
        waiting.cancel()
        assert await session.is_gone()

    async def test_a_socket_carries_text(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await assert_echoes(socket)

    async def test_a_socket_carries_binary(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await socket.say(b"\x01\x02\x03\x04")
            assert await socket.hear() == b"\x01\x02\x03\x04"

    async def test_a_frame_that_is_no_packet_closes_the_socket(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await socket.say("abc")
            assert await socket.last_words() == []


class TestUpgrade:
    """A polling session moves to a WebSocket."""

    async def test_the_waiting_poll_is_released_and_the_socket_takes_over(self, wire: Wire) -> None:
        session = await wire.poll_open()
        async with session.probing() as socket:
            assert await session.hear() == NOOP
            await socket.say(UPGRADE)
            await assert_echoes(socket)

    async def test_polls_are_refused_afterwards_and_the_socket_still_works(self, wire: Wire) -> None:
        session = await wire.poll_open()
        async with session.probing() as socket:
            await socket.say(UPGRADE)
            assert (await session.poll())[0] == 400
            await assert_echoes(socket)

    async def test_another_websocket_is_closed_afterwards_and_the_socket_still_works(self, wire: Wire) -> None:
        session = await wire.poll_open()
        async with session.probing() as socket:
            await socket.say(UPGRADE)
            async with wire.websocket(f"{WEBSOCKET}&sid={session.sid}") as second:
                assert await second.last_words() == []
            await assert_echoes(socket)
