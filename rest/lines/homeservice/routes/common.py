"""What the line's routes share: reading a job's technician, and replying with an order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

import dispatch
from dispatch.model import Worker
from rest.edge.context import Ctx
from rest.edge.reply import PageReply, Reply
from rest.edge.values import Body, PageQuery
from rest.lines.homeservice import store
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.routes.views import EventView, OrderView, is_priced, order_view
from rest.trade import orders
from rest.trade.orders import Role
from rest.trade.pricing import PriceLine
from storage.tx import Tx

Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class ReasonBody(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Reason


async def order_reply(tx: Tx, job: Job, reader: Role, *, status: int | None = None) -> Reply:
    """The order with its version as ETag."""
    worker = await dispatch.get_worker(tx, job.order.provider_id) if job.order.provider_id else None
    location = f"/v1/orders/{job.order.id}" if status == 201 else None
    lines = await _lines(tx, [job])
    view = order_view(job, worker, reader, lines.get(job.order.id, ()))
    return Reply(view, status=status, etag=job.order.version, location=location)


async def order_page(ctx: Ctx, side: str, owner_id: str, reader: Role) -> PageReply[OrderView]:
    """One page of a customer's or technician's orders, newest first."""
    query: PageQuery = ctx.query
    before_id = ctx.before_id
    async with ctx.db.begin() as tx:
        jobs = await store.page(tx, side, owner_id, before_id=before_id, limit=query.limit + 1)
        workers = await _workers(tx, {job.order.provider_id for job in jobs})
        lines = await _lines(tx, jobs)
    return ctx.page(
        jobs,
        view=lambda job: order_view(job, workers.get(job.order.provider_id or ""), reader, lines.get(job.order.id, ())),
        key=lambda job: (job.order.id,),
    )


async def _lines(tx: Tx, jobs: Iterable[Job]) -> dict[str, list[PriceLine]]:
    """The price lines of those of these orders that have a price; asks nothing when none has."""
    priced = {job.order.id: job.visit.lock_epoch for job in jobs if is_priced(job)}
    return await orders.lines_of(tx, priced) if priced else {}


async def _workers(tx: Tx, worker_ids: Iterable[str | None]) -> dict[str, Worker]:
    wanted = sorted(worker_id for worker_id in worker_ids if worker_id is not None)
    return {worker_id: await dispatch.get_worker(tx, worker_id) for worker_id in wanted}


async def event_page(ctx: Ctx, job: Job, tx: Tx, *, for_staff: bool) -> PageReply[EventView]:
    """One page of an order's timeline, oldest first."""
    query: PageQuery = ctx.query
    after_n = int(ctx.after[0]) if ctx.after else 0  # type: ignore[arg-type]  # this list's only key is a number
    found = await orders.events(tx, job.order.id, after_n=after_n, limit=query.limit + 1)
    return ctx.page(found, view=lambda event: EventView.of(event, for_staff=for_staff), key=lambda event: (event.n,))


class Done(msgspec.Struct, frozen=True):
    """It is done; there is nothing else to say."""

    ok: bool = True
