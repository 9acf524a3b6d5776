"""Broadcasts over HTTP, for operations."""

from __future__ import annotations

from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.reach.broadcasts import actions, store
from rest.reach.broadcasts.model import AudienceEmpty, AudienceUnknown, Broadcast, TimePast, WrongBroadcastState
from rest.reach.broadcasts.views import BroadcastBody, BroadcastQuery, BroadcastView, RecipientView
from storage.base.errors import Malformed, NotFound
from storage.tx import Tx

OPS = ("ops", "admin")


def _reply(one: Broadcast, *, location: str | None = None) -> Reply:
    return Reply(BroadcastView.of(one), etag=one.version, location=location)


async def create(ctx: Ctx) -> Answer:
    body: BroadcastBody = ctx.body
    who = body.crowd()

    async def act(tx: Tx) -> Answer:
        made = await actions.plan(
            tx,
            title=body.title.by_tag(),
            body=body.body.by_tag(),
            link=body.link,
            who=who,
            send_at=body.send_at,
            by_id=ctx.actor.account_id,
        )
        return _reply(made, location=f"/v1/admin/broadcasts/{made.id}")

    return await ctx.transact(act)


async def list_all(ctx: Ctx) -> Answer:
    query: BroadcastQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(tx, state=query.state, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=BroadcastView.of, key=lambda one: (one.id,))


async def _one(ctx: Ctx, tx: Tx) -> Broadcast:
    found = await store.find(tx, ctx.path["broadcast_id"])
    if found is None:
        raise NotFound
    return found


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return BroadcastView.of(await _one(ctx, tx))


async def list_recipients(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        one = await _one(ctx, tx)
        found = await store.recipients(tx, one.id, after=ctx.after_id, limit=query.limit + 1)
    return ctx.page(found, view=RecipientView.of, key=lambda told: (told.account_id,))


async def cancel(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return _reply(await actions.cancel(tx, ctx.path["broadcast_id"]))

    return await ctx.transact(act)


_TAGS = ("notices", "admin")

ROUTES = [
    Route(
        "POST", "/v1/admin/broadcasts", create, "broadcasts.create", "Tell many people something, now or at a time",
        request=BroadcastBody, response=BroadcastView, status=201, idempotent="required", has_etag=True, roles=OPS,
        tags=_TAGS, errors=(AudienceEmpty, AudienceUnknown, TimePast, Malformed),
        description="Each of the audience gets a notice, and pushes by their own settings and quiet hours. Who belongs "
        "to the audience is decided when it begins; many are told one part after the other.",
        links={"read": Link("broadcasts.read", {"broadcast_id": "$response.body#/id"})},
    ),
    Route(
        "GET", "/v1/admin/broadcasts", list_all, "broadcasts.list", "Broadcasts, newest first",
        query=BroadcastQuery, response=Page[BroadcastView], roles=OPS, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/admin/broadcasts/{broadcast_id}", read, "broadcasts.read", "A broadcast and what became of it",
        response=BroadcastView, roles=OPS, tags=_TAGS, errors=(NotFound,),
        description="Counts are made again every few seconds at first and more seldom later, for a week.",
    ),
    Route(
        "GET", "/v1/admin/broadcasts/{broadcast_id}/recipients", list_recipients, "broadcasts.recipients",
        "Whom a broadcast has told, and how it reached each",
        query=PageQuery, response=Page[RecipientView], roles=OPS, tags=_TAGS, errors=(NotFound,),
    ),
    Route(
        "POST", "/v1/admin/broadcasts/{broadcast_id}/cancel", cancel, "broadcasts.cancel",
        "Have nobody more told of it",
        response=BroadcastView, has_etag=True, idempotent="optional", roles=OPS, tags=_TAGS,
        errors=(NotFound, WrongBroadcastState),
        description="What is being sent stops; who was told already stays told.",
    ),
]  # fmt: skip
