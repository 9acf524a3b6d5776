"""The field at a glance over HTTP: everybody online in one answer, one worker, and the pulse of the pool.

A map reads this once and then lives from the socket (`/desk`, `watch`); no list of pages could be as of one instant.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from dispatch.model import WorkerNotFound
from dispatch.store import overview
from dispatch.store.overview import Seen
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Id, Query
from rest.trade.orders.running import Running, running_of, running_orders
from storage.tx import Tx

STAFF = ("support", "ops", "admin")

WORKERS_MAX = 20_000
"""More than one map can show; about 5 MB."""

OFFERED_MAX = 5_000
"""Asked for every few seconds by every open map; 160 kB at worst."""

ON_THE_ROAD = ("departed", "arrived", "in_service")
"""Statuses that say where a worker is, in every line that sends somebody."""

PULSE = timedelta(minutes=1)


class FieldQuery(Query, frozen=True, kw_only=True):
    """`ids`: just these workers, online or not, as a comma-separated list; everybody online without."""

    ids: Annotated[list[Id], Meta(min_length=1, max_length=100)] | None = None


class Place(msgspec.Struct, frozen=True):
    """The last position on record, WGS-84, and when it was true."""

    lon: float
    lat: float
    heading_deg: float | None
    at: datetime


class RunningView(msgspec.Struct, frozen=True):
    """The order a worker is at."""

    id: str
    line: str
    status: str

    @classmethod
    def of(cls, order: Running | None) -> RunningView | None:
        return None if order is None else cls(order.order_id, order.line, order.status)


class SeenView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker on the map. `state` is what the pool knows: free, locked, booked, offline; `order` what he is at."""

    id: str
    display_name: str
    state: str
    position: Place | None
    order: RunningView | None

    @classmethod
    def of(cls, seen: Seen, order: Running | None) -> SeenView:
        return cls(
            id=seen.worker_id,
            display_name=seen.display_name,
            state=seen.doing,
            position=_place(seen),
            order=RunningView.of(order),
        )


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One worker with what decides about offers to him. `services`: how many he does."""

    id: str
    display_name: str
    state: str
    area_code: str
    radius_m: int
    score_milli: int
    services: int
    takes_pool: bool
    takes_direct: bool
    open_offers: int
    position: Place | None
    order: RunningView | None


class Field(msgspec.Struct, frozen=True):
    """Workers as of one instant. `is_cut`: there are more than this answer may hold."""

    at: datetime
    is_cut: bool
    data: Annotated[list[SeenView], Meta(max_length=WORKERS_MAX)]


class Pulse(msgspec.Struct, frozen=True):
    """What the last minute brought, and which workers have an offer to answer now (at most OFFERED_MAX of them)."""

    at: datetime
    offers: int
    grabs: int
    offered: Annotated[list[str], Meta(max_length=OFFERED_MAX)]


def _place(seen: Seen) -> Place | None:
    if seen.point is None or seen.at is None:
        return None
    return Place(round(seen.point.lon, 6), round(seen.point.lat, 6), seen.heading_deg, seen.at)


async def list_field(ctx: Ctx) -> Answer:
    wanted: FieldQuery = ctx.query

    async def read(tx: Tx) -> Field:
        if wanted.ids:
            found = await overview.some(tx, wanted.ids)
        else:
            found = await overview.everybody_online(tx, limit=WORKERS_MAX + 1)
        # Newest first, so that the newest order of a worker is the one that stays.
        running = {one.worker_id: one for one in reversed(await running_orders(tx, ON_THE_ROAD, limit=WORKERS_MAX))}
        shown = [SeenView.of(seen, running.get(seen.worker_id)) for seen in found[:WORKERS_MAX]]
        return Field(tx.now, len(found) > WORKERS_MAX, shown)

    return await ctx.db.run(read)


async def get_worker(ctx: Ctx) -> Answer:
    async def read(tx: Tx) -> WorkerView:
        seen = await overview.one(tx, ctx.path["worker_id"])
        if seen is None:
            raise WorkerNotFound
        return WorkerView(
            id=seen.worker_id,
            display_name=seen.display_name,
            state=seen.doing,
            area_code=seen.area_code,
            radius_m=seen.radius_m,
            score_milli=seen.score_milli,
            services=seen.services,
            takes_pool=seen.takes_pool,
            takes_direct=seen.takes_direct,
            open_offers=seen.open_offers,
            position=_place(seen),
            order=RunningView.of(await running_of(tx, seen.worker_id)),
        )

    return await ctx.db.run(read)


async def get_pulse(ctx: Ctx) -> Answer:
    async def read(tx: Tx) -> Pulse:
        offers, grabs = await overview.made_since(tx, PULSE)
        return Pulse(tx.now, offers, grabs, await overview.offered(tx, limit=OFFERED_MAX))

    return await ctx.db.run(read)


ROUTES = (
    Route(
        "GET", "/v1/workers", list_field, "workers.online", "Everybody who is online, as of one instant",
        query=FieldQuery, response=Field, roles=STAFF, tags=("dispatch",),
    ),
    Route(
        "GET", "/v1/workers/{worker_id}", get_worker, "workers.get", "One worker",
        response=WorkerView, roles=STAFF, errors=(WorkerNotFound,), tags=("dispatch",),
    ),
    Route(
        "GET", "/v1/pulse", get_pulse, "pool.pulse", "Offers and grabs of the last minute, and who is offered work now",
        response=Pulse, roles=STAFF, tags=("dispatch",),
    ),
)  # fmt: skip
