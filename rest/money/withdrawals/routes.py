"""Withdrawals over HTTP: owners ask and look, finance decides and notes what the bank did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route, Routes
from rest.edge.reply import Answer, Reply
from rest.edge.values import Amount, Body, Line, Money, Page, PageQuery, exactly
from rest.money import signing, withdrawals
from rest.money.ledger import InsufficientFunds
from rest.money.signing import Digits, SignatureBody
from rest.money.withdrawals import store
from rest.money.withdrawals.model import (
    BankRefUsed,
    BelowMinimum,
    DayLimit,
    Event,
    Owner,
    OwnWithdrawal,
    Payee,
    PayoutMethod,
    Withdrawal,
    WithdrawalState,
    WrongWithdrawalState,
)
from rest.money.withdrawals.rules import current_rules
from storage.base.errors import HubError
from storage.tx import Tx

FINANCE = ("finance", "admin")

OwnerOf = Callable[[Tx, Ctx], Awaitable[Owner]]
"""Whose wallet a caller's own is."""

Number = Annotated[str, Meta(pattern=exactly("[0-9A-Za-z@._+-]{4,64}"), examples=["6222020200112233445"])]
BankRef = Annotated[str, Meta(pattern=exactly("[0-9A-Za-z._-]{4,64}"), examples=["20260105-000123"])]


class PayeeBody(Body, frozen=True, kw_only=True):
    """Where to: a bank account, or an account of a payment service, and whose it is."""

    method: PayoutMethod
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    number: Number


class WithdrawalBody(Body, frozen=True, kw_only=True):
    """How much, and where to."""

    amount: Amount
    payee: PayeeBody
    password: Digits | None = None
    signature: SignatureBody | None = None


class DecisionReason(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Line


class BankTransfer(Body, frozen=True, kw_only=True):
    """The bank's number of the transfer."""

    ref: BankRef


class PayeeView(msgspec.Struct, frozen=True, kw_only=True):
    """Where to; only finance sees the whole number."""

    method: str
    name: str
    number: str


class WithdrawalView(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawal as its owner sees it."""

    id: str
    amount: Money
    payee: PayeeView
    state: str
    reason: str | None
    version: int
    requested_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, one: Withdrawal) -> WithdrawalView:
        payee = one.payee
        return cls(
            id=one.id,
            amount=Money(one.amount_fen),
            payee=PayeeView(method=payee.method.value, name=payee.name, number=payee.masked),
            state=one.state.value,
            reason=one.reason,
            version=one.version,
            requested_at=one.requested_at,
            changed_at=one.changed_at,
        )


class WithdrawalStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: who did what, and the reason or the bank's number."""

    n: int
    at: datetime
    actor: str
    verb: str
    to_state: str
    detail: str | None

    @classmethod
    def of(cls, event: Event) -> WithdrawalStep:
        return cls(
            n=event.n,
            at=event.at,
            actor=event.actor,
            verb=event.verb,
            to_state=event.to_state,
            detail=event.detail,
        )


class WithdrawalForFinance(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawal as finance sees it: whose, where to, and what may be done now. Events only where one is read."""

    id: str
    owner_kind: str
    owner_id: str
    account_id: str
    amount: Money
    payee: PayeeView
    state: str
    reason: str | None
    version: int
    requested_at: datetime
    changed_at: datetime
    events: list[WithdrawalStep] | None = None

    @classmethod
    def of(cls, one: Withdrawal, events: list[Event] | None = None) -> WithdrawalForFinance:
        payee = one.payee
        return cls(
            id=one.id,
            owner_kind=one.owner.kind,
            owner_id=one.owner.id,
            account_id=one.account_id,
            amount=Money(one.amount_fen),
            payee=PayeeView(method=payee.method.value, name=payee.name, number=payee.number),
            state=one.state.value,
            reason=one.reason,
            version=one.version,
            requested_at=one.requested_at,
            changed_at=one.changed_at,
            events=None if events is None else [WithdrawalStep.of(event) for event in events],
        )


class WithdrawalQuery(PageQuery, frozen=True, kw_only=True):
    """Which ones: in this state."""

    state: WithdrawalState | None = None


def owner_routes(
    path: str, operation: str, owner_of: OwnerOf, *, roles: tuple[str, ...], errors: tuple[type[HubError], ...] = ()
) -> Routes:
    """The routes of one kind of owner, under `path`; each sees his own and nobody else's."""

    async def ask(ctx: Ctx) -> Answer:
        body: WithdrawalBody = ctx.body
        proof = await signing.prove_in(ctx, body)

        async def act(tx: Tx) -> Answer:
            owner = await owner_of(tx, ctx)
            payee = Payee(method=body.payee.method, name=body.payee.name, number=body.payee.number)
            asked = await withdrawals.request(
                tx,
                current_rules(),
                owner,
                account_id=ctx.actor.account_id,
                amount_fen=body.amount.amount,
                payee=payee,
            )
            number, fen = body.payee.number, body.amount.amount
            await signing.spend(tx, proof, action=signing.Action.WITHDRAW, subject=number, amount_fen=fen)
            return Reply(WithdrawalView.of(asked), etag=asked.version, location=f"{path}/{asked.id}")

        return await ctx.transact(act)

    async def page(ctx: Ctx) -> Answer:
        query: WithdrawalQuery = ctx.query
        async with ctx.db.begin() as tx:
            found = await _page(ctx, tx, query, await owner_of(tx, ctx))
        return ctx.page(found, view=WithdrawalView.of, key=lambda one: (one.id,))

    async def read(ctx: Ctx) -> Answer:
        async with ctx.db.begin() as tx:
            found = await withdrawals.of_owner(tx, await owner_of(tx, ctx), ctx.path["withdrawal_id"])
        return Reply(WithdrawalView.of(found), etag=found.version)

    tags = ("wallet",)
    return [
        Route(
            "POST", path, ask, f"{operation}.ask", "Have money of my wallet paid out",
            request=WithdrawalBody, response=WithdrawalView, status=201, idempotent="required", has_etag=True,
            roles=roles, tags=tags, errors=(*errors, InsufficientFunds, BelowMinimum, DayLimit, *signing.REFUSALS),
        ),
        Route(
            "GET", path, page, f"{operation}.list", "My withdrawals, newest first",
            query=WithdrawalQuery, response=Page[WithdrawalView], roles=roles, tags=tags, errors=errors,
        ),
        Route(
            "GET", path + "/{withdrawal_id}", read, f"{operation}.read", "One of my withdrawals",
            response=WithdrawalView, has_etag=True, roles=roles, tags=tags, errors=errors,
        ),
    ]  # fmt: skip


async def _page(ctx: Ctx, tx: Tx, query: WithdrawalQuery, owner: Owner | None) -> list[Withdrawal]:
    return await store.page(
        tx,
        before_id=ctx.before_id,
        limit=query.limit + 1,
        owner=owner,
        states=None if query.state is None else [query.state],
    )


async def _customer(tx: Tx, ctx: Ctx) -> Owner:  # noqa: ARG001 - an account is its own customer
    return Owner("customer", ctx.actor.account_id)


# Finance


async def list_all(ctx: Ctx) -> Answer:
    query: WithdrawalQuery = ctx.query
    async with ctx.db.begin() as tx:
        found = await _page(ctx, tx, query, None)
    return ctx.page(found, view=WithdrawalForFinance.of, key=lambda one: (one.id,))


async def read_any(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        return await _whole(tx, await withdrawals.any_one(tx, ctx.path["withdrawal_id"]))


async def _whole(tx: Tx, one: Withdrawal) -> Reply:
    return Reply(WithdrawalForFinance.of(one, await store.events(tx, one.id)), etag=one.version)


def _step(verb: Callable[[Tx, Ctx, str], Awaitable[Withdrawal]]) -> Callable[[Ctx], Awaitable[Answer]]:
    async def handle(ctx: Ctx) -> Answer:
        async def act(tx: Tx) -> Answer:
            return await _whole(tx, await verb(tx, ctx, ctx.actor.account_id))

        return await ctx.transact(act)

    return handle


def _id(ctx: Ctx) -> str:
    return ctx.path["withdrawal_id"]


approve = _step(lambda tx, ctx, by: withdrawals.approve(tx, _id(ctx), by=by, reason=ctx.body.reason))
reject = _step(lambda tx, ctx, by: withdrawals.reject(tx, _id(ctx), by=by, reason=ctx.body.reason))
mark_sent = _step(lambda tx, ctx, by: withdrawals.mark_sent(tx, _id(ctx), by=by, ref=ctx.body.ref))
confirm = _step(lambda tx, ctx, by: withdrawals.confirm(tx, _id(ctx), by=by))
fail = _step(lambda tx, ctx, by: withdrawals.fail(tx, _id(ctx), by=by, reason=ctx.body.reason))

_ADMIN = "/v1/admin/withdrawals"
_ONE = _ADMIN + "/{withdrawal_id}"
_TAGS = ("withdrawals", "admin")
_ERRORS = (WrongWithdrawalState, OwnWithdrawal)

ROUTES = [
    *owner_routes("/v1/wallet/withdrawals", "withdrawals", _customer, roles=("user",)),
    Route(
        "GET", _ADMIN, list_all, "admin_withdrawals.list", "Withdrawals, newest first",
        query=WithdrawalQuery, response=Page[WithdrawalForFinance], roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "GET", _ONE, read_any, "admin_withdrawals.read", "A withdrawal with everything done to it",
        response=WithdrawalForFinance, has_etag=True, roles=FINANCE, tags=_TAGS,
    ),
    Route(
        "POST", _ONE + "/approve", approve, "admin_withdrawals.approve", "Let a withdrawal over the limit go",
        request=DecisionReason, response=WithdrawalForFinance, has_etag=True, idempotent="optional",
        roles=FINANCE, tags=_TAGS, errors=_ERRORS,
    ),
    Route(
        "POST", _ONE + "/reject", reject, "admin_withdrawals.reject", "Refuse a withdrawal over the limit",
        request=DecisionReason, response=WithdrawalForFinance, has_etag=True, idempotent="optional",
        roles=FINANCE, tags=_TAGS, errors=_ERRORS,
    ),
    Route(
        "POST", _ONE + "/sent", mark_sent, "admin_withdrawals.sent", "Note that the transfer has been made",
        request=BankTransfer, response=WithdrawalForFinance, has_etag=True, idempotent="optional",
        roles=FINANCE, tags=_TAGS, errors=(*_ERRORS, BankRefUsed),
    ),
    Route(
        "POST", _ONE + "/confirm", confirm, "admin_withdrawals.confirm", "Note that the money has arrived",
        response=WithdrawalForFinance, has_etag=True, idempotent="optional", roles=FINANCE, tags=_TAGS, errors=_ERRORS,
    ),
    Route(
        "POST", _ONE + "/fail", fail, "admin_withdrawals.fail", "Note that the money will not arrive; it is unfrozen",
        request=DecisionReason, response=WithdrawalForFinance, has_etag=True, idempotent="optional",
        roles=FINANCE, tags=_TAGS, errors=_ERRORS,
    ),
]  # fmt: skip
