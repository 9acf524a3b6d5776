"""Cases as a property: whoever opens, takes, hands on, releases, decides and moves on, in any order and time.

After every step the table is what the model says, its history has no hole, and a case that nobody is on has its
deadline. The model knows the rules of HS-190 to HS-195 and nothing of the code.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chat import cases
from chat.cases import Stage
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conftest import MONDAY, SECRET, wipe

T = TypeVar("T")
EXAMPLES = int(os.environ.get("FIELDHUB_TEST_EXAMPLES", "10"))
KINDS, PEOPLE = ("no_grab", "safety"), ("acc_a", "acc_b", "acc_c")


@dataclass
class Model:
    """One case as it should be."""

    kind: str
    opened_at: datetime
    state: str = "open"
    stage: str = "queue"
    holder: str | None = None
    outcome: str | None = None
    version: int = 1

    def raised(self, now: datetime) -> None:
        due = [("all", 5), ("lead", 15)]
        if self.state == "open":
            reached = [name for name, minutes in due if now >= self.opened_at + timedelta(minutes=minutes)]
            ranks = ["queue", "all", "lead"]
            if reached and ranks.index(reached[-1]) > ranks.index(self.stage):
                self.stage, self.version = reached[-1], self.version + 1


class Cases(RuleBasedStateMachine):
    """One order, two types, three people; the first of them leads."""

    pg_url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.known: dict[str, Model] = {}
        self.clock = ManualClock(MONDAY)
        self.db = self.wait(self._open())
        self.jobs = JobRunner(self.db, Settings(secret=SECRET), cases.DEADLINES)

    async def _open(self) -> Database:
        db = await Database.connect(self.pg_url, clock=self.clock, pool_size=2)
        await wipe(db)
        return db

    def wait(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            return await work

        return self.runner.run(done())

    def teardown(self) -> None:
        self.wait(self.db.close())
        self.runner.close()

    def ask(self, work: Awaitable[object]) -> str:
        try:
            self.wait(work)
        except HubError as problem:
            return problem.code
        return "ok"

    @rule(kind=st.sampled_from(KINDS))
    def opens(self, kind: str) -> None:
        now = self.clock.now()
        case = self.wait(
            self.db.run(
                cases.open_case, type=kind, line="x", subject_kind="order", subject_id="ord_1", title="?", due_at=now
            )
        )
        still = next((key for key, one in self.known.items() if one.kind == kind and one.state != "closed"), None)
        assert still in {None, case.id}
        self.known.setdefault(case.id, Model(kind, now))

    @rule(data=st.data(), who=st.sampled_from(PEOPLE), what=st.sampled_from(["take", "release", "transfer", "remark"]))
    def somebody_does(self, data: st.DataObject, who: str, what: str) -> None:
        if not self.known:
            return
        case_id = data.draw(st.sampled_from(sorted(self.known)))
        one, leads, to = self.known[case_id], who == PEOPLE[0], data.draw(st.sampled_from(PEOPLE))
        others = one.state == "taken" and one.holder != who
        verbs = {
            "take": (lambda: self.db.run(cases.take_case, case_id, who), others),
            "release": (lambda: self.db.run(cases.release_case, case_id, who, leads=leads), others and not leads),
            "transfer": (
                lambda: self.db.run(cases.transfer_case, case_id, who, to, note="x", leads=leads),
                others and not leads,
            ),
            "remark": (lambda: self.db.run(cases.remark, case_id, who, "x"), False),
        }
        verb, is_refused = verbs[what]
        answer = self.ask(verb())
        if one.state == "closed":
            assert answer == "case_not_open"
        elif is_refused:
            assert answer == "already_taken"
        elif what == "release" and one.state == "open":
            assert answer == "case_not_taken"
        else:
            assert answer == "ok"
            self._done(one, what, who, to)

    def _done(self, one: Model, what: str, who: str, to: str) -> None:
        holder = {"take": who, "transfer": to, "release": None, "remark": one.holder}[what]
        if what == "remark" or holder != one.holder:
            one.version += 1
        one.holder, one.state = holder, "taken" if holder else "open"

    @rule(kind=st.sampled_from(KINDS), by=st.sampled_from([None, *PEOPLE]))
    def is_closed(self, kind: str, by: str | None) -> None:
        live = [one for one in self.known.values() if one.kind == kind and one.state != "closed"]
        if by is None:
            self.wait(self.db.run(cases.resolve_cases, "order", "ord_1", [kind]))
        else:
            answer = self.ask(
                self.db.run(
                    cases.close_case, subject_kind="order", subject_id="ord_1", types=[kind], outcome="done", by=by
                )
            )
            assert answer == ("ok" if live else "case_not_open")
        for one in live:
            one.state, one.outcome, one.version = "closed", "done" if by else "self_resolved", one.version + 1

    @rule(minutes=st.sampled_from([1, 4, 5, 11]))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(minutes=minutes)
        self.wait(self.jobs.drain())
        for one in self.known.values():
            one.raised(self.clock.now())

    @invariant()
    def the_table_is_what_the_model_says(self) -> None:
        self.wait(self.jobs.drain())
        for one in self.known.values():
            one.raised(self.clock.now())
        rows = self.wait(self._rows())
        found = {
            row["id"]: (row["state"], row["stage"], row["taken_by"], row["outcome"], row["version"]) for row in rows
        }
        assert found == {
            key: (one.state, one.stage, one.holder, one.outcome, one.version) for key, one in self.known.items()
        }
        for row in rows:
            assert row["steps"] == row["version"] == row["last"]
            assert row["has_job"] == (row["state"] == "open" and row["stage"] != Stage.LEAD)

    async def _rows(self) -> list[dict[str, object]]:
        async with self.db.begin() as tx:
            rows = await tx.fetch("""
                SELECT c.*, (SELECT count(*) FROM case_events e WHERE e.case_id = c.id) AS steps,
                       (SELECT max(n) FROM case_events e WHERE e.case_id = c.id) AS last,
                       EXISTS (SELECT FROM jobs j WHERE j.key = 'case:' || c.id || ':untouched') AS has_job
                  FROM cases c""")
        return [dict(row) for row in rows]


def test_whatever_people_do_a_case_has_one_assignee_and_its_history(pg_url: str) -> None:
    Cases.pg_url = pg_url
    run_state_machine_as_test(Cases, settings=limits(max_examples=EXAMPLES, stateful_step_count=30, deadline=None))
