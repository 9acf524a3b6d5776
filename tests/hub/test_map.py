"""The operations map: everybody at first, then what changed, once a second, encoded once."""

from __future__ import annotations

import asyncio
from typing import Any

from dispatch.facts import WorkerChanged
from hub.bus import Moved
from tests.hub.world import Phone, World


def place(world: World, *workers: str, lon: float = 121.4) -> None:
    at_ms = round(world.clock.now().timestamp() * 1000)
    world.hub._moved_elsewhere([Moved(worker_id, at_ms, lon, 37.5, heading_deg=90) for worker_id in workers])


async def ops(world: World, **watch: Any) -> Phone:
    phone = await world.phone("/desk", {"token": world.truth.token("o", "ops")})
    assert await phone.ask("watch", {"what": "map", **watch}) == {"ok": True}
    return phone


def rows(phone: Phone) -> list[Any]:
    return [row for body in phone.bodies("positions") for row in body["workers"]]


async def test_a_newcomer_gets_everybody_then_only_changes(world: World) -> None:
    place(world, "wrk_1", "wrk_2")
    phone = await ops(world)
    world.clock.advance(seconds=1)
    await phone.until(lambda: len(rows(phone)) == 2)
    assert sorted(rows(phone))[0] == ["wrk_1", 37.5, 121.4, 90, 1767578400000, "online"]
    world.clock.advance(seconds=1)
    place(world, "wrk_2", lon=121.41)
    await phone.until(lambda: len(rows(phone)) == 3)
    assert rows(phone)[-1][:3] == ["wrk_2", 37.5, 121.41]


async def test_at_most_one_batch_a_second(world: World) -> None:
    phone = await ops(world)
    world.clock.advance(seconds=1)
    await asyncio.sleep(0.05)
    for n in range(5):
        place(world, "wrk_1", lon=121.4 + n / 100)
        await asyncio.sleep(0.02)
    assert len(phone.bodies("positions")) <= 1
    world.clock.advance(seconds=1)
    await phone.until(lambda: bool(rows(phone)) and rows(phone)[-1][2] == 121.44)


async def test_an_area_sees_its_own(world: World) -> None:
    district, province = await ops(world, area_code="370602"), await ops(world, area_code="370000")
    place(world, "wrk_in", lon=121.4)
    place(world, "wrk_out", lon=120.4)
    world.clock.advance(seconds=1)
    await province.until(lambda: len(rows(province)) == 2)
    assert [row[0] for row in rows(district)] == ["wrk_in"]


async def test_a_batch_is_encoded_once_for_everybody_in_step(world: World) -> None:
    phones = [await ops(world) for _ in range(3)]
    world.clock.advance(seconds=1)
    await asyncio.sleep(0.05)
    frames = []
    original = world.hub.map._frame
    world.hub.map._frame = lambda *args: frames.append(original(*args)) or frames[-1]  # type: ignore[method-assign, func-returns-value]
    place(world, "wrk_1")
    world.clock.advance(seconds=1)
    for phone in phones:
        await phone.until(lambda phone=phone: len(rows(phone)) == 1)
    assert len(frames) == 1


async def test_a_viewer_that_lost_a_batch_gets_everything_again(world: World) -> None:
    phone = await ops(world)
    place(world, "wrk_1", "wrk_2")
    world.clock.advance(seconds=1)
    await phone.until(lambda: len(rows(phone)) == 2)
    session = next(iter(world.hub.emitter.engine.sockets.values()))
    session.outbound.live_lost += 1  # a batch found no room
    world.clock.advance(seconds=1)
    await phone.until(lambda: len(rows(phone)) == 4)


async def test_many_workers_come_in_pieces(world: World) -> None:
    place(world, *(f"wrk_{n:04}" for n in range(3_000)))
    phone = await ops(world)
    for _ in range(8):
        world.clock.advance(seconds=1)
        await asyncio.sleep(0.03)
    await phone.until(lambda: len({row[0] for row in rows(phone)}) == 3_000)
    assert max(len(body["workers"]) for body in phone.bodies("positions")) <= 400


async def test_a_worker_that_goes_off_changes_colour(world: World) -> None:
    place(world, "wrk_1")
    phone = await ops(world)
    await world.tell(WorkerChanged(worker_id="wrk_1", online=False, state="offline"), "ops")
    await phone.until(lambda: bool(phone.bodies("worker.changed")))
    world.clock.advance(seconds=1)
    await phone.until(lambda: bool(rows(phone)) and rows(phone)[-1][-1] == "offline")


async def test_finance_and_customers_do_not_see_the_map(world: World) -> None:
    finance = await world.phone("/desk", {"token": world.truth.token("f", "finance")})
    assert (await finance.ask("watch", {"what": "map"}))["error"]["code"] == "forbidden"
