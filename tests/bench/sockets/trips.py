"""Orders on the way in the real hub, each with a customer who watches: what makes a position go out again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import uvloop

from tests.replay.api import Api, Person
from tests.replay.wire import LeanWire

LON, LAT = 104.05, 30.66
"""Where load.c has its workers, too: in the demo town."""

KNOWN_AFTER_S = 0.5
"""Positions reach Redis a moment later; a grab is priced by the position found there."""

PATIENCE_S = 30.0


@contextmanager
def watched(url: str, technicians: list[Person], customers: list[Person]) -> Iterator[Watchers]:
    """One departed order for each pair, watched from a thread of its own until the block ends."""
    watchers = Watchers(url, technicians, customers)
    thread = threading.Thread(target=watchers.run, daemon=True)
    thread.start()
    try:
        watchers.wait_ready()
        yield watchers
    finally:
        watchers.stop()
        thread.join(PATIENCE_S)


class Watchers:
    """Customers' sockets; `heard` counts their positions."""

    def __init__(self, url: str, technicians: list[Person], customers: list[Person]) -> None:
        self.heard = 0
        self._url = url
        self._pairs = list(zip(technicians, customers, strict=True))
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()

    def run(self) -> None:
        """The thread."""
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._watch())
        except BaseException as problem:
            self._failed = problem
            self._ready.set()

    def wait_ready(self) -> None:
        """Raises RuntimeError when an order could not be brought on its way."""
        if not self._ready.wait(4 * PATIENCE_S) or self._failed is not None:
            raise RuntimeError("no trips to watch") from self._failed

    def stop(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)

    async def _watch(self) -> None:
        self._loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
            api = Api(http, self._url)
            item = (await api.get(None, "/v1/items", lon=LON, lat=LAT))["data"][0]["id"]
            workers = [await Worker.open(api, technician) for technician, _ in self._pairs]
            await asyncio.sleep(KNOWN_AFTER_S)
            trips = zip(workers, self._pairs, strict=True)
            wires = [await self._trip(api, item, worker, customer) for worker, (_, customer) in trips]
            self._ready.set()
            await self._over.wait()
            await asyncio.gather(*(wire.close() for wire in wires))

    async def _trip(self, api: Api, item: str, worker: Worker, customer: Person) -> LeanWire:
        """One order from posted to departed, offered to this worker only; the customer's wire, which watches it."""
        await ask(worker.wire, "online", {})
        order = await api.post(customer, "/v1/orders", _order(item), key=f"order-{customer.account_id}")
        offer = await asyncio.wait_for(worker.offers.get(), PATIENCE_S)
        grab = await ask(worker.wire, "grab", {"call_id": offer["call_id"]})
        wire = LeanWire(api.http, api.url, "/customer", self._hear)
        await wire.open({"token": customer.access_token})
        await ask(wire, "choose", {"order_id": order["id"], "grab_id": grab["grab_id"]})
        await api.post(customer, f"/v1/orders/{order['id']}/pay", {"method": "wallet"}, key=f"pay-{order['id']}")
        for verb in ("accept", "depart"):
            await ask(worker.wire, verb, {"order_id": order["id"]})
        await ask(worker.wire, "offline", {})
        await worker.wire.close()
        await ask(wire, "watch", {"order_id": order["id"]})
        return wire

    def _hear(self, event: str, _body: Any) -> None:
        self.heard += event == "position"


class Worker:
    """A technician in the demo town."""

    def __init__(self, api: Api) -> None:
        self.offers: asyncio.Queue[Any] = asyncio.Queue()
        self.wire = LeanWire(api.http, api.url, "/worker", self._hear)

    @classmethod
    async def open(cls, api: Api, person: Person) -> Worker:
        worker = cls(api)
        await worker.wire.open({"token": person.access_token})
        await ask(worker.wire, "position", [0, time.time_ns() // 1_000_000, LAT, LON, 10.0, 1.0, 0])
        return worker

    def _hear(self, event: str, body: Any) -> None:
        if event == "offer.made":
            self.offers.put_nowait(body)


async def ask(wire: LeanWire, event: str, body: Any) -> Any:
    """The answer. Raises RuntimeError."""
    answer = await wire.ask(event, body, timeout_s=PATIENCE_S)
    if "error" in answer:
        raise RuntimeError(f"{event}: {answer['error']}")
    return answer


def _order(item: str) -> dict[str, Any]:
    return {
        "line": "homeservice", "mode": "grab", "item_id": item, "qty": 1,
        "start_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="seconds"),
        "address": {"contact": "B", "phone": "13900000000", "detail": "1", "lon": LON, "lat": LAT},
    }  # fmt: skip
