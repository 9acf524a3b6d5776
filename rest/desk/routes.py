"""Cases over HTTP, for staff."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chat import cases
from chat.cases import Case, CaseFilter
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from storage.base.errors import NotFound

STAFF = ("support", "ops", "admin")

Word = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class CaseQuery(PageQuery, frozen=True, kw_only=True):
    """Lists are comma-separated. `newest`: last opened first; `urgency`: highest priority first, then first due."""

    state: Annotated[list[Literal["open", "taken", "closed"]], Meta(min_length=1, max_length=3)] | None = None
    type: Annotated[list[Word], Meta(min_length=1, max_length=20)] | None = None
    subject_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)] | None = None
    sort: Literal["newest", "urgency"] = "newest"


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A case as staff see it. `stage` says who has been called: queue, all, lead."""

    id: str
    type: str
    line: str
    subject_kind: str
    subject_id: str
    title: str
    state: Literal["open", "taken", "closed"]
    stage: Literal["queue", "all", "lead"]
    priority: int
    due_at: datetime
    opened_at: datetime
    taken_by: str | None
    taken_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
    outcome: str | None
    note: str | None
    version: int

    @classmethod
    def of(cls, case: Case) -> CaseView:
        return cls(**{name: getattr(case, name) for name in cls.__struct_fields__})


async def listing(ctx: Ctx) -> Answer:
    query: CaseQuery = ctx.query
    wanted = CaseFilter(
        states=tuple(query.state) if query.state else None,
        types=tuple(query.type) if query.type else None,
        subject_id=query.subject_id,
    )
    # A sealed cursor holds exactly what `key` of the same list put in.
    after: Any = ctx.after
    async with ctx.db.begin() as tx:
        if query.sort == "urgency":
            found = await cases.urgent_cases(tx, wanted, after=after, limit=query.limit + 1)
            return ctx.page(found, view=CaseView.of, key=lambda case: (case.priority, case.due_at, case.id))
        found = await cases.newest_cases(tx, wanted, before=after[0] if after else None, limit=query.limit + 1)
    return ctx.page(found, view=CaseView.of, key=lambda case: (case.id,))


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        case = await cases.find_case(tx, ctx.path["case_id"])
    return Reply(CaseView.of(case), etag=case.version)


ROUTES = [
    Route(
        "GET", "/v1/admin/cases", listing, "cases.list", "List cases", query=CaseQuery, response=Page[CaseView],
        roles=STAFF, tags=("cases", "admin"),
    ),
    Route(
        "GET", "/v1/admin/cases/{case_id}", read, "cases.read", "Read a case", response=CaseView, errors=(NotFound,),
        has_etag=True, roles=STAFF, tags=("cases", "admin"),
    ),
]  # fmt: skip
