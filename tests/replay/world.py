"""What the people of one run share: options, chances, figures, and what passes between them face to face."""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from geo.point import Point
from tests.replay.api import Api, No, Person, Unreachable
from tests.replay.client import Phone
from tests.replay.figures import Figures
from tests.replay.places import Places
from tests.replay.wire import Gone, Hear, LeanWire, OfficialWire, Refused, Wire

FIXES_KEPT = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How often people do what. Shares of 1 unless a unit is named."""

    grab: float = 0.6
    decline: float = 0.2  # what is left ignores the offer
    withdraw: float = 0.05
    reject: float = 0.03
    rest: float = 0.02  # a technician goes offline for a while instead of answering an offer
    double_tap: float = 0.15
    lost_answer: float = 0.05  # the connection breaks just after a grab was sent
    wrong_code: float = 0.05
    bad_fix: float = 0.02  # fixes with an accuracy of 400 m, as indoors
    over_http: float = 0.3  # verbs that go over REST instead of the socket
    gcj02: float = 0.3  # phones that speak the datum of Chinese maps
    lapse: float = 0.03  # customers who let the payment window pass once
    rechoose: float = 0.05
    cancel_pool: float = 0.03
    cancel_paid: float = 0.04
    reschedule: float = 0.02
    saved: float = 0.4  # cancel requests that support talks the customer out of

    drop_every_s: float = 90.0  # mean time between two losses of one phone's connection
    patience_s: float = 60.0  # a customer without any candidate cancels after this
    think_s: tuple[float, float] = (0.3, 3.0)
    choose_after_s: tuple[float, float] = (2.0, 8.0)
    service_s: tuple[float, float] = (4.0, 12.0)
    fix_every_s: float = 5.0
    fix_en_route_every_s: float = 2.0


@dataclass(slots=True, eq=False)
class Posted:
    """An order of this run."""

    order_id: str
    call_id: str
    customer: Person
    point: Point
    sent_s: float


@dataclass(slots=True, eq=False)
class World:
    """One run."""

    api: Api
    places: Places
    habits: Habits
    seed: int
    speed: float
    official_share: float
    figures: Figures = field(default_factory=Figures)
    faults: list[str] = field(default_factory=list)
    granted: list[tuple[str, str, str]] = field(default_factory=list)  # order, worker, what he was granted on it
    phones: list[Phone] = field(default_factory=list)
    orders: dict[str, Posted] = field(default_factory=dict)
    open_codes: frozenset[str] = frozenset()
    codes: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    here: dict[str, Point] = field(default_factory=dict)
    staffed: asyncio.Event = field(default_factory=asyncio.Event)  # technicians are there; customers may come
    stop: asyncio.Event = field(default_factory=asyncio.Event)  # nobody begins anything new
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # everybody hangs up
    _fixes: OrderedDict[tuple[str, int], float] = field(default_factory=OrderedDict)
    _items: dict[str, list[str]] = field(default_factory=dict)
    _offers_early: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def chance(self, *who: object) -> random.Random:
        """A stream of chances of its own for everybody, the same for the same seed."""
        return random.Random(":".join(map(str, (self.seed, *who))))

    def phone(self, name: str, namespace: str, person: Person) -> Phone:
        """A phone of this run; `official_share` of them use the official client."""
        chance = self.chance("phone", name)
        kind = OfficialWire if chance.random() < self.official_share else LeanWire

        def make(app: str, hear: Hear) -> Wire:
            return kind(self.api.http, self.api.url, app, hear)

        made = Phone(
            name, namespace, person, api=self.api, make_wire=make, figures=self.figures, chance=chance,
            crs="gcj02" if chance.random() < self.habits.gcj02 else "wgs84",
        )  # fmt: skip
        self.phones.append(made)
        return made

    async def items(self, person: Person, place: Point) -> list[str]:
        """What can be ordered here; the catalogue is read once for each area. Raises No."""
        code = self.places.code_at(place) or ""
        if code not in self._items:
            found = await self.api.get(person, "/v1/items", lon=place.lon, lat=place.lat)
            self._items[code] = [item["id"] for item in found["data"]]
        return self._items[code]

    # What is measured across two people

    def posted(self, order: Posted) -> None:
        """The answer to a post has come; offers may have been faster."""
        self.orders[order.order_id] = order
        for at_s, since_s in self._offers_early.pop(order.order_id, ()):
            self._offer_took(order, at_s, since_s)

    def offer_heard(self, offer: Mapping[str, Any], at_s: float, *, connected_s: float) -> None:
        """Only the first wave measures the way of an offer; later ones are meant to come later.

        `connected_s`: how long the technician's connection has stood. One who was away hears late by his own fault.
        """
        if offer["epoch"] != 1 or offer["wave"] != 1:
            return
        order = self.orders.get(offer["subject_id"])
        if order is None:
            self._offers_early.setdefault(offer["subject_id"], []).append((at_s, at_s - connected_s))
        else:
            self._offer_took(order, at_s, at_s - connected_s)

    def _offer_took(self, order: Posted, at_s: float, since_s: float) -> None:
        if since_s < order.sent_s:
            self.figures.took("order_to_offer_ms", at_s - order.sent_s)

    def fix_sent(self, worker_id: str, at_ms: int, at_s: float) -> None:
        self._fixes[worker_id, at_ms] = at_s
        if len(self._fixes) > FIXES_KEPT:
            self._fixes.popitem(last=False)

    def fix_seen(self, worker_id: str, at_ms: int, at_s: float) -> None:
        sent_s = self._fixes.get((worker_id, at_ms))
        if sent_s is not None:
            self.figures.took("fix_to_watcher_ms", at_s - sent_s)

    def code_of(self, order_id: str) -> asyncio.Future[str]:
        """What the customer shows the technician at the door."""
        if order_id not in self.codes:
            self.codes[order_id] = asyncio.get_running_loop().create_future()
        return self.codes[order_id]

    # What goes wrong

    def refused(self, what: str, no: No, *allowed: str) -> None:
        """Count a refusal; one that this request can never meet rightly is a finding."""
        self.figures.refused(what, no.code)
        if allowed and no.code not in allowed:
            self.faults.append(f"{what} was refused with {no}")

    async def sleep(self, seconds: float) -> bool:
        """Wait; whether the run goes on."""
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return True
        return False

    async def guarded(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run somebody's day; whatever ends it early is a finding, with its name."""
        try:
            await work
        except* (No, Refused, Gone, Unreachable, TimeoutError) as problems:
            if not self.stop.is_set():
                self.faults += [f"{name} had to stop: {problem!r}" for problem in problems.exceptions]

    async def gremlin(self) -> None:
        """Break connections at random until the run stops: mostly blinks, some tunnels, a few long rides."""
        chance = self.chance("gremlin")
        pause_s = 0.5
        while await self.sleep(pause_s):
            for phone in self.phones:
                if chance.random() < pause_s / self.habits.drop_every_s:
                    kind = chance.random()
                    away = chance.uniform(*((0.05, 1.0) if kind < 0.7 else (1.0, 8.0) if kind < 0.95 else (15.0, 40.0)))
                    self.figures.add("drops", phone.drop(away))


def now_s() -> float:
    """The driver's clock."""
    return time.monotonic()
