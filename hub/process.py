"""One process on one screen: what it builds, starts, answers for and takes down in the reverse order.

The roles decide which parts there are: `hub` holds sockets, `rest` answers HTTP, `worker` relays, fires deadlines and
dispatches. All of them answer /health and /metrics, but for the parent of several hubs, which has no port.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from chat.cases.deadlines import DEADLINES as CASE_DEADLINES
from chat.desk import DEADLINES as DESK_DEADLINES
from chat.desk import SUBSCRIBERS as DESK_SUBSCRIBERS
from dispatch.dispatcher import Position
from geo.history import UPKEEP_KIND, HistoryWriter, keep_history
from geo.lastknown import LastKnown, load_positions
from hub.bus import Bus
from hub.drain import drain
from hub.health import Check, Health
from hub.loops import forever
from hub.ports import PositionSink
from hub.server import Hub
from hub.supervisor import Supervisor
from hub.transport.front import listen, tls_context
from hub.transport.options import HubOptions
from hub.wiring import hub_ports
from hub.worker import Worker, position_of
from rest.app import begin_housekeeping, build_app
from rest.edge import MACHINE
from rest.edge import deadlines as edge_deadlines
from rest.edge.runner import ProblemRunner
from rest.lines.homeservice import demo
from rest.lines.homeservice.deadlines import DEADLINES as HOMESERVICE_DEADLINES
from rest.lines.homeservice.regions import AREAS
from rest.lines.homeservice.subscribers import SUBSCRIBERS as HOMESERVICE_SUBSCRIBERS
from rest.marketing.coupons import DEADLINES as COUPON_DEADLINES
from rest.marketing.membership import DEADLINES as MEMBERSHIP_DEADLINES
from rest.marketing.membership import SUBSCRIBERS as MEMBERSHIP_SUBSCRIBERS
from rest.marketing.points_mall import DEADLINES as MALL_DEADLINES
from rest.marketing.points_mall import SUBSCRIBERS as MALL_SUBSCRIBERS
from rest.marketing.rewards import DEADLINES as REWARD_DEADLINES
from rest.marketing.rewards import SUBSCRIBERS as REWARD_SUBSCRIBERS
from rest.money.channels import CHANNELS
from rest.money.channels import jobs as channel_jobs
from rest.money.channels.simulator import FOLDER, Simulator, make_identity
from rest.money.channels.subscribers import SUBSCRIBERS as CHANNEL_SUBSCRIBERS
from rest.money.invoices import INVOICING
from rest.money.invoices import jobs as invoice_jobs
from rest.money.ledger import deadlines as ledger_deadlines
from rest.money.points import DEADLINES as POINTS_DEADLINES
from rest.money.reconciliation import jobs as reconciliation_jobs
from rest.money.refunds.deadlines import DEADLINES as REFUND_DEADLINES
from rest.money.settlement.deadlines import DEADLINES as SETTLEMENT_DEADLINES
from rest.money.shares import RETURNING
from rest.money.shares import jobs as share_jobs
from rest.money.shares.deadlines import DEADLINES as SHARE_DEADLINES
from rest.money.topups import DEADLINES as TOPUP_DEADLINES
from rest.money.topups import SUBSCRIBERS as TOPUP_SUBSCRIBERS
from rest.money.transfers import DEADLINES as TRANSFER_DEADLINES
from rest.money.withdrawals import jobs as withdrawal_jobs
from rest.money.withdrawals.payouts import ManualPayouts
from rest.papers.exports import EXPORTS
from rest.people import jobs as people_jobs
from rest.people.auth import Keys
from rest.people.files import jobs as file_jobs
from rest.people.wiring import GATE
from rest.reach import Listener, Senders, bulk_jobs, code_sender, open_senders
from rest.reach import deadlines as notice_deadlines
from rest.reach import outside_jobs as notice_jobs
from rest.reach.simulator import NoticeSimulator
from rest.reach.simulator import make_identity as make_notice_identity
from rest.trade.billing import SUBSCRIBERS as BILLING_SUBSCRIBERS
from storage import migrate
from storage import redis as redis_store
from storage.base.log import log
from storage.base.settings import Settings
from storage.jobs import Handler, JobRunner, Subscribers, join_subscribers, subscribe
from storage.postgres import Database

DEADLINES: Mapping[str, Handler] = {
    **CASE_DEADLINES,
    **DESK_DEADLINES,
    **COUPON_DEADLINES,
    **HOMESERVICE_DEADLINES,
    **SETTLEMENT_DEADLINES,
    **SHARE_DEADLINES,  # maturing is theirs: parts may go to receivers
    **TRANSFER_DEADLINES,
    **REFUND_DEADLINES,
    **POINTS_DEADLINES,
    **TOPUP_DEADLINES,
    **REWARD_DEADLINES,
    **MALL_DEADLINES,
    **MEMBERSHIP_DEADLINES,
    **edge_deadlines.DEADLINES,
    **people_jobs.DEADLINES,
    **ledger_deadlines.DEADLINES,
    **channel_jobs.DEADLINES,
    **file_jobs.DEADLINES,
    UPKEEP_KIND: keep_history,
}
"""Every kind of deadline but those of dispatch, which need the live index and come with the dispatcher."""

GC_THRESHOLDS = (20_000, 20, 50)
"""Requests make little garbage in cycles; a young collection every 20,000 new objects keeps pauses rare and short."""

SUBSCRIBERS: Subscribers = join_subscribers(
    HOMESERVICE_SUBSCRIBERS,
    CHANNEL_SUBSCRIBERS,
    TOPUP_SUBSCRIBERS,
    REWARD_SUBSCRIBERS,
    MALL_SUBSCRIBERS,
    MEMBERSHIP_SUBSCRIBERS,
    BILLING_SUBSCRIBERS,
    DESK_SUBSCRIBERS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a process does. `hubs`: how many share its port, 0 when it has the port for itself.

    `simulator_port`, `notices_port`: where it runs the simulators of payment channels and of notifications, 0: nowhere.
    """

    roles: frozenset[str]
    hubs: int = 0
    listens: bool = True
    simulator_port: int = 0
    notices_port: int = 0


async def run_process(
    settings: Settings,
    part: Part,
    arm: Callable[[Supervisor | None], asyncio.Event],
    *,
    banner: Callable[[list[str]], None],
    supervisor: Supervisor | None = None,
) -> bool:
    """Run until the event of `arm` is set, with the children of `supervisor` if there is one; whether that was why.

    The URLs of both engines are in the settings.
    """
    stop = arm(supervisor)
    await migrate.migrate(settings.database_url)
    if settings.dev and "worker" in part.roles:
        await _seed(settings)
    async with contextlib.AsyncExitStack() as stack:
        process = Process(settings, part, await _database(settings, stack), await _redis(settings, stack))
        await process.start()
        if supervisor:
            await process.supervise(supervisor)
        roles = part.roles | {"hub", "rest"} if supervisor else part.roles
        banner(_lines(settings, roles, part))
        is_whole = await process.until(stop)
        if supervisor:
            process.quieten()
            await supervisor.stop()
        await process.stop()
    return is_whole


async def _database(settings: Settings, stack: contextlib.AsyncExitStack) -> Database:
    db = await Database.connect(
        settings.database_url,
        pool_size=settings.db_pool_size,
        open_at_once=settings.db_pool_size,
        statement_timeout=settings.db_statement_timeout_ms,
        lock_timeout=settings.db_lock_timeout_ms,
    )
    stack.push_async_callback(db.close)
    return db


async def _redis(settings: Settings, stack: contextlib.AsyncExitStack) -> Any:  # noqa: ANN401 - redis-py's generics
    client = redis_store.connect(settings.redis_url)
    stack.push_async_callback(client.aclose)
    return client


async def _seed(settings: Settings) -> None:
    """The demo town, on the first start; statistics after it, since plans made on empty tables stay bad."""
    db = await Database.connect(settings.database_url, pool_size=2)
    try:
        if await db.run(demo.seed):
            async with db.pool.acquire() as connection:
                await connection.execute("ANALYZE")
            log("demo.seeded")
    finally:
        await db.close()


class Process:
    """The parts of one process and their life."""

    def __init__(self, settings: Settings, part: Part, db: Database, redis: Any) -> None:  # noqa: ANN401
        self._settings, self._part, self._db, self._redis = settings, part, db, redis
        self._node = secrets.token_hex(4)
        subscribe(db, SUBSCRIBERS)  # also where no worker runs: the jobs are for one elsewhere
        self._app = build_app(db, settings)
        self._quiet = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._senders: Senders | None = None
        self._listener: Listener | None = None
        self._last_known = LastKnown(redis, ttl_s=settings.position_ttl_s, flush_ms=settings.position_flush_ms)
        self._history = HistoryWriter(db, flush_ms=settings.history_flush_ms)
        self._sinks: list[PositionSink] = [self._last_known]
        self._hub = self._build_hub() if "hub" in part.roles else None
        self._bus = self._hub.bus if self._hub else Bus(redis, db.clock, settings.secret)
        self._worker = self._build_worker() if "worker" in part.roles else None
        self._health = Health(self._checks(), node=self._node, roles=part.roles)
        self._health.attach_to(self._app)
        self._runner = ProblemRunner(self._app, handle_signals=False)
        self._server: asyncio.Server | None = None
        self._simulator: Simulator | None = None
        self._notices: NoticeSimulator | None = None

    def _build_hub(self) -> Hub:
        ports = hub_ports(
            self._db, self._app[GATE], sinks=self._sinks, history=self._history, area_of=self._app[AREAS].code_at
        )
        # The polls of one session must all reach one process, and of several the kernel picks any.
        options = HubOptions(node=self._node, polling=self._part.hubs <= 1)
        hub = Hub(self._db, self._redis, self._settings, ports, options=options, address_of=self._app[MACHINE].address)
        hub.attach_to(self._app)
        return hub

    def _build_worker(self) -> Worker:
        self._senders = senders = open_senders(self._settings, self._db.clock)
        self._listener = Listener(self._db, senders.terms)
        # Its own hands: providers that hang must not keep deadlines waiting.
        sending = JobRunner(self._db, self._settings, {}, outside=notice_jobs(self._db, senders), is_poked=False)
        # And another for what goes to many: an offer must not wait behind a broadcast.
        bulk = JobRunner(self._db, self._settings, {}, outside=bulk_jobs(self._db, senders), is_poked=False)
        sender = code_sender(self._settings, senders, self._db.clock)  # in dev mode nothing is ever sent
        outside = {
            **people_jobs.outside_jobs(Keys(self._settings.secret), sender, self._db.clock),
            **channel_jobs.outside_jobs(self._db, self._app[CHANNELS], RETURNING),
            **share_jobs.outside_jobs(self._db, self._app[CHANNELS], self._settings),
            **reconciliation_jobs.outside_jobs(self._db, self._app[CHANNELS], self._settings),
            **withdrawal_jobs.outside_jobs(self._db, ManualPayouts()),
            **self._app[EXPORTS].outside_jobs(),
            **invoice_jobs.outside_jobs(self._db, self._app[INVOICING]),
        }
        deadlines = {**DEADLINES, **notice_deadlines(senders.terms)}
        worker = Worker(
            self._db, self._settings, self._bus, deadlines=deadlines, outside=outside, subscribers=SUBSCRIBERS,
            beside=(sending, bulk),
        )  # fmt: skip
        if self._hub:
            worker.tell_also(self._hub.follower)
            self._sinks.append(worker)
        return worker

    # Start

    async def start(self) -> None:
        """Take places in the feed, rebuild the index, run everything, and only then listen."""
        if self._part.simulator_port:
            identity = make_identity(self._settings.data_path / FOLDER)
            self._simulator = Simulator(identity, self._db.clock, auto=True)
            await self._simulator.start(self._part.simulator_port)
        if self._part.notices_port:
            identity_of_notices = make_notice_identity(self._settings.data_path / FOLDER)
            self._notices = NoticeSimulator(identity_of_notices, self._db.clock)
            await self._notices.start(self._part.notices_port)
        if self._hub:
            await self._hub.start()
            self._go("hub", self._hub.run())
            self._go("last_known", self._last_known.run(self._quiet))
            self._go("history", self._history.run(self._quiet))
        if self._worker:
            await self._worker.start(await self._positions_in_redis())
            await self._db.run(begin_housekeeping, self._settings)
            await self._db.run(keep_history, {"keep_days": self._settings.history_keep_days})
            self._go("worker", self._worker.run(self._quiet))
            if self._listener:
                self._go("notices", forever("notices.failed", self._listener.step))
            if not self._hub:
                self._go("bus", self._bus.run())
        if self._part.listens:
            await self._listen()
        _calm_collector()
        log("process.started", roles=sorted(self._part.roles), node=self._node, port=self._settings.port)

    async def _listen(self) -> None:
        await self._runner.setup()
        http, engine = self._runner.server, self._hub.emitter.engine if self._hub else None
        assert http is not None  # noqa: S101 - set up just now
        settings = self._settings
        tls = tls_context(settings.tls_certificate, settings.tls_key)
        self._server = await listen(http, engine, settings.host, settings.port, tls=tls)

    async def supervise(self, supervisor: Supervisor) -> None:
        """Start the hubs of this port and go on with them."""
        await supervisor.start()
        self._go("hubs", supervisor.run())

    async def _positions_in_redis(self) -> list[Position]:
        """Newer than the record by up to one flush; an empty or absent Redis only means fewer."""
        try:
            known = await load_positions(self._redis)
        except (RedisError, OSError) as problem:
            log("last_known.not_read", level="warning", error=problem)
            return []
        return [position_of(worker_id, fix) for worker_id, fix in known.items()]

    def _go(self, name: str, work: Any) -> None:  # noqa: ANN401 - a coroutine
        self._tasks.append(asyncio.create_task(work, name=name))

    async def until(self, stop: asyncio.Event) -> bool:
        """Wait for the signal, or for a part that died: half a process helps nobody. Whether all live."""
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in self._tasks:
            if task.done():
                log("process.part_died", level="error", part=task.get_name(), error=task.exception())
        return not any(task.done() for task in self._tasks)

    # Stop

    def quieten(self) -> None:
        """Take no new jobs; those in hand end."""
        self._quiet.set()

    async def stop(self) -> None:
        """Leave the balancer, let sockets move, finish requests and jobs, stop the rest."""
        self._health.is_leaving = True
        if self._part.hubs and self._server is not None:
            self._server.close()  # others listen on this port: they shall get the clients we send away
        if self._hub:
            await drain(self._hub, self._settings.drain_s / 2)
        if self._server is not None:
            self._server.close()
        if self._hub:
            await self._hub.emitter.finish()
        await self._runner.cleanup()
        self._quiet.set()
        if self._worker:
            await self._worker.finished()
        await self._app[CHANNELS].close()
        await self._app[EXPORTS].close()
        if self._senders:
            await self._senders.close()
        if self._simulator:
            await self._simulator.stop()
        if self._notices:
            await self._notices.stop()
        await self._last_known.flush()
        await self._history.flush()
        for task in reversed(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Health

    def _checks(self) -> Mapping[str, Check]:
        checks = {"postgres": self._postgres_answers, "redis": self._redis_answers, "tasks": self._goes_on}
        return checks | {"bus": self._bus_hears} if self._part.roles & {"hub", "worker"} else checks

    async def _bus_hears(self) -> None:
        if self._bus.is_deaf:
            raise RuntimeError("words of other processes do not arrive")

    async def _postgres_answers(self) -> None:
        async with self._db.pool.acquire() as connection:
            await connection.execute("SELECT 1")

    async def _redis_answers(self) -> None:
        await self._redis.ping()

    async def _goes_on(self) -> None:
        if any(task.done() for task in self._tasks):
            raise RuntimeError("a part has died")


def _calm_collector() -> None:
    """What start-up made lives as long as the process; looking through it again and again only makes pauses."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _lines(settings: Settings, roles: frozenset[str], part: Part) -> list[str]:
    address = f"http{'s' if settings.tls_certificate else ''}://{settings.host}:{settings.port}"
    lines = ["", f"fieldhub is ready on {address}  ({' + '.join(sorted(roles))})"]
    if "rest" in roles:
        pages = {"map": "/map", "desk": "/desk", "help": "/help", "REST": "/docs", "sockets": "/asyncapi.json"}
        lines += [f"  {name:<10}{address}{path}" for name, path in pages.items()]
    if part.simulator_port:
        lines += [
            f"  cashier   http://127.0.0.1:{part.simulator_port}/  (simulates WeChat Pay and Alipay: press pay there)"
        ]
    if part.notices_port:
        lines += [f"  phones    http://127.0.0.1:{part.notices_port}/  (shows what phones would have been sent)"]
    if settings.dev and "worker" in roles:
        lines += ["", "  demo sign-ins (dev mode: the code is in the answer and filled in by the page)"]
        lines += [f"    customer    {demo.customer_phone(1)}", f"    technician  {demo.technician_phone(1)}"]
        lines += [f"    {role:<12}{phone}" for phone, role in demo.STAFF.items()]
    return [*lines, ""]
