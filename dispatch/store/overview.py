"""SQL of the whole at a glance: everybody who is online in one statement, and how much has happened lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from geo.point import Point
from storage.base.ids import new_id
from storage.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A worker as a map shows it. `doing`: free, locked (a customer is paying), booked, or offline."""

    worker_id: str
    display_name: str
    area_code: str
    radius_m: int
    score_milli: int
    services: int
    takes_pool: bool
    takes_direct: bool
    doing: str
    open_offers: int
    point: Point | None
    heading_deg: float | None
    at: datetime | None


_SEEN = """
    SELECT w.id, w.display_name, w.area_code, w.radius_m, w.score_milli, cardinality(w.services) AS services,
           w.takes_pool, w.takes_direct, p.lon, p.lat, p.heading_deg, p.at,
           (SELECT count(*) FROM offers o WHERE o.worker_id = w.id AND o.state = 'open') AS open_offers,
           CASE WHEN NOT w.online THEN 'offline'
                ELSE coalesce((SELECT max(CASE b.state WHEN 'held' THEN 'locked' ELSE 'booked' END)
                                 FROM bookings b WHERE b.worker_id = w.id AND b.state IN ('held', 'firm')), 'free')
           END AS doing
      FROM workers w LEFT JOIN worker_positions p ON p.worker_id = w.id
"""


def _seen(row: Any) -> Seen:  # noqa: ANN401 - asyncpg record
    return Seen(
        worker_id=row["id"],
        display_name=row["display_name"],
        area_code=row["area_code"],
        radius_m=row["radius_m"],
        score_milli=row["score_milli"],
        services=row["services"],
        takes_pool=row["takes_pool"],
        takes_direct=row["takes_direct"],
        doing=row["doing"],
        open_offers=row["open_offers"],
        point=None if row["lon"] is None else Point(row["lon"], row["lat"]),
        heading_deg=row["heading_deg"],
        at=row["at"],
    )


async def everybody_online(tx: Tx, *, limit: int) -> list[Seen]:
    """Online workers in id order."""
    return [_seen(row) for row in await tx.fetch(f"{_SEEN} WHERE w.online ORDER BY w.id LIMIT $1", limit)]


async def some(tx: Tx, worker_ids: Sequence[str]) -> list[Seen]:
    """These workers, online or not, in id order; those that do not exist are left out."""
    return [_seen(row) for row in await tx.fetch(f"{_SEEN} WHERE w.id = ANY($1) ORDER BY w.id", list(worker_ids))]


async def one(tx: Tx, worker_id: str) -> Seen | None:
    """One worker, online or not."""
    return next(iter(await some(tx, [worker_id])), None)


async def made_since(tx: Tx, past: timedelta) -> tuple[int, int]:
    """How many offers and how many grabs were made within `past`."""
    # Ids are time-ordered, so an id of that instant is where to begin in the primary key: no index on time is needed.
    since = tx.now - past
    row = await tx.fetchrow(
        """
        SELECT (SELECT count(*) FROM offers WHERE id > $1) AS offers,
               (SELECT count(*) FROM grabs WHERE id > $2) AS grabs
        """,
        new_id("ofr", since),
        new_id("grb", since),
    )
    assert row is not None  # noqa: S101 - an aggregate has a row
    return row["offers"], row["grabs"]


async def offered(tx: Tx, *, limit: int) -> list[str]:
    """Ids of workers who have an offer to answer."""
    rows = await tx.fetch("SELECT DISTINCT worker_id FROM offers WHERE state = 'open' LIMIT $1", limit)
    return [row["worker_id"] for row in rows]
