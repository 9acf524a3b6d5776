"""The points mall over HTTP: customers buy, ops sell and deliver."""

from __future__ import annotations

from dataclasses import replace

from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.marketing.coupons import CouponLocked, CouponUsed
from rest.marketing.points_mall import actions, refunding, store
from rest.marketing.points_mall.model import (
    ConfirmRequired,
    NotRefundable,
    Product,
    ProductLimit,
    ProductOutOfStock,
    Purchase,
    WrongPurchaseState,
)
from rest.marketing.points_mall.views import (
    AdminPurchaseQuery,
    DeliveryBody,
    ProductBody,
    ProductChange,
    ProductForStaff,
    ProductView,
    PurchaseQuery,
    PurchaseView,
    RedeemBody,
)
from rest.money import signing
from rest.money.cashier.bodies import check_method
from rest.money.channels import ChannelUnavailable, PaymentView, payment_view
from rest.money.ledger import InsufficientFunds
from rest.money.points import InsufficientPoints
from rest.money.refunds import RefundWindow
from storage.base.errors import Malformed, NotFound
from storage.tx import Tx

OPS = ("ops", "admin")


async def list_open(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.products(tx, only_active=True, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=ProductView.of, key=lambda product: (product.id,))


async def redeem(ctx: Ctx) -> Answer:
    body: RedeemBody = ctx.body
    proof = await check_method(ctx, body)

    async def act(tx: Tx) -> Answer:
        product = await store.product(tx, ctx.path["product_id"])
        if product is None:
            raise NotFound
        if product.cash_fen and body.method is None:
            raise Malformed("Say how to pay the cash.", field="method")
        made = await actions.redeem(
            tx, ctx.actor.account_id, product.id, confirmed=body.confirm, method=body.method, payer=body.payer
        )
        await signing.spend(tx, proof, action=signing.Action.REDEEM, subject=product.id, amount_fen=made.cash_fen)
        return _purchase(made, location=f"/v1/points_purchases/{made.id}")

    return await ctx.transact(act)


def _purchase(one: Purchase, *, location: str | None = None) -> Reply:
    return Reply(PurchaseView.of(one), etag=one.version, location=location)


async def list_mine(ctx: Ctx) -> Answer:
    query: PurchaseQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx, ctx.actor.account_id, state=query.state, before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=PurchaseView.of, key=lambda one: (one.id,))


async def _mine(ctx: Ctx, tx: Tx) -> Purchase:
    found = await store.find(tx, ctx.path["purchase_id"], ctx.actor.account_id)
    if found is None:
        raise NotFound
    return found


async def read_mine(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return _purchase(await _mine(ctx, tx))


async def read_payment(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await payment_view(tx, (await _mine(ctx, tx)).id)


async def cancel(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return _purchase(await actions.close(tx, ctx.path["purchase_id"], ctx.actor.account_id))

    return await ctx.transact(act)


async def give_back(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return _purchase(await refunding.give_back(tx, ctx.path["purchase_id"], ctx.actor.account_id))

    return await ctx.transact(act)


async def create(ctx: Ctx) -> Answer:
    body: ProductBody = ctx.body
    if not body.points and not body.cash_fen:
        raise Malformed("Nothing is sold for nothing.", field="points")

    async def act(tx: Tx) -> Answer:
        made = await actions.create_product(
            tx,
            name=body.name.by_tag(),
            points=body.points,
            cash_fen=body.cash_fen,
            list_fen=body.list_fen,
            stock=body.stock,
            per_account_max=body.per_account_max,
            coupon_template=body.coupon_template,
            active=body.active,
            by_id=ctx.actor.account_id,
        )
        return _product(made, location=f"/v1/admin/points_products/{made.id}")

    return await ctx.transact(act)


def _product(product: Product, *, location: str | None = None) -> Reply:
    return Reply(ProductForStaff.of(product), etag=product.version, location=location)


async def list_all(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.products(tx, only_active=False, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=ProductForStaff.of, key=lambda product: (product.id,))


async def change(ctx: Ctx) -> Answer:
    body: ProductChange = ctx.body

    async def act(tx: Tx) -> Answer:
        product = await store.product(tx, ctx.path["product_id"], lock=True)
        if product is None:
            raise NotFound
        ctx.expect(product.version)
        if not (changed := replace(product, **body.changes())).points and not changed.cash_fen:
            raise Malformed("Nothing is sold for nothing.", field="points")
        by = ctx.actor.account_id
        return _product(
            await actions.change_product(tx, product, body.changes(), stock_added=body.stock_added, by_id=by)
        )

    return await ctx.transact(act)


async def list_purchases(ctx: Ctx) -> Answer:
    query: AdminPurchaseQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx, query.account_id, state=query.state, before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=PurchaseView.of, key=lambda one: (one.id,))


async def deliver(ctx: Ctx) -> Answer:
    body: DeliveryBody = ctx.body

    async def act(tx: Tx) -> Answer:
        by = ctx.actor.account_id
        return _purchase(await actions.deliver(tx, ctx.path["purchase_id"], note=body.note, by_id=by))

    return await ctx.transact(act)


_TAGS = ("points",)
_ADMIN = ("points", "admin")

ROUTES = [
    Route(
        "GET", "/v1/points_products", list_open, "points_products.open", "What I can buy for points, newest first",
        query=PageQuery, response=Page[ProductView], tags=_TAGS,
    ),
    Route(
        "POST", "/v1/points_products/{product_id}/redeem", redeem, "points_products.redeem", "Buy it for points",
        request=RedeemBody, response=PurchaseView, status=201, idempotent="required", has_etag=True, tags=_TAGS,
        errors=(
            ProductOutOfStock, ConfirmRequired, ProductLimit, InsufficientPoints, InsufficientFunds,
            ChannelUnavailable, *signing.REFUSALS,
        ),
        description="Points and the piece are set aside; cash over a channel is paid within 15 minutes. Who has too "
        "few points is told how many are `needed`, how many `available`, and `ways` to earn some: the rules in force.",
        links={"read": Link("points_purchases.read", {"purchase_id": "$response.body#/id"})},
    ),
    Route(
        "GET", "/v1/points_purchases", list_mine, "points_purchases.list",
        "What I have bought for points, newest first",
        query=PurchaseQuery, response=Page[PurchaseView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/points_purchases/{purchase_id}", read_mine, "points_purchases.read", "One of my purchases",
        response=PurchaseView, has_etag=True, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/points_purchases/{purchase_id}/payment", read_payment, "points_purchases.payment",
        "How to pay the cash of a purchase of mine",
        response=PaymentView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/points_purchases/{purchase_id}/cancel", cancel, "points_purchases.cancel",
        "Give up a purchase that waits for its cash",
        response=PurchaseView, has_etag=True, idempotent="optional", tags=_TAGS, errors=(WrongPurchaseState,),
    ),
    Route(
        "POST", "/v1/points_purchases/{purchase_id}/refund", give_back, "points_purchases.refund",
        "Give back a coupon that I bought and have not used",
        response=PurchaseView, has_etag=True, idempotent="required", tags=_TAGS,
        errors=(NotRefundable, RefundWindow, CouponUsed, CouponLocked, WrongPurchaseState),
        description="Within 24 hours of its payment. The coupon is gone; points return to the lots they were taken "
        "from, and cash the way it came.",
    ),
    Route(
        "POST", "/v1/admin/points_products", create, "admin_points_products.create", "Sell something for points",
        request=ProductBody, response=ProductForStaff, status=201, idempotent="required", has_etag=True, roles=OPS,
        tags=_ADMIN, errors=(NotFound,),
    ),
    Route(
        "GET", "/v1/admin/points_products", list_all, "admin_points_products.list",
        "Everything sold for points, newest first",
        query=PageQuery, response=Page[ProductForStaff], roles=OPS, tags=_ADMIN,
    ),
    Route(
        "PATCH", "/v1/admin/points_products/{product_id}", change, "admin_points_products.change",
        "Change a price or a limit, add or take stock, or stop selling",
        request=ProductChange, response=ProductForStaff, if_match=True, roles=OPS, tags=_ADMIN,
        errors=(ProductOutOfStock,),
    ),
    Route(
        "GET", "/v1/admin/points_purchases", list_purchases, "admin_points_purchases.list",
        "What people have bought for points, newest first",
        query=AdminPurchaseQuery, response=Page[PurchaseView], roles=OPS, tags=_ADMIN,
    ),
    Route(
        "POST", "/v1/admin/points_purchases/{purchase_id}/deliver", deliver, "admin_points_purchases.deliver",
        "Note that a purchase was delivered",
        request=DeliveryBody, response=PurchaseView, has_etag=True, idempotent="optional", roles=OPS, tags=_ADMIN,
        errors=(WrongPurchaseState,),
    ),
]  # fmt: skip
