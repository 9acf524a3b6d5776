"""Refunds of home-service orders over HTTP: who asks, previews, and the provider's opinion. Staff decide elsewhere."""

from __future__ import annotations

import msgspec

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Amount, Body, Line, Money, Note, Page, PageQuery, Query
from rest.lines.homeservice import actions, technicians
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import KEEPS_MONEY, LINE
from rest.lines.homeservice.routes.breaks import LadderView, ladder_view
from rest.lines.homeservice.technicians import NotActive
from rest.money import refunds
from rest.money.refunds import (
    PreviewChanged,
    Reason,
    RefundWindow,
    Request,
    TooManyRefunds,
    WrongRefundState,
    store,
)
from rest.money.refunds.routes import whole
from rest.money.refunds.rules import current_rules
from rest.money.refunds.views import RefundForFinance, RefundRequestView
from rest.money.wallet import RefundExceedsPaid
from rest.trade import orders
from rest.trade.orders import By, Role, WrongState
from storage.base.errors import NotFound
from storage.tx import Tx

LINES: refunds.Lines = {LINE: actions.SIDE}
"""This line's part, for the routes of staff."""

STAFF = ("support", "finance", "admin")
FINANCE = ("finance", "admin")


class DryRun(Query, frozen=True, kw_only=True):
    """`dry_run`: only say what would be; nothing is done."""

    dry_run: bool = False


class RefundBody(Body, frozen=True, kw_only=True):
    """What to ask back, and why. `amount` null: all that can be. `preview_hash`: of the preview you were shown."""

    reason: Reason
    note: Note
    amount: Amount | None = None
    preview_hash: Line | None = None


class RefundPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What would be asked back of an ended order now; `preview_hash` names it."""

    amount: Money
    refundable: Money
    preview_hash: str


class RefundAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One of three: the request that was made; of a dry run what it would be; before the end what a cancel would do."""

    refund: RefundRequestView | None = None
    preview: RefundPreview | None = None
    cancel: LadderView | None = None


class Opinion(Body, frozen=True, kw_only=True):
    """Whether the provider agrees, and what he says."""

    agrees: bool
    comment: Note


def _wish(body: RefundBody) -> actions.Wish:
    fen = None if body.amount is None else body.amount.amount
    return actions.Wish(amount_fen=fen, reason=body.reason, note=body.note, shown=body.preview_hash)


async def ask(ctx: Ctx) -> Answer:
    body: RefundBody = ctx.body
    query: DryRun = ctx.query

    async def act(tx: Tx) -> Answer:
        account_id = ctx.actor.account_id
        if query.dry_run:
            return await _dry_run(tx, ctx.path["order_id"], account_id, body)
        job = await orders.lock_for_customer(tx, HOMESERVICE, ctx.path["order_id"], account_id)
        by = By(Role.CUSTOMER, account_id)
        request = await actions.ask_refund(tx, current_rules(), job, by, _wish(body))
        return RefundAnswer(refund=RefundRequestView.of(request, []))

    return await ctx.transact(act)


async def _dry_run(tx: Tx, order_id: str, account_id: str, body: RefundBody) -> RefundAnswer:
    job = await orders.read_for_customer(tx, HOMESERVICE, order_id, account_id)
    if job.order.status not in KEEPS_MONEY:
        return RefundAnswer(cancel=ladder_view(job, tx))
    wish = _wish(body)
    fen, name = actions.preview_refund(job, wish.amount_fen)
    free_fen = job.order.kept_fen - job.order.refund_reserved_fen
    return RefundAnswer(preview=RefundPreview(amount=Money(fen), refundable=Money(free_fen), preview_hash=name))


async def list_mine(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        await orders.read_for_customer(tx, HOMESERVICE, ctx.path["order_id"], ctx.actor.account_id)
        found = await store.page(
            tx,
            before_id=ctx.before_id,
            limit=query.limit + 1,
            order_id=ctx.path["order_id"],
        )
        legs = await store.legs_of(tx, [one.id for one in found])
    return ctx.page(found, view=lambda one: RefundRequestView.of(one, legs.get(one.id, [])), key=lambda one: (one.id,))


async def read_mine(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await _mine(tx, await refunds.of_customer(tx, ctx.path["refund_id"], ctx.actor.account_id))


async def _mine(tx: Tx, one: Request) -> Reply:
    legs = (await store.legs_of(tx, [one.id])).get(one.id, [])
    return Reply(RefundRequestView.of(one, legs), etag=one.version)


async def withdraw(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        one = await refunds.withdraw(tx, LINES, ctx.path["refund_id"], account_id=ctx.actor.account_id)
        return await _mine(tx, one)

    return await ctx.transact(act)


async def review(ctx: Ctx) -> Answer:
    body: Opinion = ctx.body

    async def act(tx: Tx) -> Answer:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        one = await refunds.review(
            tx, ctx.path["refund_id"], worker_id=worker_id, agrees=body.agrees, comment=body.comment
        )
        return await _mine(tx, one)

    return await ctx.transact(act)


async def read_of_worker(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        one = await refunds.find(tx, ctx.path["refund_id"])
        if one.subject.worker_id != worker_id:
            raise NotFound
        return await _mine(tx, one)


async def ask_for_customer(ctx: Ctx) -> Answer:
    """Support asks; what finance asks has one word of finance already."""
    body: RefundBody = ctx.body

    async def act(tx: Tx) -> Answer:
        job = await orders.lock_for_system(tx, HOMESERVICE, ctx.path["order_id"])
        by = By(Role.STAFF, ctx.actor.account_id)
        one = await actions.ask_refund(tx, current_rules(), job, by, _wish(body))
        if ctx.actor.has_any(FINANCE) and one.state is refunds.RequestState.REQUESTED:
            one = await refunds.approve(tx, LINES, one.id, by=by.id, note=body.note)
        return await whole(tx, one)

    return await ctx.transact(act)


_TAGS = ("refunds",)
_ASK_ERRORS = (WrongState, RefundExceedsPaid, PreviewChanged, TooManyRefunds)

ROUTES = [
    Route(
        "POST", "/v1/orders/{order_id}/refunds", ask, "orders.ask_refund",
        "Ask money of my ended order back, or see what a refund would be",
        query=DryRun, request=RefundBody, response=RefundAnswer, idempotent="required", tags=_TAGS,
        errors=(*_ASK_ERRORS, RefundWindow),
        description="Before its end an order is cancelled (`cancel`); a dry run says what that would cost.",
    ),
    Route(
        "GET", "/v1/orders/{order_id}/refunds", list_mine, "orders.refunds", "Refund requests of my order",
        query=PageQuery, response=Page[RefundRequestView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/refunds/{refund_id}", read_mine, "refunds.read", "One of my refund requests",
        response=RefundRequestView, has_etag=True, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/refunds/{refund_id}/withdraw", withdraw, "refunds.withdraw", "Take my refund request back",
        response=RefundRequestView, has_etag=True, idempotent="optional", tags=_TAGS, errors=(WrongRefundState,),
    ),
    Route(
        "GET", "/v1/partner/refunds/{refund_id}", read_of_worker, "partner.refund", "A refund request of my order",
        response=RefundRequestView, has_etag=True, roles=("technician",), tags=_TAGS, errors=(NotActive,),
    ),
    Route(
        "POST", "/v1/partner/refunds/{refund_id}/review", review, "partner.review_refund",
        "Say what I think of a refund request of my order",
        request=Opinion, response=RefundRequestView, has_etag=True, idempotent="optional", roles=("technician",),
        tags=_TAGS, errors=(NotActive, WrongRefundState),
    ),
    Route(
        "POST", "/v1/admin/orders/{order_id}/refunds", ask_for_customer, "admin_orders.refund",
        "Ask for a refund of an ended order; finance's own word counts as the first",
        request=RefundBody, response=RefundForFinance, has_etag=True, status=201, idempotent="required", roles=STAFF,
        tags=(*_TAGS, "admin"), errors=_ASK_ERRORS,
    ),
]  # fmt: skip
