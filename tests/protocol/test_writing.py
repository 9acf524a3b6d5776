"""What leaves for one socket, when, and in how many writes: turns of the loop, windows of live values, peers behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from multidict import CIMultiDict

from hub.transport.classes import LIVE_WINDOW_S
from hub.transport.emitter import Emitter
from hub.transport.front import UpgradeRequest
from hub.transport.links import Link
from hub.transport.packets import event_frame
from hub.transport.rfc6455 import WRITE_AT_ONCE_BYTES, WireSocket
from tests.protocol.server import OPTIONS, Echo


class Pipe:
    """The loop's side of a connection: what is written, write by write. The peer reads when told to."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.socket = WireSocket(1_000_000)
        self.socket.connection_made(self)  # type: ignore[arg-type]  # all of a transport that is used

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def stall(self) -> None:
        self.socket.pause_writing()

    def read(self) -> None:
        self.socket.resume_writing()

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, _name: str) -> Any: ...

    def abort(self) -> None: ...


@pytest.fixture
async def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
async def link(pipe: Pipe) -> Link:
    """Somebody who is in, with nothing left to write."""
    arrived: list[Link] = []

    class Door(Echo):
        async def admitted(self, link: Link) -> None:
            arrived.append(link)

    emitter = Emitter(Door(), OPTIONS)
    emitter.engine.welcome(pipe.socket, UpgradeRequest("", CIMultiDict(), {}), b"")
    pipe.socket.data_received(b"\x81\x82\0\0\0\x0040")
    while not arrived:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    pipe.writes.clear()
    return arrived[0]


def news(n: int, size: int = 1) -> Any:
    return event_frame("/", "news", b'"%d%b"' % (n, b"x" * size))


async def turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_the_first_of_a_turn_leaves_at_once_and_the_rest_together(pipe: Pipe, link: Link) -> None:
    for n in range(5):
        link.send(news(n))
    assert pipe.writes == [news(0).wire]
    await turn()
    assert pipe.writes == [news(0).wire, b"".join(news(n).wire for n in range(1, 5))]
    link.send(news(5))
    assert pipe.writes[2:] == [news(5).wire]


async def test_a_long_turn_does_not_gather_without_end(pipe: Pipe, link: Link) -> None:
    for n in range(100):
        link.send(news(n, 1_000))
    assert max(map(len, pipe.writes)) < WRITE_AT_ONCE_BYTES + 1_100
    await turn()
    assert b"".join(pipe.writes) == b"".join(news(n, 1_000).wire for n in range(100))


async def test_one_who_stalls_in_the_middle_of_a_turn_gets_everything_in_order(pipe: Pipe, link: Link) -> None:
    for n in range(3):
        link.send(news(n))
    pipe.stall()
    for n in range(3, 6):
        link.send(news(n))
    await turn()
    assert b"".join(pipe.writes) == b"".join(news(n).wire for n in range(3))
    pipe.read()
    link.send(news(6))
    await turn()
    assert b"".join(pipe.writes) == b"".join(news(n).wire for n in range(7))


async def test_live_values_of_a_window_are_one_write_with_the_latest_of_each_key(pipe: Pipe, link: Link) -> None:
    for n in range(10):
        link.send_live(f"key {n % 2}", news(n))
    assert pipe.writes == []
    await asyncio.sleep(2 * LIVE_WINDOW_S)
    assert pipe.writes == [news(8).wire + news(9).wire]


async def test_a_live_value_does_not_overtake_what_was_said_before_it(pipe: Pipe, link: Link) -> None:
    link.send_live("key", news(3))
    await asyncio.sleep(LIVE_WINDOW_S / 2)
    link.send(news(1))
    link.send(news(2))
    await asyncio.sleep(2 * LIVE_WINDOW_S)
    assert b"".join(pipe.writes) == news(1).wire + news(2).wire + news(3).wire


async def test_a_live_value_that_is_taken_back_is_not_sent(pipe: Pipe, link: Link) -> None:
    link.send_live("key", news(1))
    link.send_live("other", news(2))
    link.forget_live("key")
    await asyncio.sleep(2 * LIVE_WINDOW_S)
    assert pipe.writes == [news(2).wire]


async def test_one_who_is_behind_gets_the_latest_live_value_when_it_reads(pipe: Pipe, link: Link) -> None:
    pipe.stall()
    for n in range(20):
        link.send_live("key", news(n))
        await asyncio.sleep(0)
    pipe.read()
    assert pipe.writes == [news(19).wire]


async def test_an_end_takes_along_what_the_turn_has_gathered(pipe: Pipe, link: Link) -> None:
    link.send(news(0))
    link.send(news(1))
    link.hang_up("moving")
    written = b"".join(pipe.writes)
    assert written.startswith(news(0).wire + news(1).wire)
    assert written.endswith(b"\x88\x02\x03\xe8")
