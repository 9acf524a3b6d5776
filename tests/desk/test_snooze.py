"""Put aside until a time: the agent's own reminder, and nothing that the customer was promised waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import desk
from chat.desk import Kind, Later, Policy, State
from chat.desk.errors import NotYours, SnoozeTime, ThreadState
from chat.desk.later import LONGEST, checked, instant_of
from tests.conftest import MONDAY
from tests.desk.conftest import Desk
from tests.desk.invariants import violations
from tests.desk.test_service import say, timers

HOUR = timedelta(hours=1)


def test_words_for_times_are_of_the_wall_clock_of_the_desk() -> None:
    morning = datetime(2026, 1, 5, 2, tzinfo=UTC)  # 10:00 in Shanghai, still the evening before in New York
    assert instant_of(Later.HOUR, morning, "Asia/Shanghai") == morning + HOUR
    assert instant_of(Later.EVENING, morning, "Asia/Shanghai") == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert instant_of(Later.TOMORROW, morning, "Asia/Shanghai") == datetime(2026, 1, 6, 1, tzinfo=UTC)
    assert instant_of(Later.TOMORROW, morning, "America/New_York") == datetime(2026, 1, 5, 14, tzinfo=UTC)
    with pytest.raises(SnoozeTime):
        instant_of(Later.EVENING, morning, "America/New_York")


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), st.sampled_from(Later),
       st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Auckland"]))  # fmt: skip
def test_a_word_is_always_a_time_to_come(now: datetime, later: Later, zone: str) -> None:
    try:
        at = instant_of(later, now, zone)
    except SnoozeTime:
        assert later is Later.EVENING
        return
    assert now < at <= now + timedelta(hours=34)
    assert checked(at, now) == at


async def test_it_comes_back_at_the_time_and_once(place: Desk) -> None:
    await place.open(idle_warn_s=600, idle_close_s=900)
    sue = await place.agent("sue")
    thread = await place.come()
    await place.serve(thread)
    await say(place, thread, sue, staff=True)
    where = thread.conversation_id
    until = place.clock.now() + HOUR
    aside = await place.db.run(desk.snooze, where, by_id=sue, until=until)
    assert (aside.state, aside.snoozed_until) == (State.PENDING, until)
    await place.stay(sue, minutes=59)
    assert (await place.thread(where)).snoozed_until == until, "a silent customer is not sent away meanwhile"
    await place.stay(sue, minutes=2)
    back = await place.thread(where)
    assert (back.state, back.snoozed_until, back.assignee_id) == (State.PENDING, None, sue)
    assert [fact["snoozed_until"] is None for fact in await place.told("thread.changed")][-2:] == [False, True]
    assert all(f"agent:{sue}" in fact["to"] for fact in await place.told("thread.changed"))
    assert (await place.events(thread)).count("wake") == 1
    await place.stay(sue, minutes=16)
    assert (await place.thread(where)).state is State.RESOLVED, "his silence counts again from then on"
    assert await violations(place.db, is_settled=True) == []


async def test_the_customers_word_brings_it_back_and_promises_run_on(place: Desk) -> None:
    sla = Policy(first_reply_s=600, next_reply_s=300, resolve_s=7200, in_hours=False, pauses_for_customer=False)
    await place.open(sla=sla, idle_warn_s=80_000, idle_close_s=86_400)
    sue = await place.agent("sue")
    thread = await place.come(kind=Kind.TICKET)
    await place.settle()
    where = thread.conversation_id
    await place.db.run(desk.snooze, where, by_id=sue, until=Later.TOMORROW)
    await place.stay(sue, minutes=11)
    assert [fact["kind"] for fact in await place.told("promise.broken")] == ["first_reply"]
    assert (await timers(place, thread))["resolve1"].state == "running"
    await say(place, thread, sue, staff=True)
    assert (await place.thread(where)).snoozed_until is not None, "the agent's own word changes nothing"
    await say(place, thread, "acc_ann")
    back = await place.thread(where)
    assert (back.state, back.snoozed_until) == (State.OPEN, None)
    assert (await place.told("thread.changed"))[-1]["snoozed_until"] is None
    place.clock.advance(hours=30)
    await place.settle()
    assert "wake" not in await place.events(thread), "the old time means nothing any more"


async def test_a_chat_that_owes_an_answer_is_still_given_to_others(place: Desk) -> None:
    await place.open(reply_s=180)
    sue, ben = await place.agent("sue"), await place.agent("ben", online=False)
    thread = await place.come()
    await place.serve(thread)
    await place.db.run(desk.snooze, thread.conversation_id, by_id=sue, until=Later.HOUR)
    await place.db.run(desk.set_state, ben, "online")
    await place.stay(sue, ben, seconds=190)
    other = await place.thread(thread)
    assert (other.assignee_id, other.snoozed_until) == (ben, None)


async def test_who_goes_home_keeps_what_is_put_aside_until_it_is_due(place: Desk) -> None:
    await place.open()
    sue, ben = await place.agent("sue"), await place.agent("ben", online=False)
    thread = await place.come()
    await place.serve(thread)
    await say(place, thread, sue, staff=True)
    await place.db.run(desk.snooze, thread.conversation_id, by_id=sue, until=Later.HOUR)
    await place.db.run(desk.set_state, sue, "offline")
    await place.db.run(desk.set_state, ben, "online")
    await place.stay(ben, minutes=30)
    assert (await place.thread(thread)).assignee_id == sue
    await place.stay(ben, seconds=1_810)
    assert (await place.thread(thread)).assignee_id == ben, "due, and she is not there"
    assert await violations(place.db, is_settled=True) == []


async def test_only_who_has_it_and_only_while_it_is_open(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue")
    await place.agent("lea", is_supervisor=True, online=False)
    thread = await place.come()
    where = thread.conversation_id
    await place.settle()
    with pytest.raises(ThreadState):
        await place.db.run(desk.snooze, where, by_id=sue, until=Later.HOUR)
    await place.serve(thread)
    with pytest.raises(NotYours):
        await place.db.run(desk.snooze, where, by_id="acc_lea", until=Later.HOUR)
    for until in (MONDAY - HOUR, place.clock.now() + timedelta(seconds=59), place.clock.now() + LONGEST + HOUR):
        with pytest.raises(SnoozeTime):
            await place.db.run(desk.snooze, where, by_id=sue, until=until)
    await place.db.run(desk.snooze, where, by_id=sue, until=Later.HOUR)
    woken = await place.db.run(desk.wake, where, by_id=sue)
    assert woken.snoozed_until is None
    assert await place.db.run(desk.wake, where, by_id=sue) == woken
    await place.db.run(desk.snooze, where, by_id=sue, until=Later.HOUR)
    taken = await place.db.run(desk.take_over, where, by_id="acc_lea", note="mine")
    assert (taken.assignee_id, taken.snoozed_until) == ("acc_lea", None)
