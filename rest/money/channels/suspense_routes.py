"""Suspense over HTTP: finance sees what is in it, and says where it goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

import msgspec

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Id, Money, Note, Page, PageQuery
from rest.money.channels import suspense_store
from rest.money.channels.actions import suspense
from rest.money.channels.suspense_model import Item, ItemState, NothingToReturn, NotThatPayment, WrongItemState
from storage.tx import Tx

FINANCE = ("finance", "admin")


class SuspenseQuery(PageQuery, frozen=True, kw_only=True):
    """Which: of a channel, in a state."""

    channel: Literal["wechat", "alipay"] | None = None
    state: ItemState = ItemState.OPEN


class AssignBody(Body, frozen=True, kw_only=True):
    """The payment it belongs to, and why."""

    payment_id: Id
    reason: Note


class SuspenseReason(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Note


class SuspenseView(msgspec.Struct, frozen=True, kw_only=True):
    """Money in suspense, or what became of it. Below zero: the channel has less than the book says."""

    id: str
    channel: str
    cause: str
    out_trade_no: str
    trade_no: str
    amount: Money
    trade_amount: Money
    state: str
    reason: str | None
    by: str | None
    version: int
    parked_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, item: Item) -> SuspenseView:
        return cls(
            id=item.id,
            channel=item.channel,
            cause=item.cause.value,
            out_trade_no=item.out_trade_no,
            trade_no=item.trade_no,
            amount=Money(item.amount_fen),
            trade_amount=Money(item.total_fen),
            state=item.state.value,
            reason=item.reason,
            by=item.by_id,
            version=item.version,
            parked_at=item.parked_at,
            ended_at=item.ended_at,
        )


async def list_items(ctx: Ctx) -> Answer:
    query: SuspenseQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await suspense_store.page(
            tx,
            before_id=ctx.before_id,
            limit=query.limit + 1,
            channel=query.channel,
            state=query.state,
        )
    return ctx.page(found, view=SuspenseView.of, key=lambda item: (item.id,))


def _moving(verb: Callable[[Tx, Ctx], Awaitable[Item]]) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            item = await verb(tx, ctx)
            return Reply(SuspenseView.of(item), etag=item.version)

        return await ctx.transact(act)

    return handle


def _common(ctx: Ctx) -> dict[str, str]:
    return {"by": ctx.actor.account_id, "reason": ctx.body.reason}


assign = _moving(
    lambda tx, ctx: suspense.assign(tx, ctx.path["item_id"], payment_id=ctx.body.payment_id, **_common(ctx))
)
refund = _moving(lambda tx, ctx: suspense.refund(tx, ctx.path["item_id"], **_common(ctx)))
write_off = _moving(lambda tx, ctx: suspense.write_off(tx, ctx.path["item_id"], **_common(ctx)))

_ONE = "/v1/admin/suspense/{item_id}"
_TAGS = ("payments", "admin")

ROUTES = [
    Route(
        "GET", "/v1/admin/suspense", list_items, "suspense.list", "Money that is nobody's yet, newest first",
        query=SuspenseQuery, response=Page[SuspenseView], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", _ONE + "/assign", assign, "suspense.assign", "Give it to the payment it is exactly right for",
        request=AssignBody, response=SuspenseView, has_etag=True, idempotent="required", roles=FINANCE, tags=_TAGS,
        errors=(WrongItemState, NotThatPayment),
    ),
    Route(
        "POST", _ONE + "/refund", refund, "suspense.refund", "Give it back to its payer over the channel",
        request=SuspenseReason, response=SuspenseView, has_etag=True, idempotent="required", roles=FINANCE, tags=_TAGS,
        errors=(WrongItemState, NothingToReturn),
    ),
    Route(
        "POST", _ONE + "/write_off", write_off, "suspense.write_off", "Book it as the platform's gain or loss",
        request=SuspenseReason, response=SuspenseView, has_etag=True, idempotent="required", roles=FINANCE, tags=_TAGS,
        errors=(WrongItemState,),
    ),
]  # fmt: skip
