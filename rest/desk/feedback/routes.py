"""Feedback over HTTP: people say something, staff answer."""

from __future__ import annotations

from rest.desk.feedback import actions, store
from rest.desk.feedback.model import (
    Feedback,
    FeedbackEmpty,
    FeedbackLimit,
    PeriodInvalid,
    ReplyMissing,
    WrongFeedbackState,
    check_period,
)
from rest.desk.feedback.views import (
    FeedbackBody,
    FeedbackForStaff,
    FeedbackQuery,
    FeedbackStatistics,
    FeedbackStatisticsQuery,
    FeedbackView,
    HandleFeedbackBody,
)
from rest.edge.context import Ctx
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.people.files import file_reply
from storage import files
from storage.base.errors import NotFound
from storage.files import FileTaken
from storage.tx import Tx

STAFF = ("support", "supervisor", "ops", "admin")
SENDERS = ("user",)


async def send(ctx: Ctx) -> Answer:
    body: FeedbackBody = ctx.body

    async def act(tx: Tx) -> Answer:
        made = await actions.send(
            tx,
            ctx.actor.account_id,
            ctx.actor.tenant_id,
            kind=body.kind,
            body=body.body,
            file_ids=body.file_ids,
        )
        return Reply(FeedbackView.of(made), location=f"/v1/feedback/{made.id}")

    return await ctx.transact(act)


async def list_mine(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx, account_id=ctx.actor.account_id, before_id=ctx.before_id, limit=query.limit + 1
        )
    return ctx.page(found, view=FeedbackView.of, key=lambda one: (one.id,))


async def read_mine(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return FeedbackView.of(await actions.find(tx, ctx.path["feedback_id"], account_id=ctx.actor.account_id))


def _for_staff(one: Feedback) -> Reply:
    return Reply(FeedbackForStaff.of(one), etag=one.version)


async def list_all(ctx: Ctx) -> Answer:
    query: FeedbackQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx,
            account_id=query.account_id,
            kind=query.kind,
            state=query.state,
            side=query.side,
            before_id=ctx.before_id,
            limit=query.limit + 1,
        )
    return ctx.page(found, view=FeedbackForStaff.of, key=lambda one: (one.id,))


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return _for_staff(await actions.find(tx, ctx.path["feedback_id"]))


async def read_picture(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        one = await actions.find(tx, ctx.path["feedback_id"])
        if ctx.path["file_id"] not in one.file_ids:
            raise NotFound
        return await file_reply(tx, await files.read(tx, ctx.path["file_id"]))


async def handle(ctx: Ctx) -> Answer:
    body: HandleFeedbackBody = ctx.body

    async def act(tx: Tx) -> Answer:
        one = await actions.find(tx, ctx.path["feedback_id"], lock=True)
        ctx.expect(one.version)
        return _for_staff(await actions.handle(tx, one, body.verb, by_id=ctx.actor.account_id, reply=body.reply))

    return await ctx.transact(act)


async def statistics(ctx: Ctx) -> Answer:
    query: FeedbackStatisticsQuery = ctx.query
    check_period(query.since, query.until)
    async with ctx.db.begin() as tx:
        return FeedbackStatistics.of(query.since, query.until, await store.tally(tx, query.since, query.until))


_TAGS = ("feedback",)
_ADMIN = ("feedback", "admin")

ROUTES = [
    Route(
        "POST", "/v1/feedback", send, "feedback.send", "Say something about the service",
        request=FeedbackBody, response=FeedbackView, status=201, idempotent="required", roles=SENDERS, tags=_TAGS,
        errors=(FeedbackEmpty, FeedbackLimit, NotFound, FileTaken),
        description="Five a day. The answer comes to the inbox.",
        links={"read": Link("feedback.read", {"feedback_id": "$response.body#/id"})},
    ),
    Route(
        "GET", "/v1/feedback", list_mine, "feedback.list", "What I have said, newest first",
        query=PageQuery, response=Page[FeedbackView], roles=SENDERS, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/feedback/{feedback_id}", read_mine, "feedback.read", "What I have said, and the answer",
        response=FeedbackView, roles=SENDERS, tags=_TAGS, errors=(NotFound,),
    ),
    Route(
        "GET", "/v1/admin/feedback", list_all, "admin_feedback.list", "What people have said, newest first",
        query=FeedbackQuery, response=Page[FeedbackForStaff], roles=STAFF, tags=_ADMIN,
    ),
    Route(
        "GET", "/v1/admin/feedback_statistics", statistics, "admin_feedback.statistics",
        "How much feedback of which kind stands how",
        query=FeedbackStatisticsQuery, response=FeedbackStatistics, roles=STAFF, tags=_ADMIN, errors=(PeriodInvalid,),
    ),
    Route(
        "GET", "/v1/admin/feedback/{feedback_id}", read, "admin_feedback.read", "What somebody has said",
        response=FeedbackForStaff, has_etag=True, roles=STAFF, tags=_ADMIN, errors=(NotFound,),
    ),
    Route(
        "GET", "/v1/admin/feedback/{feedback_id}/files/{file_id}", read_picture, "admin_feedback.picture",
        "A picture of it",
        response=bytes, media="*/*", roles=STAFF, tags=_ADMIN, errors=(NotFound,),
    ),
    Route(
        "POST", "/v1/admin/feedback/{feedback_id}/handle", handle, "admin_feedback.handle",
        "Take it up, answer it or close it",
        request=HandleFeedbackBody, response=FeedbackForStaff, if_match=True, has_etag=True, idempotent="optional",
        roles=STAFF, tags=_ADMIN, errors=(NotFound, WrongFeedbackState, ReplyMissing),
    ),
]  # fmt: skip
