"""Two hubs on one database and one Redis: what one learns the other tells; without Redis nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage import redis as redis_store
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.test_relay import until
from tests.hub.test_tracking import HOME, Trip, customer, heard_status
from tests.hub.world import World, running


@pytest.fixture
async def other(world: World, db: Database, redis: Any, settings: Settings, clock: ManualClock) -> AsyncIterator[World]:
    """A second hub beside `world`."""
    async with running(db, redis, settings, clock, truth=world.truth) as made:
        yield made


async def test_a_fact_reaches_the_sockets_of_every_hub(world: World, other: World) -> None:
    here, there = await world.worker_phone(), await other.phone("/worker", {"token": world.worker()})
    await world.ring(1, 2, 3)
    for phone in (here, there):
        await phone.until(lambda phone=phone: phone.bells() == [1, 2, 3])


async def test_a_worker_on_one_hub_is_seen_from_another(world: World, other: World) -> None:
    trip = Trip(world)
    worker = await world.worker_phone()
    watcher = await customer(other)
    await until(lambda: not (world.hub.bus.is_deaf or other.hub.bus.is_deaf))
    await trip.step("departed")
    await heard_status(watcher, "departed")
    world.clock.advance(seconds=1)
    await trip.drive(worker, 3_000)
    await watcher.until(lambda: bool(watcher.bodies("position")))
    assert abs(watcher.bodies("position")[0]["distance_m"] - 3_000) < 30
    assert HOME.lon < watcher.bodies("position")[0]["lon"]


async def test_a_fact_for_nobody_here_is_passed_and_the_next_one_heard(world: World, other: World) -> None:
    here, there = await world.worker_phone(), await other.phone("/worker", {"token": world.worker("w2", "wrk_2")})
    for n in range(10):
        await world.ring(n, to=f"worker:wrk_{1 + n % 2}")
    await here.until(lambda: here.bells() == [0, 2, 4, 6, 8])
    await there.until(lambda: there.bells() == [1, 3, 5, 7, 9])
    await until(lambda: world.hub.follower.seq == other.hub.follower.seq)


async def test_who_comes_while_facts_fly_past_misses_none(world: World, other: World) -> None:
    """Facts nobody hears are not kept; whoever joins between them and the next ones gets them from the feed."""
    first = await other.phone("/worker", {"token": world.worker()})
    place = {"since": first.ready["seq"], "epoch": first.ready["epoch"]}
    await first.close()
    ringing = asyncio.create_task(world.ring(*range(200)))
    phones = [await other.phone("/worker", {"token": world.worker(), **place}) for _ in range(10)]
    await ringing
    for phone in phones:
        await phone.until(lambda phone=phone: phone.bells() == list(range(200)))


async def test_resuming_on_another_hub_loses_nothing(world: World, other: World) -> None:
    phone = await world.worker_phone()
    await world.ring(1)
    await phone.until(lambda: phone.bells() == [1])
    await phone.close()
    await world.ring(2, 3)
    back = await other.phone(
        "/worker", {"token": world.worker(), "since": phone.last_seq(), "epoch": phone.ready["epoch"]}
    )
    await back.until(lambda: back.bells() == [2, 3])


async def test_without_redis_facts_still_arrive_in_order(db: Database, settings: Settings, clock: ManualClock) -> None:
    nowhere = redis_store.connect("redis://127.0.0.1:1/0")
    async with running(db, nowhere, settings, clock) as first, running(db, nowhere, settings, clock) as second:
        here = await first.worker_phone()
        there = await second.phone("/worker", {"token": second.worker()})
        for n in range(20):
            await first.ring(n)
        for phone in (here, there):
            await phone.until(lambda phone=phone: phone.bells() == list(range(20)))
    await nowhere.aclose()
