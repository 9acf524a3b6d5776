"""The pool as a property: whatever workers, customers, money and time do, in any order, the invariants hold.

Hypothesis drives dispatch on real PostgreSQL: post, waves, grab (also unasked, repeated and late), withdraw, decline,
choose, pay, unbind, late money, pause, push again, cancel, expire, go offline and back, and the clock. After every step
`invariants.violations` asks the database, and a model of offers checks that each ended offer is told once (I5), that no
worker wins twice for one time (I2) and that an always-eligible worker is offered every call within its waves (I14).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import dispatch
from dispatch.model import LIVE, Call, CallStatus, Mode, Worker
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conftest import MONDAY, SECRET, wipe
from tests.dispatch.conftest import Town
from tests.dispatch.invariants import violations

T = TypeVar("T")
WORKERS = 5
EXAMPLES = int(os.environ.get("FIELDHUB_TEST_EXAMPLES", "20"))
CALLS_MAX = 6


class Pool(RuleBasedStateMachine):
    """One town, five workers, a few calls."""

    pg_url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.calls: list[Call] = []
        self.workers: list[Worker] = []
        self.grabbed: list[tuple[Call, Worker]] = []
        self.town = self.wait(self._build())

    def wait(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            return await work

        return self.runner.run(done())

    async def _build(self) -> Town:
        clock = ManualClock(MONDAY)
        db = await Database.connect(self.pg_url, clock=clock, pool_size=4)
        await wipe(db)
        dispatcher = dispatch.Dispatcher(db)
        runner = JobRunner(db, Settings(secret=SECRET), dispatcher.handlers())
        return Town(db, clock, dispatcher, runner)

    def teardown(self) -> None:
        self.wait(self.town.db.close())
        self.runner.close()

    def ask(self, work: Awaitable[Any]) -> str:
        """Do it; the code of the refusal, or ok. Anything but a refusal with a code is a bug."""
        try:
            self.wait(work)
        except HubError as refused:
            assert refused.status in {409, 422}, refused.code
            return refused.code
        return "ok"

    def state(self, call: Call) -> Call:
        return self.wait(self.town.state(call))

    @initialize()
    def people(self) -> None:
        for n in range(WORKERS):
            self.workers.append(self.wait(self.town.worker(metres=300 * (n + 1))))
        for in_h in (2, 2.5):  # two that overlap, so that nobody can have both
            self.calls.append(self.wait(self.town.call(in_h=in_h)))

    @precondition(lambda self: len(self.calls) < CALLS_MAX)
    @rule(
        mode=st.sampled_from([Mode.CHOOSE_BACK, Mode.CHOOSE_BACK, Mode.FIRST_WINS]), in_h=st.sampled_from([2, 2.5, 4])
    )
    def post(self, mode: Mode, in_h: float) -> None:
        self.calls.append(self.wait(self.town.call(mode=mode, in_h=in_h)))

    @rule(seconds=st.sampled_from([0, 1, 5, 6, 30, 700]))
    def time_passes(self, seconds: int) -> None:
        self.town.clock.advance(seconds=seconds)
        self.wait(self.town.fresh(*self.workers))
        self.wait(self.town.run())

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), request=st.sampled_from(["r1", "r2"]))
    def grab(self, data: st.DataObject, request: str) -> None:
        call, worker = self.pick(data)
        if self.ask(self.town.grab(call, worker, request)) == "ok":
            self.grabbed.append((call, worker))

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), verb=st.sampled_from(["withdraw", "decline"]))
    def worker_changes_mind(self, data: st.DataObject, verb: str) -> None:
        call, worker = (
            data.draw(st.sampled_from(self.grabbed)) if verb == "withdraw" and self.grabbed else self.pick(data)
        )
        self.ask(self.town.db.run(getattr(dispatch, verb), call.id, worker.id))

    @precondition(lambda self: self.grabbed)
    @rule(data=st.data())
    def choose(self, data: st.DataObject) -> None:
        call, worker = data.draw(st.sampled_from(self.grabbed))
        if call.mode is Mode.CHOOSE_BACK:
            self.ask(self.town.lock(call, worker))

    @precondition(lambda self: self.grabbed)
    @rule(data=st.data())
    def money_comes(self, data: st.DataObject) -> None:
        """In time for the locked one, late for one unbound before, or for nobody."""
        call, worker = data.draw(st.sampled_from(self.grabbed))
        before = self.state(call)
        if call.mode is Mode.CHOOSE_BACK and self.ask(self.town.db.run(dispatch.win, call.id, worker.id)) == "ok":
            assert before.status is CallStatus.OPEN or before.worker_id == worker.id

    @precondition(lambda self: self.calls)
    @rule(
        data=st.data(),
        verb=st.sampled_from(["unlock", "pause", "resume", "renew", "reopen", "finish", "cancel", "expire"]),
    )
    def owner_acts(self, data: st.DataObject, verb: str) -> None:
        call, _ = self.pick(data)
        run = self.town.db.run
        acts = {
            "unlock": lambda: run(dispatch.unlock, call.id, reason="unpaid"),
            "pause": lambda: run(dispatch.pause, call.id, reason="cancel asked"),
            "resume": lambda: run(dispatch.resume, call.id),
            "renew": lambda: run(dispatch.renew, call.id, radius_factor=2.0),
            "reopen": lambda: run(dispatch.reopen, call.id, reason="rejected"),
            "finish": lambda: run(dispatch.finish, call.id),
            "cancel": lambda: run(dispatch.close_call, call.id, reason="cancelled"),
            "expire": lambda: run(dispatch.close_call, call.id, reason="too late", expired=True),
        }
        self.ask(acts[verb]())

    @rule(n=st.integers(0, WORKERS - 1), verb=st.sampled_from(["go_offline", "go_online", "go_online"]))
    def comes_and_goes(self, n: int, verb: str) -> None:
        worker = self.workers[n]
        assert self.ask(self.town.db.run(getattr(dispatch, verb), worker.id)) == "ok"
        self.wait(self.town.dispatcher.refresh([worker.id]))

    @precondition(lambda self: self.calls)
    @rule()
    def dispatcher_dies(self) -> None:
        """Its memory is gone; a new one knows the same workers."""
        before = {entry.worker_id for entry in self.town.dispatcher.index}
        dispatcher = dispatch.Dispatcher(self.town.db)
        self.wait(dispatcher.rebuild())
        assert {entry.worker_id for entry in dispatcher.index} == before
        self.town.dispatcher = dispatcher
        self.town.runner = JobRunner(self.town.db, Settings(secret=SECRET), dispatcher.handlers())

    def pick(self, data: st.DataObject) -> tuple[Call, Worker]:
        return data.draw(st.sampled_from(self.calls)), data.draw(st.sampled_from(self.workers))

    @invariant()
    def holds(self) -> None:
        assert self.wait(violations(self.town.db)) == []

    @precondition(lambda self: self.calls)
    @rule()
    def everybody_eligible_hears_of_every_open_call(self) -> None:
        """I14, I10: within the plan's waves, whoever may be offered a call has been."""
        for _ in range(3):
            self.town.clock.advance(seconds=20)
            self.wait(self.town.fresh(*self.workers))
            self.wait(self.town.run())
        for call in self.calls:
            if self.state(call).status is not CallStatus.OPEN or call.mode is not Mode.CHOOSE_BACK:
                continue
            missed = [one for one in self.wait(self._candidates(call)) if one.reason == "later_wave"]
            assert missed == []

    async def _candidates(self, call: Call) -> list[Any]:
        async with self.town.db.begin() as tx:
            return await dispatch.candidates(tx, call.id)

    @rule()
    def nothing_is_late(self) -> None:
        """I10: no deadline older than now is left once the runner has been."""
        self.wait(self.town.run())
        assert self.wait(self._overdue()) == 0

    async def _overdue(self) -> int:
        async with self.town.db.begin() as tx:
            count: int = await tx.fetchval("SELECT count(*) FROM jobs WHERE due_at < $1", tx.now - timedelta(seconds=1))
            return count


def test_the_pool_keeps_its_invariants(pg_url: str) -> None:
    machine = type("PoolHere", (Pool,), {"pg_url": pg_url})
    run_state_machine_as_test(machine, settings=limits(max_examples=EXAMPLES, stateful_step_count=50, deadline=None))


def test_live_states_are_those_a_call_can_leave() -> None:
    assert {status for status in CallStatus if status in LIVE} == {
        CallStatus.OPEN, CallStatus.PAUSED, CallStatus.LOCKED, CallStatus.WON,
    }  # fmt: skip
