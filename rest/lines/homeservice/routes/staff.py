"""Support's side over HTTP: reading any order, and confirming an arrival. What cases decide is `rest.desk.cases`."""

from __future__ import annotations

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body, Note, Page, PageQuery
from rest.lines.homeservice import actions
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.routes.common import event_page, order_reply
from rest.lines.homeservice.routes.views import EventView, OrderView
from rest.trade import orders
from rest.trade.orders import Role, WrongState
from storage.tx import Tx

READERS = ("support", "finance", "ops", "admin")
SUPPORT = ("support", "admin")


class ArrivalNote(Body, frozen=True, kw_only=True):
    """How support knows that the technician is there."""

    note: Note


async def read_order(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        job = await orders.read_for_staff(tx, HOMESERVICE, ctx.path["order_id"])
        return await order_reply(tx, job, Role.STAFF)


async def list_events(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        job = await orders.read_for_staff(tx, HOMESERVICE, ctx.path["order_id"])
        return await event_page(ctx, job, tx, for_staff=True)


async def confirm_arrival(ctx: Ctx) -> Answer:
    body: ArrivalNote = ctx.body

    async def act(tx: Tx) -> Answer:
        job = await actions.confirm_arrival(tx, ctx.path["order_id"], ctx.actor.account_id, body.note)
        return await order_reply(tx, job, Role.STAFF)

    return await ctx.transact(act)


_TAGS = ("orders", "admin")

ROUTES = [
    Route(
        "GET", "/v1/admin/orders/{order_id}", read_order, "admin_orders.read", "Read any order",
        response=OrderView, has_etag=True, roles=READERS, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/admin/orders/{order_id}/events", list_events, "admin_orders.events", "Any order's timeline",
        query=PageQuery, response=Page[EventView], roles=READERS, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/orders/{order_id}/confirm_arrival", confirm_arrival, "admin_orders.confirm_arrival",
        "Confirm an arrival that the position does not show",
        request=ArrivalNote, response=OrderView, has_etag=True, idempotent="optional", roles=SUPPORT, tags=_TAGS,
        errors=(WrongState,),
    ),
]  # fmt: skip
