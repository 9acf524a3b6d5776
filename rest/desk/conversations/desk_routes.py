"""Conversations over HTTP, for staff: what they serve, who is in it, closing."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from chat import conversations, desk
from chat.conversations import ConversationState, MembersOnly, Role
from rest.desk.conversations.joining import join_worker
from rest.desk.conversations.readers import STAFF
from rest.desk.conversations.routes import reader, row_view
from rest.desk.conversations.values import ConversationView, ParticipantView
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Id, Page, PageQuery
from rest.trade import orders
from storage.base.errors import NotFound
from storage.tx import Tx

_Filter = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]


class DeskQuery(PageQuery, frozen=True, kw_only=True):
    """Last opened first. `assignee`: mine, nobody's, or an agent's account id."""

    status: Literal["open", "closed"] | None = None
    assignee: _Filter | None = None
    subject_id: _Filter | None = None
    customer_id: _Filter | None = None


class BringWorkerBody(Body, frozen=True, kw_only=True):
    """`sees_history`: also what was said before."""

    sees_history: bool = False


class OpenForBody(Body, frozen=True, kw_only=True):
    """About this order, with its customer."""

    order_id: Id


async def listing(ctx: Ctx) -> Answer:
    query: DeskQuery = ctx.query
    me = reader(ctx)
    agent = {"me": me.account_id, "none": None}.get(query.assignee or "none", query.assignee)
    async with ctx.db.begin() as tx:
        rows = await conversations.list_served(
            tx,
            me,
            status=query.status,
            assignee_id=agent,
            is_unassigned=query.assignee == "none",
            subject_id=query.subject_id,
            customer_id=query.customer_id,
            before=ctx.before_id,
            limit=query.limit + 1,
        )
    return ctx.page(rows, view=lambda row: row_view(me, row), key=lambda row: (row.conversation.id,))


async def start(ctx: Ctx) -> Answer:
    body: OpenForBody = ctx.body

    async def act(tx: Tx) -> Answer:
        parties = await orders.parties_of(tx, body.order_id)
        if parties is None:
            raise NotFound
        opened, _ = await conversations.open_conversation(tx, customer_id=parties[0], subject=("order", body.order_id))
        return Reply(await _view(tx, ctx, opened.id), location=f"/v1/conversations/{opened.id}")

    return await ctx.transact(act)


async def bring_worker(ctx: Ctx) -> Answer:
    """The worker bound to the order takes part (HS-193)."""
    body: BringWorkerBody = ctx.body
    where = ctx.path["conversation_id"]

    async def act(tx: Tx) -> Answer:
        standing, _ = await conversations.read_conversation(tx, reader(ctx), where)
        worker_id = await _worker_of(tx, standing.conversation)
        return ParticipantView.of(await join_worker(tx, where, worker_id, sees_history=body.sees_history))

    return await ctx.transact(act)


async def _worker_of(tx: Tx, conversation: conversations.Conversation) -> str:
    """Bound to its order. Raises NotFound."""
    if conversation.subject_kind != "order" or conversation.subject_id is None:
        raise NotFound
    parties = await orders.parties_of(tx, conversation.subject_id)
    if parties is None or parties[1] is None:
        raise NotFound
    return parties[1]


async def dismiss(ctx: Ctx) -> Answer:
    where, account_id = ctx.path["conversation_id"], ctx.path["account_id"]

    async def act(tx: Tx) -> Answer:
        found = await conversations.members_of(tx, reader(ctx), where)
        if not any(one.account_id == account_id and one.role is Role.WORKER for one in found):
            raise NotFound
        await conversations.leave(tx, where, account_id)
        return Reply()

    return await ctx.transact(act)


async def close(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await conversations.read_conversation(tx, reader(ctx), ctx.path["conversation_id"])
        await _not_in_line(tx, ctx.path["conversation_id"])
        await conversations.close_conversation(tx, ctx.path["conversation_id"])
        return await _view(tx, ctx, ctx.path["conversation_id"])

    return await ctx.transact(act)


async def reopen(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await conversations.read_conversation(tx, reader(ctx), ctx.path["conversation_id"])
        await _not_in_line(tx, ctx.path["conversation_id"])
        again = await conversations.reopen_conversation(tx, ctx.path["conversation_id"])
        return await _view(tx, ctx, again.id)

    return await ctx.transact(act)


async def _not_in_line(tx: Tx, conversation_id: str) -> None:
    """What has a thread at the desk is ended and opened again by its verbs, or the two would not agree.

    Raises ConversationState.
    """
    try:
        await desk.find_thread(tx, conversation_id)
    except NotFound:
        return
    raise ConversationState


async def _view(tx: Tx, ctx: Ctx, conversation_id: str) -> ConversationView:
    standing, sight = await conversations.read_conversation(tx, reader(ctx), conversation_id)
    return ConversationView.of(standing.conversation, standing.member, sight=sight)


_TAGS = ("conversations", "desk")
_AT = "/v1/desk/conversations/{conversation_id}"

ROUTES = [
    Route(
        "GET", "/v1/desk/conversations", listing, "desk.conversations", "What the desk serves", query=DeskQuery,
        response=Page[ConversationView], roles=STAFF, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/desk/conversations", start, "desk.open", "Talk to the customer of an order", request=OpenForBody,
        response=ConversationView, status=201,
        errors=(NotFound, MembersOnly), idempotent="optional", roles=STAFF, tags=_TAGS,
    ),
    Route(
        "POST", _AT + "/worker", bring_worker, "desk.bring_worker", "Let the order's worker take part",
        request=BringWorkerBody, response=ParticipantView, status=201,
        errors=(NotFound, MembersOnly), roles=STAFF, tags=_TAGS,
    ),
    Route(
        "DELETE", _AT + "/members/{account_id}", dismiss, "desk.dismiss_worker", "Let a worker take part no longer",
        status=204, errors=(NotFound, MembersOnly), roles=STAFF, tags=_TAGS,
    ),
    Route(
        "POST", _AT + "/close", close, "desk.close", "Close a conversation", response=ConversationView,
        errors=(NotFound, MembersOnly, ConversationState), roles=STAFF, tags=_TAGS,
    ),
    Route(
        "POST", _AT + "/reopen", reopen, "desk.reopen", "Go on with a closed conversation", response=ConversationView,
        errors=(NotFound, MembersOnly, ConversationState), roles=STAFF, tags=_TAGS,
        description="Where its customer has opened another one meanwhile, that one is the answer.",
    ),
]  # fmt: skip
