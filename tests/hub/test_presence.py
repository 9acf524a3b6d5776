"""Presence: the pure lease, and its life in Redis."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.presence import LEASES_KEY, Lease, Presence, Silent, after_beat, after_silence
from storage.base.clock import ManualClock
from tests.conftest import MONDAY

LEASE_S, FRESH_S = 120.0, 90.0


def at(seconds: float) -> datetime:
    return MONDAY + timedelta(seconds=seconds)


def test_a_beat_holds_for_one_lease() -> None:
    assert after_beat(MONDAY, lease_s=LEASE_S) == Lease(at(120))


@pytest.mark.parametrize(
    ("now_s", "last_fix_s", "expected"),
    [
        (0, None, Lease(at(120))),
        (119.9, None, Lease(at(120))),
        (120, None, Silent()),
        (120, 20, Silent()),  # a fix 100 s old is no sign of life
        (120, 31, Lease(at(121))),  # one 89 s old is, until it is 90 s old
        (121, 31, Silent()),
        (500, None, Silent()),
        (500, 499, Lease(at(589))),
    ],
)
def test_silence(now_s: float, last_fix_s: float | None, expected: Lease | Silent) -> None:
    last_fix_at = None if last_fix_s is None else at(last_fix_s)
    assert after_silence(Lease(at(120)), at(now_s), last_fix_at=last_fix_at, fix_fresh_s=FRESH_S) == expected


class Hub:
    """One hub's presence with what it called."""

    def __init__(self, redis: Any, clock: ManualClock) -> None:
        self.silent: list[str] = []
        self.fixes: dict[str, datetime] = {}
        self.fails = False
        self.presence = Presence(
            redis, clock, on_silent=self.on_silent, last_fix_at=self.last_fix_at, lease_s=LEASE_S, fix_fresh_s=FRESH_S
        )

    async def on_silent(self, worker_id: str) -> None:
        if self.fails:
            raise ConnectionError("no database")
        self.silent.append(worker_id)

    async def last_fix_at(self, worker_id: str) -> datetime | None:
        return self.fixes.get(worker_id)


async def test_the_worker_is_silent_one_lease_after_the_last_socket_left(redis: Any, clock: ManualClock) -> None:
    hub = Hub(redis, clock)
    hub.presence.arrived("wrk_1")
    hub.presence.arrived("wrk_1")
    await hub.presence.tick()
    hub.presence.left("wrk_1")
    for _ in range(10):
        clock.advance(seconds=100)
        await hub.presence.tick()
    assert hub.silent == []
    hub.presence.left("wrk_1")
    await hub.presence.tick()
    clock.advance(seconds=119)
    await hub.presence.tick()
    assert hub.silent == []
    clock.advance(seconds=1)
    await hub.presence.tick()
    clock.advance(seconds=1_000)
    await hub.presence.tick()
    assert hub.silent == ["wrk_1"]
    assert await redis.zcard(LEASES_KEY) == 0


async def test_a_fresh_fix_keeps_a_worker_without_a_socket(redis: Any, clock: ManualClock) -> None:
    hub = Hub(redis, clock)
    hub.presence.arrived("wrk_1")
    hub.presence.left("wrk_1")
    await hub.presence.tick()
    clock.advance(seconds=121)
    hub.fixes["wrk_1"] = clock.now() - timedelta(seconds=30)
    await hub.presence.tick()
    assert hub.silent == []
    clock.advance(seconds=61)
    await hub.presence.tick()
    assert hub.silent == ["wrk_1"]


async def test_the_sockets_of_a_crashed_hub_are_missed_by_another(redis: Any, clock: ManualClock) -> None:
    crashed, other, third = Hub(redis, clock), Hub(redis, clock), Hub(redis, clock)
    crashed.presence.arrived("wrk_1")
    await crashed.presence.tick()
    clock.advance(seconds=121)
    await other.presence.tick()
    await third.presence.tick()
    assert other.silent + third.silent == ["wrk_1"]


async def test_a_worker_who_came_back_elsewhere_is_not_silent(redis: Any, clock: ManualClock) -> None:
    first, second = Hub(redis, clock), Hub(redis, clock)
    first.presence.arrived("wrk_1")
    await first.presence.tick()
    first.presence.left("wrk_1")
    second.presence.arrived("wrk_1")
    for _ in range(12):
        clock.advance(seconds=30)
        await second.presence.tick()
        await first.presence.tick()
    assert first.silent + second.silent == []


async def test_an_emptied_redis_heals_within_a_beat(redis: Any, clock: ManualClock) -> None:
    hub = Hub(redis, clock)
    hub.presence.arrived("wrk_1")
    await hub.presence.tick()
    await redis.flushall()
    clock.advance(seconds=LEASE_S / 3)
    await hub.presence.tick()
    assert await redis.zcard(LEASES_KEY) == 1


async def test_a_failed_call_is_tried_again_later(redis: Any, clock: ManualClock) -> None:
    hub = Hub(redis, clock)
    hub.presence.arrived("wrk_1")
    hub.presence.left("wrk_1")
    await hub.presence.tick()
    clock.advance(seconds=121)
    hub.fails = True
    with pytest.raises(ConnectionError):
        await hub.presence.tick()
    hub.fails = False
    clock.advance(seconds=31)
    await hub.presence.tick()
    assert hub.silent == ["wrk_1"]
