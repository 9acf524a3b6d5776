"""The dispatcher: who is where, in memory, and the waves that come out of it.

It lives in the worker process and holds nothing that cannot be rebuilt: online workers and last positions from
PostgreSQL, newer positions from Redis. Positions stream in through `moved`; changes of a worker's settings or state
arrive as `worker.changed` facts through `refresh`. The index proposes, the locked rows decide (`offers.offer_wave`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from dispatch import offers
from dispatch.grabs import close_window
from dispatch.model import Call, CallStatus, Mode, Worker
from dispatch.offers import Near
from dispatch.store import calls as call_store
from dispatch.store import workers as store
from dispatch.workers import save_positions
from geo.distance import haversine_m
from geo.index import LiveIndex
from geo.point import Point
from storage.base.log import log
from storage.jobs import Handler
from storage.postgres import OUTAGE, Database
from storage.tx import Tx

Position = tuple[str, float, float, float | None, float | None, float | None, datetime]
"""worker_id, lon, lat, accuracy_m, heading_deg, speed_mps, at: one row of worker_positions."""

LOOKS_MAX = 12
"""Times a wave asks the index again for workers in place of those who turned out to be booked or full."""


class Dispatcher:
    """Live index, waves, and the writing of last positions."""

    def __init__(self, db: Database, *, flush_ms: int = 250) -> None:
        self._db = db
        self._flush_s = flush_ms / 1000
        self.index = LiveIndex()
        self._online: dict[str, Worker] = {}
        self._unwritten: dict[str, Position] = {}
        self._at_records = asyncio.Lock()
        """Reading and writing take turns: a position is in the record or still in hand, never neither."""

    def handlers(self) -> dict[str, Handler]:
        """The deadlines of dispatch, by kind."""
        from dispatch.calls import OFFERS_EXPIRE, WAVE, WINDOW

        return {WAVE: self.wave, OFFERS_EXPIRE: _expire, WINDOW: _window}

    # What comes in

    async def rebuild(self, last_known: Iterable[Position] = ()) -> int:
        """Know every online worker again, and nobody else; the number known.

        `last_known` are newer positions, from Redis.
        """
        async with self._at_records:
            async with self._db.look() as tx:
                rows = await store.online(tx)
            for worker_id in set(self._online) - {worker.id for worker, *_ in rows}:
                self._forget(worker_id)
            newer = {fix[0]: fix for fix in last_known}
            for worker, point, at in rows:
                fix = newer.get(worker.id)
                if fix is not None and (at is None or fix[6] > at):
                    self._unwritten.setdefault(worker.id, fix)
                self._know(worker, point, at)
        return len(rows)

    def moved(self, fix: Position) -> None:
        """An accepted fix of a worker."""
        worker_id, point, at = fix[0], Point(fix[1], fix[2]), fix[6]
        held = self._unwritten.get(worker_id)
        if held is None or held[6] < at:
            self._unwritten[worker_id] = fix
        if worker_id in self.index:
            self.index.move(worker_id, point, at)
        elif worker_id in self._online:
            self._place(self._online[worker_id], point, at)

    async def refresh(self, worker_ids: Iterable[str]) -> None:
        """Read these workers again, after `worker.changed`."""
        wanted = sorted(set(worker_ids))
        async with self._at_records:
            async with self._db.look() as tx:
                rows = await store.online(tx, wanted)
            for worker_id in set(wanted) - {worker.id for worker, *_ in rows}:
                self._forget(worker_id)
            for worker, point, at in rows:
                self._know(worker, point, at)

    def _know(self, worker: Worker, point: Point | None, at: datetime | None) -> None:
        """An online worker, and where the record has him; what is in hand is newer."""
        self._online[worker.id] = worker
        entry, fix = self.index.get(worker.id), self._unwritten.get(worker.id)
        if entry is not None:
            point, at = entry.point, entry.at
        if fix is not None and (at is None or fix[6] > at):
            point, at = Point(fix[1], fix[2]), fix[6]
        if point is not None and at is not None:
            self._place(worker, point, at)

    def _forget(self, worker_id: str) -> None:
        self._online.pop(worker_id, None)
        self.index.remove(worker_id)

    def _place(self, worker: Worker, point: Point, at: datetime) -> None:
        self.index.upsert(worker.id, worker.services, point, at, radius_m=worker.radius_m)

    # What goes out

    async def run(self, stop: asyncio.Event) -> None:
        """Write last positions every `flush_ms` until `stop` is set, and once more after."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._flush_s)
            await self.flush()

    async def flush(self) -> None:
        """Write positions that came since the last time; what cannot be written now is kept."""
        async with self._at_records:
            batch, self._unwritten = self._unwritten, {}
            if not batch:
                return
            try:
                await self._db.run(save_positions, list(batch.values()))
            except OUTAGE as problem:
                log("positions.not_written", level="warning", error=problem, count=len(batch))
                self._unwritten = batch | self._unwritten

    async def wave(self, tx: Tx, payload: dict[str, Any]) -> None:
        """Deadline `call.wave`: offer the call to the next ones, and come back while it is open."""
        call = await call_store.read(tx, payload["call_id"])
        if call is None or call.status is not CallStatus.OPEN or call.epoch != payload["epoch"]:
            return
        near = await self._first(tx, call) if call.wave == 0 else await self._next(tx, call)
        await offers.offer_wave(tx, call.id, call.epoch, near, empty_before=payload.get("empty", 0))

    async def _first(self, tx: Tx, call: Call) -> list[Near]:
        """The nearest as the index has them: on the way to the first offer nobody is asked twice.

        Those who turn out to be booked or full are simply not offered it; the second wave finds others in their place.
        """
        if call.mode is Mode.DIRECT:
            return await self._next(tx, call)
        return self._nearest(call, tx.now, k=call.plan.size(1), but=call.excluded) or await self._next(tx, call)

    async def _next(self, tx: Tx, call: Call) -> list[Near]:
        """The nearest workers for the next wave who are free to be offered it, by index and by record."""
        if call.mode is Mode.DIRECT and call.named_worker_id is not None:
            return await self._named(tx, call, call.named_worker_id)
        passed_over = await call_store.offered_workers(tx, call.id, call.epoch) | call.excluded
        wanted, found = call.plan.size(call.wave + 1), list[Near]()
        for _ in range(LOOKS_MAX):
            near = self._nearest(call, tx.now, k=wanted - len(found), but=passed_over)
            passed_over |= {candidate.worker_id for candidate in near}
            may = {standing.worker.id for standing in await offers.eligible(tx, call, near)}
            found += [candidate for candidate in near if candidate.worker_id in may]
            if not near or len(found) >= wanted:
                break
        return found

    def _nearest(self, call: Call, now: datetime, *, k: int, but: set[str] | frozenset[str]) -> list[Near]:
        candidates = self.index.nearest(
            call.service, call.point, k=k, radius_m=call.plan.radius_max_m,
            accept=lambda worker_id: worker_id not in but, own_radius_factor=call.plan.radius_factor,
            fresh_since=now - timedelta(seconds=call.plan.fix_age_max_s),
        )  # fmt: skip
        entries = [(candidate, self.index.get(candidate.worker_id)) for candidate in candidates]
        return [Near(found.worker_id, found.distance_m, entry.at) for found, entry in entries if entry is not None]

    async def _named(self, tx: Tx, call: Call, worker_id: str) -> list[Near]:
        known = await store.position(tx, worker_id)
        return [] if known is None else [Near(worker_id, haversine_m(known[0], call.point), known[1])]


async def _expire(tx: Tx, payload: dict[str, Any]) -> None:
    await offers.expire_offers(tx, payload["call_id"])


async def _window(tx: Tx, payload: dict[str, Any]) -> None:
    await close_window(tx, payload["call_id"], payload["epoch"])
