"""What a technician earns: his wallet, his statement per order, his withdrawals (HS-163, HS-178, HS-180)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Instant, Money, Page, PageQuery
from rest.lines.homeservice import technicians
from rest.lines.homeservice.technicians import NotActive
from rest.money import ledger, settlement
from rest.money.settlement import Party, Settlement
from rest.money.settlement import store as settlements
from rest.money.wallet.routes import WalletEntry
from rest.money.withdrawals import Owner
from rest.money.withdrawals.routes import owner_routes
from storage.base.errors import NotFound
from storage.tx import Tx

TECHNICIAN = ("technician",)


class PartnerWallet(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent now (below zero after a penalty), what waits for its day, and what is being paid out."""

    worker_id: str
    balance: Money
    pending: Money
    frozen: Money


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the technician's own part: what for, how much, what is left of it, and where it stands."""

    kind: str
    cause: str
    amount: Money
    net: Money
    state: str
    reason: str | None
    at: datetime


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What an order was for its technician (HS-163): rate × (item + extension + penalty's item part) + travel +
    penalty's travel part + tip − voucher, as it ended; `net` is what he has of it now."""

    settlement_id: str
    order_id: str
    state: str
    version: int
    item: Money
    extension: Money
    travel: Money
    voucher: Money
    tip: Money
    penalty: Money
    rate_bps: int
    net: Money
    lines: list[StatementLine]
    ended_at: datetime
    available_at: datetime

    @classmethod
    def of(cls, found: Settlement) -> Statement:
        mine, basis = Party("worker", found.worker_id), found.basis
        lines = [
            StatementLine(
                kind=line.kind,
                cause=line.cause,
                amount=Money(line.amount_fen),
                net=Money(line.net_fen),
                state=line.state.value,
                reason=line.reason,
                at=line.at,
            )
            for line in found.lines
            if line.party == mine
        ]
        return cls(
            settlement_id=found.id,
            order_id=found.order_id,
            state=found.state,
            version=found.version,
            item=Money(basis.item),
            extension=Money(basis.extension),
            travel=Money(basis.travel),
            voucher=Money(basis.voucher),
            tip=Money(basis.tip),
            penalty=Money(basis.penalty_item + basis.penalty_travel),
            rate_bps=basis.rate_bps,
            net=Money(found.net_of(mine)),
            lines=lines,
            ended_at=found.created_at,
            available_at=found.matures_at,
        )


class StatementQuery(PageQuery, frozen=True, kw_only=True):
    """Orders that ended in [since, until)."""

    since: Instant | None = None
    until: Instant | None = None


async def read_wallet(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        return PartnerWallet(
            worker_id=worker_id,
            balance=Money(await ledger.balance(tx, ledger.worker_wallet(worker_id))),
            pending=Money(await ledger.balance(tx, ledger.pending("worker", worker_id))),
            frozen=Money(await ledger.balance(tx, ledger.frozen("worker", worker_id))),
        )


async def list_entries(ctx: Ctx) -> Answer:
    query: PageQuery = ctx.query
    async with ctx.db.begin() as tx:
        code = ledger.worker_wallet(await technicians.worker_id_of(tx, ctx.actor.account_id))
        lines = await ledger.entries(tx, code, before_version=ctx.before_number, limit=query.limit + 1)
    return ctx.page(lines, view=WalletEntry.of, key=lambda line: (line.version,))


async def list_statements(ctx: Ctx) -> Answer:
    query: StatementQuery = ctx.query
    async with ctx.db.begin() as tx:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        found = await settlements.page(
            tx,
            before_id=ctx.before_id,
            limit=query.limit + 1,
            worker_id=worker_id,
            since=query.since,
            until=query.until,
        )
    return ctx.page(found, view=Statement.of, key=lambda one: (one.id,))


async def read_statement(ctx: Ctx) -> Answer:
    async with ctx.db.begin() as tx:
        worker_id = await technicians.worker_id_of(tx, ctx.actor.account_id)
        found = await settlement.of_order(tx, ctx.path["order_id"])
    if found.worker_id != worker_id:
        raise NotFound
    return Reply(Statement.of(found), etag=found.version)


async def _worker(tx: Tx, ctx: Ctx) -> Owner:
    return Owner("worker", await technicians.worker_id_of(tx, ctx.actor.account_id))


_TAGS = ("technician",)

ROUTES = [
    Route(
        "GET", "/v1/partner/wallet", read_wallet, "partner_wallet.read", "Read my technician wallet",
        response=PartnerWallet, roles=TECHNICIAN, tags=_TAGS, errors=(NotActive,),
    ),
    Route(
        "GET", "/v1/partner/wallet/entries", list_entries, "partner_wallet.entries",
        "List what moved my technician wallet, newest first",
        query=PageQuery, response=Page[WalletEntry], roles=TECHNICIAN, tags=_TAGS, errors=(NotActive,),
    ),
    Route(
        "GET", "/v1/partner/settlements", list_statements, "partner_settlements.list",
        "What my orders brought, newest first",
        query=StatementQuery, response=Page[Statement], roles=TECHNICIAN, tags=_TAGS, errors=(NotActive,),
    ),
    Route(
        "GET", "/v1/partner/orders/{order_id}/settlement", read_statement, "partner_settlements.read",
        "What one of my orders brought",
        response=Statement, has_etag=True, roles=TECHNICIAN, tags=_TAGS, errors=(NotActive,),
    ),
    *owner_routes(
        "/v1/partner/wallet/withdrawals", "partner_withdrawals", _worker, roles=TECHNICIAN, errors=(NotActive,)
    ),
]  # fmt: skip
