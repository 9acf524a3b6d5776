"""Engine.IO 4 as clients of other makes rely on it: handshakes, polling, closing, heartbeat, upgrade."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.world import FAST, World, running

POLL = "/socket.io/?EIO=4&transport=polling"
SOCKET = "/socket.io/?EIO=4&transport=websocket"


@pytest.fixture
async def brisk(db: Database, redis: Any, settings: Settings, clock: ManualClock) -> AsyncIterator[World]:
    """A hub whose heart beats fast."""
    options = dataclasses.replace(FAST, ping_interval_s=0.2, ping_timeout_s=0.15)
    async with running(db, redis, settings, clock, options=options) as made:
        yield made


@pytest.fixture
async def http(brisk: World) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(brisk.url) as session:
        yield session


async def opened(http: aiohttp.ClientSession) -> str:
    """The sid of a new polling session."""
    async with http.get(POLL) as answer:
        return str(json.loads((await answer.text())[1:])["sid"])


async def poll(http: aiohttp.ClientSession, sid: str) -> tuple[int, str]:
    async with http.get(f"{POLL}&sid={sid}") as answer:
        return answer.status, await answer.text()


async def post(http: aiohttp.ClientSession, sid: str, body: str) -> tuple[int, str]:
    async with http.post(f"{POLL}&sid={sid}", data=body) as answer:
        return answer.status, await answer.text()


async def test_the_handshake_names_true_intervals(http: aiohttp.ClientSession) -> None:
    async with http.get(POLL) as answer:
        hello = json.loads((await answer.text())[1:])
    assert hello | {"sid": ""} == {
        "sid": "",
        "upgrades": ["websocket"],
        "pingInterval": 200,
        "pingTimeout": 150,
        "maxPayload": 65_536,
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/socket.io/?transport=polling"),
        ("GET", "/socket.io/?EIO=abc&transport=polling"),
        ("GET", "/socket.io/?EIO=4"),
        ("GET", "/socket.io/?EIO=4&transport=abc"),
        ("GET", POLL + "&j=0"),
        ("GET", POLL + "&sid=unknown"),
        ("POST", POLL),
        ("PUT", POLL),
    ],
)
async def test_a_bad_handshake_is_a_400(http: aiohttp.ClientSession, method: str, path: str) -> None:
    async with http.request(method, path) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("body", ["abc", "", "4abc", "4" + "x" * 300_000, "\x1e".join(["3"] * 300), "b%%%"])
async def test_a_bad_post_ends_the_session(http: aiohttp.ClientSession, body: str) -> None:
    sid = await opened(http)
    assert (await post(http, sid, body))[0] == 400
    assert (await poll(http, sid))[0] == 400


async def test_a_second_poll_beside_a_waiting_one_ends_the_session(http: aiohttp.ClientSession) -> None:
    sid = await opened(http)
    waiting = asyncio.create_task(poll(http, sid))
    await asyncio.sleep(0.03)
    assert (await poll(http, sid))[0] == 400
    await waiting
    assert (await poll(http, sid))[0] == 400


async def test_a_polling_client_that_closes_lets_its_poll_go(http: aiohttp.ClientSession) -> None:
    sid = await opened(http)
    waiting = asyncio.create_task(poll(http, sid))
    await asyncio.sleep(0.03)
    assert await post(http, sid, "1") == (200, "ok")
    assert await waiting == (200, "6")
    assert (await poll(http, sid))[0] == 400


async def test_a_polling_heart_beats(http: aiohttp.ClientSession, brisk: World) -> None:
    sid = await opened(http)
    for _ in range(3):
        assert await poll(http, sid) == (200, "2")
        assert await post(http, sid, "3") == (200, "ok")
    await asyncio.sleep(0.5)  # no pong this time
    assert (await poll(http, sid))[0] == 400
    assert brisk.hub.emitter.sessions == 0


async def test_a_socket_that_stops_answering_is_cut(http: aiohttp.ClientSession, brisk: World) -> None:
    async with http.ws_connect(SOCKET) as ws:
        await ws.receive_str()
        for _ in range(2):
            assert await ws.receive_str() == "2"
            await ws.send_str("3")
        assert await ws.receive_str() == "2"
        assert (await asyncio.wait_for(ws.receive(), 1)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    await asyncio.sleep(0.05)
    assert brisk.hub.emitter.sessions == 0


async def test_an_upgrade_moves_everything_to_the_socket(http: aiohttp.ClientSession, brisk: World) -> None:
    sid = await opened(http)
    waiting = asyncio.create_task(poll(http, sid))
    async with http.ws_connect(f"{SOCKET}&sid={sid}") as ws:
        await ws.send_str("2probe")
        assert await ws.receive_str() == "3probe"
        assert await waiting == (200, "6")
        await ws.send_str("5")
        await ws.send_str("40/customer," + json.dumps({"token": brisk.truth.token("c")}))
        assert (await ws.receive_str()).startswith("40/customer,")
        assert (await poll(http, sid))[0] == 400
        async with http.ws_connect(f"{SOCKET}&sid={sid}") as second:
            assert (await second.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        while (heard := await ws.receive_str()) == "2":  # this hub's heart beats fast
            pass
        assert heard.startswith('42/customer,["ready"')


async def test_a_failed_probe_leaves_the_polling_session_alone(http: aiohttp.ClientSession) -> None:
    sid = await opened(http)
    async with http.ws_connect(f"{SOCKET}&sid={sid}") as ws:
        await ws.send_str("2nonsense")
        assert (await ws.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert await poll(http, sid) == (200, "2")


async def test_polling_can_be_switched_off(db: Database, redis: Any, settings: Settings, clock: ManualClock) -> None:
    options = dataclasses.replace(FAST, polling=False)
    async with running(db, redis, settings, clock, options=options) as world, aiohttp.ClientSession(world.url) as http:
        async with http.get(POLL) as answer:
            assert answer.status == 400
        async with http.ws_connect(SOCKET) as ws:
            assert (await ws.receive_str()).startswith("0{")
