"""Support as customers see it: ask, look how it stands, take it back, open it again, say how it was."""

from __future__ import annotations

from chat import desk
from chat.desk import Kind, Request, Severity, Thread
from chat.desk.errors import (
    RatingClosed,
    RatingDenied,
    RatingTokenInvalid,
    ReopenTooLate,
    RoutingMissing,
    TalksElsewhere,
    ThreadState,
)
from rest import people
from rest.desk.support.subjects import SUBJECTS
from rest.desk.support.values import (
    AskBody,
    AskedView,
    OwnThread,
    OwnThreadQuery,
    RateBody,
    RateByLinkBody,
    RatingView,
)
from rest.edge.context import Ctx
from rest.edge.limits import Quota
from rest.edge.registry import PUBLIC, Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page
from rest.edge.wording import TAGS
from rest.people.tenants import find_tenant
from rest.trade import orders
from storage.base.errors import Malformed, NotFound
from storage.tx import Tx

WHERE = "/v1/support/{conversation_id}"

LINKS = Quota("ratings_by_link", 30, 3600)
"""From one address in an hour: more than anybody is asked."""


async def ask(ctx: Ctx) -> Answer:
    body: AskBody = ctx.body

    async def act(tx: Tx) -> Answer:
        me = ctx.actor.account_id
        subject = None if body.order_id is None else ("order", body.order_id)
        request = Request(
            kind=Kind(body.kind),
            category=body.category,
            severity=Severity(body.severity),
            tenant_id=await _at_whose_desk(tx, ctx, body),
            line=body.line or "",
            region=body.region or "",
        )
        thread = await desk.ask(
            tx, me, request, subject=subject, language=TAGS[ctx.language], customer_name=await _name(tx, me)
        )
        return await _asked(tx, thread, location=f"/v1/support/{thread.conversation_id}")

    return await ctx.transact(act)


async def _name(tx: Tx, account_id: str) -> str:
    found = await people.accounts_of(tx, [account_id])
    return found[0].nickname if found else ""


async def _at_whose_desk(tx: Tx, ctx: Ctx, body: AskBody) -> str | None:
    """The tenant whose desk is asked, None: the platform's (FR-113, FR-125).

    Raises NotFound where it is not the caller's order, or no tenant; Malformed where the order is another's to serve.
    """
    if body.at_platform and body.tenant_id is not None:
        raise Malformed("It is either the platform's or a tenant's.", field="at_platform")
    owner_id = None if body.order_id is None else await _order_s_tenant(tx, ctx, body.order_id)
    if body.at_platform:
        return None
    if body.tenant_id is not None:
        await find_tenant(tx, body.tenant_id)
        if body.order_id is not None and owner_id != body.tenant_id:
            raise Malformed("This order is not that tenant's.", field="tenant_id")
    return body.tenant_id or owner_id


async def _order_s_tenant(tx: Tx, ctx: Ctx, order_id: str) -> str | None:
    """Whose the caller's order is to serve, as its line says. Raises NotFound."""
    parties = await orders.parties_of(tx, order_id)
    if parties is None or parties[0] != ctx.actor.account_id:
        raise NotFound
    read_card = ctx.app.get(SUBJECTS, {}).get("order")
    card = None if read_card is None else await read_card(tx, order_id)
    return None if card is None else card.tenant_id


async def listing(ctx: Ctx) -> Answer:
    query: OwnThreadQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await desk.threads_page(
            tx, customer_id=ctx.actor.account_id, kind=query.kind, states=query.state, tenant_id=query.tenant_id,
            before=ctx.before_id, limit=query.limit + 1,
        )  # fmt: skip
    return ctx.page(found, view=OwnThread.of, key=lambda thread: (thread.conversation_id,))


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


async def rating(ctx: Ctx) -> Answer:
    """The last question, with what a link to it carries."""
    async with ctx.db.begin() as tx:
        thread = await _mine(tx, ctx)
        asked = await desk.rating_of(tx, thread.conversation_id, thread.closure_no)
    return RatingView.of(asked, token=desk.token_of(ctx.settings.secret, asked.id))


async def rate_by_link(ctx: Ctx) -> Answer:
    body: RateByLinkBody = ctx.body
    ctx.spend(LINKS, ctx.address)

    async def act(tx: Tx) -> Answer:
        given = await desk.rate_by_link(
            tx, ctx.settings.secret, body.token, score=body.score, tags=body.tags, comment=body.comment
        )
        return RatingView.of(given)

    return await ctx.transact(act)


async def _mine(tx: Tx, ctx: Ctx) -> Thread:
    """Raises NotFound, also for another's."""
    thread = await desk.find_thread(tx, ctx.path["conversation_id"])
    if thread.customer_id != ctx.actor.account_id:
        raise NotFound
    return thread


async def _asked(tx: Tx, thread: Thread, *, location: str | None = None) -> Reply:
    agent_name, back_at = await desk.name_of_server(tx, thread), await desk.back_at(tx, thread)
    view = AskedView.of(thread, await desk.place_of(tx, thread), agent_name=agent_name, back_at=back_at)
    return Reply(view, etag=thread.version, location=location)


_TAGS = ("support",)
_ID = {"conversation_id": "$response.body#/conversation_id"}

ROUTES = [
    Route(
        "POST", "/v1/support", ask, "support.ask", "Ask support; what is open goes on", request=AskBody,
        response=AskedView, status=201, idempotent="required", has_etag=True, tags=_TAGS,
        description="What was answered in the last four hours, in the same category, is opened again. After that it is "
        "a new thread, with the former one in `former_id`.",
        errors=(RoutingMissing, NotFound),
        links={"read": Link("support.read", _ID), "withdraw": Link("support.withdraw", _ID)},
    ),
    Route(
        "GET", "/v1/support", listing, "support.list", "What I asked, and how it stands", query=OwnThreadQuery,
        response=Page[OwnThread], tags=_TAGS,
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
    Route(
        "GET", WHERE + "/rating", rating, "support.rating", "How was it: what was asked, and what I said",
        response=RatingView, tags=_TAGS, errors=(NotFound,),
        description="`token` is what a link carries that lets whoever has it answer without signing in.",
    ),
    Route(
        "POST", "/v1/ratings", rate_by_link, "ratings.give", "Say how it was, by the link one was sent",
        request=RateByLinkBody, response=RatingView, roles=PUBLIC, tags=_TAGS,
        errors=(RatingTokenInvalid, RatingClosed),
        description="Sent again it is the same; it may be changed for ten minutes.",
    ),
]  # fmt: skip
