"""Settlements over HTTP: finance reads and adjusts them. Technicians read theirs through their line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Amount, Body, Id, Instant, Line, Money, Page, PageQuery, exactly
from rest.money import settlement
from rest.money.settlement import store
from rest.money.settlement.model import AlreadyReversed, NotAdjustable, Party, Settlement
from rest.money.settlement.model import Line as SettlementLine
from rest.money.wallet.model import AmountRange
from storage.tx import Tx

FINANCE = ("finance", "admin")

PartyName = Annotated[
    str,
    Meta(
        pattern=exactly("(worker|customer|platform):[a-z0-9_]{1,64}"),
        examples=["worker:wrk_01kcbs3t20ewxvqs1a5d9rm2f7"],
    ),
]


class SettlementLineView(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `amount` stands for ever, `net` is what reversals have left of it; a reversal names its line."""

    id: str
    kind: str
    party_kind: str
    party_id: str
    cause: str
    amount: Money
    net: Money
    state: str
    split_version: int
    reverses_id: str | None
    reason: str | None
    by: str | None
    at: datetime

    @classmethod
    def of(cls, line: SettlementLine) -> SettlementLineView:
        return cls(
            id=line.id,
            kind=line.kind,
            party_kind=line.party.kind,
            party_id=line.party.id,
            cause=line.cause,
            amount=Money(line.amount_fen),
            net=Money(line.net_fen),
            state=line.state.value,
            split_version=line.split_version,
            reverses_id=line.reverses_id,
            reason=line.reason,
            by=line.by_id,
            at=line.at,
        )


class SettlementView(msgspec.Struct, frozen=True, kw_only=True):
    """How an order's money is shared out. `kept` is what the order keeps now; the nets of the lines sum to it."""

    id: str
    order_id: str
    line: str
    worker_id: str
    state: str
    version: int
    split_version: int
    rate_bps: int
    settled: Money
    kept: Money
    lines: list[SettlementLineView]
    created_at: datetime
    available_at: datetime

    @classmethod
    def of(cls, found: Settlement) -> SettlementView:
        return cls(
            id=found.id,
            order_id=found.order_id,
            line=found.line,
            worker_id=found.worker_id,
            state=found.state,
            version=found.version,
            split_version=found.split_version,
            rate_bps=found.basis.rate_bps,
            settled=Money(found.settled_fen),
            kept=Money(found.kept_fen),
            lines=[SettlementLineView.of(line) for line in found.lines],
            created_at=found.created_at,
            available_at=found.matures_at,
        )


class SettlementQuery(PageQuery, frozen=True, kw_only=True):
    """Which ones: in which a party has a line, whole or reversed, made in [since, until)."""

    party: PartyName | None = None
    reversed: bool | None = None
    since: Instant | None = None
    until: Instant | None = None


class AdjustmentBody(Body, frozen=True, kw_only=True):
    """What the line shall be, `amount` null for nothing, and why; the difference is the platform's (HS-164)."""

    line_id: Id
    amount: Amount | None
    reason: Line


async def read(ctx: Ctx) -> Answer:
    found = await ctx.db.run(settlement.of_order, ctx.path["order_id"])
    return Reply(SettlementView.of(found), etag=found.version)


async def page(ctx: Ctx) -> Answer:
    query: SettlementQuery = ctx.query
    party = None if query.party is None else Party(*query.party.split(":"))
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx,
            before_id=ctx.before_id,
            limit=query.limit + 1,
            party=party,
            is_reversed=query.reversed,
            since=query.since,
            until=query.until,
        )
    return ctx.page(found, view=SettlementView.of, key=lambda one: (one.id,))


async def adjust(ctx: Ctx) -> Answer:
    body: AdjustmentBody = ctx.body

    async def act(tx: Tx) -> Answer:
        ctx.expect((await settlement.lock(tx, ctx.path["settlement_id"])).version)
        amount_fen = 0 if body.amount is None else body.amount.amount
        after = await settlement.adjust(
            tx,
            ctx.path["settlement_id"],
            body.line_id,
            amount_fen,
            by=ctx.actor.account_id,
            reason=body.reason,
        )
        return Reply(SettlementView.of(after), etag=after.version)

    return await ctx.transact(act)


_TAGS = ("settlements", "admin")

ROUTES = [
    Route(
        "GET", "/v1/admin/orders/{order_id}/settlement", read, "settlements.read", "How an order was shared out",
        response=SettlementView, has_etag=True, roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/admin/settlements", page, "settlements.list", "Settlements, newest first",
        query=SettlementQuery, response=Page[SettlementView], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/admin/settlements/{settlement_id}/adjustments", adjust, "settlements.adjust",
        "Give a line another amount, with a reason",
        request=AdjustmentBody, response=SettlementView, has_etag=True, status=201, idempotent="required",
        if_match=True, roles=FINANCE, tags=_TAGS, errors=(AlreadyReversed, NotAdjustable, AmountRange),
    ),
]  # fmt: skip
