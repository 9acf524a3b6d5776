"""python-socketio's own clients, for asyncio and for threads, over each transport."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import warnings
from collections.abc import AsyncIterator, Iterator
from itertools import product

import pytest
import socketio
from socketio.exceptions import ConnectionError as Refusal

from tests.protocol.clients.driver import TRANSPORTS
from tests.protocol.clients.talker import KINDS, WAIT_S, Talker

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # a client that reconnects forgets sockets
HAS_WEBSOCKET_CLIENT = importlib.util.find_spec("websocket") is not None


@pytest.fixture(params=product(KINDS, TRANSPORTS), ids="-".join)
async def talker(playground: str, request: pytest.FixtureRequest) -> AsyncIterator[Talker]:
    kind, transport = request.param
    if kind == "threads" and transport != "polling" and not HAS_WEBSOCKET_CLIENT:
        pytest.skip("without the package websocket-client this client polls only")
    client = Talker(playground, kind, TRANSPORTS[transport].split(","))
    yield client
    await client.close()


@pytest.fixture
async def watcher(playground: str) -> AsyncIterator[Talker]:
    """Somebody else, connected."""
    client = Talker(playground, "asyncio", ["websocket"])
    await client.connect()
    yield client
    await client.close()


@pytest.fixture(scope="module", autouse=True)
def _forgotten_sockets() -> Iterator[None]:
    """They are collected here, not under somebody else's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def test_it_connects_by_its_transport_and_its_auth_arrives_whole(talker: Talker) -> None:
    auth = {"token": "嘀咚 😀", "deep": {"list": [None, True, 1.5]}}
    await talker.connect(auth=auth)
    assert await talker.hears("welcome") == [[auth]]
    assert talker.client.transport() == talker.transports[-1]


async def test_a_refusal_carries_data(talker: Talker) -> None:
    with pytest.raises(Refusal):
        await talker.connect(auth={"wish": "refuse"})
    error = {"code": "forbidden", "detail": "嘀咚: not here.", "retry": False}
    assert talker.all_of("connect_error") == [[{"message": "forbidden", "data": {"error": error}}]]


async def test_a_crash_while_connecting_refuses(talker: Talker) -> None:
    with pytest.raises(Refusal):
        await talker.connect(auth={"wish": "crash"})
    assert talker.all_of("connect_error")[0][0]["message"] == "internal"
    assert talker.all_of("welcome") == []


async def test_an_unknown_namespace_is_refused(talker: Talker) -> None:
    with pytest.raises(Refusal):
        await talker.connect("/nowhere")
    assert talker.all_of("connect_error", "/nowhere") == [[{"message": "Invalid namespace"}]]


@pytest.mark.parametrize("args", [[], [1, "二", {"three": [3, None]}, False, None]], ids=["none", "five"])
async def test_an_ack_has_every_argument(talker: Talker, args: list[object]) -> None:
    await talker.connect()
    assert await talker.ask("echo", *args) == args


async def test_bytes_go_both_ways(talker: Talker) -> None:
    args = [{"photo": b"\x00\x01\xfe\xff", "of": "门"}, b"\x07" * 70_000, "end"]
    await talker.connect()
    assert await talker.ask("emit_back", *args) == args
    assert await talker.hears("back") == [args]


async def test_two_hundred_events_come_in_order(talker: Talker) -> None:
    if isinstance(talker.client, socketio.Client):
        pytest.skip("this client handles each message in a thread of its own: it promises no order")
    await talker.connect()
    await talker.emit("flood", 200)
    await talker.until(lambda: len(talker.all_of("tick")) == 200 or bool(talker.all_of("disconnect")))
    assert talker.all_of("tick") == [[n] if n % 3 else [n, n.to_bytes(2, "big")] for n in range(200)]


async def test_a_burst_arrives_in_order(talker: Talker) -> None:
    await talker.connect()
    for n in range(100):
        await talker.emit("count", talker.key, n)
    assert await talker.ask("counted", talker.key) == [[*range(100)]]


async def test_a_long_text_comes_back_whole(talker: Talker) -> None:
    text = "嘀咚😀\u2028é" * 8_400  # this client escapes all of it: 36 bytes each time
    await talker.connect()
    assert (await talker.ask("echo", text))[0] == text


async def test_two_namespaces_share_a_connection(talker: Talker) -> None:
    await talker.connect("/", "/custom")
    assert await talker.ask("emit_back", "for custom", namespace="/custom") == ["for custom"]
    assert await talker.hears("back", "/custom") == [["for custom"]]
    assert talker.all_of("back") == []


async def test_a_kick_from_one_namespace_leaves_the_other(talker: Talker) -> None:
    await talker.connect("/", "/custom")
    await talker.emit("kick", namespace="/custom")
    assert await talker.hears("disconnect", "/custom") == [["server disconnect"]]
    assert await talker.ask("echo", 1) == [1]


async def test_a_kicked_client_stays_away(talker: Talker) -> None:
    await talker.connect()
    await talker.emit("kick")
    assert await talker.hears("disconnect") == [["server disconnect"]]
    await talker.until(lambda: talker.stays_away)
    assert len(talker.all_of("welcome")) == 1


async def test_a_cut_client_comes_back(talker: Talker) -> None:
    await talker.connect()
    await talker.emit("cut")
    await talker.hears("welcome", count=2)
    assert await talker.ask("echo", "again") == ["again"]


async def test_a_client_whose_session_is_ended_comes_back(talker: Talker, watcher: Talker) -> None:
    await talker.connect()
    await watcher.ask("hang_up", talker.client.get_sid())
    await talker.hears("disconnect")
    await talker.until(lambda: len(talker.all_of("welcome")) == 2 or talker.stays_away)
    assert await talker.ask("echo", "again") == ["again"]


async def test_a_message_beyond_the_limit_ends_the_connection(talker: Talker) -> None:
    await talker.connect()
    await talker.emit("echo", "x" * 500_000)
    await talker.hears("disconnect")


async def test_a_client_that_leaves_is_gone_at_once(talker: Talker, watcher: Talker) -> None:
    await talker.connect()
    sid = talker.client.get_sid()
    await talker.leave()
    async with asyncio.timeout(WAIT_S):
        while (reason := await watcher.ask("farewell", sid)) == [None]:
            pass
    assert reason in (["client disconnect"], ["transport close"])
