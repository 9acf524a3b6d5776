"""A till: a town of home service, its server for notifications, and a simulator that does what a test tells it.

`await till.pay(job)` begins to pay over a channel, `await till.press("pay")` is the payer, `await till.deliver()` sends
the news that is owed, `await till.run()` does everything that is due.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from chat import cases
from geo.areas.live import LiveAreas
from rest.edge import MACHINE, Machine, ProblemRunner
from rest.edge.serve import around, mount
from rest.lines.homeservice import actions
from rest.lines.homeservice.deadlines import DEADLINES
from rest.lines.homeservice.model import Job
from rest.lines.homeservice.payable import HomeservicePayable
from rest.lines.homeservice.regions import AREAS
from rest.lines.homeservice.routes import ROUTES as HOMESERVICE
from rest.lines.homeservice.subscribers import SUBSCRIBERS as HOMESERVICE_SUBSCRIBERS
from rest.marketing.claims.routes import ROUTES as CLAIMS
from rest.marketing.coupons import DEADLINES as COUPON_DEADLINES
from rest.marketing.coupons.routes import ROUTES as COUPONS
from rest.marketing.membership import DEADLINES as MEMBERSHIP_DEADLINES
from rest.marketing.membership import SUBSCRIBERS as MEMBERSHIP_SUBSCRIBERS
from rest.marketing.membership.routes import ROUTES as MEMBERSHIP
from rest.marketing.points_mall import DEADLINES as MALL_DEADLINES
from rest.marketing.points_mall import SUBSCRIBERS as MALL_SUBSCRIBERS
from rest.marketing.points_mall.routes import ROUTES as MALL
from rest.money import ledger, payments
from rest.money.cashier import PAYABLES, Payables
from rest.money.cashier.finance import ROUTES as FINANCE
from rest.money.cashier.routes import cashier_routes
from rest.money.channels import CHANNELS, Channels, open_channels
from rest.money.channels.jobs import DEADLINES as CHANNEL_DEADLINES
from rest.money.channels.jobs import outside_jobs
from rest.money.channels.routes import ROUTES as CHANNEL
from rest.money.channels.simulator import Identity, Simulator, make_identity, settings_of
from rest.money.channels.subscribers import SUBSCRIBERS
from rest.money.channels.suspense_routes import ROUTES as SUSPENSE
from rest.money.reconciliation import jobs as reconciliation_jobs
from rest.money.reconciliation.routes import ROUTES as RECONCILIATION
from rest.money.shares import RETURNING
from rest.money.shares import jobs as share_jobs
from rest.money.shares.deadlines import DEADLINES as SHARE_DEADLINES
from rest.money.shares.routes import ROUTES as SHARES
from rest.money.topups import DEADLINES as TOPUP_DEADLINES
from rest.money.topups import SUBSCRIBERS as TOPUP_SUBSCRIBERS
from rest.money.topups.routes import ROUTES as TOPUPS
from rest.money.workdays.routes import ROUTES as WORKDAYS
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner, join_subscribers
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.homeservice.conftest import Town, build_town, new_town, town
from tests.live import free_port
from tests.money.serving import KnownPeople

__all__ = ["new_town", "town"]

BOTH = ["wechat", "alipay"]
KINDS = (HomeservicePayable(),)
PEOPLE = {
    "cust1": [],
    "ben": [],
    "fay": ["finance"],
    "sue": ["support"],
    "opal": ["ops"],
    "tech": ["technician"],
}


@pytest.fixture(scope="session")
def identity() -> Iterator[Identity]:
    """Keys for the whole run: making them is slow."""
    with tempfile.TemporaryDirectory(prefix="fieldhub-keys-") as folder:
        yield make_identity(Path(folder))


@pytest.fixture
async def sim(identity: Identity, clock: ManualClock) -> AsyncIterator[Simulator]:
    """A simulator that sends no news by itself."""
    simulator = await Simulator(identity, clock, auto=False).start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def notify_port() -> int:
    return free_port()


@pytest.fixture
def channel_settings(settings: Settings, identity: Identity, sim: Simulator, notify_port: int) -> Settings:
    notify_url = f"http://127.0.0.1:{notify_port}"
    roomy = replace(settings, channel_timeout_ms=3_000, requests_per_minute_max=10**6)
    return settings_of(roomy, identity, url=sim.url, notify_url=notify_url)


@pytest.fixture
async def channels(channel_settings: Settings, clock: ManualClock) -> AsyncIterator[Channels]:
    found = open_channels(channel_settings, clock)
    yield found
    await found.close()


@dataclass
class Till:
    town: Town
    sim: Simulator
    channels: Channels
    client: Client
    session: ClientSession

    @property
    def db(self) -> Database:
        return self.town.db

    @property
    def clock(self) -> ManualClock:
        return self.town.clock

    async def run(self) -> None:
        """Everything that is due, and what follows from it."""
        await self.town.runner.drain()

    async def advance(self, **step: float) -> None:
        self.clock.advance(**step)
        await self.town.fresh()
        await self.run()

    # Paying

    async def chosen(self, *, fen: int = 0) -> Job:
        """An order whose technician is locked and waits for its money; its customer has an empty wallet."""
        tech = await self.town.technician()
        job = await self.town.post(await self.town.customer(fen=fen))
        return await self.town.choose(job, await self.town.grab(job, tech))

    async def begin(self, job: Job, channel: str, *, payer: str | None = None) -> str:
        """Begin to pay; the payment's id. Nothing is asked of the channel before `run`."""
        await self.town.by_customer(pay_over(channel, payer), job)
        sql = "SELECT id FROM payments WHERE order_id = $1 AND state = 'created'"
        return str(await self.value(sql, job.order.id))

    async def ready(self, channel: str) -> tuple[Job, str]:
        """An order that can be paid at its channel, and the number there."""
        job = await self.chosen()
        payment_id = await self.begin(job, channel)
        await self.run()
        return job, payment_id

    # The simulator, over its control endpoint

    async def control(self, method: str, path: str, **body: Any) -> Any:
        async with self.session.request(method, f"{self.sim.url}/control/{path}", json=body or None) as answer:
            return await answer.json()

    async def press(self, number: str, verb: str = "pay", channel: str = "wechat", **body: Any) -> Any:
        return await self.control("POST", f"trades/{channel}/{number}/{verb}", **body)

    async def owed(self) -> list[int]:
        return [news["id"] for news in await self.control("GET", "news") if not news["is_taken"]]

    async def deliver(self, *ids: int, fault: str | None = None) -> list[int]:
        """Send these notifications in this order, or all that are owed; the answers' statuses."""
        wanted = [{"id": one, "fault": fault} for one in ids or await self.owed()]
        return list(await self.control("POST", "deliver", news=wanted))

    async def trade(self, number: str) -> Any:
        return next(one for one in await self.control("GET", "trades") if one["number"] == number)

    # Looking

    async def status(self, job: Job) -> str:
        return await self.town.status(job)

    async def states(self, job: Job) -> list[str]:
        async with self.db.begin() as tx:
            return [payment.state.value for payment in await payments.of_order(tx, job.order.id)]

    async def attempt(self, payment_id: str) -> str:
        return str(await self.value("SELECT state FROM channel_attempts WHERE payment_id = $1", payment_id))

    async def outcomes(self) -> list[str]:
        """Of all news so far, by the alphabet: the clock stands still, so ids say nothing of order."""
        async with self.db.begin() as tx:
            return [row["outcome"] for row in await tx.fetch("SELECT outcome FROM channel_news ORDER BY outcome")]

    async def value(self, sql: str, *args: Any) -> Any:
        async with self.db.begin() as tx:
            return await tx.fetchval(sql, *args)

    async def balances(self, channel: str = "wechat") -> tuple[int, int, int]:
        """What the channel owes us (negative), what is on its way back, what is in suspense."""
        async with self.db.begin() as tx:
            assert await ledger.verify(tx) == []
            codes = (ledger.clearing(channel), ledger.refunding(channel), ledger.suspense(channel))
            clearing, refunding, suspense = [await ledger.balance(tx, code) for code in codes]
        return clearing, refunding, suspense


def pay_over(channel: str, payer: str | None = None) -> Any:
    async def verb(tx: Any, order_id: str, account_id: str) -> Job:
        return await actions.pay(tx, order_id, account_id, channel, payer=payer, open_channels=frozenset(BOTH))

    return verb


@pytest.fixture
async def till(  # noqa: PLR0917 - fixtures
    db: Database, clock: ManualClock, channel_settings: Settings, sim: Simulator, channels: Channels, notify_port: int
) -> AsyncIterator[Till]:
    from rest.lines.homeservice.rules import HomeserviceRules

    place = await build_town(db, clock, channel_settings, HomeserviceRules())
    place.runner = JobRunner(
        db,
        channel_settings,
        {
            **place.dispatcher.handlers(),
            **DEADLINES,
            **SHARE_DEADLINES,
            **cases.DEADLINES,
            **TOPUP_DEADLINES,
            **MALL_DEADLINES,
            **MEMBERSHIP_DEADLINES,
            **COUPON_DEADLINES,
            **CHANNEL_DEADLINES,
        },
        outside={
            **outside_jobs(db, channels, RETURNING),
            **share_jobs.outside_jobs(db, channels, channel_settings),
            **reconciliation_jobs.outside_jobs(db, channels, channel_settings),
        },
        subscribers=join_subscribers(
            HOMESERVICE_SUBSCRIBERS, SUBSCRIBERS, TOPUP_SUBSCRIBERS, MALL_SUBSCRIBERS, MEMBERSHIP_SUBSCRIBERS
        ),
    )
    app = web.Application(middlewares=[around], client_max_size=channel_settings.request_bytes_max)
    app[MACHINE] = Machine(db, channel_settings, KnownPeople(db, PEOPLE))
    app[AREAS] = LiveAreas(db)
    app[CHANNELS] = channels
    app[PAYABLES] = Payables(KINDS)
    money = [*CHANNEL, *cashier_routes(KINDS), *FINANCE, *TOPUPS, *SUSPENSE, *RECONCILIATION, *SHARES, *WORKDAYS]
    mount(app, [*HOMESERVICE, *COUPONS, *CLAIMS, *MALL, *MEMBERSHIP, *money])
    runner = ProblemRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", notify_port).start()
    try:
        async with ClientSession() as session:
            client = Client(f"http://127.0.0.1:{notify_port}", session, None)
            yield Till(place, sim, channels, client, session)
    finally:
        await runner.cleanup()
