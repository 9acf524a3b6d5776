"""The desk as agents see it: their state, what they are offered, what they have, and handing it on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from chat import desk
from chat.desk import Kind, Severity, Thread
from chat.desk.errors import (
    AgentFull,
    AgentOffDuty,
    AgentStateInvalid,
    NoteRequired,
    NotYours,
    OfferGone,
    QueueInvalid,
    ReplyTemplateInvalid,
    ResolutionRequired,
    ShortcutUsed,
    ThreadState,
)
from rest.desk.support.values import (
    AgentView,
    KindBody,
    ReplyBody,
    ReplyView,
    ResolveBody,
    SeverityBody,
    StateBody,
    TakeOverBody,
    ThreadQuery,
    ThreadView,
    TransferBody,
    VerdictsView,
    VerdictView,
)
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from storage.base.errors import Denied, Malformed, NotFound
from storage.tx import Tx

STAFF = ("support", "ops", "admin")
THREAD = "/v1/desk/threads/{conversation_id}"
OFFER = "/v1/desk/assignments/{assignment_id}"

Act = Callable[[Tx, str], Awaitable[Thread]]


async def me(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        agent = await desk.agent_of(tx, ctx.actor.account_id)
    return Reply(AgentView.of(agent), etag=agent.version)


async def set_state(ctx: Ctx) -> Answer:
    body: StateBody = ctx.body

    async def act(tx: Tx) -> Answer:
        await desk.renew_presence(tx, ctx.actor.account_id)
        return AgentView.of(await desk.set_state(tx, ctx.actor.account_id, body.state))

    return await ctx.transact(act)


async def renew(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await desk.renew_presence(tx, ctx.actor.account_id)
        return AgentView.of(await desk.agent_of(tx, ctx.actor.account_id))

    return await ctx.transact(act)


async def accept(ctx: Ctx) -> Answer:
    return await _do(ctx, lambda tx, me: desk.accept(tx, ctx.path["assignment_id"], me))


async def decline(ctx: Ctx) -> Answer:
    return await _do(ctx, lambda tx, me: desk.decline(tx, ctx.path["assignment_id"], me))


async def listing(ctx: Ctx) -> Answer:
    query: ThreadQuery = ctx.query
    before = {"before": str(ctx.after[0])} if ctx.after else {}
    async with ctx.db.begin() as tx:
        found = await desk.threads_page(
            tx,
            assignee_id=ctx.actor.account_id if query.mine else None,
            queue_id=query.queue_id,
            kind=query.kind,
            states=query.state,
            limit=query.limit + 1,
            **before,
        )
    return ctx.page(found, view=ThreadView.of, key=lambda thread: (thread.conversation_id,))


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        thread = await desk.find_thread(tx, ctx.path["conversation_id"])
    return Reply(ThreadView.of(thread), etag=thread.version)


async def why(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        verdicts = await desk.explain(tx, await desk.find_thread(tx, ctx.path["conversation_id"]))
    return VerdictsView(agents=[msgspec.convert(one, VerdictView, from_attributes=True) for one in verdicts])


async def transfer(ctx: Ctx) -> Answer:
    body: TransferBody = ctx.body
    if (body.agent_id is None) == (body.queue_id is None):
        raise Malformed("Name an agent or a queue.")

    async def act(tx: Tx, me: str) -> Thread:
        conversation_id = ctx.path["conversation_id"]
        if body.queue_id is not None:
            return await desk.transfer_to_queue(tx, conversation_id, body.queue_id, by_id=me, note=body.note)
        assert body.agent_id is not None  # noqa: S101 - one of them is there
        return await desk.transfer_to_agent(
            tx, conversation_id, body.agent_id, by_id=me, note=body.note, override=body.override
        )

    return await _do(ctx, act)


async def take_over(ctx: Ctx) -> Answer:
    body: TakeOverBody = ctx.body
    return await _do(ctx, lambda tx, me: desk.take_over(tx, ctx.path["conversation_id"], by_id=me, note=body.note))


async def resolve(ctx: Ctx) -> Answer:
    body: ResolveBody = ctx.body
    return await _handle(
        ctx, lambda tx, me: desk.resolve(tx, ctx.path["conversation_id"], by_id=me, resolution=body.resolution)
    )


async def convert(ctx: Ctx) -> Answer:
    kind = Kind(ctx.body.kind)
    return await _handle(ctx, lambda tx, me: desk.convert(tx, ctx.path["conversation_id"], kind, by_id=me))


async def set_severity(ctx: Ctx) -> Answer:
    severity = Severity(ctx.body.severity)
    return await _do(ctx, lambda tx, me: desk.raise_severity(tx, ctx.path["conversation_id"], severity, me))


async def list_replies(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    after = str(ctx.after[0]) if ctx.after else ""
    async with ctx.db.begin() as tx:
        found = await desk.replies_for(tx, ctx.actor.account_id, None, after=after, limit=query.limit + 1)
    return ctx.page(found, view=ReplyView.of, key=lambda reply: (reply.id,))


async def add_reply(ctx: Ctx) -> Answer:
    body: ReplyBody = ctx.body
    if body.scope == "platform" and not ctx.actor.has_any(("ops", "admin")):
        raise Denied
    owner_id = "" if body.scope == "platform" else ctx.actor.account_id
    reply = desk.QuickReply(
        id="", scope=body.scope, owner_id=owner_id, folder=body.folder, shortcut=body.shortcut, body=body.body
    )

    async def act(tx: Tx) -> Answer:
        return ReplyView.of(await desk.add_reply(tx, reply))

    return await ctx.transact(act)


async def remove_reply(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        reply = await desk.find_reply(tx, ctx.path["reply_id"])
        is_own = reply.scope == "own" and reply.owner_id == ctx.actor.account_id
        if not is_own and not (reply.scope == "platform" and ctx.actor.has_any(("ops", "admin"))):
            raise NotFound
        await desk.remove_reply(tx, reply.id)
        return Reply(status=204)

    return await ctx.transact(act)


async def _do(ctx: Ctx, verb: Act) -> Answer:
    """Run a verb of an agent's, who must be one of the desk."""

    async def act(tx: Tx) -> Answer:
        agent = await desk.agent_of(tx, ctx.actor.account_id)
        thread = await verb(tx, agent.id)
        return Reply(ThreadView.of(thread), etag=thread.version)

    return await ctx.transact(act)


async def _handle(ctx: Ctx, verb: Act) -> Answer:
    """The same for verbs only who has the thread may do, and a supervisor."""

    async def checked(tx: Tx, me: str) -> Thread:
        await desk.may_handle(tx, await desk.find_thread(tx, ctx.path["conversation_id"]), me)
        return await verb(tx, me)

    return await _do(ctx, checked)


_TAGS = ("desk",)
_HAVE = (NotFound, NotYours, ThreadState)

ROUTES = [
    Route("GET", "/v1/desk/me", me, "desk.me", "I as an agent", response=AgentView, has_etag=True, roles=STAFF,
          tags=_TAGS, errors=(NotFound,)),
    Route("PUT", "/v1/desk/me/state", set_state, "desk.set_state", "Be online, busy, away or offline",
          request=StateBody, response=AgentView, roles=STAFF, tags=_TAGS, errors=(NotFound, AgentStateInvalid)),
    Route("PUT", "/v1/desk/me/presence", renew, "desk.renew", "Stay: a sign of life for fifteen seconds",
          response=AgentView, roles=STAFF, tags=_TAGS, errors=(NotFound,)),
    Route("POST", OFFER + "/accept", accept, "desk.accept", "Say yes to an offer", response=ThreadView, has_etag=True,
          idempotent="required", roles=STAFF, tags=_TAGS, errors=(NotFound, OfferGone)),
    Route("POST", OFFER + "/decline", decline, "desk.decline", "Say no to an offer", response=ThreadView, has_etag=True,
          idempotent="required", roles=STAFF, tags=_TAGS, errors=(NotFound, OfferGone)),
    Route("GET", "/v1/desk/threads", listing, "desk.threads", "Chats and tickets, newest first", query=ThreadQuery,
          response=Page[ThreadView], roles=STAFF, tags=_TAGS),
    Route("GET", THREAD, read, "desk.thread", "One chat or ticket", response=ThreadView, has_etag=True, roles=STAFF,
          tags=_TAGS, errors=(NotFound,)),
    Route("GET", THREAD + "/candidates", why, "desk.candidates", "Who would get it, and why not the others",
          response=VerdictsView, roles=STAFF, tags=_TAGS, errors=(NotFound,)),
    Route("POST", THREAD + "/transfer", transfer, "desk.transfer", "Hand it to an agent or a queue",
          request=TransferBody, response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(*_HAVE, NoteRequired, AgentFull, AgentOffDuty, QueueInvalid)),
    Route("POST", THREAD + "/take_over", take_over, "desk.take_over", "Take it over, as a supervisor",
          request=TakeOverBody, response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(NotFound, ThreadState, NoteRequired)),
    Route("POST", THREAD + "/resolve", resolve, "desk.resolve", "It is answered", request=ResolveBody,
          response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(*_HAVE, ResolutionRequired)),
    Route("POST", THREAD + "/convert", convert, "desk.convert", "Look at it as a chat or as a ticket",
          request=KindBody, response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(*_HAVE, AgentFull)),
    Route("PUT", THREAD + "/severity", set_severity, "desk.severity", "Say how bad it is", request=SeverityBody,
          response=ThreadView, has_etag=True, roles=STAFF, tags=_TAGS, errors=(NotFound,)),
    Route("GET", "/v1/desk/quick_replies", list_replies, "quick_replies.list", "Quick replies I may use",
          query=PageQuery, response=Page[ReplyView], roles=STAFF, tags=_TAGS),
    Route("POST", "/v1/desk/quick_replies", add_reply, "quick_replies.create", "Keep a quick reply",
          request=ReplyBody, response=ReplyView, status=201, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(ReplyTemplateInvalid, ShortcutUsed)),
    Route("DELETE", "/v1/desk/quick_replies/{reply_id}", remove_reply, "quick_replies.remove", "Drop a quick reply",
          status=204, roles=STAFF, tags=_TAGS, errors=(NotFound,)),
]  # fmt: skip
