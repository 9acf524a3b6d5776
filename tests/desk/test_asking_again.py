"""Asking again after an answer: the same matter goes on, another one is a thread of its own that knows the former."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chat import conversations, desk
from chat.desk import Kind, Request, State, Thread
from chat.desk.model import ASK_AGAIN_S, is_same_matter
from tests.desk.conftest import Desk
from tests.desk.invariants import violations

ORDER = ("order", "ord_1")


@pytest.fixture
async def agents(place: Desk) -> list[str]:
    await place.open()
    return [await place.agent(name, chats=5) for name in ("sue", "tom")]


async def ask(place: Desk, category: str = "order", **more: Any) -> Thread:
    place.clock.advance(seconds=0.01)
    request = Request(kind=Kind.CHAT, category=category)
    return await place.db.run(desk.ask, "acc_ann", request, subject=more.get("subject", ORDER))


async def answered(place: Desk, thread: Thread) -> str:
    """Served and resolved; by whom."""
    agent_id = await place.serve(thread)
    await place.db.run(desk.resolve, thread.conversation_id, by_id=agent_id)
    await place.settle()
    return agent_id


async def ratings(place: Desk) -> list[tuple[str, int, int | None]]:
    async with place.db.begin() as tx:
        rows = await tx.fetch("SELECT conversation_id, closure_no, score FROM desk_ratings ORDER BY asked_at")
    return [tuple(row) for row in rows]


async def rate(place: Desk, thread: Thread, closure_no: int, score: int) -> None:
    async with place.db.begin() as tx:
        rating = await desk.rating_of(tx, thread.conversation_id, closure_no)
        await desk.rate(tx, rating.id, by_id="acc_ann", score=score)


async def test_soon_and_of_the_same_it_is_opened_again_and_asked_about_anew(place: Desk, agents: list[str]) -> None:
    """Also when it was rated by then; first to who had it; each closure has one survey of its own."""
    thread = await ask(place)
    assert (await ask(place)).conversation_id == thread.conversation_id, "what is open goes on"
    first = await answered(place, thread)
    await place.stay(*agents, minutes=30)
    again = await ask(place)
    assert (again.conversation_id, again.state, again.former_id) == (thread.conversation_id, State.QUEUED, None)
    assert await answered(place, again) == first
    await rate(place, thread, 2, 5)
    assert (await place.thread(thread)).state is State.CLOSED
    third = await ask(place)
    assert (third.conversation_id, third.state) == (thread.conversation_id, State.QUEUED)
    async with place.db.begin() as tx:
        assert (await conversations.find_conversation(tx, thread.conversation_id)).status.value == "open"
    await answered(place, third)
    where = thread.conversation_id
    assert await ratings(place) == [(where, 1, None), (where, 2, 5), (where, 3, None)]
    assert await violations(place.db, is_settled=True) == []


async def test_another_matter_or_a_later_day_is_a_new_thread_that_names_the_former(
    place: Desk, agents: list[str]
) -> None:
    thread = await ask(place)
    await answered(place, thread)
    other = await ask(place, "invoice")
    assert (other.conversation_id != thread.conversation_id, other.former_id) == (True, thread.conversation_id)
    former = await place.thread(thread)
    assert (former.state, (await place.events(former))[-1]) == (State.CLOSED, "close")
    await rate(place, thread, 1, 4)
    await answered(place, other)
    await place.stay(*agents, seconds=ASK_AGAIN_S + 1)
    later = await ask(place, "invoice")
    assert later.former_id == other.conversation_id
    assert (await place.thread(other)).state is State.CLOSED
    await answered(place, later)
    assert [score for _, _, score in await ratings(place)] == [4, None, None]
    assert (await ask(place, subject=None)).former_id is None, "about something else nothing went before"
    await place.settle()
    assert await violations(place.db, is_settled=True) == []


async def test_what_was_taken_back_was_never_answered(place: Desk, agents: list[str]) -> None:
    thread = await ask(place)
    await place.db.run(desk.withdraw, thread.conversation_id, by_id="acc_ann")
    again = await ask(place)
    assert (again.state, again.former_id) == (State.QUEUED, thread.conversation_id)
    assert await ratings(place) == []


async def test_where_he_talks_already_goes_before_what_was_closed(place: Desk, agents: list[str]) -> None:
    """Support has written to him about the order since: that is where he is answered."""
    thread = await ask(place)
    await answered(place, thread)
    await rate(place, thread, 1, 2)
    talk, _ = await place.db.run(_open)
    again = await ask(place)
    assert (again.conversation_id, again.former_id) == (talk.id, thread.conversation_id)


async def _open(tx: Any) -> Any:
    return await conversations.open_conversation(tx, customer_id="acc_ann", subject=ORDER)


@pytest.mark.parametrize("category", ["order", "invoice"])
async def test_many_taps_are_one_thread(place: Desk, agents: list[str], category: str) -> None:
    thread = await ask(place)
    await answered(place, thread)
    asked = [place.db.run(desk.ask, "acc_ann", Request(kind=Kind.CHAT, category=category), subject=ORDER)
             for _ in range(6)]  # fmt: skip
    found = {one.conversation_id for one in await asyncio.gather(*asked)}
    assert len(found) == 1
    assert (thread.conversation_id in found) is (category == "order")
    await place.settle()
    assert await violations(place.db, is_settled=True) == []


async def test_how_long_is_soon(place: Desk, agents: list[str]) -> None:
    thread = await place.thread(await ask(place))
    at = thread.opened_at
    done = replace(thread, resolved_at=at)
    limit = timedelta(seconds=ASK_AGAIN_S)
    assert [is_same_matter(done, "order", at + limit + off) for off in (timedelta(0), timedelta(seconds=1))] == [
        True, False,
    ]  # fmt: skip
    assert not is_same_matter(done, "other", at)
    assert not is_same_matter(thread, "order", at)
