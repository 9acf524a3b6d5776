"""Wallets over HTTP: a customer's own balance and entries; credits given by finance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest import people
from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Amount, Body, Id, Money, Page, PageQuery
from rest.money import ledger, wallet
from rest.money.ledger import RefReused, Statement, customer_wallet
from rest.money.wallet.model import AmountRange, check_credit
from storage.base.errors import NotFound
from storage.tx import Tx

FINANCE = ("finance", "admin")


class TechnicianCredit(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller paid in for orders of one technician alone (HS-176)."""

    worker_id: str
    balance: Money


class WalletView(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller may spend, what he has earned and may spend later, and what is being paid out (HS-175).

    `prepaid` and `bonus` are recharge funds, what he paid in and what he was given for it (FR-076); `credits` are the
    100 largest.
    """

    account_id: str
    balance: Money
    pending: Money
    frozen: Money
    prepaid: Money
    bonus: Money
    credits: list[TechnicianCredit]


Purse = Literal["balance", "prepaid", "bonus", "frozen", "pending"]

PURSES: Mapping[Purse, Callable[[str], str]] = {
    "balance": ledger.customer_wallet,
    "prepaid": ledger.customer_prepaid,
    "bonus": ledger.customer_bonus,
    "frozen": lambda account_id: ledger.frozen("customer", account_id),
    "pending": lambda account_id: ledger.pending("customer", account_id),
}
"""Parts of a wallet that have entries of their own → their accounts."""


class EntryQuery(PageQuery, frozen=True, kw_only=True):
    """`purse`: which part of the wallet; `worker_id`: the credit for this technician instead."""

    purse: Purse = "balance"
    worker_id: Id | None = None


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
            prepaid=Money(await ledger.balance(tx, ledger.customer_prepaid(account_id))),
            bonus=Money(await ledger.balance(tx, ledger.customer_bonus(account_id))),
            credits=[
                TechnicianCredit(worker_id=worker_id, balance=Money(fen))
                for worker_id, fen in (await ledger.credits_of(tx, account_id)).items()
            ],
        )


async def entries(ctx: Ctx) -> Answer:
    query: EntryQuery = ctx.query
    mine = ctx.actor.account_id
    code = PURSES[query.purse](mine) if query.worker_id is None else ledger.customer_credit(mine, query.worker_id)
    async with ctx.db.begin() as tx:
        lines = await ledger.entries(tx, code, before_version=ctx.before_number, limit=query.limit + 1)
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
        query=EntryQuery, response=Page[WalletEntry], tags=("wallet",),
    ),
    Route(
        "POST", "/v1/admin/wallets/{account_id}/credits", credit, "wallet.credit", "Give a customer money",
        request=CreditBody, response=CreditView, status=201, errors=(AmountRange, NotFound, RefReused),
        roles=FINANCE, idempotent="required", tags=("wallet", "admin"),
    ),
]  # fmt: skip
