"""What finance sees of payments, and what it can have done about those that went wrong (FR-073, FR-074)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Money, Page, PageQuery
from rest.money import payments
from rest.money.cashier import store
from rest.money.cashier.routes import PaymentQuery, page_of
from rest.money.channels import PaymentView, payment_views
from rest.money.channels import actions as channel_actions
from rest.money.channels.model import WrongChannelState
from storage.base.errors import NotFound
from storage.tx import Tx

READERS = ("support", "finance", "admin")
FINANCE = ("finance", "admin")
SILENT_AFTER = timedelta(minutes=10)
"""Questions go on for a minute after an attempt's end; what is open ten minutes later hangs."""


class AbnormalQuery(PageQuery, frozen=True, kw_only=True):
    """late: money nobody decided on; stray: money in suspense, of wrong amounts, second successes and strange numbers;
    silent: news is missing."""

    kind: Literal["late", "stray", "silent"]


class AbnormalView(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a payment that a person should look at. `id` is of the payment, or of the item in suspense, which
    is moved out by `/v1/admin/suspense`.

    `what`: the payment's state, why the money is in suspense, or where the attempt stands with its channel.
    """

    id: str
    kind: str
    payment_id: str | None
    order_id: str | None
    channel: str
    amount: Money | None
    what: str
    since: datetime


class Handled(msgspec.Struct, frozen=True):
    """It is done, or under way."""

    ok: bool = True


async def list_all(ctx: Ctx) -> Answer:
    return await page_of(ctx, None)


async def read_any(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await payments.find(tx, ctx.path["payment_id"])
        if found is None:
            raise NotFound
        return (await payment_views(tx, [found]))[0]


async def list_abnormal(ctx: Ctx) -> Answer:
    query: AbnormalQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await _abnormal(tx, query, ctx.before_id)
    return ctx.page(found, view=lambda row: _view(query.kind, row), key=lambda row: (row["key"],))


async def _abnormal(tx: Tx, query: AbnormalQuery, before_id: str) -> list[Any]:
    limit = query.limit + 1
    if query.kind == "late":
        return await store.late(tx, before_id=before_id, limit=limit)
    if query.kind == "stray":
        return await store.stray(tx, before_id=before_id, limit=limit)
    return await store.silent(tx, ended_before=tx.now - SILENT_AFTER, before_id=before_id, limit=limit)


def _view(kind: str, row: Any) -> AbnormalView:  # noqa: ANN401 - a row
    return AbnormalView(
        id=row["key"],
        kind=kind,
        payment_id=row["payment_id"],
        order_id=row["order_id"],
        channel=row["channel"],
        amount=None if row["amount_fen"] is None else Money(row["amount_fen"]),
        what=row["what"],
        since=row["since"],
    )


async def ask_channel(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await channel_actions.ask_again(tx, ctx.path["payment_id"], by=ctx.actor.account_id)
        return Handled()

    return await ctx.transact(act)


_TAGS = ("payments", "admin")

ROUTES = [
    Route(
        "GET", "/v1/admin/payments", list_all, "admin_payments.list", "Payments of everybody, newest first",
        query=PaymentQuery, response=Page[PaymentView], roles=READERS, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/admin/payments/{payment_id}", read_any, "admin_payments.read", "A payment with its parts",
        response=PaymentView, roles=READERS, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/admin/abnormal_payments", list_abnormal, "admin_payments.abnormal",
        "What went wrong between payments and channels, newest first",
        query=AbnormalQuery, response=Page[AbnormalView], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/payments/{payment_id}/ask", ask_channel, "admin_payments.ask",
        "Have the channel asked about a payment now",
        response=Handled, roles=FINANCE, idempotent="optional", tags=_TAGS, errors=(WrongChannelState,),
        description="What it says is taken like its own news.",
    ),
]  # fmt: skip
