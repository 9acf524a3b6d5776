"""A light transaction: one statement at the end is all of it."""

from __future__ import annotations

from typing import ClassVar

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


async def test_a_look_tells_nothing(db: Database) -> None:
    with pytest.raises(AssertionError):
        async with db.look() as tx:
            tx.tell(Lit(n=1), to=["ops"])
