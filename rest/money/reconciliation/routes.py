"""Reconciliation over HTTP: finance reads comparisons, starts them, and resolves differences (FR-165 to 167)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body, Note, Page, PageQuery
from rest.money.reconciliation import actions, store
from rest.money.reconciliation.model import (
    DayMissing,
    Difference,
    DifferenceKind,
    DifferenceState,
    NotOver,
    Run,
    RunKind,
    RunState,
    WrongReconciliationState,
)
from rest.money.reconciliation.views import DifferenceView, ReconciliationView
from storage.base.errors import NotFound
from storage.base.ids import AFTER_ALL_IDS
from storage.tx import Tx

FINANCE = ("finance", "admin")

ChannelName = Literal["wechat", "alipay"]


class RunQuery(PageQuery, frozen=True, kw_only=True):
    """Which: of a channel, of days or months, in a state."""

    channel: ChannelName | None = None
    kind: RunKind | None = None
    state: RunState | None = None


class DifferenceQuery(PageQuery, frozen=True, kw_only=True):
    """Which: of a class, in a state."""

    kind: DifferenceKind | None = None
    state: DifferenceState | None = None


class RunBody(Body, frozen=True, kw_only=True):
    """What to compare: a day, or the month this day is in."""

    kind: RunKind
    channel: ChannelName
    period_on: Annotated[date, Meta(examples=["2026-11-27"])]


class WhyBody(Body, frozen=True, kw_only=True):
    """Why, or what has become of it."""

    reason: Note


async def list_runs(ctx: Ctx) -> Answer:
    query: RunQuery = ctx.query
    before = (date.fromisoformat(str(ctx.after[0])), str(ctx.after[1])) if ctx.after else None
    async with ctx.db.begin() as tx:
        found = await store.page_runs(
            tx,
            before=before or (store.AFTER_ALL_DAYS, AFTER_ALL_IDS),
            limit=query.limit + 1,
            channel=query.channel,
            kind=query.kind,
            state=query.state,
        )
    return ctx.page(found, view=ReconciliationView.of, key=lambda run: (run.period_on.isoformat(), run.id))


async def start_run(ctx: Ctx) -> Answer:
    body: RunBody = ctx.body

    async def act(tx: Tx) -> Answer:
        run = await actions.start(tx, body.kind, body.channel, body.period_on, by=f"account:{ctx.actor.account_id}")
        if run.kind is RunKind.MONTHLY:
            await actions.days_of(tx, run.channel, run.period_on)
        return await _whole(tx, run, location=True)

    return await ctx.transact(act)


async def read_run(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await _whole(tx, await _run(tx, ctx))


async def start_again(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        run = await actions.start_again(
            tx, ctx.path["reconciliation_id"], by=ctx.actor.account_id, reason=ctx.body.reason
        )
        return await _whole(tx, run)

    return await ctx.transact(act)


async def list_differences(ctx: Ctx) -> Answer:
    query: DifferenceQuery = ctx.query
    async with ctx.db.begin() as tx:
        run = await _run(tx, ctx)
        found = await store.page_differences(
            tx,
            run.id,
            after_id=ctx.after_id,
            limit=query.limit + 1,
            kind=query.kind,
            state=query.state,
        )
    return ctx.page(found, view=DifferenceView.of, key=lambda one: (one.id,))


async def read_difference(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await store.read_difference(tx, ctx.path["difference_id"])
        if found is None:
            raise NotFound
        return await _difference(tx, found)


async def resolve(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        done = await actions.resolve(tx, ctx.path["difference_id"], by=ctx.actor.account_id, reason=ctx.body.reason)
        return await _difference(tx, done)

    return await ctx.transact(act)


async def _run(tx: Tx, ctx: Ctx) -> Run:
    run = await store.read_run(tx, ctx.path["reconciliation_id"])
    if run is None:
        raise NotFound
    return run


async def _whole(tx: Tx, run: Run, *, location: bool = False) -> Reply:
    view = ReconciliationView.of(run, await store.events(tx, run.id))
    return Reply(view, etag=run.version, location=f"{_ALL}/{run.id}" if location else None)


async def _difference(tx: Tx, one: Difference) -> Reply:
    return Reply(DifferenceView.of(one, await store.events(tx, one.id)), etag=one.version)


_ALL = "/v1/admin/reconciliations"
_ONE = _ALL + "/{reconciliation_id}"
_DIFFERENCE = "/v1/admin/reconciliation_differences/{difference_id}"
_TAGS = ("reconciliation", "admin")

ROUTES = [
    Route(
        "GET", _ALL, list_runs, "reconciliations.list", "Comparisons with channels' bills, newest period first",
        query=RunQuery, response=Page[ReconciliationView], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", _ALL, start_run, "reconciliations.start", "Have a day or a month compared; the one there is, if any",
        request=RunBody, response=ReconciliationView, status=201, has_etag=True, idempotent="optional", roles=FINANCE,
        tags=_TAGS, errors=(NotOver, DayMissing),
    ),
    Route(
        "GET", _ONE, read_run, "reconciliations.read", "A comparison with its sums and its steps",
        response=ReconciliationView, has_etag=True, roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", _ONE + "/start_again", start_again, "reconciliations.start_again", "Have it compared anew",
        request=WhyBody, response=ReconciliationView, has_etag=True, idempotent="optional", roles=FINANCE, tags=_TAGS,
        errors=(WrongReconciliationState,),
    ),
    Route(
        "GET", _ONE + "/differences", list_differences, "reconciliations.differences", "What does not agree",
        query=DifferenceQuery, response=Page[DifferenceView], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "GET", _DIFFERENCE, read_difference, "reconciliations.difference", "A difference with everything done to it",
        response=DifferenceView, has_etag=True, roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", _DIFFERENCE + "/resolve", resolve, "reconciliations.resolve", "Say what has become of a difference",
        request=WhyBody, response=DifferenceView, has_etag=True, idempotent="optional", roles=FINANCE, tags=_TAGS,
        errors=(WrongReconciliationState,),
    ),
]  # fmt: skip
