"""A technician's vouchers over HTTP (HS-187)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Amount, Body, Instant, Money, Page, PageQuery
from rest.lines.homeservice import technicians, vouchers
from rest.lines.homeservice.catalogue import ItemNotFound
from rest.lines.homeservice.routes.technician import TECHNICIAN
from rest.lines.homeservice.technicians import NotActive
from rest.lines.homeservice.vouchers import Terms, Voucher, VoucherOverShare
from storage.base.errors import NotFound
from storage.tx import Tx


class ItemVoucherBody(Body, frozen=True, kw_only=True):
    """What you take off this item, at your own cost: at most your share of it.

    `min_item`: the items cost so much. No `stock`: without end. No `valid_until`: until it is switched off.
    """

    amount: Amount
    min_item: Amount | None = None
    stock: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    valid_until: Instant | None = None

    def terms(self) -> Terms:
        return Terms(
            amount_fen=self.amount.amount,
            min_item_fen=self.min_item.amount if self.min_item is not None else 0,
            valid_until=self.valid_until,
        )


class SwitchBody(Body, frozen=True, kw_only=True):
    """Whether new quotes have it."""

    on: bool


class VoucherView(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher of yours. `taken`: how many orders have it. `replaced_at`: since when another stands in its place."""

    id: str
    item_id: str
    amount: Money
    min_item: Money
    stock: int | None
    taken: int
    valid_until: datetime | None
    state: Literal["on", "off", "used_up"]
    replaced_at: datetime | None
    version: int
    created_at: datetime

    @classmethod
    def of(cls, voucher: Voucher) -> VoucherView:
        return cls(
            id=voucher.id,
            item_id=voucher.item_id,
            amount=Money(voucher.terms.amount_fen),
            min_item=Money(voucher.terms.min_item_fen),
            stock=voucher.stock,
            taken=voucher.taken,
            valid_until=voucher.terms.valid_until,
            state=voucher.state.value,
            replaced_at=voucher.replaced_at,
            version=voucher.version,
            created_at=voucher.created_at,
        )


def _reply(voucher: Voucher) -> Answer:
    return Reply(VoucherView.of(voucher), etag=voucher.version)


async def list_vouchers(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    before_id = ctx.before_id
    async with ctx.db.begin() as tx:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        found = await vouchers.page(tx, worker_id, before_id=before_id, limit=query.limit + 1)
    return ctx.page(found, view=VoucherView.of, key=lambda voucher: (voucher.id,))


async def read_voucher(ctx: Ctx) -> Answer:
    return _reply(await ctx.db.run(vouchers.current, ctx.actor.account_id, ctx.path["item_id"]))


async def set_voucher(ctx: Ctx) -> Answer:
    body: ItemVoucherBody = ctx.body

    async def act(tx: Tx) -> Answer:
        return _reply(
            await vouchers.set_voucher(tx, ctx.actor.account_id, ctx.path["item_id"], body.terms(), stock=body.stock)
        )

    return await ctx.transact(act)


async def switch(ctx: Ctx) -> Answer:
    body: SwitchBody = ctx.body

    async def act(tx: Tx) -> Answer:
        return _reply(await vouchers.switch(tx, ctx.actor.account_id, ctx.path["item_id"], on=body.on))

    return await ctx.transact(act)


_ONE = "/v1/partner/items/{item_id}/voucher"
_TAGS = ("technician",)

ROUTES = [
    Route(
        "GET", "/v1/partner/vouchers", list_vouchers, "vouchers.list", "My vouchers, newest first",
        query=PageQuery, response=Page[VoucherView], roles=TECHNICIAN, tags=_TAGS, errors=(NotActive,),
    ),
    Route(
        "GET", _ONE, read_voucher, "vouchers.read", "My voucher for an item",
        response=VoucherView, has_etag=True, roles=TECHNICIAN, tags=_TAGS, errors=(NotActive, NotFound),
    ),
    Route(
        "PUT", _ONE, set_voucher, "vouchers.set", "Make a voucher for an item of mine, on at once",
        request=ItemVoucherBody, response=VoucherView, has_etag=True, roles=TECHNICIAN, tags=_TAGS,
        errors=(NotActive, ItemNotFound, VoucherOverShare),
        description="Terms never change: another voucher takes its place, and what was quoted before is kept.",
    ),
    Route(
        "PATCH", _ONE, switch, "vouchers.switch", "Switch my voucher on or off for new quotes",
        request=SwitchBody, response=VoucherView, has_etag=True, roles=TECHNICIAN, tags=_TAGS,
        errors=(NotActive, NotFound),
    ),
]  # fmt: skip
