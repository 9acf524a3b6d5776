"""A process that hears nobody knows it, says so once, and heals: Redis killed, paused, stopped, emptied."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hub.subscription import DEAF_S
from storage import engines
from storage import redis as redis_store
from storage.base import log as log_module
from storage.base.settings import Settings
from storage.postgres import Database
from storage.redis import FEED_CHANNEL
from tests.hub.test_bus import EPOCH, Node, batches, comes_to, speaking
from tests.hub.test_relay import until


class OwnRedis:
    """A Redis that may be hurt, and what is logged meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._out = io.StringIO()
        log_module.direct_to(self._out)
        self.engine = engines.start_redis(folder)
        self.client = redis_store.connect(self.engine.url)

    async def pause(self) -> None:
        await self.client.execute_command("CLIENT", "PAUSE", str(round((DEAF_S + 2) * 1000)), "ALL")

    async def unpause(self) -> None:
        """It ends by itself."""

    async def stop(self) -> None:
        self.engine.process.send_signal(signal.SIGSTOP)

    async def go_on(self) -> None:
        self.engine.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        self.engine.process.kill()
        self.engine.process.wait()

    async def restart_empty(self) -> None:
        self.engine = engines.start_redis(self._folder)

    @property
    def lines(self) -> list[str]:
        """The names of the lines about the bus, sorted."""
        events = [json.loads(line)["event"] for line in self._out.getvalue().splitlines()]
        return sorted(event for event in events if event.startswith("bus."))


@pytest.fixture
async def own_redis() -> AsyncIterator[OwnRedis]:
    with tempfile.TemporaryDirectory(prefix="fieldhub-deaf-", ignore_cleanup_errors=True) as folder:
        own = OwnRedis(Path(folder))
        yield own
        await own.go_on()
        await own.client.aclose()
        own.engine.stop()
        log_module.direct_to(None)


async def test_a_subscription_that_hears_is_left_alone(own_redis: OwnRedis) -> None:
    async with speaking(own_redis.client) as bus:
        await until(lambda: not bus.is_deaf)
        (before,) = await own_redis.client.client_list(_type="pubsub")
        await asyncio.sleep(DEAF_S + 1)  # longer than it would be waited for
        (after,) = await own_redis.client.client_list(_type="pubsub")
    assert before["id"] == after["id"]


async def test_a_killed_subscription_is_built_anew_at_once(
    db: Database, settings: Settings, own_redis: OwnRedis
) -> None:
    node, client = Node(db), own_redis.client
    async with node.following() as follower, speaking(client) as here, speaking(client) as there:
        there.follow(follower.hear)
        await until(lambda: not (here.is_deaf or there.is_deaf))
        for n in range(5):
            assert await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1
            await comes_to(1, client, FEED_CHANNEL)
            (batch,) = await batches(db, settings, 2)
            here.tell(EPOCH, batch)
            await until(lambda n=n: len(node.heard) == 2 * n + 2)  # type: ignore[misc]
    assert node.seqs == list(range(1, 11))
    assert own_redis.lines == []


@pytest.mark.parametrize(
    ("hurt", "heal"),
    [(OwnRedis.pause, OwnRedis.unpause), (OwnRedis.stop, OwnRedis.go_on), (OwnRedis.kill, OwnRedis.restart_empty)],
    ids=["paused", "stopped", "killed and empty"],
)
async def test_a_deaf_process_knows_and_heals(
    db: Database,
    settings: Settings,
    own_redis: OwnRedis,
    hurt: Callable[[OwnRedis], Awaitable[None]],
    heal: Callable[[OwnRedis], Awaitable[None]],
) -> None:
    node, client = Node(db), own_redis.client
    async with node.following() as follower, speaking(client) as here, speaking(client) as there:
        there.follow(follower.hear)
        await until(lambda: not (here.is_deaf or there.is_deaf))
        await hurt(own_redis)
        await until(lambda: here.is_deaf and there.is_deaf, DEAF_S + 4)
        assert own_redis.lines == ["bus.deaf"] * 2
        (unheard,) = await batches(db, settings, 2)
        here.tell(EPOCH, unheard)
        await heal(own_redis)
        await until(lambda: not (here.is_deaf or there.is_deaf), DEAF_S + 6)
        (batch,) = await batches(db, settings, 2)
        here.tell(EPOCH, batch)
        await until(lambda: len(node.heard) == 4)
    assert node.heard == [*unheard, *batch]
    assert own_redis.lines == ["bus.deaf"] * 2 + ["bus.hears_again"] * 2
