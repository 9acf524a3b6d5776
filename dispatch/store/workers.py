"""SQL of workers, their positions and bookings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dispatch.model import Call, Standing, Worker
from geo.distance import haversine_m
from geo.point import Point
from storage.tx import Tx

_COLUMNS = """id, unit_no, account_id, display_name, status, online, services, takes_pool, takes_direct, radius_m,
              area_code, work_from_min, work_to_min, rest_dates, score_milli, version"""


WORKER_COLUMNS = tuple(name.strip() for name in _COLUMNS.split(","))


def worker_of_row(row: Mapping[str, Any]) -> Worker:
    return Worker(
        id=row["id"],
        unit_no=row["unit_no"],
        account_id=row["account_id"],
        display_name=row["display_name"],
        status=row["status"],
        online=row["online"],
        services=frozenset(row["services"]),
        takes_pool=row["takes_pool"],
        takes_direct=row["takes_direct"],
        radius_m=row["radius_m"],
        area_code=row["area_code"],
        work_from_min=row["work_from_min"],
        work_to_min=row["work_to_min"],
        rest_dates=frozenset(row["rest_dates"]),
        score_milli=row["score_milli"],
        version=row["version"],
    )


async def insert(tx: Tx, *, worker_id: str, account_id: str, display_name: str, services: Sequence[str],
                 area_code: str, radius_m: int, work_min: tuple[int, int]) -> Worker:  # fmt: skip
    row = await tx.fetchrow(
        f"""
        INSERT INTO workers (id, account_id, display_name, services, area_code, radius_m, work_from_min, work_to_min,
                             created_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING {_COLUMNS}
        """,
        worker_id, account_id, display_name, sorted(services), area_code, radius_m, *work_min, tx.now,
    )  # fmt: skip
    return worker_of_row(row)


async def lock(tx: Tx, worker_id: str) -> Worker | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM workers WHERE id = $1 FOR NO KEY UPDATE", worker_id)
    return None if row is None else worker_of_row(row)


async def lock_many(tx: Tx, worker_ids: Sequence[str]) -> list[Worker]:
    """Locks in id order, so that two waves over the same workers wait for each other and never in a circle."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM workers WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", list(worker_ids)
    )
    return [worker_of_row(row) for row in rows]


async def read(tx: Tx, worker_id: str) -> Worker | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM workers WHERE id = $1", worker_id)
    return None if row is None else worker_of_row(row)


async def of_account(tx: Tx, account_id: str) -> Worker | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM workers WHERE account_id = $1", account_id)
    return None if row is None else worker_of_row(row)


async def accounts_of(tx: Tx, worker_ids: Sequence[str]) -> dict[str, str]:
    rows = await tx.fetch("SELECT id, account_id FROM workers WHERE id = ANY($1)", list(worker_ids))
    return {row["id"]: row["account_id"] for row in rows}


async def of_accounts(tx: Tx, account_ids: Sequence[str]) -> dict[str, str]:
    rows = await tx.fetch("SELECT account_id, id FROM workers WHERE account_id = ANY($1)", list(account_ids))
    return {row["account_id"]: row["id"] for row in rows}


_ONLINE = f"""
    SELECT {", ".join(f"w.{name}" for name in WORKER_COLUMNS)}, p.lon, p.lat, p.at
      FROM workers w LEFT JOIN worker_positions p ON p.worker_id = w.id
     WHERE w.online
"""


async def online(tx: Tx, among: Sequence[str] | None = None) -> list[tuple[Worker, Point | None, datetime | None]]:
    """Online workers (all, or those of `among`) with the last position on record; what an index is built from."""
    rows = await (tx.fetch(_ONLINE) if among is None else tx.fetch(_ONLINE + " AND w.id = ANY($1)", among))
    return [(worker_of_row(r), None if r["lon"] is None else Point(r["lon"], r["lat"]), r["at"]) for r in rows]


async def save(tx: Tx, worker: Worker) -> None:
    """Write all settings; the caller holds the row's lock."""
    await tx.execute(
        """
        UPDATE workers SET display_name = $2, status = $3, online = $4, services = $5, takes_pool = $6,
               takes_direct = $7, radius_m = $8, area_code = $9, work_from_min = $10, work_to_min = $11,
               rest_dates = $12, score_milli = $13, changed_at = $14, version = version + 1
         WHERE id = $1
        """,
        worker.id, worker.display_name, worker.status, worker.online, sorted(worker.services), worker.takes_pool,
        worker.takes_direct, worker.radius_m, worker.area_code, worker.work_from_min, worker.work_to_min,
        sorted(worker.rest_dates), worker.score_milli, tx.now,
    )  # fmt: skip


async def save_positions(
    tx: Tx, fixes: Sequence[tuple[str, float, float, float | None, float | None, float | None, datetime]]
) -> None:
    """Upsert last positions, columns in the order of the table; older ones change nothing."""
    columns: list[list[Any]] = [list(column) for column in zip(*sorted(fixes), strict=True)]
    await tx.execute(
        """
        INSERT INTO worker_positions (worker_id, lon, lat, accuracy_m, heading_deg, speed_mps, at)
        SELECT * FROM unnest($1::text[], $2::float8[], $3::float8[], $4::real[], $5::real[], $6::real[],
                             $7::timestamptz[])
        ON CONFLICT (worker_id) DO UPDATE
           SET lon = EXCLUDED.lon, lat = EXCLUDED.lat, accuracy_m = EXCLUDED.accuracy_m,
               heading_deg = EXCLUDED.heading_deg, speed_mps = EXCLUDED.speed_mps, at = EXCLUDED.at
         WHERE worker_positions.at < EXCLUDED.at
        """,
        *columns,
    )


async def position(tx: Tx, worker_id: str) -> tuple[Point, datetime] | None:
    row = await tx.fetchrow("SELECT lon, lat, at FROM worker_positions WHERE worker_id = $1", worker_id)
    return None if row is None else (Point(row["lon"], row["lat"]), row["at"])


async def standings(tx: Tx, call: Call, worker_ids: Sequence[str]) -> list[Standing]:
    """What is known of these workers with regard to this call, in id order."""
    rows = await tx.fetch(_STANDINGS, list(worker_ids), call.id, call.start_at, call.busy_until, call.epoch)
    return [_standing(row, call) for row in rows]


async def standing(tx: Tx, call: Call, worker_id: str) -> Standing | None:
    """The same of one worker, as at each grab; PostgreSQL would plan a list of one anew each time (0.5 ms)."""
    row = await tx.fetchrow(_STANDING, worker_id, call.id, call.start_at, call.busy_until, call.epoch)
    return None if row is None else _standing(row, call)


async def standings_to(tx: Tx, calls: Sequence[Call], worker_id: str) -> dict[str, Standing]:
    """The same of one worker with regard to each of these calls, by call."""
    rows = await tx.fetch(_STANDINGS_TO, worker_id, [call.id for call in calls])
    found = {row["to_call_id"]: row for row in rows}
    return {call.id: _standing(found[call.id], call) for call in calls if call.id in found}


def _looking_at(call_id: str, start_at: str, busy_until: str, epoch: str) -> str:
    return f"""
    SELECT {", ".join(f"w.{name}" for name in WORKER_COLUMNS)}, p.lon, p.lat, p.at AS fix_at, {call_id} AS to_call_id,
           EXISTS (SELECT FROM bookings b
                    WHERE b.worker_id = w.id AND b.state IN ('held', 'firm') AND b.call_id <> {call_id}
                      AND b.during && tstzrange({start_at}, {busy_until})) AS is_booked,
           (SELECT count(*) FROM offers o WHERE o.worker_id = w.id AND o.state = 'open') AS open_offers,
           EXISTS (SELECT FROM offers o
                    WHERE o.call_id = {call_id} AND o.worker_id = w.id AND o.epoch = {epoch}) AS is_offered
      FROM workers w LEFT JOIN worker_positions p ON p.worker_id = w.id
    """


_STANDING = f"{_looking_at('$2', '$3', '$4', '$5')} WHERE w.id = $1"
_STANDINGS = f"{_looking_at('$2', '$3', '$4', '$5')} WHERE w.id = ANY($1) ORDER BY w.id"
_STANDINGS_TO = f"""
    {_looking_at("c.id", "c.start_at", "c.busy_until", "c.epoch")} CROSS JOIN calls c
     WHERE w.id = $1 AND c.id = ANY($2)
"""


def _standing(row: Any, call: Call) -> Standing:  # noqa: ANN401 - asyncpg record
    return Standing(
        worker=worker_of_row(row),
        point=None if row["lon"] is None else Point(row["lon"], row["lat"]),
        distance_m=None if row["lon"] is None else haversine_m(Point(row["lon"], row["lat"]), call.point),
        fix_at=row["fix_at"],
        is_booked=row["is_booked"],
        open_offers=row["open_offers"],
        is_offered=row["is_offered"],
    )


async def near(tx: Tx, point: Point, *, degrees: float, limit: int) -> list[str]:
    """Ids of workers whose last position lies in a box around the point, nearest first (planar, for listing only)."""
    rows = await tx.fetch(
        """
        SELECT worker_id FROM worker_positions
         WHERE lat BETWEEN $2::float8 - $3::float8 AND $2::float8 + $3::float8
           AND lon BETWEEN $1::float8 - 2 * $3::float8 AND $1::float8 + 2 * $3::float8
         ORDER BY (lon - $1) ^ 2 + (lat - $2) ^ 2, worker_id LIMIT $4
        """,
        point.lon, point.lat, degrees, limit,
    )  # fmt: skip
    return [row["worker_id"] for row in rows]


async def is_booked(tx: Tx, worker_id: str, start_at: datetime, end_at: datetime, *, but_call: str) -> bool:
    found: bool = await tx.fetchval(
        """
        SELECT EXISTS (SELECT FROM bookings WHERE worker_id = $1 AND state IN ('held', 'firm')
                          AND during && tstzrange($2, $3) AND call_id <> $4)
        """,
        worker_id, start_at, end_at, but_call,
    )  # fmt: skip
    return found


async def book(tx: Tx, *, booking_id: str, worker: Worker, call: Call, state: str) -> None:
    await tx.execute(
        """
        INSERT INTO bookings (id, unit_no, worker_id, call_id, during, state, created_at, changed_at)
        VALUES ($1, $2, $3, $4, tstzrange($5, $6), $7, $8, $8)
        """,
        booking_id, worker.unit_no, worker.id, call.id, call.start_at, call.busy_until, state, tx.now,
    )  # fmt: skip


async def doing(tx: Tx, worker_id: str) -> tuple[bool, str]:
    """Whether a worker is online, and what he is at: offline, locked, booked now, or free; for the map."""
    row = await tx.fetchrow(
        """
        SELECT online, CASE WHEN NOT online THEN 'offline' ELSE coalesce(
                   (SELECT max(CASE b.state WHEN 'held' THEN 'locked' ELSE 'booked' END)
                      FROM bookings b WHERE b.worker_id = w.id AND b.state IN ('held', 'firm')), 'free') END AS state
          FROM workers w WHERE id = $1
        """,
        worker_id,
    )
    return row["online"], row["state"]
