"""Going down: nobody lost, nobody cut off in mid-sentence, soon over."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from hub.drain import drain
from tests.hub.world import World


async def test_clients_are_told_to_move_and_the_hub_is_empty_soon(world: World) -> None:
    phones = [await world.worker_phone() for _ in range(8)]
    began = time.monotonic()
    assert await drain(world.hub, 0.4) == 8
    assert time.monotonic() - began < 3
    for phone in phones:
        await phone.gone()
        closing = phone.bodies("closing")[0]
        assert (closing["code"], closing["reconnect"]) == ("moving", True)
        assert 0 <= closing["after_ms"] < 1_000
    assert world.hub.members == {}
    assert world.hub.emitter.sessions == 0


async def test_clients_leave_one_after_the_other(world: World) -> None:
    phones = [await world.worker_phone() for _ in range(10)]
    left: list[float] = []
    began = time.monotonic()

    async def note(phone: object) -> None:
        await phones[0].until(lambda: phone.is_gone.is_set())  # type: ignore[attr-defined]
        left.append(time.monotonic() - began)

    notes = [asyncio.create_task(note(phone)) for phone in phones]
    await drain(world.hub, 0.8)
    await asyncio.gather(*notes)
    assert max(left) - min(left) > 0.4


async def test_nobody_new_gets_in(world: World) -> None:
    draining = asyncio.create_task(drain(world.hub, 0.3))
    await asyncio.sleep(0.05)
    async with aiohttp.ClientSession() as http, http.get(f"{world.url}/socket.io/?EIO=4&transport=polling") as answer:
        assert answer.status == 503
    await draining


async def test_a_running_request_gets_its_ack(world: World) -> None:
    phone = await world.worker_phone()
    asking = asyncio.create_task(phone.ask("grab", {"call_id": "cal_a_moment"}))
    await asyncio.sleep(0.05)
    await drain(world.hub, 0.1)
    assert (await asking)["ok"] is True


async def test_what_is_told_during_the_drain_is_found_elsewhere(world: World) -> None:
    phone = await world.worker_phone()
    await drain(world.hub, 0.05)
    await phone.gone()
    await world.ring(1, 2)
    world.hub.is_draining = False  # stands for the hub next door: same feed, same database
    world.hub.emitter.engine.accepting = True
    back = await world.worker_phone(since=phone.ready["seq"], epoch=phone.ready["epoch"])
    await back.until(lambda: back.bells() == [1, 2])


async def test_a_client_that_never_reads_does_not_hold_up_the_end(world: World) -> None:
    async with aiohttp.ClientSession() as http:
        ws = await http.ws_connect(f"{world.url}/socket.io/?EIO=4&transport=websocket")
        began = time.monotonic()
        await drain(world.hub, 0.1)
        assert time.monotonic() - began < 5
        await ws.close()
