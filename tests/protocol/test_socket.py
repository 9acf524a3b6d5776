"""Socket.IO 5 on the wire: 32 checks, with those of Engine.IO that every Socket.IO server has to pass too.

The server accepts everybody in `/` and `/custom` and emits `auth` with the handshake's payload as its first event; in
`/` it answers `message` with `message-back` and acknowledges `message-with-ack`, both with the arguments it was given.
`FIELDHUB_PROTOCOL_URL_SOCKET` points the checks at another server (see `conftest.py`).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.protocol.conftest import Server
from tests.protocol.transport import CloseChecks, HandshakeChecks, HeartbeatChecks
from tests.protocol.wire import NOOP, PING, PONG, UPGRADE, WEBSOCKET, Socket, Wire

TWO_HOLES = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
FIRST, SECOND = b"\x01\x02\x03", b"\x04\x05\x06"


@pytest.fixture
async def wire(namespaces: Server) -> AsyncIterator[Wire]:
    async with Wire.to(f"{namespaces.url}/socket.io/", is_ours=namespaces.is_ours) as client:
        yield client


async def assert_connects(socket: Socket, connect: str, *, reply: str, event: str) -> None:
    """The reply holds a sid and nothing else, and the event comes after it."""
    await socket.say(connect)
    answer = await socket.hear()
    assert isinstance(answer, str)
    assert answer.startswith(reply)
    said = json.loads(answer.removeprefix(reply))
    assert list(said) == ["sid"]
    assert isinstance(said["sid"], str)
    assert said["sid"]
    assert await socket.hear() == event


async def assert_takes_over(socket: Socket) -> None:
    """After an upgrade the socket carries everything: the namespace is joined and answers on it."""
    await socket.say(UPGRADE)
    await assert_connects(socket, "40", reply="40", event='42["auth",{}]')


@asynccontextmanager
async def connected(wire: Wire) -> AsyncIterator[Socket]:
    """A socket in the main namespace."""
    async with wire.socket_open() as socket:
        await assert_connects(socket, "40", reply="40", event='42["auth",{}]')
        yield socket


class TestHandshake(HandshakeChecks):
    """As everywhere."""


class TestHeartbeat(HeartbeatChecks):
    """As everywhere."""


class TestClose(CloseChecks):
    """As everywhere."""


class TestUpgrade:
    """A polling session moves to a WebSocket."""

    async def test_the_waiting_poll_is_released_and_the_socket_takes_over(self, wire: Wire) -> None:
        session = await wire.poll_open()
        waiting = await session.begin_poll()
        async with session.probing() as socket:
            assert await waiting == (200, NOOP)
            await assert_takes_over(socket)

    async def test_polls_are_refused_afterwards_and_the_socket_still_works(self, wire: Wire) -> None:
        session = await wire.poll_open()
        async with session.probing() as socket:
            await socket.say(UPGRADE)
            assert (await session.poll())[0] == 400
            await assert_connects(socket, "40", reply="40", event='42["auth",{}]')

    async def test_another_websocket_is_closed_afterwards_and_the_socket_still_works(self, wire: Wire) -> None:
        session = await wire.poll_open()
        async with session.probing() as socket:
            await socket.say(UPGRADE)
            async with wire.websocket(f"{WEBSOCKET}&sid={session.sid}") as second:
                assert await second.last_words() == []
            await assert_connects(socket, "40", reply="40", event='42["auth",{}]')


class TestConnect:
    """A namespace is joined before anything is said in it."""

    async def test_the_main_namespace_is_joined(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await assert_connects(socket, "40", reply="40", event='42["auth",{}]')

    async def test_the_main_namespace_is_joined_with_a_payload(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await assert_connects(socket, '40{"token":"123"}', reply="40", event='42["auth",{"token":"123"}]')

    async def test_another_namespace_is_joined(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await assert_connects(socket, "40/custom,", reply="40/custom,", event='42/custom,["auth",{}]')

    async def test_another_namespace_is_joined_with_a_payload(self, wire: Wire) -> None:
        event = '42/custom,["auth",{"token":"abc"}]'
        async with wire.socket_open() as socket:
            await assert_connects(socket, '40/custom,{"token":"abc"}', reply="40/custom,", event=event)

    async def test_an_unknown_namespace_is_refused_with_a_message(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await socket.say("40/random")
            assert await socket.hear() == '44/random,{"message":"Invalid namespace"}'

    async def test_a_first_packet_of_no_known_type_closes_the_connection(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            await socket.say("4abc")
            assert await socket.last_words() == []

    async def test_one_who_never_says_anything_is_closed(self, wire: Wire) -> None:
        async with wire.socket_open() as socket:
            assert set(await socket.last_words(alive=False)) <= {PING}


class TestDisconnect:
    """Leaving a namespace leaves the rest alone."""

    async def test_leaving_the_main_namespace_keeps_the_heart_beating(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await socket.say("41")
            for _ in range(2):
                assert await socket.receive() == PING
                await socket.say(PONG)

    async def test_leaving_another_namespace_keeps_the_main_one(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await assert_connects(socket, "40/custom", reply="40/custom,", event='42/custom,["auth",{}]')
            await socket.say("41/custom", '42["message","still here"]')
            assert await socket.hear() == '42["message-back","still here"]'


class TestMessages:
    """Events and acknowledgements keep their arguments, and what is neither closes the connection."""

    async def test_an_event_keeps_its_arguments(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await socket.say('42["message",1,"2",{"3":[true]}]')
            assert await socket.hear() == '42["message-back",1,"2",{"3":[true]}]'

    async def test_an_event_keeps_its_binary_arguments(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await socket.say(f'452-["message",{TWO_HOLES}]', FIRST, SECOND)
            assert [await socket.hear() for _ in range(3)] == [f'452-["message-back",{TWO_HOLES}]', FIRST, SECOND]

    async def test_an_acknowledgement_keeps_id_and_arguments(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await socket.say('42456["message-with-ack",1,"2",{"3":[false]}]')
            assert await socket.hear() == '43456[1,"2",{"3":[false]}]'

    async def test_an_acknowledgement_keeps_its_binary_arguments(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await socket.say(f'452-789["message-with-ack",{TWO_HOLES}]', FIRST, SECOND)
            assert [await socket.hear() for _ in range(3)] == [f"462-789[{TWO_HOLES}]", FIRST, SECOND]

    async def test_a_packet_of_no_known_type_closes_the_connection(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await socket.say("4abc")
            assert await socket.last_words() == []

    async def test_an_event_that_is_no_list_closes_the_connection(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await socket.say("42{}")
            assert await socket.last_words() == []

    async def test_an_acknowledgement_id_that_is_no_number_closes_the_connection(self, wire: Wire) -> None:
        async with connected(wire) as socket:
            await socket.say('42abc["message-with-ack",1,"2",{"3":[false]}]')
            assert await socket.last_words() == []
