"""SQL of working days: one function per statement."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from storage.tx import Tx


async def odd_days(tx: Tx, since: date, until: date) -> list[Any]:
    """Of [since, until], in order."""
    return await tx.fetch(
        "SELECT day, works, note, changed_by, changed_at FROM odd_days WHERE day BETWEEN $1 AND $2 ORDER BY day",
        since,
        until,
    )


async def put(tx: Tx, day: date, *, works: bool, note: str, by_id: str, at: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO odd_days (day, works, note, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (day) DO UPDATE
           SET works = EXCLUDED.works, note = EXCLUDED.note, changed_by = EXCLUDED.changed_by,
               changed_at = EXCLUDED.changed_at
        """,
        day,
        works,
        note,
        by_id,
        at,
    )


async def forget(tx: Tx, day: date) -> bool:
    return await tx.execute("DELETE FROM odd_days WHERE day = $1", day) == 1
