"""Deadlines fire once, at or after their instant, and survive whatever dies."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from storage.base.clock import ManualClock, SystemClock
from storage.base.facts import Fact
from storage.base.settings import Settings
from storage.jobs import JobRunner, Subscriber, backoff_s, join_subscribers, subscribe
from storage.postgres import Database
from storage.tx import Tx


class Rang(Fact, frozen=True):
    topic: ClassVar[str] = "order.rang"
    name: str


class Bell:
    """Counts how often each name rang, in the database, so that a rolled-back ring does not count."""

    def __init__(self) -> None:
        self.fail_times = 0
        self.hold: asyncio.Event | None = None

    async def ring(self, tx: Tx, payload: dict[str, Any]) -> None:
        tx.tell(Rang(name=payload["name"]), to=["ops"])
        if self.hold is not None:
            await self.hold.wait()
        if self.fail_times:
            self.fail_times -= 1
            raise RuntimeError("the rope broke")


async def rung(db: Database) -> list[str]:
    async with db.begin() as tx:
        return [row["body"] for row in await tx.fetch("SELECT body FROM outbox ORDER BY id")]


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def runner(db: Database, settings: Settings, bell: Bell) -> JobRunner:
    return JobRunner(db, settings, {"bell": bell.ring})


async def schedule(db: Database, name: str, *, in_s: float) -> None:
    async with db.begin() as tx:
        tx.schedule("bell", f"bell:{name}", tx.now + timedelta(seconds=in_s), {"name": name})


async def test_fires_at_its_instant_and_not_before(db: Database, clock: ManualClock, runner: JobRunner) -> None:
    await schedule(db, "a", in_s=10)
    clock.advance(seconds=9.999)
    assert await runner.drain() == 0
    clock.advance(seconds=0.001)
    assert await runner.drain() == 1
    assert await runner.drain() == 0
    assert await rung(db) == ['{"name":"a"}']


async def test_replacing_and_removing(db: Database, clock: ManualClock, runner: JobRunner) -> None:
    await schedule(db, "a", in_s=10)
    await schedule(db, "a", in_s=30)
    await schedule(db, "b", in_s=10)
    async with db.begin() as tx:
        tx.unschedule("bell:b")
    clock.advance(seconds=20)
    assert await runner.drain() == 0
    clock.advance(seconds=20)
    assert await runner.drain() == 1


async def test_a_failed_deadline_leaves_nothing_and_comes_back(
    db: Database, clock: ManualClock, runner: JobRunner, bell: Bell
) -> None:
    bell.fail_times = 2
    await schedule(db, "a", in_s=0)
    for _ in range(3):
        await runner.drain()
        clock.advance(seconds=5)
    assert await rung(db) == ['{"name":"a"}']


async def test_parked_after_the_last_attempt(
    db: Database, clock: ManualClock, runner: JobRunner, bell: Bell, settings: Settings
) -> None:
    bell.fail_times = 99
    await schedule(db, "a", in_s=0)
    for _ in range(settings.jobs_attempts_max + 3):
        await runner.drain()
        clock.advance(hours=1)
    assert bell.fail_times == 99 - settings.jobs_attempts_max
    async with db.begin() as tx:
        assert (
            await tx.fetchval("SELECT last_error FROM jobs WHERE parked_at IS NOT NULL")
            == "RuntimeError: the rope broke"
        )


async def test_a_claim_leases_no_more_than_it_may(db: Database, clock: ManualClock, runner: JobRunner) -> None:
    """Also when PostgreSQL believes there is but one row: it then looked for the due ones again for each it found."""
    await schedule(db, "first", in_s=0)
    async with db.pool.acquire() as connection:
        await connection.execute("VACUUM ANALYZE jobs")
    for name in ("second", "third", "fourth"):
        await schedule(db, name, in_s=0)
    assert [job.key for job in await runner.claim(limit=1)] == ["bell:first"]
    assert [job.key for job in await runner.claim(limit=2)] == ["bell:second", "bell:third"]


async def test_a_claim_of_a_dead_runner_runs_out(
    db: Database, clock: ManualClock, settings: Settings, bell: Bell
) -> None:
    await schedule(db, "a", in_s=0)
    dead, alive = (JobRunner(db, settings, {"bell": bell.ring}) for _ in range(2))
    assert len(await dead.claim(limit=5)) == 1
    assert await alive.drain() == 0
    clock.advance(seconds=settings.jobs_lease_s)
    assert await alive.drain() == 1


async def test_a_slow_runner_whose_claim_ran_out_undoes_its_effect(
    db: Database, clock: ManualClock, settings: Settings, bell: Bell
) -> None:
    await schedule(db, "a", in_s=0)
    slow, quick = (JobRunner(db, settings, {"bell": bell.ring}) for _ in range(2))
    bell.hold = asyncio.Event()
    (job,) = await slow.claim(limit=1)
    running = asyncio.create_task(slow.fire(job))
    await asyncio.sleep(0.05)
    clock.advance(seconds=settings.jobs_lease_s + 1)
    (again,) = await quick.claim(limit=1)
    bell.hold.set()
    await running
    assert await rung(db) == []
    await quick.fire(again)
    assert await rung(db) == ['{"name":"a"}']


async def test_business_may_replace_a_deadline_under_its_handler(
    db: Database, clock: ManualClock, runner: JobRunner, bell: Bell
) -> None:
    await schedule(db, "a", in_s=0)
    bell.hold = asyncio.Event()
    (job,) = await runner.claim(limit=1)
    running = asyncio.create_task(runner.fire(job))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(schedule(db, "a", in_s=60), 2)
    bell.hold.set()
    await running
    assert await rung(db) == []
    clock.advance(seconds=60)
    assert await runner.drain() == 1


async def test_a_row_replaced_and_claimed_again_by_the_same_runner_outlives_the_older_handler(
    db: Database, runner: JobRunner, bell: Bell
) -> None:
    await schedule(db, "a", in_s=0)
    bell.hold = asyncio.Event()
    (older,) = await runner.claim(limit=1)
    running = asyncio.create_task(runner.fire(older))
    await asyncio.sleep(0.05)
    await schedule(db, "a", in_s=0)
    (newer,) = await runner.claim(limit=1)
    bell.hold.set()
    await running
    assert await rung(db) == []
    await runner.fire(newer)
    assert await rung(db) == ['{"name":"a"}']


async def test_many_runners_fire_each_deadline_once(db: Database, settings: Settings, bell: Bell) -> None:
    for n in range(60):
        await schedule(db, f"n{n}", in_s=0)
    runners = [JobRunner(db, settings, {"bell": bell.ring}) for _ in range(4)]
    await asyncio.gather(*(runner.drain() for runner in runners))
    assert len(set(await rung(db))) == len(await rung(db)) == 60


async def test_the_loop_wakes_for_a_commit_and_is_not_late(
    pg_url: str, db: Database, settings: Settings, bell: Bell
) -> None:
    live = await Database.connect(pg_url, clock=SystemClock())
    runner = JobRunner(live, settings, {"bell": bell.ring})
    stop = asyncio.Event()
    loop = asyncio.create_task(runner.run(stop))
    for n in range(10):
        await schedule(live, f"n{n}", in_s=0.05 * n)
    await asyncio.sleep(1.2)
    stop.set()
    await loop
    await live.close()
    assert len(runner.lateness_s) == 10
    assert max(runner.lateness_s) < 0.5


async def test_subscribers_hear_committed_facts_only(db: Database, settings: Settings) -> None:
    heard: list[str] = []

    async def hear(_tx: Tx, fact: dict[str, Any]) -> None:
        heard.append(fact["name"])

    listener = Subscriber(hear, wants=lambda fact: fact.name != "unwanted")
    runner = JobRunner(db, settings, {}, subscribers={"order.rang": [listener]})
    async with db.begin() as tx:
        tx.tell(Rang(name="yes"), to=["ops"])
        tx.tell(Rang(name="unwanted"), to=["ops"])
    with pytest.raises(RuntimeError):
        async with db.begin() as tx:
            tx.tell(Rang(name="no"), to=["ops"])
            raise RuntimeError
    await runner.drain()
    assert heard == ["yes"]


async def test_outside_work_runs_without_a_transaction_and_is_retried(
    db: Database, clock: ManualClock, settings: Settings
) -> None:
    calls = []

    async def send(payload: dict[str, Any]) -> None:
        calls.append(payload["name"])
        if len(calls) == 1:
            raise OSError("line is down")

    runner = JobRunner(db, settings, {}, outside={"bell": send})
    await schedule(db, "a", in_s=0)
    await runner.drain()
    clock.advance(seconds=2)
    await runner.drain()
    assert calls == ["a", "a"]


@pytest.mark.parametrize(("attempts", "wait"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (40, 300)])
def test_backoff(attempts: int, wait: int) -> None:
    assert backoff_s(attempts) == wait


async def test_a_topic_of_two_domains_reaches_both(db: Database, settings: Settings) -> None:
    heard: list[str] = []

    def ear(domain: str) -> Subscriber:
        async def hear(_tx: Tx, fact: dict[str, Any]) -> None:
            heard.append(f"{domain}:{fact['name']}")

        return Subscriber(hear)

    tables = join_subscribers({"order.rang": [ear("first")]}, {"order.rang": [ear("second")]})
    subscribe(db, tables)
    async with db.begin() as tx:
        tx.tell(Rang(name="x"), to=["ops"])
    await JobRunner(db, settings, {}, subscribers=tables).drain()
    assert heard == ["first:x", "second:x"]
