"""Requests: every one is answered, whatever was sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from hub.server import REGISTRY
from tests.hub.world import World

BAD_BODIES: list[Any] = [
    None,
    [],
    {},
    "text",
    7,
    True,
    {"nothing": 1},
    {"order_id": 5},
    {"order_id": None, "call_id": None},
    {"order_id": "x" * 200, "call_id": "x" * 200, "token": "x" * 9_000},
    {"order_id": "a\x00b", "call_id": "a\x00b"},
    {"call_id": {"$ne": ""}, "order_id": ["o"]},
    [1, 2, 3],
    [["a"]],
    {"seq": "x", "at": {}, "lat": "n", "lon": []},
    b"binary",
    {"order_id": b"binary"},
]
NESTED: Any = ["x"]
for _ in range(3):
    NESTED = [NESTED] * 3
BAD_BODIES.append(NESTED)
DEEP: Any = 1
for _ in range(40):
    DEEP = [DEEP]
BAD_BODIES.append({"order_id": DEEP})

PEOPLE = {"/worker": ("technician",), "/customer": (), "/desk": ("ops",)}


async def someone(world: World, namespace: str) -> Any:
    world.truth.workers["acc_x"] = "wrk_x"
    return await world.phone(namespace, {"token": world.truth.token("x", *PEOPLE[namespace])})


@pytest.mark.parametrize(("namespace", "name"), sorted(REGISTRY.requests), ids=lambda part: part.strip("/"))
async def test_malformed_bodies_get_an_answer(world: World, namespace: str, name: str) -> None:
    phone = await someone(world, namespace)
    for body in BAD_BODIES:
        world.clock.advance(seconds=60)  # the rate limit is not what is tested here
        world.hub.tokens._expiries._due.clear()
        answer = await phone.ask(name, body)
        assert isinstance(answer, dict)
        assert answer.get("ok") is True or set(answer["error"]) >= {"code", "detail", "retry"}, answer
        assert answer.get("error", {}).get("code") != "internal", answer
    assert not phone.is_gone.is_set()


async def test_an_unknown_event_gets_an_error(world: World) -> None:
    phone = await someone(world, "/worker")
    answer = await phone.ask("fly", {"to": "moon"})
    assert answer["error"] | {"detail": ""} == {"code": "unknown_event", "detail": "", "retry": False, "event": "fly"}


async def test_an_error_without_an_ack_is_told_too(world: World) -> None:
    phone = await someone(world, "/worker")
    await phone.client.emit("fly", {}, namespace="/worker")
    await phone.until(lambda: bool(phone.bodies("request.failed")))
    assert phone.bodies("request.failed")[0]["error"]["code"] == "unknown_event"


async def test_an_oversize_payload_gets_an_error(world: World) -> None:
    phone = await someone(world, "/worker")
    answer = await phone.ask("grab", {"call_id": "x" * 100_000})
    assert answer["error"]["code"] == "payload_too_large"
    assert (await phone.ask("grab", {"call_id": "cal_1"}))["ok"] is True


async def test_a_verb_gets_its_body_and_its_answer_back(world: World) -> None:
    phone = await someone(world, "/worker")
    answer = await phone.ask("grab", {"call_id": "cal_1", "req_id": "r1"})
    assert answer == {"ok": True, "grab_id": "grb_1", "call_id": "cal_1", "state": "live"}
    key, account, body = world.truth.asked[0]
    assert (key, account, body.call_id, body.req_id) == ("worker.grab", "acc_x", "cal_1", "r1")


async def test_a_refusal_keeps_its_code(world: World) -> None:
    phone = await someone(world, "/worker")
    answer = await phone.ask("grab", {"call_id": "cal_gone"})
    assert answer == {"error": {"code": "order_gone", "detail": "Somebody else has it.", "retry": False}}


async def test_a_crash_is_internal_and_names_the_request(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    phone = await someone(world, "/worker")
    error = (await phone.ask("grab", {"call_id": "cal_crash"}))["error"]
    assert error["code"] == "internal"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "request_failed" in line]
    assert [line["request_id"] for line in lines] == [error["request_id"]]
    assert "ZeroDivisionError" in lines[0]["traceback"]


async def test_a_request_that_takes_too_long_is_answered(world: World) -> None:
    phone = await someone(world, "/worker")
    error = (await phone.ask("grab", {"call_id": "cal_slow"}))["error"]
    assert (error["code"], error["retry"]) == ("timeout", True)


async def test_rate_limits_say_when_to_come_back(world: World) -> None:
    phone = await someone(world, "/worker")
    answers = [await phone.ask("decline", {"call_id": "cal_1"}) for _ in range(12)]
    assert [answer.get("ok") for answer in answers[:10]] == [True] * 10
    error = answers[-1]["error"]
    assert (error["code"], error["retry"], error["event"]) == ("rate_limited", True, "decline")
    assert 0 < error["retry_after_ms"] <= 500
    second = await someone(world, "/worker")
    assert "error" in await second.ask("decline", {"call_id": "cal_1"})  # another socket buys nothing
    world.clock.advance(seconds=0.5)
    assert (await phone.ask("decline", {"call_id": "cal_1"}))["ok"] is True


async def test_requests_of_one_client_are_handled_in_order(world: World) -> None:
    phone = await someone(world, "/worker")
    asks = [phone.ask("decline", {"call_id": f"cal_{n}"}) for n in range(8)]
    await asyncio.gather(*asks)
    assert [body.call_id for _, _, body in world.truth.asked] == [f"cal_{n}" for n in range(8)]


RESERVED = ["connect", "disconnect", "connect_error", "disconnecting", "newListener", "removeListener"]
GARBAGE = [
    "9",
    "x",
    "",
    "4",
    "49",
    "4\x00",
    "42",
    "42{}",
    "42[]",
    "42[5]",
    "42/worker,{}",
    "42/worker,[",
    "42/worker,[null]",
    '451-/worker,["x",{"_placeholder":true,"num":5}]|attachment',
    '451-/worker,["x",{"_placeholder":true,"num":0}]|4not an attachment',
    "42/worker,[]|attachment",
    '4599999999-/worker,["x"]',
    "4" + "[" * 5_000,
    "42/worker," + "[" * 5_000,
    '42/worker,99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999["a"]',
    "44/worker,{}",
    *(f'42/worker,["{name}",{{"REMOTE_USER":"admin"}},{{"token":"x"}}]' for name in RESERVED),
]


@pytest.mark.parametrize("frame", GARBAGE, ids=[str(n) for n in range(len(GARBAGE))])
async def test_garbage_ends_the_session_and_harms_nobody(world: World, frame: str) -> None:
    witness = await someone(world, "/customer")
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{world.url}/socket.io/?EIO=4&transport=websocket") as ws,
    ):
        await ws.receive()
        await ws.send_str("40/worker," + json.dumps({"token": world.worker()}))
        while not (await ws.receive_str()).startswith('42/worker,["ready"'):
            pass
        text, _, part = frame.partition("|")
        await ws.send_str(text)
        if part:
            await (ws.send_str(part) if part[0] == "4" else ws.send_bytes(part.encode()))
        async with asyncio.timeout(3):
            while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
    await witness.until(lambda: len(world.hub.members) == 1)
    assert (await witness.ask("unwatch", {"order_id": "ord_1"})) == {"ok": True}


async def test_binary_parts_are_counted_and_bounded(world: World) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{world.url}/socket.io/?EIO=4&transport=websocket") as ws,
    ):
        await ws.receive()
        await ws.send_str("40/worker," + json.dumps({"token": world.worker()}))
        while not (await ws.receive_str()).startswith('42/worker,["ready"'):
            pass
        parts = ",".join(f'{{"_placeholder":true,"num":{n}}}' for n in range(9))
        await ws.send_str(f'459-/worker,7["grab",{parts}]')
        for _ in range(9):
            await ws.send_bytes(b"x" * 60_000)
        async with asyncio.timeout(3):
            while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
