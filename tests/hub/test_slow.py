"""A client that does not read is closed and resumes; nobody else notices."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from hub.transport.packets import event_frame
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.world import BellRung, World, running

BUFFER = 32_768


@pytest.fixture
async def tight(db: Database, redis: Any, settings: Settings, clock: ManualClock) -> AsyncIterator[World]:
    """A hub with small send buffers."""
    small = dataclasses.replace(settings, socket_buffer_bytes_max=BUFFER)
    async with running(db, redis, small, clock) as made:
        yield made


class Sleeper:
    """A raw client that reads only when told to, through a small window as a phone in a tunnel has."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.closes(self)
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_narrow))

    async def connect(self, auth: dict[str, Any]) -> None:
        self.ws = await self.http.ws_connect(f"{self._world.url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0)
        await self.ws.receive()
        await self.ws.send_str("40/worker," + json.dumps(auth))
        while not (await self.ws.receive_str()).startswith('42/worker,["ready"'):
            pass

    async def wake(self) -> list[tuple[str, Any]]:
        """Everything until the server hangs up."""
        heard = []
        async with asyncio.timeout(5):
            while (message := await self.ws.receive()).type is aiohttp.WSMsgType.TEXT:
                if message.data.startswith("42/worker,"):
                    heard.append(tuple(json.loads(message.data[len("42/worker,") :])))
        return heard

    async def close(self) -> None:
        await self.http.close()


def _narrow(address: Any) -> socket.socket:
    narrow = socket.socket(address[0], address[1], address[2])
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    return narrow


async def test_a_socket_that_cannot_take_facts_is_closed_and_resumes_whole(tight: World) -> None:
    sleeper = Sleeper(tight)
    await sleeper.connect({"token": tight.worker()})
    reader = await tight.worker_phone()
    total = 0
    while len(tight.hub.members) > 1:
        total += 20
        assert total < 5_000, "it was never closed"
        for n in range(total - 20, total):
            await tight.ring(n, text="x" * 1_000)
        await reader.until(lambda total=total: len(reader.bells()) == total)
    assert reader.bells() == list(range(total))
    assert not reader.is_gone.is_set()
    heard = await sleeper.wake()
    bells = [body for name, body in heard if name == "order.bell_rung"]
    assert heard[-1][0] == "closing"
    assert (heard[-1][1]["code"], heard[-1][1]["reconnect"]) == ("slow", True)
    assert [body["n"] for body in bells] == list(range(len(bells)))  # what it got is a beginning without holes
    back = await tight.worker_phone(since=bells[-1]["seq"], epoch="test")
    await back.until(lambda: back.bells() == list(range(len(bells), total)))


async def test_a_burst_does_not_make_a_healthy_reader_slow(tight: World) -> None:
    reader = await tight.worker_phone()
    async with tight.db.begin() as tx:
        for n in range(100):
            tx.tell(BellRung(n=n, text="x" * 1_000), to=["worker:wrk_1"])  # three times the buffer in one batch
    await reader.until(lambda: len(reader.bells()) == 100)
    assert not reader.is_gone.is_set()


async def test_the_buffer_of_a_sleeper_stays_bounded(tight: World) -> None:
    sleeper = Sleeper(tight)
    await sleeper.connect({"token": tight.worker()})
    session = next(iter(tight.hub.emitter.engine.sockets.values()))
    for n in range(300):
        await tight.ring(n, text="x" * 1_000)
        assert session.outbound.bytes <= BUFFER


async def test_a_sleeper_delays_nobody(tight: World) -> None:
    sleepers = [Sleeper(tight) for _ in range(3)]
    for sleeper in sleepers:
        await sleeper.connect({"token": tight.worker()})
    reader = await tight.worker_phone()
    waits = []
    for n in range(60):
        began = time.perf_counter()
        await tight.ring(n, text="x" * 1_500)
        await reader.until(lambda n=n: n in reader.bells())
        waits.append(time.perf_counter() - began)
    assert sorted(waits)[len(waits) // 2] < 0.1


async def test_live_values_overwrite_each_other_for_a_sleeper(tight: World) -> None:
    sleeper = Sleeper(tight)
    await sleeper.connect({"token": tight.worker()})
    member = next(iter(tight.hub.members.values()))
    for n in range(2_000):
        member.link.send_live(
            "position ord_1", event_frame("/worker", "position", b'{"n":%d,"x":"%s"}' % (n, b"x" * 500))
        )
    await tight.ring(1)
    await asyncio.sleep(0.05)
    assert len(tight.hub.members) == 1  # live values never make a socket slow
    heard: list[Any] = []
    while not heard or heard[-1][0] != "order.bell_rung":
        message = await asyncio.wait_for(sleeper.ws.receive(), 5)
        if message.data.startswith("42/worker,"):
            heard.append(json.loads(message.data[len("42/worker,") :]))
    positions = [body["n"] for name, body in heard if name == "position"]
    assert positions[-1] == 1_999
    assert len(positions) < 1_000


async def test_a_client_that_asks_and_does_not_read_is_closed_too(tight: World) -> None:
    sleeper = Sleeper(tight)
    await sleeper.connect({"token": tight.worker()})
    long = "y" * 60
    for n in range(4_000):
        await sleeper.ws.send_str(f'42/worker,{n}["{long}",{{}}]')
        if not tight.hub.members:
            break
        if n % 50 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while tight.hub.members:
            await asyncio.sleep(0.01)
