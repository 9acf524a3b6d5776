"""Shares over HTTP: staff bind and unbind receivers, and see what became of splits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

import dispatch
from dispatch.model import WorkerNotFound
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Id, Line, Money, Page, PageQuery, exactly
from rest.money.shares import actions, store
from rest.money.shares.model import (
    Part,
    Receiver,
    ReceiverState,
    ReceiverTaken,
    Split,
    SplitState,
    WrongShareState,
)
from storage.tx import Tx

STAFF = ("finance", "ops", "admin")
_TAGS = ("settlements", "admin")


class ReceiverBody(Body, frozen=True, kw_only=True):
    """A worker's merchant account at a channel, and the full name it has there."""

    worker_id: Id
    channel: Literal["wechat", "alipay"]
    account: Annotated[str, Meta(pattern=exactly("[0-9]{8,32}"), examples=["1900000109"])]
    name: Line


class ReceiverQuery(PageQuery, frozen=True, kw_only=True):
    """Which: of a worker, in a state."""

    worker_id: Id | None = None
    state: ReceiverState | None = None


class SplitQuery(PageQuery, frozen=True, kw_only=True):
    """Which: of an order, in a state."""

    order_id: Id | None = None
    state: SplitState | None = None


class ReceiverView(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver. Its name is not kept."""

    id: str
    worker_id: str
    channel: str
    account: str
    state: str
    reason: str | None
    by: str
    version: int
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, one: Receiver) -> ReceiverView:
        return cls(
            id=one.id,
            worker_id=one.worker_id,
            channel=one.channel,
            account=one.account,
            state=one.state.value,
            reason=one.reason,
            by=one.by_id,
            version=one.version,
            created_at=one.created_at,
            ended_at=one.ended_at,
        )


class SharePartView(msgspec.Struct, frozen=True, kw_only=True):
    """What one receiver gets. `paid` null: the channel has not said; false: it is in the wallet instead."""

    worker_id: str
    account: str
    amount: Money
    paid: bool | None
    returned: Money

    @classmethod
    def of(cls, part: Part) -> SharePartView:
        return cls(
            worker_id=part.worker_id,
            account=part.account,
            amount=Money(part.amount_fen),
            paid=part.is_paid,
            returned=Money(part.returned_fen),
        )


class SplitView(msgspec.Struct, frozen=True, kw_only=True):
    """A trade and who gets parts of it from its channel."""

    id: str
    payment_id: str
    order_id: str
    channel: str
    state: str
    reason: str | None
    parts: list[SharePartView]
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, one: Split) -> SplitView:
        return cls(
            id=one.id,
            payment_id=one.payment_id,
            order_id=one.order_id,
            channel=one.channel,
            state=one.state.value,
            reason=one.reason,
            parts=[SharePartView.of(part) for part in one.parts],
            created_at=one.created_at,
            ended_at=one.ended_at,
        )


async def bind(ctx: Ctx) -> Answer:
    body: ReceiverBody = ctx.body

    async def act(tx: Tx) -> Answer:
        await dispatch.get_worker(tx, body.worker_id)
        made = await actions.bind(
            tx,
            worker_id=body.worker_id,
            channel=body.channel,
            account=body.account,
            name=body.name,
            by=ctx.actor.account_id,
        )
        return Reply(ReceiverView.of(made), etag=made.version)

    return await ctx.transact(act)


async def unbind(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        after = await actions.unbind(tx, ctx.path["receiver_id"], by=ctx.actor.account_id)
        return Reply(ReceiverView.of(after), etag=after.version)

    return await ctx.transact(act)


async def receivers(ctx: Ctx) -> Answer:
    query: ReceiverQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.receivers(
            tx, before_id=ctx.before_id, limit=query.limit + 1, worker_id=query.worker_id, state=query.state
        )
    return ctx.page(found, view=ReceiverView.of, key=lambda one: (one.id,))


async def splits(ctx: Ctx) -> Answer:
    query: SplitQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.splits(
            tx, before_id=ctx.before_id, limit=query.limit + 1, order_id=query.order_id, state=query.state
        )
    return ctx.page(found, view=SplitView.of, key=lambda one: (one.id,))


ROUTES = [
    Route(
        "GET", "/v1/admin/share_receivers", receivers, "shares.receivers", "Receivers of shares, newest first",
        query=ReceiverQuery, response=Page[ReceiverView], roles=STAFF, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/share_receivers", bind, "shares.bind", "Have a channel accept a worker's account",
        request=ReceiverBody, response=ReceiverView, has_etag=True, status=201, idempotent="required", roles=STAFF,
        tags=_TAGS, errors=(ReceiverTaken, WorkerNotFound),
    ),
    Route(
        "POST", "/v1/admin/share_receivers/{receiver_id}/unbind", unbind, "shares.unbind",
        "Send nothing more there",
        response=ReceiverView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
        errors=(WrongShareState,),
    ),
    Route(
        "GET", "/v1/admin/share_splits", splits, "shares.splits", "Trades shared out, newest first",
        query=SplitQuery, response=Page[SplitView], roles=STAFF, tags=_TAGS,
    ),
]  # fmt: skip
