"""Both connections, the official one and the lean one, do the same against a stock server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import socketio
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.replay.wire import Gone, Hear, LeanWire, OfficialWire, Refused, Wire

NAMESPACE = "/worker"


class Peer:
    """A stock python-socketio server with one namespace."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncServer(async_mode="aiohttp", always_connect=False, namespaces=[NAMESPACE])
        self.sid = ""
        self.sio.on("connect", self._connect, namespace=NAMESPACE)
        self.sio.on("*", self._any, namespace=NAMESPACE)

    async def _connect(self, sid: str, environ: Any, auth: Any) -> None:
        if auth.get("token") != "good":
            raise socketio.exceptions.ConnectionRefusedError(
                "no", {"error": {"code": "login_required", "detail": "Sign in.", "retry": False}}
            )
        self.sid = sid

    async def _any(self, event: str, sid: str, body: Any) -> Any:
        if event == "forever":
            await asyncio.sleep(60)
        if event == "count":
            for number in range(body["to"]):
                await self.sio.emit("number", {"n": number}, to=sid, namespace=NAMESPACE)
        return {"ok": True, "event": event, "body": body}


@pytest.fixture
async def peer() -> AsyncIterator[tuple[Peer, str, aiohttp.ClientSession]]:
    peer, app = Peer(), web.Application()
    peer.sio.attach(app)
    server = TestServer(app)
    await server.start_server()
    async with aiohttp.ClientSession() as http:
        yield peer, str(server.make_url("/")), http
    await server.close()


@pytest.fixture(params=[LeanWire, OfficialWire])
def kind(request: pytest.FixtureRequest) -> type[LeanWire | OfficialWire]:
    return request.param  # type: ignore[no-any-return]


def make(kind: Any, peer: Any, hear: Hear = lambda event, body: None) -> Wire:
    wire: Wire = kind(peer[2], peer[1], NAMESPACE, hear)
    return wire


async def test_a_request_is_answered(kind: Any, peer: Any) -> None:
    wire = make(kind, peer)
    await wire.open({"token": "good"})
    assert await wire.ask("grab", {"call_id": "é"}, timeout_s=5) == {
        "ok": True, "event": "grab", "body": {"call_id": "é"},
    }  # fmt: skip
    await wire.close()


async def test_events_come_in_order(kind: Any, peer: Any) -> None:
    heard: list[int] = []
    wire = make(kind, peer, lambda event, body: heard.append(body["n"]))
    await wire.open({"token": "good"})
    await wire.ask("count", {"to": 200}, timeout_s=5)
    assert heard == list(range(200))
    await wire.close()


async def test_a_refusal_carries_its_code(kind: Any, peer: Any) -> None:
    with pytest.raises(Refused, match="login_required") as caught:
        await make(kind, peer).open({"token": "bad"})
    assert caught.value.error["retry"] is False


async def test_no_server_is_gone(kind: Any, peer: Any) -> None:
    wire = kind(peer[2], "http://127.0.0.1:9", NAMESPACE, lambda event, body: None)
    with pytest.raises(Gone):
        await wire.open({"token": "good"})


async def test_a_silent_server_is_a_timeout(kind: Any, peer: Any) -> None:
    wire = make(kind, peer)
    await wire.open({"token": "good"})
    with pytest.raises(TimeoutError):
        await wire.ask("forever", {}, timeout_s=0.05)
    await wire.close()


async def test_a_cut_ends_what_waits(kind: Any, peer: Any) -> None:
    wire = make(kind, peer)
    await wire.open({"token": "good"})
    waiting = asyncio.create_task(wire.ask("forever", {}, timeout_s=30))
    await asyncio.sleep(0.05)
    wire.cut()
    with pytest.raises(Gone):
        await waiting
    async with asyncio.timeout(5):
        await wire.wait_gone()
    with pytest.raises(Gone):
        await wire.ask("grab", {}, timeout_s=5)
    await wire.close()


async def test_the_server_may_end_it(kind: Any, peer: Any) -> None:
    wire = make(kind, peer)
    await wire.open({"token": "good"})
    await peer[0].sio.disconnect(peer[0].sid, namespace=NAMESPACE)
    async with asyncio.timeout(5):
        await wire.wait_gone()
    await wire.close()
