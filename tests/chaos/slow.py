"""Slow readers: one in ten clients does not read, and the hub's memory and everybody else's delays must not show it.

`python -m tests.chaos.slow --minutes 3` starts PostgreSQL, Redis, a worker and one hub. All clients have the operations
map open, so every fact and every batch of live positions goes to all of them. Phases alternate: everybody reads (A),
sleepers nap (B). A sleeper that wakes must have been closed as `slow`, and must find everything when it resumes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import uvloop

from storage.base.facts import Fact
from storage.postgres import Database
from tests.chaos.figures import quantile, show
from tests.chaos.town import Town
from tests.chaos.viewer import BIN_MS, PATIENCE_S, TOPIC, Viewer
from tests.chaos.wire import Wire

AUDIENCE = "desk"
SLOW_METRIC = 'fieldhub_socket_closed_total{code="slow"}'
BYTES_EACH = 1 << 20
"""What a sleeper may cost the hub."""

WAKE_EVERY_S = 0.03
"""Between phases sleepers wake one after the other: what is measured is sleeping, not coming back."""

SLOWER_MAX = 1.2
"""Delay of the healthy beside sleepers, against phases without."""


class Broadcast(Fact, frozen=True):
    """For everybody at a desk."""

    topic: ClassVar[str] = TOPIC
    n: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run."""

    clients: int = 500
    sleepers: int = 50
    movers: int = 20
    facts_per_s: float = 20.0
    fact_bytes: int = 1_000
    phases: str = "ABABABAB"
    phase_s: float = 22.5
    warm_s: float = 3.0  # at the start of each phase nothing is measured


@dataclass(slots=True)
class Phase:
    """What one phase measured."""

    kind: str
    delays: Counter[int] = field(default_factory=Counter)
    rss: list[int] = field(default_factory=list)

    def delay_ms(self, share: float) -> float:
        """The delay that this share of facts stays below."""
        return quantile(self.delays, share) * BIN_MS


class Slow:
    """One run in a town that stands."""

    def __init__(self, plan: Plan, town: Town, db: Database) -> None:
        self._plan, self._town, self._db = plan, town, db
        self._told_at: dict[int, float] = {}
        self._told = 0
        self._is_over = False
        self.closed = 0
        self._movers: list[Wire] = []
        self.phases: list[Phase] = []
        self.viewers: list[Viewer] = []
        self.sleepers: list[Viewer] = []

    async def run(self) -> None:
        await self._move_in()
        gc.freeze()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell())
            tasks.create_task(self._move())
            for kind in self._plan.phases:
                await self._phase(kind)
            self._is_over = True
        await self._heard_all()
        self.closed = await asyncio.to_thread(closed_as_slow, self._town.urls[0])
        for wire in [*self._movers, *(viewer.wire for viewer in [*self.viewers, *self.sleepers] if viewer.wire)]:
            wire.reset()

    async def _move_in(self) -> None:
        plan, (url,) = self._plan, self._town.urls
        tokens = [row["access_token"] for row in await self._town.accounts(self._db, "ops", plan.clients)]
        self.sleepers = [Viewer(url, token, self._told_at, narrow=True) for token in tokens[: plan.sleepers]]
        self.viewers = [Viewer(url, token, self._told_at) for token in tokens[plan.sleepers :]]
        for viewer in [*self.viewers, *self.sleepers]:
            await viewer.connect()
        for row in await self._town.accounts(self._db, "technician", plan.movers):
            self._movers.append(await Wire.open(url, "/worker", {"token": row["access_token"]}, lambda *_: None))

    async def _tell(self) -> None:
        """Commit facts at an even pace."""
        text = "x" * self._plan.fact_bytes
        began = time.perf_counter()
        while not self._is_over:
            await asyncio.sleep(max(0.0, began + self._told / self._plan.facts_per_s - time.perf_counter()))
            self._told += 1
            self._told_at[self._told] = time.perf_counter()
            async with self._db.begin() as tx:
                tx.tell(Broadcast(n=self._told, text=text), to=[AUDIENCE])

    async def _move(self) -> None:
        """Every mover sends a fix each second."""
        chance, seq = random.Random(1), 0
        while not self._is_over:
            seq += 1
            at_ms = round(time.time() * 1000)
            for mover in self._movers:
                lat, lon = 30.66 + chance.uniform(0, 1e-4), 104.07 + chance.uniform(0, 1e-4)
                mover.send("position", [seq, at_ms, lat, lon, 5.0, 1.0, 90.0])
            await asyncio.sleep(1)

    async def _phase(self, kind: str) -> None:
        phase, last = Phase(kind), asyncio.Event()
        self.phases.append(phase)
        napping = [
            asyncio.create_task(sleeper.nap(last, number * WAKE_EVERY_S))
            for number, sleeper in enumerate(self.sleepers if kind == "B" else ())
        ]
        await asyncio.sleep(self._plan.warm_s)
        for viewer in self.viewers:
            viewer.delays = phase.delays
        ends = time.monotonic() + self._plan.phase_s - self._plan.warm_s
        while time.monotonic() < ends:
            phase.rss.append(rss(self._town.hubs[0].pid))
            await asyncio.sleep(min(1.0, max(0.0, ends - time.monotonic())))
        for viewer in self.viewers:
            viewer.delays = None
        last.set()
        await asyncio.gather(*napping)

    async def _heard_all(self) -> None:
        ends = time.monotonic() + PATIENCE_S
        everybody = [*self.viewers, *self.sleepers]
        while time.monotonic() < ends and any(viewer.n < self._told for viewer in everybody):
            await asyncio.sleep(0.05)

    # What it found

    def broken(self) -> list[str]:
        """Promises that no noise can break."""
        found = []
        for name, viewers in (("reader", self.viewers), ("sleeper", self.sleepers)):
            for number, viewer in enumerate(viewers):
                found += [f"{name} {number}: {what}" for what in viewer.broken]
                if viewer.n != self._told:
                    found.append(f"{name} {number} heard {viewer.n} of {self._told}")
        closed = [
            viewer for viewer in self.viewers if viewer.wire and viewer.tally.total() != viewer.tally["positions"]
        ]
        found += [f"a reader heard {dict(viewer.tally)}" for viewer in closed]
        deaf = sum(not viewer.tally["positions"] for viewer in self.viewers)
        if deaf:
            found.append(f"{deaf} readers heard no positions")
        naps = sum(sleeper.tally["naps"] for sleeper in self.sleepers)
        ended = sum(sleeper.tally["naps that ended the connection"] for sleeper in self.sleepers)
        if not naps == ended == self.closed:
            found.append(f"of {naps} naps {ended} ended the connection; the hub closed {self.closed} as slow")
        grown = max(max(phase.rss) for phase in self.phases) - max(self.phases[0].rss)
        if grown > self._plan.sleepers * BYTES_EACH:
            found.append(f"the hub grew by {grown:,} bytes for {self._plan.sleepers} sleepers")
        return found

    def slower(self) -> float:
        """p99 of healthy readers beside sleepers ÷ without; medians over phases."""
        return self._median_p99("B") / self._median_p99("A")

    def _median_p99(self, kind: str) -> float:
        return statistics.median(phase.delay_ms(0.99) for phase in self.phases if phase.kind == kind)

    def figures(self) -> dict[str, Any]:
        tally: Counter[str] = sum((sleeper.tally for sleeper in self.sleepers), Counter())
        table: dict[str, Any] = {
            "clients / sleepers": f"{self._plan.clients} / {self._plan.sleepers}",
            "facts told to all": self._told,
            "facts heard": sum(viewer.n for viewer in [*self.viewers, *self.sleepers]),
            "naps": tally["naps"],
            "naps that ended the connection": tally["naps that ended the connection"],
            "closed by the hub as `slow`": self.closed,
        }
        for number, phase in enumerate(self.phases, 1):
            series = " ".join(f"{value >> 20}" for value in phase.rss[:: max(1, len(phase.rss) // 8)])
            delays = f"{phase.delay_ms(0.5):.1f} / {phase.delay_ms(0.99):.1f}"
            table[f"{number} {phase.kind}  p50 / p99 ms; RSS MiB"] = f"{delays}; {series}"
        table["p99 with sleepers ÷ without"] = f"{self.slower():.3f}"
        return table


def rss(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def closed_as_slow(url: str) -> int:
    """What the hub counted."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(SLOW_METRIC))


def run(plan: Plan, data_dir: Path) -> Slow:
    """One run with its own engines and processes in `data_dir`."""
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    town = Town(data_dir, hubs=1, durable=False, feed_gap_max="1000000")
    try:
        town.start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(plan, town))
    finally:
        town.close()


async def _run(plan: Plan, town: Town) -> Slow:
    db = await Database.connect(town.postgres.url, pool_size=4)
    try:
        slow = Slow(plan, town, db)
        await slow.run()
        return slow
    finally:
        await asyncio.wait_for(db.close(), 5)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.slow", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=500)
    given = parser.parse_args(argv)
    plan = Plan(clients=given.clients, sleepers=given.clients // 10, phase_s=given.minutes * 60 / len(Plan().phases))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # processes and engines end with this one
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-slow-"))
    try:
        slow = run(plan, data_dir)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    show(slow.figures())
    broken = slow.broken()
    if slow.slower() > SLOWER_MAX:
        broken.append(f"healthy readers were {slow.slower():.2f} times as slow beside sleepers")
    print("\n".join(broken[:40]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
