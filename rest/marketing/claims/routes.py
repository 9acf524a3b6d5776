"""Coupons that people may take, over HTTP."""

from __future__ import annotations

from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.marketing import coupons, membership
from rest.marketing.claims import actions
from rest.marketing.coupons.model import CouponLimit, CouponNotOpen, CouponSoldOut, MembersOnly
from rest.marketing.coupons.views import CouponView, OfferView
from storage.tx import Tx


async def list_offers(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        member_of = await membership.levels_of(tx, ctx.actor.account_id)
        found = await coupons.offers(tx, member_of, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=OfferView.of, key=lambda template: (template.id,))


async def claim(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        held = await actions.claim(tx, ctx.path["template_id"], ctx.actor.account_id)
        return Reply(CouponView.of(held), etag=held.coupon.version, location=f"/v1/coupons/{held.coupon.id}")

    return await ctx.transact(act)


_TAGS = ("coupons",)

ROUTES = [
    Route(
        "GET", "/v1/coupon_templates", list_offers, "coupons.offers", "Coupons I may take now, newest first",
        query=PageQuery, response=Page[OfferView], tags=_TAGS,
    ),
    Route(
        "POST", "/v1/coupon_templates/{template_id}/claim", claim, "coupons.claim", "Take a coupon",
        response=CouponView, status=201, idempotent="required", has_etag=True, tags=_TAGS,
        errors=(CouponNotOpen, CouponSoldOut, CouponLimit, MembersOnly),
        links={"read": Link("coupons.read", {"coupon_id": "$response.body#/id"})},
        description="One for members is for whoever is a member at that moment; taken, it outlives the membership.",
    ),
]  # fmt: skip
