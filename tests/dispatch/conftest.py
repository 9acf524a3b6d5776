"""A small town for dispatch: workers with positions, calls, and a dispatcher whose deadlines the test fires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

import dispatch
from dispatch.model import Call, CallDraft, Grab, Mode, WavePlan, Worker
from geo.distance import destination
from geo.point import Point
from storage import outbox
from storage.base import codec
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from storage.tx import Tx

SQUARE = Point(104.06, 30.66)
MASSAGE = "itm_massage"


@dataclass
class Town:
    """What a test says: `await town.worker(metres=300)`, `await town.call()`, `await town.run()`."""

    db: Database
    clock: ManualClock
    dispatcher: dispatch.Dispatcher
    runner: JobRunner
    made: int = 0

    async def worker(self, *, metres: float = 500, online: bool = True, **settings: Any) -> Worker:
        self.made += 1
        number = self.made
        place = destination(SQUARE, 37.0 * number, metres)
        async with self.db.begin() as tx:
            worker = await dispatch.create_worker(
                tx, account_id=f"acc_{number}", display_name=f"Worker {number}", services=[MASSAGE]
            )
            if online:
                worker = await dispatch.go_online(tx, worker.id)
            if settings:
                worker = await dispatch.update_worker(tx, worker.id, **settings)
        await self.fix(worker, place)
        return worker

    async def fix(self, worker: Worker, place: Point) -> None:
        """The worker is here now."""
        self.dispatcher.moved((worker.id, place.lon, place.lat, 5.0, None, None, self.clock.now()))
        await self.dispatcher.flush()
        await self.dispatcher.refresh([worker.id])

    async def fresh(self, *workers: Worker) -> None:
        """Everybody repeats his position, so that nobody's fix is stale."""
        for worker in workers:
            async with self.db.begin() as tx:
                row = await tx.fetchrow("SELECT lon, lat FROM worker_positions WHERE worker_id = $1", worker.id)
            await self.fix(worker, Point(row["lon"], row["lat"]))

    async def call(self, *, mode: Mode = Mode.CHOOSE_BACK, in_h: float = 2, hours: float = 1, **changes: Any) -> Call:
        self.made += 1
        plan: WavePlan = changes.pop("plan", None) or dispatch.plan_for(mode)
        start_at = self.clock.now() + timedelta(hours=in_h)
        draft = CallDraft(
            subject_kind="test", subject_id=f"sub_{self.made}", mode=mode, service=MASSAGE, area_code="510100",
            point=SQUARE, start_at=start_at, busy_until=start_at + timedelta(hours=hours),
            audience=("customer:acc_customer",), owner_account_id="acc_customer", detail={"item": "massage"}, plan=plan,
        )  # fmt: skip
        async with self.db.begin() as tx:
            return await dispatch.open_call(tx, replace(draft, **changes))

    async def run(self) -> int:
        """Fire what is due; repeat waves that find nobody are due only later."""
        return await self.runner.drain()

    async def grab(self, call: Call, worker: Worker, request_id: str | None = None) -> Any:
        async def act(tx: Tx) -> Grab:
            bid = await dispatch.bid(tx, call.id, worker.id)
            return await dispatch.grab(tx, bid, quote={"total_fen": 1}, request_id=request_id)

        return await self.db.run(act)

    async def lock(self, call: Call, worker: Worker) -> Call:
        return await self.db.run(
            dispatch.lock_candidate, call.id, worker.id, until=self.clock.now() + timedelta(minutes=3)
        )

    async def state(self, call: Call) -> Call:
        async with self.db.begin() as tx:
            return await dispatch.get_call(tx, call.id)

    async def heard(self, listener: str, topic: str = "") -> list[dict[str, Any]]:
        """Facts told to this listener so far, oldest first."""
        async with self.db.begin() as tx:
            while await outbox.number(tx, limit=1000):
                pass
            facts = await outbox.gap(tx, [listener], since=0, upto=10**9, limit=10_000)
        return [{"topic": f.topic, **codec.loads(f.body)} for f in facts if f.topic.startswith(topic)]


@pytest.fixture
async def town(db: Database, clock: ManualClock, settings: Settings) -> Town:
    dispatcher = dispatch.Dispatcher(db)
    return Town(db, clock, dispatcher, JobRunner(db, settings, dispatcher.handlers()))


@pytest.fixture
def new_town(db: Database, clock: ManualClock, settings: Settings) -> Callable[[], Town]:
    def make() -> Town:
        dispatcher = dispatch.Dispatcher(db)
        return Town(db, clock, dispatcher, JobRunner(db, settings, dispatcher.handlers()))

    return make
