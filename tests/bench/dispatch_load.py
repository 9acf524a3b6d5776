"""The load of `bench_dispatch`, a process of its own: connected technicians, streaming fixes, orders, grabs.

Open loop: fixes and orders go out at their planned instants, and times count from the plan, so a server that falls
behind cannot slow its own measurement down. `python -m tests.bench.dispatch_load URL TOKENS SIZES-AS-JSON`.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

from geo.point import Point
from tests.replay.accounts import read_tokens
from tests.replay.api import Api, No, Person, Unreachable
from tests.replay.figures import summary
from tests.replay.wire import Gone, LeanWire

MIDDLE = Point(104.07, 30.66)
SPREAD_DEGREES = 0.04
"""All within some 10 km, so that every technician's default radius of 20 km holds every order."""

CANCEL_AFTER_S = 3.0
"""An order that has been measured makes room: each technician may have only so many open offers."""

CONNECTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What the load is made of."""

    workers: int
    fixes_per_s: int
    orders_per_s: int
    seconds: int
    storm_orders: int


@dataclass(slots=True)
class Measured:
    """Times in milliseconds, counts."""

    order_to_offer: list[float] = field(default_factory=list)
    grab_to_answer: list[float] = field(default_factory=list)
    storm_to_answer: list[float] = field(default_factory=list)
    storm_s: float = 0.0
    orders_s: float = 0.0
    streaming_s: float = 0.0
    orders: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    fixes: int = 0
    offers: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Load:
    """One run of the load."""

    def __init__(self, api: Api, sizes: Sizes, technicians: list[Person], customers: list[Person]) -> None:
        self.api = api
        self.sizes = sizes
        self.technicians = technicians
        self.customers = customers
        self.measured = Measured()
        self.wires: list[LeanWire] = []
        self._planned: dict[str, float] = {}
        self._early: dict[str, list[float]] = {}
        self._held: list[tuple[int, str]] = []
        self._is_storm = False
        self._chance = random.Random(1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._item = ""

    async def run(self) -> Measured:
        found = await self.api.get(None, "/v1/items", lon=MIDDLE.lon, lat=MIDDLE.lat)
        self._item = found["data"][0]["id"]
        await self._connect()
        gc.freeze()
        began, streaming = time.perf_counter(), asyncio.create_task(self._stream_fixes())
        await asyncio.sleep(3)  # warm: every position is known and written
        await self._post_orders()
        await asyncio.sleep(CANCEL_AFTER_S + 2)
        await self._storm()
        streaming.cancel()
        self.measured.streaming_s = time.perf_counter() - began
        await asyncio.gather(*(wire.close() for wire in self.wires))
        return self.measured

    # Technicians

    async def _connect(self) -> None:
        gate = asyncio.Semaphore(CONNECTS_AT_ONCE)

        async def one(number: int, person: Person) -> LeanWire:
            def hear(event: str, body: Any) -> None:
                if event == "offer.made":
                    self._offered(number, body)
                elif event == "closing":
                    self.measured.failed[f"closing {body['code']}"] += 1

            wire = LeanWire(self.api.http, self.api.url, "/worker", hear)
            async with gate:
                await wire.open({"token": person.access_token})
                await wire.ask("position", self._fix(number), timeout_s=30)
                await wire.ask("online", {}, timeout_s=30)
            return wire

        self.wires = list(await asyncio.gather(*(one(n, person) for n, person in enumerate(self.technicians))))

    def _fix(self, number: int) -> list[Any]:
        place = random.Random(number)
        here = self._around(place)
        step = (time.time() % 100) * 1e-6  # a slow walk: every fix is a new place
        return [time.time_ns() // 1_000_000, int(time.time() * 1000), here.lat + step, here.lon, 10.0, 1.0, 0]

    def _around(self, chance: random.Random) -> Point:
        return Point(
            MIDDLE.lon + chance.uniform(-SPREAD_DEGREES, SPREAD_DEGREES),
            MIDDLE.lat + chance.uniform(-SPREAD_DEGREES, SPREAD_DEGREES),
        )

    async def _stream_fixes(self) -> None:
        began, sent = time.perf_counter(), 0
        while True:
            due = int((time.perf_counter() - began) * self.sizes.fixes_per_s)
            for number in range(sent, due):
                self._later(self._send_fix(number % len(self.wires)))
            sent = due
            await asyncio.sleep(0.01)

    async def _send_fix(self, number: int) -> None:
        try:
            answer = await self.wires[number].ask("position", self._fix(number), timeout_s=30)
            self.measured.fixes += int(answer.get("accepted", 0))
        except (Gone, TimeoutError) as problem:
            self.measured.failed[f"position {type(problem).__name__}"] += 1

    def _offered(self, number: int, offer: Mapping[str, Any]) -> None:
        at_s = time.perf_counter()
        self.measured.offers += 1
        if self._is_storm:
            self._held.append((number, offer["call_id"]))
            return
        if offer["wave"] == 1:
            planned = self._planned.get(offer["subject_id"])
            if planned is None:
                self._early.setdefault(offer["subject_id"], []).append(at_s)
            else:
                self.measured.order_to_offer.append((at_s - planned) * 1000)
        if self._chance.random() < 0.1:  # two grabs for each order and wave
            self._later(self._grab(number, offer["call_id"], self.measured.grab_to_answer))

    async def _grab(self, number: int, call_id: str, into: list[float]) -> None:
        sent_s = time.perf_counter()
        try:
            answer = await self.wires[number].ask("grab", {"call_id": call_id, "req_id": f"b{number}"}, timeout_s=60)
        except (Gone, TimeoutError) as problem:
            self.measured.failed[f"grab {type(problem).__name__}"] += 1
            return
        into.append((time.perf_counter() - sent_s) * 1000)
        if "error" in answer:
            self.measured.refused[answer["error"]["code"]] += 1

    # Customers

    async def _post_orders(self) -> None:
        began = time.perf_counter()
        for number in range(self.sizes.orders_per_s * self.sizes.seconds):
            planned = began + number / self.sizes.orders_per_s
            await asyncio.sleep(max(0.0, planned - time.perf_counter()))
            self._later(self._order(number, planned))
        while self.measured.orders + self.measured.failed.total() < self.sizes.orders_per_s * self.sizes.seconds:
            await asyncio.sleep(0.05)
            if time.perf_counter() - began > 10 * self.sizes.seconds:
                break  # hopelessly behind; the rate says so
        self.measured.orders_s = time.perf_counter() - began

    async def _order(self, number: int, planned: float) -> None:
        customer = self.customers[number % len(self.customers)]
        try:
            order = await self._post(customer, number)
            self.measured.orders += 1
            self._planned[order["id"]] = planned
            for at_s in self._early.pop(order["id"], ()):
                self.measured.order_to_offer.append((at_s - planned) * 1000)
            await asyncio.sleep(CANCEL_AFTER_S)
            await self.api.post(customer, f"/v1/orders/{order['id']}/cancel", {"reason": "measured"})
        except No as no:
            self.measured.failed[no.code] += 1
        except Unreachable as problem:
            self.measured.failed[type(problem).__name__] += 1

    async def _post(self, customer: Person, number: int) -> Any:
        place = self._around(self._chance)
        body = {
            "line": "homeservice", "mode": "grab", "item_id": self._item, "qty": 1,
            "start_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="seconds"),
            "address": {"contact": "B", "phone": "13900000000", "detail": "1", "lon": place.lon, "lat": place.lat},
        }  # fmt: skip
        return await self.api.post(customer, "/v1/orders", body, key=f"bench-{time.time_ns()}-{number}")

    async def _storm(self) -> None:
        """All offered technicians grab at the same instant: how many grabs a second, and how long is the queue."""
        self._is_storm = True
        await asyncio.gather(*(
            self._post(self.customers[number % len(self.customers)], number)
            for number in range(self.sizes.storm_orders)
        ))  # fmt: skip
        await asyncio.sleep(2.0)
        held, began = list(self._held), time.perf_counter()
        into = self.measured.storm_to_answer
        await asyncio.gather(*(self._grab(number, call_id, into) for number, call_id in held))
        self.measured.storm_s = time.perf_counter() - began

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def measure(url: str, folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Connect, load, and the figures."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        technicians, customers = read_tokens(folder / "technician.jsonl"), read_tokens(folder / "user.jsonl")
        load = Load(Api(http, url), sizes, technicians, customers)
        found = await load.run()
    return {
        "orders": found.orders,
        "orders/s": found.orders / found.orders_s,
        "failures": listed(found.failed),
        "fixes/s": found.fixes / found.streaming_s,
        "offers": found.offers,
        **rows("order → offer", found.order_to_offer),
        **rows("grab → answer", found.grab_to_answer),
        "storm grabs/s": len(found.storm_to_answer) / found.storm_s,
        **rows("storm grab → answer", found.storm_to_answer),
        "grabs refused": listed(found.refused),
    }


def listed(counts: Counter[str]) -> str:
    """`3 order_gone, 1 busy`, or `none`."""
    return ", ".join(f"{count} {code}" for code, count in counts.most_common()) or "none"


def rows(name: str, values_ms: list[float]) -> dict[str, float | None]:
    """Percentiles as rows of the page."""
    found = summary(values_ms)
    return {f"{name} {rank} ms": found[rank] for rank in ("p50", "p95", "p99")}


def main(argv: list[str]) -> int:
    url, folder, sizes = argv
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(orjson.dumps(runner.run(measure(url, Path(folder), Sizes(**orjson.loads(sizes))))).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
