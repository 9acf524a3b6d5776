"""Many payments over both channels, told about as channels really tell: each fen is booked once.

    python -m tests.money.storm --payments 20000 [--seed 1]

Orders are made by verbs; everything of the channels goes over real HTTP: our questions to the simulator, and its signed
news to `/v1/notify`, one to eight times each, in any order, some of them hours late, 5 % with a changed body, 1 % with
the wrong signatures channels send as probes. One order in eight is paid over both channels at once, one in eight at the
last second. A worker runs beside it. In the end the book is held against the banks' own: what they have and have not
given back is what orders keep, to the fen, and every invariant holds. The time to an acknowledgement is measured by the
sender, signing included.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from rest.edge import MACHINE, Machine, ProblemRunner
from rest.edge.serve import around, mount
from rest.lines.homeservice import actions
from rest.lines.homeservice.model import Job
from rest.money import ledger
from rest.money.channels import CHANNELS, Channels, open_channels
from rest.money.channels.jobs import outside_jobs
from rest.money.channels.routes import ROUTES
from rest.money.channels.simulator import Identity, Simulator, make_identity, settings_of
from storage import engines
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conftest import MONDAY
from tests.live import free_port
from tests.money import invariants
from tests.money.serving import KnownPeople
from tests.money.street import BOTH, SETTINGS, Street, build_street, scratch, worker

WAVE = 96
COURIERS = 16
REPEATS_MAX = 8
CORRUPT, PROBE, DELAYED, RACING, LAST_SECOND = 0.05, 0.01, 0.15, 0.125, 0.125
IDLE_TIMEOUT_S = 120
UNANSWERED = 0
"""What the simulator says of news that nobody took within a channel's patience."""


@dataclass
class Weather:
    """What happened."""

    orders: int = 0
    payments: int = 0
    given_back: int = 0
    unanswered: int = 0
    spoilt: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    waits_ms: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    took_s: float = 0

    def figures(self) -> dict[str, Any]:
        waits = sorted(self.waits_ms)
        return {
            "orders": self.orders,
            "payments": self.payments,
            "given back: too late, or paid twice over two channels": self.given_back,
            "notifications": len(waits),
            **{f"of them {name}": count for name, count in sorted(self.spoilt.items())},
            "acknowledged after, median ms": round(waits[len(waits) // 2], 1),
            "p99 ms": round(waits[int(len(waits) * 0.99)], 1),
            "worst ms": round(waits[-1], 1),
            "not answered in time, and told again": self.unanswered,
            "seconds": round(self.took_s),
            "wrong": len(self.wrong),
        }


class Storm:
    """One run of it."""

    def __init__(self, street: Street, sim: Simulator, channels: Channels, seed: int) -> None:
        self.street, self.sim, self.dice = street, sim, random.Random(seed)
        self.seen = Weather()
        self.runner: JobRunner = worker(street.db, street.town.dispatcher, outside_jobs(street.db, channels))

    async def blow(self, payments: int) -> Weather:
        began, stop = time.monotonic(), asyncio.Event()
        work = asyncio.create_task(self.runner.run(stop))
        try:
            while self.seen.payments < payments:
                await self._wave(min(WAVE, payments - self.seen.payments))
        finally:
            stop.set()
            await work
        self.seen.took_s = time.monotonic() - began
        self.seen.wrong = await self._judge() + self.seen.wrong
        return self.seen

    async def _wave(self, size: int) -> None:
        """Some orders from the choice of a technician to rest."""
        jobs = await _at_once([self._order for _ in range(size)])
        await self._idle()
        trades = [trade for trade in self.sim.bank.trades.values() if trade.state == "waiting"]
        last = {trade.number for trade in trades if self.dice.random() < LAST_SECOND}
        for trade in trades:
            if trade.number not in last:
                self.sim.bank.pay(trade)
        calls = self._calls()
        self.dice.shuffle(calls)
        cut = int(len(calls) * (1 - DELAYED))
        await self._carry(calls[:cut])
        await self._idle()
        self.street.town.clock.advance(seconds=179)
        for trade in trades:
            if trade.number in last and self.sim.bank.find(trade.channel, trade.number).state == "waiting":  # type: ignore[union-attr]
                self.sim.bank.pay(trade)
        self.street.town.clock.advance(seconds=self.dice.choice([2, 60, 3_600, 90_000]))
        owed = [(news.id, None) for news in self.sim.bank.news.values() if not news.is_taken]
        await self._carry([*calls[cut:], *owed])
        await self._idle()
        self.street.town.clock.advance(seconds=600)
        await self._idle()
        self.seen.orders += len(jobs)
        paid = [trade for trade in self.sim.bank.trades.values() if trade.paid_fen]
        self.seen.payments, self.seen.given_back = len(paid), sum(trade.refunded_fen > 0 for trade in paid)
        self.sim.bank.news.clear()

    async def _order(self) -> Job:
        """An order that can be paid over one channel, or over both, the second begun while the first is paid."""
        street = self.street
        job = await street.chosen(fen=0, in_h=48)
        channels = self.dice.sample(BOTH, 2 if self.dice.random() < RACING else 1)
        for n, channel in enumerate(channels):
            if n:
                await self._until_ready(job)
            await street.db.run(
                actions.pay, job.order.id, job.order.customer_id, channel, open_channels=frozenset(BOTH)
            )
        return job

    async def _until_ready(self, job: Job) -> None:
        while not await self._ask(
            "SELECT count(*) FROM channel_attempts WHERE order_id = $1 AND state = 'ready'", job.order.id
        ):
            await asyncio.sleep(0.01)
        for trade in list(self.sim.bank.trades.values()):
            if trade.state == "waiting" and await self._ask(
                "SELECT count(*) FROM payments WHERE id = $1 AND order_id = $2", trade.number, job.order.id
            ):
                self.sim.bank.pay(trade)  # he pays there, and begins to pay again elsewhere

    def _calls(self) -> list[tuple[int, str | None]]:
        """Every piece of news one to eight times, some of them spoilt; each comes whole at least once in the end."""
        calls: list[tuple[int, str | None]] = []
        for news in self.sim.bank.news.values():
            for _ in range(self.dice.randint(1, REPEATS_MAX)):
                luck = self.dice.random()
                calls.append((news.id, "corrupt" if luck < CORRUPT else "probe" if luck < CORRUPT + PROBE else None))
        return calls

    async def _carry(self, calls: Sequence[tuple[int, str | None]]) -> None:
        async def courier(mine: Iterable[tuple[int, str | None]]) -> None:
            for news_id, fault in mine:
                status = await self._tell(news_id, fault)
                self.seen.statuses[status] += 1
                self.seen.spoilt[fault or "whole"] += 1
                if (status in {200, 204}) != (fault is None):
                    self.seen.wrong.append(f"news {news_id}, {fault or 'whole'}, was answered {status}")

        await asyncio.gather(*(courier(calls[n::COURIERS]) for n in range(COURIERS)))

    async def _tell(self, news_id: int, fault: str | None) -> int:
        """Until it is answered: whoever is not answered in time tells again."""
        while True:
            began = time.perf_counter()
            status = await self.sim.tell(self.sim.bank.news[news_id], fault)
            self.seen.waits_ms.append((time.perf_counter() - began) * 1_000)
            if status != UNANSWERED:
                return status
            self.seen.unanswered += 1

    async def _idle(self) -> None:
        """Wait until the worker has done what is due."""
        gives_up = time.monotonic() + IDLE_TIMEOUT_S
        sql = "SELECT count(*) FROM jobs WHERE due_at <= $1 AND parked_at IS NULL"
        while await self._ask(sql, self.street.db.clock.now()):
            if time.monotonic() > gives_up:
                raise TimeoutError("the worker does not come to rest")
            await asyncio.sleep(0.02)

    async def _ask(self, sql: str, *args: Any) -> Any:
        async with self.street.db.look() as tx:
            return await tx.fetchval(sql, *args)

    async def _judge(self) -> list[str]:
        """The book against the banks' own, and everything else."""
        wrong = await invariants.violations(self.street.db, rest=True)
        for channel in BOTH:
            trades = [trade for trade in self.sim.bank.trades.values() if trade.channel == channel]
            theirs = sum(trade.paid_fen for trade in trades) - sum(trade.refunded_fen for trade in trades)
            async with self.street.db.begin() as tx:
                ours = -await ledger.balance(tx, ledger.clearing(channel))
                waits = await ledger.balance(tx, ledger.refunding(channel))
                parked = await ledger.balance(tx, ledger.suspense(channel))
            if (ours, waits, parked) != (theirs, 0, 0):
                wrong.append(f"{channel} has {theirs}, we say {ours}, {waits} on the way back, {parked} in suspense")
            lost = [trade.number for trade in trades if trade.paid_fen and not await self._is_told(trade.number)]
            wrong += [f"{channel} was paid {number}, of which nobody knows" for number in lost]
        kept = await self._ask("SELECT coalesce(sum(paid_fen - refunded_fen), 0)::bigint FROM orders")
        escrows = await self._ask(
            "SELECT coalesce(sum(balance_fen), 0)::bigint FROM ledger_accounts WHERE kind = 'order_escrow'"
        )
        return wrong if kept == escrows else [*wrong, f"orders keep {kept}, escrows {escrows}"]

    async def _is_told(self, number: str) -> bool:
        return bool(await self._ask("SELECT count(*) FROM payments WHERE id = $1 AND paid_at IS NOT NULL", number))


async def _at_once(works: Sequence[Callable[[], Awaitable[Job]]], *, clients: int = 8) -> list[Job]:
    """All of them, a few at a time."""
    done: list[Job] = []

    async def client(mine: Sequence[Callable[[], Awaitable[Job]]]) -> None:
        done.extend([await work() for work in mine])

    await asyncio.gather(*(client(works[n::clients]) for n in range(clients)))
    return done


@asynccontextmanager
async def storm(url: str, identity: Identity, seed: int) -> AsyncIterator[Storm]:
    """A street whose channels are the simulator's, with its server for notifications."""
    clock, port = ManualClock(MONDAY), free_port()
    db = await Database.connect(url, clock=clock, pool_size=24)
    sim = await Simulator(identity, clock, auto=False).start()
    settings = _settings(identity, sim, port)
    channels = open_channels(settings, clock)
    app = web.Application(middlewares=[around], client_max_size=settings.request_bytes_max)
    app[MACHINE] = Machine(db, settings, KnownPeople(db, {}))
    app[CHANNELS] = channels
    mount(app, ROUTES)
    server = ProblemRunner(app)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", port).start()
    try:
        yield Storm(await build_street(db, clock), sim, channels, seed)
    finally:
        await server.cleanup()
        await channels.close()
        await sim.stop()
        await db.close()


def _settings(identity: Identity, sim: Simulator, port: int) -> Settings:
    roomy = replace(SETTINGS, channel_timeout_ms=10_000, requests_per_minute_max=10**9)
    return settings_of(roomy, identity, url=sim.url, notify_url=f"http://127.0.0.1:{port}")


async def run(server: str, identity: Identity, *, payments: int, seed: int) -> Weather:
    async with scratch(server, "storm") as url, storm(url, identity, seed) as here:
        return await here.blow(payments)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.money.storm", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="fieldhub-storm-"))
    postgres = engines.start_postgres(folder, durable=False)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seen = runner.run(
                run(postgres.url, make_identity(folder), payments=arguments.payments, seed=arguments.seed)
            )
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in seen.figures().items():
        print(f"{name}: {value:,}")
    for fault in seen.wrong[:20]:
        print(f"  {fault}")
    return 1 if seen.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
