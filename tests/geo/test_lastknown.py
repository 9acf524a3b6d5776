"""Last-known positions come back after a restart, are forgotten by themselves, and may be lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from geo.fixes import Fix
from geo.lastknown import LastKnown, load_position, load_positions, save_positions
from geo.point import Point
from storage import redis as redis_store
from storage.redis import position_key

START = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
FULL = Fix(7, START, Point(121.4123456789, 37.5), 9.0, 3.5, 271.0)
BARE = Fix(8, START, Point(121.5, 37.6))


def fix(seconds: float) -> Fix:
    return Fix(int(seconds), START + timedelta(seconds=seconds), Point(121.4, 37.5 + seconds / 1000))


async def test_what_is_saved_is_loaded(redis: Any) -> None:
    await save_positions(redis, {"wrk_1": FULL, "wrk_2": BARE}, ttl_s=90)
    assert await load_positions(redis) == {"wrk_1": FULL, "wrk_2": BARE}
    assert await load_position(redis, "wrk_1") == FULL
    assert await load_position(redis, "wrk_3") is None
    assert 0 < await redis.ttl(position_key("wrk_1")) <= 90


async def test_more_than_one_batch_is_saved_and_loaded_among_other_keys(redis: Any) -> None:
    await redis.set("fieldhub:presence:wrk_1", "x")
    everybody = {f"wrk_{number}": fix(number) for number in range(2_500)}
    await save_positions(redis, everybody, ttl_s=90)
    assert await load_positions(redis) == everybody


async def test_a_flushed_redis_knows_nobody_until_the_next_fixes(redis: Any) -> None:
    store = LastKnown(redis, ttl_s=90, flush_ms=250)
    store.accept("wrk_1", [fix(0)])
    store.accept("wrk_2", [fix(0)])
    await store.flush()
    await redis.flushall()
    assert await load_positions(redis) == {}
    store.accept("wrk_2", [fix(5)])
    await store.flush()
    assert await load_positions(redis) == {"wrk_2": fix(5)}


async def test_what_another_version_wrote_is_passed_over(redis: Any) -> None:
    await save_positions(redis, {"wrk_1": FULL}, ttl_s=90)
    for number, value in enumerate([b"not json", b"[1,2]", b"{}", b'["x","y",1,2,3,4,5]']):
        await redis.set(position_key(f"wrk_odd{number}"), value)
    assert await load_positions(redis) == {"wrk_1": FULL}


async def test_only_the_newest_fix_of_a_worker_is_written(redis: Any) -> None:
    store = LastKnown(redis, ttl_s=90, flush_ms=250)
    store.accept("wrk_1", [fix(3), fix(9), fix(6)])
    store.accept("wrk_1", [fix(4)])
    await store.flush()
    assert await load_positions(redis) == {"wrk_1": fix(9)}


async def test_what_cannot_be_written_waits_for_redis_to_come_back(redis: Any) -> None:
    gone = redis_store.connect("redis://127.0.0.1:1/0")
    store = LastKnown(gone, ttl_s=90, flush_ms=250)
    store.accept("wrk_1", [fix(0)])
    store.accept("wrk_2", [fix(0)])
    await store.flush()
    await gone.aclose()
    store.accept("wrk_2", [fix(5)])
    store._redis = redis
    await store.flush()
    assert await load_positions(redis) == {"wrk_1": fix(0), "wrk_2": fix(5)}


async def test_the_loop_writes_what_is_left_when_it_is_stopped(redis: Any) -> None:
    store, stop = LastKnown(redis, ttl_s=90, flush_ms=3_600_000), asyncio.Event()
    running = asyncio.create_task(store.run(stop))
    store.accept("wrk_1", [FULL])
    stop.set()
    await running
    assert await load_position(redis, "wrk_1") == FULL
