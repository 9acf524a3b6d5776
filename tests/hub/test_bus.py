"""What processes say to each other over Redis: facts without loss, positions on demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from geo.lastknown import save_positions
from geo.point import Point
from geo.positions import Fix
from hub.bus import Bus, Moved
from hub.follower import Follower
from hub.relay import Relay
from hub.words import WORD_BYTES_MAX, Seal, Told
from storage import redis as redis_store
from storage.base.clock import ManualClock, SystemClock
from storage.base.settings import Settings
from storage.outbox import FeedFact
from storage.postgres import Database
from storage.redis import FEED_CHANNEL, LIVE_CHANNEL, live_channel
from tests.conftest import SECRET
from tests.hub.test_relay import ring, until
from tests.hub.test_tracking import HOME, Trip, customer, heard_status
from tests.hub.world import World

EPOCH = "test"


@contextlib.asynccontextmanager
async def speaking(redis: Any, clock: Any = None) -> AsyncIterator[Bus]:
    """A bus that runs."""
    bus = Bus(redis, clock or SystemClock(), SECRET)
    running = asyncio.create_task(bus.run())
    try:
        yield bus
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@dataclass
class Node:
    """A follower in a process of its own, as far as Redis is concerned."""

    db: Database
    wants: Callable[[str, Sequence[str]], bool] = lambda _topic, _audience: True
    heard: list[FeedFact] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def following(self, poll_s: float = 60) -> AsyncIterator[Follower]:
        """Without a poll: what is not told arrives only because the follower saw that it was missing."""
        follower = Follower(self.db, self.heard.append, self.lost.append, poll_s=poll_s, is_wanted=self.wants)
        await follower.start()
        running = asyncio.create_task(follower.run())
        await asyncio.sleep(0)
        try:
            yield follower
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    @property
    def seqs(self) -> list[int]:
        return [fact.seq for fact in self.heard]


async def batches(db: Database, settings: Settings, *sizes: int) -> list[list[FeedFact]]:
    """Committed and numbered facts, as the relay hands them over."""
    made: list[list[FeedFact]] = []
    relay = Relay(db, lambda batch: made.append(list(batch)), settings)
    number = 0
    for size in sizes:
        await ring(db, *range(number, number + size))
        await relay.relay_once()
        number += size
    return made


def word(batch: Sequence[FeedFact], *, epoch: str = EPOCH, secret: str = SECRET) -> Told | None:
    return Seal(SECRET).open(Seal(secret).pack(epoch, batch))


# Facts


async def test_a_fact_arrives_as_it_is_in_the_feed(db: Database, redis: Any, settings: Settings) -> None:
    node = Node(db)
    async with node.following() as follower, speaking(redis) as here, speaking(redis) as there:
        there.follow(follower.hear)
        await until(lambda: not (here.is_deaf or there.is_deaf))
        (batch,) = await batches(db, settings, 3)
        batch[1] = replace(batch[1], expires_at=datetime(2030, 1, 1, 0, 0, 0, 123_456, UTC))
        here.tell(EPOCH, batch)
        await until(lambda: len(node.heard) == 3)
    assert node.heard == batch


async def test_unwanted_facts_are_left_out_and_still_passed(db: Database, settings: Settings) -> None:
    node = Node(db, wants=lambda _topic, audience: "worker:wrk_2" in audience)
    async with node.following() as follower:
        made: list[FeedFact] = []
        relay = Relay(db, made.extend, settings)
        for n in range(6):
            await ring(db, n, to=["worker:wrk_2" if n % 3 == 0 else "worker:wrk_1"])
        await relay.relay_once()
        follower.hear(word(made))
        await until(lambda: follower.seq == 6)
        assert node.seqs == [1, 4]
        await ring(db, 6, to=["worker:wrk_2"])
        await relay.relay_once()
        follower.hear(word(made[6:]))
        await until(lambda: node.seqs == [1, 4, 7])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _batch: None,
        lambda batch: word(batch, epoch="another"),
        lambda batch: word(batch, secret="somebody else's secret, just as long"),
        lambda batch: Seal(SECRET).open(b"\x02" + Seal(SECRET).pack(EPOCH, batch)[1:]),
        lambda batch: word([replace(fact, body=json.dumps("x" * WORD_BYTES_MAX)) for fact in batch]),
        lambda batch: word([batch[0], *batch[2:]]),
    ],
    ids=["unreadable", "another epoch", "forged", "another release", "too large", "with a hole"],
)
async def test_a_word_that_cannot_be_used_is_read_from_the_feed(
    db: Database, settings: Settings, spoil: Callable[[list[FeedFact]], Told | None]
) -> None:
    node = Node(db)
    async with node.following() as follower:
        (batch,) = await batches(db, settings, 3)
        follower.hear(spoil([replace(fact, body='{"n":-1}') for fact in batch]))
        await until(lambda: len(node.heard) == 3)
    assert node.heard == batch


async def test_a_forged_fact_is_not_told(db: Database, redis: Any, settings: Settings) -> None:
    node = Node(db)
    async with node.following() as follower, speaking(redis) as bus:
        bus.follow(follower.hear)
        await until(lambda: not bus.is_deaf)
        (batch,) = await batches(db, settings, 1)
        lie = [replace(batch[0], topic="account.roles_changed", body='{"roles":["admin"]}')]
        await redis.publish(FEED_CHANNEL, Seal("a secret that is not ours, but long enough").pack(EPOCH, lie))
        await until(lambda: bool(node.heard))
    assert node.heard == batch


async def test_what_comes_after_a_gap_waits_for_it_and_is_not_read_again(db: Database, settings: Settings) -> None:
    node = Node(db)
    first, lost = await batches(db, settings, 2, 2)
    third = [replace(fact, seq=fact.seq + 2) for fact in lost]  # told while the gap was being read, not yet in the read
    async with node.following() as follower:
        follower.seq = 0
        follower._must_read = False
        follower.hear(word(first))
        follower.hear(word(third))
        await until(lambda: len(node.heard) == 6)
    assert node.heard == [*first, *lost, *third]


async def test_whatever_is_lost_doubled_or_late_facts_come_once_in_order(db: Database, settings: Settings) -> None:
    chance = random.Random(20260105)
    node = Node(db, wants=lambda _topic, _audience: True)
    async with node.following(poll_s=0.05) as follower:

        def lossy(batch: Sequence[FeedFact]) -> None:
            told = word(batch)
            for _ in range(chance.choice((0, 1, 1, 1, 2))):
                delay_s = chance.choice((0, 0, 0, 0.002, 0.01))
                asyncio.get_running_loop().call_later(delay_s, follower.hear, told)

        relay = Relay(db, lossy, settings)
        relaying = asyncio.create_task(relay.run())
        await asyncio.gather(*(ring(db, n, n + 1_000) for n in range(150)))
        await until(lambda: len(node.heard) >= 300)
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
    assert node.seqs == list(range(1, 301))
    assert node.lost == []


async def test_telling_never_waits_and_keeps_a_bounded_queue(db: Database, settings: Settings) -> None:
    nowhere = redis_store.connect("redis://127.0.0.1:1/0")
    (batch,) = await batches(db, settings, 100)
    async with speaking(nowhere) as bus:
        for _ in range(2_000):
            bus.tell(EPOCH, batch)
        assert bus._out_bytes < 5_000_000
        assert bus.is_deaf
    await nowhere.aclose()


# Positions


def fix(at: datetime, lon: float = 121.45) -> Fix:
    return Fix(1, at, Point(lon, 37.5), 10.0, 8.0, 270.0)


async def listeners(redis: Any, channel: str) -> int:
    ((_, count),) = await redis.pubsub_numsub(channel)
    return int(count)


async def comes_to(expected: int, redis: Any, channel: str, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while await listeners(redis, channel) != expected:
            await asyncio.sleep(0.01)


async def test_a_worker_is_heard_only_while_watched(world: World) -> None:
    trip, channel = Trip(world), live_channel("wrk_1")
    await until(lambda: not world.hub.bus.is_deaf)
    assert await listeners(world.redis, channel) == 0
    watcher = await customer(world)
    second = await customer(world)
    await comes_to(1, world.redis, channel)
    await watcher.ask("unwatch", {"order_id": "ord_1"})
    await trip.step("departed")
    await heard_status(second, "departed")
    assert await listeners(world.redis, channel) == 1
    await second.close()
    await comes_to(0, world.redis, channel, seconds=10)


async def test_everybody_is_heard_only_while_a_map_is_open(world: World) -> None:
    await until(lambda: not world.hub.bus.is_deaf)
    assert await listeners(world.redis, LIVE_CHANNEL) == 0
    viewer = await world.phone("/desk", {"token": world.truth.token("o", "ops")})
    await viewer.ask("watch", {"what": "map"})
    await comes_to(1, world.redis, LIVE_CHANNEL)
    await viewer.ask("unwatch", {"what": "map"})
    await comes_to(0, world.redis, LIVE_CHANNEL, seconds=10)


async def test_who_watches_late_sees_the_last_position(world: World) -> None:
    trip = Trip(world)
    await trip.step("departed")
    world.clock.advance(seconds=5)
    await save_positions(world.redis, {"wrk_1": fix(world.clock.now())}, ttl_s=90)
    watcher = await customer(world)
    await watcher.until(lambda: bool(watcher.bodies("position")))
    seen = watcher.bodies("position")
    assert [(body["worker_id"], body["lon"]) for body in seen] == [("wrk_1", 121.45)]


async def test_a_position_written_as_we_began_to_listen_is_still_seen(world: World) -> None:
    trip = Trip(world)
    await trip.step("departed")
    watcher = await customer(world)
    await comes_to(1, world.redis, live_channel("wrk_1"))
    await save_positions(world.redis, {"wrk_1": fix(world.clock.now())}, ttl_s=90)  # its word was before we listened
    await watcher.until(lambda: bool(watcher.bodies("position")))


async def test_a_map_opened_late_shows_everybody(world: World) -> None:
    known = {f"wrk_{n}": fix(world.clock.now(), HOME.lon + n / 1_000) for n in range(20)}
    await save_positions(world.redis, known, ttl_s=90)
    viewer = await world.phone("/desk", {"token": world.truth.token("o", "ops")})
    await viewer.ask("watch", {"what": "map"})

    def shown() -> set[str]:
        world.clock.advance(seconds=1)
        return {row[0] for body in viewer.bodies("positions") for row in body["workers"]}

    await viewer.until(lambda: shown() == set(known))


async def test_of_several_moves_within_a_flush_the_last_is_said(redis: Any, clock: ManualClock) -> None:
    at_ms = round(clock.now().timestamp() * 1000)
    watched: list[Moved] = []
    everybody: list[Moved] = []
    async with speaking(redis, clock) as here, speaking(redis, clock) as there:
        opened: list[str] = []
        there.on_moves, there.on_listening = watched.extend, opened.append
        there.on_all_moves.append(everybody.extend)
        for channel in (live_channel("wrk_1"), LIVE_CHANNEL):
            there.listen(channel)
        await until(lambda: len(opened) == 2 and not here.is_deaf)
        for n in range(50):
            for worker_id in ("wrk_1", "wrk_2"):
                here.moved(Moved(worker_id, at_ms + n, 121.4, 37.5))
        await until(lambda: len(everybody) >= 2 and bool(watched))
    assert watched[-1] == Moved("wrk_1", at_ms + 49, 121.4, 37.5)
    assert {move.worker_id for move in watched} == {"wrk_1"}
    assert len(watched) <= 2  # at most one flush fell among them
    assert {move.worker_id: move.at_ms for move in everybody} == {"wrk_1": at_ms + 49, "wrk_2": at_ms + 49}


async def test_a_garbled_position_does_not_end_hearing(redis: Any, clock: ManualClock) -> None:
    heard: list[Moved] = []
    async with speaking(redis, clock) as bus:
        opened: list[str] = []
        bus.on_moves, bus.on_listening = heard.extend, opened.append
        bus.listen(live_channel("wrk_1"))
        await until(lambda: bool(opened))
        good = Moved("wrk_1", round(clock.now().timestamp() * 1000), 121.4, 37.5)
        for word_ in (b"", b"\xff", b"\x91" * 5_000, msgspec.msgpack.encode(("x", [good]))):
            await redis.publish(live_channel("wrk_1"), word_)
        await until(lambda: heard == [good])
