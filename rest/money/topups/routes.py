"""Top-ups over HTTP: customers' own, technicians' own, and what ops offer and finance looks at."""

from __future__ import annotations

import dispatch
from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Money, Page, PageQuery
from rest.money.channels import ChannelUnavailable, PaymentView, check_channel, payment_view
from rest.money.topups import actions, store
from rest.money.topups.model import (
    LIMITS,
    Kind,
    Offer,
    OfferUnavailable,
    Tier,
    TierExists,
    TierInactive,
    Topup,
    TopupRuleInvalid,
    WrongTopupState,
    best_offer,
)
from rest.money.topups.views import (
    AdminTopupQuery,
    OwnTopupBody,
    TopupBody,
    TopupGiftView,
    TopupOfferBody,
    TopupOfferChange,
    TopupOffersQuery,
    TopupOffersView,
    TopupOfferView,
    TopupQuery,
    TopupTierBody,
    TopupTierChange,
    TopupTierOffer,
    TopupTierView,
    TopupView,
)
from rest.money.wallet.model import AmountRange
from storage.base.errors import Malformed, NotFound
from storage.tx import Tx

OPS = ("ops", "admin")
FINANCE = ("finance", "admin")
TECHNICIAN = ("technician",)
OWN = [Kind.PLATFORM.value, Kind.RECHARGE.value, Kind.TECHNICIAN.value]
TIERS_MAX = 100


async def list_offers(ctx: Ctx) -> Answer:
    query: TopupOffersQuery = ctx.query
    kind = Kind(query.kind)
    async with ctx.db.begin() as tx:
        tiers = await store.open_tiers(tx, kind, TIERS_MAX)
        offers = await store.offers_of_kind(tx, kind)
        past = await store.past(tx, ctx.actor.account_id, kind)
        now = tx.now
    found = [(tier, best_offer(offers, tier.id, past, now)) for tier in tiers]
    least, most = LIMITS[kind]
    return TopupOffersView(
        kind=kind.value,
        minimum=None if kind is Kind.RECHARGE else Money(least),
        maximum=None if kind is Kind.RECHARGE else Money(most),
        tiers=[
            TopupTierOffer(
                tier_id=tier.id,
                amount=Money(tier.amount_fen),
                offer=TopupGiftView.of(offer) if offer else None,
            )
            for tier, offer in found
        ],
    )


async def create(ctx: Ctx) -> Answer:
    body: TopupBody = ctx.body
    kind = Kind(body.kind)
    check_channel(ctx, body.method)
    if (body.tier_id is None) == (body.amount is None):
        raise Malformed("Give a tier or an amount.", field="tier_id")
    if (kind is Kind.TECHNICIAN) != (body.worker_id is not None):
        raise Malformed("Say for whose orders, where it is for those of one technician.", field="worker_id")

    async def act(tx: Tx) -> Answer:
        made = await actions.create(
            tx,
            ctx.actor.account_id,
            kind,
            method=body.method,
            payer=body.payer,
            amount_fen=body.amount.amount if body.amount is not None else None,
            tier_id=body.tier_id,
            offer_id=body.offer_id,
            worker_id=body.worker_id,
        )
        return Reply(TopupView.of(made), etag=made.version, location=f"/v1/topups/{made.id}")

    return await ctx.transact(act)


async def list_mine(ctx: Ctx) -> Answer:
    return await _page(ctx, OWN)


async def list_worker(ctx: Ctx) -> Answer:
    return await _page(ctx, [Kind.WORKER.value])


async def _page(ctx: Ctx, kinds: list[str]) -> Answer:
    query: TopupQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.of_account(
            tx, ctx.actor.account_id, kinds=kinds, state=query.state, before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=TopupView.of, key=lambda one: (one.id,))


async def _mine(ctx: Ctx, tx: Tx) -> Topup:
    found = await store.find(tx, ctx.path["topup_id"], ctx.actor.account_id)
    if found is None:
        raise NotFound
    return found


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await _mine(ctx, tx)
    return Reply(TopupView.of(found), etag=found.version)


async def read_payment(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await payment_view(tx, (await _mine(ctx, tx)).id)


async def cancel(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        closed = await actions.close(tx, ctx.path["topup_id"], ctx.actor.account_id)
        return Reply(TopupView.of(closed), etag=closed.version)

    return await ctx.transact(act)


async def create_own(ctx: Ctx) -> Answer:
    body: OwnTopupBody = ctx.body
    check_channel(ctx, body.method)

    async def act(tx: Tx) -> Answer:
        worker = await dispatch.worker_of(tx, ctx.actor.account_id)
        if worker is None:
            raise NotFound
        made = await actions.create(
            tx,
            ctx.actor.account_id,
            Kind.WORKER,
            method=body.method,
            payer=body.payer,
            amount_fen=body.amount.amount,
            worker_id=worker.id,
        )
        return Reply(TopupView.of(made), etag=made.version, location=f"/v1/topups/{made.id}")

    return await ctx.transact(act)


async def list_all(ctx: Ctx) -> Answer:
    query: AdminTopupQuery = ctx.query
    kinds = [query.kind] if query.kind else [kind.value for kind in Kind]
    async with ctx.db.begin() as tx:
        found = await store.of_account(
            tx, query.account_id, kinds=kinds, state=query.state, before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=TopupView.of, key=lambda one: (one.id,))


async def create_tier(ctx: Ctx) -> Answer:
    body: TopupTierBody = ctx.body

    async def act(tx: Tx) -> Answer:
        made = await actions.create_tier(
            tx,
            kind=Kind(body.kind),
            amount_fen=body.amount.amount,
            place=body.place,
            active=body.active,
            by_id=ctx.actor.account_id,
        )
        return _tier(made, location=f"/v1/admin/topup_tiers/{made.id}")

    return await ctx.transact(act)


def _tier(tier: Tier, *, location: str | None = None) -> Reply:
    return Reply(TopupTierView.of(tier), etag=tier.version, location=location)


async def list_tiers(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.tiers(tx, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=TopupTierView.of, key=lambda tier: (tier.id,))


async def change_tier(ctx: Ctx) -> Answer:
    body: TopupTierChange = ctx.body

    async def act(tx: Tx) -> Answer:
        tier = await store.tier(tx, ctx.path["tier_id"], lock=True)
        if tier is None:
            raise NotFound
        ctx.expect(tier.version)
        by = ctx.actor.account_id
        return _tier(await actions.change_tier(tx, tier, place=body.place, active=body.active, by_id=by))

    return await ctx.transact(act)


async def create_offer(ctx: Ctx) -> Answer:
    body: TopupOfferBody = ctx.body

    async def act(tx: Tx) -> Answer:
        made = await actions.create_offer(
            tx,
            name=body.name.by_tag(),
            kind=Kind(body.kind),
            tier_ids=tuple(body.tier_ids),
            bonus_fen=body.bonus.amount if body.bonus is not None else 0,
            bonus_points=body.bonus_points,
            bonus_coupon=body.bonus_coupon,
            first_time_only=body.first_time_only,
            valid_from=body.valid_from,
            valid_until=body.valid_until,
            per_account_max=body.per_account_max,
            place=body.place,
            active=body.active,
            by_id=ctx.actor.account_id,
        )
        return _offer(made, location=f"/v1/admin/topup_offers/{made.id}")

    return await ctx.transact(act)


def _offer(offer: Offer, *, location: str | None = None) -> Reply:
    return Reply(TopupOfferView.of(offer), etag=offer.version, location=location)


async def list_all_offers(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.offers(tx, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=TopupOfferView.of, key=lambda offer: (offer.id,))


async def change_offer(ctx: Ctx) -> Answer:
    body: TopupOfferChange = ctx.body

    async def act(tx: Tx) -> Answer:
        offer = await store.offer(tx, ctx.path["offer_id"], lock=True)
        if offer is None:
            raise NotFound
        ctx.expect(offer.version)
        return _offer(await actions.change_offer(tx, offer, body.changes(), by_id=ctx.actor.account_id))

    return await ctx.transact(act)


_TAGS = ("topups",)
_ADMIN = ("topups", "admin")
_READ = {"read": Link("topups.read", {"topup_id": "$response.body#/id"})}
_CREATE = (ChannelUnavailable, AmountRange)

ROUTES = [
    Route(
        "GET", "/v1/topup_offers", list_offers, "topups.offers", "Amounts I may top up, and what I am given for them",
        query=TopupOffersQuery, response=TopupOffersView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/topups", create, "topups.create", "Top up; it is paid over a channel within 15 minutes",
        request=TopupBody, response=TopupView, status=201, idempotent="required", has_etag=True, tags=_TAGS,
        errors=(*_CREATE, NotFound, TierInactive, OfferUnavailable), links=_READ,
        description="How to pay is read from its payment, and told by `payment.ready`.",
    ),
    Route(
        "GET", "/v1/topups", list_mine, "topups.list", "My top-ups, newest first",
        query=TopupQuery, response=Page[TopupView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/topups/{topup_id}", read, "topups.read", "One of my top-ups",
        response=TopupView, has_etag=True, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/topups/{topup_id}/payment", read_payment, "topups.payment", "How to pay a top-up of mine",
        response=PaymentView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/topups/{topup_id}/cancel", cancel, "topups.cancel", "Give up a top-up that is not paid",
        response=TopupView, has_etag=True, idempotent="optional", tags=_TAGS, errors=(WrongTopupState,),
    ),
    Route(
        "POST", "/v1/partner/wallet/topups", create_own, "partner_topups.create",
        "Pay into my technician wallet, for penalties owed",
        request=OwnTopupBody, response=TopupView, status=201, idempotent="required", has_etag=True,
        roles=TECHNICIAN, tags=("technician",), errors=(*_CREATE, NotFound), links=_READ,
    ),
    Route(
        "GET", "/v1/partner/wallet/topups", list_worker, "partner_topups.list",
        "What I have paid into my technician wallet, newest first",
        query=TopupQuery, response=Page[TopupView], roles=TECHNICIAN, tags=("technician",),
    ),
    Route(
        "GET", "/v1/admin/topups", list_all, "admin_topups.list", "Everybody's top-ups, newest first",
        query=AdminTopupQuery, response=Page[TopupView], roles=FINANCE, tags=_ADMIN,
    ),
    Route(
        "POST", "/v1/admin/topup_tiers", create_tier, "topup_tiers.create", "Offer an amount to top up",
        request=TopupTierBody, response=TopupTierView, status=201, idempotent="required", has_etag=True, roles=OPS,
        tags=_ADMIN, errors=(AmountRange, TierExists),
    ),
    Route(
        "GET", "/v1/admin/topup_tiers", list_tiers, "topup_tiers.list", "Amounts to top up, newest first",
        query=PageQuery, response=Page[TopupTierView], roles=OPS, tags=_ADMIN,
    ),
    Route(
        "PATCH", "/v1/admin/topup_tiers/{tier_id}", change_tier, "topup_tiers.change", "Change or withdraw an amount",
        request=TopupTierChange, response=TopupTierView, if_match=True, roles=OPS, tags=_ADMIN, errors=(TierExists,),
    ),
    Route(
        "POST", "/v1/admin/topup_offers", create_offer, "topup_offers.create", "Give something for topping up",
        request=TopupOfferBody, response=TopupOfferView, status=201, idempotent="required", has_etag=True, roles=OPS,
        tags=_ADMIN, errors=(TopupRuleInvalid,),
    ),
    Route(
        "GET", "/v1/admin/topup_offers", list_all_offers, "topup_offers.list",
        "What is given for topping up, newest first",
        query=PageQuery, response=Page[TopupOfferView], roles=OPS, tags=_ADMIN,
    ),
    Route(
        "PATCH", "/v1/admin/topup_offers/{offer_id}", change_offer, "topup_offers.change",
        "Change or end what is given",
        request=TopupOfferChange, response=TopupOfferView, if_match=True, roles=OPS, tags=_ADMIN,
        errors=(TopupRuleInvalid,),
    ),
]  # fmt: skip
