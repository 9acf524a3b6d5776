"""The worker's part of a process: the relay, the deadlines and the dispatcher, kept going side by side.

The dispatcher learns of changed workers from the feed, like everybody else, and of positions directly from the hub of
its own process or from other hubs over the bus.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dispatch import Dispatcher
from dispatch.dispatcher import Position
from geo.positions import Fix
from hub.bus import Bus, Moved
from hub.follower import Follower
from hub.relay import Relay
from storage.base.codec import loads
from storage.base.log import log
from storage.base.settings import Settings
from storage.jobs import Handler, JobRunner, OutsideHandler, Subscribers
from storage.outbox import FeedFact
from storage.postgres import Database
from storage.redis import LIVE_CHANNEL

CHANGED = "worker.changed"
RETRY_S = 1.0
FINISH_S = 3.0


class Worker:
    """Build it, `start` (the index is rebuilt), `run` until cancelled."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        bus: Bus,
        *,
        deadlines: Mapping[str, Handler],
        outside: Mapping[str, OutsideHandler],
        subscribers: Subscribers,
        beside: Sequence[JobRunner] = (),
    ) -> None:
        """`beside`: runners of their own, which must not keep deadlines waiting; they run and end with these."""
        self._db = db
        self._bus = bus
        self.dispatcher = Dispatcher(db, flush_ms=settings.position_flush_ms)
        handlers = {**self.dispatcher.handlers(), **deadlines}
        self.jobs = JobRunner(db, settings, handlers, outside=outside, subscribers=subscribers)
        self._beside = beside
        self.follower = Follower(
            db, self._heard, lambda _reason: self._everybody(), is_wanted=lambda topic, _audience: topic == CHANGED
        )
        self._followers = [self.follower]
        self.relay = Relay(db, self._hand_over, settings)
        self._changed: set[str] = set()
        self._is_rebuilt = False
        self._told = asyncio.Event()
        self._ending: list[asyncio.Task[None]] = []
        bus.follow(self.follower.hear)
        bus.on_all_moves.append(self._moved_elsewhere)
        bus.listen(LIVE_CHANNEL)

    def tell_also(self, follower: Follower) -> None:
        """Hand batches of the relay to a hub of this process at once."""
        self._followers.append(follower)

    async def start(self, last_known: Iterable[Position]) -> None:
        """Take the place in the feed, then know every online worker again."""
        await self.follower.start()
        count = await self.dispatcher.rebuild(last_known)
        log("dispatcher.rebuilt", workers=count)

    async def run(self, stop: asyncio.Event) -> None:
        """Relay, fire deadlines and write positions until cancelled; `stop` lets jobs in hand end first."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.relay.run())
            tasks.create_task(self.follower.run())
            tasks.create_task(self._refresh())
            runs = (self.dispatcher.run, self.jobs.run, *(one.run for one in self._beside))
            self._ending = [tasks.create_task(run(stop)) for run in runs]

    async def finished(self) -> None:
        """After `stop`: the jobs in hand are done and the last positions written."""
        await asyncio.wait(self._ending, timeout=FINISH_S)

    def accept(self, worker_id: str, fixes: Sequence[Fix]) -> None:
        """A position sink for the hub of this process."""
        self.dispatcher.moved(position_of(worker_id, fixes[-1]))

    def _moved_elsewhere(self, moves: Sequence[Moved]) -> None:
        for moved in moves:
            at = datetime.fromtimestamp(moved.at_ms / 1000, UTC)
            self.dispatcher.moved(
                (moved.worker_id, moved.lon, moved.lat, moved.accuracy_m, moved.heading_deg, moved.speed_mps, at)
            )

    def _hand_over(self, batch: Sequence[FeedFact]) -> None:
        for follower in self._followers:
            follower.receive(batch)
        self._bus.tell(self.follower.epoch, batch)

    def _heard(self, fact: FeedFact) -> None:
        if fact.topic == CHANGED:
            body: dict[str, Any] = loads(fact.body)
            self._changed.add(body["worker_id"])
            self._told.set()

    def _everybody(self) -> None:
        self._is_rebuilt = False
        self._told.set()

    async def _refresh(self) -> None:
        self._is_rebuilt = True
        while True:
            await self._told.wait()
            self._told.clear()
            changed, self._changed = self._changed, set()
            try:
                if not self._is_rebuilt:
                    await self.dispatcher.rebuild()
                    self._is_rebuilt = True
                await self.dispatcher.refresh(changed)
            except asyncio.CancelledError:
                raise
            except Exception as problem:  # noqa: BLE001 - the relay loop: read them again later
                log("dispatcher.refresh_failed", level="warning", error=problem)
                self._changed |= changed
                self._told.set()
                await asyncio.sleep(RETRY_S)


def position_of(worker_id: str, fix: Fix) -> Position:
    point = fix.point
    return (worker_id, point.lon, point.lat, fix.accuracy_m, fix.heading_deg, fix.speed_mps, fix.at)
