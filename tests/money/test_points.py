"""Points on the real database: verbs against the book of single points, time, debts, and many hands at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rest.money import ledger, points
from rest.money.points import store
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conftest import MONDAY, wipe
from tests.money.points_book import CHECKS, Points

ANN = "acc_ann"
DAY = timedelta(days=1)
some = st.integers(1, 6)
which = st.integers(0, 20)


async def faults(db: Database) -> list[str]:
    async with db.begin() as tx:
        found = [name for name, sql in CHECKS.items() if await tx.fetch(sql)]
        return found + await ledger.verify(tx)


async def counts(db: Database) -> dict[str, int]:
    totals = await db.run(points.totals, ANN)
    return {name: getattr(totals, name) for name in ("available", "pending", "held", "used", "expired", "owed")}


def runner(db: Database) -> JobRunner:
    return JobRunner(db, Settings(secret="s" * 32), points.DEADLINES)


async def answer(work: Awaitable[Any]) -> str:
    try:
        await work
    except HubError as refused:
        return refused.code
    return "ok"


def give(db: Database, ref: str, number: int, **more: Any) -> Awaitable[points.Lot]:
    return db.run(points.earn, ANN, number, ref=ref, reason="test", **more)


def machine(url: str) -> type[RuleBasedStateMachine]:
    class PointsMachine(RuleBasedStateMachine):
        """Few lots, few holders, small numbers: everything meets everything."""

        def __init__(self) -> None:
            super().__init__()
            self.loop = asyncio.Runner()
            self.book = Points()
            self.lots: dict[str, datetime] = {}
            self.holds: list[str] = []
            self.steps = 0

        @initialize()
        def connect(self) -> None:
            self.clock = ManualClock(MONDAY)
            self.db = self.loop.run(Database.connect(url, clock=self.clock, pool_size=2))
            self.loop.run(wipe(self.db))

        def run(self, verb: Any, *args: Any, **named: Any) -> Any:
            return self.loop.run(self.db.run(verb, *args, **named))

        @rule(number=some, wait=st.integers(0, 2), live=st.none() | st.integers(1, 8))
        def earn(self, number: int, wait: int, live: int | None) -> None:
            ref, start = f"lot{len(self.lots)}", self.clock.now() + wait * DAY
            ends = start + live * DAY if live else None
            more = {"reason": "test", "available_at": start, "expires_at": ends}
            self.clock.advance(seconds=0.002)  # ids are in the order of time
            lot = self.run(points.earn, ANN, number, ref=ref, **more)
            assert self.run(points.earn, ANN, 9, ref=ref, **more) == lot  # one event gives once
            self.lots[ref] = start
            self.book.earn(ref, number, key=lot.id, pending=wait > 0, expires_at=ends)

        @rule(days=st.integers(1, 2))
        def time(self, days: int) -> None:
            for _ in range(days):
                self.clock.advance(seconds=86_400)
                for ref, start in self.lots.items():
                    if start <= self.clock.now():
                        self.book.mature(ref)
                self.book.expire(self.clock.now())
                self.loop.run(runner(self.db).drain())

        @rule(number=some)
        def hold(self, number: int) -> None:
            holder = f"h{len(self.holds)}"
            expected = "ok" if self.book.hold(holder, number) else "insufficient_points"
            assert self.loop.run(self._hold(holder, number)) == expected
            if expected == "ok":
                self.holds.append(holder)
                assert self.loop.run(self._hold(holder, number)) == "ok"
                assert self.loop.run(self._hold(holder, number + 1)) == "ref_reused"

        @precondition(lambda self: self.holds)
        @rule(which=which, number=some)
        def hold_again(self, which: int, number: int) -> None:
            holder = self.holds[which % len(self.holds)]
            if self.book.at("held", holder=holder) or self.book.at("used", holder=holder):
                return
            expected = "ok" if self.book.hold(holder, number) else "insufficient_points"
            assert self.loop.run(self._hold(holder, number)) == expected

        async def _hold(self, holder: str, number: int) -> str:
            return await answer(self.db.run(points.hold, ANN, number, holder_id=holder))

        @precondition(lambda self: self.holds)
        @rule(which=which, back=st.booleans())
        def end(self, which: int, back: bool) -> None:
            holder = self.holds[which % len(self.holds)]
            if back:
                self.book.back(holder, 99, self.clock.now(), where="held")
                self.run(points.release, holder)
            else:
                self.book.use(holder)
                self.run(points.use_held, holder)

        @precondition(lambda self: self.book.at("used"))
        @rule(which=which, number=some)
        def give_back(self, which: int, number: int) -> None:
            holders = sorted({point.holder for point in self.book.at("used")})
            holder = holders[which % len(holders)]
            number = min(number, len(self.book.at("used", holder=holder)))
            self.steps += 1
            for _ in range(2):  # the same news twice gives back once
                self.run(points.give_back, holder, number, ref=f"back:{self.steps}", reason="refund")
            self.book.back(holder, number, self.clock.now(), where="used")

        @precondition(lambda self: self.lots)
        @rule(which=which, number=some)
        def claw_back(self, which: int, number: int) -> None:
            ref = f"lot{which % len(self.lots)}"
            self.steps += 1
            for _ in range(2):
                self.run(points.claw_back, number, earned_ref=ref, ref=f"claw:{self.steps}", reason="refund")
            self.book.claw_back(ref, number)

        @invariant()
        def tells_the_same_story(self) -> None:
            assert self.loop.run(counts(self.db)) == self.book.counts()
            assert self.loop.run(self._left()) == self.book.left()

        async def _left(self) -> dict[str, int]:
            async with self.db.begin() as tx:
                return {lot.ref: lot.left for lot in await store.lots_of_account(tx, ANN, before_id="~", limit=99)}

        def teardown(self) -> None:
            assert self.loop.run(faults(self.db)) == []
            self.loop.run(self.db.close())
            self.loop.close()

    return PointsMachine


def test_lots_purse_and_book_agree_with_a_book_of_single_points(pg_url: str) -> None:
    few_steps = settings(max_examples=15, stateful_step_count=30, phases=[Phase.generate])
    run_state_machine_as_test(machine(pg_url), settings=few_steps)


async def test_of_many_spends_at_once_only_what_is_there_is_spent(db: Database) -> None:
    for n in range(5):
        await give(db, f"lot{n}", 10, expires_at=MONDAY + (9 - n) * DAY)
    spends = [db.run(points.spend, ANN, 7, holder_id=f"h{n}", reason="test") for n in range(12)]
    holds = [db.run(points.hold, ANN, 7, holder_id="same") for _ in range(4)]
    answers = await asyncio.gather(*map(answer, [*spends, *holds]))
    got = await counts(db)
    assert got["used"] + got["held"] == 49  # seven of them, whoever they were
    assert answers[:12].count("ok") + (got["held"] == 7) == 7
    assert len(set(answers[12:])) == 1
    assert await faults(db) == []


async def test_one_event_gives_once_however_many_tell_of_it(db: Database) -> None:
    await asyncio.gather(*(give(db, "ord_1:completed", 10) for _ in range(8)))
    assert (await counts(db))["available"] == 10
    taken = [
        db.run(points.claw_back, 4, earned_ref="ord_1:completed", ref="ord_1:refund", reason="refund") for _ in range(6)
    ]
    assert sum(await asyncio.gather(*taken)) == 4
    assert await faults(db) == []


async def test_points_taken_back_after_they_were_spent_are_owed_and_paid_from_the_next(db: Database) -> None:
    await give(db, "first", 100)
    await db.run(points.spend, ANN, 80, holder_id="pmo_1", reason="mall")
    assert await db.run(points.claw_back, 100, earned_ref="first", ref="r", reason="refund") == 100
    assert await counts(db) == {"available": 0, "pending": 0, "held": 0, "used": 80, "expired": 0, "owed": 80}
    await give(db, "second", 50)
    assert await answer(db.run(points.hold, ANN, 1, holder_id="x")) == "insufficient_points"
    await db.run(points.give_back, "pmo_1", 80, ref="pmo_1:refund", reason="refund")
    assert (await counts(db))["available"] == 50
    assert await faults(db) == []


async def test_other_points_are_taken_before_anything_is_owed(db: Database) -> None:
    await give(db, "spent", 10, expires_at=MONDAY + DAY)
    await give(db, "other", 10)
    await db.run(points.spend, ANN, 10, holder_id="x", reason="mall")
    await db.run(points.claw_back, 15, earned_ref="spent", ref="r", reason="refund")  # never more than it gave
    assert await counts(db) == {"available": 0, "pending": 0, "held": 0, "used": 10, "expired": 0, "owed": 0}
    assert await faults(db) == []


async def test_a_debt_is_paid_when_pending_points_become_good(db: Database, clock: ManualClock) -> None:
    await give(db, "spent", 10)
    await db.run(points.spend, ANN, 10, holder_id="x", reason="mall")
    await give(db, "waits", 30, available_at=MONDAY + DAY)
    await db.run(points.claw_back, 10, earned_ref="spent", ref="r", reason="refund")
    assert await counts(db) == {"available": 0, "pending": 30, "held": 0, "used": 10, "expired": 0, "owed": 10}
    clock.advance(hours=24)
    await runner(db).drain()
    assert await counts(db) == {"available": 20, "pending": 0, "held": 0, "used": 10, "expired": 0, "owed": 0}
    assert await faults(db) == []


async def test_what_ends_first_is_spent_first_and_what_returns_too_late_is_gone(
    db: Database, clock: ManualClock
) -> None:
    await give(db, "never", 10)
    await give(db, "late", 10, expires_at=MONDAY + 9 * DAY)
    await give(db, "soon", 10, expires_at=MONDAY + 2 * DAY)
    await db.run(points.hold, ANN, 15, holder_id="pay_1")
    async with db.begin() as tx:
        left = {lot.ref: lot.left for lot in await store.lots_of_account(tx, ANN, before_id="~", limit=9)}
    assert left == {"never": 10, "late": 5, "soon": 0}
    clock.advance(seconds=3 * 86_400)
    await runner(db).drain()
    await db.run(points.release, "pay_1")
    assert await counts(db) == {"available": 20, "pending": 0, "held": 0, "used": 0, "expired": 10, "owed": 0}
    assert await faults(db) == []


@pytest.mark.parametrize("number", [0, -1, points.POINTS_MAX + 1])
async def test_numbers_that_are_a_mistake_move_nothing(db: Database, number: int) -> None:
    with pytest.raises(ValueError, match="cannot move"):
        await give(db, "x", number)
