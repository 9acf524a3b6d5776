"""SQL of calendars: one function per statement."""

from __future__ import annotations

from datetime import date
from typing import Any

from chat.calendars.model import Calendar, Day, Interval
from chat.calendars.records import Stored
from storage.base import codec
from storage.tx import Tx

_COLUMNS = "id, tenant_id, name, zone, week, overrides, version"


async def insert(tx: Tx, stored: Stored) -> None:
    await tx.execute(
        """
        INSERT INTO calendars (id, tenant_id, name, zone, week, overrides, created_at, changed_at)
        VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $7)
        """,
        stored.id,
        stored.tenant_id,
        stored.name,
        stored.calendar.zone,
        *_written(stored.calendar),
        tx.now,
    )


async def update(tx: Tx, stored: Stored) -> bool:
    """Write it over exactly the version before."""
    written = await tx.execute(
        """
        UPDATE calendars
           SET name = $3, zone = $4, week = $5::jsonb, overrides = $6::jsonb, version = $2, changed_at = $7
         WHERE id = $1 AND version = $2 - 1
        """,
        stored.id,
        stored.version,
        stored.name,
        stored.calendar.zone,
        *_written(stored.calendar),
        tx.now,
    )
    return written == 1


async def find(tx: Tx, calendar_id: str) -> Stored | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM calendars WHERE id = $1", calendar_id)
    return None if row is None else _stored(row)


async def lock(tx: Tx, calendar_id: str) -> Stored | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM calendars WHERE id = $1 FOR NO KEY UPDATE", calendar_id)
    return None if row is None else _stored(row)


async def page(tx: Tx, *, after: str, limit: int) -> list[Stored]:
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM calendars WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
    return [_stored(row) for row in rows]


def _written(calendar: Calendar) -> tuple[str, str]:
    week = [[(i.start_min, i.end_min) for i in day] for day in calendar.week]
    overrides = {on.isoformat(): [(i.start_min, i.end_min) for i in day] for on, day in calendar.overrides.items()}
    return codec.dumps(week).decode(), codec.dumps(overrides).decode()


def _stored(row: Any) -> Stored:  # noqa: ANN401 - a row
    calendar = Calendar(
        row["zone"],
        tuple(_day(day) for day in codec.loads(row["week"])),
        {date.fromisoformat(on): _day(day) for on, day in codec.loads(row["overrides"]).items()},
    )
    return Stored(row["id"], row["tenant_id"], row["name"], calendar, row["version"])


def _day(pairs: list[list[int]]) -> Day:
    return tuple(Interval(start, end) for start, end in pairs)
