"""Chaos: facts are committed while everything breaks, and everybody must hear each fact once, in order, and no other.

`python -m tests.chaos.run --facts 200000 --seed 1` starts its own PostgreSQL, Redis, two hubs and a worker; clients are
cut, hubs and the worker killed, paused and rolled, engines killed and paused, on a schedule the seed decides. Prints a
table; the exit code is 1 when any promise was broken, and the journals of those who saw it are in the folder it names.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from storage.postgres import Database
from tests.chaos.figures import quantile, show
from tests.chaos.person import Judge, Person
from tests.chaos.teller import Teller
from tests.chaos.town import Town
from tests.chaos.verdict import Expected, check_client, check_feed, everybody_has_heard, read_feed
from tests.chaos.wire import Wire

PER_S = 1_000
TELLERS = 6
CONNECT_TIMEOUT_S = 30
TO_THE_END_S = 60
"""How long the last fact may take to reach the last client after the last fault."""

GHOSTS_MAX = 400
"""Connections left behind without a word; the oldest is reset when there are more."""

GAP_MAX = 1_000_000
"""Longest replay: with this much no client has a reason to be told to start anew."""

FAULTS: Mapping[str, tuple[float, float, float]] = {
    "hub_killed": (20, 0, 0),
    "worker_killed": (10, 0, 0),
    "hubs_rolled": (4, 0, 0),
    "hub_paused": (5, 1, 5),
    "worker_paused": (5, 1, 5),
    "redis_killed": (10, 0, 2),
    "redis_paused": (6, 1, 7),
    "redis_connections_cut": (6, 0, 0),
    "postgres_paused": (6, 2, 2),
    "postgres_crashed": (4, 0, 1),
    "postgres_connections_cut": (6, 0, 0),
}
"""What happens: how often in a whole run, and for how many seconds, at least and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. Everything that is decided by chance is decided by the seed."""

    facts: int = 200_000
    seed: int = 1
    seconds: float = 0.0
    cuts: int = 10_000
    people: int = 120
    gap_max: int = GAP_MAX
    faults: Mapping[str, float] = field(default_factory=lambda: {kind: often for kind, (often, _, _) in FAULTS.items()})
    drain_s: int = 8

    @property
    def lasts_s(self) -> float:
        return self.seconds or self.facts / PER_S


@dataclass(slots=True)
class Outcome:
    """What a run found."""

    figures: dict[str, Any]
    broken: list[str]
    judges: list[Judge]


class Chaos:
    """One run in a town that stands."""

    def __init__(self, plan: Plan, town: Town, db: Database) -> None:
        self._plan, self._town, self._db = plan, town, db
        self._random = random.Random(plan.seed)
        self._people: list[Person] = []
        self._ghosts: list[Wire] = []
        self._cuts: Counter[str] = Counter()

    async def run(self) -> Outcome:
        """Connect everybody, tell everything under fire, wait for the end, judge."""
        await self._move_in()
        async with asyncio.TaskGroup() as tasks:
            lives = [tasks.create_task(person.run()) for person in self._people]
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                while any(person.judge.since is None for person in self._people):
                    await asyncio.sleep(0.05)
            outcome = await self._judge(await self._under_fire())
            for life in lives:
                life.cancel()
        for ghost in self._ghosts:
            ghost.reset()
        return outcome

    async def _move_in(self) -> None:
        for role, namespace, name in (("technician", "/worker", "worker_id"), ("user", "/customer", "account_id")):
            for row in await self._town.accounts(self._db, role, self._plan.people // 2):
                own = f"{namespace[1:]}:{row[name]}"
                audiences = frozenset({own, f"session:{row['session_id']}"})
                seed = self._random.getrandbits(32)
                self._people.append(Person(namespace, row["access_token"], audiences, self._town.urls, seed=seed))

    async def _under_fire(self) -> list[Teller]:
        plan = self._plan
        tellers = [
            Teller(f"t{n}", self._db, self._people[n::TELLERS], self._random.getrandbits(32)) for n in range(TELLERS)
        ]
        watching = asyncio.create_task(self._town.watch())
        async with asyncio.TaskGroup() as tasks:
            for n, teller in enumerate(tellers):
                facts = plan.facts // TELLERS + (n < plan.facts % TELLERS)
                tasks.create_task(teller.run(facts, facts / plan.lasts_s))
            tasks.create_task(self._cut(random.Random(self._random.getrandbits(32))))
            for at, kind, which, seconds in self._schedule():
                tasks.create_task(self._later(at, kind, which, seconds))
        watching.cancel()
        return tellers

    def _schedule(self) -> list[tuple[float, str, int, float]]:
        """When what happens to whom for how long."""
        found = []
        for kind, often in self._plan.faults.items():
            _, least, most = FAULTS[kind]
            for _ in range(round(often)):
                at = self._random.uniform(0.02, 0.98) * self._plan.lasts_s
                found.append((at, kind, self._random.getrandbits(8), self._random.uniform(least, most)))
        return sorted(found)

    async def _later(self, at: float, kind: str, which: int, seconds: float) -> None:
        await asyncio.sleep(at)
        await self._town.suffer(kind, which, seconds)

    async def _cut(self, chance: random.Random) -> None:
        """Half of the cuts are resets, half leave a connection that nobody reads."""
        every = self._plan.lasts_s / max(1, self._plan.cuts)
        while self._cuts.total() < self._plan.cuts:
            # A steady pace, without making up for outages: who is cut whenever he comes back never hears anything.
            await asyncio.sleep(every)
            person = chance.choice(self._people)
            if chance.random() < 0.5:
                self._cuts["reset"] += person.cut()
            elif (ghost := person.vanish()) is not None:
                self._cuts["silent"] += 1
                self._ghosts.append(ghost)
                if len(self._ghosts) > GHOSTS_MAX:
                    self._ghosts.pop(0).reset()

    async def _judge(self, tellers: list[Teller]) -> Outcome:
        judges = [person.judge for person in self._people]
        told: Counter[str] = sum((teller.numbers for teller in tellers), Counter())
        feed = await read_feed(self._db, seconds=TO_THE_END_S)
        broken = check_feed(feed, told) + self._town.broken
        expected = {judge.name: Expected(feed, judge) for judge in judges}
        began = time.monotonic()
        await everybody_has_heard(expected, judges, seconds=TO_THE_END_S)
        waited_s = time.monotonic() - began
        for judge in judges:
            check_client(judge, expected[judge.name], self._plan.gap_max)
            broken += [f"{judge.name}: {what}" for what in judge.broken]
        return Outcome(self._figures(tellers, judges, waited_s), broken, judges)

    def _figures(self, tellers: list[Teller], judges: list[Judge], waited_s: float) -> dict[str, Any]:
        tally: Counter[str] = sum((judge.tally for judge in judges), Counter())
        delays: Counter[int] = sum((judge.delays_ms for judge in judges), Counter())
        return {
            "facts committed": sum(teller.facts for teller in tellers),
            "commits whose outcome was not known": sum(teller.unsure for teller in tellers),
            "clients": len(judges),
            **{f"cuts, {kind}": count for kind, count in sorted(self._cuts.items())},
            **{kind.replace("_", " "): count for kind, count in sorted(self._town.done.items())},
            "process starts": sum(part.starts for part in self._town.parts),
            **{name: tally[name] for name in TALLIED},
            "commit → heard p50 / p99 / max, ms": " / ".join(
                str(quantile(delays, share)) for share in (0.5, 0.99, 1.0)
            ),
            "longest stall of the clients, s": round(self._town.stall_s, 2),
            "last fact to last client, s": round(waited_s, 1),
            **{f"BROKEN {name}": tally[name] for name in PROMISES},
            "BROKEN by the feed or a process": len(self._town.broken),
        }


SHARES = (0.5, 0.99, 1.0)
TALLIED = (
    "connections", "not connected", "refused", "recovered", "not recovered", "resyncs", "left out", "heard", "repeated",
)  # fmt: skip
PROMISES = (
    "lost", "doubled", "out of order", "foreign", "false ready", "resync without need", "refused for good", "protocol",
)  # fmt: skip


def run(plan: Plan, data_dir: Path) -> Outcome:
    """One run with its own engines and processes in `data_dir`."""
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # that engines go away is the point here
    town = Town(data_dir, feed_gap_max=str(plan.gap_max), drain_s=str(plan.drain_s))
    try:
        town.start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(plan, town))
    finally:
        town.close()


async def _run(plan: Plan, town: Town) -> Outcome:
    db = await Database.connect(town.postgres.url, pool_size=TELLERS + 2)
    try:
        return await Chaos(plan, town, db).run()
    finally:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(db.close(), 5)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--facts", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0.0, help="how long; a thousand facts a second when not given")
    parser.add_argument("--cuts", type=int, default=10_000, help="forced TCP cuts")
    parser.add_argument("--people", type=int, default=120, help="clients")
    parser.add_argument("--gap-max", type=int, default=GAP_MAX, help="longest replay; a small one makes `resync`s")
    given = parser.parse_args(argv)
    plan = Plan(
        facts=given.facts, seed=given.seed, seconds=given.minutes * 60, cuts=given.cuts, people=given.people,
        gap_max=given.gap_max,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # processes and engines end with this one
    data_dir = Path(tempfile.mkdtemp(prefix="fieldhub-chaos-"))
    outcome = run(plan, data_dir)
    show({"seed": plan.seed, **outcome.figures})
    if not outcome.broken:
        shutil.rmtree(data_dir, ignore_errors=True)
        return 0
    print("\n".join(["", *outcome.broken[:40]]))
    for judge in outcome.judges:
        if judge.broken:
            (data_dir / f"{judge.name.replace(':', '-')}.journal").write_text("\n".join(judge.journal))
    print(f"\njournals and logs: {data_dir}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
