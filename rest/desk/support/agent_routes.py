"""The desk as agents see it: their state, what they are offered, what they have, and handing it on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from chat import desk
from chat.conversations import MembersOnly
from chat.desk import Thread
from chat.desk.errors import (
    AgentFull,
    AgentNotMember,
    AgentOffDuty,
    AgentStateInvalid,
    NoteRequired,
    NotYours,
    OfferGone,
    QueueInvalid,
    ReplyTemplateInvalid,
    ResolutionRequired,
    ShortcutUsed,
    SnoozeTime,
    ThreadState,
)
from rest.desk.conversations.readers import PLATFORM, TENANT, is_supervisor, seen_by, side_of
from rest.desk.support import acts
from rest.desk.support.values import (
    AgentView,
    BoardsView,
    BoardView,
    KindBody,
    ReplyBody,
    ReplyView,
    ResolveBody,
    SeverityBody,
    SnoozeBody,
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
from storage.base.errors import Denied, NotFound
from storage.tx import Tx

STAFF = (*PLATFORM, "ops", *TENANT)
THREAD = "/v1/desk/threads/{conversation_id}"
OFFER = "/v1/desk/assignments/{assignment_id}"

Act = Callable[[Tx], Awaitable[Thread]]


async def me(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        agent = await acts.me(tx, ctx.actor)
    return Reply(AgentView.of(agent), etag=agent.version)


async def set_state(ctx: Ctx) -> Answer:
    body: StateBody = ctx.body

    async def act(tx: Tx) -> Answer:
        return AgentView.of(await acts.set_state(tx, ctx.actor, body.state))

    return await ctx.transact(act)


async def renew(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        agent = await acts.me(tx, ctx.actor)
        await desk.renew_presence(tx, agent.id)
        return AgentView.of(await acts.me(tx, ctx.actor))

    return await ctx.transact(act)


async def accept(ctx: Ctx) -> Answer:
    return await _do(ctx, lambda tx: acts.accept(tx, ctx.actor, ctx.path["assignment_id"]))


async def decline(ctx: Ctx) -> Answer:
    return await _do(ctx, lambda tx: acts.decline(tx, ctx.actor, ctx.path["assignment_id"]))


async def listing(ctx: Ctx) -> Answer:
    query: ThreadQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await desk.threads_page(
            tx,
            assignee_id=ctx.actor.account_id if query.mine else None,
            queue_id=query.queue_id,
            kind=query.kind,
            states=query.state,
            severity=query.severity,
            tenant_id=side_of(ctx.actor),
            seen_by=seen_by(ctx.actor),
            before=ctx.before_id,
            limit=query.limit + 1,
        )
    return ctx.page(found, view=ThreadView.of, key=lambda thread: (thread.conversation_id,))


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        thread = await acts.seen(tx, ctx.actor, ctx.path["conversation_id"])
    return Reply(ThreadView.of(thread), etag=thread.version)


async def why(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        verdicts = await acts.candidates(tx, ctx.actor, ctx.path["conversation_id"])
    return VerdictsView(agents=[msgspec.convert(one, VerdictView, from_attributes=True) for one in verdicts])


async def transfer(ctx: Ctx) -> Answer:
    body: TransferBody = ctx.body
    return await _do(ctx, lambda tx: acts.transfer(tx, ctx.actor, ctx.path["conversation_id"], acts.Handing.of(body)))


async def take_over(ctx: Ctx) -> Answer:
    body: TakeOverBody = ctx.body
    return await _do(ctx, lambda tx: acts.take_over(tx, ctx.actor, ctx.path["conversation_id"], body.note))


async def resolve(ctx: Ctx) -> Answer:
    body: ResolveBody = ctx.body
    return await _do(ctx, lambda tx: acts.resolve(tx, ctx.actor, ctx.path["conversation_id"], body.resolution))


async def close(ctx: Ctx) -> Answer:
    return await _do(ctx, lambda tx: acts.close(tx, ctx.actor, ctx.path["conversation_id"]))


async def snooze(ctx: Ctx) -> Answer:
    body: SnoozeBody = ctx.body
    return await _do(ctx, lambda tx: acts.snooze(tx, ctx.actor, ctx.path["conversation_id"], body.until, body.later))


async def wake(ctx: Ctx) -> Answer:
    return await _do(ctx, lambda tx: acts.wake(tx, ctx.actor, ctx.path["conversation_id"]))


async def convert(ctx: Ctx) -> Answer:
    return await _do(ctx, lambda tx: acts.convert(tx, ctx.actor, ctx.path["conversation_id"], ctx.body.kind))


async def set_severity(ctx: Ctx) -> Answer:
    return await _do(ctx, lambda tx: acts.set_severity(tx, ctx.actor, ctx.path["conversation_id"], ctx.body.severity))


async def boards(ctx: Ctx) -> Answer:
    if not is_supervisor(ctx.actor):
        raise Denied
    async with ctx.db.begin() as tx:
        found = await desk.boards_of(tx, side_of(ctx.actor))
    return BoardsView(data=[msgspec.convert(one, BoardView, from_attributes=True) for one in found])


async def list_replies(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await desk.replies_for(
            tx, ctx.actor.account_id, side_of(ctx.actor), after=ctx.after_id, limit=query.limit + 1
        )
    return ctx.page(found, view=ReplyView.of, key=lambda reply: (reply.id,))


async def add_reply(ctx: Ctx) -> Answer:
    body: ReplyBody = ctx.body
    owner_id = _owner_of(ctx, body.scope)
    if owner_id is None:
        raise Denied
    reply = desk.QuickReply(
        id="", scope=body.scope, owner_id=owner_id, folder=body.folder, shortcut=body.shortcut, body=body.body
    )

    async def act(tx: Tx) -> Answer:
        return ReplyView.of(await desk.add_reply(tx, reply))

    return await ctx.transact(act)


def _owner_of(ctx: Ctx, scope: str) -> str | None:
    """Whose replies of this scope the caller keeps; None: nobody's."""
    if scope == "own":
        return ctx.actor.account_id
    if scope == "tenant":
        return side_of(ctx.actor) if ctx.actor.has_any(("tenant_supervisor", "tenant_admin")) else None
    return "" if side_of(ctx.actor) is None and ctx.actor.has_any(("ops", "admin")) else None


async def remove_reply(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        reply = await desk.find_reply(tx, ctx.path["reply_id"])
        if reply.owner_id != _owner_of(ctx, reply.scope):
            raise NotFound
        await desk.remove_reply(tx, reply.id)
        return Reply(status=204)

    return await ctx.transact(act)


async def _do(ctx: Ctx, verb: Act) -> Answer:
    """Run a verb of an agent's."""

    async def act(tx: Tx) -> Answer:
        thread = await verb(tx)
        return Reply(ThreadView.of(thread), etag=thread.version)

    return await ctx.transact(act)


_TAGS = ("desk",)
_HAVE = (NotFound, MembersOnly, NotYours, ThreadState)

ROUTES = [
    Route("GET", "/v1/desk/me", me, "desk.me", "I as an agent", response=AgentView, has_etag=True, roles=STAFF,
          tags=_TAGS, errors=(NotFound,)),
    Route("PUT", "/v1/desk/me/state", set_state, "desk.set_state", "Be online, busy, away or offline",
          request=StateBody, response=AgentView, roles=STAFF, tags=_TAGS, errors=(NotFound, AgentStateInvalid)),
    Route("PUT", "/v1/desk/me/presence", renew, "desk.renew", "Stay: a sign of life for fifteen seconds",
          response=AgentView, roles=STAFF, tags=_TAGS, errors=(NotFound,)),
    Route("POST", OFFER + "/accept", accept, "desk.accept", "Say yes to an offer", response=ThreadView, has_etag=True,
          idempotent="required", roles=STAFF, tags=_TAGS, errors=(NotFound, MembersOnly, OfferGone)),
    Route("POST", OFFER + "/decline", decline, "desk.decline", "Say no to an offer", response=ThreadView, has_etag=True,
          idempotent="required", roles=STAFF, tags=_TAGS, errors=(NotFound, OfferGone)),
    Route("GET", "/v1/desk/threads", listing, "desk.threads", "Chats and tickets, newest first", query=ThreadQuery,
          response=Page[ThreadView], roles=STAFF, tags=_TAGS),
    Route("GET", "/v1/desk/boards", boards, "desk.boards", "The queues I watch over, in numbers", response=BoardsView,
          roles=STAFF, tags=_TAGS),
    Route("GET", THREAD, read, "desk.thread", "One chat or ticket", response=ThreadView, has_etag=True, roles=STAFF,
          tags=_TAGS, errors=(NotFound, MembersOnly)),
    Route("GET", THREAD + "/candidates", why, "desk.candidates", "Who would get it, and why not the others",
          response=VerdictsView, roles=STAFF, tags=_TAGS, errors=(NotFound, MembersOnly)),
    Route("POST", THREAD + "/transfer", transfer, "desk.transfer", "Hand it to an agent or a queue",
          request=TransferBody, response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(*_HAVE, NoteRequired, AgentFull, AgentNotMember, AgentOffDuty, QueueInvalid)),
    Route("POST", THREAD + "/take_over", take_over, "desk.take_over", "Take it over, as a supervisor",
          request=TakeOverBody, response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(NotFound, MembersOnly, ThreadState, NoteRequired)),
    Route("POST", THREAD + "/resolve", resolve, "desk.resolve", "It is answered", request=ResolveBody,
          response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(*_HAVE, ResolutionRequired)),
    Route("POST", THREAD + "/close", close, "desk.close_thread", "It is over: no rating is waited for",
          response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS, errors=_HAVE),
    Route("POST", THREAD + "/convert", convert, "desk.convert", "Look at it as a chat or as a ticket",
          request=KindBody, response=ThreadView, has_etag=True, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(*_HAVE, AgentFull)),
    Route("PUT", THREAD + "/snooze", snooze, "desk.snooze", "Put it aside until then, or until the customer writes",
          request=SnoozeBody, response=ThreadView, has_etag=True, roles=STAFF, tags=_TAGS,
          errors=(*_HAVE, SnoozeTime)),
    Route("DELETE", THREAD + "/snooze", wake, "desk.wake", "Take it up again", response=ThreadView, has_etag=True,
          roles=STAFF, tags=_TAGS, errors=(NotFound, MembersOnly, NotYours)),
    Route("PUT", THREAD + "/severity", set_severity, "desk.severity", "Say how bad it is", request=SeverityBody,
          response=ThreadView, has_etag=True, roles=STAFF, tags=_TAGS, errors=(NotFound, MembersOnly)),
    Route("GET", "/v1/desk/quick_replies", list_replies, "quick_replies.list", "Quick replies I may use",
          query=PageQuery, response=Page[ReplyView], roles=STAFF, tags=_TAGS),
    Route("POST", "/v1/desk/quick_replies", add_reply, "quick_replies.create", "Keep a quick reply",
          request=ReplyBody, response=ReplyView, status=201, idempotent="required", roles=STAFF, tags=_TAGS,
          errors=(ReplyTemplateInvalid, ShortcutUsed)),
    Route("DELETE", "/v1/desk/quick_replies/{reply_id}", remove_reply, "quick_replies.remove", "Drop a quick reply",
          status=204, roles=STAFF, tags=_TAGS, errors=(NotFound,)),
]  # fmt: skip
