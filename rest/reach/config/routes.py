"""Templates and rules of notices over HTTP, for operations."""

from __future__ import annotations

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page
from rest.reach.config import actions, store
from rest.reach.config.model import (
    NoticeProtected,
    TemplateChanged,
    TemplateMalformed,
    TemplateVariableUnknown,
)
from rest.reach.config.views import (
    NoticeRulesBody,
    NoticeRulesView,
    NoticeTemplateBody,
    NoticeTemplatesView,
    PreviewBody,
    PreviewView,
    TemplateVersionView,
    VersionsQuery,
    preview_of,
)
from rest.reach.model import UnknownKind
from rest.reach.words import Words
from storage.tx import Tx

OPS = ("ops", "admin")


async def list_templates(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return NoticeTemplatesView.of(await store.newest(tx))


async def list_versions(ctx: Ctx) -> Answer:
    query: VersionsQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.versions(tx, query.kind, query.language, before=ctx.before_number, limit=query.limit + 1)
    return ctx.page(found, view=TemplateVersionView.of, key=lambda one: (one.version,))


async def publish(ctx: Ctx) -> Answer:
    body: NoticeTemplateBody = ctx.body

    async def act(tx: Tx) -> Answer:
        by = ctx.actor.account_id
        new = await actions.publish(tx, body.kind, body.language, body.said(), after=body.after, by_id=by)
        return Reply(TemplateVersionView.of(new))

    return await ctx.transact(act)


async def preview(ctx: Ctx) -> Answer:
    body: PreviewBody = ctx.body
    said = None if body.words is None else Words(body.words.title, body.words.body)
    actions.check_words(body.kind, said or Words("", ""))

    async def act(tx: Tx) -> Answer:
        return preview_of(body.kind, body.language, said, await store.published(tx))

    return await ctx.transact(act)


async def read_rules(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        now = await store.rules(tx)
    return Reply(NoticeRulesView.of(now), etag=now.version)


async def set_rules(ctx: Ctx) -> Answer:
    body: NoticeRulesBody = ctx.body

    async def act(tx: Tx) -> Answer:
        now = await store.rules(tx)
        ctx.expect(now.version)
        by = ctx.actor.account_id
        new = await actions.set_rules(tx, now, off=body.entries(), hour_max=body.hour_max, by_id=by)
        return Reply(NoticeRulesView.of(new), etag=new.version)

    return await ctx.transact(act)


_TAGS = ("notices", "admin")
_WORDS = (UnknownKind, TemplateVariableUnknown, TemplateMalformed)

ROUTES = [
    Route(
        "GET", "/v1/admin/notice_templates", list_templates, "notice_templates.list", "What every kind of notice says",
        response=NoticeTemplatesView, roles=OPS, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/notice_templates", publish, "notice_templates.publish", "Have a kind say something else",
        request=NoticeTemplateBody, response=TemplateVersionView, status=201, idempotent="optional", roles=OPS,
        tags=_TAGS, errors=(*_WORDS, TemplateChanged),
        description="Holds from now on, in inboxes too. Texts and WeChat go by the templates registered there.",
    ),
    Route(
        "GET", "/v1/admin/notice_template_versions", list_versions, "notice_templates.versions",
        "What a kind was made to say, newest first",
        query=VersionsQuery, response=Page[TemplateVersionView], roles=OPS, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/notice_previews", preview, "notice_templates.preview", "See words with example values",
        request=PreviewBody, response=PreviewView, roles=OPS, tags=_TAGS, errors=_WORDS,
    ),
    Route(
        "GET", "/v1/admin/notice_rules", read_rules, "notice_rules.read", "Which notices are switched off",
        response=NoticeRulesView, has_etag=True, roles=OPS, tags=_TAGS,
    ),
    Route(
        "PUT", "/v1/admin/notice_rules", set_rules, "notice_rules.set", "Switch kinds and channels, limit an hour",
        request=NoticeRulesBody, response=NoticeRulesView, if_match=True, has_etag=True, roles=OPS, tags=_TAGS,
        errors=(UnknownKind, NoticeProtected),
    ),
]  # fmt: skip
