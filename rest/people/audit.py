"""The audit over HTTP: what staff did, for those who look after them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Id, Instant, Page, PageQuery, exactly
from storage import audit
from storage.audit import Deed

READERS = ("ops", "admin")

Operation = Annotated[
    str, Meta(pattern=exactly("[a-z][a-z0-9_.]{0,63}"), examples=["withdrawals.approve"], max_length=64)
]
SubjectId = Annotated[str, Meta(pattern=exactly("[A-Za-z0-9_.-]{1,64}"), examples=["ord_01kcbs3t20ewxvqs1a5d9rm2f7"])]


class DeedView(msgspec.Struct, frozen=True, kw_only=True):
    """One change staff made. `subject`: the ids it was about; `body` null where there was none, or a long one."""

    id: str
    at: datetime
    actor_id: str
    operation: str
    subject: Mapping[str, str]
    body: Mapping[str, Any] | None
    status: int
    outcome_version: str | None
    request_id: str
    address: str

    @classmethod
    def of(cls, deed: Deed) -> DeedView:
        return cls(
            id=deed.id,
            at=deed.at,
            actor_id=deed.actor_id,
            operation=deed.operation,
            subject=deed.subject,
            body=deed.body,
            status=deed.status,
            outcome_version=deed.outcome_version,
            request_id=deed.request_id,
            address=deed.address,
        )


class DeedQuery(PageQuery, frozen=True, kw_only=True):
    """Whose, which, about what, and when: in [since, until)."""

    actor_id: Id | None = None
    operation: Operation | None = None
    subject_id: SubjectId | None = None
    since: Instant | None = None
    until: Instant | None = None


async def list_deeds(ctx: Ctx) -> Answer:
    query: DeedQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await audit.page(
            tx,
            before_id=ctx.before_id,
            limit=query.limit + 1,
            actor_id=query.actor_id,
            operation=query.operation,
            subject_id=query.subject_id,
            since=query.since,
            until=query.until,
        )
    return ctx.page(found, view=DeedView.of, key=lambda deed: (deed.id,))


ROUTES = [
    Route(
        "GET", "/v1/admin/audit", list_deeds, "audit.list", "What staff changed, newest first",
        query=DeedQuery, response=Page[DeedView], roles=READERS, tags=("audit",),
    ),
]  # fmt: skip
