"""The load of `bench_chat`, a process of its own: `python -m tests.bench.chat_load URL FOLDER SIZES-AS-JSON`.

Open loop: messages go out at their planned instants, and times count from the plan, so a server that falls behind
cannot slow its own measurement down.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

from tests.bench.dispatch_load import listed, rows
from tests.replay.accounts import read_tokens
from tests.replay.api import Person
from tests.replay.wire import Gone, LeanWire, Refused

TEXT = "师傅大概什么时候能到我家门口呢谢谢您了啊"
CONNECTS_AT_ONCE = 50
ALL_HEARD_S = 60.0
STEP = 11
"""Coprime to how many there are: everybody in turn, neighbours far apart."""


@dataclass(eq=False, slots=True)
class Seat:
    """Somebody with a socket, and how far he has heard."""

    person: Person
    namespace: str
    since: int = 0
    epoch: str | None = None
    wire: LeanWire | None = None
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    heard: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Planned:
    """A message on its way: when it was due, who must see it."""

    at: float
    peer: Seat


class Load:
    """One run of the load."""

    def __init__(self, http: aiohttp.ClientSession, url: str, folder: Path, sizes: dict[str, int]) -> None:
        self.http, self.url, self.sizes = http, url, sizes
        known = orjson.loads((folder / "places.json").read_bytes())
        self.places: list[dict[str, str]] = known["places"]
        self.epoch, self.since = known["epoch"], known["since"]
        self.customers = {p.account_id: Seat(p, "/customer") for p in read_tokens(folder / "user.jsonl")}
        self.agents = {p.account_id: Seat(p, "/desk") for p in read_tokens(folder / "support.jsonl")}
        self.acks: list[float] = []
        self.seen: list[float] = []
        self.failed: Counter[str] = Counter()
        self._planned: dict[str, Planned] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> dict[str, Any]:
        caught_up = [await self._catch_up(place) for place in self.places[: self.sizes["missing"]]]
        seats = [*self.customers.values(), *self.agents.values()]
        await self._connect([seat for seat in seats if seat.wire is None])
        gc.freeze()
        count = self.sizes["messages_per_s"] * self.sizes["seconds"]
        began = time.perf_counter()
        await self._say(count, "a")
        said_s = time.perf_counter() - began
        missing = await self._all_seen()
        storm_s = await self._storm(seats)
        return {
            "sockets": len(seats),
            "messages": count,
            "messages/s": count / said_s,
            **rows("ack", self.acks),
            **rows("seen by the peer", self.seen),
            **rows(f"catch-up of {self.sizes['missed']} messages", caught_up),
            "storm of reconnects s": storm_s,
            "never seen": missing,
            "failures": listed(self.failed),
        }

    # Sockets

    async def _connect(self, seats: list[Seat]) -> None:
        gate = asyncio.Semaphore(CONNECTS_AT_ONCE)

        async def one(seat: Seat) -> None:
            async with gate:
                await self._open(seat)

        await asyncio.gather(*(one(seat) for seat in seats))

    async def _open(self, seat: Seat) -> None:
        """Connect, again and again until it is let in, as a phone does."""
        while True:
            seat.is_ready.clear()
            wire = LeanWire(self.http, self.url, seat.namespace, lambda event, body: self._hear(seat, event, body))
            auth = {"token": seat.person.access_token, "since": seat.since, "epoch": seat.epoch}
            try:
                await wire.open(auth if seat.epoch else {"token": seat.person.access_token})
            except Refused as refused:
                await asyncio.sleep(refused.error.get("retry_after_ms", 200) / 1000)
            except Gone:
                await asyncio.sleep(0.2)
            else:
                seat.wire = wire
                await seat.is_ready.wait()
                return

    def _hear(self, seat: Seat, event: str, body: Any) -> None:
        if event == "ready":
            seat.epoch = body["epoch"]
            seat.since = seat.since if body["recovered"] else max(seat.since, body["seq"])
            seat.is_ready.set()
        elif event in ("resync", "closing"):
            self.failed[f"{event} {body.get('reason') or body.get('code')}"] += 1
        elif isinstance(body, dict) and body.get("seq", 0) > seat.since:
            seat.since = body["seq"]
            if event == "message.said":
                self._seen(seat, body["client_id"])

    # Talk

    async def _say(self, count: int, mark: str) -> None:
        """Three of five by customers in turn, the others by the agent of the conversation."""
        began = time.perf_counter()
        for number in range(count):
            planned = began + number / self.sizes["messages_per_s"]
            await asyncio.sleep(max(0.0, planned - time.perf_counter()))
            place = self.places[(number * STEP) % len(self.places)]
            pair = self.customers[place["customer_id"]], self.agents[place["agent_id"]]
            by, peer = pair if (number + number // len(self.places)) % 5 < 3 else pair[::-1]
            task = asyncio.create_task(self._message(by, peer, place["id"], f"{mark}-{number:06}", planned))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _message(self, by: Seat, peer: Seat, where: str, client_id: str, planned: float) -> None:
        self._planned[client_id] = Planned(planned, peer)
        body = {"conversation_id": where, "client_id": client_id, "text": f"{TEXT} {client_id}"}
        while True:
            try:
                answer = await by.wire.ask("say", body, timeout_s=5) if by.wire else None
            except (Gone, TimeoutError):
                answer = None
            if answer and "error" not in answer:
                self.acks.append((time.perf_counter() - planned) * 1000)
                return
            error = (answer or {}).get("error", {"code": "gone"})
            self.failed[error["code"]] += 1
            if error["code"] not in ("gone", "rate_limited", "busy"):
                return
            await asyncio.sleep(error.get("retry_after_ms", 200) / 1000)

    def _seen(self, seat: Seat, client_id: str) -> None:
        seat.heard.add(client_id)
        waiting = self._planned.get(client_id)
        if waiting is not None and waiting.peer is seat:
            del self._planned[client_id]
            self.seen.append((time.perf_counter() - waiting.at) * 1000)

    async def _all_seen(self) -> int:
        """How many messages their peer has not seen, when there was time enough."""
        ends_at = time.perf_counter() + ALL_HEARD_S
        while (self._planned or self._tasks) and time.perf_counter() < ends_at:
            await asyncio.sleep(0.05)
        return len(self._planned)

    # Faults

    async def _catch_up(self, place: dict[str, str]) -> float:
        """Milliseconds from before the connection to the last of the messages a customer has missed."""
        seat = self.customers[place["customer_id"]]
        seat.epoch, seat.since = self.epoch, self.since
        began = time.perf_counter()
        await self._open(seat)
        while len(seat.heard) < self.sizes["missed"]:
            if time.perf_counter() - began > ALL_HEARD_S:
                raise RuntimeError(f"only {len(seat.heard)} messages came")
            await asyncio.sleep(0.001)
        return (time.perf_counter() - began) * 1000

    async def _storm(self, seats: list[Seat]) -> float:
        """Cut everybody at once in the middle of the talk: seconds until all are back and nothing is missing."""
        acks, seen = list(self.acks), list(self.seen)
        talk = asyncio.create_task(self._say(2 * self.sizes["messages_per_s"], "s"))
        await asyncio.sleep(1)
        began = time.perf_counter()
        for seat in seats:
            if seat.wire is not None:
                seat.wire.cut()
        await asyncio.gather(*(self._open(seat) for seat in seats))
        await talk
        if await self._all_seen():
            raise RuntimeError(f"{len(self._planned)} messages were never seen after the storm: {listed(self.failed)}")
        storm_s = time.perf_counter() - began
        self.acks, self.seen = acks, seen
        return storm_s


async def measure(url: str, folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        return await Load(http, url, folder, sizes).run()


def main(argv: list[str]) -> int:
    url, folder, sizes = argv
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(orjson.dumps(runner.run(measure(url, Path(folder), orjson.loads(sizes)))).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
