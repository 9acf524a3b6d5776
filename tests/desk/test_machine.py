"""The desk as a property: whatever customers, agents, supervisors and time do, in any order, the invariants hold.

Hypothesis drives it on real PostgreSQL. After every step the database is asked whether one assignee, one load, one
closure and the statistics are true (A1, A2, A4, Q1, T1), and once what is due is done, that nobody waits whom somebody
can serve (W1). Each offer made is judged by the pure rules at the moment it is made: by whom it may be had (A3), and
that nobody is served before one of the same priority and skills who came earlier (W2). Promises are compared with their
oracle (S1).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from datetime import datetime, timedelta
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

from chat import conversations, desk
from chat.calendars import Calendar, is_open
from chat.conversations import Content, Reader
from chat.desk import Kind, Later, Rule, Severity, State, Thread, When
from chat.desk.model import PRESENCE_LEASE_S
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conftest import MONDAY, SECRET, wipe
from tests.desk.conftest import WORKDAY, Desk
from tests.desk.invariants import violations

T = TypeVar("T")
EXAMPLES = int(os.environ.get("FIELDHUB_TEST_EXAMPLES", "6"))
AGENTS = ("acc_amy", "acc_ben", "acc_cyd", "acc_sup")
CUSTOMERS = ("ann", "bob", "cat")
THREADS_MAX = 8
LEASE = timedelta(seconds=PRESENCE_LEASE_S)

agents = st.sampled_from(AGENTS)
numbers = st.integers(0, THREADS_MAX - 1)


class Machine(RuleBasedStateMachine):
    """Two queues, three agents and a supervisor."""

    pg_url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.threads: list[Thread] = []
        self.here: set[str] = set()
        self.is_settled = False
        self.said = 0
        self.gone_at: dict[str, datetime] = {}
        self.desk = self.wait(self._build())

    def wait(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            return await work

        return self.runner.run(done())

    async def _build(self) -> Desk:
        clock = ManualClock(MONDAY)
        db = await Database.connect(self.pg_url, clock=clock, pool_size=4)
        await wipe(db)
        settings = Settings(secret=SECRET)
        return Desk(db, clock, JobRunner(db, settings, desk.DEADLINES, subscribers=desk.SUBSCRIBERS))

    def teardown(self) -> None:
        self.wait(self.desk.db.close())
        self.runner.close()

    def ask(self, work: Awaitable[Any]) -> str:
        """Do it; the code of the refusal, or ok. Anything but a refusal with a code is a bug."""
        self.is_settled = False
        try:
            self.wait(work)
        except HubError as refused:
            return refused.code
        return "ok"

    @initialize()
    def open(self) -> None:
        async def build() -> None:
            place = self.desk
            self.hours = Calendar("Asia/Shanghai", WORKDAY)
            hours = await place.hours()
            await place.open(calendar_id=hours, overflow_s=30)
            help_id = place.queue_id
            fine = await place.queue(name="fine", strategy="round_robin", overflow_queue_id=help_id)
            self.queues = [help_id, fine.id]
            await place.rules(
                Rule(name="fine", queue_id=fine.id, when=When(categories=("fine",)), optional_skills=("french",)),
                Rule(name="tech", queue_id=help_id, when=When(categories=("tech",)), required_skills=("tech",)),
                Rule(name="all", queue_id=help_id),
            )
            await place.agent("amy", chats=1, skills={"tech": 3}, queues=self.queues, calendar_id=hours)
            await place.agent("ben", chats=2, queues=[help_id])
            await place.agent("cyd", chats=2, skills={"tech": 1, "french": 2}, queues=self.queues, online=False)
            await place.agent("sup", chats=1, queues=[], is_supervisor=True, online=False)
            async with place.db.begin() as tx:
                desk.begin_sweeping(tx)
            self.here = {"acc_amy", "acc_ben"}

        self.wait(build())
        for who, category in zip(CUSTOMERS, ("any", "tech", "fine"), strict=True):
            self.threads.append(self.wait(self.desk.come(who, category=category)))

    # Customers

    @precondition(lambda self: len(self.threads) < THREADS_MAX)
    @rule(
        who=st.sampled_from(CUSTOMERS), kind=st.sampled_from(Kind), category=st.sampled_from(["any", "tech", "fine"]),
        severity=st.sampled_from([Severity.NORMAL, Severity.NORMAL, Severity.EMERGENCY]), rank=st.sampled_from([0, 50]),
    )  # fmt: skip
    def come(self, who: str, kind: Kind, category: str, severity: Severity, rank: int) -> None:
        self.is_settled = False
        work = self.desk.come(who, kind=kind, category=category, severity=severity, rank=rank)
        self.threads.append(self.wait(work))

    def nth(self, n: int) -> Thread:
        return self.threads[n % len(self.threads)]

    def at(self, n: int) -> Thread | None:
        return self.wait(self.desk.thread(self.nth(n))) if self.threads else None

    @precondition(lambda self: self.threads)
    @rule(n=numbers)
    def write(self, n: int) -> None:
        if (thread := self.at(n)) is not None:
            self.ask(self.say(thread, Reader(account_id=thread.customer_id)))

    @precondition(lambda self: self.threads)
    @rule(n=numbers)
    def withdraw(self, n: int) -> None:
        if (thread := self.at(n)) is not None:
            self.ask(self.desk.db.run(desk.withdraw, thread.conversation_id, by_id=thread.customer_id))

    @precondition(lambda self: self.threads)
    @rule(n=numbers)
    def reopen(self, n: int) -> None:
        if (thread := self.at(n)) is not None:
            self.ask(self.desk.db.run(desk.reopen, thread.conversation_id, by_id=thread.customer_id))

    @precondition(lambda self: self.threads)
    @rule(n=numbers, score=st.integers(1, 5))
    def rate(self, n: int, score: int) -> None:
        async def give(thread: Thread) -> None:
            async with self.desk.db.begin() as tx:
                rating = await desk.rating_of(tx, thread.conversation_id, thread.closure_no)
                await desk.rate(tx, rating.id, by_id=thread.customer_id, score=score)

        if (thread := self.at(n)) is not None:
            self.ask(give(thread))

    # Agents

    async def say(self, thread: Thread, reader: Reader) -> None:
        self.said += 1
        self.desk.clock.advance(seconds=0.001)  # what is said after a closure is not said at the instant of it
        async with self.desk.db.begin() as tx:
            await conversations.say(
                tx, reader, thread.conversation_id, Content(text="…"), client_id=f"m{self.said:08d}",
                assign_epoch=thread.epoch,
            )  # fmt: skip

    @precondition(lambda self: self.threads)
    @rule(n=numbers, who=agents)
    def answer(self, n: int, who: str) -> None:
        """Only who has it may, and he may (A4)."""
        thread = self.at(n)
        if thread is None:
            return
        outcome = self.ask(self.say(thread, Reader(account_id=who, staff=conversations.Staff())))
        if thread.state in (State.OPEN, State.PENDING) and thread.assignee_id == who:
            assert outcome == "ok", outcome

    @precondition(lambda self: self.threads)
    @rule(n=numbers, accepts=st.booleans())
    def respond(self, n: int, accepts: bool) -> None:
        if not self.threads:
            return
        offer = self.wait(self.desk.live(self.nth(n)))
        if offer is not None and offer.accepted_at is None:
            verb = desk.accept if accepts else desk.decline
            outcome = self.ask(self.desk.db.run(verb, offer.id, offer.agent_id))
            assert outcome in ("ok", "offer_gone")

    @precondition(lambda self: self.threads)
    @rule(replies=st.booleans())
    def work(self, replies: bool) -> None:
        """A good quarter of an hour: whatever is offered is accepted, and answered."""
        self.wait(self._judged(self.desk.settle()))
        for n in range(len(self.threads)):
            self.respond(n, True)
            thread = self.at(n)
            if replies and thread is not None and thread.state is State.OPEN and thread.assignee_id is not None:
                self.answer(n, thread.assignee_id)

    @precondition(lambda self: self.threads)
    @rule(n=numbers, text=st.sampled_from([None, "done"]))
    def resolve(self, n: int, text: str | None) -> None:
        thread = self.at(n)
        if thread is not None:
            by = thread.assignee_id or "acc_sup"
            self.ask(self.desk.db.run(desk.resolve, thread.conversation_id, by_id=by, resolution=text))

    @precondition(lambda self: self.threads)
    @rule(n=numbers, later=st.sampled_from([Later.HOUR, Later.HOUR, Later.TOMORROW, None]))
    def snooze(self, n: int, later: Later | None) -> None:
        thread = self.at(n)
        if thread is None:
            return
        who, where = thread.assignee_id or "acc_amy", thread.conversation_id
        is_own = thread.assignee_id is not None and thread.state in (State.OPEN, State.PENDING)
        verb = self.desk.db.run(desk.wake, where, by_id=who) if later is None else self.desk.db.run(
            desk.snooze, where, by_id=who, until=later)  # fmt: skip
        assert (self.ask(verb) == "ok") == (is_own or (later is None and thread.assignee_id is not None))

    @precondition(lambda self: self.threads)
    @rule(n=numbers, kind=st.sampled_from(Kind))
    def convert(self, n: int, kind: Kind) -> None:
        if self.threads:
            self.ask(self.desk.db.run(desk.convert, self.nth(n).conversation_id, kind, by_id="acc_sup"))

    @precondition(lambda self: self.threads)
    @rule(n=numbers, to=agents, override=st.booleans())
    def transfer(self, n: int, to: str, override: bool) -> None:
        if self.threads:
            self.ask(
                self.desk.db.run(
                    desk.transfer_to_agent,
                    self.nth(n).conversation_id,
                    to,
                    by_id="acc_sup",
                    note="yours",
                    override=override,
                )  # fmt: skip
            )

    @precondition(lambda self: self.threads)
    @rule(n=numbers, queue=st.integers(0, 1))
    def move(self, n: int, queue: int) -> None:
        if self.threads:
            work = self.desk.db.run(
                desk.transfer_to_queue,
                self.nth(n).conversation_id,
                self.queues[queue],
                by_id="acc_sup",
                note="x",
            )
            self.ask(work)

    @precondition(lambda self: self.threads)
    @rule(n=numbers)
    def take_over(self, n: int) -> None:
        if self.threads:
            self.ask(self.desk.db.run(desk.take_over, self.nth(n).conversation_id, by_id="acc_sup", note="mine"))

    @rule(who=agents, verb=st.sampled_from(["online", "online", "online", "busy", "away", "offline"]))
    def become(self, who: str, verb: str) -> None:
        self.here.add(who)
        self.ask(self.desk.db.run(desk.renew_presence, who))
        self.ask(self.desk.db.run(desk.set_state, who, verb))

    @rule(who=agents)
    def vanish(self, who: str) -> None:
        if who in self.here:
            self.here.discard(who)
            self.gone_at[who] = self.desk.clock.now()

    # Time

    @rule(seconds=st.sampled_from([1, 10, 26, 61, 130, 200]))
    def wait_a_while(self, seconds: int) -> None:
        self.wait(self._judged(self.desk.stay(*sorted(self.here), seconds=seconds)))
        self.is_settled = True

    @rule(hours=st.sampled_from([1, 8, 80]))
    def wait_long(self, hours: int) -> None:
        async def jump() -> None:
            self.desk.clock.advance(hours=hours)
            await self.desk.settle()

        self.wait(self._judged(jump()))
        self.is_settled = True

    @rule()
    def settle(self) -> None:
        self.wait(self._judged(self.desk.settle()))
        self.is_settled = True

    async def _judged(self, work: Awaitable[None]) -> None:
        """Every assignment the line makes meanwhile is judged by the database of that very moment (A3, W2)."""
        async with self.desk.db.begin() as tx:
            before = await tx.fetchval("SELECT coalesce(max(no), 0) FROM desk_events")
        await work
        async with self.desk.db.begin() as tx:
            rows = await tx.fetch(
                """
                SELECT a.agent_id, a.offered_at, t.required_skills,
                       (SELECT array_agg(skill) FROM agent_skills s WHERE s.agent_id = a.agent_id) AS skills
                  FROM desk_events e
                  JOIN assignments a ON a.id = e.detail->>'assignment_id'
                  JOIN desk_threads t ON t.conversation_id = a.conversation_id
                 WHERE e.no > $1 AND e.verb IN ('offer', 'assign') AND a.reason IN ('known', 'balanced', 'round_robin')
                """,
                before,
            )
            for row in rows:
                left_at = self.gone_at.get(row["agent_id"], MONDAY)
                is_here = row["agent_id"] in self.here or row["offered_at"] < left_at + LEASE
                assert is_here, "A3 given to who is not there"
                assert row["agent_id"] != "acc_amy" or is_open(self.hours, row["offered_at"]), "A3 off duty"
                assert set(row["required_skills"]) <= set(row["skills"] or ()), "A3 without the skill"
                spell = await tx.fetchval(
                    "SELECT state FROM agent_state_log WHERE agent_id = $1 AND during @> $2::timestamptz",
                    row["agent_id"], row["offered_at"],
                )  # fmt: skip
                # Whoever was given it may have become another at the same instant, for that is all the log can tell.
                assert spell in ("online", "away"), f"A3 given to one who was {spell}"

    # After every step

    @invariant()
    def the_desk_is_right(self) -> None:
        assert self.wait(violations(self.desk.db, is_settled=self.is_settled)) == []

    @invariant()
    def the_line_is_straight(self) -> None:
        """W2: of two who wait in one queue with one priority and the same skills, who came first is not overtaken."""

        async def look() -> None:
            async with self.desk.db.begin() as tx:
                rows = await tx.fetch(
                    """
                    SELECT w.conversation_id, a.conversation_id AS served
                      FROM desk_threads w
                      JOIN assignments a ON a.queue_id = w.queue_id AND a.offered_at > w.state_at
                       AND a.reason IN ('known', 'balanced', 'round_robin') AND a.queued_at > w.queued_at
                      JOIN desk_threads t ON t.conversation_id = a.conversation_id
                     WHERE w.state = 'queued' AND w.priority >= t.priority AND w.units <= a.units
                       AND w.required_skills <@ t.required_skills AND w.optional_skills <@ t.optional_skills
                       AND w.declined_by = '{}' AND w.queue_id = t.queue_id AND w.version = 1 AND t.kind = w.kind
                    """
                )
                assert [dict(row) for row in rows] == []

        self.wait(look())


def test_whatever_happens_the_desk_is_right(pg_url: str) -> None:
    Machine.pg_url = pg_url
    run_state_machine_as_test(Machine, settings=limits(max_examples=EXAMPLES, stateful_step_count=30, deadline=None))
