"""A light transaction: one statement at the end is all of it."""

from __future__ import annotations

import asyncio
import json
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


PLACE = """
CREATE TABLE IF NOT EXISTS test_places (name text PRIMARY KEY, taken int NOT NULL DEFAULT 0);
INSERT INTO test_places SELECT 'p' || n FROM generate_series(0, 9) AS n;
CREATE OR REPLACE FUNCTION test_place(p_name text, p_wait boolean)
RETURNS TABLE (outcome text, is_told boolean, fills jsonb) LANGUAGE plpgsql AS $$
DECLARE
    place test_places%ROWTYPE;
BEGIN
    IF p_wait THEN
        SELECT * INTO place FROM test_places WHERE name = p_name FOR UPDATE;
    ELSE
        SELECT * INTO place FROM test_places WHERE name = p_name FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            outcome := 'busy'; is_told := false; RETURN NEXT; RETURN;
        END IF;
    END IF;
    outcome := CASE WHEN place.taken < 30 THEN 'taken' ELSE 'full' END;
    is_told := place.taken < 30;
    IF is_told THEN
        UPDATE test_places SET taken = taken + 1 WHERE name = p_name;
        fills := jsonb_build_object('n', place.taken + 1);
    END IF;
    RETURN NEXT;
END $$
"""


@pytest.fixture
async def places(db: Database) -> Database:
    async with db.pool.acquire() as connection:
        await connection.execute(PLACE)
    return db


async def take(tx: Tx, name: str) -> tuple[str, int | None]:
    outcome, fields = await tx.call_and_tell("test_place", name, fact=Lit(n=0), to=[name])
    return outcome, fields.get("n")


@pytest.mark.parametrize("is_light", [True, False])
async def test_what_only_the_database_knew_stands_in_what_is_told(places: Database, is_light: bool) -> None:
    places.subscribed[Lit.topic] = lambda fact: True
    run = places.run_light if is_light else places.run
    answers = [await run(take, "p1") for _ in range(31)]
    assert answers == [*(("taken", n) for n in range(1, 31)), ("full", None)]
    async with places.look() as tx:
        told = await outbox.number(tx, limit=100)
        assert [json.loads(fact.body) for fact in told] == [{"n": n} for n in range(1, 31)]
        jobs = await tx.fetch("SELECT payload FROM jobs WHERE kind = 'fact.subscribers' ORDER BY id")
    heard = [json.loads(job["payload"]) for job in jobs]
    assert heard == [{"topic": "order.lit", "fact": {"n": n}} for n in range(1, 31)]


async def test_a_crowd_at_one_place_and_at_others_gets_each_number_once(places: Database) -> None:
    names = [f"p{n % 3}" for n in range(60)]
    runs = [places.run_light if n % 4 else places.run for n in range(60)]
    answers = await asyncio.gather(*(run(take, name) for run, name in zip(runs, names, strict=True)))
    for name in ("p0", "p1", "p2"):
        got = sorted(n for (_, n), where in zip(answers, names, strict=True) if where == name and n is not None)
        assert got == list(range(1, 21))


async def test_who_would_wait_for_a_lock_does_it_alone(places: Database) -> None:
    async with places.begin() as tx:
        await tx.execute("SELECT FROM test_places WHERE name = 'p0' FOR UPDATE")
        stuck = [asyncio.create_task(places.run_light(take, "p0")) for _ in range(3)]
        async with asyncio.timeout(3):
            free = await asyncio.gather(*(places.run_light(take, f"p{n % 9 + 1}") for n in range(40)))
        assert {outcome for outcome, _ in free} == {"taken"}
        assert not any(one.done() for one in stuck)
    assert sorted(await asyncio.gather(*stuck)) == [("taken", 1), ("taken", 2), ("taken", 3)]


async def test_after_its_end_it_reads_and_does_nothing_else(places: Database) -> None:
    async def look_after(tx: Tx) -> int:
        await take(tx, "p1")
        return int(await tx.fetchval("SELECT taken FROM test_places WHERE name = 'p1'"))

    async def tell_after(tx: Tx) -> None:
        await take(tx, "p1")
        tx.tell(Lit(n=2), to=["ops"])

    async def take_twice(tx: Tx) -> None:
        await take(tx, "p1")
        await take(tx, "p2")

    async def tell_before(tx: Tx) -> None:
        tx.tell(Lit(n=2), to=["ops"])
        await take(tx, "p1")

    crowd = await asyncio.gather(*(places.run_light(look_after) for _ in range(20)))  # more than there are connections
    assert max(crowd) == 20
    for wrong in (tell_after, take_twice, tell_before):
        with pytest.raises(AssertionError, match="light"):
            await places.run_light(wrong)


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
