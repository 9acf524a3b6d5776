"""What the words between processes cost, and how late a fact is on another node.

`irrelevant fact`: CPU of a node for a fact nobody there hears, from Redis to its place in the feed, in batches of 100.
`tell` and `position`: CPU of the teller up to the socket, Redis at the other end.
`commit → other process`: 2,000 facts a second committed in transactions of ten; a follower in a process of its own
notes when it has each. `wake and read` is the same with words that only say "the feed has grown". Medians of rounds.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from hub.bus import Bus, Moved
from hub.follower import Follower
from hub.members import Audiences
from hub.relay import Relay
from storage import engines, migrate
from storage import redis as redis_store
from storage.base.clock import SystemClock
from storage.base.codec import loads
from storage.base.facts import Fact
from storage.base.settings import Settings
from storage.outbox import FeedFact
from storage.postgres import Database
from storage.redis import FEED_CHANNEL, Speaker, publish

SECRET = "bench" * 8
ROUNDS = 5
BATCH = 100
RATE, FACTS_EACH = 2_000, 10
TEXT = "x" * 120


class Benched(Fact, frozen=True):
    topic: ClassVar[str] = "order.benched"
    committed_at: float
    text: str


def run(quick: bool) -> dict[str, Any]:
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-bench-"))
    postgres, redis = engines.start_postgres(data_dir), engines.start_redis(data_dir)
    try:
        figures = asyncio.run(_costs(redis.url, 200 if quick else 1_000))
        return figures | asyncio.run(_delays(postgres.url, redis.url, 2 if quick else 5))
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


# Costs


async def _costs(redis_url: str, words: int) -> dict[str, Any]:
    redis = redis_store.connect(redis_url)
    irrelevant = [await _hear(redis, words, wants=False) for _ in range(5)]
    wanted = [await _hear(redis, words, wants=True) for _ in range(5)]
    told = [await _say(redis, words * BATCH, lambda bus: _tell_all(bus, words)) for _ in range(5)]
    moved = [await _say(redis, words * 20, lambda bus: _move_all(bus, words * 20)) for _ in range(5)]
    await redis.aclose()
    return {
        "irrelevant fact µs": median(irrelevant),
        "wanted fact µs, up to delivery": median(wanted),
        "tell µs": median(told),
        "facts told /s/core": 1e6 / median(told),
        "position µs, two channels": median(moved),
        "positions said /s/core": 1e6 / median(moved),
    }


async def _hear(redis: Any, words: int, *, wants: bool) -> float:
    """CPU of one fact heard, in µs. The words are packed before; writing them is less than a tenth of the cost."""
    bus, speaker = Bus(redis, SystemClock(), SECRET), Speaker(redis)
    heard = Audiences()
    heard._members = {f"worker:wrk_{n:06}": {} for n in range(1_000)}  # a thousand sockets, none of them addressed

    def is_wanted(topic: str, to: Sequence[str]) -> bool:
        return wants or topic == "order.taken" or heard.is_heard(to)

    follower = Follower(None, lambda _fact: None, lambda _reason: None, is_wanted=is_wanted)  # type: ignore[arg-type]
    follower.seq, follower.epoch = 0, "bench"
    bus.follow(follower.hear)
    running = asyncio.create_task(bus.run())
    while bus.is_deaf:
        await asyncio.sleep(0.01)
    packed = [publish(FEED_CHANNEL, bus._seal.pack("bench", _facts(n * BATCH))) for n in range(words)]
    began = time.process_time()
    for start in range(0, words, 20):
        await speaker.say(b"".join(packed[start : start + 20]))
        while follower._tail < min(start + 20, words) * BATCH:
            await asyncio.sleep(0.0005)
        await follower._empty_inbox()
    cost_us = (time.process_time() - began) / (words * BATCH) * 1e6
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await speaker.close()
    return cost_us


async def _say(redis: Any, count: int, say: Callable[[Bus], None]) -> float:
    """CPU of one of `count` things said, in µs."""
    bus = Bus(redis, SystemClock(), SECRET)
    running = asyncio.create_task(bus.run())
    await asyncio.sleep(0.3)
    began = time.process_time()
    say(bus)
    while bus._out or bus._moves:
        await asyncio.sleep(0.005)
    cost_us = (time.process_time() - began) / count * 1e6
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return cost_us


def _tell_all(bus: Bus, words: int) -> None:
    for n in range(words):
        bus._out_bytes = 0  # the queue's bound is not what is measured
        bus.tell("bench", _facts(n * BATCH))


def _move_all(bus: Bus, count: int) -> None:
    for n in range(count):
        bus._moves[f"wrk_{n:026}"] = Moved(f"wrk_{n:026}", n, 121.4, 37.5, 10.0, 8.0, 270.0)


def _facts(above: int, made: dict[int, list[FeedFact]] = {}) -> list[FeedFact]:  # noqa: B006 - made once for all
    if above not in made:
        at = datetime.now(UTC)
        made[above] = [
            FeedFact(
                above + n, f"fct_{n:026}", "order.changed", json.dumps({"order_id": f"ord_{n:026}", "text": TEXT}),
                (f"customer:acc_{n:026}", f"worker:wrk_{n:026}"), at, None,
            )
            for n in range(1, BATCH + 1)
        ]  # fmt: skip
    return made[above]


# Delays


async def _delays(postgres_url: str, redis_url: str, seconds: int) -> dict[str, Any]:
    await migrate.migrate(postgres_url)
    rounds: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for label, mode in (("", "words"), (", wake and read", "wake")):
            delays = sorted(await _delays_of(postgres_url, redis_url, seconds, mode))
            for p in (50, 99):
                rounds[f"commit → other process p{p} ms{label}"].append(delays[len(delays) * p // 100] * 1000)
    return {label: median(figures) for label, figures in rounds.items()}


async def _delays_of(postgres_url: str, redis_url: str, seconds: int, mode: str) -> list[float]:
    db, redis = await Database.connect(postgres_url), redis_store.connect(redis_url)
    bus = Bus(redis, SystemClock(), SECRET)
    follower = Follower(db, lambda _fact: None, lambda _reason: None)
    await follower.start()
    relay = Relay(db, lambda batch: bus.tell(follower.epoch, batch), Settings(secret=SECRET))
    tasks = [asyncio.create_task(bus.run()), asyncio.create_task(relay.run())]
    count = RATE * seconds
    command = [sys.executable, "-m", "tests.bench.bench_bus", postgres_url, redis_url, mode, str(count)]
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, limit=2**26)
    assert child.stdout is not None
    await child.stdout.readline()
    began = time.perf_counter()
    for n in range(count // FACTS_EACH):
        await asyncio.sleep(max(0.0, began + n * FACTS_EACH / RATE - time.perf_counter()))
        async with db.begin() as tx:
            for _ in range(FACTS_EACH):
                tx.tell(Benched(committed_at=time.perf_counter(), text=TEXT), to=["ops"])
    delays: list[float] = json.loads(await child.stdout.readline())
    await child.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await redis.aclose()
    await db.close()
    return delays


async def _other_process(postgres_url: str, redis_url: str, mode: str, count: int) -> list[float]:
    """Follow from here; the delay of each fact. The clock counts for all processes of the machine."""
    db, redis = await Database.connect(postgres_url, pool_size=1), redis_store.connect(redis_url)
    delays: list[float] = []
    bus = Bus(redis, SystemClock(), SECRET)
    follower = Follower(
        db, lambda fact: delays.append(time.perf_counter() - loads(fact.body)["committed_at"]), lambda _reason: None
    )
    await follower.start()
    bus.follow(follower.hear if mode == "words" else lambda _told: follower.wake())
    tasks = [asyncio.create_task(bus.run()), asyncio.create_task(follower.run())]
    while bus.is_deaf:
        await asyncio.sleep(0.01)
    print("following", flush=True)
    while len(delays) < count:
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await redis.aclose()
    await db.close()
    return delays


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_other_process(*sys.argv[1:4], int(sys.argv[4])))), flush=True)
