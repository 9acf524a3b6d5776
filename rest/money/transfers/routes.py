"""Bank transfers over HTTP: customers show their vouchers, finance compares and decides."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer
from rest.edge.values import Amount, Body, Id, Line, Money, Page, PageQuery, exactly
from rest.money.cashier import PAYABLES
from rest.money.cashier.routes import mine
from rest.money.payments import WrongPaymentState
from rest.money.transfers import actions, store
from rest.money.transfers.model import (
    AmountMismatch,
    OwnTransfer,
    Transfer,
    TransferRefUsed,
    WrongTransferState,
)
from rest.people.files.replies import file_reply
from storage import files
from storage.base.errors import NotFound
from storage.files import FileTaken
from storage.tx import Tx

FINANCE = ("finance", "admin")
BankRef = Annotated[str, Meta(pattern=exactly("[0-9A-Za-z._-]{4,64}"), examples=["20260105-000123"])]


class TransferPicture(Body, frozen=True, kw_only=True):
    """The picture of the bank's voucher, sent before as a file for the purpose `voucher`."""

    file_id: Id


class TransferQuery(PageQuery, frozen=True, kw_only=True):
    """Which ones."""

    state: Literal["review", "confirmed", "rejected"] = "review"


class StatementBody(Body, frozen=True, kw_only=True):
    """What the bank's statement says: how much arrived, and under which number."""

    amount: Amount
    bank_ref: BankRef


class RejectionBody(Body, frozen=True, kw_only=True):
    """Why; the customer reads it."""

    reason: Line


class TransferView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment by bank transfer, and what finance has made of it."""

    payment_id: str
    order_id: str
    amount: Money
    file_id: str
    state: str
    bank_ref: str | None
    reason: str | None
    sent_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, one: Transfer) -> TransferView:
        return cls(
            payment_id=one.payment_id,
            order_id=one.order_id,
            amount=Money(one.amount_fen),
            file_id=one.file_id,
            state=one.state.value,
            bank_ref=one.bank_ref,
            reason=one.reason,
            sent_at=one.sent_at,
            decided_at=one.decided_at,
        )


async def send(ctx: Ctx) -> Answer:
    body: TransferPicture = ctx.body

    async def act(tx: Tx) -> Answer:
        payment = await mine(tx, ctx)
        kind, _ = await ctx.app[PAYABLES].find(tx, payment.order_id, payment.account_id)
        return TransferView.of(await actions.send(tx, kind, payment, body.file_id))

    return await ctx.transact(act)


async def list_all(ctx: Ctx) -> Answer:
    query: TransferQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await store.page(
            tx,
            state=query.state,
            before_id=ctx.before_id,
            limit=query.limit + 1,
        )
    return ctx.page(found, view=TransferView.of, key=lambda one: (one.payment_id,))


async def voucher(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        found = await store.read(tx, ctx.path["payment_id"])
        if found is None:
            raise NotFound
        return await file_reply(tx, await files.read(tx, found.file_id))


async def confirm(ctx: Ctx) -> Answer:
    body: StatementBody = ctx.body
    payment_id, by = ctx.path["payment_id"], ctx.actor.account_id

    async def act(tx: Tx) -> Answer:
        return TransferView.of(
            await actions.confirm(tx, payment_id, amount_fen=body.amount.amount, bank_ref=body.bank_ref, by=by)
        )

    return await ctx.transact(act)


async def reject(ctx: Ctx) -> Answer:
    body: RejectionBody = ctx.body
    payment_id, by = ctx.path["payment_id"], ctx.actor.account_id

    async def act(tx: Tx) -> Answer:
        return TransferView.of(await actions.reject(tx, payment_id, reason=body.reason, by=by))

    return await ctx.transact(act)


_ADMIN = "/v1/admin/transfers"
_ONE = _ADMIN + "/{payment_id}"
_TAGS = ("payments", "admin")
_ERRORS = (WrongTransferState, OwnTransfer)

ROUTES = [
    Route(
        "POST", "/v1/payments/{payment_id}/transfer", send, "transfers.send",
        "Show the voucher of a bank transfer that pays this",
        request=TransferPicture, response=TransferView, status=201, idempotent="optional", tags=("payments",),
        errors=(WrongPaymentState, FileTaken),
        description="The time to pay stops until finance has looked.",
    ),
    Route(
        "GET", _ADMIN, list_all, "transfers.list", "Bank transfers, newest first",
        query=TransferQuery, response=Page[TransferView], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "GET", _ONE + "/voucher", voucher, "transfers.voucher", "The picture of a transfer's voucher",
        response=bytes, media="*/*", roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", _ONE + "/confirm", confirm, "transfers.confirm", "Note that a transfer has arrived",
        request=StatementBody, response=TransferView, idempotent="optional", roles=FINANCE, tags=_TAGS,
        errors=(*_ERRORS, AmountMismatch, TransferRefUsed),
    ),
    Route(
        "POST", _ONE + "/reject", reject, "transfers.reject", "Note that a transfer has not arrived",
        request=RejectionBody, response=TransferView, idempotent="optional", roles=FINANCE, tags=_TAGS, errors=_ERRORS,
    ),
]  # fmt: skip
