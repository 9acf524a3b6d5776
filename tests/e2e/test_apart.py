"""The parts as processes of their own on the same engines: two hubs, REST, a worker, as on several machines."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage import engines
from storage import redis as redis_store
from storage.redis import FEED_CHANNEL, LIVE_CHANNEL
from tests.e2e.phone import Phone
from tests.e2e.test_life import CUSTOMER, PLACE, TECHNICIAN, now_ms, post_order
from tests.live import Live


@dataclass
class Parts:
    """Four processes that share PostgreSQL and Redis and nothing else."""

    worker: Live
    rest: Live
    here: Live
    there: Live
    redis_url: str

    @property
    def hearing(self) -> list[Live]:
        """Those who listen to others."""
        return [self.worker, self.here, self.there]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    data_dir: Path = tmp_path_factory.mktemp("apart")
    with ExitStack() as stack:
        postgres, redis = engines.start_postgres(data_dir), engines.start_redis(data_dir)
        stack.callback(redis.stop)
        stack.callback(postgres.stop)

        def part(name: str) -> Live:
            live = Live(data_dir, part=name, database_url=postgres.url, redis_url=redis.url)
            return stack.enter_context(live)

        yield Parts(part("worker"), part("rest"), part("hub"), part("hub"), redis.url)


async def test_an_order_crosses_four_processes(parts: Parts) -> None:
    customer = Phone(parts.rest.url, sockets=parts.here.url)
    technician = Phone(parts.rest.url, sockets=parts.there.url)
    await customer.sign_in(CUSTOMER)
    await technician.sign_in(TECHNICIAN)
    await customer.connect("/customer")
    await technician.connect("/worker")
    assert (await technician.emit("online", {}))["ok"]
    assert (await technician.fix(PLACE[0] + 0.004, PLACE[1], 1, now_ms()))["accepted"] == 1
    await asyncio.sleep(1)

    order = await post_order(customer)  # REST writes, the worker offers, a hub tells
    offer = await technician.wait("offer.made", subject_id=order["id"])
    assert (await technician.emit("grab", {"call_id": offer["call_id"]}))["ok"]
    added = await customer.wait("grab.added", subject_id=order["id"])
    await customer.wait("order.changed", order_id=order["id"], status="has_candidates")

    assert (await technician.emit("offline", {}))["ok"]  # a hub writes, a job of the worker follows
    await customer.wait("grab.removed", grab_id=added["grab_id"])
    await customer.wait("order.changed", order_id=order["id"], status="in_pool", verb="lose_candidates")
    await technician.close()
    await customer.close()


async def test_who_needs_words_listens_and_nobody_else(parts: Parts) -> None:
    redis = redis_store.connect(parts.redis_url)
    heard = dict(await redis.pubsub_numsub(FEED_CHANNEL, LIVE_CHANNEL))
    assert heard == {FEED_CHANNEL.encode(): 3, LIVE_CHANNEL.encode(): 1}  # the dispatcher; no map is open
    await redis.aclose()


async def test_a_process_that_hears_nobody_says_so_and_heals(parts: Parts) -> None:
    """Redis answers, but its channels are closed to us: only our own words that do not come back tell."""
    redis = redis_store.connect(parts.redis_url)
    await redis.execute_command("ACL", "SETUSER", "default", "resetchannels")
    await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    for part in parts.hearing:
        await answers(part, 503, {"bus"})
    assert not failing(parts.rest.url)
    await redis.execute_command("ACL", "SETUSER", "default", "allchannels")
    for part in parts.hearing:
        await answers(part, 200, set())
        assert (part.log.count('"event":"bus.deaf"'), part.log.count('"event":"bus.hears_again"')) == (1, 1)
    await redis.aclose()


async def answers(part: Live, status: int, checks: set[str]) -> None:
    """Until its readiness is this."""
    async with asyncio.timeout(15):
        while (part.is_ready(), failing(part.url)) != (status == 200, checks):
            await asyncio.sleep(0.05)


def failing(url: str) -> set[str]:
    """The checks that fail."""
    try:
        urllib.request.urlopen(f"{url}/health/ready", timeout=5)
    except urllib.error.HTTPError as answer:
        return set(json.loads(answer.read())["checks"])
    return set()
