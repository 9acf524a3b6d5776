"""The transaction: one instant, facts and deadlines committed with it or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import ClassVar

import pytest

from storage import outbox
from storage.base.facts import Fact
from storage.postgres import Database, RetryTx, TryAgain
from storage.tx import Tx


class Noted(Fact, frozen=True):
    topic: ClassVar[str] = "order.noted"
    n: int


async def test_a_fact_exists_only_when_its_transaction_commits(db: Database) -> None:
    async with db.begin() as tx:
        tx.tell(Noted(n=1), to=["ops"])
    with pytest.raises(RuntimeError):
        async with db.begin() as tx:
            tx.tell(Noted(n=2), to=["ops"])
            raise RuntimeError
    async with db.begin() as tx:
        facts = await outbox.number(tx, limit=10)
    assert [(fact.seq, fact.topic, fact.body, fact.audience) for fact in facts] == [
        (1, "order.noted", '{"n":1}', ("ops",))
    ]


async def test_facts_keep_the_order_of_the_calls_and_know_their_listeners(db: Database) -> None:
    async with db.begin() as tx:
        for n in range(20):
            tx.tell(Noted(n=n), to=["ops", f"worker:{n}", "ops"])
    async with db.begin() as tx:
        facts = await outbox.number(tx, limit=100)
    assert [fact.body for fact in facts] == [f'{{"n":{n}}}' for n in range(20)]
    assert facts[3].audience == ("ops", "worker:3")


async def test_a_fact_whose_id_committed_late_is_not_skipped(db: Database) -> None:
    async with db.pool.acquire() as slow, slow.transaction():
        early = Tx(slow, db.clock.now())
        early.tell(Noted(n=1), to=["ops"])
        await early.flush({})  # takes the lower outbox id, commits last
        async with db.begin() as tx:
            tx.tell(Noted(n=2), to=["ops"])
        async with db.begin() as tx:
            first = await outbox.number(tx, limit=10)
    async with db.begin() as tx:
        second = await outbox.number(tx, limit=10)
    assert [(f.seq, f.body) for f in first + second] == [(1, '{"n":2}'), (2, '{"n":1}')]


async def test_two_relays_give_every_fact_one_place(db: Database) -> None:
    for n in range(40):
        async with db.begin() as tx:
            tx.tell(Noted(n=n), to=["ops"])

    async def relay() -> list[int]:
        seqs = []
        for _ in range(10):
            async with db.begin() as tx:
                seqs += [fact.seq for fact in await outbox.number(tx, limit=5)]
        return seqs

    seqs = [seq for found in await asyncio.gather(relay(), relay(), relay()) for seq in found]
    assert sorted(seqs) == list(range(1, 41))


async def test_the_gap_holds_what_a_listener_missed_and_nothing_expired(db: Database, clock: object) -> None:
    async with db.begin() as tx:
        tx.tell(Noted(n=1), to=["worker:a"])
        tx.tell(Noted(n=2), to=["worker:b"])
        tx.tell(Noted(n=3), to=["worker:a"], expires_at=tx.now + timedelta(seconds=5))
        tx.tell(Noted(n=4), to=["worker:a", "ops"])
    async with db.begin() as tx:
        await outbox.number(tx, limit=10)
    clock.advance(seconds=6)  # type: ignore[attr-defined]
    async with db.begin() as tx:
        missed = await outbox.gap(tx, ["worker:a", "ops"], since=0, upto=4, limit=10)
    assert [fact.seq for fact in missed] == [1, 4]


async def test_the_window_is_dropped_and_remembered(db: Database, clock: object) -> None:
    for n in range(3):
        async with db.begin() as tx:
            tx.tell(Noted(n=n), to=["ops"])
        async with db.begin() as tx:
            await outbox.number(tx, limit=10)
        clock.advance(hours=10)  # type: ignore[attr-defined]
    async with db.begin() as tx:
        assert await outbox.drop_before(tx, tx.now - timedelta(hours=24), limit=100) == 1
        assert (await outbox.head(tx)).floor_seq == 1
        assert await tx.fetchval("SELECT count(*) FROM feed_audience") == 2


async def test_untold_facts_are_found_again_with_the_same_id_and_seq(db: Database) -> None:
    async with db.begin() as tx:
        tx.tell(Noted(n=1), to=["ops"])
    async with db.begin() as tx:
        first = await outbox.number(tx, limit=10)
    async with db.begin() as tx:
        assert await outbox.untold(tx, limit=10) == first
        await outbox.told(tx, first[-1].seq)
        assert await outbox.untold(tx, limit=10) == []


async def test_run_starts_over_and_gives_up_with_try_again(db: Database) -> None:
    calls = 0

    async def moved(_tx: Tx) -> None:
        nonlocal calls
        calls += 1
        raise RetryTx

    with pytest.raises(TryAgain):
        await db.run(moved)
    assert calls == 4
