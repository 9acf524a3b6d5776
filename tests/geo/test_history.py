"""Position history: stored once, read in pages, kept by day and dropped by day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

from geo.deadlines import DEADLINES
from geo.fixes import Fix
from geo.history import (
    DAYS_AHEAD,
    ROWS_MAX,
    HistoryWriter,
    Kept,
    TrackPoint,
    drop_days,
    keep_history,
    make_days,
    read_track,
    save_fixes,
)
from geo.point import Point
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database

DAY = date(2026, 1, 5)
START = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)  # the test clock's instant
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def _no_days_left(db: Database) -> AsyncIterator[None]:
    """Partitions outlive the rows that tests leave, so they are dropped before and after."""
    await db.run(drop_days, date.max)
    yield
    await db.run(drop_days, date.max)


def fix(seconds: float) -> Fix:
    return Fix(int(seconds), START + timedelta(seconds=seconds), Point(121.4, 37.5), 9.0, 3.5, 271.0)


def rows(worker_id: str, *seconds: float) -> list[Kept]:
    return [Kept.of(worker_id, fix(one)) for one in seconds]


async def partitions(db: Database) -> dict[str, int]:
    """Rows by partition, empty days included."""
    async with db.begin() as tx:
        names = await tx.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'worker_fixes'::regclass"
        )
        found = {row["name"]: 0 for row in names}
        counted = await tx.fetch(
            "SELECT tableoid::regclass::text AS name, count(*) AS rows FROM worker_fixes GROUP BY 1"
        )
    return found | {row["name"]: row["rows"] for row in counted}


async def instants(db: Database, worker_id: str) -> list[float]:
    async with db.begin() as tx:
        page = await read_track(tx, worker_id, START - 1_000 * HOUR, START + 1_000 * HOUR)
    return [(point.at - START).total_seconds() for point in page.points]


async def test_a_fix_comes_back_as_it_was(db: Database) -> None:
    late = Kept.of("wrk_1", Fix(3, START + HOUR, Point(121.123456789, 37.987654321)), is_late=True)
    assert await db.run(save_fixes, [*rows("wrk_1", 0), late]) == 2
    async with db.begin() as tx:
        page = await read_track(tx, "wrk_1", START, START + 2 * HOUR)
    assert page.points == [
        TrackPoint(START, Point(121.4, 37.5), 9.0, 3.5, 271.0, False),
        TrackPoint(START + HOUR, Point(121.123456789, 37.987654321), None, None, None, True),
    ]
    assert page.after is None


async def test_a_batch_sent_twice_is_stored_once(db: Database) -> None:
    assert await db.run(save_fixes, rows("wrk_1", 0, 5, 10)) == 3
    assert await db.run(save_fixes, rows("wrk_1", 5, 10, 15, 15)) == 1
    assert await instants(db, "wrk_1") == [0, 5, 10, 15]


async def test_many_writers_at_once_lose_nothing(db: Database) -> None:
    batches = [rows(f"wrk_{n % 3}", *range(n, n + 50)) for n in range(8)]
    await asyncio.gather(*[db.run(save_fixes, batch) for batch in batches])
    assert await instants(db, "wrk_0") == list(range(56))


async def test_a_track_is_read_in_pages_from_since_up_to_until(db: Database) -> None:
    await db.run(save_fixes, rows("wrk_1", *range(-5, 20)) + rows("wrk_2", *range(20)))
    seen, after = list[float](), None
    async with db.begin() as tx:
        while True:
            page = await read_track(tx, "wrk_1", START, START + timedelta(seconds=10), after=after, limit=4)
            seen += [(point.at - START).total_seconds() for point in page.points]
            after = page.after
            if after is None:
                break
        assert seen == list(range(10))
        with pytest.raises(ValueError, match="limit"):
            await read_track(tx, "wrk_1", START, START + HOUR, limit=0)


async def test_rows_go_to_their_day_and_without_one_nothing_is_refused(db: Database) -> None:
    await db.run(make_days, DAY, 1)
    await db.run(save_fixes, rows("wrk_1", 0, 86_400))
    assert await partitions(db) == {"worker_fixes_20260105": 1, "worker_fixes_default": 1}


async def test_days_begin_and_end_at_midnight_utc(db: Database) -> None:
    await db.run(make_days, DAY, 2)
    midnight = -2 * 3_600
    await db.run(save_fixes, rows("wrk_1", midnight - 0.001, midnight, midnight + 86_399.999, midnight + 86_400))
    assert await partitions(db) == {
        "worker_fixes_20260105": 2,
        "worker_fixes_20260106": 1,
        "worker_fixes_default": 1,
    }


async def test_making_a_day_takes_its_rows_out_of_the_default_partition(db: Database) -> None:
    await db.run(save_fixes, rows("wrk_1", 0, 5, 86_400))
    assert await db.run(make_days, DAY, 1) == 1
    assert await partitions(db) == {"worker_fixes_20260105": 2, "worker_fixes_default": 1}
    assert await instants(db, "wrk_1") == [0, 5, 86_400]
    assert await db.run(save_fixes, rows("wrk_1", 5, 7)) == 1


async def test_making_days_may_be_repeated_and_done_twice_at_once(db: Database) -> None:
    made = await asyncio.gather(*[db.run(make_days, DAY, 3) for _ in range(4)])
    assert sorted(made) == [0, 0, 0, 3]
    assert await db.run(make_days, DAY, 4) == 1


async def test_old_days_are_dropped_whole(db: Database) -> None:
    await db.run(make_days, DAY - timedelta(days=3), 4)
    days = [-86_400 * n for n in range(6)]  # the two oldest lie in the default partition
    await db.run(save_fixes, rows("wrk_1", *days))
    assert await db.run(drop_days, DAY - timedelta(days=1)) == 2
    assert await instants(db, "wrk_1") == [-86_400, 0]


async def test_a_query_of_one_day_looks_at_one_day(db: Database) -> None:
    await db.run(make_days, DAY, 5)
    async with db.begin() as tx:
        plan = await tx.fetch(
            "EXPLAIN SELECT at FROM worker_fixes WHERE worker_id = 'wrk_1' AND at >= '2026-01-06T00:00Z' "
            "AND at < '2026-01-07T00:00Z' ORDER BY at LIMIT 10"
        )
    text = "\n".join(line[0] for line in plan)
    assert "worker_fixes_20260106" in text
    assert "20260105" not in text


async def test_upkeep_comes_back_every_day_and_keeps_what_it_was_told_to(
    db: Database, clock: ManualClock, settings: Settings
) -> None:
    runner = JobRunner(db, settings, DEADLINES)
    await db.run(keep_history, {"keep_days": 2})
    first = await partitions(db)
    assert min(first) == "worker_fixes_20260104"
    assert len(first) == DAYS_AHEAD + 3  # with yesterday, today and the default one
    await db.run(save_fixes, rows("wrk_1", 0))
    for _ in range(3):
        clock.advance(hours=24)
        assert await runner.drain() == 1
        assert await runner.drain() == 0
    later = await partitions(db)
    assert min(later) == "worker_fixes_20260106"
    assert len(later) == DAYS_AHEAD + 4
    assert await instants(db, "wrk_1") == []


# The writer


async def test_the_writer_copies_what_it_gathered(db: Database) -> None:
    writer = HistoryWriter(db, flush_ms=2_000)
    writer.accept("wrk_1", [fix(0), fix(5)])
    writer.accept("wrk_1", [fix(3)], is_late=True)
    assert len(writer) == 3
    await writer.flush()
    assert len(writer) == 0
    assert await instants(db, "wrk_1") == [0, 3, 5]
    await writer.flush()


async def test_a_stopped_writer_has_written_everything(db: Database) -> None:
    writer, stop = HistoryWriter(db, flush_ms=3_600_000), asyncio.Event()
    running = asyncio.create_task(writer.run(stop))
    writer.accept("wrk_1", [fix(0)])
    stop.set()
    await running
    assert await instants(db, "wrk_1") == [0]


async def test_rows_wait_while_the_database_is_away_and_are_bounded(
    pg_url: str, db: Database, clock: ManualClock
) -> None:
    away = await Database.connect(pg_url, clock=clock, pool_size=1)
    await away.close()
    writer = HistoryWriter(away, flush_ms=2_000)
    writer.accept("wrk_1", [fix(0)])
    await writer.flush()
    assert len(writer) == 1
    writer._db = db
    await writer.flush()
    assert await instants(db, "wrk_1") == [0]
    writer.accept("wrk_1", [fix(0)] * (ROWS_MAX + 7))
    assert len(writer) == ROWS_MAX
