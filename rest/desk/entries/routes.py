"""Service entries over HTTP: where the tap leads, and for the back office who tapped, when and about which order."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.desk.conversations.readers import check_platform
from rest.desk.entries import store
from rest.desk.entries.model import Method, ServiceEntry, Ways
from rest.edge.context import Ctx
from rest.edge.limits import Quota
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Body, Id, Page, PageQuery
from rest.trade import orders
from storage.base.errors import NotFound
from storage.base.settings import Settings
from storage.tx import Tx

TAPS = Quota("service_entries", 60, 3600)
"""Of one account in an hour: more than anybody needs, and each is a row."""

STAFF = ("support", "supervisor", "ops", "admin")

KindName = Literal["general", "after_sale"]
_Filter = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]


class EntryBody(Body, frozen=True, kw_only=True):
    """About an order of one's own, or about none."""

    kind: KindName = "general"
    order_id: Id | None = None


class EntryQuery(PageQuery, frozen=True, kw_only=True):
    """Newest first."""

    kind: KindName | None = None
    order_id: _Filter | None = None
    account_id: _Filter | None = None


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """`wecom`: open WeCom's customer service with `corp_id` and `url`. `qr`: show the code of `qr_url`.

    `support`: neither is set up, ask by `POST /v1/support`.
    """

    id: str
    method: Literal["wecom", "qr", "support"]
    corp_id: str | None
    url: str | None
    qr_url: str | None
    at: datetime


class EntryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One tap, for the back office."""

    id: str
    account_id: str
    kind: KindName
    method: Literal["wecom", "qr", "support"]
    order_id: str | None
    at: datetime

    @classmethod
    def of(cls, entry: ServiceEntry) -> EntryRow:
        return cls(**{name: getattr(entry, name) for name in cls.__struct_fields__})


async def enter(ctx: Ctx) -> Answer:
    body: EntryBody = ctx.body
    me, ways = ctx.actor.account_id, ways_of(ctx.settings)
    ctx.spend(TAPS, me)

    async def act(tx: Tx) -> Answer:
        if body.order_id is not None:
            parties = await orders.parties_of(tx, body.order_id)
            if parties is None or parties[0] != me:
                raise NotFound
        entry = ServiceEntry(
            id=tx.new_id("sve"), account_id=me, kind=body.kind, method=ways.method, order_id=body.order_id, at=tx.now
        )
        await store.insert(tx, entry)
        return _shown(entry, ways)

    return await ctx.transact(act)


def ways_of(settings: Settings) -> Ways:
    return Ways(
        corp_id=settings.service_wecom_corp_id,
        wecom_url=settings.service_wecom_url,
        qr_url=settings.service_qr_url,
    )


def _shown(entry: ServiceEntry, ways: Ways) -> EntryView:
    by_wecom = entry.method is Method.WECOM
    return EntryView(
        id=entry.id,
        method=entry.method.value,
        corp_id=ways.corp_id if by_wecom else None,
        url=ways.wecom_url if by_wecom else None,
        qr_url=ways.qr_url or None,  # also beside WeCom: for who looks at another screen
        at=entry.at,
    )


async def listing(ctx: Ctx) -> Answer:
    query: EntryQuery = ctx.query
    check_platform(ctx.actor)
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx, account_id=query.account_id, order_id=query.order_id, kind=query.kind, before=ctx.before_id,
            limit=query.limit + 1,
        )  # fmt: skip
    return ctx.page(found, view=EntryRow.of, key=lambda entry: (entry.id,))


ROUTES = [
    Route(
        "POST", "/v1/service_entries", enter, "service_entries.enter", "Where I find people to talk to",
        request=EntryBody, response=EntryView, status=201, idempotent="optional", tags=("support",),
        errors=(NotFound,),
        description="What leads to WeCom or shows a code is set by the operator. That one asked is kept; what is said "
        "there is not.",
    ),
    Route(
        "GET", "/v1/admin/service_entries", listing, "service_entries.list", "Who asked for people, and about what",
        query=EntryQuery, response=Page[EntryRow], roles=STAFF, tags=("support", "admin"),
    ),
]  # fmt: skip
