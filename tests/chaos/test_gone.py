"""Clients that leave while they wait: nothing more is done for them, or a storm of returns would feed itself."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from hub import metrics
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.world import running

WAITING = 10
POOL = 24
"""Connections of the fixture; the relay keeps one of them."""


async def test_no_gap_is_read_for_a_client_that_has_gone(
    db: Database, redis: Any, settings: Settings, clock: ManualClock
) -> None:
    async with running(db, redis, settings, clock) as world:
        before = metrics.REPLAYS.counts["replayed",]
        async with AsyncExitStack() as held:
            for _ in range(POOL - 1):
                await held.enter_async_context(db.pool.acquire())
            token = world.worker()
            phones = [
                await world.phone("/worker", {"token": token, "since": 0, "epoch": "test"}, ready=False)
                for _ in range(WAITING)
            ]
            for phone in phones:
                await phone.close()
            await phones[0].until(lambda: not world.hub.members)
        stays = await world.worker_phone(since=0, epoch="test")  # its turn comes after theirs
        assert stays.ready["recovered"]
        assert metrics.REPLAYS.counts["replayed",] == before + 1
