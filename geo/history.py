"""Where workers have been: kept by day, read as a track, dropped by whole days.

Fixes are gathered and copied in batches. One row for a worker and instant: a batch that arrives twice, because its
answer was lost, is stored once. Days get their partition ahead of time; rows of a day without one go to a default
partition and move when their day is made, so that nothing is refused because somebody forgot to prepare.

Locks     making and dropping days take one advisory lock, then the table for a moment.
Bounds    `HistoryWriter` holds at most `ROWS_MAX` rows while the database is away, then loses the oldest.
Source    HS-205; location pings are kept 30 days
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Final, NamedTuple

from geo.fixes import Fix
from geo.flushing import flush_until
from geo.point import Point
from storage.base.log import log
from storage.postgres import OUTAGE, Database, TryAgain
from storage.tx import Tx

DAYS_AHEAD: Final = 7
"""A worker process that is down for a week still has partitions to write to when it is back."""

UPKEEP_KIND: Final = "geo.history"
UPKEEP_AT: Final = time_of_day(0, 20)  # UTC: shortly after the day has changed, and hours from the busy evening
ROWS_MAX: Final = 200_000
PAGE_MAX: Final = 5_000

_COLUMNS: Final = ("worker_id", "at", "lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "is_late")


class Kept(NamedTuple):
    """One row of history. `is_late`: came after a newer one, so it was never shown."""

    worker_id: str
    at: datetime
    lon: float
    lat: float
    accuracy_m: float | None
    speed_mps: float | None
    heading_deg: float | None
    is_late: bool

    @classmethod
    def of(cls, worker_id: str, fix: Fix, *, is_late: bool = False) -> Kept:
        """The row of this fix."""
        lon, lat = fix.point
        return cls._make((worker_id, fix.at, lon, lat, fix.accuracy_m, fix.speed_mps, fix.heading_deg, is_late))


class TrackPoint(NamedTuple):
    """One place of a track, by time."""

    at: datetime
    point: Point
    accuracy_m: float | None
    speed_mps: float | None
    heading_deg: float | None
    is_late: bool


class TrackPage(NamedTuple):
    """Part of a track; `after` asks for the next part, None when there is none."""

    points: list[TrackPoint]
    after: datetime | None


async def save_fixes(tx: Tx, rows: Sequence[Kept]) -> int:
    """Copy rows into their days; the number that were new."""
    # COPY cannot skip rows that are there already, so it fills a table of this connection's own, which empties itself
    # at commit. Making it anew each time would fill the catalogue with dead rows instead.
    await tx.execute("CREATE TEMPORARY TABLE IF NOT EXISTS incoming_fixes (LIKE worker_fixes) ON COMMIT DELETE ROWS")
    await tx.copy_records("incoming_fixes", _COLUMNS, rows)
    return await tx.execute(
        """
        INSERT INTO worker_fixes (worker_id, at, lon, lat, accuracy_m, speed_mps, heading_deg, is_late)
        SELECT worker_id, at, lon, lat, accuracy_m, speed_mps, heading_deg, is_late
          FROM incoming_fixes ORDER BY worker_id, at
        ON CONFLICT DO NOTHING
        """
    )


async def read_track(
    tx: Tx, worker_id: str, since: datetime, until: datetime, *, after: datetime | None = None, limit: int = 1_000
) -> TrackPage:
    """Where a worker was from `since` (included) to `until` (not), in order of time, `limit` places at a time.

    `after` is the one of the page before. Raises ValueError for a limit out of bounds.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise ValueError(f"limit must lie between 1 and {PAGE_MAX}")
    rows = await tx.fetch(
        """
        SELECT at, lon, lat, accuracy_m, speed_mps, heading_deg, is_late
          FROM worker_fixes
         WHERE worker_id = $1 AND at >= $2 AND at < $3
         ORDER BY at LIMIT $4
        """,
        worker_id,
        since if after is None else max(since, after + timedelta(microseconds=1)),
        until,
        limit + 1,
    )
    points = [_track_point(row) for row in rows[:limit]]
    return TrackPage(points, points[-1].at if len(rows) > limit else None)


async def make_days(tx: Tx, first: date, days: int) -> int:
    """Make the partitions of `days` days from `first` (UTC) that are missing; the number made."""
    made: int = await tx.fetchval("SELECT worker_fixes_make_days($1, $2)", first, days)
    return made


async def drop_days(tx: Tx, first_kept: date) -> int:
    """Drop all days (UTC) before this one; the number of partitions dropped."""
    dropped: int = await tx.fetchval("SELECT worker_fixes_drop_days($1)", first_kept)
    return dropped


async def keep_history(tx: Tx, payload: dict[str, Any]) -> None:
    """Deadline `geo.history`, and to be called once at start: make days ahead, drop old ones, come back tomorrow.

    Payload   keep_days: how many whole days to keep.
    """
    today = tx.now.date()
    made = await make_days(tx, today - timedelta(days=1), DAYS_AHEAD + 2)
    dropped = await drop_days(tx, today - timedelta(days=payload["keep_days"]))
    if made or dropped:
        log("history.days_kept", made=made, dropped=dropped)
    tomorrow = datetime.combine(today + timedelta(days=1), UPKEEP_AT, tx.now.tzinfo)
    tx.schedule(UPKEEP_KIND, UPKEEP_KIND, tomorrow, payload)


class HistoryWriter:
    """Gathers fixes and copies them to the database every `flush_ms`."""

    def __init__(self, db: Database, *, flush_ms: int) -> None:
        self._db = db
        self._flush_s = flush_ms / 1000
        self._waiting: list[Kept] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def accept(self, worker_id: str, fixes: Sequence[Fix], *, is_late: bool = False) -> None:
        """Take fixes of one worker; they are safe after the next flush."""
        for fix in fixes:
            self._waiting.append(Kept.of(worker_id, fix, is_late=is_late))
        if len(self._waiting) > ROWS_MAX:
            self._drop_oldest()

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop` is set, and once more after."""
        await flush_until(stop, self._flush_s, self.flush)

    async def flush(self) -> None:
        """Write what is waiting; what cannot be written now waits on."""
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            await self._db.run(save_fixes, batch)
        except (*OUTAGE, TryAgain) as problem:
            log("history.not_written", level="warning", error=problem, count=len(batch))
            self._waiting = batch + self._waiting
            if len(self._waiting) > ROWS_MAX:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        lost = len(self._waiting) - ROWS_MAX
        del self._waiting[:lost]
        log("history.rows_lost", level="error", count=lost)


def _track_point(row: Any) -> TrackPoint:  # noqa: ANN401 - asyncpg has no types
    return TrackPoint(
        row["at"],
        Point(row["lon"], row["lat"]),
        row["accuracy_m"],
        row["speed_mps"],
        row["heading_deg"],
        row["is_late"],
    )
