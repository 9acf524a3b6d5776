"""HTTP edge of exports: ask, look, download."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.errors import Forbidden
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Page, PageQuery, exactly
from rest.papers.exports import actions, store
from rest.papers.exports.desk import EXPORTS
from rest.papers.exports.model import Export, ExportLimit, Filters, FilterUnknown, KindUnknown
from rest.papers.press import NoFont
from rest.papers.sheet import Format
from storage.base.errors import HubError, NotFound
from storage.tx import Tx


class ExportBody(Body, frozen=True, kw_only=True):
    """Which kind of rows (`GET /v1/export_kinds`), which of them, and as what."""

    kind: Annotated[str, Meta(pattern=exactly("[a-z_]{1,40}"), examples=["technician_statement"])]
    format: Format
    filters: Filters = Filters()


class ExportView(msgspec.Struct, frozen=True, kw_only=True):
    """An operation: `waiting`, then `done` with a file to download, or `failed` with the code of why."""

    id: str
    kind: str
    format: str
    state: str
    file_id: str | None
    file_url: str | None
    row_count: int | None
    problem: str | None
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, export: Export) -> ExportView:
        return cls(
            id=export.id,
            kind=export.kind,
            format=export.format.value,
            state=export.state.value,
            file_id=export.file_id,
            file_url=None if export.file_id is None else f"/v1/files/{export.file_id}",
            row_count=export.row_count,
            problem=export.problem,
            created_at=export.created_at,
            ended_at=export.ended_at,
        )


class KindView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of export the caller may have, and its filters."""

    kind: str
    title: str
    takes: list[str]
    needs: list[str]
    columns: list[str]


class KindsView(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    data: list[KindView]


async def ask(ctx: Ctx) -> Answer:
    body: ExportBody = ctx.body
    desk = ctx.app[EXPORTS]
    kind = desk.kind(body.kind)
    if not ctx.actor.has_any(kind.roles):
        raise Forbidden
    desk.press.check(body.format)

    async def act(tx: Tx) -> Answer:
        export = await actions.ask(
            tx,
            kind,
            body.filters,
            account_id=ctx.actor.account_id,
            made_as=body.format,
            language=ctx.language,
        )
        return Reply(ExportView.of(export), location=f"/v1/exports/{export.id}")

    return await ctx.transact(act)


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        export = await store.read(tx, ctx.path["export_id"])
    if export is None or export.account_id != ctx.actor.account_id:
        raise NotFound
    return Reply(ExportView.of(export))


async def page(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    before_id = ctx.before_id
    async with ctx.db.begin() as tx:
        found = await store.page(tx, ctx.actor.account_id, before_id=before_id, limit=query.limit + 1)
    return ctx.page(found, view=ExportView.of, key=lambda export: (export.id,))


async def kinds(ctx: Ctx) -> Answer:
    return KindsView(
        data=[
            KindView(
                kind=kind.name,
                title=kind.title[ctx.language],
                takes=sorted(kind.takes),
                needs=sorted(kind.needs),
                columns=[column.title(ctx.language) for column in kind.columns],
            )
            for kind in ctx.app[EXPORTS].kinds
            if ctx.actor.has_any(kind.roles)
        ]
    )


def routes(refusals: tuple[type[HubError], ...] = ()) -> list[Route]:
    """The table; `refusals` are those of the kinds that are registered."""
    tags = ("exports",)
    return [
        Route(
            "POST", "/v1/exports", ask, "exports.ask", "Have rows made into a file",
            request=ExportBody, response=ExportView, status=202, idempotent="required", tags=tags,
            errors=(KindUnknown, FilterUnknown, ExportLimit, NoFont, NotFound, *refusals),
            description="An operation: look at its Location, or wait for the fact `export.ended`. The file is the "
            "caller's alone and is kept for 7 days.",
        ),
        Route(
            "GET", "/v1/exports", page, "exports.list", "What I had made, newest first",
            query=PageQuery, response=Page[ExportView], tags=tags,
        ),
        Route(
            "GET", "/v1/exports/{export_id}", read, "exports.read", "How far one of my exports is",
            response=ExportView, tags=tags,
        ),
        Route(
            "GET", "/v1/export_kinds", kinds, "exports.kinds", "Which exports I may have, and their filters",
            response=KindsView, tags=tags,
        ),
    ]  # fmt: skip
