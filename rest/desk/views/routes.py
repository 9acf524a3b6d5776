"""Saved views over HTTP: everybody's own, and those their desk shares, which who watches over it keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from rest.desk.conversations.readers import PLATFORM, TENANT, is_supervisor, side_of
from rest.desk.support.values import SeverityWord, StateWord
from rest.desk.views import actions
from rest.desk.views.model import TooManyViews, View, ViewNameUsed, desk_of
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Id, Page, PageQuery
from storage.base.errors import Denied, NotFound
from storage.tx import Tx

STAFF = (*PLATFORM, "ops", *TENANT)


class ViewFilter(Body, frozen=True, kw_only=True):
    """What the list of tickets is narrowed to; what is not named is not narrowed. `who`: those I have."""

    kind: Literal["ticket", "chat", "both"] | None = None
    state: StateWord | None = None
    severity: SeverityWord | None = None
    queue: Id | None = None
    who: Literal["me"] | None = None


class ViewBody(Body, frozen=True, kw_only=True):
    """`is_shared`: for everybody of the desk; who watches over it may."""

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    filter: ViewFilter
    is_shared: bool = False


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """`may_drop`: whether it is the caller's to drop."""

    id: str
    name: str
    filter: ViewFilter
    is_shared: bool
    may_drop: bool
    created_at: datetime

    @classmethod
    def of(cls, view: View, *, may_share: bool) -> Self:
        return cls(
            id=view.id,
            name=view.name,
            filter=msgspec.convert(view.filter, ViewFilter),
            is_shared=view.is_shared,
            may_drop=may_share or not view.is_shared,
            created_at=view.created_at,
        )


def _own(ctx: Ctx) -> list[str]:
    """The holders whose views the caller may drop."""
    shared = [desk_of(side_of(ctx.actor))] if is_supervisor(ctx.actor) else []
    return [ctx.actor.account_id, *shared]


async def listing(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    holders = [ctx.actor.account_id, desk_of(side_of(ctx.actor))]
    async with ctx.db.begin() as tx:
        found = await actions.page(tx, holders, after=ctx.after_id, limit=query.limit + 1)
    may_share = is_supervisor(ctx.actor)
    return ctx.page(found, view=lambda view: SavedView.of(view, may_share=may_share), key=lambda view: (view.id,))


async def save(ctx: Ctx) -> Answer:
    body: ViewBody = ctx.body
    may_share = is_supervisor(ctx.actor)
    if body.is_shared and not may_share:
        raise Denied
    holder = desk_of(side_of(ctx.actor)) if body.is_shared else ctx.actor.account_id
    wanted = {name: word for name, word in msgspec.to_builtins(body.filter).items() if word is not None}

    async def act(tx: Tx) -> Answer:
        view = await actions.save(tx, holder, body.name.strip(), wanted, by_id=ctx.actor.account_id)
        return SavedView.of(view, may_share=may_share)

    return await ctx.transact(act)


async def remove(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await actions.remove(tx, ctx.path["view_id"], _own(ctx))
        return Reply(status=204)

    return await ctx.transact(act)


_TAGS = ("desk",)

ROUTES = [
    Route("GET", "/v1/desk/views", listing, "desk_views.list", "My saved views and those my desk shares",
          query=PageQuery, response=Page[SavedView], roles=STAFF, tags=_TAGS),
    Route("POST", "/v1/desk/views", save, "desk_views.create", "Save a view", request=ViewBody, response=SavedView,
          status=201, idempotent="required", roles=STAFF, tags=_TAGS, errors=(ViewNameUsed, TooManyViews)),
    Route("DELETE", "/v1/desk/views/{view_id}", remove, "desk_views.remove", "Drop a view", status=204, roles=STAFF,
          tags=_TAGS, errors=(NotFound,)),
]  # fmt: skip
