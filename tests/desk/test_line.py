"""Who waits, who is asked, and what follows from yes, no and silence."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from chat import desk
from chat.desk import Kind, Rule, Severity, State, When
from chat.desk.errors import OfferGone
from storage.base.errors import NotFound
from tests.desk.conftest import Desk


async def test_the_oldest_waiting_is_offered_to_whoever_comes(place: Desk) -> None:
    await place.open()
    first, second = await place.come("ann"), await place.come("bob")
    await place.settle()
    sue = await place.agent("sue", chats=1)
    await place.settle()
    assert ((await place.thread(first)).state, (await place.thread(first)).assignee_id) == (State.OFFERED, sue)
    assert (await place.thread(second)).state is State.QUEUED
    assert await place.serve(first) == sue
    await place.db.run(desk.reply, first.conversation_id, sue)
    assert (await place.load(sue)).load == 4
    async with place.db.begin() as tx:
        await desk.resolve(tx, first.conversation_id, by_id=sue)
    await place.settle()
    assert (await place.thread(second)).assignee_id == sue, "drained the moment the slot was free"


async def test_severity_then_members_then_age(place: Desk) -> None:
    """RV-274, RV-355; FR-125's emergencies."""
    await place.open()
    plain = await place.come("ann")
    place.clock.advance(seconds=1)
    member = await place.come("bob", rank=desk.MEMBER_RANK)
    place.clock.advance(seconds=1)
    urgent = await place.come("cat", severity=Severity.EMERGENCY)
    await place.agent("sue", chats=3)
    given = []
    while made := await place.db.run(desk.drain, place.queue_id):
        given.append(made.conversation_id)
    assert given == [urgent.conversation_id, member.conversation_id, plain.conversation_id]


async def test_the_least_loaded_gets_it_and_the_more_skilled_of_two(place: Desk) -> None:
    await place.open()
    await place.rules(Rule(name="all", queue_id=place.queue_id, required_skills=("english",)))
    busy = await place.agent("amy", chats=4, skills={"english": 5})
    await place.agent("ben", chats=4)
    one = await place.come()
    await place.settle()
    assert (await place.thread(one)).assignee_id == busy
    calm = await place.agent("cyd", chats=4, skills={"english": 2})
    two = await place.come("bob")
    await place.settle()
    assert (await place.thread(two)).assignee_id == calm, "one of four is busier than none of four"
    three = await place.come("cat")
    await place.settle()
    assert (await place.thread(three)).assignee_id == busy, "equally busy: the better one"


async def test_a_customer_who_returns_meets_the_same_agent_for_a_minute(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue", chats=2)
    first = await place.come("ann")
    await place.serve(first)
    async with place.db.begin() as tx:
        await desk.reply(tx, first.conversation_id, sue)
    tom = await place.agent("tom", chats=2)
    again = await place.come("ann")
    await place.settle()
    live = await place.live(again)
    assert (live.agent_id, live.reason) == (sue, "known"), "though the other one is free"
    other = await place.come("bob")
    await place.settle()
    assert (await place.thread(other)).assignee_id == tom


async def test_accept_is_compare_and_set(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue")
    thread = await place.come()
    await place.settle()
    offer = await place.live(thread)
    with pytest.raises(NotFound):
        await place.db.run(desk.accept, offer.id, "acc_tom")
    opened = await place.db.run(desk.accept, offer.id, sue)
    assert (opened.state, opened.epoch) == (State.OPEN, 1)
    assert await place.db.run(desk.accept, offer.id, sue) == opened, "again changes nothing"
    with pytest.raises(OfferGone):
        await place.db.run(desk.decline, offer.id, sue)


async def test_an_offer_nobody_answers_goes_to_the_next_and_two_misses_are_away(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue")
    thread = await place.come()
    await place.settle()
    offer = await place.live(thread)
    tom = await place.agent("tom", online=False)
    await place.stay(sue, tom, seconds=25)
    with pytest.raises(OfferGone):
        await place.db.run(desk.accept, offer.id, sue)
    missed = await place.thread(thread)
    assert (missed.state, missed.epoch, missed.queued_at) == (State.QUEUED, 2, thread.queued_at)
    assert (await place.load(sue)).load == 0
    await place.stay(sue, tom, seconds=55)
    assert (await place.thread(thread)).state is State.QUEUED, "not the same one again so soon"
    await place.stay(sue, tom, seconds=10)
    assert (await place.thread(thread)).assignee_id == sue, "after a minute, better the same than nobody"
    await place.stay(sue, tom, seconds=25)
    assert (await place.load(sue)).state == "away"
    await place.db.run(desk.set_state, tom, "online")
    await place.settle()
    assert (await place.thread(thread)).assignee_id == tom
    assert [fact["source"] for fact in await place.told("agent.changed") if fact["agent_id"] == sue][-1] == "misses"


async def test_silence_gives_a_chat_back_at_its_old_place(place: Desk) -> None:
    await place.open(reply_s=60)
    sue = await place.agent("sue", chats=1)
    first = await place.come("ann")
    await place.serve(first)
    second = await place.come("bob")
    tom = await place.agent("tom", chats=1, online=False)
    await place.stay(sue, tom, seconds=60)
    assert (await place.thread(first)).state is State.QUEUED
    assert (await place.thread(second)).assignee_id == sue
    await place.db.run(desk.set_state, tom, "online")
    await place.settle()
    assert (await place.thread(first)).assignee_id == tom
    assert (await place.live(first)).queued_at == first.queued_at


async def test_a_lost_agent_has_a_grace_and_then_the_chats_go_back_but_not_the_tickets(place: Desk) -> None:
    """FR-134: 15 seconds of lease and 45 of grace."""
    await place.open(reply_s=3600)
    sue = await place.agent("sue")
    chat, ticket = await place.come("ann"), await place.come("bob", kind=Kind.TICKET)
    await place.serve(chat)
    assert (await place.thread(ticket)).state is State.OPEN, "tickets are given, not offered"
    await place.stay(seconds=55)
    assert (await place.thread(chat)).assignee_id == sue
    late = await place.come("cat")
    await place.settle()
    assert (await place.thread(late)).state is State.QUEUED, "no new work without a lease"
    await place.stay(seconds=10)
    assert (await place.thread(chat)).state is State.QUEUED
    assert (await place.thread(ticket)).assignee_id == sue
    agent = await place.load(sue)
    assert (agent.state, agent.load) == ("offline", 1)


async def test_an_agent_who_is_back_in_time_keeps_the_chats(place: Desk) -> None:
    await place.open(reply_s=3600)
    sue = await place.agent("sue")
    chat = await place.come()
    await place.serve(chat)
    await place.stay(seconds=50)
    await place.stay(sue, seconds=60)
    assert ((await place.thread(chat)).assignee_id, (await place.load(sue)).state) == (sue, "online")
    await place.db.run(desk.set_state, sue, "offline")
    await place.stay(sue, seconds=40)
    assert (await place.thread(chat)).assignee_id == sue
    await place.stay(sue, seconds=5)
    assert (await place.thread(chat)).assignee_id is None
    await place.db.run(desk.set_state, sue, "online")
    await place.stay(seconds=65)
    assert (await place.load(sue)).state == "offline", "the lease is watched again"


async def test_shifts_decide_who_is_on_duty(place: Desk) -> None:
    """FR-146: nothing automatic outside a shift, even to who is there; when it begins, the line moves."""
    await place.open()
    hours = await place.hours()
    sue = await place.agent("sue", calendar_id=hours)
    place.clock.advance(hours=6, minutes=59)
    await place.settle()
    await place.db.run(desk.set_state, sue, "online")
    await place.stay(sue, minutes=1)
    thread = await place.come()
    await place.settle()
    assert (await place.thread(thread)).state is State.QUEUED, "17:00: the shift is over"
    place.clock.advance(hours=15, minutes=59)
    await place.settle()
    await place.db.run(desk.set_state, sue, "online")
    await place.stay(sue, seconds=55)
    assert (await place.thread(thread)).state is State.QUEUED
    await place.stay(sue, seconds=5)
    assert (await place.thread(thread)).assignee_id == sue, "09:00"


async def test_out_of_hours_a_chat_is_a_ticket_in_the_same_place(place: Desk) -> None:
    await place.open(calendar_id=await place.hours())
    place.clock.advance(hours=12)
    thread = await place.come()
    assert (thread.kind, thread.units, thread.state) == (Kind.TICKET, 1, State.QUEUED)
    assert thread.number is not None and thread.number.startswith("TK20260105")
    assert [fact["notice"] for fact in await place.told("support.changed")] == ["out_of_hours"]
    async with place.db.begin() as tx:
        assert await desk.back_at(tx, thread) == datetime(2026, 1, 6, 1, tzinfo=UTC), "09:00 in Shanghai"
    place.clock.advance(hours=15)
    async with place.db.begin() as tx:
        assert await desk.back_at(tx, thread) is None, "open"


async def test_who_waits_long_is_offered_a_ticket_and_where_nobody_is_it_becomes_one(place: Desk) -> None:
    await place.open()
    sue = await place.agent("sue", chats=1)
    served, waiting = await place.come("ann"), await place.come("bob")
    await place.serve(served)
    await place.stay(sue, seconds=120)
    assert (await place.thread(waiting)).kind is Kind.CHAT
    assert [fact["notice"] for fact in await place.told("support.changed")][-1] == "ticket_offered"
    await place.db.run(desk.set_state, sue, "offline")
    lonely = await place.come("cat")
    assert [fact["notice"] for fact in await place.told("support.changed")][-1] == "nobody_here"
    await place.stay(sue, seconds=120)
    kept = await place.thread(lonely)
    assert (kept.kind, kept.state, kept.queued_at) == (Kind.TICKET, State.QUEUED, lonely.queued_at)


async def test_an_empty_queue_overflows_to_the_next(place: Desk) -> None:
    await place.open()
    platform = place.queue_id
    tenant = await place.queue(tenant_id="ten_1", overflow_queue_id=platform, overflow_s=60)
    await place.rules(
        Rule(name="tenant", queue_id=tenant.id, when=When(tenant_ids=("ten_1",))),
        Rule(name="all", queue_id=platform),
    )
    sue = await place.agent("sue")
    thread = await place.come(tenant_id="ten_1")
    await place.stay(sue, seconds=55)
    assert (await place.thread(thread)).queue_id == tenant.id
    await place.stay(sue, seconds=5)
    moved = await place.thread(thread)
    assert (moved.queue_id, moved.assignee_id) == (platform, sue)


async def test_optional_skills_are_waited_for_and_then_not(place: Desk) -> None:
    await place.open(relax_s=30)
    await place.rules(Rule(name="all", queue_id=place.queue_id, optional_skills=("french",)))
    sue = await place.agent("sue")
    thread = await place.come()
    await place.stay(sue, seconds=25)
    assert (await place.thread(thread)).state is State.QUEUED
    await place.stay(sue, seconds=5)
    assert (await place.thread(thread)).assignee_id == sue


async def test_the_place_in_the_line_and_the_wait_from_what_was(place: Desk) -> None:
    await place.open(reply_s=3600)
    sue = await place.agent("sue", chats=40)
    for n in range(6):
        thread = await place.come(f"c{n}")
        await place.settle()
        await place.stay(sue, seconds=2 * (n + 1))
        await place.serve(thread)
    await place.db.run(desk.set_state, sue, "busy")
    first, second = await place.come("ann"), await place.come("bob")
    await place.stay(sue, seconds=5)
    async with place.db.begin() as tx:
        place_1 = await desk.place_of(tx, await desk.find_thread(tx, first.conversation_id))
        place_2 = await desk.place_of(tx, await desk.find_thread(tx, second.conversation_id))
    assert place_1 is not None and place_2 is not None
    assert (place_1.position, place_2.position) == (1, 2)
    # Waits were 2, 4, 6, 8, 10, 12 s: four of them lasted beyond these 5 s, and that says nothing yet.
    assert (place_1.expected.p50_s, place_1.expected.samples) == (None, 4)


async def test_two_drains_at_once_never_give_one_thread_twice(place: Desk) -> None:
    await place.open()
    for n in range(4):
        await place.agent(f"a{n}", chats=2)
    threads = [await place.come(f"c{n}") for n in range(12)]
    await asyncio.gather(*(place.db.run(desk.drain, place.queue_id) for _ in range(12)))
    found = [await place.thread(thread) for thread in threads]
    assert [thread.state for thread in found] == [State.OFFERED] * 8 + [State.QUEUED] * 4
    assert [(await place.load(f"acc_a{n}")).load for n in range(4)] == [8] * 4


async def test_the_sweeper_counts_what_it_finds(place: Desk) -> None:
    """A drain taken away by hand: the net catches it, and says so."""
    await place.open()
    sue = await place.agent("sue")
    async with place.db.begin() as tx:
        desk.begin_sweeping(tx)
    await place.stay(sue, seconds=10)
    thread = await place.come()
    async with place.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM desk_events WHERE verb = 'sweep_found'") == 0
        await tx.execute("DELETE FROM jobs WHERE kind = 'desk.drain'")
    await place.stay(sue, seconds=10)
    assert (await place.thread(thread)).assignee_id == sue
    async with place.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM desk_events WHERE verb = 'sweep_found'") == 1
