"""One run: people come, live their day, the day ends, and the oracle looks at what happened."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.replay.accounts import People, give_money
from tests.replay.api import Api, No, Unreachable
from tests.replay.audit import Auditor
from tests.replay.checks import findings, wrong_wallets
from tests.replay.customer import Customer
from tests.replay.figures import Figures
from tests.replay.movement import Movement
from tests.replay.places import Places
from tests.replay.report import Outcome, Progress
from tests.replay.support import Operator
from tests.replay.technician import Technician
from tests.replay.trips import Trip
from tests.replay.truth import Truth, read_truth
from tests.replay.wire import Gone
from tests.replay.world import Habits, World, now_s

SETTLE_S = 3.0
"""After the last order has ended: what is on its way may arrive."""

ORDERS_PER_CUSTOMER = 2
SPREAD_S = 30.0
"""Mean pause before each order of a customer: a wave of orders all at once would measure only the queue it makes."""

STAFFED_SHARE = 0.95
STAFFED_WITHIN_S = 120.0
"""Customers wait until so many technicians are online, though no longer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to happen. `for_s`: the day ends then at the latest."""

    url: str
    orders: int
    seed: int
    speed: float
    for_s: float
    official_share: float
    open_codes: frozenset[str]
    habits: Habits = Habits()


def customers_for(orders: int) -> int:
    """How many customers share so many orders."""
    return math.ceil(orders / ORDERS_PER_CUSTOMER)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part, the same people day after day. `movements` belong to the technicians, in order."""

    people: People
    movements: tuple[Movement, ...]

    @classmethod
    def of(cls, people: People, trips: Sequence[Trip], speed: float) -> Cast:
        began_s = now_s()
        return cls(people, tuple(Movement(trip, speed=speed, start_s=began_s) for trip in trips))


async def drive(plan: Plan, places: Places, cast: Cast, progress: Progress, interrupted: asyncio.Event) -> Outcome:
    """Run the plan against a hub that is ready; `interrupted` ends the day early, in order."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        world = World(
            Api(http, plan.url), places, plan.habits, plan.seed, plan.speed, plan.official_share,
            open_codes=plan.open_codes,
        )  # fmt: skip
        return await _Day(plan, world, cast, progress).live(interrupted)


class _Day:
    """The people of one run."""

    def __init__(self, plan: Plan, world: World, cast: Cast, progress: Progress) -> None:
        self.plan = plan
        self.world = world
        self.people = people = cast.people
        self.progress = progress
        self.technicians = [
            Technician(world, f"technician {number}", person, movement)
            for number, (person, movement) in enumerate(zip(people.technicians, cast.movements, strict=True), start=1)
        ]
        self.customers = [
            Customer(world, f"customer {number}", person) for number, person in enumerate(people.customers, start=1)
        ]
        self.staff = [Operator(world, f"operator {number}", person) for number, person in enumerate(people.staff, 1)]
        self.auditor = Auditor(world)

    async def live(self, interrupted: asyncio.Event) -> Outcome:
        began_s = now_s()
        wallets = await give_money(self.world.api, self.people)
        async with asyncio.TaskGroup() as tasks:
            for name, work in self._works():
                tasks.create_task(self.world.guarded(name, work))
            tasks.create_task(self.world.gremlin())
            tasks.create_task(self.auditor.run())
            tasks.create_task(self._open_shop())
            await self._until_done(began_s, interrupted)
            truth = await self._end()
            self.world.closed.set()
        self.world.figures.add("workers", len(self.technicians))
        self.world.figures.add("duplicates", sum(phone.journal.repeats for phone in self.world.phones))
        found = self._findings(truth) + list(wrong_wallets(truth, wallets))
        return Outcome(
            self.world.figures, tuple(found), now_s() - began_s, self.plan.seed, self.plan.speed, interrupted.is_set()
        )

    async def _open_shop(self) -> None:
        enough, until_s = STAFFED_SHARE * len(self.technicians), now_s() + STAFFED_WITHIN_S
        while now_s() < until_s and sum(one.is_online for one in self.technicians) < enough:
            await asyncio.sleep(0.2)
        self.world.staffed.set()

    def _works(self) -> Sequence[tuple[str, Coroutine[Any, Any, None]]]:
        shares = spread(self.plan.orders, len(self.customers))
        return [
            *((one.name, one.run()) for one in self.technicians),
            *((one.name, one.run()) for one in self.staff),
            *((one.name, one.run(share, SPREAD_S)) for one, share in zip(self.customers, shares, strict=True)),
        ]

    async def _until_done(self, began_s: float, interrupted: asyncio.Event) -> None:
        while now_s() - began_s < self.plan.for_s and not all(customer.is_done for customer in self.customers):
            if interrupted.is_set():
                return
            connected = sum(phone.is_connected for phone in self.world.phones)
            self.progress.say(
                now_s() - began_s, self.world.figures,
                running=sum(not customer.is_done for customer in self.customers), connected=connected,
            )  # fmt: skip
            await asyncio.sleep(1.0)

    async def _end(self) -> Truth:
        """Nobody begins anything new; what is on its way arrives; then the hub is asked and the feed audited."""
        self.world.stop.set()
        self.progress.note("the day is over: reading what the hub has on record, and asking the feed again")
        await asyncio.sleep(SETTLE_S)
        try:
            await self._all_connected()
            orders, hub_now_s = list(self.world.orders.values()), time.time() + self._ahead_s()
            truth = await read_truth(self.world.api, orders, self.people.staff, hub_now_s)
            await self.auditor.finish()
        except (Gone, Unreachable, No) as problem:
            self.world.faults.append(f"the hub could not be asked in the end: {problem!r}")
            return Truth()
        return truth

    async def _all_connected(self) -> None:
        """Those who are away come back first: what they missed is replayed to them, as it would be tomorrow."""
        for phone in self.world.phones:
            phone.come_back()
        for phone in self.world.phones:
            await phone.connected()
        await asyncio.sleep(SETTLE_S)

    def _ahead_s(self) -> float:
        """How far the hub's clock is ahead of ours, by the median of what the phones were told."""
        offsets = sorted(phone.journal.ahead_s for phone in self.world.phones)
        return offsets[len(offsets) // 2] if offsets else 0.0

    def _findings(self, truth: Truth) -> list[str]:
        journals = [phone.journal for phone in self.world.phones]
        workers = {technician.worker_id: technician.phone.journal for technician in self.technicians}
        found = findings(journals, workers, truth, self.world.granted)
        self.world.figures.add("lost", sum("never heard" in one or "nobody heard" in one for one in found))
        heard_wrong = [fault for journal in journals for fault in journal.faults]
        return [*nothing_happened(self.world.figures), *found, *heard_wrong, *self.world.faults]


def nothing_happened(figures: Figures) -> list[str]:
    """A quiet run proves nothing: what it should have shown and did not is a finding too."""
    counts = figures.counts
    reached = (("orders", 1, "offers"), ("offers", 20, "grabs"), ("orders", 10, "completed"))
    return [
        f"{counts[cause]} {cause} and not one of {effect}: this run has tested nothing"
        for cause, enough, effect in reached
        if counts[cause] >= enough and not counts[effect]
    ]


def spread(total: int, among: int) -> list[int]:
    """`total` shared out as evenly as whole numbers allow."""
    return [total // among + (number < total % among) for number in range(among)] if among else []
