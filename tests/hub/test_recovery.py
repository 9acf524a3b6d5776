"""Connection state recovery with the official JavaScript client: recovered means that nothing is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage import redis as redis_store
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.desk.conftest import Desk, place
from tests.desk.sockets import at_desk
from tests.hub.js import JsPhone, Road, needs_node
from tests.hub.test_relay import until
from tests.hub.test_tracking import Trip
from tests.hub.world import World, running

__all__ = ["place"]

pytestmark = needs_node


@pytest.fixture
async def road(world: World) -> AsyncIterator[Road]:
    made = Road()
    await made.open(world.url)
    yield made
    await made.close()


class Roamer:
    """A JavaScript phone on the road."""

    def __init__(self, road: Road, phone: JsPhone) -> None:
        self.road, self.phone = road, phone

    @property
    def connects(self) -> list[Any]:
        return self.phone.bodies("connect")

    async def back(self) -> Any:
        """Cut the connection and wait for the next one; what `connect` said."""
        count = len(self.connects)
        self.road.cut()
        await self.phone.until(lambda: len(self.connects) > count and len(self.phone.bodies("ready")) > count)
        return self.connects[-1]

    async def hears(self, *bells: int) -> None:
        await self.phone.until(lambda: len(self.phone.bells()) >= len(bells))
        assert self.phone.bells() == list(bells)


@pytest.fixture
async def roamer(world: World, road: Road) -> AsyncIterator[Roamer]:
    phone = await JsPhone.start(road.url, "/worker", {"token": world.worker(), "recover": True})
    await phone.until(lambda: bool(phone.bodies("ready")))
    yield Roamer(road, phone)
    await phone.close()


async def test_what_was_missed_comes_after_a_cut(world: World, road: Road, roamer: Roamer) -> None:
    await world.ring(1, 2)
    await roamer.hears(1, 2)
    road.leads_to = None
    road.cut()
    await world.ring(3, 4)
    road.leads_to = world.url
    await roamer.hears(1, 2, 3, 4)
    first, again = roamer.connects
    assert (first["recovered"], again["recovered"]) == (False, True)
    assert again["id"] == first["id"]
    assert roamer.phone.bodies("ready")[-1]["recovered"] is True


async def test_the_board_is_watched_again_and_told_anew(
    place: Desk, redis: Any, settings: Settings
) -> None:
    """Numbers that changed meanwhile come by themselves, and so do those that change after."""
    await place.open()
    async with at_desk(place, redis, settings) as world:
        road = Road()
        await road.open(world.url)
        auth = {"token": world.truth.token("boss", "supervisor"), "recover": True}
        boss = Roamer(road, await JsPhone.start(road.url, "/desk", auth))
        await boss.phone.until(lambda: bool(boss.phone.bodies("ready")))
        (board,) = (await boss.phone.ask("watch", {"what": "board"}))["boards"]
        assert board["waiting"] == 0
        road.leads_to = None
        road.cut()
        await place.come()
        world.clock.advance(seconds=2)
        await until(lambda: not world.hub.lines.is_behind)
        road.leads_to = world.url
        await boss.phone.until(lambda: len(boss.connects) == 2)
        assert boss.connects[-1]["recovered"] is True
        world.clock.advance(seconds=2)
        await boss.phone.until(lambda: [one["waiting"] for one in boss.phone.bodies("queue.board")] == [1])
        await place.come("bob")
        world.clock.advance(seconds=2)
        await boss.phone.until(lambda: boss.phone.bodies("queue.board")[-1]["waiting"] == 2)
        await boss.phone.close()
        await road.close()


async def test_one_who_had_heard_nothing_yet_recovers_too(world: World, road: Road, roamer: Roamer) -> None:
    road.leads_to = None
    road.cut()
    await world.ring(1)
    road.leads_to = world.url
    await roamer.hears(1)
    assert roamer.connects[-1]["recovered"] is True


async def test_gone_twice_without_a_word_between_repeats_nothing(world: World, roamer: Roamer) -> None:
    await world.ring(1)
    await roamer.hears(1)
    assert (await roamer.back())["recovered"] is True
    assert (await roamer.back())["recovered"] is True
    await world.ring(2)
    await roamer.hears(1, 2)


async def test_another_hub_recovers_it(  # noqa: PLR0917
    world: World, road: Road, roamer: Roamer, db: Database, redis: Any, settings: Settings, clock: ManualClock
) -> None:
    await world.ring(1)
    await roamer.hears(1)
    async with running(db, redis, settings, clock, truth=world.truth) as other:
        road.leads_to = other.url
        assert (await roamer.back())["recovered"] is True
        await world.ring(2)
        await roamer.hears(1, 2)
        road.leads_to = world.url
        assert (await roamer.back())["recovered"] is True


async def test_the_token_is_verified_anew(world: World, road: Road, roamer: Roamer) -> None:
    world.truth.revoked.add("ses_w1")
    road.cut()
    await roamer.phone.until(lambda: bool(roamer.phone.bodies("connect_error")))
    assert roamer.phone.bodies("connect_error")[0]["message"] == "session_revoked"
    assert len(roamer.connects) == 1


async def test_with_redis_emptied_it_does_not_say_recovered(world: World, redis: Any, roamer: Roamer) -> None:
    await world.ring(1)
    await roamer.hears(1)
    await redis.flushall()
    assert (await roamer.back())["recovered"] is False
    assert roamer.phone.bodies("ready")[-1]["recovered"] is False
    assert (await roamer.back())["recovered"] is True  # of the new beginning


async def test_a_gap_that_is_too_long_is_not_recovered(world: World, road: Road, roamer: Roamer) -> None:
    road.leads_to = None
    road.cut()
    await world.ring(*range(world.settings.feed_gap_max + 1))
    road.leads_to = world.url
    await roamer.phone.until(lambda: len(roamer.connects) == 2)
    assert roamer.connects[-1]["recovered"] is False
    assert roamer.phone.bells() == []


async def test_another_database_is_not_recovered(world: World, roamer: Roamer) -> None:
    await world.ring(1)
    await roamer.hears(1)
    async with world.db.begin() as tx:
        await tx.execute("UPDATE relay_state SET epoch = 'restored'")
    assert (await roamer.back())["recovered"] is False


async def test_someone_else_with_the_same_id_gets_nothing(world: World, road: Road, roamer: Roamer, redis: Any) -> None:
    await world.ring(1)
    await roamer.hears(1)
    (key,) = [key async for key in redis.scan_iter("fieldhub:recovery:*")]
    stolen = {"recover": True, "pid": key.decode().rpartition(":")[2], "offset": "0"}
    thief = await world.phone("/worker", {"token": world.worker("w2", "wrk_2"), **stolen})
    assert thief.ready["recovered"] is False
    await world.ring(2)
    await roamer.hears(1, 2)
    assert thief.bells() == []


async def test_what_was_watched_is_watched_again(world: World, road: Road) -> None:
    trip = Trip(world)
    worker = await world.worker_phone()
    phone = await JsPhone.start(road.url, "/customer", {"token": world.truth.token("c"), "recover": True})
    try:
        assert (await phone.ask("watch", {"order_id": "ord_1"}))["ok"] is True
        await trip.step("departed")
        roamer = Roamer(road, phone)
        assert (await roamer.back())["recovered"] is True
        world.clock.advance(seconds=2)
        await trip.drive(worker, 3_000)
        await phone.until(lambda: bool(phone.bodies("position")))
        del world.truth.orders["ord_1"]
        assert (await roamer.back())["recovered"] is False  # it cannot be watched any more
    finally:
        await phone.close()


async def test_without_redis_nothing_is_promised(db: Database, settings: Settings, clock: ManualClock) -> None:
    nowhere = redis_store.connect("redis://127.0.0.1:1/0")
    async with running(db, nowhere, settings, clock) as world:
        phone = await JsPhone.start(world.url, "/worker", {"token": world.worker(), "recover": True})
        await phone.until(lambda: bool(phone.bodies("ready")))
        await world.ring(1)
        await phone.until(lambda: phone.bells() == [1])
        phone.tell("drop")
        await phone.until(lambda: len(phone.bodies("ready")) == 2)
        assert not phone.bodies("connect")[-1].get("recovered")
        await phone.close()
    await nowhere.aclose()


async def test_a_half_dead_connection_gives_way(world: World, road: Road, roamer: Roamer) -> None:
    await world.ring(1)
    await roamer.hears(1)
    road.strand()
    await roamer.phone.until(lambda: len(roamer.phone.bodies("ready")) == 2)
    assert roamer.connects[-1]["recovered"] is True
    assert len(world.hub.members) == 1
    await world.ring(2)
    await roamer.hears(1, 2)
