"""Announcements and help documents over HTTP."""

from __future__ import annotations

from rest.desk.content import actions, store
from rest.desk.content.model import Announcement, AnnouncementPeriod, HelpDocument, needles
from rest.desk.content.views import (
    AnnouncementBody,
    AnnouncementChange,
    AnnouncementForStaff,
    AnnouncementView,
    HelpBody,
    HelpChange,
    HelpForStaff,
    HelpQuery,
    HelpView,
    fields_of,
)
from rest.edge.context import Ctx
from rest.edge.registry import PUBLIC, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.people.crowds import parts_of
from storage.base.errors import NotFound
from storage.tx import Tx

OPS = ("ops", "admin")


# Announcements


async def list_mine(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    parts = [part.value for part in parts_of(ctx.actor.roles, ctx.actor.tenant_id)]
    async with ctx.db.begin() as tx:
        found = await store.announced(tx, parts, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=AnnouncementView.of, key=lambda one: (one.id,))


def _announcement(one: Announcement) -> Reply:
    return Reply(AnnouncementForStaff.of(one), etag=one.version)


async def announce(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return _announcement(await actions.announce(tx, ctx.actor.account_id, **fields_of(ctx.body)))

    return await ctx.transact(act)


async def list_announcements(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.announcements(tx, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=AnnouncementForStaff.of, key=lambda one: (one.id,))


async def read_announcement(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return _announcement(await actions.find_announcement(tx, ctx.path["announcement_id"]))


async def change_announcement(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        one = await actions.find_announcement(tx, ctx.path["announcement_id"], lock=True)
        ctx.expect(one.version)
        return _announcement(await actions.change_announcement(tx, one, fields_of(ctx.body)))

    return await ctx.transact(act)


# Help


async def _documents(ctx: Ctx, *, only_published: bool) -> list[HelpDocument]:
    query: HelpQuery = ctx.query
    async with ctx.db.begin() as tx:
        return await store.documents(
            tx,
            category=query.category,
            needles=needles(query.search or ""),
            only_published=only_published,
            after=ctx.after,  # type: ignore[arg-type]  # this list's key is made below
            limit=query.limit + 1,
        )


def _key(one: HelpDocument) -> tuple[str, int, str]:
    return one.category, one.place, one.id


async def list_help(ctx: Ctx) -> Answer:
    return ctx.page(await _documents(ctx, only_published=True), view=HelpView.of, key=_key)


async def list_all_help(ctx: Ctx) -> Answer:
    return ctx.page(await _documents(ctx, only_published=False), view=HelpForStaff.of, key=_key)


async def read_help(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        one = await actions.find_document(tx, ctx.path["document_id"], only_published=True)
    return Reply(HelpView.of(one), etag=one.version)


def _document(one: HelpDocument) -> Reply:
    return Reply(HelpForStaff.of(one), etag=one.version)


async def read_any_help(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return _document(await actions.find_document(tx, ctx.path["document_id"], only_published=False))


async def write_help(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        return _document(await actions.write_document(tx, ctx.actor.account_id, **fields_of(ctx.body)))

    return await ctx.transact(act)


async def change_help(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        one = await actions.find_document(tx, ctx.path["document_id"], only_published=False, lock=True)
        ctx.expect(one.version)
        return _document(await actions.change_document(tx, one, fields_of(ctx.body), by_id=ctx.actor.account_id))

    return await ctx.transact(act)


async def delete_help(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await actions.take_away(tx, ctx.path["document_id"])
        return Reply()

    return await ctx.transact(act)


_TAGS = ("content",)
_ADMIN = ("content", "admin")

ROUTES = [
    Route(
        "GET", "/v1/announcements", list_mine, "announcements.list", "What is announced to me now, newest first",
        query=PageQuery, response=Page[AnnouncementView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/help_documents", list_help, "help_documents.list", "Help, by category, with search",
        query=HelpQuery, response=Page[HelpView], roles=PUBLIC, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/help_documents/{document_id}", read_help, "help_documents.read", "A help document",
        response=HelpView, has_etag=True, cache="public, max-age=60", roles=PUBLIC, tags=_TAGS, errors=(NotFound,),
    ),
    Route(
        "POST", "/v1/admin/announcements", announce, "admin_announcements.create", "Announce something",
        request=AnnouncementBody, response=AnnouncementForStaff, status=201, has_etag=True, idempotent="required",
        roles=OPS, tags=_ADMIN, errors=(AnnouncementPeriod,),
    ),
    Route(
        "GET", "/v1/admin/announcements", list_announcements, "admin_announcements.list",
        "Announcements of all times, newest first",
        query=PageQuery, response=Page[AnnouncementForStaff], roles=OPS, tags=_ADMIN,
    ),
    Route(
        "GET", "/v1/admin/announcements/{announcement_id}", read_announcement, "admin_announcements.read",
        "An announcement",
        response=AnnouncementForStaff, has_etag=True, roles=OPS, tags=_ADMIN, errors=(NotFound,),
    ),
    Route(
        "PATCH", "/v1/admin/announcements/{announcement_id}", change_announcement, "admin_announcements.change",
        "Change or withdraw an announcement",
        request=AnnouncementChange, response=AnnouncementForStaff, if_match=True, has_etag=True, roles=OPS,
        tags=_ADMIN, errors=(NotFound, AnnouncementPeriod),
    ),
    Route(
        "POST", "/v1/admin/help_documents", write_help, "admin_help_documents.create", "Write a help document",
        request=HelpBody, response=HelpForStaff, status=201, has_etag=True, idempotent="required", roles=OPS,
        tags=_ADMIN,
    ),
    Route(
        "GET", "/v1/admin/help_documents", list_all_help, "admin_help_documents.list",
        "Help, also what is not published",
        query=HelpQuery, response=Page[HelpForStaff], roles=OPS, tags=_ADMIN,
    ),
    Route(
        "GET", "/v1/admin/help_documents/{document_id}", read_any_help, "admin_help_documents.read",
        "A help document, published or not",
        response=HelpForStaff, has_etag=True, roles=OPS, tags=_ADMIN, errors=(NotFound,),
    ),
    Route(
        "PATCH", "/v1/admin/help_documents/{document_id}", change_help, "admin_help_documents.change",
        "Change a help document",
        request=HelpChange, response=HelpForStaff, if_match=True, has_etag=True, roles=OPS, tags=_ADMIN,
        errors=(NotFound,),
    ),
    Route(
        "DELETE", "/v1/admin/help_documents/{document_id}", delete_help, "admin_help_documents.delete",
        "Take a help document away",
        status=204, roles=OPS, tags=_ADMIN, errors=(NotFound,),
    ),
]  # fmt: skip
