"""Builds the REST application: everything it answers is in the lists of this file."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from aiohttp import web

import dispatch
from chat import desk
from geo.areas.live import LiveAreas
from rest.desk.cases.exports import EXPORTS as CASE_EXPORTS
from rest.desk.cases.own_routes import ROUTES as OWN_CASES
from rest.desk.cases.routes import case_routes
from rest.desk.cases.sides import Sides
from rest.desk.content.routes import ROUTES as CONTENT
from rest.desk.conversations.desk_routes import ROUTES as DESK_TALK
from rest.desk.conversations.exports import EXPORTS as CHAT_EXPORTS
from rest.desk.conversations.routes import ROUTES as TALK
from rest.desk.entries.routes import ROUTES as SERVICE_ENTRIES
from rest.desk.feedback.routes import ROUTES as FEEDBACK
from rest.desk.support import ROUTES as SUPPORT
from rest.desk.support.subjects import SUBJECTS
from rest.desk.views import ROUTES as DESK_VIEWS
from rest.edge import MACHINE, Machine
from rest.edge import deadlines as edge_deadlines
from rest.edge.documents import add_documents
from rest.edge.registry import Route, check_table
from rest.edge.serve import around, mount
from rest.fleet.areas import ROUTES as AREAS
from rest.fleet.field import ROUTES as FIELD
from rest.fleet.routes import ROUTES as FLEET
from rest.lines.homeservice.card import order_card
from rest.lines.homeservice.case_side import CASES as HOMESERVICE_CASES
from rest.lines.homeservice.exports import EXPORTS as HOMESERVICE_EXPORTS
from rest.lines.homeservice.payable import HomeservicePayable
from rest.lines.homeservice.regions import AREAS as LIVE_AREAS
from rest.lines.homeservice.routes import REFUNDED as HOMESERVICE_REFUNDED
from rest.lines.homeservice.routes import ROUTES as HOMESERVICE
from rest.lines.homeservice.technicians import NotActive
from rest.marketing.claims.routes import ROUTES as CLAIMS
from rest.marketing.coupons.routes import ROUTES as COUPONS
from rest.marketing.membership.routes import ROUTES as MEMBERSHIP
from rest.marketing.points_mall.routes import ROUTES as POINTS_MALL
from rest.marketing.referrals.routes import ROUTES as REFERRALS
from rest.marketing.rewards.routes import ROUTES as REWARDS
from rest.money.cashier import PAYABLES, Payable, Payables
from rest.money.cashier.finance import ROUTES as FINANCE
from rest.money.cashier.routes import cashier_routes
from rest.money.channels import CHANNELS, open_channels
from rest.money.channels import jobs as channel_jobs
from rest.money.channels.routes import ROUTES as CHANNEL
from rest.money.channels.suspense_routes import ROUTES as SUSPENSE
from rest.money.invoices import INVOICING, Invoicing, PaperIssuer
from rest.money.invoices.routes import ROUTES as INVOICES
from rest.money.invoices.rules import current_rules as invoice_rules
from rest.money.ledger import deadlines as ledger_deadlines
from rest.money.passwords.routes import ROUTES as PASSWORDS
from rest.money.penalties.routes import ROUTES as PENALTIES
from rest.money.points.routes import ROUTES as POINTS
from rest.money.reconciliation import jobs as reconciliation_jobs
from rest.money.reconciliation.routes import ROUTES as RECONCILIATION
from rest.money.refunds.exports import EXPORTS as REFUND_EXPORTS
from rest.money.refunds.routes import staff_routes
from rest.money.settlement.exports import EXPORTS as SETTLEMENT_EXPORTS
from rest.money.settlement.routes import ROUTES as SETTLEMENT
from rest.money.settlement.rule_routes import ROUTES as SPLIT_RULES
from rest.money.shares.routes import ROUTES as SHARES
from rest.money.signing.routes import ROUTES as SIGNING
from rest.money.topups.routes import ROUTES as TOPUPS
from rest.money.transfers.routes import ROUTES as TRANSFERS
from rest.money.wallet.exports import EXPORTS as WALLET_EXPORTS
from rest.money.wallet.routes import ROUTES as WALLET
from rest.money.withdrawals.exports import EXPORTS as WITHDRAWAL_EXPORTS
from rest.money.withdrawals.routes import ROUTES as WITHDRAWALS
from rest.money.workdays.routes import ROUTES as WORKDAYS
from rest.pages.routes import add_pages
from rest.papers.exports import EXPORTS, ExportDesk, Kind
from rest.papers.exports.routes import routes as export_routes
from rest.papers.press import Press
from rest.people import jobs as people_jobs
from rest.people.audit import ROUTES as AUDIT
from rest.people.files import jobs as file_jobs
from rest.people.files.routes import ROUTES as FILES
from rest.people.routes import ROUTES as PEOPLE
from rest.people.tenants.routes import ROUTES as TENANTS
from rest.people.wiring import WorkerFinder, wire
from rest.reach import begin_pruning as begin_pruning_notices
from rest.reach.broadcasts.routes import ROUTES as BROADCASTS
from rest.reach.config.routes import ROUTES as NOTICE_CONFIG
from rest.reach.routes import ROUTES as REACH
from rest.trade.billing import OrderBills
from rest.trade.orders.exports import EXPORTS as ORDER_EXPORTS
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx

PAYABLE_KINDS: tuple[Payable, ...] = (HomeservicePayable(),)
"""Everything the cashier takes money for."""

REFUNDS = staff_routes({**HOMESERVICE_REFUNDED})
"""Staff decide about refunds of every line here."""

CASE_SIDES: Sides = {"homeservice": HOMESERVICE_CASES}
"""Every line whose cases support decides."""

EXPORT_KINDS: tuple[Kind, ...] = (
    *HOMESERVICE_EXPORTS,
    *ORDER_EXPORTS,
    *CASE_EXPORTS,
    *CHAT_EXPORTS,
    *REFUND_EXPORTS,
    *SETTLEMENT_EXPORTS,
    *WITHDRAWAL_EXPORTS,
    *WALLET_EXPORTS,
)
"""Everything that can be had on paper."""

EXPORT = export_routes(refusals=(NotActive,))

TABLES = (
    PEOPLE,
    TENANTS,
    FILES,
    EXPORT,
    AREAS,
    HOMESERVICE,
    COUPONS,
    CLAIMS,
    REFERRALS,
    MEMBERSHIP,
    POINTS_MALL,
    REWARDS,
    WALLET,
    PASSWORDS,
    SIGNING,
    POINTS,
    TOPUPS,
    cashier_routes(PAYABLE_KINDS),
    FINANCE,
    TRANSFERS,
    CHANNEL,
    SUSPENSE,
    RECONCILIATION,
    SETTLEMENT,
    SPLIT_RULES,
    SHARES,
    WORKDAYS,
    REFUNDS,
    PENALTIES,
    WITHDRAWALS,
    INVOICES,
    TALK,
    DESK_TALK,
    case_routes(CASE_SIDES),
    OWN_CASES,
    SUPPORT,
    SERVICE_ENTRIES,
    DESK_VIEWS,
    FEEDBACK,
    CONTENT,
    FLEET,
    FIELD,
    AUDIT,
    REACH,
    BROADCASTS,
    NOTICE_CONFIG,
)

OPERATIONS: list[Route] = [route for table in TABLES for route in table]


def build_app(db: Database, settings: Settings) -> web.Application:
    """The application, ready for `ProblemRunner`. The hub adds its own routes to it."""
    check_table(OPERATIONS)
    app = web.Application(middlewares=[around], client_max_size=settings.request_bytes_max)
    app[MACHINE] = Machine(db, settings, wire(app, db, settings, DispatchWorkers()))
    app[LIVE_AREAS] = LiveAreas(db)
    app[SUBJECTS] = {"order": order_card}
    app[PAYABLES] = Payables(PAYABLE_KINDS)
    app[CHANNELS] = open_channels(settings, db.clock)
    app[EXPORTS] = ExportDesk(db, settings, Press(settings), EXPORT_KINDS)
    app[INVOICING] = Invoicing(OrderBills(), PaperIssuer(Press(settings), invoice_rules()), invoice_rules())
    mount(app, OPERATIONS)
    add_documents(app, OPERATIONS, version=release())
    add_pages(app, settings)
    return app


class DispatchWorkers(WorkerFinder):
    """Tells people which worker an account is."""

    async def worker_id_of(self, tx: Tx, account_id: str) -> str | None:
        worker = await dispatch.worker_of(tx, account_id)
        return None if worker is None else worker.id


async def begin_housekeeping(tx: Tx, settings: Settings) -> None:
    """Schedule what comes back by itself; called at each start."""
    await edge_deadlines.begin_purging(tx, settings.idempotency_keep_s)
    await people_jobs.begin_purging(tx)
    await ledger_deadlines.begin_rolling(tx)
    await channel_jobs.begin_purging(tx)
    await file_jobs.begin_purging(tx)
    await reconciliation_jobs.begin_reconciling(tx)
    desk.begin_sweeping(tx)
    await begin_pruning_notices(tx)


def release() -> str:
    """The version of this program."""
    try:
        return version("fieldhub")
    except PackageNotFoundError:
        return "0.1.0"
