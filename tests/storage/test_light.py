"""A light transaction: one statement at the end is all of it."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import asyncpg
import pytest

from storage import outbox
from storage.base.facts import Fact
from storage.postgres import Database
from storage.tx import Tx


class Lit(Fact, frozen=True):
    topic: ClassVar[str] = "order.lit"
    n: int


FUNCTION = """
CREATE TABLE IF NOT EXISTS test_lights (n int PRIMARY KEY);
CREATE OR REPLACE FUNCTION test_light(p_n int) RETURNS void LANGUAGE sql AS $$ INSERT INTO test_lights VALUES (p_n) $$
"""


@pytest.fixture
async def lights(db: Database) -> Database:
    async with db.pool.acquire() as connection:
        await connection.execute(FUNCTION)
    return db


async def light(tx: Tx, n: int) -> None:
    tx.execute_last("test_light", n)
    tx.tell(Lit(n=n), to=["ops"])


async def test_the_last_call_and_the_facts_are_one(lights: Database) -> None:
    await lights.run_light(light, 1)
    with pytest.raises(Exception, match="test_lights_pkey"):
        await lights.run_light(light, 1)
    async with lights.look() as tx:
        assert [fact.body for fact in await outbox.number(tx, limit=10)] == ['{"n":1}']
        assert await tx.fetchval("SELECT count(*) FROM test_lights") == 1


async def test_a_full_transaction_makes_its_last_call_too(lights: Database) -> None:
    await lights.run(light, 7)
    async with lights.look() as tx:
        assert await tx.fetchval("SELECT n FROM test_lights") == 7


@pytest.mark.parametrize(
    "sql",
    ["SELECT n FROM test_lights FOR UPDATE", "INSERT INTO test_lights VALUES (9)", "DELETE FROM test_lights"],
)
async def test_it_neither_locks_nor_writes_before_its_end(lights: Database, sql: str) -> None:
    async def verb(tx: Tx) -> None:
        await tx.fetch(sql)

    async def write(tx: Tx) -> None:
        await tx.execute(sql)

    for wrong in (verb, write):
        with pytest.raises(AssertionError, match="light"):
            await lights.run_light(wrong)


async def test_those_that_wait_together_are_few_commits_and_one_that_fails_fails_alone(lights: Database) -> None:
    await lights.run_light(light, 13)
    results = await asyncio.gather(*(lights.run_light(light, n) for n in range(60)), return_exceptions=True)
    failed = [n for n, result in enumerate(results) if result is not None]
    assert failed == [13]
    assert isinstance(results[13], asyncpg.UniqueViolationError)
    async with lights.look() as tx:
        assert await tx.fetchval("SELECT count(*) FROM test_lights") == 60
    await asyncio.gather(*(lights.run_light(light, n) for n in range(100, 160)))
    async with lights.look() as tx:
        assert await tx.fetchval("SELECT count(DISTINCT xmin::text) FROM test_lights WHERE n >= 100") < 20


async def test_one_that_waits_for_a_lock_holds_nobody_else_up(lights: Database) -> None:
    async with lights.begin() as tx:
        await tx.execute("INSERT INTO test_lights VALUES (1)")
        stuck = asyncio.create_task(lights.run_light(light, 1))
        await asyncio.sleep(0.2)
        async with asyncio.timeout(3):
            await asyncio.gather(*(lights.run_light(light, n) for n in range(10, 30)))
        assert not stuck.done()
    with pytest.raises(asyncpg.UniqueViolationError):
        await stuck


async def test_a_lost_connection_is_heard_by_those_who_waited_and_by_nobody_after(lights: Database) -> None:
    async def lose(tx: Tx) -> None:
        tx.execute_last("test_lose")

    async with lights.pool.acquire() as connection:
        await connection.execute(
            "CREATE OR REPLACE FUNCTION test_lose() RETURNS void LANGUAGE sql AS "
            "$$ SELECT pg_terminate_backend(pg_backend_pid()) $$"
        )
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await lights.run_light(lose)
    await asyncio.gather(*(lights.run_light(light, n) for n in range(10)))


async def test_a_look_tells_nothing(db: Database) -> None:
    with pytest.raises(AssertionError):
        async with db.look() as tx:
            tx.tell(Lit(n=1), to=["ops"])
