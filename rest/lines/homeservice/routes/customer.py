"""The customer's side over HTTP: what can be ordered, own orders, candidates, the visit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

import dispatch
from dispatch.model import CandidateGone, Locked
from geo import Point, check_point
from geo.areas import RegionCodeInvalid, normalize_code
from geo.datum import to_wgs84
from geo.point import PositionInvalid
from rest.edge.context import Ctx
from rest.edge.registry import PUBLIC, Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import (
    Body,
    Id,
    Instant,
    Latitude,
    Line,
    Longitude,
    Money,
    Page,
    PageQuery,
    Query,
)
from rest.lines.homeservice import actions, candidates, catalogue, codes, sharing
from rest.lines.homeservice.catalogue import Item, ItemNotFound, RegionNotServed
from rest.lines.homeservice.errors import TimePast, TimeTooFar
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import ARRIVED, DEPARTED, Job
from rest.lines.homeservice.regions import region_of
from rest.lines.homeservice.routes.common import ReasonBody, event_page, order_page, order_reply
from rest.lines.homeservice.routes.views import EventView, GrabView, OrderView
from rest.lines.homeservice.rules import current_rules
from rest.marketing.coupons import CouponLocked, CouponNotApplicable
from rest.trade import orders
from rest.trade.orders import By, Role, WrongState
from rest.trade.pricing import PriceChanged
from storage.base.errors import Malformed, NotFound
from storage.tx import Tx

Datum = Literal["wgs84", "gcj02"]
RegionText = Annotated[str, Meta(min_length=1, max_length=12)]
ItemId = Annotated[str, Meta(min_length=1, max_length=40)]
Qty = Annotated[int, Meta(ge=1, le=10)]
QuoteHash = Annotated[str, Meta(min_length=1, max_length=64, description="Names the price you were shown.")]


class ItemQuery(Query, frozen=True, kw_only=True):
    """A place (`lon`, `lat`, `crs`) or a district (`region_code`, with or without the country prefix 156)."""

    lon: Longitude | None = None
    lat: Latitude | None = None
    crs: Datum = "wgs84"
    region_code: RegionText | None = None


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """An item at its region's price; names and details by language tag."""

    id: str
    name: dict[str, str]
    detail: dict[str, str]
    minutes: int
    price: Money

    @classmethod
    def of(cls, item: Item) -> ItemView:
        return cls(
            id=item.id,
            name=dict(item.name),
            detail=dict(item.detail),
            minutes=item.minutes,
            price=Money(item.price_fen),
        )


class ItemList(msgspec.Struct, frozen=True, kw_only=True):
    """What can be ordered in a region, cheapest first."""

    region_code: str
    data: list[ItemView]


class AddressBody(Body, frozen=True, kw_only=True):
    """Where the technician comes to, and whom he asks for."""

    contact: Annotated[str, Meta(min_length=1, max_length=50)]
    phone: Annotated[str, Meta(pattern=r"^\+?[0-9]{7,15}$")]
    detail: Line
    lon: Longitude
    lat: Latitude
    crs: Datum = "wgs84"


class PlaceBody(Body, frozen=True, kw_only=True):
    """An order into the grab pool. `quote_hash` of a quote: refused when the items cost something else by now."""

    line: Literal["homeservice"]
    mode: Literal["grab"]
    item_id: ItemId
    qty: Qty = 1
    start_at: Instant
    address: AddressBody
    coupon_id: Id | None = None
    quote_hash: QuoteHash | None = None


class ChooseBody(Body, frozen=True, kw_only=True):
    """One of the candidates."""

    grab_id: Id
    quote_hash: QuoteHash | None = None


class RescheduleBody(Body, frozen=True, kw_only=True):
    """When the visit shall start instead."""

    start_at: Instant


class GrabList(msgspec.Struct, frozen=True, kw_only=True):
    """The candidates of an order, first come first, at most 200."""

    data: list[GrabView]


class ServiceCodeView(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer shows the technician to start."""

    code: str
    expires_at: datetime


class ShareView(msgspec.Struct, frozen=True, kw_only=True):
    """A link by which others may watch this order; the token is shown this once."""

    id: str
    url: str
    token: str
    expires_at: datetime


class PlaceMissing(Malformed):
    """Give a place (lon and lat) or a region_code."""

    code = "place_missing"


async def list_items(ctx: Ctx) -> Answer:
    query: ItemQuery = ctx.query
    region_code = await region_asked(ctx, query)
    async with ctx.db.begin() as tx:
        items = await catalogue.items_in(tx, region_code)
    return ItemList(region_code=region_code, data=[ItemView.of(item) for item in items])


class Somewhere(Protocol):
    """A request that names a place or a district."""

    @property
    def lon(self) -> float | None: ...

    @property
    def lat(self) -> float | None: ...

    @property
    def crs(self) -> Datum: ...

    @property
    def region_code(self) -> str | None: ...


async def region_asked(ctx: Ctx, where: Somewhere) -> str:
    """The district that is meant. Raises PlaceMissing, RegionCodeInvalid, PositionInvalid, RegionNotServed."""
    if where.region_code is not None:
        return normalize_code(where.region_code)
    if where.lon is None or where.lat is None:
        raise PlaceMissing
    return await _region_of(ctx, to_wgs84(check_point(where.lon, where.lat), where.crs))


async def _region_of(ctx: Ctx, point: Point) -> str:
    return await region_of(ctx.app, point)


async def place(ctx: Ctx) -> Answer:
    body: PlaceBody = ctx.body
    address = body.address
    point = to_wgs84(check_point(address.lon, address.lat), address.crs)
    wanted = actions.Wanted(
        item_id=body.item_id,
        qty=body.qty,
        start_at=body.start_at,
        contact=address.contact,
        phone=address.phone,
        detail=address.detail,
        point=point,
        region_code=await _region_of(ctx, point),
        coupon_id=body.coupon_id,
        quote_hash=body.quote_hash,
    )

    async def act(tx: Tx) -> Answer:
        job = await actions.post(tx, current_rules(), ctx.actor.account_id, wanted)
        return await order_reply(tx, job, Role.CUSTOMER, status=201)

    return await ctx.transact(act, light=body.coupon_id is None)  # a coupon is locked before the order is written


async def list_orders(ctx: Ctx) -> Answer:
    return await order_page(ctx, "customer", ctx.actor.account_id, Role.CUSTOMER)


async def read_order(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await order_reply(tx, await _mine(ctx, tx), Role.CUSTOMER)


async def list_events(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await event_page(ctx, await _mine(ctx, tx), tx, for_staff=False)


async def list_grabs(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        job = await _mine(ctx, tx)
        grabs = await candidates.shown_grabs(tx, job.order.call_id or "")
        quotes = await actions.quotes_now(tx, job, grabs)
        shown = [GrabView.of(grab, await dispatch.get_worker(tx, grab.worker_id), quotes[grab.id]) for grab in grabs]
    return GrabList(data=shown)


async def _mine(ctx: Ctx, tx: Tx) -> Job:
    return await orders.read_for_customer(tx, HOMESERVICE, ctx.path["order_id"], ctx.actor.account_id)


def _step(verb: Callable[[Tx, str, str], Awaitable[Job]]) -> Callable[[Ctx], Awaitable[Answer]]:
    """A handler of a verb that needs nothing but the order."""

    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            job = await verb(tx, ctx.path["order_id"], ctx.actor.account_id)
            return await order_reply(tx, job, Role.CUSTOMER)

        return await ctx.transact(act)

    return handle


async def choose(ctx: Ctx) -> Answer:
    body: ChooseBody = ctx.body

    async def verb(tx: Tx, order_id: str, account_id: str) -> Job:
        return await actions.choose(tx, order_id, account_id, body.grab_id, shown=body.quote_hash)

    return await _step(verb)(ctx)


async def cancel(ctx: Ctx) -> Answer:
    body: ReasonBody = ctx.body
    return await _step(lambda tx, order_id, account_id: actions.cancel(tx, order_id, account_id, body.reason))(ctx)


async def reschedule(ctx: Ctx) -> Answer:
    body: RescheduleBody = ctx.body
    return await _step(lambda tx, order_id, account_id: actions.reschedule(tx, order_id, account_id, body.start_at))(
        ctx
    )


async def show_code(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        job = await orders.lock_for_customer(tx, HOMESERVICE, ctx.path["order_id"], ctx.actor.account_id)
        if job.order.status not in {DEPARTED, ARRIVED}:
            raise WrongState(status=job.order.status, verb="service_code")
        issued = await codes.issue(tx, job.order.id, job.rules.code_ttl_s)
        return ServiceCodeView(code=issued.code, expires_at=issued.expires_at)

    return await ctx.transact(act)


async def share(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        made = await sharing.share(tx, ctx.path["order_id"], ctx.actor.account_id)
        # After the hash sign: what is there reaches no server log.
        return ShareView(id=made.id, url=f"/track#{made.token}", token=made.token, expires_at=made.expires_at)

    return await ctx.transact(act)


async def revoke_shares(ctx: Ctx) -> Answer:
    await ctx.db.run(sharing.revoke_shares, ctx.path["order_id"], ctx.actor.account_id)
    return Reply(status=204)


async def ask_help(ctx: Ctx) -> Answer:
    async def verb(tx: Tx, order_id: str, account_id: str) -> Job:
        job = await orders.lock_for_customer(tx, HOMESERVICE, order_id, account_id)
        return await actions.ask_help(tx, job, By(Role.CUSTOMER, account_id))

    return await _step(verb)(ctx)


_ORDER = {"order_id": "$response.body#/id"}
_LINKS = {
    "read": Link("orders.read", _ORDER),
    "events": Link("orders.events", _ORDER),
    "grabs": Link("orders.grabs", _ORDER),
    "cancel": Link("orders.cancel", _ORDER),
}
_TAGS = ("orders",)

ROUTES = [
    Route(
        "GET", "/v1/items", list_items, "items.list", "What can be ordered at a place or in a district",
        query=ItemQuery, response=ItemList, roles=PUBLIC, tags=("catalogue",),
        errors=(RegionNotServed, RegionCodeInvalid, PlaceMissing, PositionInvalid),
    ),
    Route(
        "POST", "/v1/orders", place, "orders.place", "Post an order into the grab pool",
        request=PlaceBody, response=OrderView, status=201, idempotent="required", tags=_TAGS, links=_LINKS,
        has_etag=True,
        errors=(
            RegionNotServed, ItemNotFound, TimePast, TimeTooFar, PositionInvalid, CouponLocked, CouponNotApplicable,
            PriceChanged,
        ),
    ),
    Route(
        "GET", "/v1/orders", list_orders, "orders.list", "List my orders, newest first",
        query=PageQuery, response=Page[OrderView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/orders/{order_id}", read_order, "orders.read", "Read my order",
        response=OrderView, has_etag=True, tags=_TAGS, links=_LINKS,
    ),
    Route(
        "GET", "/v1/orders/{order_id}/events", list_events, "orders.events", "The order's timeline",
        query=PageQuery, response=Page[EventView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/orders/{order_id}/grabs", list_grabs, "orders.grabs", "The candidates of my order",
        response=GrabList, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/orders/{order_id}/choose", choose, "orders.choose", "Choose a candidate; pay within 3 minutes",
        request=ChooseBody, response=OrderView, idempotent="optional", tags=_TAGS, has_etag=True,
        errors=(WrongState, CandidateGone, Locked, PriceChanged),
    ),
    Route(
        "POST", "/v1/orders/{order_id}/cancel", cancel, "orders.cancel", "Cancel, before the service begins",
        request=ReasonBody, response=OrderView, idempotent="optional", tags=_TAGS, has_etag=True,
        errors=(WrongState,), description="At once if unpaid and unlocked; else support decides; may cost a penalty.",
    ),
    Route(
        "POST", "/v1/orders/{order_id}/reschedule", reschedule, "orders.reschedule", "Move an unpaid pool order",
        request=RescheduleBody, response=OrderView, idempotent="optional", tags=_TAGS, has_etag=True,
        errors=(WrongState, TimePast, TimeTooFar), description="Grabs are void and technicians are asked again.",
    ),
    Route(
        "POST", "/v1/orders/{order_id}/service_code", show_code, "orders.service_code", "A code to start the service",
        response=ServiceCodeView, status=201, tags=_TAGS, errors=(WrongState,),
        description="Valid once and for five minutes; a new one replaces it.",
    ),
    Route(
        "POST", "/v1/orders/{order_id}/end", _step(actions.end), "orders.end", "End the running service",
        response=OrderView, idempotent="optional", tags=_TAGS, has_etag=True, errors=(WrongState,),
    ),
    Route(
        "POST", "/v1/orders/{order_id}/confirm_left", _step(actions.confirm_left), "orders.confirm_left",
        "Confirm that the technician left",
        response=OrderView, idempotent="optional", tags=_TAGS, has_etag=True, errors=(WrongState,),
    ),
    Route(
        "POST", "/v1/orders/{order_id}/help", ask_help, "orders.help", "Call all of support for help",
        response=OrderView, idempotent="optional", tags=_TAGS, has_etag=True, errors=(WrongState,),
    ),
    Route(
        "POST", "/v1/orders/{order_id}/share", share, "orders.share", "Make a link by which others may watch",
        response=ShareView, status=201, tags=_TAGS, errors=(WrongState,),
    ),
    Route(
        "DELETE", "/v1/orders/{order_id}/share", revoke_shares, "orders.unshare", "Take all links back",
        status=204, tags=_TAGS, errors=(NotFound,),
    ),
]  # fmt: skip
