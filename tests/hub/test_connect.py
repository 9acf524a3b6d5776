"""Who may open a socket, as a table; and everything that must not open one."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import aiohttp
import pytest

from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.world import Phone, World, running

ROLE_TABLE = [
    ("/worker", ("technician",), True, None),
    ("/worker", ("technician",), False, "not_a_worker"),
    ("/worker", (), True, "forbidden"),
    ("/worker", ("admin",), True, "forbidden"),
    ("/customer", (), False, None),
    ("/customer", ("technician",), True, None),
    ("/desk", (), False, "forbidden"),
    ("/desk", ("technician",), True, "forbidden"),
    *(("/desk", (role,), False, None) for role in ("support", "ops", "admin", "finance")),
]


@pytest.fixture(params=["at_once", "after_a_wait"])
def either_way(request: pytest.FixtureRequest, world: World) -> World:
    """Admission decides at once where it can, and else in a task: with the same outcome."""
    if request.param == "after_a_wait":
        world.truth.gate_delay_s = 0.001
    return world


@pytest.mark.parametrize(("namespace", "roles", "has_worker", "refused"), ROLE_TABLE)
async def test_roles_open_namespaces(
    either_way: World, namespace: str, roles: tuple[str, ...], has_worker: bool, refused: str | None
) -> None:
    world = either_way
    if has_worker:
        world.truth.workers["acc_x"] = "wrk_x"
    phone = await world.phone(namespace, {"token": world.truth.token("x", *roles)})
    if refused is None:
        assert phone.ready["account_id"] == "acc_x"
        assert phone.ready.get("worker_id") == ("wrk_x" if namespace == "/worker" else None)
    else:
        assert phone.error_code == refused
        assert phone.bodies("ready") == []


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        (None, "login_required"),
        ({}, "login_required"),
        ({"token": ""}, "login_required"),
        ({"token": "x" * 5_000}, "login_required"),
        ({"token": "nonsense"}, "token_invalid"),
        ({"token": 5}, "invalid_input"),
        ({"token": "nonsense", "since": "5"}, "invalid_input"),
        ({"token": "nonsense", "since": -1}, "invalid_input"),
        ({"token": "nonsense", "crs": "bd09"}, "invalid_input"),
        ([1, 2], "invalid_input"),
        ("token", "invalid_input"),
        ({"share": "unknown"}, "not_found"),
    ],
)
async def test_bad_auth_is_refused_with_a_code(either_way: World, auth: Any, code: str) -> None:
    world = either_way
    phone = await world.phone("/customer", auth)
    assert phone.refused["message"] == phone.error_code == code
    assert set(phone.refused["data"]["error"]) >= {"code", "detail", "retry"}


async def test_an_expired_token_is_refused(either_way: World) -> None:
    world = either_way
    token = world.truth.token("c", ttl_s=60)
    world.clock.advance(seconds=61)
    assert (await world.phone("/customer", {"token": token})).error_code == "token_expired"


async def test_a_revoked_session_is_refused(either_way: World) -> None:
    world = either_way
    world.truth.revoked.add("ses_c")
    assert (await world.phone("/customer", {"token": world.truth.token("c")})).error_code == "session_revoked"


async def test_a_token_in_the_query_or_a_cookie_is_not_looked_at(world: World) -> None:
    token = world.truth.token("c")
    phone = Phone(f"{world.url}?token={token}", "/customer", "websocket")
    await phone.client.connect(
        f"{world.url}?token={token}",
        transports=["websocket"],
        namespaces=["/customer"],
        headers={"Cookie": f"token={token}", "Authorization": f"Bearer {token}"},
        wait=False,
    )
    await phone.until(lambda: phone.refused is not None)
    assert phone.error_code == "login_required"
    await phone.close()


async def test_a_known_client_is_let_in_without_a_task(world: World) -> None:
    """A crowd that comes back costs no task, timer or turn for each of them."""
    url = f"{world.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as ws:
        await ws.receive()
        taken: list[object] = []
        world.hub.emitter.engine.beside = taken.append  # type: ignore[method-assign]
        await ws.send_str("40/worker," + json.dumps({"token": world.worker()}))
        heard = [(await ws.receive()).data for _ in range(2)]
    assert [text.partition("{")[0] for text in heard] == ["40/worker,", '42/worker,["ready",']
    assert taken == []


async def test_a_crashing_gate_refuses(world: World) -> None:
    world.truth.gate_breaks = True
    phone = await world.phone("/customer", {"token": world.truth.token("c")})
    assert phone.error_code == "internal"
    assert world.hub.members == {}


async def test_nobody_hears_anything_before_being_admitted(world: World) -> None:
    world.truth.gate_delay_s = 0.3
    world.truth.revoked.add("ses_c")
    joining = asyncio.create_task(world.phone("/customer", {"token": world.truth.token("c")}))
    await asyncio.sleep(0.1)
    await world.ring(1, to="customer:acc_c")
    phone = await joining
    assert phone.error_code == "session_revoked"
    assert phone.heard == []


async def test_one_who_is_cut_off_while_being_admitted_is_forgotten(world: World) -> None:
    world.truth.gate_delay_s = 0.2
    phone = await world.phone("/customer", {"token": world.truth.token("c")}, ready=False, wait=False)
    await phone.until(lambda: world.hub.emitter.sessions == 1)
    await asyncio.sleep(0.05)
    world.hub.emitter.cut_all()
    await asyncio.sleep(0.3)
    assert world.hub.members == {}
    assert world.hub.audiences.listeners(["customer:acc_c", "session:ses_c"]) == []


async def test_an_unknown_namespace_is_refused(world: World) -> None:
    phone = await world.phone("/admin", {"token": world.truth.token("c", "admin")})
    assert phone.refused == {"message": "Invalid namespace"}


async def test_a_share_link_opens_one_order_and_nothing_else(world: World) -> None:
    world.truth.shares["secret"] = "ord_1"
    phone = await world.phone("/customer", {"share": "secret"})
    assert (phone.ready["order_id"], phone.ready["account_id"]) == ("ord_1", "")
    await world.ring(1, to="order:ord_2")
    await world.ring(2, to="order:ord_1")
    await phone.until(lambda: phone.bells() == [2])
    assert (await phone.ask("choose", {"order_id": "ord_1", "grab_id": "g"}))["error"]["code"] == "forbidden"
    assert (await phone.ask("refresh", {"token": "x"}))["error"]["code"] == "forbidden"
    for namespace in ("/worker", "/desk"):
        assert (await world.phone(namespace, {"share": "secret"})).error_code == "forbidden"


async def test_a_share_link_taken_back_closes_its_sockets(world: World) -> None:
    world.truth.shares["secret"] = "ord_1"
    phone = await world.phone("/customer", {"share": "secret"})
    world.clock.advance(seconds=31)
    await asyncio.sleep(0.1)
    assert not phone.is_gone.is_set()
    del world.truth.shares["secret"]
    world.clock.advance(seconds=31)
    await phone.gone()
    assert phone.bodies("closing")[0]["code"] == "share_ended"


async def test_a_session_that_joins_nothing_is_closed(world: World) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{world.url}/socket.io/?EIO=4&transport=websocket") as ws:
            await ws.receive()
            world.hub.emitter.engine.session_of(next(iter(world.hub.emitter.engine.sockets))).still_lonely()
            closed = await asyncio.wait_for(ws.receive(), 2)
            assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_browsers_of_other_origins_are_refused(
    db: Database, redis: Any, settings: Settings, clock: ManualClock
) -> None:
    listed = dataclasses.replace(settings, allowed_origins="https://app.example/, https://other.example")
    async with running(db, redis, listed, clock) as world:
        for origin in (None, world.url, "https://app.example", "https://other.example"):
            assert await handshake(world, origin) == 101
        for origin in ("https://evil.example", "null", "https://app.example.evil.example"):
            assert await handshake(world, origin) == 400


async def handshake(world: World, origin: str | None) -> int:
    """The status of a WebSocket handshake from a page of this origin."""
    async with aiohttp.ClientSession() as http:
        try:
            ws = await http.ws_connect(
                f"{world.url}/socket.io/?EIO=4&transport=websocket", headers={"Origin": origin} if origin else {}
            )
        except aiohttp.WSServerHandshakeError as refusal:
            return refusal.status
        await ws.close()
        return 101


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_both_transports_hear_facts_and_answer(world: World, transport: str) -> None:
    phone = await world.phone("/customer", {"token": world.truth.token("c")}, transport=transport)
    await world.ring(1, 2, to="customer:acc_c")
    await phone.until(lambda: phone.bells() == [1, 2])
    assert (await phone.ask("unwatch", {"order_id": "ord_1"})) == {"ok": True}
