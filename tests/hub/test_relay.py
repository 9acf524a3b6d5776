"""Relay and follower on real PostgreSQL: order, lateness, crashes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import pytest

from hub.follower import Follower
from hub.relay import Relay
from storage import outbox
from storage.base.clock import ManualClock
from storage.base.facts import Fact
from storage.base.settings import Settings
from storage.outbox import FeedFact
from storage.postgres import Database


class BellRung(Fact):
    """A fact for tests of the feed."""

    topic: ClassVar[str] = "session.bell_rung"
    n: int


async def ring(db: Database, *numbers: int, to: Sequence[str] = ("worker:wrk_1",)) -> None:
    async with db.begin() as tx:
        for n in numbers:
            tx.tell(BellRung(n=n), to=to)


class Ear:
    """A hub's follower and what it handed out."""

    def __init__(self, db: Database) -> None:
        self.heard: list[FeedFact] = []
        self.lost: list[str] = []
        self.follower = Follower(db, self.heard.append, self.lost.append, poll_s=0.02)

    async def settle(self) -> None:
        """Everything in hand is handed out; nothing is read."""
        await self.follower._empty_inbox()

    @property
    def bodies(self) -> list[str]:
        return [fact.body for fact in self.heard]


async def test_facts_arrive_in_the_order_they_were_told(db: Database, settings: Settings) -> None:
    ear = Ear(db)
    await ear.follower.start()
    relay = Relay(db, ear.follower.receive, settings)
    await ring(db, 1, 2, 3)
    await ring(db, 4)
    assert await relay.relay_once() == 4
    await ear.settle()
    assert ear.bodies == ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']
    assert [fact.seq for fact in ear.heard] == [1, 2, 3, 4]


async def test_a_fact_whose_id_committed_late_is_not_skipped(db: Database, settings: Settings) -> None:
    ear = Ear(db)
    await ear.follower.start()
    relay = Relay(db, ear.follower.receive, settings)
    gone_ahead = asyncio.Event()
    id_taken = asyncio.Event()

    async def slow() -> None:
        async with db.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO outbox (fact_id, topic, body, audience, at)"
                " VALUES ('fct_slow', 'session.bell_rung', '{\"n\":1}', '{worker:wrk_1}', now())"
            )
            id_taken.set()
            await gone_ahead.wait()

    late = asyncio.create_task(slow())
    await id_taken.wait()
    await ring(db, 2)
    await relay.relay_once()
    await ear.settle()
    assert ear.bodies == ['{"n":2}']
    gone_ahead.set()
    await late
    await relay.relay_once()
    await ear.settle()
    assert ear.bodies == ['{"n":2}', '{"n":1}']
    assert [fact.seq for fact in ear.heard] == [1, 2]


async def test_a_relay_killed_before_marking_tells_the_same_again(db: Database, settings: Settings) -> None:
    class Killed(BaseException):
        """The process dies here."""

    told_by_first: list[FeedFact] = []

    def die_after_telling(batch: Sequence[FeedFact]) -> None:
        told_by_first.extend(batch)
        raise Killed

    await ring(db, 1, 2)
    with pytest.raises(Killed):
        await Relay(db, die_after_telling, settings).relay_once()
    told_by_second: list[FeedFact] = []
    second = Relay(db, told_by_second.extend, settings)
    assert await second.repeat_untold() == 2
    assert [(fact.seq, fact.fact_id) for fact in told_by_second] == [(fact.seq, fact.fact_id) for fact in told_by_first]
    assert await second.repeat_untold() == 0
    async with db.begin() as tx:
        assert (await outbox.head(tx)).told_seq == 2


async def test_a_repeated_batch_reaches_sockets_once(db: Database, settings: Settings) -> None:
    ear = Ear(db)
    await ear.follower.start()
    await ring(db, 1, 2)
    batches: list[Sequence[FeedFact]] = []
    await Relay(db, batches.append, settings).relay_once()
    ear.follower.receive(batches[0])
    ear.follower.receive(batches[0])
    await ear.settle()
    ear.follower.receive(batches[0])
    await ear.settle()
    assert ear.bodies == ['{"n":1}', '{"n":2}']


async def test_only_one_relay_leads_and_another_takes_over(db: Database, settings: Settings) -> None:
    told: list[list[FeedFact]] = [[], []]
    relays = [asyncio.create_task(Relay(db, by.extend, settings).run()) for by in told]
    await ring(db, 1)
    await until(lambda: sum(map(len, told)) == 1)
    leader = 0 if told[0] else 1
    relays[leader].cancel()
    await asyncio.gather(relays[leader], return_exceptions=True)
    await ring(db, 2)
    await until(lambda: any(fact.seq == 2 for fact in told[1 - leader]))
    relays[1 - leader].cancel()
    await asyncio.gather(*relays, return_exceptions=True)
    assert [fact.seq for fact in told[leader]] == [1]
    assert [fact.seq for fact in told[1 - leader]] in ([2], [1, 2])  # the first may have died before marking


async def test_a_follower_in_another_process_reads_the_feed(db: Database, settings: Settings) -> None:
    ear = Ear(db)
    await ear.follower.start()
    following = asyncio.create_task(ear.follower.run())
    relay = Relay(db, lambda _batch: None, settings)
    for n in range(5):
        await ring(db, n)
        await relay.relay_once()
    await until(lambda: len(ear.heard) == 5)
    following.cancel()
    assert [fact.seq for fact in ear.heard] == [1, 2, 3, 4, 5]
    assert ear.lost == []


async def test_a_batch_that_does_not_join_on_is_read_from_the_feed(db: Database, settings: Settings) -> None:
    ear = Ear(db)
    await ear.follower.start()
    batches: list[Sequence[FeedFact]] = []
    relay = Relay(db, batches.append, settings)
    for n in range(3):
        await ring(db, n)
        await relay.relay_once()
    ear.follower.receive(batches[2])
    await ear.settle()
    assert ear.heard == []
    await ear.follower.catch_up()
    assert [fact.seq for fact in ear.heard] == [1, 2, 3]


async def test_reading_and_direct_batches_together_deliver_once_in_order(db: Database, settings: Settings) -> None:
    ear = Ear(db)
    await ear.follower.start()
    following = asyncio.create_task(ear.follower.run())
    relay = Relay(db, ear.follower.receive, settings)
    relaying = asyncio.create_task(relay.run())
    await asyncio.gather(*(ring(db, n, n + 100) for n in range(60)))
    await until(lambda: len(ear.heard) == 120)
    await asyncio.sleep(0.05)
    for task in (following, relaying):
        task.cancel()
    await asyncio.gather(following, relaying, return_exceptions=True)
    assert [fact.seq for fact in ear.heard] == list(range(1, 121))


async def test_a_restored_database_makes_everybody_read_anew(db: Database, settings: Settings) -> None:
    ear = Ear(db)
    await ear.follower.start()
    relay = Relay(db, ear.follower.receive, settings)
    await ring(db, 1, 2, 3)
    await relay.relay_once()
    await ear.settle()
    async with db.begin() as tx:
        await tx.execute("DELETE FROM feed WHERE seq > 1")
        await tx.execute("UPDATE relay_state SET last_seq = 1, told_seq = 1")
    await ear.follower.catch_up()
    assert ear.lost == ["epoch"]
    assert ear.follower.seq == 1


async def test_facts_dropped_before_we_read_them_are_admitted(db: Database, settings: Settings) -> None:
    ear = Ear(db)
    await ear.follower.start()
    relay = Relay(db, lambda _batch: None, settings)
    await ring(db, 1, 2, 3)
    await relay.relay_once()
    async with db.begin() as tx:
        await tx.execute("DELETE FROM feed WHERE seq <= 2")
        await tx.execute("UPDATE relay_state SET floor_seq = 2")
    await ear.follower.catch_up()
    assert ear.lost == ["too_old"]
    assert ear.bodies == ['{"n":3}']


async def test_old_facts_leave_the_window(db: Database, clock: ManualClock, settings: Settings) -> None:
    relay = Relay(db, lambda _batch: None, settings)
    await ring(db, 1)
    await relay.relay_once()
    clock.advance(hours=25)
    await ring(db, 2)
    await relay.relay_once()
    async with db.begin() as tx:
        assert (await outbox.head(tx)).floor_seq == 1


async def until(done: object, seconds: float = 5) -> None:
    """Wait for something other tasks do."""
    assert callable(done)
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.005)
