"""Refunds over HTTP for staff: decide requests of every line, statistics, publish policies.

Customers and providers ask through their line's own routes, which know whose order it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route, Routes
from rest.edge.reply import Answer, Reply
from rest.edge.values import Amount, Body, Id, Instant, Line, Note, Page, PageQuery, Query
from rest.money import refunds
from rest.money.refunds import store
from rest.money.refunds.actions import Lines
from rest.money.refunds.ladder import Policy, PolicyInvalid
from rest.money.refunds.model import (
    ApprovedAmount,
    OwnRefund,
    Request,
    RequestState,
    SameApprover,
    WrongRefundState,
)
from rest.money.refunds.policies import PolicyVersionTaken
from rest.money.refunds.views import PolicyView, RefundForFinance, Statistics
from storage.base.errors import Malformed
from storage.tx import Tx

READERS = ("support", "finance", "supervisor", "admin")
FINANCE = ("finance", "admin")

SPAN_MAX = timedelta(days=366)
ROWS_MAX = 400
"""More than the days of the longest span."""


class RefundQuery(PageQuery, frozen=True, kw_only=True):
    """Which ones. `manual`: whether a leg waits for a person of finance."""

    state: RequestState | None = None
    order_id: Id | None = None
    line: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    manual: bool | None = None


class Approval(Body, frozen=True, kw_only=True):
    """Give it; `amount` less than was asked gives only that."""

    note: Note
    amount: Amount | None = None


class Rejection(Body, frozen=True, kw_only=True):
    """Why not; the customer reads it."""

    reason: Line


class StatisticsQuery(Query, frozen=True, kw_only=True):
    """Of requests executed in [since, until), at most a year."""

    since: Instant
    until: Instant
    by: Literal["reason", "line", "day"] = "day"


class PolicyBody(Body, frozen=True, kw_only=True):
    """The next version of a policy, and why; orders sold before keep theirs."""

    policy: Policy
    note: Note


async def whole(tx: Tx, one: Request) -> Reply:
    """A request with its legs and everything done to it."""
    legs = (await store.legs_of(tx, [one.id])).get(one.id, [])
    return Reply(RefundForFinance.of(one, legs, await store.events(tx, one.id)), etag=one.version)


async def list_all(ctx: Ctx) -> Answer:
    query: RefundQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx,
            before_id=ctx.before_id,
            limit=query.limit + 1,
            order_id=query.order_id,
            state=query.state.value if query.state else None,
            line=query.line,
            manual=query.manual,
        )
        legs = await store.legs_of(tx, [one.id for one in found])
    return ctx.page(found, view=lambda one: RefundForFinance.of(one, legs.get(one.id, [])), key=lambda one: (one.id,))


async def read_any(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await whole(tx, await refunds.find(tx, ctx.path["refund_id"]))


async def statistics(ctx: Ctx) -> Answer:
    query: StatisticsQuery = ctx.query
    if not timedelta(0) < query.until - query.since <= SPAN_MAX:
        raise Malformed("The span is longer than nothing and not longer than a year.", field="until")
    async with ctx.db.begin() as tx:
        rows = await store.statistics(tx, query.by, query.since, query.until, limit=ROWS_MAX)
    return Statistics.of(query.by, query.since, query.until, rows)


async def list_policies(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    name, version = (str(ctx.after[0]), int(str(ctx.after[1]))) if ctx.after else ("", 0)
    async with ctx.db.begin() as tx:
        rows = await store.policy_page(tx, after=(name, version), limit=query.limit + 1)
    shown = [PolicyView.of(row) for row in rows]
    # The first versions are not rows; they are the last of their names.
    first = [one for one in refunds.READY.values() if one.name > name or (one.name == name and version > one.version)]
    shown += [PolicyView.ready(policy) for policy in first]
    shown = sorted(shown, key=lambda one: (one.name, -one.version))[: query.limit + 1]
    return ctx.page(shown, view=lambda one: one, key=lambda one: (one.name, one.version))


async def publish(ctx: Ctx) -> Answer:
    body: PolicyBody = ctx.body

    async def act(tx: Tx) -> Answer:
        await refunds.publish(tx, body.policy, note=body.note, by=ctx.actor.account_id)
        return PolicyView(
            name=body.policy.name,
            version=body.policy.version,
            policy=body.policy,
            note=body.note,
            by=ctx.actor.account_id,
            created_at=tx.now,
        )

    return await ctx.transact(act)


def _decision(verb: Callable[[Tx, Ctx, str, str], Awaitable[Request]]) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            return await whole(tx, await verb(tx, ctx, ctx.path["refund_id"], ctx.actor.account_id))

        return await ctx.transact(act)

    return handle


_ADMIN = "/v1/admin/refunds"
_TAGS = ("refunds", "admin")


def staff_routes(lines: Lines) -> Routes:
    """The routes of staff; `lines` are the business lines whose orders may be refunded."""

    async def approve(tx: Tx, ctx: Ctx, refund_id: str, by: str) -> Request:
        body: Approval = ctx.body
        fen = None if body.amount is None else body.amount.amount
        return await refunds.approve(tx, lines, refund_id, by=by, amount_fen=fen, note=body.note)

    async def reject(tx: Tx, ctx: Ctx, refund_id: str, by: str) -> Request:
        return await refunds.reject(tx, lines, refund_id, by=by, reason=ctx.body.reason)

    return [
        Route(
            "GET", _ADMIN, list_all, "admin_refunds.list", "Refund requests, newest first",
            query=RefundQuery, response=Page[RefundForFinance], roles=READERS, tags=_TAGS,
        ),
        Route(
            "GET", _ADMIN + "/statistics", statistics, "admin_refunds.statistics", "Refunds by reason, line or day",
            query=StatisticsQuery, response=Statistics, roles=FINANCE, tags=_TAGS,
        ),
        Route(
            "GET", _ADMIN + "/{refund_id}", read_any, "admin_refunds.read", "A refund request with all done to it",
            response=RefundForFinance, has_etag=True, roles=READERS, tags=_TAGS,
        ),
        Route(
            "POST", _ADMIN + "/{refund_id}/approve", _decision(approve), "admin_refunds.approve",
            "Give a refund; above the limit a second person must too",
            request=Approval, response=RefundForFinance, has_etag=True, idempotent="required", roles=FINANCE,
            tags=_TAGS, errors=(WrongRefundState, OwnRefund, SameApprover, ApprovedAmount),
        ),
        Route(
            "POST", _ADMIN + "/{refund_id}/reject", _decision(reject), "admin_refunds.reject", "Refuse a refund",
            request=Rejection, response=RefundForFinance, has_etag=True, idempotent="optional", roles=FINANCE,
            tags=_TAGS, errors=(WrongRefundState, OwnRefund),
        ),
        Route(
            "GET", "/v1/admin/refund_policies", list_policies, "refund_policies.list",
            "Refund policies: the ones everybody begins with, then published versions",
            query=PageQuery, response=Page[PolicyView], roles=READERS, tags=_TAGS,
        ),
        Route(
            "POST", "/v1/admin/refund_policies", publish, "refund_policies.publish",
            "Publish the next version of a refund policy",
            request=PolicyBody, response=PolicyView, status=201, idempotent="required", roles=FINANCE, tags=_TAGS,
            errors=(PolicyInvalid, PolicyVersionTaken),
        ),
    ]  # fmt: skip
