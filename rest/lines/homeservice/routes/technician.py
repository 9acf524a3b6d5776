"""The technician's side over HTTP: settings, items, the pool, and the steps of an order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

import dispatch
from dispatch.model import (
    AlreadyGrabbed,
    Locked,
    NotEligible,
    OfferClosed,
    OrderGone,
    OwnOrder,
    SlotConflict,
)
from dispatch.workers import RadiusRange
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Money, Page, PageQuery
from rest.lines.homeservice import actions, technicians
from rest.lines.homeservice.catalogue import Item, ItemNotFound
from rest.lines.homeservice.errors import (
    AlreadyAnswered,
    CodeInvalid,
    CodeUsed,
    NotConfirmed,
    NotWaiting,
    PositionUnknown,
    StartCodeExpired,
    TooEarly,
    TooFar,
    WaitNotOver,
)
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.pool_list import PoolCall, pool_for
from rest.lines.homeservice.routes.common import Done, ReasonBody, order_page, order_reply
from rest.lines.homeservice.routes.views import OrderView
from rest.lines.homeservice.starting import start_with_code
from rest.lines.homeservice.technicians import HoursInvalid, Me, NotActive, OrderSettings
from rest.trade import orders
from rest.trade.orders import By, Role, WrongState
from storage.tx import Tx

TECHNICIAN = ("technician",)

Minute = Annotated[int, Meta(ge=0, le=1440, description="Minutes after local midnight.")]


class MeView(msgspec.Struct, frozen=True, kw_only=True):
    """The technician with his settings; hours are minutes of the local day."""

    worker_id: str
    display_name: str
    real_name: str
    city: str
    status: str
    online: bool
    score: float
    orders_done: int
    items: list[str]
    takes_pool: bool
    takes_direct: bool
    radius_m: int
    area_code: str
    work_from_min: int
    work_to_min: int
    rest_dates: list[str]
    free_travel_m: int
    auto_accept: bool

    @classmethod
    def of(cls, mine: Me) -> MeView:
        worker, technician = mine.worker, mine.technician
        return cls(
            worker_id=worker.id,
            display_name=worker.display_name,
            real_name=technician.real_name,
            city=technician.city,
            status=technician.status,
            online=worker.online,
            score=worker.score_milli / 1000,
            orders_done=technician.orders_done,
            items=sorted(worker.services),
            takes_pool=worker.takes_pool,
            takes_direct=worker.takes_direct,
            radius_m=worker.radius_m,
            area_code=worker.area_code,
            work_from_min=worker.work_from_min,
            work_to_min=worker.work_to_min,
            rest_dates=[day.isoformat() for day in sorted(worker.rest_dates)],
            free_travel_m=technician.free_travel_m,
            auto_accept=technician.auto_accept,
        )


class SettingsBody(Body, frozen=True, kw_only=True):
    """What shall change; what is left out stays. Equal hours are refused, later `from` than `to` spans midnight."""

    takes_pool: bool | None = None
    takes_direct: bool | None = None
    radius_m: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    work_from_min: Minute | None = None
    work_to_min: Minute | None = None
    rest_dates: Annotated[list[date], Meta(max_length=366)] | None = None
    free_travel_m: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    auto_accept: bool | None = None


class ItemBody(Body, frozen=True, kw_only=True):
    """Whether the item is taken."""

    enabled: bool


class MyItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the technician's region, and whether he takes it."""

    id: str
    name: dict[str, str]
    minutes: int
    price: Money
    enabled: bool

    @classmethod
    def of(cls, item: Item, enabled: bool) -> MyItem:
        return cls(
            id=item.id,
            name=dict(item.name),
            minutes=item.minutes,
            price=Money(item.price_fen),
            enabled=enabled,
        )


class MyItems(msgspec.Struct, frozen=True, kw_only=True):
    data: list[MyItem]


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that fit the technician now, nearest first, then soonest; at most 50. Places are rough (HS-074)."""

    data: list[PoolCall]


class GrabBody(Body, frozen=True, kw_only=True):
    """`req_id` makes the request safe to repeat: the same one gives the same grab."""

    req_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class GrabAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The grab, with the quote the customer sees."""

    grab_id: str
    call_id: str
    state: str
    at: datetime
    quote: dict[str, Any]


class StartBody(Body, frozen=True, kw_only=True):
    """The code the customer shows."""

    code: Annotated[str, Meta(min_length=1, max_length=32)]


async def read_me(ctx: Ctx) -> Answer:
    mine = await ctx.db.run(technicians.me, ctx.actor.account_id)
    return Reply(MeView.of(mine), etag=mine.worker.version)


async def change_settings(ctx: Ctx) -> Answer:
    body: SettingsBody = ctx.body
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    if given["rest_dates"] is not None:
        given["rest_dates"] = frozenset(given["rest_dates"])
    mine = await ctx.db.run(technicians.change_settings, ctx.actor.account_id, OrderSettings(**given))
    return Reply(MeView.of(mine), etag=mine.worker.version)


async def list_items(ctx: Ctx) -> Answer:
    found = await ctx.db.run(technicians.my_items, ctx.actor.account_id)
    return MyItems(data=[MyItem.of(item, enabled) for item, enabled in found])


async def read_item(ctx: Ctx) -> Answer:
    return MyItem.of(*await ctx.db.run(technicians.my_item, ctx.actor.account_id, ctx.path["item_id"]))


async def set_item(ctx: Ctx) -> Answer:
    body: ItemBody = ctx.body
    found = await ctx.db.run(technicians.set_item, ctx.actor.account_id, ctx.path["item_id"], enabled=body.enabled)
    return MyItem.of(*found)


async def go_online(ctx: Ctx) -> Answer:
    return MeView.of(await ctx.db.run(technicians.go_online, ctx.actor.account_id))


async def go_offline(ctx: Ctx) -> Answer:
    return MeView.of(await ctx.db.run(technicians.go_offline, ctx.actor.account_id))


async def read_pool(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        return Pool(data=await pool_for(tx, await dispatch.get_worker(tx, worker_id)))


async def grab(ctx: Ctx) -> Answer:
    body: GrabBody = ctx.body

    async def act(tx: Tx) -> Answer:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        made = await actions.grab(tx, ctx.path["call_id"], worker_id, request_id=body.req_id)
        return GrabAnswer(grab_id=made.id, call_id=made.call_id, state=made.state, at=made.at, quote=made.quote)

    async with ctx.db.turns.take(ctx.path["call_id"]):
        return await ctx.transact(act)


def _on_call(verb: Callable[[Tx, str, str], Awaitable[object]]) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            await verb(tx, ctx.path["call_id"], await technicians.worker_id_of(tx, ctx.actor.account_id))
            return Done()

        return await ctx.transact(act)

    return handle


async def list_orders(ctx: Ctx) -> Answer:
    worker_id = await ctx.db.run(technicians.worker_id_of, ctx.actor.account_id)
    return await order_page(ctx, "worker", worker_id, Role.WORKER)


async def read_order(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        job = await orders.read_for_worker(tx, HOMESERVICE, ctx.path["order_id"], worker_id)
        return await order_reply(tx, job, Role.WORKER)


def _step(verb: Callable[[Tx, str, str], Awaitable[Job]]) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
            return await order_reply(tx, await verb(tx, ctx.path["order_id"], worker_id), Role.WORKER)

        return await ctx.transact(act)

    return handle


async def reject(ctx: Ctx) -> Answer:
    body: ReasonBody = ctx.body
    return await _step(lambda tx, order_id, worker_id: actions.reject(tx, order_id, worker_id, body.reason))(ctx)


async def start(ctx: Ctx) -> Answer:
    body: StartBody = ctx.body
    worker_id = await ctx.db.run(technicians.worker_id_of, ctx.actor.account_id)
    job = await start_with_code(ctx.db, ctx.path["order_id"], worker_id, body.code)
    async with ctx.db.begin() as tx:
        return await order_reply(tx, job, Role.WORKER)


async def ask_help(ctx: Ctx) -> Answer:
    async def verb(tx: Tx, order_id: str, worker_id: str) -> Job:
        job = await orders.lock_for_worker(tx, HOMESERVICE, order_id, worker_id)
        return await actions.ask_help(tx, job, By(Role.WORKER, worker_id))

    return await _step(verb)(ctx)


_ME = ("technician",)
_POOL = ("pool",)
_VISIT = ("visit",)

ROUTES = [
    Route(
        "GET", "/v1/partner/me", read_me, "partner.me", "Read my technician side",
        response=MeView, has_etag=True, roles=TECHNICIAN, tags=_ME, errors=(NotActive,),
    ),
    Route(
        "PATCH", "/v1/partner/settings", change_settings, "partner.change_settings", "Change how I take orders",
        request=SettingsBody, response=MeView, has_etag=True, roles=TECHNICIAN, tags=_ME,
        errors=(NotActive, HoursInvalid, RadiusRange),
    ),
    Route(
        "GET", "/v1/partner/items", list_items, "partner.items", "Items of my region",
        response=MyItems, roles=TECHNICIAN, tags=_ME, errors=(NotActive,),
    ),
    Route(
        "GET", "/v1/partner/items/{item_id}", read_item, "partner.item", "One item of my region",
        response=MyItem, roles=TECHNICIAN, tags=_ME, errors=(NotActive, ItemNotFound),
    ),
    Route(
        "PUT", "/v1/partner/items/{item_id}", set_item, "partner.set_item", "Take an item, or stop taking it",
        request=ItemBody, response=MyItem, roles=TECHNICIAN, tags=_ME, errors=(NotActive, ItemNotFound),
    ),
    Route(
        "POST", "/v1/partner/online", go_online, "partner.online", "Offer me work",
        response=MeView, roles=TECHNICIAN, tags=_ME, errors=(NotActive,),
    ),
    Route(
        "POST", "/v1/partner/offline", go_offline, "partner.offline", "Stop offering me work",
        response=MeView, roles=TECHNICIAN, tags=_ME, errors=(NotActive,),
    ),
    Route(
        "GET", "/v1/partner/pool", read_pool, "partner.pool", "Orders I could grab now",
        response=Pool, roles=TECHNICIAN, tags=_POOL, errors=(NotActive,),
    ),
    Route(
        "POST", "/v1/partner/calls/{call_id}/grab", grab, "partner.grab", "Grab an order",
        request=GrabBody, response=GrabAnswer, idempotent="optional", roles=TECHNICIAN, tags=_POOL,
        errors=(NotActive, AlreadyGrabbed, OrderGone, OfferClosed, SlotConflict, NotEligible, OwnOrder),
    ),
    Route(
        "POST", "/v1/partner/calls/{call_id}/decline", _on_call(actions.decline), "partner.decline", "Decline an offer",
        response=Done, idempotent="optional", roles=TECHNICIAN, tags=_POOL, errors=(NotActive, OfferClosed),
    ),
    Route(
        "POST", "/v1/partner/calls/{call_id}/withdraw", _on_call(actions.withdraw), "partner.withdraw",
        "Take my grab back",
        response=Done, idempotent="optional", roles=TECHNICIAN, tags=_POOL,
        errors=(NotActive, OfferClosed, Locked),
    ),
    Route(
        "GET", "/v1/partner/orders", list_orders, "partner.orders", "Orders I am bound to, newest first",
        query=PageQuery, response=Page[OrderView], roles=TECHNICIAN, tags=_VISIT, errors=(NotActive,),
    ),
    Route(
        "GET", "/v1/partner/orders/{order_id}", read_order, "partner.order", "An order I am bound to",
        response=OrderView, has_etag=True, roles=TECHNICIAN, tags=_VISIT, errors=(NotActive,),
    ),
    Route(
        "POST", "/v1/partner/orders/{order_id}/accept", _step(actions.accept), "partner.accept", "Accept a paid order",
        response=OrderView, idempotent="optional", has_etag=True, roles=TECHNICIAN, tags=_VISIT,
        errors=(NotActive, WrongState, AlreadyAnswered),
    ),
    Route(
        "POST", "/v1/partner/orders/{order_id}/reject", reject, "partner.reject", "Reject a paid order",
        request=ReasonBody, response=OrderView, idempotent="optional", has_etag=True, roles=TECHNICIAN, tags=_VISIT,
        errors=(NotActive, WrongState, AlreadyAnswered),
    ),
    Route(
        "POST", "/v1/partner/orders/{order_id}/depart", _step(actions.depart), "partner.depart", "I am on my way",
        response=OrderView, idempotent="optional", has_etag=True, roles=TECHNICIAN, tags=_VISIT,
        errors=(NotActive, WrongState, TooEarly),
    ),
    Route(
        "POST", "/v1/partner/orders/{order_id}/arrive", _step(actions.arrive), "partner.arrive", "I am at the door",
        response=OrderView, idempotent="optional", has_etag=True, roles=TECHNICIAN, tags=_VISIT,
        errors=(NotActive, WrongState, TooFar, PositionUnknown),
    ),
    Route(
        "POST", "/v1/partner/orders/{order_id}/start", start, "partner.start", "Start with the customer's code",
        request=StartBody, response=OrderView, has_etag=True, roles=TECHNICIAN, tags=_VISIT,
        errors=(NotActive, WrongState, CodeInvalid, StartCodeExpired, CodeUsed),
    ),
    Route(
        "POST", "/v1/partner/orders/{order_id}/leave", _step(actions.leave), "partner.leave", "I have left",
        response=OrderView, idempotent="optional", has_etag=True, roles=TECHNICIAN, tags=_VISIT,
        errors=(NotActive, WrongState, NotConfirmed, NotWaiting, WaitNotOver),
    ),
    Route(
        "POST", "/v1/partner/orders/{order_id}/help", ask_help, "partner.help", "Call all of support for help",
        response=OrderView, idempotent="optional", has_etag=True, roles=TECHNICIAN, tags=_VISIT,
        errors=(NotActive, WrongState),
    ),
]  # fmt: skip
