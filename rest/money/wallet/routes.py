"""Wallets over HTTP: a customer's own balance and entries; credits given by finance."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest import people
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Amount, Body, Money, Page, PageQuery
from rest.money import ledger, wallet
from rest.money.ledger import RefReused, Statement, customer_wallet
from rest.money.wallet.model import AmountRange, check_credit
from storage.base.errors import NotFound
from storage.tx import Tx

FINANCE = ("finance", "admin")


class WalletView(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller may spend, what he has earned and may spend later, and what is being paid out (HS-175)."""

    account_id: str
    balance: Money
    pending: Money
    frozen: Money


class WalletEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of the caller's wallet: signed amount, and the balance right after it."""

    transfer_id: str
    kind: str
    order_id: str | None
    amount: Money
    balance_after: Money
    at: datetime

    @classmethod
    def of(cls, line: Statement) -> WalletEntry:
        return cls(
            transfer_id=line.transfer_id,
            kind=line.kind,
            order_id=line.order_id,
            amount=Money(line.amount_fen),
            balance_after=Money(line.balance_after_fen),
            at=line.at,
        )


class CreditBody(Body, frozen=True, kw_only=True):
    """How much, and why: the reason is kept with the transfer."""

    amount: Amount
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class CreditView(msgspec.Struct, frozen=True, kw_only=True):
    """A credit as booked."""

    transfer_id: str
    account_id: str
    amount: Money
    balance: Money
    reason: str
    by: str
    at: datetime


async def read(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        account_id = ctx.actor.account_id
        return WalletView(
            account_id=account_id,
            balance=Money(await wallet.balance(tx, account_id)),
            pending=Money(await ledger.balance(tx, ledger.pending("customer", account_id))),
            frozen=Money(await ledger.balance(tx, ledger.frozen("customer", account_id))),
        )


async def entries(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    before = int(ctx.after[0]) if ctx.after else None  # type: ignore[arg-type]  # this list's only key is a version
    async with ctx.db.begin() as tx:
        lines = await wallet.entries(tx, ctx.actor.account_id, before_version=before, limit=query.limit + 1)
    return ctx.page(lines, view=WalletEntry.of, key=lambda line: (line.version,))


async def credit(ctx: Ctx) -> Answer:
    body: CreditBody = ctx.body
    account_id, by = ctx.path["account_id"], ctx.actor.account_id
    # The ledger remembers the key for ever, the edge only for its retention: a very late repeat is harmless too.
    ref = f"credit:{by}:{ctx.request.headers['Idempotency-Key']}"

    async def act(tx: Tx) -> Answer:
        check_credit(body.amount.amount)
        await people.account_of(tx, account_id)
        transfer = await wallet.credit(tx, account_id, body.amount.amount, ref, body.reason, by_id=by)
        return Reply(
            CreditView(
                transfer_id=transfer.id,
                account_id=account_id,
                amount=Money(body.amount.amount),
                balance=Money(transfer.balance_after(customer_wallet(account_id))),
                reason=body.reason,
                by=by,
                at=transfer.at,
            )
        )

    return await ctx.transact(act)


ROUTES = [
    Route("GET", "/v1/wallet", read, "wallet.read", "Read my wallet", response=WalletView, tags=("wallet",)),
    Route(
        "GET", "/v1/wallet/entries", entries, "wallet.entries", "List what moved my wallet, newest first",
        query=PageQuery, response=Page[WalletEntry], tags=("wallet",),
    ),
    Route(
        "POST", "/v1/admin/wallets/{account_id}/credits", credit, "wallet.credit", "Give a customer money",
        request=CreditBody, response=CreditView, status=201, errors=(AmountRange, NotFound, RefReused),
        roles=FINANCE, idempotent="required", tags=("wallet", "admin"),
    ),
]  # fmt: skip
