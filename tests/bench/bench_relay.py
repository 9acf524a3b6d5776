"""Facts per second from committed transactions through the relay to a follower, and the plain SQL floor beside it.

`relay facts/s`: transactions of five facts each are committed first, then the relay moves and hands over all of them.
`floor rows/s`: the same rows moved by one `INSERT … SELECT` per batch: no audience, no Python objects.
`commit → follower`: one transaction at a time with everything running; the time until the follower has the fact.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from hub.follower import Follower
from hub.relay import Relay
from storage import engines, migrate
from storage.base.facts import Fact
from storage.base.settings import Settings
from storage.outbox import FeedFact
from storage.postgres import Database

FACTS_EACH = 5


class Benched(Fact, frozen=True):
    topic: ClassVar[str] = "order.benched"
    n: int
    text: str


def run(quick: bool) -> dict[str, Any]:
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-bench-"))
    engine = engines.start_postgres(data_dir)
    try:
        return asyncio.run(_run(engine.url, 1_000 if quick else 4_000))
    finally:
        engine.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


async def _run(url: str, transactions: int) -> dict[str, Any]:
    await migrate.migrate(url)
    db = await Database.connect(url)
    facts = transactions * FACTS_EACH
    rates, floors = [], []
    for _ in range(3):
        await _commit(db, transactions)
        rates.append(facts / await _relay(db))
        floors.append(facts / await _floor(db))
    delays = await _delays(db, 200)
    await db.close()
    return {
        "relay facts/s": statistics.median(rates),
        "floor rows/s": statistics.median(floors),
        "relay ÷ floor": statistics.median(rates) / statistics.median(floors),
        "commit → follower p50 ms": delays[len(delays) // 2],
        "commit → follower p99 ms": delays[int(len(delays) * 0.99)],
    }


async def _commit(db: Database, transactions: int) -> None:
    async def some(count: int) -> None:
        for n in range(count):
            async with db.begin() as tx:
                for _ in range(FACTS_EACH):
                    tx.tell(Benched(n=n, text="x" * 120), to=[f"worker:{n % 500}", "ops"])

    await asyncio.gather(*(some(transactions // 8) for _ in range(8)))


async def _relay(db: Database) -> float:
    heard: list[FeedFact] = []
    relay = Relay(db, heard.extend, Settings(secret="x" * 32))
    began = time.perf_counter()
    while await relay.relay_once():
        pass
    return time.perf_counter() - began


async def _floor(db: Database) -> float:
    async with db.pool.acquire() as connection:
        await connection.execute("DROP TABLE IF EXISTS floor_in, floor_out")
        await connection.execute("CREATE TABLE floor_in AS SELECT * FROM feed ORDER BY seq DESC LIMIT 100000")
        await connection.execute("ALTER TABLE floor_in ADD PRIMARY KEY (seq)")
        await connection.execute("CREATE TABLE floor_out (LIKE floor_in)")
        began, moved = time.perf_counter(), 1
        while moved:
            tag = await connection.execute(
                """
                WITH taken AS (DELETE FROM floor_in WHERE seq IN
                       (SELECT seq FROM floor_in ORDER BY seq LIMIT 500) RETURNING *)
                INSERT INTO floor_out SELECT * FROM taken
                """
            )
            moved = int(tag.rsplit(" ", 1)[-1])
        return time.perf_counter() - began


async def _delays(db: Database, count: int) -> list[float]:
    arrived = asyncio.Event()
    follower = Follower(db, lambda _fact: arrived.set(), lambda _reason: None)
    relay = Relay(db, follower.receive, Settings(secret="x" * 32))
    await follower.start()
    tasks = [asyncio.create_task(relay.run()), asyncio.create_task(follower.run())]
    await asyncio.sleep(0.3)
    delays = []
    for n in range(count):
        arrived.clear()
        async with db.begin() as tx:
            tx.tell(Benched(n=n, text="x" * 120), to=["ops"])
        began = time.perf_counter()
        await arrived.wait()
        delays.append((time.perf_counter() - began) * 1000)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return sorted(delays)
