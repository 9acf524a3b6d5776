"""Coupons over HTTP: people's own, and what staff offer and give. How people take one is in `marketing.claims`."""

from __future__ import annotations

from chat import cases
from rest import people
from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page
from rest.marketing.coupons import actions, store
from rest.marketing.coupons.model import (
    CouponGiftLimit,
    CouponLimit,
    CouponNotOpen,
    CouponQuota,
    CouponSoldOut,
    CouponState,
    CouponTermsFixed,
    CouponTermsInvalid,
    Template,
)
from rest.marketing.coupons.views import (
    STATES,
    CountsView,
    CouponQuery,
    CouponView,
    GiftBody,
    GiftQuery,
    GiftView,
    TemplateBody,
    TemplateChange,
    TemplateQuery,
    TemplateView,
)
from storage.base.errors import NotFound
from storage.tx import Tx

OPS = ("ops", "admin")
GIVERS = ("ops", "admin", "support")


async def list_mine(ctx: Ctx) -> Answer:
    query: CouponQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.of_account(
            tx, ctx.actor.account_id, STATES[query.state], before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=CouponView.of, key=lambda held: (held.coupon.id,))


async def read_mine(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        held = await store.find(tx, ctx.path["coupon_id"], ctx.actor.account_id)
    if held is None:
        raise NotFound
    return Reply(CouponView.of(held), etag=held.coupon.version)


async def create(ctx: Ctx) -> Answer:
    body: TemplateBody = ctx.body

    async def act(tx: Tx) -> Answer:
        made = await actions.create_template(
            tx,
            name=body.name.by_tag(),
            terms=body.terms.terms(),
            quota=body.quota,
            per_account_max=body.per_account_max,
            claimable=body.claimable,
            members=body.members.members() if body.members is not None else None,
            active=body.active,
            by_id=ctx.actor.account_id,
        )
        return _template(made, location=f"/v1/admin/coupon_templates/{made.id}")

    return await ctx.transact(act)


async def list_templates(ctx: Ctx) -> Answer:
    query: TemplateQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.templates(tx, active=query.active, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=TemplateView.of, key=lambda template: (template.id,))


async def read_template(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return _template(await actions.read_template(tx, ctx.path["template_id"]))


async def change(ctx: Ctx) -> Answer:
    body: TemplateChange = ctx.body

    async def act(tx: Tx) -> Answer:
        template = await actions.lock_template(tx, ctx.path["template_id"])
        ctx.expect(template.version)
        return _template(await actions.change_template(tx, template, body.changes()))

    return await ctx.transact(act)


def _template(template: Template, *, location: str | None = None) -> Reply:
    return Reply(TemplateView.of(template), etag=template.version, location=location)


async def read_counts(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        template = await actions.read_template(tx, ctx.path["template_id"])
        counts = await store.counts(tx, template.id)
    found = {state.value: counts.get(state.value, 0) for state in CouponState}
    return CountsView(left=template.quota - template.issued, **found)


async def give(ctx: Ctx) -> Answer:
    body: GiftBody = ctx.body

    async def act(tx: Tx) -> Answer:
        for account_id in body.account_ids:
            await people.account_of(tx, account_id)
        if body.case_id is not None:
            await cases.find_case(tx, body.case_id)
        gift, _ = await actions.give(
            tx,
            ctx.path["template_id"],
            body.account_ids,
            by_id=ctx.actor.account_id,
            reason=body.reason,
            case_id=body.case_id,
            limited=not ctx.actor.has_any(OPS),
        )
        return GiftView.of(gift)

    return await ctx.transact(act)


async def list_gifts(ctx: Ctx) -> Answer:
    query: GiftQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.gifts(tx, template_id=query.template_id, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=GiftView.of, key=lambda gift: (gift.id,))


_TAGS = ("coupons",)
_ADMIN = ("coupons", "admin")
_TEMPLATE = {"template_id": "$response.body#/id"}
_STOCK = (CouponNotOpen, CouponSoldOut, CouponLimit)

ROUTES = [
    Route(
        "GET", "/v1/coupons", list_mine, "coupons.list", "My coupons, newest first",
        query=CouponQuery, response=Page[CouponView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/coupons/{coupon_id}", read_mine, "coupons.read", "One of my coupons",
        response=CouponView, has_etag=True, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/coupon_templates", create, "coupon_templates.create", "Offer a new kind of coupon",
        request=TemplateBody, response=TemplateView, status=201, idempotent="required", has_etag=True, roles=OPS,
        tags=_ADMIN, errors=(CouponTermsInvalid,),
        links={
            "read": Link("coupon_templates.read", _TEMPLATE),
            "claim": Link("coupons.claim", _TEMPLATE),
            "counts": Link("coupon_templates.counts", _TEMPLATE),
        },
    ),
    Route(
        "GET", "/v1/admin/coupon_templates", list_templates, "coupon_templates.list", "Kinds of coupons, newest first",
        query=TemplateQuery, response=Page[TemplateView], roles=OPS, tags=_ADMIN,
    ),
    Route(
        "GET", "/v1/admin/coupon_templates/{template_id}", read_template, "coupon_templates.read",
        "Read a kind of coupon",
        response=TemplateView, has_etag=True, roles=GIVERS, tags=_ADMIN,
    ),
    Route(
        "PATCH", "/v1/admin/coupon_templates/{template_id}", change, "coupon_templates.change",
        "Change a kind of coupon",
        request=TemplateChange, response=TemplateView, if_match=True, roles=OPS, tags=_ADMIN,
        errors=(CouponTermsInvalid, CouponTermsFixed, CouponQuota),
        description="Coupons in people's hands keep what they promise: terms change only while there are none.",
    ),
    Route(
        "GET", "/v1/admin/coupon_templates/{template_id}/counts", read_counts, "coupon_templates.counts",
        "How many coupons are out",
        response=CountsView, roles=OPS, tags=_ADMIN,
    ),
    Route(
        "POST", "/v1/admin/coupon_templates/{template_id}/gifts", give, "coupon_templates.give",
        "Give people a coupon",
        request=GiftBody, response=GiftView, status=201, idempotent="required", roles=GIVERS, tags=_ADMIN,
        errors=(*_STOCK, CouponGiftLimit), description="All of them get one, or nobody. Support gives in a case.",
    ),
    Route(
        "GET", "/v1/admin/coupon_gifts", list_gifts, "coupon_gifts.list", "Coupons given by staff, newest first",
        query=GiftQuery, response=Page[GiftView], roles=OPS, tags=_ADMIN,
    ),
]  # fmt: skip
