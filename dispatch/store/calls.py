"""SQL of calls, offers and grabs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from dispatch.model import Call, CallStatus, Grab, Mode, Offer, WavePlan, Worker
from dispatch.store.workers import WORKER_COLUMNS, worker_of_row
from geo.point import Point
from storage.base import codec
from storage.tx import Tx

_CALL = """id, subject_kind, subject_id, mode, service, area_code, lon, lat, start_at, busy_until, status, epoch, wave,
           ring_m, plan, detail, audience, owner_account_id, excluded, named_worker_id, worker_id, locked_until,
           created_at, version"""
_OFFER = "id, call_id, worker_id, epoch, wave, distance_m, state, expires_at"
_GRAB = "id, call_id, worker_id, offer_id, epoch, distance_m, quote, request_id, state, at"
Subjects = dict[str, tuple[str, tuple[str, ...]]]
"""Call → its subject's id and its audience."""

_OFFER_NAMES = tuple(_OFFER.split(", "))
_GRAB_NAMES = tuple(_GRAB.split(", "))


def _call(row: Any) -> Call:  # noqa: ANN401 - asyncpg record
    return Call(
        id=row["id"],
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
        mode=Mode(row["mode"]),
        service=row["service"],
        area_code=row["area_code"],
        point=Point(row["lon"], row["lat"]),
        start_at=row["start_at"],
        busy_until=row["busy_until"],
        status=CallStatus(row["status"]),
        epoch=row["epoch"],
        wave=row["wave"],
        ring_m=row["ring_m"],
        plan=msgspec.json.decode(row["plan"], type=WavePlan),
        detail=codec.loads(row["detail"]),
        audience=tuple(row["audience"]),
        owner_account_id=row["owner_account_id"],
        excluded=frozenset(row["excluded"]),
        named_worker_id=row["named_worker_id"],
        worker_id=row["worker_id"],
        locked_until=row["locked_until"],
        created_at=row["created_at"],
        version=row["version"],
    )


def _offer(row: Any, prefix: str = "") -> Offer:  # noqa: ANN401 - asyncpg record
    return Offer(**{name: row[prefix + name] for name in _OFFER_NAMES})


def _grab(row: Any, prefix: str = "") -> Grab:  # noqa: ANN401 - asyncpg record
    values = {name: row[prefix + name] for name in _GRAB_NAMES}
    return Grab(**{**values, "quote": codec.loads(values["quote"])})


async def insert(tx: Tx, call: Call) -> None:
    values = insert_values(call)
    await tx.execute(f"SELECT call_open({', '.join(f'${n}' for n in range(1, len(values) + 1))})", *values)


def insert_values(call: Call) -> tuple[Any, ...]:
    """What the SQL function `call_open` takes, in its order."""
    return (
        call.id, call.subject_kind, call.subject_id, call.mode, call.service, call.area_code, call.point.lon,
        call.point.lat, call.start_at, call.busy_until, msgspec.json.encode(call.plan).decode(),
        codec.dumps(call.detail).decode(), list(call.audience), call.owner_account_id, sorted(call.excluded),
        call.named_worker_id, call.created_at,
    )  # fmt: skip


async def read(tx: Tx, call_id: str) -> Call | None:
    row = await tx.fetchrow(f"SELECT {_CALL} FROM calls WHERE id = $1", call_id)
    return None if row is None else _call(row)


async def lock(tx: Tx, call_id: str) -> Call | None:
    row = await tx.fetchrow(f"SELECT {_CALL} FROM calls WHERE id = $1 FOR NO KEY UPDATE", call_id)
    return None if row is None else _call(row)


async def lock_pair(tx: Tx, call_id: str, worker_id: str) -> tuple[Call, Worker] | None:
    """Lock the worker, then the call; None when either is missing."""
    row = await tx.fetchrow(_LOCK_PAIR, call_id, worker_id)
    if row is None:
        return None
    return _call(row), worker_of_row({name: row[f"w_{name}"] for name in WORKER_COLUMNS})


_LOCK_PAIR = f"""
    SELECT {", ".join(f"c.{name.strip()}" for name in _CALL.split(","))},
           {", ".join(f"w.{name} AS w_{name}" for name in WORKER_COLUMNS)}
      FROM (SELECT * FROM workers WHERE id = $2 FOR NO KEY UPDATE) AS w CROSS JOIN calls c
     WHERE c.id = $1 FOR NO KEY UPDATE OF c
"""


async def lock_with(tx: Tx, call_id: str, worker_ids: Sequence[str]) -> Call | None:
    """Lock these workers in id order, then the call."""
    row = await tx.fetchrow(f"SELECT {_CALL} FROM call_lock_with($1, $2)", call_id, list(worker_ids))
    return None if row is None else _call(row)


async def listed(tx: Tx, statuses: Sequence[str], *, after: tuple[datetime, str] | None, limit: int) -> list[Call]:
    """Calls by (created_at, id), oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_CALL} FROM calls
         WHERE status = ANY($1) AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
         ORDER BY created_at, id LIMIT $4
        """,
        list(statuses), after and after[0], after and after[1], limit,
    )  # fmt: skip
    return [_call(row) for row in rows]


async def open_near(
    tx: Tx, *, services: Sequence[str], lon: float, lat: float, degrees: float, limit: int
) -> list[Call]:
    """Open pool calls of these services in a box around a worker."""
    rows = await tx.fetch(
        f"""
        SELECT {_CALL} FROM calls
         WHERE status = 'open' AND mode <> 'direct' AND service = ANY($1)
           AND lat BETWEEN $3::float8 - $4::float8 AND $3::float8 + $4::float8
           AND lon BETWEEN $2::float8 - 2 * $4::float8 AND $2::float8 + 2 * $4::float8
         ORDER BY (lon - $2) ^ 2 + (lat - $3) ^ 2, id LIMIT $5
        """,
        list(services), lon, lat, degrees, limit,
    )  # fmt: skip
    return [_call(row) for row in rows]


async def save(tx: Tx, call: Call, *, booking: str | None = None) -> None:
    """Write what verbs may change, and move its live booking; the caller holds the row's lock."""
    await tx.execute(
        """
        WITH moved AS (
            UPDATE bookings SET state = $13, changed_at = $12
             WHERE $13::text IS NOT NULL AND call_id = $1 AND state IN ('held', 'firm')
        )
        UPDATE calls SET status = $2, epoch = $3, wave = $4, ring_m = $5, plan = $6, excluded = $7, worker_id = $8,
               locked_until = $9, start_at = $10, busy_until = $11, changed_at = $12,
               version = version + 1
         WHERE id = $1
        """,
        call.id, call.status, call.epoch, call.wave, call.ring_m, msgspec.json.encode(call.plan).decode(),
        sorted(call.excluded), call.worker_id, call.locked_until, call.start_at, call.busy_until, tx.now, booking,
    )  # fmt: skip


async def close(tx: Tx, call: Call, *, open_offers: str, reason: str) -> tuple[list[Grab], list[Offer]]:
    """End the call (status as given) with all that lives on it; the grabs and offers that this ended.

    The booking is released, grabs and their offers are void, offers still open end as `open_offers`.
    """
    rows = await tx.fetch(_CLOSE, call.id, tx.now, call.status, reason, open_offers)
    grabs = [_grab(row, "grab_") for row in rows if row["grab_id"] is not None]
    return grabs, [_offer(row, "offer_") for row in rows if row["offer_id"] is not None]


_CLOSE = f"""
    WITH closed AS (
        UPDATE calls SET status = $3, worker_id = NULL, locked_until = NULL, closed_reason = $4, changed_at = $2,
                         version = version + 1
         WHERE id = $1
    ), freed AS (
        UPDATE bookings SET state = 'released', changed_at = $2 WHERE call_id = $1 AND state IN ('held', 'firm')
    ), gone AS (
        UPDATE grabs SET state = 'void', closed_at = $2
         WHERE call_id = $1 AND state IN ('offered', 'locked', 'won') RETURNING {_GRAB}
    ), ended AS (
        UPDATE offers SET state = CASE state WHEN 'grabbed' THEN 'void' ELSE $5 END, closed_at = $2
         WHERE call_id = $1 AND state IN ('open', 'grabbed') RETURNING {_OFFER}
    )
    SELECT {", ".join(f"g.{name} AS grab_{name}" for name in _GRAB_NAMES)},
           {", ".join(f"o.{name} AS offer_{name}" for name in _OFFER_NAMES)}
      FROM gone g FULL JOIN ended o ON o.id = g.offer_id
     ORDER BY o.id
"""


async def insert_offers(
    tx: Tx, call: Call, made: Sequence[tuple[str, str, float]], expires_at: datetime
) -> list[Offer]:
    """Write the call's present wave and its offers (id, worker_id, distance_m); those made in this epoch are left."""
    rows = await tx.fetch(
        f"""
        WITH spread AS (
            UPDATE calls SET wave = $3, ring_m = $9, changed_at = $4, version = version + 1 WHERE id = $1
        )
        INSERT INTO offers (id, call_id, worker_id, epoch, wave, distance_m, state, made_at, expires_at)
        SELECT made.id, $1, made.worker_id, $2, $3, made.distance_m, 'open', $4, $5
          FROM unnest($6::text[], $7::text[], $8::float8[]) AS made (id, worker_id, distance_m)
        ON CONFLICT (call_id, worker_id, epoch) DO NOTHING
        RETURNING {_OFFER}
        """,
        call.id, call.epoch, call.wave, tx.now, expires_at,
        [offer_id for offer_id, _, _ in made],
        [worker_id for _, worker_id, _ in made],
        [metres for _, _, metres in made],
        call.ring_m,
    )  # fmt: skip
    return [_offer(row) for row in rows]


async def offered_workers(tx: Tx, call_id: str, epoch: int) -> set[str]:
    rows = await tx.fetch("SELECT worker_id FROM offers WHERE call_id = $1 AND epoch = $2", call_id, epoch)
    return {row["worker_id"] for row in rows}


async def offers_of_call(tx: Tx, call_id: str) -> list[Offer]:
    rows = await tx.fetch(
        f"SELECT {_OFFER} FROM offers WHERE call_id = $1 ORDER BY epoch, wave, distance_m, id", call_id
    )
    return [_offer(row) for row in rows]


async def offer_of(tx: Tx, call_id: str, worker_id: str, epoch: int) -> Offer | None:
    row = await tx.fetchrow(
        f"SELECT {_OFFER} FROM offers WHERE call_id = $1 AND worker_id = $2 AND epoch = $3", call_id, worker_id, epoch
    )
    return None if row is None else _offer(row)


async def has_open_offers(tx: Tx, call_id: str, epoch: int) -> bool:
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM offers WHERE call_id = $1 AND epoch = $2 AND state = 'open')", call_id, epoch
    )
    return found


async def close_offers(
    tx: Tx, *, state: str, call_id: str | None = None, worker_id: str | None = None,
    offer_ids: Sequence[str] | None = None, was: Sequence[str] = ("open",), expired_only: bool = False,
) -> list[Offer]:  # fmt: skip
    """End live offers of a call, of a worker, or these; returns those this statement ended, so each ends once."""
    of_whom, whose = _of(("call_id", call_id), ("worker_id", worker_id), ("id", offer_ids))
    rows = await tx.fetch(
        f"""
        UPDATE offers SET state = $1, closed_at = $2
         WHERE {of_whom} AND state = ANY($3) {"AND expires_at <= $2" if expired_only else ""}
        RETURNING {_OFFER}
        """,
        state, tx.now, list(was), whose,
    )  # fmt: skip
    return [_offer(row) for row in rows]


def _of(*keys: tuple[str, str | Sequence[str] | None]) -> tuple[str, Any]:
    """The one condition that is given, and its value as $4: a plan for each, not one that must fit them all."""
    ((column, value),) = [(column, value) for column, value in keys if value is not None]
    return (f"{column} = $4", value) if isinstance(value, str) else (f"{column} = ANY($4)", list(value or ()))


async def insert_grab(tx: Tx, grab: Grab) -> None:
    await tx.execute(
        """
        INSERT INTO grabs (id, call_id, worker_id, offer_id, epoch, distance_m, quote, request_id, state, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        *_grab_values(grab),
    )


async def take_offer(tx: Tx, grab: Grab) -> bool:
    """Insert the grab and take its offer, if that is open and unexpired; else nothing, and False."""
    taken = await tx.fetchval(
        """
        WITH taken AS (
            UPDATE offers SET state = 'grabbed' WHERE id = $4 AND state = 'open' AND expires_at > $10 RETURNING id
        )
        INSERT INTO grabs (id, call_id, worker_id, offer_id, epoch, distance_m, quote, request_id, state, at)
        SELECT $1, $2, $3, id, $5, $6, $7, $8, $9, $10 FROM taken
        RETURNING true
        """,
        *_grab_values(grab),
    )
    return bool(taken)


def _grab_values(grab: Grab) -> tuple[Any, ...]:
    return (
        grab.id, grab.call_id, grab.worker_id, grab.offer_id, grab.epoch, grab.distance_m,
        codec.dumps(grab.quote).decode(), grab.request_id, grab.state, grab.at,
    )  # fmt: skip


async def live_grab(tx: Tx, call_id: str, worker_id: str) -> Grab | None:
    """This worker's waiting, locked or won grab; whoever holds the call's lock holds its grabs."""
    row = await tx.fetchrow(
        f"""SELECT {_GRAB} FROM grabs
             WHERE call_id = $1 AND worker_id = $2 AND state IN ('offered', 'locked', 'won')""",
        call_id, worker_id,
    )  # fmt: skip
    return None if row is None else _grab(row)


async def between(tx: Tx, call: Call, worker_id: str) -> tuple[Offer | None, Grab | None]:
    """The offer of this epoch and the live grab of one worker, in one look."""
    row = await tx.fetchrow(_BETWEEN, call.id, worker_id, call.epoch)
    return (
        None if row["offer_id"] is None else _offer(row, "offer_"),
        None if row["grab_id"] is None else _grab(row, "grab_"),
    )


_BETWEEN = f"""
    SELECT {", ".join(f"o.{name} AS offer_{name}" for name in _OFFER_NAMES)},
           {", ".join(f"g.{name} AS grab_{name}" for name in _GRAB_NAMES)}
      FROM (VALUES ($1::text, $2::text)) AS pair (call_id, worker_id)
      LEFT JOIN offers o ON o.call_id = pair.call_id AND o.worker_id = pair.worker_id AND o.epoch = $3
      LEFT JOIN grabs g ON g.call_id = pair.call_id AND g.worker_id = pair.worker_id
                       AND g.state IN ('offered', 'locked', 'won')
"""


async def grab(tx: Tx, grab_id: str) -> Grab | None:
    row = await tx.fetchrow(f"SELECT {_GRAB} FROM grabs WHERE id = $1", grab_id)
    return None if row is None else _grab(row)


async def grabs_of_call(tx: Tx, call_id: str, *, states: Sequence[str], limit: int) -> list[Grab]:
    rows = await tx.fetch(
        f"SELECT {_GRAB} FROM grabs WHERE call_id = $1 AND state = ANY($2) ORDER BY at, id LIMIT $3",
        call_id, list(states), limit,
    )  # fmt: skip
    return [_grab(row) for row in rows]


async def count_offered(tx: Tx, call_id: str) -> int:
    count: int = await tx.fetchval("SELECT count(*) FROM grabs WHERE call_id = $1 AND state = 'offered'", call_id)
    return count


async def set_grab(tx: Tx, grab_id: str, state: str, *, was: Sequence[str]) -> int:
    """Move one grab; 0 when it is not in an expected state."""
    is_over = state not in {"offered", "locked", "won"}
    return await tx.execute(
        "UPDATE grabs SET state = $2, closed_at = $3 WHERE id = $1 AND state = ANY($4)",
        grab_id, state, tx.now if is_over else None, list(was),
    )  # fmt: skip


async def close_grabs(
    tx: Tx, *, state: str, was: Sequence[str], call_id: str | None = None, worker_id: str | None = None
) -> list[Grab]:
    """End grabs of a call or of a worker; returns those this statement ended."""
    of_whom, whose = _of(("call_id", call_id), ("worker_id", worker_id))
    rows = await tx.fetch(
        f"""
        UPDATE grabs SET state = $1, closed_at = $2
         WHERE {of_whom} AND state = ANY($3)
        RETURNING {_GRAB}
        """,
        state, tx.now, list(was), whose,
    )  # fmt: skip
    return [_grab(row) for row in rows]


async def settle(tx: Tx, call: Call, worker_id: str) -> tuple[list[Grab], list[Offer], Subjects]:
    """This worker has the call: his waiting or locked grab is won, the others' are lost with all offers still open, and
    his grabs of other calls at that time are void. The grabs and offers that this ended, as they are now, and the
    subjects of their calls.
    """
    rows = await tx.fetch(_SETTLE, call.id, worker_id, tx.now, call.start_at, call.busy_until)
    subjects = {row["grab_call_id"]: (row["subject_id"], tuple(row["audience"])) for row in rows if row["grab_id"]}
    grabs = [_grab(row, "grab_") for row in rows if row["grab_id"] is not None]
    return grabs, [_offer(row, "offer_") for row in rows if row["offer_id"] is not None], subjects


_SETTLE = f"""
    WITH over AS (
        UPDATE grabs SET state = 'won'
         WHERE call_id = $1 AND worker_id = $2 AND state IN ('offered', 'locked') RETURNING {_GRAB}
    ), lost AS (
        UPDATE grabs SET state = 'lost', closed_at = $3
         WHERE call_id = $1 AND worker_id <> $2 AND state = 'offered' RETURNING {_GRAB}
    ), void AS (
        UPDATE grabs SET state = 'void', closed_at = $3
         WHERE worker_id = $2 AND state = 'offered' AND call_id <> $1
           AND call_id IN (SELECT id FROM calls WHERE tstzrange(start_at, busy_until) && tstzrange($4, $5))
        RETURNING {_GRAB}
    ), gone AS (
        SELECT * FROM over UNION ALL SELECT * FROM lost UNION ALL SELECT * FROM void
    ), taken AS (
        UPDATE offers SET state = gone.state, closed_at = $3 FROM gone
         WHERE offers.id = gone.offer_id AND offers.state = 'grabbed'
        RETURNING {", ".join(f"offers.{name}" for name in _OFFER_NAMES)}
    ), missed AS (
        UPDATE offers SET state = 'lost', closed_at = $3 WHERE call_id = $1 AND state = 'open' RETURNING {_OFFER}
    )
    SELECT {", ".join(f"g.{name} AS grab_{name}" for name in _GRAB_NAMES)}, c.subject_id, c.audience,
           {", ".join(f"o.{name} AS offer_{name}" for name in _OFFER_NAMES)}
      FROM gone g LEFT JOIN calls c ON c.id = g.call_id
      FULL JOIN (SELECT * FROM taken UNION ALL SELECT * FROM missed) o ON o.id = g.offer_id
     ORDER BY g.at, g.id, o.id
"""


async def subjects(tx: Tx, call_ids: Sequence[str]) -> Subjects:
    """Subject id and audience of calls, for telling about grabs that ended elsewhere."""
    rows = await tx.fetch("SELECT id, subject_id, audience FROM calls WHERE id = ANY($1)", list(call_ids))
    return {row["id"]: (row["subject_id"], tuple(row["audience"])) for row in rows}
