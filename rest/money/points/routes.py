"""Points over HTTP: a customer's own, and corrections by staff."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest import people
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body, Line, Page, PageQuery
from rest.money import ledger
from rest.money.ledger import Statement
from rest.money.points import actions, store
from rest.money.points.actions import REMIND_BEFORE
from rest.money.points.model import InsufficientPoints, Lot, Totals
from storage.base.errors import Malformed, NotFound
from storage.tx import Tx

STAFF = ("ops", "admin")
LOOKERS = ("ops", "admin", "finance", "support")


class PointsView(msgspec.Struct, frozen=True, kw_only=True):
    """Points that may be spent, that may be spent later, that a payment holds, that are owed; and how many of the first
    two end within 30 days (FR-091)."""

    account_id: str
    available: int
    pending: int
    held: int
    owed: int
    expiring_soon: int


class PointsEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of the points that may be spent: signed, and what there was right after it."""

    transfer_id: str
    kind: str
    points: int
    points_after: int
    note: str | None
    at: datetime

    @classmethod
    def of(cls, line: Statement) -> PointsEntry:
        return cls(
            transfer_id=line.transfer_id,
            kind=line.kind,
            points=line.amount_fen,
            points_after=line.balance_after_fen,
            note=line.note,
            at=line.at,
        )


class LotView(msgspec.Struct, frozen=True, kw_only=True):
    """Points that came together: for what, how many are left, and until when."""

    id: str
    reason: str
    source: str
    earned: int
    left: int
    is_pending: bool
    available_at: datetime
    expires_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, lot: Lot) -> LotView:
        return cls(
            id=lot.id,
            reason=lot.reason,
            source=lot.ref,
            earned=lot.earned,
            left=lot.left,
            is_pending=lot.is_pending,
            available_at=lot.available_at,
            expires_at=lot.expires_at,
            created_at=lot.created_at,
        )


class AdjustBody(Body, frozen=True, kw_only=True):
    """How many points to give, or below zero to take, and why (FR-094). What is given ends after `valid_days`."""

    points: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
    reason: Line
    valid_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None


async def read_mine(ctx: Ctx) -> Answer:
    return await _read(ctx, ctx.actor.account_id)


async def read_any(ctx: Ctx) -> Answer:
    return await _read(ctx, ctx.path["account_id"])


async def _read(ctx: Ctx, account_id: str) -> Answer:
    async with ctx.db.begin() as tx:
        await people.account_of(tx, account_id)
        return _view(
            account_id,
            await actions.totals(tx, account_id),
            await store.expiring(tx, account_id, tx.now + REMIND_BEFORE),
        )


def _view(account_id: str, totals: Totals, expiring: int) -> PointsView:
    return PointsView(
        account_id=account_id,
        available=totals.available,
        pending=totals.pending,
        held=totals.held,
        owed=totals.owed,
        expiring_soon=expiring,
    )


async def list_my_entries(ctx: Ctx) -> Answer:
    return await _entries(ctx, ctx.actor.account_id)


async def list_entries(ctx: Ctx) -> Answer:
    return await _entries(ctx, ctx.path["account_id"])


async def _entries(ctx: Ctx, account_id: str) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        await people.account_of(tx, account_id)
        code = ledger.customer_points(account_id)
        lines = await ledger.entries(tx, code, before_version=ctx.before_number, limit=query.limit + 1)
    return ctx.page(lines, view=PointsEntry.of, key=lambda line: (line.version,))


async def list_my_lots(ctx: Ctx) -> Answer:
    return await _lots(ctx, ctx.actor.account_id)


async def list_lots(ctx: Ctx) -> Answer:
    return await _lots(ctx, ctx.path["account_id"])


async def _lots(ctx: Ctx, account_id: str) -> Answer:
    query: PageQuery = ctx.query
    before_id = ctx.before_id
    async with ctx.db.begin() as tx:
        await people.account_of(tx, account_id)
        found = await store.lots_of_account(tx, account_id, before_id=before_id, limit=query.limit + 1)
    return ctx.page(found, view=LotView.of, key=lambda lot: (lot.id,))


async def adjust(ctx: Ctx) -> Answer:
    body: AdjustBody = ctx.body
    account_id, by = ctx.path["account_id"], ctx.actor.account_id
    if body.points == 0:
        raise Malformed("Nothing would change.", field="points")
    # Remembered for ever, the key at the edge only for its retention: a very late repeat is harmless too.
    ref = f"adjust:{by}:{ctx.request.headers['Idempotency-Key']}"

    async def act(tx: Tx) -> Answer:
        await people.account_of(tx, account_id)
        await actions.adjust(
            tx, account_id, body.points, ref=ref, note=body.reason, by_id=by, valid_days=body.valid_days
        )
        return _view(
            account_id,
            await actions.totals(tx, account_id),
            await store.expiring(tx, account_id, tx.now + REMIND_BEFORE),
        )

    return await ctx.transact(act)


_ADMIN = "/v1/admin/points/{account_id}"
_TAGS = ("points",)

ROUTES = [
    Route("GET", "/v1/points", read_mine, "points.read", "My points", response=PointsView, tags=_TAGS),
    Route(
        "GET", "/v1/points/entries", list_my_entries, "points.entries", "What moved my points, newest first",
        query=PageQuery, response=Page[PointsEntry], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/points/lots", list_my_lots, "points.lots", "Where my points come from and when they end",
        query=PageQuery, response=Page[LotView], tags=_TAGS,
    ),
    Route(
        "GET", _ADMIN, read_any, "admin_points.read", "A customer's points",
        response=PointsView, roles=LOOKERS, tags=(*_TAGS, "admin"), errors=(NotFound,),
    ),
    Route(
        "GET", _ADMIN + "/entries", list_entries, "admin_points.entries",
        "What moved a customer's points, newest first",
        query=PageQuery, response=Page[PointsEntry], roles=LOOKERS, tags=(*_TAGS, "admin"),
    ),
    Route(
        "GET", _ADMIN + "/lots", list_lots, "admin_points.lots", "What a customer was given points for, newest first",
        query=PageQuery, response=Page[LotView], roles=LOOKERS, tags=(*_TAGS, "admin"),
    ),
    Route(
        "POST", _ADMIN + "/adjustments", adjust, "admin_points.adjust",
        "Give or take a customer's points, with a reason",
        request=AdjustBody, response=PointsView, status=201, idempotent="required", roles=STAFF,
        tags=(*_TAGS, "admin"), errors=(NotFound, InsufficientPoints),
    ),
]  # fmt: skip
