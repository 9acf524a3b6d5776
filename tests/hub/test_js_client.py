"""The official JavaScript client, unchanged, against the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hub.drain import drain
from tests.hub.js import JsPhone, needs_node
from tests.hub.world import BellRung, World

pytestmark = needs_node


@pytest.fixture
async def js(world: World) -> AsyncIterator[Callable[..., Any]]:
    phones: list[JsPhone] = []

    async def start(namespace: str, auth: dict[str, Any], transports: str = "websocket") -> JsPhone:
        phones.append(await JsPhone.start(world.url, namespace, auth, transports))
        return phones[-1]

    yield start
    for phone in phones:
        await phone.close()


@pytest.mark.parametrize("transports", ["websocket", "polling", "polling,websocket"])
async def test_it_connects_hears_and_asks(world: World, js: Any, transports: str) -> None:
    phone = await js("/customer", {"token": world.truth.token("c")}, transports)
    await phone.until(lambda: bool(phone.bodies("ready")))
    if transports == "polling,websocket":
        await phone.until(lambda: phone.bodies("upgrade") == [{"transport": "websocket"}])
    async with world.db.begin() as tx:
        for n in range(200):
            tx.tell(BellRung(n=n, text="嘀咚"), to=["customer:acc_c"])
    await phone.until(lambda: len(phone.bells()) == 200)
    assert phone.bells() == list(range(200))
    assert await phone.ask("unwatch", {"order_id": "ord_1"}) == {"ok": True}
    assert (await phone.ask("fly", {}))["error"]["code"] == "unknown_event"


async def test_facts_during_the_upgrade_are_not_lost(world: World, js: Any) -> None:
    phone = await js("/customer", {"token": world.truth.token("c")}, "polling,websocket")
    await phone.until(lambda: bool(phone.bodies("ready")))
    for n in range(60):
        await world.ring(n, to="customer:acc_c")
    await phone.until(lambda: len(phone.bells()) == 60)
    assert phone.bells() == list(range(60))


async def test_a_refusal_says_why(world: World, js: Any) -> None:
    phone = await js("/desk", {"token": world.truth.token("c")})
    await phone.until(lambda: bool(phone.bodies("connect_error")))
    error = phone.bodies("connect_error")[0]
    assert error["message"] == "forbidden"
    assert error["data"]["error"] == {"code": "forbidden", "detail": "You may not do this.", "retry": False}


async def test_a_dropped_connection_resumes_by_itself(world: World, js: Any) -> None:
    phone = await js("/worker", {"token": world.worker()})
    await phone.until(lambda: bool(phone.bodies("ready")))
    await world.ring(1, 2)
    await phone.until(lambda: phone.bells() == [1, 2])
    phone.tell("drop")
    await world.ring(3, 4)
    await phone.until(lambda: phone.bells() == [1, 2, 3, 4])
    assert phone.bodies("ready")[-1]["recovered"] is True


async def test_a_moving_hub_makes_it_come_back(world: World, js: Any) -> None:
    phone = await js("/worker", {"token": world.worker()})
    await phone.until(lambda: bool(phone.bodies("ready")))
    await drain(world.hub, 0.05)
    await phone.until(lambda: bool(phone.bodies("disconnect")))
    assert phone.bodies("closing")[0]["code"] == "moving"
    assert phone.bodies("disconnect")[0]["active"] is True  # the client will reconnect
    world.hub.is_draining = False  # stands for the hub next door
    world.hub.emitter.engine.accepting = True
    await world.ring(1)
    await phone.until(lambda: phone.bells() == [1])


async def test_an_ended_token_makes_it_stay_away(world: World, js: Any) -> None:
    phone = await js("/customer", {"token": world.truth.token("c", ttl_s=120)})
    await phone.until(lambda: bool(phone.bodies("ready")))
    world.clock.advance(seconds=121)
    await phone.until(lambda: bool(phone.bodies("disconnect")))
    assert phone.bodies("disconnect") == [{"reason": "io server disconnect", "active": False}]
    assert phone.bodies("closing")[0]["code"] == "token_expired"
