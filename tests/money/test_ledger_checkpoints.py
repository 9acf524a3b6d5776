"""Checkpoints: what they may cover, that balances use them, and balances of the past. Here each covers STEP entries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from rest.app import begin_housekeeping
from rest.money import ledger
from rest.money.ledger import store
from rest.money.ledger.deadlines import DEADLINES, ROLL_UP, ROLL_UP_EVERY
from storage import migrate
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conftest import MONDAY, database_url
from tests.money.book import NAMES, moves
from tests.money.conftest import STEP, run_sql
from tests.money.racing import redefine

REV, WX = NAMES["rev"], NAMES["wx"]


@pytest.fixture
async def book(book_url: str, clock: ManualClock) -> AsyncIterator[Database]:
    database = await Database.connect(book_url, clock=clock, pool_size=8)
    yield database
    await database.close()


async def fees(db: Database, first: int, count: int) -> None:
    """One fen each."""
    for n in range(first, first + count):
        async with db.begin() as tx:
            await ledger.post(tx, ref=f"fee{n}", kind="fee", entries=moves("wx-1 rev+1"))


async def rounds(db: Database, count: int = 2) -> int:
    """How many checkpoints so many rounds write."""
    total, upto, number = 0, None, None
    for _ in range(count):
        async with db.begin() as tx:
            written, upto, number = await store.roll_up(tx, upto, number)
        total += written
    return total


async def checkpoints(db: Database, code: str) -> list[tuple[int, int]]:
    """(place, balance) of an account's checkpoints."""
    async with db.begin() as tx:
        rows = await tx.fetch(
            """
            SELECT upto_place, balance_fen FROM ledger_checkpoints
             WHERE account_id = (SELECT id FROM ledger_accounts WHERE code = $1) ORDER BY upto_place
            """,
            code,
        )
    return [tuple(row) for row in rows]


async def balance(db: Database, code: str) -> int:
    async with db.begin() as tx:
        assert await ledger.verify(tx) == []
        return await ledger.balance(tx, code)


async def test_a_round_notes_and_the_next_covers(book: Database) -> None:
    await fees(book, 0, STEP - 1)
    assert await rounds(book) == 0
    await fees(book, STEP - 1, 1)
    assert await rounds(book, 1) == 0
    assert await rounds(book, 2) == 2
    assert [fen for _, fen in await checkpoints(book, REV)] == [STEP]
    await fees(book, STEP, 3)
    assert (await balance(book, REV), await balance(book, WX)) == (STEP + 3, -STEP - 3)


async def test_a_long_list_is_covered_in_rounds(book: Database) -> None:
    await fees(book, 0, 3 * STEP + 2)
    assert await rounds(book, 6) == 6
    assert [fen for _, fen in await checkpoints(book, REV)] == [STEP, 2 * STEP, 3 * STEP]
    assert await balance(book, REV) == 3 * STEP + 2


async def test_the_balance_is_read_from_the_checkpoint(book: Database) -> None:
    """What is wrong in a checkpoint shows in the balance: the entries under it are not read again."""
    await fees(book, 0, STEP + 1)
    await rounds(book)
    async with book.begin() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute("UPDATE ledger_checkpoints SET balance_fen = balance_fen + 1000")
    async with book.begin() as tx:
        assert await ledger.balance(tx, REV) == STEP + 1 + 1000


async def open_in_between(book: Database) -> None:
    """A transaction draws a place and stays open while others fill the places behind and rounds go by."""
    await fees(book, 0, 1)
    async with book.begin() as slow:
        await ledger.post(slow, ref="slow", kind="fee", entries=moves("wx-100 rev+100"))
        await fees(book, 1, 2 * STEP)
        await rounds(book, 4)
        assert await balance(book, REV) == 2 * STEP + 1
    assert await balance(book, REV) == 2 * STEP + 101
    await rounds(book, 4)
    assert await balance(book, REV) == 2 * STEP + 101


async def test_what_an_open_transaction_may_fill_is_not_covered(book: Database) -> None:
    await open_in_between(book)
    assert await checkpoints(book, REV) != []


async def test_covering_it_all_the_same_would_be_noticed(book: Database, book_url: str) -> None:
    finished = "p_xid <= pg_snapshot_xmin(pg_current_snapshot())"
    await redefine(book_url, "ledger_roll_up", {finished: "p_xid IS NOT NULL"})
    with pytest.raises(AssertionError, match="entries sum to"):
        await open_in_between(book)


async def late_number(book: Database) -> None:
    """A round in a transaction that has a number already, while another with a greater one draws places."""
    async with book.begin() as rolling:
        await rolling.execute("SELECT pg_current_xact_id()")
        slow = book.begin()
        tx = await slow.__aenter__()
        await ledger.post(tx, ref="slow", kind="fee", entries=moves("wx-100 rev+100"))
        await fees(book, 0, STEP)
        written, upto, number = await store.roll_up(rolling, None, None)
    for _ in range(3):
        async with book.begin() as again:
            written, upto, number = await store.roll_up(again, upto, number)
    await slow.__aexit__(None, None, None)
    assert await balance(book, REV) == STEP + 100


async def test_a_round_in_a_transaction_with_a_number_notes_nothing(book: Database) -> None:
    await fees(book, 90, 1)
    async with book.begin() as tx:
        await tx.execute("SELECT pg_current_xact_id()")
        assert await store.roll_up(tx, None, None) == (0, None, None)
    async with book.begin() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute("DELETE FROM ledger_entries; DELETE FROM ledger_transfers")
    await late_number(book)


async def test_noting_it_all_the_same_would_be_noticed(book: Database, book_url: str) -> None:
    await fees(book, 90, 1)
    async with book.begin() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute("DELETE FROM ledger_entries; DELETE FROM ledger_transfers")
    await redefine(book_url, "ledger_roll_up", {"pg_current_xact_id_if_assigned() IS NULL": "true"})
    with pytest.raises(AssertionError, match="entries sum to"):
        await late_number(book)


async def test_nothing_is_drawn_yet_on_a_fresh_book(book: Database) -> None:
    """The sequence says 1 before the first value is drawn."""
    async with book.begin() as tx:
        written, upto, number = await store.roll_up(tx, None, None)
    assert (written, upto) == (0, 0)
    assert number is not None


async def test_a_number_of_another_server_is_dropped(book: Database) -> None:
    await fees(book, 0, 1)
    async with book.begin() as tx:
        written, upto, number = await store.roll_up(tx, 1, 2**62)
    assert (written, upto) == (0, 2)
    assert number is not None
    assert number < 2**62


async def test_two_rollers_write_each_checkpoint_once(book: Database) -> None:
    await fees(book, 0, 6 * STEP)
    async with book.begin() as tx:
        _, upto, number = await store.roll_up(tx, None, None)

    async def one() -> int:
        async with book.begin() as tx:
            return (await store.roll_up(tx, upto, number))[0]

    written = await asyncio.gather(*(one() for _ in range(8)))
    assert sum(written) == 12
    assert len(await checkpoints(book, REV)) == 6
    assert await balance(book, REV) == 6 * STEP


async def test_an_account_with_a_floor_gets_its_own_as_it_is_posted_to(book: Database) -> None:
    for n in range(2 * STEP + 1):
        async with book.begin() as tx:
            await ledger.post(tx, ref=f"t{n}", kind="topup", entries=moves("top-10 ann+10"))
    assert await checkpoints(book, NAMES["ann"]) == [(STEP, 10 * STEP), (2 * STEP, 20 * STEP)]
    assert await balance(book, NAMES["ann"]) == 10 * (2 * STEP + 1)


async def test_the_deadline_comes_back_by_itself(book: Database, clock: ManualClock, settings: Settings) -> None:
    await fees(book, 0, 2 * STEP)
    await book.run(begin_housekeeping, settings)
    runner = JobRunner(book, settings, DEADLINES)
    assert await runner.drain() == 1
    assert await checkpoints(book, REV) == []
    clock.advance(seconds=ROLL_UP_EVERY.total_seconds())
    assert await runner.drain() == 3  # one for each step, at once, and one that finds nothing left
    assert len(await checkpoints(book, REV)) == 2
    async with book.begin() as tx:
        assert await tx.fetchval("SELECT due_at FROM jobs WHERE key = $1", ROLL_UP) == clock.now() + ROLL_UP_EVERY


async def test_a_balance_of_the_past_is_that_of_the_transfers_dated_by_then(book: Database, clock: ManualClock) -> None:
    async with book.begin() as tx:
        await ledger.post(tx, ref="t", kind="topup", entries=moves("top-100 ann+100"))
    clock.advance(hours=1)
    async with book.begin() as tx:
        await ledger.post(tx, ref="p", kind="pay", entries=moves("ann-30 o1+30"))
    async with book.begin() as tx:
        for at, expected in [
            (MONDAY - timedelta(microseconds=1), 0),
            (MONDAY, 100),
            (MONDAY + timedelta(hours=1) - timedelta(microseconds=1), 100),
            (MONDAY + timedelta(hours=1), 70),
        ]:
            assert await ledger.balance_at(tx, NAMES["ann"], at) == expected
        assert await ledger.balance_at(tx, NAMES["ben"], MONDAY) == 0


READ = "SELECT pg_stat_get_xact_tuples_returned('ledger_entries_place'::regclass)"
"""Entries of the index read by this connection and not yet reported."""


async def read_for(db: Database, code: str, at: datetime | None) -> int:
    """How many entries a balance reads, now or of the past."""
    async with db.begin() as tx:
        before: int = await tx.fetchval(READ)
        await (ledger.balance(tx, code) if at is None else ledger.balance_at(tx, code, at))
        return await tx.fetchval(READ) - before


async def test_a_balance_of_the_past_reads_two_stretches_and_not_the_whole_list(
    book: Database, clock: ManualClock
) -> None:
    for n in range(10 * STEP):
        clock.advance(seconds=1)
        async with book.begin() as tx:
            await ledger.post(tx, ref=f"t{n}", kind="topup", entries=moves("top-1 ann+1"))
    await rounds(book, 14)
    for code in (NAMES["ann"], NAMES["top"]):
        for seconds in range(0, 10 * STEP + 1, 3):
            assert await read_for(book, code, MONDAY + timedelta(seconds=seconds)) <= 2 * STEP
    assert await read_for(book, NAMES["top"], None) <= STEP


async def test_one_transfer_dated_far_ahead_spoils_one_stretch(book: Database, clock: ManualClock) -> None:
    clock.advance(hours=9_000)
    await fees(book, 0, 1)
    book.clock = today = ManualClock(MONDAY)
    for n in range(1, 10 * STEP):
        today.advance(seconds=1)
        await fees(book, n, 1)
    await rounds(book, 14)
    for seconds in range(0, 10 * STEP + 1, 3):
        assert await read_for(book, REV, MONDAY + timedelta(seconds=seconds)) <= 3 * STEP


async def test_without_checkpoints_the_whole_list_is_read(book: Database) -> None:
    await fees(book, 0, 10 * STEP)
    assert await read_for(book, REV, None) == 10 * STEP


async def test_a_book_from_before_gets_its_places(pg_server: str) -> None:
    """The migration on a database that has been in use."""
    await run_sql(pg_server, "CREATE DATABASE book_before")
    url = database_url(pg_server, "book_before")
    older = [migration for migration in migrate.migrations() if migration.name != "ledger"]
    connection: Any = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE schema_migrations "
        "(version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now())"
    )
    for migration in older:
        await connection.execute(migration.sql)
        await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2)", migration.version, migration.name)
    await connection.close()
    db = await Database.connect(url, clock=ManualClock(MONDAY), pool_size=2)
    async with db.begin() as tx:
        await ledger.post(tx, ref="t", kind="topup", entries=moves("top-100 ann+100"))
        await ledger.post(tx, ref="p", kind="pay", entries=moves("ann-30 rev+30"))
    await db.close()
    assert await migrate.migrate(url) == ["0012_ledger"]
    db = await Database.connect(url, clock=ManualClock(MONDAY), pool_size=2)
    async with db.begin() as tx:
        assert await ledger.verify(tx) == []
        await ledger.post(tx, ref="q", kind="pay", entries=moves("ann-30 rev+30"))
        assert await ledger.verify(tx) == []
        assert [await ledger.balance(tx, NAMES[name]) for name in ("ann", "rev", "top")] == [40, 60, -100]
        assert await ledger.balance_at(tx, NAMES["ann"], MONDAY) == 40
    await db.close()
