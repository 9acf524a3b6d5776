"""Cases on a real database: one open per subject and type, raised when nobody comes, closed by people or by events."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chat import cases
from chat.cases import Case, CaseFilter, CaseState, Priority, Stage
from storage.base import codec
from storage.base.clock import ManualClock
from storage.base.errors import NotFound
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from storage.tx import Tx

ORDER = {"subject_kind": "order", "subject_id": "ord_1"}


async def ask(tx: Tx, /, kind: str = "no_grab", **changed: Any) -> Case:
    values: dict[str, Any] = {
        "type": kind, "line": "homeservice", "title": "Nobody grabbed", "due_at": tx.now + timedelta(minutes=10),
        **ORDER, **changed,
    }  # fmt: skip
    return await cases.open_case(tx, **values)


async def told(db: Database) -> list[tuple[str, str]]:
    """(topic, stage or outcome) in order; all of it went to the desk."""
    async with db.begin() as tx:
        rows = await tx.fetch("SELECT topic, body, audience FROM outbox ORDER BY id")
    assert all(row["audience"] == ["desk"] for row in rows)
    facts = [(row["topic"], codec.loads(row["body"])) for row in rows]
    return [(topic, fact.get("outcome") or fact["stage"]) for topic, fact in facts]


@pytest.fixture
def runner(db: Database, settings: Settings) -> JobRunner:
    return JobRunner(db, settings, cases.DEADLINES)


async def wait(clock: ManualClock, runner: JobRunner, **time: float) -> None:
    clock.advance(**time)
    await runner.drain()


async def test_asking_again_returns_the_open_case(db: Database) -> None:
    """HS-190."""
    async with db.begin() as tx:
        first = await ask(tx)
        again = await ask(tx, title="other words", priority=Priority.TOP)
        other_type = await ask(tx, "no_choice")
        other_order = await ask(tx, subject_id="ord_2")
    assert again == first
    assert len({first.id, other_type.id, other_order.id}) == 3
    assert await told(db) == [("case.opened", "queue")] * 3


async def test_asking_at_once_opens_one_case(db: Database) -> None:
    async def one(_: int) -> str:
        return (await db.run(ask)).id

    assert len(set(await asyncio.gather(*(one(n) for n in range(16))))) == 1
    assert await told(db) == [("case.opened", "queue")]


async def test_a_closed_case_makes_room_for_a_new_one(db: Database) -> None:
    async with db.begin() as tx:
        first = await ask(tx)
        await cases.resolve_cases(tx, "order", "ord_1")
        second = await ask(tx)
        assert (await cases.find_case(tx, first.id)).state is CaseState.CLOSED
    assert first.id != second.id


async def test_nobody_comes(db: Database, clock: ManualClock, runner: JobRunner) -> None:
    """HS-195: all of support after 5 minutes, the lead after 15; each is called once."""
    async with db.begin() as tx:
        await ask(tx)
    await wait(clock, runner, minutes=4, seconds=59)
    assert await told(db) == [("case.opened", "queue")]
    await wait(clock, runner, seconds=1)
    assert await told(db) == [("case.opened", "queue"), ("case.raised", "all")]
    await wait(clock, runner, minutes=9, seconds=59)
    assert len(await told(db)) == 2
    await wait(clock, runner, seconds=1)
    await wait(clock, runner, hours=5)
    assert await told(db) == [("case.opened", "queue"), ("case.raised", "all"), ("case.raised", "lead")]


async def test_after_an_outage_the_lead_is_called_at_once(db: Database, clock: ManualClock, runner: JobRunner) -> None:
    async with db.begin() as tx:
        await ask(tx)
    await wait(clock, runner, minutes=40)
    assert await told(db) == [("case.opened", "queue"), ("case.raised", "lead")]


@pytest.mark.parametrize("ending", ["take", "close", "resolve"])
async def test_a_case_somebody_came_to_is_not_raised(
    db: Database, clock: ManualClock, runner: JobRunner, ending: str
) -> None:
    async with db.begin() as tx:
        case = await ask(tx)
    async with db.begin() as tx:
        if ending == "take":
            await cases.take_case(tx, case.id, "acc_sue")
        elif ending == "close":
            await cases.close_case(tx, **ORDER, types=["no_grab"], outcome="wait_more", by="acc_sue")
        else:
            await cases.resolve_cases(tx, "order", "ord_1", ["no_grab"])
    before = await told(db)
    await wait(clock, runner, hours=1)
    assert await told(db) == before
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM jobs") == 0


async def test_a_timer_is_a_hint(db: Database, clock: ManualClock) -> None:
    """A handler that fires for a case that moved on, or too soon, or for nothing, changes nothing it should not."""
    handler = cases.DEADLINES["case.untouched"]
    async with db.begin() as tx:
        case = await ask(tx)
    async with db.begin() as tx:
        await handler(tx, {"case_id": case.id})
        await handler(tx, {"case_id": "cas_nothing"})
        assert await cases.find_case(tx, case.id) == case
    async with db.begin() as tx:
        due_at = await tx.fetchval("SELECT due_at FROM jobs WHERE kind = 'case.untouched'")
        assert due_at == clock.now() + timedelta(minutes=5)
        taken = await cases.take_case(tx, case.id, "acc_sue")
    clock.advance(hours=1)
    async with db.begin() as tx:
        await handler(tx, {"case_id": case.id})
        assert await cases.find_case(tx, case.id) == taken


async def test_a_line_may_call_the_lead_sooner(db: Database, clock: ManualClock, runner: JobRunner) -> None:
    """HS-079: at 8 minutes the lead, not at 15; nobody is called twice for it."""
    async with db.begin() as tx:
        await ask(tx)
    await wait(clock, runner, minutes=8)
    for _ in range(2):
        async with db.begin() as tx:
            raised = await cases.raise_case(tx, **ORDER, type="no_grab", stage=Stage.LEAD)
    async with db.begin() as tx:
        lower = await cases.raise_case(tx, **ORDER, type="no_grab", stage=Stage.ALL)
        assert await cases.raise_case(tx, **ORDER, type="no_choice", stage=Stage.LEAD) is None
    await wait(clock, runner, hours=1)
    assert raised == lower
    assert await told(db) == [("case.opened", "queue"), ("case.raised", "all"), ("case.raised", "lead")]


async def test_a_case_may_start_with_everybody(db: Database) -> None:
    """HS-111: a call for help skips the queue."""
    async with db.begin() as tx:
        await ask(tx, "safety", priority=Priority.TOP, stage=Stage.ALL)
    assert await told(db) == [("case.opened", "all")]


async def test_one_assignee(db: Database) -> None:
    """HS-191."""
    async with db.begin() as tx:
        case = await ask(tx)

    async def take(who: str) -> str:
        try:
            async with db.begin() as tx:
                return str((await cases.take_case(tx, case.id, who)).taken_by)
        except cases.AlreadyTaken:
            return "already_taken"

    outcomes = await asyncio.gather(*(take(f"acc_{n}") for n in range(12)))
    winner = next(outcome for outcome in outcomes if outcome != "already_taken")
    assert outcomes.count("already_taken") == 11
    assert await take(winner) == winner
    assert [topic for topic, _ in await told(db)] == ["case.opened", "case.taken"]


async def test_a_decision_is_kept_with_its_note_and_the_note_is_not_told(db: Database, clock: ManualClock) -> None:
    """HS-192, HS-196."""
    async with db.begin() as tx:
        case = await ask(tx)
        await cases.take_case(tx, case.id, "acc_sue")
        (closed,) = await cases.close_case(
            tx, **ORDER, types=["no_grab"], outcome="wait_more", by="acc_sue", note="rude on the phone"
        )
        assert await cases.find_case(tx, case.id) == closed
        with pytest.raises(cases.CaseNotOpen):
            await cases.close_case(tx, **ORDER, types=["no_grab"], outcome="cancel", by="acc_sue")
        with pytest.raises(cases.CaseNotOpen):
            await cases.take_case(tx, case.id, "acc_sue")
    assert (closed.outcome, closed.note, closed.closed_by) == ("wait_more", "rude on the phone", "acc_sue")
    assert (closed.closed_at, closed.version) == (clock.now(), 3)
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM outbox WHERE body LIKE '%rude%'") == 0


async def test_cases_of_a_subject_that_moved_on_resolve_themselves(db: Database) -> None:
    """HS-194: only the types named, only this subject."""
    async with db.begin() as tx:
        await ask(tx, "no_grab")
        await ask(tx, "no_choice")
        await ask(tx, "safety")
        await ask(tx, "no_grab", subject_id="ord_2")
        closed = await cases.resolve_cases(tx, "order", "ord_1", ["no_grab", "no_choice", "rejected"])
        assert await cases.resolve_cases(tx, "order", "ord_1", ["no_grab"]) == []
        still = await cases.newest_cases(tx, CaseFilter(states=("open",)))
    assert sorted(case.type for case in closed) == ["no_choice", "no_grab"]
    assert sorted((case.subject_id, case.type) for case in still) == [("ord_1", "safety"), ("ord_2", "no_grab")]
    assert (await told(db))[-2:] == [("case.closed", "self_resolved")] * 2


async def test_closing_and_asking_at_once_never_leaves_two_open(db: Database) -> None:
    async def close(_: int) -> None:
        await db.run(cases.resolve_cases, "order", "ord_1")

    async def open_one(_: int) -> None:
        await db.run(ask)

    await asyncio.gather(*(verb(n) for n in range(12) for verb in (open_one, close)))
    async with db.begin() as tx:
        assert len(await cases.newest_cases(tx, CaseFilter(states=("open", "taken")))) <= 1


async def test_nothing_found(db: Database) -> None:
    async with db.begin() as tx:
        with pytest.raises(NotFound):
            await cases.find_case(tx, "cas_nothing")
        with pytest.raises(NotFound):
            await cases.take_case(tx, "cas_nothing", "acc_sue")


async def test_lists_are_filtered_sorted_and_paged(db: Database, clock: ManualClock) -> None:
    opened = []
    for n, priority in enumerate([3, 9, 1, 3, 9]):
        clock.advance(seconds=1)
        async with db.begin() as tx:
            due_at = tx.now - timedelta(minutes=n)
            opened.append(
                await ask(
                    tx, "safety" if n == 4 else "no_grab", subject_id=f"ord_{n}", priority=priority, due_at=due_at
                )
            )
    async with db.begin() as tx:
        await cases.take_case(tx, opened[0].id, "acc_sue")

        async def newest(limit: int = 9, before: str | None = None, **wanted: Any) -> list[str]:
            found = await cases.newest_cases(tx, CaseFilter(**wanted), before=before, limit=limit)
            return [case.subject_id[-1] for case in found]

        assert await newest() == ["4", "3", "2", "1", "0"]
        assert await newest(2) == ["4", "3"]
        assert await newest(9, opened[3].id) == ["2", "1", "0"]
        assert await newest(states=("taken",)) == ["0"]
        assert await newest(states=("open", "taken"), types=("no_grab",)) == ["3", "2", "1", "0"]
        assert await newest(subject_id="ord_2") == ["2"]

        queue: list[Case] = []
        while page := await cases.urgent_cases(
            tx, CaseFilter(), after=(queue[-1].priority, queue[-1].due_at, queue[-1].id) if queue else None, limit=2
        ):
            queue += page
        assert [case.subject_id[-1] for case in queue] == ["4", "1", "3", "0", "2"]
