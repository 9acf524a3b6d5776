"""Penalties over HTTP: finance reads them by cause, payer and time. Who pays reads his own through the line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Instant, Money, Page, PageQuery, exactly
from rest.money.penalties import store
from rest.money.penalties.model import Payer, Penalty

READERS = ("support", "finance", "supervisor", "admin")


class PenaltyView(msgspec.Struct, frozen=True, kw_only=True):
    """A penalty: who pays how much of what, and whether it was taken back."""

    id: str
    order_id: str
    payer: str
    cause: str
    amount: Money
    item_part: Money
    travel_part: Money
    state: str
    at: datetime
    reversed_at: datetime | None

    @classmethod
    def of(cls, one: Penalty) -> PenaltyView:
        return cls(
            id=one.id,
            order_id=one.order_id,
            payer=one.payer.kind,
            cause=one.cause,
            amount=Money(one.amount_fen),
            item_part=Money(one.item_fen),
            travel_part=Money(one.travel_fen),
            state=one.state.value,
            at=one.at,
            reversed_at=one.reversed_at,
        )


class PenaltyForStaff(msgspec.Struct, frozen=True, kw_only=True):
    """The same, with who it is, who booked it and who took it back, and why."""

    penalty: PenaltyView
    line: str
    payer_id: str
    by: str
    note: str | None
    reversed_by: str | None
    reversed_reason: str | None

    @classmethod
    def of(cls, one: Penalty) -> PenaltyForStaff:
        return cls(
            penalty=PenaltyView.of(one),
            line=one.line,
            payer_id=one.payer.id,
            by=one.by,
            note=one.note,
            reversed_by=one.reversed_by,
            reversed_reason=one.reversed_reason,
        )


class PenaltyList(msgspec.Struct, frozen=True, kw_only=True):
    """The penalties of one order, oldest first; at most 100."""

    data: list[PenaltyView]


class PenaltyQuery(PageQuery, frozen=True, kw_only=True):
    """Which ones: of a payer, for a cause, booked in [since, until)."""

    payer: (
        Annotated[
            str,
            Meta(
                pattern=exactly("(worker|customer):[a-z0-9_]{1,64}"), examples=["worker:wrk_01kcbs3t20ewxvqs1a5d9rm2f7"]
            ),
        ]
        | None
    ) = None
    cause: Annotated[str, Meta(pattern=exactly("[a-z_]{1,32}"), examples=["no_show"])] | None = None
    since: Instant | None = None
    until: Instant | None = None


async def page(ctx: Ctx) -> Answer:
    query: PenaltyQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx,
            before_id=ctx.before_id,
            limit=query.limit + 1,
            payer=None if query.payer is None else Payer(*query.payer.split(":")),
            cause=query.cause,
            since=query.since,
            until=query.until,
        )
    return ctx.page(found, view=PenaltyForStaff.of, key=lambda one: (one.id,))


ROUTES = [
    Route(
        "GET", "/v1/admin/penalties", page, "penalties.list", "Penalties, newest first",
        query=PenaltyQuery, response=Page[PenaltyForStaff], roles=READERS, tags=("penalties", "admin"),
    ),
]  # fmt: skip
