"""A street of a town: orders paid from wallets and over channels whose books are kept in another schema.

Nothing goes over HTTP, so that thousands of scenes are played in a minute, and a process that is killed does not take
the channels' books with it: `FarBank` keeps its promises as a channel does, by number, in `bank.trades`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

import dispatch
from hub.process import DEADLINES, SUBSCRIBERS
from rest.lines.homeservice import actions
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.model import LINE, Job
from rest.lines.homeservice.rules import HomeserviceRules
from rest.money import points, refunds
from rest.money.channels.actions import take
from rest.money.channels.calls import Calls
from rest.money.channels.errors import BadSignature, ChannelRefused
from rest.money.channels.jobs import outside_jobs
from rest.money.channels.model import (
    Ack,
    Notification,
    Outcome,
    Prepay,
    RefundNews,
    RefundOrder,
    RefundWord,
    Trade,
    TradeState,
)
from rest.money.channels.wiring import Channels
from rest.money.payments import Ask, Tender
from rest.money.refunds import Reason, RefundRules
from rest.money.withdrawals.jobs import outside_jobs as payout_jobs
from rest.money.withdrawals.payouts import ManualPayouts
from rest.trade import orders
from rest.trade.orders import By, Role
from storage import migrate
from storage.base.clock import Clock, ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner, OutsideHandler
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY, SECRET, database_url
from tests.homeservice.conftest import Tech, Town

BOTH = ("wechat", "alipay")
LINES: refunds.Lines = {LINE: actions.SIDE}
RULES = RefundRules()
INNER = (Ask(Tender.POINTS, 1_000), Ask(Tender.WALLET, 10_000))
"""What a mixed payment takes of the customer's own; a channel gives the rest."""
SETTINGS = Settings(secret=SECRET, data_dir=".")
BOOKS = """
CREATE SCHEMA IF NOT EXISTS bank;
CREATE TABLE IF NOT EXISTS bank.trades (channel text, number text, amount_fen bigint, state text, PRIMARY KEY (channel, number));
CREATE TABLE IF NOT EXISTS bank.refunds (number text PRIMARY KEY, trade text, amount_fen bigint);
"""  # noqa: E501


@asynccontextmanager
async def scratch(server: str, name: str) -> AsyncIterator[str]:
    """A migrated database of its own on this server, gone afterwards."""
    control: Any = await asyncpg.connect(server)
    try:
        await control.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await control.execute(f"CREATE DATABASE {name}")
        url = database_url(server, name)
        await migrate.migrate(url)
        books: Any = await asyncpg.connect(url)
        await books.execute(BOOKS)
        await books.close()
        yield url
        await control.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await control.close()


class FarBank:
    """A channel that answers at once and never forgets."""

    refused = None
    taken = Ack(200, "text/plain", b"")

    def __init__(self, name: str, db: Database) -> None:
        self.name, self._db = name, db
        self.slow = False
        """Whether refunds stay under way."""

    async def prepay(self, wanted: Prepay) -> dict[str, str]:
        await self._write(
            "INSERT INTO bank.trades VALUES ($1, $2, $3, 'waiting') ON CONFLICT DO NOTHING",
            wanted.out_trade_no,
            wanted.amount_fen,
        )
        return {"kind": "code", "code_url": f"https://pay.example/{wanted.out_trade_no}"}

    async def query(self, out_trade_no: str) -> Trade:
        sql = "SELECT state, amount_fen FROM bank.trades WHERE channel = $1 AND number = $2"
        async with self._db.look() as tx:
            row = await tx.fetchrow(sql, self.name, out_trade_no)
        if row is None:
            return Trade(out_trade_no=out_trade_no, state=TradeState.MISSING)
        return self.told(out_trade_no, row["amount_fen"], TradeState(row["state"]))

    async def close(self, out_trade_no: str) -> None:
        await self._write(
            "UPDATE bank.trades SET state = 'closed' WHERE channel = $1 AND number = $2 AND state = 'waiting'",
            out_trade_no,
        )

    async def pay(self, out_trade_no: str) -> bool:
        """The payer pays, where he still can."""
        sql = "UPDATE bank.trades SET state = 'paid' WHERE channel = $1 AND number = $2 AND state = 'waiting'"
        return bool(await self._write(sql, out_trade_no))

    async def refund(self, wanted: RefundOrder) -> RefundNews:
        async with self._db.look() as tx:
            await tx.execute(
                "INSERT INTO bank.refunds VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                wanted.out_refund_no,
                wanted.out_trade_no,
                wanted.amount_fen,
            )
            back = await tx.fetchval("SELECT sum(amount_fen) FROM bank.refunds WHERE trade = $1", wanted.out_trade_no)
        if back > wanted.total_fen:
            raise ChannelRefused("REFUND_BEYOND_TRADE")
        return self.refund_told(wanted.out_refund_no, wanted.amount_fen)

    async def query_refund(self, wanted: RefundOrder) -> RefundNews:
        return self.refund_told(wanted.out_refund_no, wanted.amount_fen)

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notification:
        raise BadSignature

    def told(self, number: str, amount_fen: int, state: TradeState = TradeState.PAID) -> Trade:
        paid = state is TradeState.PAID
        return Trade(
            out_trade_no=number, state=state, trade_no=f"no{number[4:]}" if paid else None, amount_fen=amount_fen
        )

    def refund_told(self, number: str, amount_fen: int) -> RefundNews:
        return RefundNews(
            out_refund_no=number,
            state=RefundWord.PROCESSING if self.slow else RefundWord.DONE,
            channel_ref=f"back{number[4:]}",
            amount_fen=amount_fen,
        )

    async def _write(self, sql: str, *args: Any) -> int:
        async with self._db.look() as tx:
            return await tx.execute(sql, self.name, *args)


def worker(db: Database, dispatcher: dispatch.Dispatcher, asking: Mapping[str, OutsideHandler]) -> JobRunner:
    """What the worker process runs: every deadline and subscriber there is; `asking` is what asks channels."""
    handlers = {**dispatcher.handlers(), **DEADLINES}
    outside = {**asking, **payout_jobs(db, ManualPayouts())}
    return JobRunner(db, SETTINGS, handlers, outside=outside, subscribers=SUBSCRIBERS)


def asking(db: Database, banks: Mapping[str, FarBank]) -> Mapping[str, OutsideHandler]:
    """The jobs that ask these banks."""
    return outside_jobs(db, Channels(dict(banks), Calls(timeout_ms=1_000)))


async def pay_mixed(tx: Tx, order_id: str, account_id: str, channel: str) -> Job:
    """Begin to pay with points, the wallet, and a channel for the rest."""
    asked = [*INNER, Ask(Tender(channel))]
    return await actions.pay(tx, order_id, account_id, asked=asked, open_channels=frozenset(BOTH))


async def ask_refund(tx: Tx, order_id: str, amount_fen: int | None, *, by: By | None = None) -> str:
    """Somebody (support, unless it is said) asks for this much of an ended order; the request's id."""
    job = await orders.lock_for_system(tx, HOMESERVICE, order_id)
    wish = actions.Wish(amount_fen=amount_fen, reason=Reason.QUALITY, note="complaint")
    return (await actions.ask_refund(tx, RULES, job, by or By(Role.STAFF, "acc_staff"), wish)).id


async def approve(tx: Tx, refund_id: str) -> None:
    """Finance gives what was asked for."""
    await refunds.approve(tx, LINES, refund_id, by="acc_fay", note="ok")


@dataclass
class Street:
    """A town and its far banks."""

    town: Town
    banks: dict[str, FarBank]
    told: int = 0

    @property
    def db(self) -> Database:
        return self.town.db

    async def run(self) -> int:
        """Everything that is due, and what follows from it."""
        return await self.town.runner.drain()

    async def settle_down(self, *, hours: float = 0) -> None:
        """Let time pass in steps until nothing but a far deadline is left."""
        for _ in range(3):
            self.town.clock.advance(seconds=200)
            await self.run()
        if hours:
            self.town.clock.advance(hours=hours)
            await self.run()

    async def chosen(self, *, fen: int = 100_000, tech: Tech | None = None, **wanted: Any) -> Job:
        """An order whose technician is locked and waits for its money."""
        tech = tech or await self.town.newcomer(work_from_min=0, work_to_min=1440)
        job = await self.town.post(await self.town.customer(fen=fen), **wanted)
        return await self.town.choose(job, await self.town.grab(job, tech))

    async def begin(self, job: Job, channel: str, *, mixed: bool = False) -> str:
        """Begin to pay over a channel; the payment's id. Nothing is asked of the channel before `run`."""
        order_id, customer = job.order.id, job.order.customer_id
        if mixed:
            await self.db.run(points.earn, customer, 1_500, ref=f"gift:{order_id}", reason="test")
            await self.db.run(pay_mixed, order_id, customer, channel)
        else:
            await self.db.run(actions.pay, order_id, customer, channel, open_channels=frozenset(self.banks))
        async with self.db.begin() as tx:
            sql = "SELECT id FROM payments WHERE order_id = $1 AND state = 'created'"
            return str(await tx.fetchval(sql, job.order.id))

    async def ready(self, channel: str, *, mixed: bool = False, **wanted: Any) -> tuple[Job, str]:
        """An order that can be paid at its channel, and the number there."""
        job = await self.chosen(**wanted)
        number = await self.begin(job, channel, mixed=mixed)
        await self.run()
        return job, number

    def news(self, channel: str, number: str, amount_fen: int, *, notify_id: str = "") -> Notification:
        """What the channel would say of a paid trade; a message of its own each time."""
        self.told += 1
        trade = self.banks[channel].told(number, amount_fen)
        return Notification(notify_id=notify_id or f"ntf{self.told}:{number}", nonce=None, trade=trade)

    async def tell(self, channel: str, number: str, amount_fen: int, *, notify_id: str = "") -> Outcome:
        """The channel says that this was paid."""
        return await self.db.run(take, channel, self.news(channel, number, amount_fen, notify_id=notify_id), b"{}")

    async def asked(self, channel: str, number: str) -> int:
        """What its channel was asked for."""
        return (await self.banks[channel].query(number)).amount_fen

    async def paid(self, channel: str = "wallet", **wanted: Any) -> Job:
        """An order paid by this method."""
        if channel == "wallet":
            return await self.town.pay(await self.chosen(**wanted))
        job, number = await self.ready(channel, **wanted)
        await self.banks[channel].pay(number)
        await self.tell(channel, number, await self.asked(channel, number))
        await self.run()
        return await self.town.job(job)

    async def brought(self, *verbs: str, channel: str = "wallet", **wanted: Any) -> tuple[Job, Tech]:
        """An order paid by this method, and brought on by these verbs."""
        tech = await self.town.newcomer(work_from_min=0, work_to_min=1440)
        job = await self.paid(channel, tech=tech, **wanted)
        for verb in verbs:
            job = await self.town._go(job, tech, verb)
        await self.run()
        return job, tech

    async def completed(self, channel: str = "wallet", **wanted: Any) -> tuple[Job, Tech]:
        """An order paid by this method, done and settled."""
        way = ("accept", "depart", "arrive", "start", "end", "confirm_left", "leave")
        return await self.brought(*way, channel=channel, **wanted)

    async def refund(self, job: Job, amount_fen: int | None) -> None:
        """Finance gives this much of an ended order back; None: all."""
        await self.db.run(approve, await self.db.run(ask_refund, job.order.id, amount_fen))


async def build_street(db: Database, clock: ManualClock, *, bank_db: Database | None = None) -> Street:
    """An open street without people on an empty database that has the channels' books."""
    dispatcher = dispatch.Dispatcher(db)
    banks = {name: FarBank(name, bank_db or db) for name in BOTH}
    town = Town(db, clock, dispatcher, worker(db, dispatcher, asking(db, banks)), HomeserviceRules())
    await town.open()
    return Street(town, banks)


@asynccontextmanager
async def street_on(url: str, clock: Clock | None = None, *, pool_size: int = 24) -> AsyncIterator[Street]:
    """A street on a fresh scratch database."""
    clock = clock or ManualClock(MONDAY)
    db = await Database.connect(url, clock=clock, pool_size=pool_size)
    try:
        yield await build_street(db, clock)  # type: ignore[arg-type]  # the harness moves it
    finally:
        await db.close()
