"""Conversations over HTTP, for everybody in them: people see theirs, staff what they serve."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chat import conversations
from chat.conversations import (
    AnsweredMeanwhile,
    ConversationClosed,
    MembersOnly,
    Message,
    MessageEmpty,
    MessageFixed,
    MessageTooLong,
    NothingSought,
    Reader,
    ReadOnly,
    ReplyUnknown,
    StaleAssignment,
    may_read,
)
from geo.datum import Crs
from rest.desk.conversations.readers import quota_of, reader_of
from rest.desk.conversations.values import (
    ClientId,
    ConversationView,
    DraftView,
    Marks,
    MessageView,
    ParticipantView,
    Ref,
    SaidView,
    Saying,
    SearchQuery,
    Seq,
    Text,
)
from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Id, Page, PageQuery, Query
from rest.people.files.replies import file_reply
from rest.people.tenants import find_tenant
from rest.trade import orders
from storage.base.errors import Malformed, NotFound
from storage.files import FileTaken
from storage.tx import Tx

MEMBERS_MAX = 200


class ConversationSubject(Body, frozen=True, kw_only=True):
    """What it is about; an order must be the caller's own."""

    kind: Literal["order"]
    id: Id


class ConversationOpening(Body, frozen=True, kw_only=True):
    """Without a subject it is about nothing in particular. `tenant_id`: with whose desk; null: the platform's.

    About an order of a tenant's one asks by `POST /v1/support`, which knows whose it is.
    """

    subject: ConversationSubject | None = None
    tenant_id: Id | None = None


class SayBody(Saying, frozen=True, kw_only=True):
    """A message; `crs` says in which coordinates a place is given."""

    crs: Crs = "wgs84"


class EditBody(Body, frozen=True, kw_only=True):
    client_id: ClientId
    text: Text


class RecallBody(Body, frozen=True, kw_only=True):
    client_id: ClientId


class ReadBody(Body, frozen=True, kw_only=True):
    """Marks only move forward; what is read is delivered too."""

    read_seq: Seq = 0
    delivered_seq: Seq = 0


class DraftBody(Body, frozen=True, kw_only=True):
    """Nothing is no draft."""

    text: Text
    base_seq: Seq = 0


class Drafts(msgspec.Struct, frozen=True):
    data: list[DraftView]


class ListQuery(PageQuery, frozen=True, kw_only=True):
    """One's own conversations, last opened first."""

    status: Literal["open", "closed"] | None = None
    subject_id: Ref | None = None


class HistoryQuery(Query, frozen=True, kw_only=True):
    """Messages between two places, without these; `newest` or `oldest` first. A client fills a hole with both."""

    after: Seq = 0
    before: Seq = 2**53
    sort: Literal["newest", "oldest"] = "newest"
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class MessageHistory(msgspec.Struct, frozen=True):
    """Messages in the order asked for; `has_more` in that direction."""

    data: list[MessageView]
    has_more: bool


class Participants(msgspec.Struct, frozen=True):
    data: list[ParticipantView]


class OpenedConversation(msgspec.Struct, frozen=True):
    """The conversation, and whether it had been open already."""

    conversation: ConversationView
    is_new: bool


def reader(ctx: Ctx) -> Reader:
    return reader_of(ctx.actor.account_id, ctx.actor.roles, ctx.actor.tenant_id)


def seq_of(ctx: Ctx) -> int:
    """The place in the path. Raises NotFound."""
    text = ctx.path["seq"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound
    return int(text)


async def start(ctx: Ctx) -> Answer:
    wanted: ConversationOpening = ctx.body
    me = ctx.actor.account_id

    async def act(tx: Tx) -> Answer:
        if wanted.subject is not None:
            parties = await orders.parties_of(tx, wanted.subject.id)
            if parties is None or parties[0] != me:
                raise NotFound
        subject = None if wanted.subject is None else (wanted.subject.kind, wanted.subject.id)
        if wanted.tenant_id is not None:
            if subject is not None:
                raise Malformed("About an order, ask support.", field="tenant_id")
            await find_tenant(tx, wanted.tenant_id)
        opened, is_new = await conversations.open_conversation(
            tx, customer_id=me, subject=subject, tenant_id=wanted.tenant_id
        )
        standing, sight = await conversations.read_conversation(tx, Reader(me), opened.id)
        view = ConversationView.of(standing.conversation, standing.member, sight=sight)
        return Reply(OpenedConversation(view, is_new), location=f"/v1/conversations/{opened.id}")

    return await ctx.transact(act)


async def listing(ctx: Ctx) -> Answer:
    query: ListQuery = ctx.query
    me = Reader(ctx.actor.account_id)
    async with ctx.db.begin() as tx:
        rows = await conversations.list_own(
            tx,
            me.account_id,
            status=query.status,
            subject_id=query.subject_id,
            before=ctx.before_id,
            limit=query.limit + 1,
        )
    return ctx.page(rows, view=lambda row: row_view(me, row), key=lambda row: (row.conversation.id,))


def row_view(me: Reader, row: conversations.Row) -> ConversationView:
    sight = may_read(me, row.conversation, row.member)
    assert sight is not None  # noqa: S101 - lists have the rule as a condition
    return ConversationView.of_row(row, sight)


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        standing, sight = await conversations.read_conversation(tx, reader(ctx), ctx.path["conversation_id"])
    return ConversationView.of(standing.conversation, standing.member, sight=sight)


async def members(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await conversations.members_of(tx, reader(ctx), ctx.path["conversation_id"])
    return Participants([ParticipantView.of(member) for member in found[:MEMBERS_MAX]])


async def history(ctx: Ctx) -> Answer:
    query: HistoryQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await conversations.history(
            tx,
            reader(ctx),
            ctx.path["conversation_id"],
            after=query.after,
            before=query.before,
            is_oldest_first=query.sort == "oldest",
            limit=query.limit + 1,
        )
    return MessageHistory([MessageView.of(message) for message in found[: query.limit]], len(found) > query.limit)


async def say(ctx: Ctx) -> Answer:
    body: SayBody = ctx.body
    me, where = reader(ctx), ctx.path["conversation_id"]
    ctx.spend(quota_of(me), me.account_id)

    async def act(tx: Tx) -> Answer:
        said = await conversations.say(
            tx,
            me,
            where,
            body.content(body.crs),
            client_id=body.client_id,
            base_seq=body.base_seq,
            assign_epoch=body.assign_epoch,
        )
        return SaidView.of(where, body.client_id, said)

    return await ctx.transact(act, light=body.file_id is None)  # a file is attached before the message is written


async def edit(ctx: Ctx) -> Answer:
    body: EditBody = ctx.body
    me, where, seq = reader(ctx), ctx.path["conversation_id"], seq_of(ctx)
    ctx.spend(quota_of(me), me.account_id)

    async def act(tx: Tx) -> Answer:
        said = await conversations.edit_message(tx, me, where, seq, body.text, client_id=body.client_id)
        return SaidView.of(where, body.client_id, said)

    return await ctx.transact(act, light=True)


async def recall(ctx: Ctx) -> Answer:
    body: RecallBody = ctx.body
    me, where, seq = reader(ctx), ctx.path["conversation_id"], seq_of(ctx)
    ctx.spend(quota_of(me), me.account_id)

    async def act(tx: Tx) -> Answer:
        said = await conversations.recall_message(tx, me, where, seq, client_id=body.client_id)
        return SaidView.of(where, body.client_id, said)

    return await ctx.transact(act)


async def mark(ctx: Ctx) -> Answer:
    body: ReadBody = ctx.body
    me, where = reader(ctx), ctx.path["conversation_id"]

    async def act(tx: Tx) -> Answer:
        return await marked(tx, me, where, body.read_seq, body.delivered_seq)

    return await ctx.transact(act)


async def marked(tx: Tx, me: Reader, where: str, read_seq: int, delivered_seq: int) -> Marks:
    """The marks as they stand afterwards, moved or not."""
    member = await conversations.mark_read(tx, me, where, read_seq=read_seq, delivered_seq=delivered_seq)
    if member is None:
        standing, _ = await conversations.read_conversation(tx, me, where)
        member = standing.member
    assert member is not None  # noqa: S101 - only members have marks
    return Marks(conversation_id=where, read_seq=member.read_seq, delivered_seq=member.delivered_seq)


async def search(ctx: Ctx) -> Answer:
    query: SearchQuery = ctx.query
    after: Any = ctx.after
    async with ctx.db.begin() as tx:
        found = await conversations.search(
            tx,
            reader(ctx),
            query.q,
            of=query.of,
            before=(datetime.fromisoformat(after[0]), after[1], after[2]) if after else None,
            limit=query.limit + 1,
        )
    return ctx.page(found, view=MessageView.of, key=_place)


def _place(message: Message) -> tuple[str, str, int]:
    return message.at.isoformat(), message.conversation_id, message.seq


async def file(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await conversations.file_of(tx, reader(ctx), ctx.path["conversation_id"], ctx.path["file_id"])
        return await file_reply(tx, found)


async def drafts(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return Drafts([DraftView.of(draft) for draft in await conversations.drafts_of(tx, reader(ctx))])


async def draft(ctx: Ctx) -> Answer:
    where = ctx.path["conversation_id"]
    async with ctx.db.begin() as tx:
        kept = await conversations.draft_of(tx, reader(ctx), where)
    return DraftView.of(kept)


async def drop_draft(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await conversations.save_draft(tx, reader(ctx), ctx.path["conversation_id"], "", base_seq=0)
        return Reply()

    return await ctx.transact(act)


async def save_draft(ctx: Ctx) -> Answer:
    body: DraftBody = ctx.body

    async def act(tx: Tx) -> Answer:
        where = ctx.path["conversation_id"]
        await conversations.save_draft(tx, reader(ctx), where, body.text, base_seq=body.base_seq)
        return Reply()

    return await ctx.transact(act)


_TAGS = ("conversations",)
_SAYING = (NotFound, MembersOnly, ReadOnly, ConversationClosed, StaleAssignment)
_SAY_LINK = {
    "say": Link("conversations.say", {"conversation_id": "$response.body#/conversation/id"}),
    "history": Link("conversations.history", {"conversation_id": "$response.body#/conversation/id"}),
}

ROUTES = [
    Route(
        "POST", "/v1/conversations", start, "conversations.open", "Talk to support",
        request=ConversationOpening, response=OpenedConversation, status=201, errors=(NotFound,),
        idempotent="optional", tags=_TAGS, links=_SAY_LINK,
        description="About an order of one's own, or about nothing in particular. Of each subject one conversation is "
        "open at a time: asked again, that one is the answer.",
    ),
    Route(
        "GET", "/v1/conversations", listing, "conversations.list", "My conversations", query=ListQuery,
        response=Page[ConversationView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/conversations/search", search, "conversations.search", "Search what was said",
        query=SearchQuery, response=Page[MessageView], errors=(NothingSought,), tags=_TAGS,
        description="In one's own conversations; staff in those they serve.",
    ),
    Route(
        "GET", "/v1/conversations/drafts", drafts, "conversations.drafts", "What I have begun to write",
        response=Drafts, tags=_TAGS, description="Of staff; others have none.",
    ),
    Route(
        "PUT", "/v1/conversations/{conversation_id}/draft", save_draft, "conversations.save_draft",
        "Keep what I have begun to write", request=DraftBody, status=204,
        errors=(NotFound, MembersOnly, ReadOnly, MessageTooLong), tags=_TAGS,
        description="Of staff. It goes when the answer is sent.",
    ),
    Route(
        "GET", "/v1/conversations/{conversation_id}/draft", draft, "conversations.draft",
        "What I have begun to write here", response=DraftView, errors=(NotFound, MembersOnly), tags=_TAGS,
    ),
    Route(
        "DELETE", "/v1/conversations/{conversation_id}/draft", drop_draft, "conversations.drop_draft",
        "Drop what I have begun to write", status=204, errors=(NotFound, MembersOnly, ReadOnly), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/conversations/{conversation_id}", read, "conversations.read", "One conversation",
        response=ConversationView, errors=(NotFound, MembersOnly), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/conversations/{conversation_id}/members", members, "conversations.members", "Who is in it",
        response=Participants, errors=(NotFound, MembersOnly), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/conversations/{conversation_id}/messages", history, "conversations.history", "What was said",
        query=HistoryQuery, response=MessageHistory, errors=(NotFound, MembersOnly), tags=_TAGS,
    ),
    Route(
        "POST", "/v1/conversations/{conversation_id}/messages", say, "conversations.say", "Say something",
        request=SayBody, response=SaidView, status=201, tags=_TAGS,
        errors=(*_SAYING, AnsweredMeanwhile, MessageTooLong, MessageEmpty, ReplyUnknown, FileTaken),
        description="`client_id` makes it safe to repeat. A picture or a PDF (kind `file`) is sent to /v1/files first "
        "(purpose chat). `answered_meanwhile` brings the colleague's answer as `message`.",
    ),
    Route(
        "POST", "/v1/conversations/{conversation_id}/messages/{seq}/edit", edit, "conversations.edit",
        "Change what I said", request=EditBody, response=SaidView, status=201, tags=_TAGS,
        errors=(*_SAYING, MessageFixed, MessageTooLong, MessageEmpty), description="Within two minutes.",
    ),
    Route(
        "POST", "/v1/conversations/{conversation_id}/messages/{seq}/recall", recall, "conversations.recall",
        "Take back what I said", request=RecallBody, response=SaidView, status=201, tags=_TAGS,
        errors=(*_SAYING, MessageFixed), description="Within two minutes; its place stays, empty.",
    ),
    Route(
        "PUT", "/v1/conversations/{conversation_id}/read", mark, "conversations.mark", "I have read so far",
        request=ReadBody, response=Marks, errors=(NotFound, MembersOnly, ReadOnly), tags=_TAGS,
    ),
    Route(
        "GET", "/v1/conversations/{conversation_id}/files/{file_id}", file, "conversations.file",
        "A file somebody showed", response=bytes, media="*/*", errors=(NotFound, MembersOnly), tags=_TAGS,
    ),
]  # fmt: skip
