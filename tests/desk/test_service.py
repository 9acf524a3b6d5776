"""A thread with its agent: turns, promises, chat and ticket, handing on, taking over, the end and its rating."""

from __future__ import annotations

from typing import Any

import pytest

from chat import conversations, desk
from chat.calendars import Calendar, Interval, lock_calendar
from chat.conversations import Content, Reader, StaleAssignment
from chat.desk import Kind, Policy, State, Thread
from chat.desk.errors import (
    AgentFull,
    AgentOffDuty,
    CapBelowLoad,
    NoteRequired,
    NotYours,
    RatingClosed,
    RatingDenied,
    RatingTokenInvalid,
    ReopenTooLate,
    ResolutionRequired,
)
from chat.desk.sla import Timer
from chat.desk.store import timers as timer_store
from storage.base.errors import Denied, NotFound
from tests.desk.conftest import WORKDAY, Desk

SECRET = "s" * 32


async def say(place: Desk, thread: Thread, who: str, *, staff: bool = False) -> None:
    place.names += 1
    reader = Reader(account_id=who, staff=conversations.Staff() if staff else None)
    current = await place.thread(thread)
    async with place.db.begin() as tx:
        await conversations.say(
            tx, reader, thread.conversation_id, Content(text="hm"), client_id=f"m{place.names:08d}",
            assign_epoch=current.epoch if staff else None,
        )  # fmt: skip
    await place.settle()


async def timers(place: Desk, thread: Thread) -> dict[str, Timer]:
    async with place.db.begin() as tx:
        sql = f"SELECT {timer_store._COLUMNS} FROM sla_timers WHERE conversation_id = $1"
        found = [timer_store._timer(row) for row in await tx.fetch(sql, thread.conversation_id)]
    return {f"{one.kind}{one.no}": one for one in sorted(found, key=lambda one: (one.started_at, one.kind, one.no))}


async def resolve(place: Desk, thread: Thread, who: str, **more: Any) -> Thread:
    return await place.db.run(desk.resolve, thread.conversation_id, by_id=who, **more)


async def test_turns_and_promises_follow_what_is_said(place: Desk) -> None:
    """S1: the clock of the whole stands while the customer thinks; each promise is warned of and broken once."""
    await place.open(reply_s=86_400, idle_warn_s=80_000, idle_close_s=86_400,
                     sla=Policy(first_reply_s=600, next_reply_s=300, resolve_s=3600, in_hours=False))  # fmt: skip
    sue = await place.agent("sue")
    thread = await place.come()
    await place.serve(thread)
    await place.stay(sue, minutes=8)
    assert [(f["kind"], f["percent"]) for f in await place.told("promise.warned")] == [
        ("first_reply", 50), ("first_reply", 80),
    ]  # fmt: skip
    await say(place, thread, sue, staff=True)
    assert (await place.thread(thread)).state is State.PENDING
    await place.stay(sue, minutes=60)
    assert (await timers(place, thread))["resolve1"].state == "paused"
    await say(place, thread, "acc_ann")
    assert (await place.thread(thread)).state is State.OPEN
    await place.stay(sue, minutes=6)
    broken = await place.told("promise.broken")
    assert [(f["kind"], f["assignee_id"]) for f in broken] == [("next_reply", sue)]
    await say(place, thread, sue, staff=True)
    await resolve(place, thread, sue)
    found = await timers(place, thread)
    assert {name: one.state.value for name, one in found.items()} == dict.fromkeys(found, "met")
    assert found["first_reply1"].consumed.total_seconds() == pytest.approx(480, abs=1)
    assert found["resolve1"].consumed.total_seconds() == pytest.approx(840, abs=1)
    assert (found["resolve1"].warned, found["next_reply1"].warned) == (0, 100)
    assert len(await place.told("promise.broken")) == 1


async def test_promises_go_by_new_hours_from_the_change_on(place: Desk) -> None:
    hours_id = await place.hours()
    await place.open(calendar_id=hours_id, sla=Policy(first_reply_s=None, next_reply_s=None, resolve_s=7 * 3600))
    thread = await place.come()
    before = (await timers(place, thread))["resolve1"]
    async with place.db.begin() as tx:
        held = await lock_calendar(tx, hours_id)
        await desk.change_hours(tx, held, Calendar("Asia/Shanghai", ((Interval(540, 720),),) * 7), name="mornings")
    await place.settle()
    after = (await timers(place, thread))["resolve1"]
    assert before.due_at is not None and after.due_at is not None
    assert after.version > before.version
    # From Monday 10:00, mornings of three hours from nine: two, three, and two more on Wednesday.
    assert (after.due_at - after.started_at).total_seconds() == 49 * 3600


async def test_a_chat_becomes_a_ticket_and_a_chat_again_in_one_thread(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue", chats=1)
    thread = await place.come("ann")
    await place.serve(thread)
    ticket = await place.db.run(desk.convert, thread.conversation_id, Kind.TICKET, by_id=sue)
    assert (ticket.state, ticket.epoch, (await place.load(sue)).load) == (State.OPEN, 1, 1)
    await place.come("bob", kind=Kind.TICKET)
    await place.settle()
    with pytest.raises(AgentFull):
        await place.db.run(desk.convert, thread.conversation_id, Kind.CHAT, by_id=sue)
    with pytest.raises(ResolutionRequired):
        await resolve(place, thread, sue)
    await resolve(place, thread, sue, resolution="done")
    assert (await place.load(sue)).load == 1


async def test_a_cap_is_not_set_below_what_is_held(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue", chats=2)
    for name in ("ann", "bob"):
        await place.serve(await place.come(name))
    with pytest.raises(CapBelowLoad):
        async with place.db.begin() as tx:
            agent = await desk.lock_agent(tx, sue)
            await desk.change_agent(tx, agent, name="Sue", chats_max=1, calendar_id=None, is_supervisor=False)
    assert (await place.load(sue)).cap == 8


async def test_handing_on_takes_the_room_first_and_says_why(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue")
    thread = await place.come("ann")
    await place.serve(thread)
    tom = await place.agent("tom", chats=1)
    off = await place.agent("off", online=False)
    hand = {"by_id": sue, "note": "knows French"}
    for wrong, refusal in ((off, AgentOffDuty), ("acc_nobody", NotFound)):
        with pytest.raises(refusal):
            await place.db.run(desk.transfer_to_agent, thread.conversation_id, wrong, **hand)
    with pytest.raises(NoteRequired):
        await place.db.run(desk.transfer_to_agent, thread.conversation_id, tom, by_id=sue, note=" ")
    with pytest.raises(NotYours):
        await place.db.run(desk.transfer_to_agent, thread.conversation_id, tom, by_id=tom, note="mine")
    handed = await place.db.run(desk.transfer_to_agent, thread.conversation_id, tom, **hand)
    assert (handed.state, handed.assignee_id) == (State.OFFERED, tom)
    assert ((await place.load(sue)).load, (await place.load(tom)).load) == (0, 4)
    with pytest.raises((StaleAssignment, conversations.ReadOnly)):
        async with place.db.begin() as tx:
            await conversations.say(
                tx, Reader(account_id=sue, staff=conversations.Staff()), thread.conversation_id, Content(text="wait"),
                client_id="m-after-the-fact", assign_epoch=1,
            )  # fmt: skip
    other = await place.come("bob")
    await place.serve(other)
    with pytest.raises(AgentFull):
        await place.db.run(desk.transfer_to_agent, other.conversation_id, tom, by_id=sue, note="yours too")
    await place.serve(thread)
    async with place.db.begin() as tx:
        noted = await tx.fetch(
            "SELECT body, is_internal FROM messages WHERE conversation_id = $1", thread.conversation_id
        )
    assert [tuple(row) for row in noted] == [("knows French", True)]


async def test_a_supervisor_takes_over_beyond_the_cap_and_it_is_counted_apart(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue")
    boss = await place.agent("boss", chats=1, queues=[], is_supervisor=True, online=False)
    threads = [await place.come(name) for name in ("ann", "bob")]
    for thread in threads:
        await place.serve(thread)
    with pytest.raises(Denied):
        await place.db.run(desk.take_over, threads[0].conversation_id, by_id=sue, note="mine")
    for thread in threads:
        taken = await place.db.run(desk.take_over, thread.conversation_id, by_id=boss, note="I know him")
        assert (taken.state, taken.assignee_id) == (State.OPEN, boss)
    agent = await place.load(boss)
    assert (agent.load, agent.over_units, agent.cap) == (4, 4, 4)
    for thread in threads:
        await resolve(place, thread, boss)
    agent = await place.load(boss)
    assert (agent.load, agent.over_units) == (0, 0)


async def test_a_rating_counts_for_those_who_answered_not_for_who_has_it_later(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue", chats=3)
    boss = await place.agent("boss", queues=[], is_supervisor=True, online=False)
    thread = await place.come("ann")
    await place.serve(thread)
    await say(place, thread, sue, staff=True)
    await say(place, thread, sue, staff=True)
    await place.db.run(desk.take_over, thread.conversation_id, by_id=boss, note="x")
    await say(place, thread, boss, staff=True)
    resolved = await resolve(place, thread, boss)
    async with place.db.begin() as tx:
        rating = await desk.rating_of(tx, thread.conversation_id, resolved.closure_no)
    assert (rating.shares, rating.owner_id) == ({sue: 6667, boss: 3333}, boss)
    with pytest.raises(RatingDenied):
        await place.db.run(desk.rate, rating.id, by_id=sue, score=5)
    with pytest.raises(NotFound):
        await place.db.run(desk.rate, rating.id, by_id="acc_bob", score=5)
    token = desk.token_of(SECRET, rating.id)
    with pytest.raises(RatingTokenInvalid):
        await place.db.run(desk.rate_by_link, SECRET, token[:-1] + "!", score=5)
    await place.db.run(desk.rate_by_link, SECRET, token, score=5, tags=["fast"])
    assert (await place.thread(thread)).state is State.CLOSED
    place.clock.advance(minutes=9)
    await place.db.run(desk.rate, rating.id, by_id="acc_ann", score=4)
    place.clock.advance(minutes=1)
    with pytest.raises(RatingClosed):
        await place.db.run(desk.rate_by_link, SECRET, token, score=1)
    async with place.db.begin() as tx:
        numbers = await desk.statistics(tx, thread.opened_at, place.clock.now())
    assert (numbers.score_mean_milli, numbers.rated, numbers.asked) == (4000, 1, 1)


async def test_an_idle_chat_is_warned_and_ended_and_comes_back_by_a_word(place: Desk) -> None:
    """FR-134, FR-122."""
    await place.open()
    sue = await place.agent("sue")
    thread = await place.come("ann")
    await place.serve(thread)
    await say(place, thread, sue, staff=True)
    await place.stay(sue, minutes=10)
    assert (await place.told("support.changed"))[-1]["notice"] == "idle"
    await place.stay(sue, minutes=5)
    assert ((await place.thread(thread)).state, (await place.load(sue)).load) == (State.RESOLVED, 0)
    await say(place, thread, "acc_ann")
    again = await place.thread(thread)
    assert (again.state, again.assignee_id) == (State.OFFERED, sue)
    await place.serve(thread)
    await resolve(place, thread, sue)
    place.clock.advance(hours=72)
    await place.settle()
    assert (await place.thread(thread)).state is State.CLOSED
    place.clock.advance(hours=24 * 7 + 1)
    with pytest.raises(ReopenTooLate):
        await place.db.run(desk.reopen, thread.conversation_id, by_id="acc_ann")


async def test_dry_run_says_who_and_why_and_the_line_does_the_same(place: Desk) -> None:
    await place.open()
    await place.agent("amy", chats=1)
    await place.agent("ben", online=False)
    await place.agent("cyd", chats=4, calendar_id=await place.hours(((), (), (), (), (), WORKDAY[0], ())))
    await place.serve(await place.come("ann"))
    await place.agent("dan", chats=2)
    thread = await place.come("bob")
    async with place.db.begin() as tx:
        run = await desk.dry_run(tx, desk.Request(kind=Kind.CHAT, category="order"))
        verdicts = await desk.explain(tx, thread)
    assert [(one.agent_id, one.place, one.why_not) for one in run.verdicts] == [
        ("acc_dan", 1, ()),
        ("acc_amy", None, ("no_room",)),
        ("acc_ben", None, ("state_offline", "not_present")),
        ("acc_cyd", None, ("off_duty",)),
    ]
    assert [one.agent_id for one in verdicts] == [one.agent_id for one in run.verdicts]
    await place.settle()
    assert (await place.thread(thread)).assignee_id == "acc_dan"
