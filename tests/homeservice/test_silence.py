"""HS-208: nothing is heard of a technician under way. Support is warned after five minutes, once, and no longer than
it is true."""

from __future__ import annotations

import asyncio
from typing import Any

from chat import cases, desk
from rest.desk.cases import DecisionParams, Word, deciding
from rest.lines.homeservice import actions
from rest.lines.homeservice.case_side import CASES
from rest.lines.homeservice.deadlines import DEADLINES
from storage.base.settings import Settings
from storage.jobs import JobRunner
from tests.homeservice.conftest import SQUARE, Tech, Town
from tests.homeservice.invariants import violations


async def quiet(town: Town, **time: float) -> None:
    """Time passes and nobody's phone says anything."""
    town.clock.advance(**time)
    await town.run()


async def speak(town: Town, tech: Tech) -> None:
    await town.fix(tech, tech.place)


async def history(town: Town, job: Any) -> list[tuple[str, str | None]]:
    """State and outcome of each case about positions, oldest first."""
    async with town.db.begin() as tx:
        rows = await tx.fetch(
            "SELECT state, outcome FROM cases WHERE subject_id = $1 AND type = 'position_lost' ORDER BY opened_at",
            job.order.id,
        )
    return [(row["state"], row["outcome"]) for row in rows]


async def test_five_minutes_without_a_position_ask_support_once_until_one_comes(town: Town) -> None:
    job, tech = await town.in_status("departed")
    await quiet(town, seconds=120)
    await speak(town, tech)
    await quiet(town, seconds=299)
    assert await town.open_cases(job) == {}
    await quiet(town, seconds=1)
    assert await town.open_cases(job) == {"position_lost": "queue"}
    assert len(await town.heard("desk", "case.opened")) == 1
    for _ in range(4):
        await quiet(town, seconds=30)
    assert await history(town, job) == [("open", None)]
    await speak(town, tech)
    await quiet(town, seconds=30)
    assert await history(town, job) == [("closed", "self_resolved")]
    await quiet(town, seconds=269)
    assert await town.open_cases(job) == {}
    await quiet(town, seconds=1)
    assert await history(town, job) == [("closed", "self_resolved"), ("open", None)], "another silence"
    assert await violations(town.db) == []


async def test_who_never_said_anything_is_silent_from_his_departure_on_and_not_before(town: Town) -> None:
    """An old position from before the departure is none, and nobody is listened for who waits for his time."""
    job, tech = await town.in_status("accepted")
    await quiet(town, minutes=20)
    await speak(town, tech)
    await quiet(town, minutes=10)
    await town.by_worker(actions.depart, job, tech)
    await quiet(town, seconds=299)
    assert await town.open_cases(job) == {}
    await quiet(town, seconds=1)
    assert set(await town.open_cases(job)) == {"position_lost"}


async def test_what_a_person_has_settled_is_not_asked_again_in_the_same_silence(town: Town) -> None:
    job, tech = await town.in_status("departed")
    await quiet(town, minutes=5)
    async with town.db.begin() as tx:
        [case] = await cases.newest_cases(tx, cases.CaseFilter(subject_id=job.order.id))
    word = Word(by="acc_sue", roles=frozenset({"support"}), outcome="technician_goes_on", note="called him",
                params=DecisionParams())  # fmt: skip
    await town.db.run(deciding.decide, {"homeservice": CASES}, case.id, word)
    for _ in range(20):
        await quiet(town, seconds=30)
    assert await history(town, job) == [("closed", "technician_goes_on")]
    await speak(town, tech)
    for _ in range(10):
        await quiet(town, seconds=30)
    assert [state for state, _ in await history(town, job)] == ["closed", "open"]
    assert await violations(town.db) == []


async def test_the_order_moving_on_settles_it_and_ends_the_listening(town: Town) -> None:
    job, tech = await town.in_status("departed")
    await quiet(town, minutes=5)
    assert await violations(town.db) == []
    await town.fix(tech, SQUARE)
    await town.by_worker(actions.arrive, job, tech)
    assert await history(town, job) == [("closed", "self_resolved")]
    await quiet(town, minutes=20)
    assert await town.open_cases(job) == {}
    assert await violations(town.db) == []


async def test_two_programs_ask_once_and_one_that_starts_again_forgets_nothing(town: Town, settings: Settings) -> None:
    """Six orders, two runners over the same rows; before them nobody ran at the instant itself."""
    jobs = [(await town.in_status("departed"))[0] for _ in range(6)]
    town.clock.advance(seconds=310)  # while nothing ran, but for less than a look may be late
    runners = [JobRunner(town.db, settings, DEADLINES | desk.DEADLINES) for _ in range(2)]
    await asyncio.gather(*(runner.drain() for runner in runners))
    assert [await history(town, job) for job in jobs] == [[("open", None)]] * 6
    assert len(await town.heard("desk", "case.opened")) == 6


async def test_after_an_outage_positions_may_come_first(town: Town) -> None:
    """Phones kept what the program could not take: they have half a minute before anybody is asked."""
    job, tech = await town.in_status("departed")
    other, _ = await town.in_status("departed")
    await quiet(town, minutes=10)
    assert await town.open_cases(job) == await town.open_cases(other) == {}
    await speak(town, tech)
    await quiet(town, seconds=30)
    assert await town.open_cases(job) == {}
    assert set(await town.open_cases(other)) == {"position_lost"}
