"""Paying over HTTP, whatever it is for: how it can be paid, paying, looking, giving up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from rest.edge.context import Ctx
from rest.edge.registry import Link, Route, Routes
from rest.edge.reply import Answer, PageReply, Reply
from rest.edge.values import Body, Id, Money, Page, PageQuery
from rest.money import payments, signing
from rest.money.cashier.bodies import (
    Payer,
    QuoteHash,
    Tenders,
    asks_of,
    check_payer,
    open_channels,
    spend_proof,
)
from rest.money.cashier.payables import PAYABLES, Due, Payable
from rest.money.channels import PaymentView, payment_view, payment_views
from rest.money.ledger import InsufficientFunds
from rest.money.passwords import store as password_store
from rest.money.payments import (
    Ask,
    DailyLimit,
    MethodUnavailable,
    PartsMismatch,
    PointsShare,
    Purse,
    SingleLimit,
    Tender,
    TooManyMethods,
    WrongPaymentState,
)
from rest.money.payments import store as payment_store
from rest.money.points import InsufficientPoints
from rest.money.signing import Digits, SignatureBody
from storage.base.errors import Conflict, HubError, NotFound
from storage.tx import Tx

POLICY_ERRORS = (MethodUnavailable, TooManyMethods, PartsMismatch, PointsShare, SingleLimit, DailyLimit)
"""What a policy refuses."""

TenderName = Literal["wallet", "credit", "prepaid", "bonus", "points", "wechat", "alipay", "offline"]
StateName = Literal["created", "review", "paid", "failed", "closed", "paid_late", "refunded"]


class NotPayable(Conflict):
    """This waits for no payment now."""

    code = "not_payable"


class PayBody(Body, frozen=True, kw_only=True):
    """What to pay for, and with what. `payer`: the payer's id in the channel's application (WeChat's `openid`)."""

    order_id: Id
    tenders: Tenders
    payer: Payer | None = None
    password: Digits | None = None
    signature: SignatureBody | None = None
    quote_hash: QuoteHash | None = None


class PaymentDone(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `payment` is null where nothing was left to pay (RV-283)."""

    order_id: str
    payment: PaymentView | None


class PaymentQuery(PageQuery, frozen=True, kw_only=True):
    """Which ones: for this order, in this state, with a part of this kind."""

    order_id: Id | None = None
    state: StateName | None = None
    tender: TenderName | None = None


class MethodView(msgspec.Struct, frozen=True, kw_only=True):
    """One way to pay, and how much of this price it could pay now. `points`: how many the customer has."""

    method: TenderName
    available: Money
    points: int | None


class PlannedView(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the split that is suggested."""

    method: TenderName
    amount: Money


class PaymentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How something can be paid. `methods` stand in the order in which they are used up; `suggested` covers the price.

    `suggested` is empty where nothing the customer has covers it and no channel is open.
    """

    order_id: str
    payable: Money
    pay_by: datetime | None
    quote_hash: str | None
    methods_max: int
    needs_password: bool
    methods: list[MethodView]
    suggested: list[PlannedView]


async def pay(ctx: Ctx) -> Answer:
    body: PayBody = ctx.body
    asked = asks_of(body.tenders)
    proof = await check_payer(ctx, asked, body)
    account_id, payables = ctx.actor.account_id, ctx.app[PAYABLES]

    async def act(tx: Tx) -> Answer:
        kind, _ = await payables.find(tx, body.order_id, account_id)
        await kind.pay(
            tx,
            body.order_id,
            account_id,
            asked,
            payer=body.payer,
            open_channels=open_channels(ctx),
            shown=body.quote_hash,
        )
        await spend_proof(tx, proof, body.order_id)
        return await _done(tx, body.order_id)

    return await ctx.transact(act)


async def _done(tx: Tx, order_id: str) -> Reply:
    try:
        view = await payment_view(tx, order_id)
    except NotFound:
        return Reply(PaymentDone(order_id=order_id, payment=None))
    return Reply(PaymentDone(order_id=order_id, payment=view), location=f"/v1/payments/{view.payment_id}")


async def options(ctx: Ctx) -> Answer:
    account_id, channels = ctx.actor.account_id, open_channels(ctx)
    async with ctx.db.begin() as tx:
        _, due = await ctx.app[PAYABLES].find(tx, ctx.path["order_id"], account_id)
        if not due.is_payable:
            raise NotPayable
        purse = await payments.purse(tx, account_id, order_id=due.order_id, worker_id=due.worker_id)
        needs_password = await password_store.read(tx, account_id) is not None
    return PaymentOptions(
        order_id=due.order_id,
        payable=Money(due.payable_fen),
        pay_by=due.pay_by,
        quote_hash=due.quote_hash,
        methods_max=due.policy.methods_max,
        needs_password=needs_password,
        methods=_methods(due, purse, channels),
        suggested=[_planned(ask) for ask in due.policy.suggest(due.payable_fen, purse, channels)],
    )


def _methods(due: Due, purse: Purse, channels: frozenset[str]) -> list[MethodView]:
    return [
        MethodView(
            method=tender.value,
            available=Money(due.policy.gives(tender, purse, due.payable_fen)),
            points=purse.points if tender is Tender.POINTS else None,
        )
        for tender in due.policy.offered(channels)
        if tender is not Tender.CREDIT or due.worker_id is not None
    ]


def _planned(ask: Ask) -> PlannedView:
    return PlannedView(method=ask.tender.value, amount=Money(ask.amount_fen or 0))


async def list_mine(ctx: Ctx) -> Answer:
    return await page_of(ctx, ctx.actor.account_id)


async def page_of(ctx: Ctx, account_id: str | None) -> PageReply[PaymentView]:
    """One page of a customer's payments, or of everybody's, newest first."""
    query: PaymentQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await payment_store.page(
            tx,
            account_id=account_id,
            order_id=query.order_id,
            states=None if query.state is None else [query.state],
            tender=query.tender,
            before_id=ctx.before_id,
            limit=query.limit + 1,
        )
        views = await payment_views(tx, found)
    return ctx.page(views, view=lambda one: one, key=lambda one: (one.payment_id,))


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return (await payment_views(tx, [await mine(tx, ctx)]))[0]


async def mine(tx: Tx, ctx: Ctx) -> payments.Payment:
    """The caller's own payment, without a lock. Raises NotFound."""
    found = await payments.find(tx, ctx.path["payment_id"])
    if found is None or found.account_id != ctx.actor.account_id:
        raise NotFound
    return found


async def cancel(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        seen = await mine(tx, ctx)
        kind, _ = await ctx.app[PAYABLES].find(tx, seen.order_id, seen.account_id)
        await kind.lock(tx, seen.order_id, seen.account_id)
        found = await mine(tx, ctx)
        if found.state in payments.OPEN:
            await payments.close_open(tx, found.order_id, "given_up")
        elif found.state is not payments.PaymentState.CLOSED:
            raise WrongPaymentState(state=found.state.value)
        return await _shown(tx, ctx)

    return await ctx.transact(act)


async def _shown(tx: Tx, ctx: Ctx) -> PaymentView:
    return (await payment_views(tx, [await mine(tx, ctx)]))[0]


_ID = {"payment_id": "$response.body#/payment/payment_id"}
_TAGS = ("payments",)


def cashier_routes(kinds: Sequence[Payable]) -> Routes:
    """The cashier's routes, where these kinds of things can be paid for and refuse what they refuse."""
    refusals = tuple(dict.fromkeys(kind for payable in kinds for kind in payable.refusals))
    return [_pay_route(refusals), *_OTHERS]


def _pay_route(refusals: tuple[type[HubError], ...]) -> Route:
    return Route(
        "POST", "/v1/payments", pay, "payments.pay", "Pay for something, in one way or several",
        request=PayBody, response=PaymentDone, status=201, idempotent="required", tags=_TAGS,
        errors=(
            *POLICY_ERRORS, *signing.REFUSALS, InsufficientFunds, InsufficientPoints, WrongPaymentState, NotFound,
            *refusals,
        ),
        links={"read": Link("payments.read", _ID), "cancel": Link("payments.cancel", _ID)},
        description="The parts make up the price exactly, or nothing happens. With a channel among them the rest is "
        "held and the order waits for the channel's money: `payment.ready` tells how to pay it.",
    )  # fmt: skip


_OTHERS = [
    Route(
        "GET", "/v1/payments", list_mine, "payments.list", "My payments, newest first",
        query=PaymentQuery, response=Page[PaymentView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/payments/{payment_id}", read, "payments.read", "One of my payments with its parts",
        response=PaymentView, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/payments/{payment_id}/cancel", cancel, "payments.cancel", "Give an open payment up",
        response=PaymentView, idempotent="optional", tags=_TAGS, errors=(WrongPaymentState,),
        description="What it held is free again. Money that still comes over its channel goes back by itself.",
    ),
    Route(
        "GET", "/v1/orders/{order_id}/payment-options", options, "payments.options", "How my order can be paid",
        response=PaymentOptions, tags=_TAGS, errors=(NotPayable,),
    ),
]  # fmt: skip
