"""Paying for an order over HTTP. The same by any subject: `POST /v1/payments`."""

from __future__ import annotations

from typing import Literal

from dispatch.model import CandidateGone
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body
from rest.lines.homeservice import actions
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.routes.common import order_reply
from rest.lines.homeservice.routes.views import OrderView
from rest.lines.homeservice.vouchers import VoucherGone
from rest.money import signing
from rest.money.cashier.bodies import (
    Payer,
    QuoteHash,
    TenderBody,
    Tenders,
    asks_of,
    check_payer,
    open_channels,
    spend_proof,
)
from rest.money.cashier.routes import POLICY_ERRORS
from rest.money.channels import PaymentView, payment_view
from rest.money.ledger import InsufficientFunds
from rest.money.payments import WrongPaymentState
from rest.money.points import InsufficientPoints
from rest.money.signing import Digits, SignatureBody
from rest.trade import orders
from rest.trade.orders import Role, WrongState
from rest.trade.pricing import PriceChanged
from storage.base.errors import Malformed
from storage.tx import Tx


class HowToPay(Body, frozen=True, kw_only=True):
    """One method for all of it, or several tenders. `payer`: the payer's id in the channel's application.

    Without a payer (WeChat's `openid`) a code to scan is made.
    """

    method: Literal["wallet", "credit", "prepaid", "points", "wechat", "alipay"] | None = None
    tenders: Tenders | None = None
    quote_hash: QuoteHash | None = None
    payer: Payer | None = None
    password: Digits | None = None
    signature: SignatureBody | None = None


class MethodMissing(Malformed):
    """Give a method or tenders, not both."""

    code = "method_missing"


async def pay(ctx: Ctx) -> Answer:
    body: HowToPay = ctx.body
    if (body.method is None) == (body.tenders is None):
        raise MethodMissing
    tenders = body.tenders or [TenderBody(method=method) for method in (body.method,) if method is not None]
    asked = asks_of(tenders)
    proof = await check_payer(ctx, asked, body)

    async def act(tx: Tx) -> Answer:
        job = await actions.pay(
            tx,
            ctx.path["order_id"],
            ctx.actor.account_id,
            asked=asked,
            payer=body.payer,
            open_channels=open_channels(ctx),
            shown=body.quote_hash,
        )
        await spend_proof(tx, proof, job.order.id)
        return await order_reply(tx, job, Role.CUSTOMER)

    return await ctx.transact(act)


async def read_payment(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        job = await orders.read_for_customer(tx, HOMESERVICE, ctx.path["order_id"], ctx.actor.account_id)
        return await payment_view(tx, job.order.id)


_TAGS = ("orders",)

ROUTES = [
    Route(
        "POST", "/v1/orders/{order_id}/pay", pay, "orders.pay", "Pay the chosen technician",
        request=HowToPay, response=OrderView, idempotent="required", tags=_TAGS, has_etag=True,
        errors=(
            WrongState, CandidateGone, InsufficientFunds, InsufficientPoints, PriceChanged, VoucherGone, MethodMissing,
            WrongPaymentState, *POLICY_ERRORS, *signing.REFUSALS,
        ),
        description="Over a channel the order waits for its money; `payment.ready` tells how to pay it.",
    ),
    Route(
        "GET", "/v1/orders/{order_id}/payment", read_payment, "orders.payment", "The latest attempt to pay my order",
        response=PaymentView, tags=_TAGS,
    ),
]  # fmt: skip
