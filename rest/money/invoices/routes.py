"""HTTP edge of invoices: the customer's side and finance's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rest.edge.context import Ctx
from rest.edge.decode import invalid
from rest.edge.errors import InvalidInput
from rest.edge.registry import Link, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery
from rest.money.invoices import actions, issuing, store
from rest.money.invoices.model import (
    AlreadyInvoiced,
    Invoice,
    InvoiceNumberUsed,
    NotInvoiceable,
    TaxNumber,
    Title,
    TitleLimit,
    WrongInvoiceState,
)
from rest.money.invoices.views import (
    AcceptBody,
    InvoiceBody,
    InvoiceQuery,
    InvoiceView,
    RejectBody,
    TitleBody,
    TitleView,
    VoidBody,
)
from rest.money.invoices.wiring import INVOICING
from rest.people.files import file_reply
from storage import files
from storage.base.errors import NotFound
from storage.tx import Tx

FINANCE = ("finance", "admin")


# Titles


async def add_title(ctx: Ctx) -> Answer:
    body: TitleBody = ctx.body
    title = Title(kind=body.kind, name=body.name, tax_no=body.tax_no, contact=body.contact, bank=body.bank)

    async def act(tx: Tx) -> Answer:
        known = await actions.add_title(tx, ctx.actor.account_id, title)
        return Reply(TitleView.of(known), location=f"/v1/invoice_titles/{known.id}")

    return await ctx.transact(act)


async def list_titles(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.titles(tx, ctx.actor.account_id, before_id=ctx.before_id, limit=query.limit + 1)
    return ctx.page(found, view=TitleView.of, key=lambda known: (known.id,))


async def forget_title(ctx: Ctx) -> Answer:
    await ctx.db.run(actions.forget_title, ctx.path["title_id"], ctx.actor.account_id)
    return Reply()


# The customer


async def request(ctx: Ctx) -> Answer:
    body: InvoiceBody = ctx.body
    invoicing = ctx.app[INVOICING]

    async def act(tx: Tx) -> Answer:
        asked = await actions.request(
            tx,
            invoicing.billing,
            account_id=ctx.actor.account_id,
            title_id=body.title_id,
            order_ids=body.order_ids,
            tax_bps=invoicing.rules.tax_bps,
        )
        return Reply(InvoiceView.of(asked), etag=asked.version, location=f"/v1/invoices/{asked.id}")

    return await ctx.transact(act)


async def list_mine(ctx: Ctx) -> Answer:
    return await _page(ctx, ctx.actor.account_id)


async def read_mine(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await actions.read_for_owner(tx, ctx.path["invoice_id"], ctx.actor.account_id)
    return Reply(InvoiceView.of(found), etag=found.version)


async def download_mine(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await _file(tx, await actions.read_for_owner(tx, ctx.path["invoice_id"], ctx.actor.account_id))


async def _file(tx: Tx, invoice: Invoice) -> Reply:
    """The paper that counts now: of a voided invoice the red one."""
    file_id = invoice.red_file_id or invoice.file_id
    if file_id is None:
        raise NotFound
    return await file_reply(tx, await files.read(tx, file_id))


async def _page(ctx: Ctx, account_id: str | None) -> Answer:
    query: InvoiceQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx,
            before_id=ctx.before_id,
            limit=query.limit + 1,
            account_id=account_id,
            state=query.state,
            needs_red=query.needs_correction,
        )
    return ctx.page(found, view=InvoiceView.of, key=lambda one: (one.id,))


# Finance


async def list_all(ctx: Ctx) -> Answer:
    return await _page(ctx, None)


async def read_any(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await _whole(tx, await issuing.read(tx, ctx.path["invoice_id"]))


async def download_any(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await _file(tx, await issuing.read(tx, ctx.path["invoice_id"]))


async def _whole(tx: Tx, one: Invoice) -> Reply:
    return Reply(InvoiceView.of(one, await store.events(tx, one.id)), etag=one.version)


def _step(verb: Callable[[Tx, Ctx, str], Awaitable[Invoice]]) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            return await _whole(tx, await verb(tx, ctx, ctx.path["invoice_id"]))

        return await ctx.transact(act)

    return handle


async def _accept(tx: Tx, ctx: Ctx, invoice_id: str) -> Invoice:
    body: AcceptBody = ctx.body
    _check_number(ctx, body.number)
    billing = ctx.app[INVOICING].billing
    return await issuing.accept(tx, billing, invoice_id, number=body.number, by=ctx.actor.account_id)


async def _reject(tx: Tx, ctx: Ctx, invoice_id: str) -> Invoice:
    body: RejectBody = ctx.body
    return await issuing.reject(tx, invoice_id, reason=body.reason, by=ctx.actor.account_id)


async def _void(tx: Tx, ctx: Ctx, invoice_id: str) -> Invoice:
    body: VoidBody = ctx.body
    _check_number(ctx, body.number)
    return await issuing.void(
        tx, invoice_id, number=body.number, reason=body.reason, reissue=body.reissue, by=ctx.actor.account_id
    )


def _check_number(ctx: Ctx, number: str | None) -> None:
    """Whoever draws the numbers names one. Raises InvalidInput."""
    if (number is None) == ctx.app[INVOICING].issuer.numbers_come_from_finance:
        raise invalid("/number", "required" if number is None else "unknown_field", "Numbers are drawn by one side.")


_TAGS = ("invoices",)
_ADMIN_TAGS = ("invoices", "admin")
_ONE = "/v1/admin/invoices/{invoice_id}"
_ERRORS = (WrongInvoiceState, InvoiceNumberUsed, InvalidInput)

ROUTES = [
    Route(
        "POST", "/v1/invoice_titles", add_title, "invoice_titles.add", "Save to whom invoices are made out",
        request=TitleBody, response=TitleView, status=201, idempotent="optional", tags=_TAGS,
        errors=(TaxNumber, TitleLimit),
        links={"forget": Link("invoice_titles.forget", {"title_id": "$response.body#/id"})},
    ),
    Route(
        "GET", "/v1/invoice_titles", list_titles, "invoice_titles.list", "My invoice titles, newest first",
        query=PageQuery, response=Page[TitleView], tags=_TAGS,
    ),
    Route(
        "DELETE", "/v1/invoice_titles/{title_id}", forget_title, "invoice_titles.forget", "Forget an invoice title",
        status=204, tags=_TAGS,
    ),
    Route(
        "POST", "/v1/invoices", request, "invoices.request", "Ask for an invoice over orders of mine",
        request=InvoiceBody, response=InvoiceView, status=201, has_etag=True, idempotent="required", tags=_TAGS,
        errors=(NotFound, AlreadyInvoiced, NotInvoiceable),
    ),
    Route(
        "GET", "/v1/invoices", list_mine, "invoices.list", "My invoices, newest first",
        query=InvoiceQuery, response=Page[InvoiceView], tags=_TAGS,
    ),
    Route(
        "GET", "/v1/invoices/{invoice_id}", read_mine, "invoices.read", "One of my invoices",
        response=InvoiceView, has_etag=True, tags=_TAGS,
    ),
    Route(
        "GET", "/v1/invoices/{invoice_id}/file", download_mine, "invoices.file", "The paper of one of my invoices",
        response=bytes, media="application/pdf", tags=_TAGS,
    ),
    Route(
        "GET", "/v1/admin/invoices", list_all, "admin_invoices.list", "Invoices, newest first",
        query=InvoiceQuery, response=Page[InvoiceView], roles=FINANCE, tags=_ADMIN_TAGS,
    ),
    Route(
        "GET", _ONE, read_any, "admin_invoices.read", "An invoice with everything done to it",
        response=InvoiceView, has_etag=True, roles=FINANCE, tags=_ADMIN_TAGS,
    ),
    Route(
        "GET", _ONE + "/file", download_any, "admin_invoices.file", "The paper of an invoice",
        response=bytes, media="application/pdf", roles=FINANCE, tags=_ADMIN_TAGS,
    ),
    Route(
        "POST", _ONE + "/accept", _step(_accept), "admin_invoices.accept", "Have an invoice issued",
        request=AcceptBody, response=InvoiceView, has_etag=True, idempotent="optional",
        roles=FINANCE, tags=_ADMIN_TAGS, errors=_ERRORS,
    ),
    Route(
        "POST", _ONE + "/reject", _step(_reject), "admin_invoices.reject", "Refuse an invoice",
        request=RejectBody, response=InvoiceView, has_etag=True, idempotent="optional",
        roles=FINANCE, tags=_ADMIN_TAGS, errors=(WrongInvoiceState,),
    ),
    Route(
        "POST", _ONE + "/void", _step(_void), "admin_invoices.void", "Take an invoice back by a red one",
        request=VoidBody, response=InvoiceView, has_etag=True, idempotent="optional",
        roles=FINANCE, tags=_ADMIN_TAGS, errors=_ERRORS,
    ),
]  # fmt: skip
