"""Prices before anybody is chosen, over HTTP: a dry run, and which of the caller's coupons would be good for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from geo.areas import RegionCodeInvalid
from geo.point import PositionInvalid
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body, Id, Latitude, Longitude, Money, Page, PageQuery
from rest.lines.homeservice import catalogue, prices
from rest.lines.homeservice.catalogue import ItemNotFound, RegionNotServed
from rest.lines.homeservice.routes.customer import Datum, ItemId, PlaceMissing, Qty, RegionText, region_asked
from rest.lines.homeservice.routes.views import LineView
from rest.marketing import coupons
from rest.marketing.coupons import Choice, CouponLocked, CouponNotApplicable
from rest.trade.pricing import Discount, quote_hash, total


class ChoiceQuery(PageQuery, frozen=True, kw_only=True):
    """Which item, how many, and where: a place (`lon`, `lat`, `crs`) or a district (`region_code`)."""

    item_id: ItemId
    qty: Qty = 1
    lon: Longitude | None = None
    lat: Latitude | None = None
    crs: Datum = "wgs84"
    region_code: RegionText | None = None


class QuoteBody(Body, frozen=True, kw_only=True):
    """An order as it would be posted, at a place or in a district."""

    line: Literal["homeservice"]
    mode: Literal["grab"]
    item_id: ItemId
    qty: Qty = 1
    lon: Longitude | None = None
    lat: Latitude | None = None
    crs: Datum = "wgs84"
    region_code: RegionText | None = None
    coupon_id: Id | None = None


class ChoiceView(msgspec.Struct, frozen=True, kw_only=True):
    """One own coupon for this item: `amount` is what the items cost with it, and as a member; `reason` says why it is
    not usable."""

    coupon_id: str
    name: Mapping[str, str]
    valid_until: datetime
    usable: bool
    reason: str | None
    discount: Money
    amount: Money


class PriceQuote(msgspec.Struct, frozen=True, kw_only=True):
    """The price of the items. Travel is added by who is chosen: his distance decides."""

    region_code: str
    lines: list[LineView]
    total: Money
    quote_hash: str


async def _item_fen(ctx: Ctx, item_id: str, region_code: str, qty: int) -> tuple[int, Discount | None]:
    """What the items cost, and what the caller has off as a member."""
    async with ctx.db.begin() as tx:
        found = await catalogue.item_in(tx, region_code, item_id, account_id=ctx.actor.account_id)
    item_fen = found.item.price_fen * qty
    return item_fen, prices.member_off(found.rights, item_fen)


def _left_fen(item_fen: int, member: Discount | None) -> int:
    return item_fen - (member.amount_fen if member is not None else 0)


async def list_choices(ctx: Ctx) -> Answer:
    query: ChoiceQuery = ctx.query
    region_code = await region_asked(ctx, query)
    left_fen = _left_fen(*await _item_fen(ctx, query.item_id, region_code, query.qty))
    async with ctx.db.begin() as tx:
        found = await coupons.choices(
            tx,
            ctx.actor.account_id,
            prices.purchase(query.item_id, region_code, left_fen),
            before_id=ctx.before_id,
            limit=query.limit + 1,
        )
    return ctx.page(found, view=lambda one: _choice(one, left_fen), key=lambda one: (one.held.coupon.id,))


def _choice(choice: Choice, left_fen: int) -> ChoiceView:
    return ChoiceView(
        coupon_id=choice.held.coupon.id,
        name=choice.held.name,
        valid_until=choice.held.coupon.valid_until,
        usable=choice.reason is None,
        reason=choice.reason.value if choice.reason is not None else None,
        discount=Money(choice.discount_fen),
        amount=Money(left_fen - choice.discount_fen),
    )


async def quote(ctx: Ctx) -> Answer:
    body: QuoteBody = ctx.body
    region_code = await region_asked(ctx, body)
    item_fen, member = await _item_fen(ctx, body.item_id, region_code, body.qty)
    coupon: Discount | None = None
    if body.coupon_id is not None:
        for_this = prices.purchase(body.item_id, region_code, _left_fen(item_fen, member))
        async with ctx.db.begin() as tx:
            off = await coupons.look(tx, body.coupon_id, ctx.actor.account_id, for_this)
        coupon = prices.coupon_of(body.coupon_id, off)
    lines = prices.lines_before(body.item_id, body.qty, item_fen, member, coupon)
    return PriceQuote(
        region_code=region_code,
        lines=[LineView.of(line) for line in lines],
        total=Money(total(lines)),
        quote_hash=quote_hash(lines),
    )


_PLACE = (RegionNotServed, RegionCodeInvalid, PlaceMissing, PositionInvalid, ItemNotFound)

ROUTES = [
    Route(
        "GET", "/v1/usable_coupons", list_choices, "coupons.usable",
        "Which of my coupons are good for this item, and why the others are not",
        query=ChoiceQuery, response=Page[ChoiceView], tags=("coupons",), errors=_PLACE,
    ),
    Route(
        "POST", "/v1/quotes", quote, "quotes.make", "What an order would cost; nothing is kept",
        request=QuoteBody, response=PriceQuote, tags=("orders",), errors=(*_PLACE, CouponLocked, CouponNotApplicable),
    ),
]  # fmt: skip
