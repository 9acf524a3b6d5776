"""SQL of the visit: `homeservice_orders`, always read and locked together with its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatch.model import Call
from dispatch.store import calls
from rest.lines.homeservice import vouchers
from rest.lines.homeservice.model import IN_POOL, LINE, Job, Visit
from rest.trade.orders import ORDER_COLUMNS, Order, order_of
from storage.base import codec
from storage.tx import Tx

_FIXED = (
    "order_id",
    "item_id",
    "qty",
    "region_code",
    "contact",
    "phone",
    "detail",
    "lon",
    "lat",
    "minutes",
    "item_fen",
    "coupon_id",
    "coupon_fen",
)
_MOVING = (
    "start_at",
    "travel_fen",
    "voucher_fen",
    "grab_id",
    "worker_id",
    "lock_epoch",
    "unbinds",
    "push_round",
    "no_grab_stage",
    "pool_entered_at",
    "grab_first_at",
    "lock_expires_at",
    "no_grab_due_at",
    "choice_due_at",
    "pool_close_due_at",
    "answer_due_at",
    "departure_due_at",
    "departed_at",
    "arrived_at",
    "started_at",
    "ends_at",
    "ended_at",
    "leave_due_at",
    "wait_started_at",
    "wait_due_at",
    "travel_extra_fen",
    "voucher_id",
    "voucher_worker_id",
    "member_fen",
    "member_level",
    "member_until",
)

# Columns of both tables side by side; the visit's carry a prefix because both have `worker`-like names.
_SELECT = f"""
    SELECT {ORDER_COLUMNS}, {", ".join(f"v.{name} AS v_{name}" for name in (*_FIXED, *_MOVING))}
      FROM orders o JOIN homeservice_orders v ON v.order_id = o.id
"""
# Both rows are locked: a lock on one would read a stale other. A row locked is read as it is then, so that what the
# holding of workers has waited for is seen.
_READ_ONE = _SELECT + " WHERE o.id = $1"
_LOCK_ONE = f"{_SELECT} CROSS JOIN homeservice_hold($1, $2, $3) WHERE o.id = $1 FOR NO KEY UPDATE OF o, v"
_LOCK_BOUND = f"""
    {_SELECT} CROSS JOIN (SELECT FROM workers WHERE id = $2 FOR NO KEY UPDATE) AS held
     WHERE o.id = $1 FOR NO KEY UPDATE OF o, v
"""
_READ_PAGE = {
    "customer": _SELECT
    + " WHERE o.customer_id = $1 AND o.line = 'homeservice' AND o.id < $2 ORDER BY o.id DESC LIMIT $3",
    "worker": _SELECT
    + " WHERE o.provider_id = $1 AND o.line = 'homeservice' AND o.id < $2 ORDER BY o.id DESC LIMIT $3",
}
_SAVE = f"""
    UPDATE homeservice_orders
       SET {", ".join(f"{name} = ${n}" for n, name in enumerate(_MOVING, start=2))}
     WHERE order_id = $1
"""


def job_of(row: Mapping[str, Any]) -> Job:
    visit = Visit(**{name: row[f"v_{name}"] for name in (*_FIXED, *_MOVING)})
    return Job(order_of(row), visit)


@dataclass(frozen=True, slots=True)
class Bidder:
    """What a technician's quote depends on beside where he is: metres he travels for nothing, and his voucher."""

    worker_id: str
    free_travel_m: int
    voucher_id: str | None = None
    voucher: vouchers.Terms | None = None


async def read(tx: Tx, order_id: str) -> Job | None:
    row = await tx.fetchrow(_READ_ONE, order_id)
    return None if row is None else job_of(row)


async def lock(tx: Tx, order_id: str, owner: str | None, workers: Sequence[str]) -> Job | None:
    """Behind the order's gate its worker, the one chosen last and these others, then the two rows."""
    row = await tx.fetchrow(_LOCK_ONE, order_id, owner, list(workers))
    return None if row is None else job_of(row)


async def lock_bound(tx: Tx, order_id: str, worker_id: str) -> Job | None:
    """This worker, then the two rows; whether the order is his is for the caller to see."""
    row = await tx.fetchrow(_LOCK_BOUND, order_id, worker_id)
    return None if row is None else job_of(row)


async def lock_of_call(tx: Tx, call_id: str, worker_id: str) -> tuple[str, Bidder] | None:
    """Lock the worker, then the order behind the call; the order's id, and what the worker's quote depends on."""
    row = await tx.fetchrow("SELECT * FROM homeservice_lock_of_call($1, $2)", call_id, worker_id)
    if row is None:
        return None
    terms = vouchers.Terms(
        amount_fen=row["amount_fen"] or 0, min_item_fen=row["min_item_fen"] or 0, valid_until=row["valid_until"]
    )
    return row["order_id"], Bidder(worker_id, row["free_travel_m"], row["voucher_id"], terms)


async def save(tx: Tx, before: Job, after: Job) -> None:
    """Write what moved; needs the lock."""
    if before.visit != after.visit:
        await tx.execute(_SAVE, after.order.id, *(getattr(after.visit, name) for name in _MOVING))


async def page(tx: Tx, side: str, owner_id: str, *, before_id: str, limit: int) -> list[Job]:
    """Orders of one customer or worker (`side`), newest first, older than `before_id`."""
    return [job_of(row) for row in await tx.fetch(_READ_PAGE[side], owner_id, before_id, limit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What posting writes."""

    order_id: str
    no: str
    customer_id: str
    call: Call
    snapshot: Mapping[str, Any]
    item_id: str
    qty: int
    region_code: str
    contact: str
    phone: str
    detail: str
    lon: float
    lat: float
    start_at: datetime
    minutes: int
    item_fen: int
    no_grab_due_at: datetime
    pool_close_due_at: datetime
    member_fen: int = 0
    member_level: str | None = None
    member_until: datetime | None = None
    coupon_id: str | None = None
    coupon_fen: int = 0


_GIVEN = tuple(name for name in (*_FIXED, *_MOVING) if name in Placement.__dataclass_fields__)
_BLANK: dict[str, Any] = dict.fromkeys(name for name in (*_FIXED, *_MOVING) if name != "pool_entered_at") | {
    "lock_epoch": 0,
    "member_fen": 0,
    "coupon_fen": 0,
    "travel_extra_fen": 0,
    "voucher_fen": 0,
    "unbinds": 0,
    "push_round": 1,
    "no_grab_stage": 0,
}
"""What a visit holds before anything has happened to it."""


def place(tx: Tx, new: Placement) -> Job:
    """Write the call, the order, its first event and the visit with the end of the transaction; what will be there."""
    tx.execute_last("homeservice_place", *_place_values(tx, new))
    return _placed(new, tx.now)


async def place_with_coupon(tx: Tx, new: Placement) -> Job:
    """The same, at once, with the coupon the order has locked."""
    values = _place_values(tx, new)
    await tx.execute(f"SELECT homeservice_place({', '.join(f'${n}' for n in range(1, len(values) + 1))})", *values)
    await tx.execute(
        "UPDATE homeservice_orders SET coupon_id = $2, coupon_fen = $3 WHERE order_id = $1",
        new.order_id,
        new.coupon_id,
        new.coupon_fen,
    )
    return _placed(new, tx.now)


def _place_values(tx: Tx, new: Placement) -> tuple[Any, ...]:
    return (
        new.order_id,
        new.no,
        new.customer_id,
        codec.dumps(new.snapshot).decode(),
        tx.now,
        new.item_id,
        new.qty,
        new.region_code,
        new.contact,
        new.phone,
        new.detail,
        new.lon,
        new.lat,
        new.start_at,
        new.minutes,
        new.item_fen,
        new.no_grab_due_at,
        new.pool_close_due_at,
        *calls.insert_values(new.call),
        new.member_fen,
        new.member_level,
        new.member_until,
    )


def _placed(new: Placement, now: datetime) -> Job:
    """The job as the placing function stored it; saves reading it back."""
    order = Order(
        id=new.order_id,
        no=new.no,
        line=LINE,
        kind="service",
        mode="grab",
        parent_id=None,
        customer_id=new.customer_id,
        provider_id=None,
        call_id=new.call.id,
        status=IN_POOL,
        status_before_cancel=None,
        version=1,
        total_fen=0,
        paid_fen=0,
        refunded_fen=0,
        refund_reserved_fen=0,
        snapshot=new.snapshot,
        created_at=now,
        updated_at=now,
        closed_at=None,
    )
    given = {name: getattr(new, name) for name in _GIVEN}
    return Job(order, Visit(**(_BLANK | given), pool_entered_at=now))
