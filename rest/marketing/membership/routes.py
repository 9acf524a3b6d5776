"""Membership over HTTP: customers buy and renew, ops publish levels and look."""

from __future__ import annotations

from rest.edge import PUBLIC
from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page
from rest.marketing.coupons import CouponLocked
from rest.marketing.membership import actions, store
from rest.marketing.membership.model import (
    AlreadyMember,
    BenefitUsed,
    LaterPurchase,
    MemberLevelChanged,
    MemberLevelNotSold,
    MemberPurchase,
    MemberRankTaken,
    MembershipTooLong,
    NotAMember,
    WrongMemberPurchaseState,
)
from rest.marketing.membership.views import (
    AdminMemberPurchaseQuery,
    LevelBody,
    LevelForStaff,
    LevelMemberQuery,
    LevelMemberView,
    LevelQuery,
    LevelVersionQuery,
    LevelView,
    MemberCoupons,
    MemberPurchaseQuery,
    MemberPurchaseView,
    MemberRenewal,
    Memberships,
    MembershipView,
)
from rest.money import signing
from rest.money.cashier.bodies import check_method
from rest.money.channels import ChannelUnavailable, PaymentView, payment_view
from rest.money.ledger import InsufficientFunds
from rest.money.refunds import RefundWindow
from rest.money.signing import Proof
from storage.base.errors import NotFound
from storage.tx import Tx

OPS = ("ops", "admin")
READERS = ("support", *OPS)


async def list_levels(ctx: Ctx) -> Answer:
    query: LevelQuery = ctx.query
    after_rank = int(ctx.after[0]) if ctx.after else 0  # type: ignore[arg-type]  # our own key
    async with ctx.db.begin() as tx:
        found = await store.levels_on_sale(tx, query.line, after_rank=after_rank, limit=query.limit + 1)
    return ctx.page(found, view=LevelView.of, key=lambda level: (level.rank,))


async def buy(ctx: Ctx) -> Answer:
    body: MemberRenewal = ctx.body
    proof = await check_method(ctx, body)

    async def act(tx: Tx) -> Answer:
        made = await actions.buy(
            tx, ctx.actor.account_id, ctx.path["code"], shown=body.version, method=body.method, payer=body.payer
        )
        await _spend(tx, proof, made)
        return _purchase(made, location=f"/v1/member_purchases/{made.id}")

    return await ctx.transact(act)


async def renew(ctx: Ctx) -> Answer:
    body: MemberRenewal = ctx.body
    proof = await check_method(ctx, body)

    async def act(tx: Tx) -> Answer:
        made = await actions.renew(
            tx, ctx.actor.account_id, ctx.path["line"], shown=body.version, method=body.method, payer=body.payer
        )
        await _spend(tx, proof, made)
        return _purchase(made, location=f"/v1/member_purchases/{made.id}")

    return await ctx.transact(act)


async def _spend(tx: Tx, proof: Proof | None, made: MemberPurchase) -> None:
    await signing.spend(tx, proof, action=signing.Action.MEMBERSHIP, subject=made.level, amount_fen=made.price_fen)


def _purchase(one: MemberPurchase, *, location: str | None = None) -> Reply:
    return Reply(MemberPurchaseView.of(one), etag=one.version, location=location)


async def list_memberships(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await store.memberships_of(tx, ctx.actor.account_id)
    return Memberships(data=[MembershipView.of(one) for one in found])


async def list_mine(ctx: Ctx) -> Answer:
    query: MemberPurchaseQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.purchases(
            tx, ctx.actor.account_id, state=query.state, before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=MemberPurchaseView.of, key=lambda one: (one.id,))


async def _mine(ctx: Ctx, tx: Tx) -> MemberPurchase:
    found = await store.purchase(tx, ctx.path["purchase_id"], ctx.actor.account_id)
    if found is None:
        raise NotFound
    return found


async def read_mine(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return _purchase(await _mine(ctx, tx))


async def read_coupons(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return MemberCoupons.of(await store.coupons_of(tx, (await _mine(ctx, tx)).id))


async def read_payment(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await payment_view(tx, (await _mine(ctx, tx)).id)


async def cancel(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return _purchase(await actions.close(tx, ctx.path["purchase_id"], ctx.actor.account_id))

    return await ctx.transact(act)


async def give_back(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return _purchase(await actions.give_back(tx, ctx.path["purchase_id"], ctx.actor.account_id))

    return await ctx.transact(act)


async def publish(ctx: Ctx) -> Answer:
    body: LevelBody = ctx.body

    async def act(tx: Tx) -> Answer:
        made = await actions.publish_level(
            tx,
            body.code,
            line=body.line,
            name=body.name.by_tag(),
            rank=body.rank,
            price_fen=body.price_fen,
            months=body.months,
            discount_bps=body.discount_bps,
            coupon_templates=body.coupon_templates,
            on_sale=body.on_sale,
            by_id=ctx.actor.account_id,
        )
        return LevelForStaff.of(made)

    return await ctx.transact(act)


async def list_versions(ctx: Ctx) -> Answer:
    query: LevelVersionQuery = ctx.query
    before = (str(ctx.after[0]), int(ctx.after[1])) if ctx.after else None  # type: ignore[arg-type]  # our own key
    async with ctx.db.begin() as tx:
        found = await store.level_versions(tx, line=query.line, before=before, limit=query.limit + 1)
    return ctx.page(found, view=LevelForStaff.of, key=lambda one: (one.code, one.version))


async def list_members(ctx: Ctx) -> Answer:
    query: LevelMemberQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.members(
            tx, line=query.line, state=query.state, level=query.level, before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=LevelMemberView.of, key=lambda one: (one.id,))


async def list_purchases(ctx: Ctx) -> Answer:
    query: AdminMemberPurchaseQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.purchases(
            tx, query.account_id, state=query.state, before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=MemberPurchaseView.of, key=lambda one: (one.id,))


_TAGS = ("membership",)
_ADMIN = ("membership", "admin")
_BUYING = (
    NotFound, MemberLevelNotSold, MemberLevelChanged, MembershipTooLong, InsufficientFunds, ChannelUnavailable,
    *signing.REFUSALS,
)  # fmt: skip
_MADE = {"read": Link("member_purchases.read", {"purchase_id": "$response.body#/id"})}

ROUTES = [
    Route(
        "GET", "/v1/member_levels", list_levels, "member_levels.list", "The levels that are sold, the lowest first",
        query=LevelQuery, response=Page[LevelView], roles=PUBLIC, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/member_levels/{code}/buy", buy, "member_levels.buy", "Become a member, or one of a higher level",
        request=MemberRenewal, response=MemberPurchaseView, status=201, idempotent="required", has_etag=True,
        tags=_TAGS, errors=(*_BUYING, AlreadyMember), links=_MADE,
        description="Of the level one has: more months after its end. Of a higher one: it begins at once, and what is "
        "left of the old one is time in front of it. From the wallet at once, over a channel within 15 minutes.",
    ),
    Route(
        "GET", "/v1/memberships", list_memberships, "memberships.list", "What I am a member of, or was",
        response=Memberships, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/memberships/{line}/renew", renew, "memberships.renew", "More months of the level I have",
        request=MemberRenewal, response=MemberPurchaseView, status=201, idempotent="required", has_etag=True,
        tags=_TAGS, errors=(*_BUYING, NotAMember), links=_MADE,
    ),
    Route(
        "GET", "/v1/member_purchases", list_mine, "member_purchases.list", "What I have bought, newest first",
        query=MemberPurchaseQuery, response=Page[MemberPurchaseView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/member_purchases/{purchase_id}", read_mine, "member_purchases.read", "One of my purchases",
        response=MemberPurchaseView, has_etag=True, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/member_purchases/{purchase_id}/coupons", read_coupons, "member_purchases.coupons",
        "The coupons that came with a purchase of mine",
        response=MemberCoupons, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/member_purchases/{purchase_id}/payment", read_payment, "member_purchases.payment",
        "How to pay a purchase of mine",
        response=PaymentView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/member_purchases/{purchase_id}/cancel", cancel, "member_purchases.cancel",
        "Give up a purchase that waits for its money",
        response=MemberPurchaseView, has_etag=True, idempotent="optional", tags=_TAGS,
        errors=(WrongMemberPurchaseState,),
    ),
    Route(
        "POST", "/v1/member_purchases/{purchase_id}/refund", give_back, "member_purchases.refund",
        "Give back the last thing I bought, and have not used",
        response=MemberPurchaseView, has_etag=True, idempotent="required", tags=_TAGS,
        errors=(RefundWindow, BenefitUsed, LaterPurchase, CouponLocked, WrongMemberPurchaseState),
        description="Within 7 days of its payment, if no order was cheaper by it and no coupon of it was used. Its "
        "price returns the way it came, its coupons are gone, and the membership is what it was before.",
    ),
    Route(
        "POST", "/v1/admin/member_levels", publish, "admin_member_levels.publish",
        "Say what a level is from now on",
        request=LevelBody, response=LevelForStaff, status=201, idempotent="required", roles=OPS, tags=_ADMIN,
        errors=(NotFound, MemberRankTaken),
        description="Versions never change: what has been bought keeps its own. One that is not on sale ends a level.",
    ),
    Route(
        "GET", "/v1/admin/member_levels", list_versions, "admin_member_levels.list",
        "All versions of all levels, by code, the newest first",
        query=LevelVersionQuery, response=Page[LevelForStaff], roles=READERS, tags=_ADMIN,
    ),
    Route(
        "GET", "/v1/admin/members", list_members, "admin_members.list", "Who is or was a member, newest first",
        query=LevelMemberQuery, response=Page[LevelMemberView], roles=READERS, tags=_ADMIN,
    ),
    Route(
        "GET", "/v1/admin/member_purchases", list_purchases, "admin_member_purchases.list",
        "What members have bought, newest first",
        query=AdminMemberPurchaseQuery, response=Page[MemberPurchaseView], roles=READERS, tags=_ADMIN,
    ),
]  # fmt: skip
