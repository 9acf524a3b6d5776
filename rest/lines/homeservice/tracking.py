"""What live tracking must know of an order: who watches whom, since when, and where the trip leads (HS-102, 206)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from geo import Point
from rest.lines.homeservice.model import DEPARTED, Job
from rest.lines.homeservice.sharing import shared_order
from rest.lines.homeservice.store import read
from storage.base.errors import NotFound
from storage.postgres import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """`tracked_since` is the instant of departure while the technician is on the way, else None."""

    order_id: str
    customer_id: str
    worker_id: str | None
    version: int
    tracked_since: datetime | None
    destination: Point


def trip_of(job: Job) -> Trip:
    on_the_way = job.order.status == DEPARTED
    return Trip(
        order_id=job.order.id,
        customer_id=job.order.customer_id,
        worker_id=job.order.provider_id,
        version=job.order.version,
        tracked_since=job.visit.departed_at if on_the_way else None,
        destination=job.visit_point,
    )


async def view_trip(db: Database, order_id: str) -> Trip:
    """Whoever asks must have been checked against `customer_id` or a share link. Raises NotFound."""
    async with db.look() as tx:
        job = await read(tx, order_id)
    if job is None:
        raise NotFound
    return trip_of(job)


async def open_share(db: Database, token: str) -> str:
    """The order a share link opens. Raises LinkDead."""
    async with db.begin() as tx:
        return (await shared_order(tx, token)).order.id
