"""Support as customers see it: ask, look how it stands, take it back, open it again, say how it was."""

from __future__ import annotations

from chat import conversations, desk
from chat.desk import Kind, Newcomer, Request, Severity, Thread
from chat.desk.errors import RatingClosed, RatingDenied, ReopenTooLate, RoutingMissing, TalksElsewhere, ThreadState
from rest.desk.support.values import AskBody, AskedView, RateBody, RatingView
from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from storage.base.errors import NotFound
from storage.tx import Tx

WHERE = "/v1/support/{conversation_id}"


async def ask(ctx: Ctx) -> Answer:
    body: AskBody = ctx.body
    request = Request(
        kind=Kind(body.kind),
        category=body.category,
        severity=Severity(body.severity),
        line=body.line or "",
        region=body.region or "",
    )

    async def act(tx: Tx) -> Answer:
        conversation, _ = await conversations.open_conversation(tx, customer_id=ctx.actor.account_id)
        new = Newcomer(conversation_id=conversation.id, customer_id=ctx.actor.account_id, request=request)
        thread = await desk.submit(tx, new)
        return await _asked(tx, thread, location=f"/v1/support/{conversation.id}")

    return await ctx.transact(act)


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await _asked(tx, await _mine(tx, ctx))


async def withdraw(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        thread = await _mine(tx, ctx)
        return await _asked(tx, await desk.withdraw(tx, thread.conversation_id, by_id=ctx.actor.account_id))

    return await ctx.transact(act)


async def reopen(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        thread = await _mine(tx, ctx)
        return await _asked(tx, await desk.reopen(tx, thread.conversation_id, by_id=ctx.actor.account_id))

    return await ctx.transact(act)


async def as_ticket(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        thread = await _mine(tx, ctx)
        by_id = ctx.actor.account_id
        return await _asked(tx, await desk.convert(tx, thread.conversation_id, Kind.TICKET, by_id=by_id))

    return await ctx.transact(act)


async def rate(ctx: Ctx) -> Answer:
    body: RateBody = ctx.body

    async def act(tx: Tx) -> Answer:
        thread = await _mine(tx, ctx)
        rating = await desk.rating_of(tx, thread.conversation_id, thread.closure_no)
        by_id = ctx.actor.account_id
        given = await desk.rate(tx, rating.id, by_id=by_id, score=body.score, tags=body.tags, comment=body.comment)
        return RatingView.of(given)

    return await ctx.transact(act)


async def _mine(tx: Tx, ctx: Ctx) -> Thread:
    """Raises NotFound, also for another's."""
    thread = await desk.find_thread(tx, ctx.path["conversation_id"])
    if thread.customer_id != ctx.actor.account_id:
        raise NotFound
    return thread


async def _asked(tx: Tx, thread: Thread, *, location: str | None = None) -> Reply:
    return Reply(AskedView.of(thread, await desk.place_of(tx, thread)), etag=thread.version, location=location)


_TAGS = ("support",)
_ID = {"conversation_id": "$response.body#/conversation_id"}

ROUTES = [
    Route(
        "POST", "/v1/support", ask, "support.ask", "Ask support; what is open goes on", request=AskBody,
        response=AskedView, status=201, idempotent="required", has_etag=True, tags=_TAGS, errors=(RoutingMissing,),
        links={"read": Link("support.read", _ID), "withdraw": Link("support.withdraw", _ID)},
    ),
    Route(
        "GET", WHERE, read, "support.read", "How it stands, and the place in the line", response=AskedView,
        has_etag=True, tags=_TAGS, errors=(NotFound,),
    ),
    Route(
        "POST", WHERE + "/withdraw", withdraw, "support.withdraw", "Need no answer any more", response=AskedView,
        idempotent="required", has_etag=True, tags=_TAGS, errors=(NotFound, ThreadState),
    ),
    Route(
        "POST", WHERE + "/reopen", reopen, "support.reopen", "It was not answered after all", response=AskedView,
        idempotent="required", has_etag=True, tags=_TAGS,
        errors=(NotFound, ThreadState, ReopenTooLate, TalksElsewhere),
    ),
    Route(
        "POST", WHERE + "/ticket", as_ticket, "support.ticket", "Do not wait: answer me later", response=AskedView,
        idempotent="required", has_etag=True, tags=_TAGS, errors=(NotFound, ThreadState),
    ),
    Route(
        "POST", WHERE + "/rating", rate, "support.rate", "Say how it was", request=RateBody, response=RatingView,
        idempotent="required", tags=_TAGS, errors=(NotFound, RatingClosed, RatingDenied),
    ),
]  # fmt: skip
