"""Lines, live: everybody who waits hears his own place, supervisors the board, and nobody more than is new."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import desk
from chat.desk import Expected, Policy, is_news
from chat.desk.boards import WAIT_STEP_S
from hub.ports import OrderView
from storage.base.settings import Settings
from tests.desk.conftest import Desk
from tests.desk.sockets import at_desk, customer_phone, desk_phone
from tests.hub.test_relay import until
from tests.hub.world import Phone, World

SECONDS = st.none() | st.integers(0, 4_000)
TOLD = st.tuples(st.integers(1, 5), st.builds(Expected, SECONDS, SECONDS, st.integers(0, 9)))


@pytest.fixture
async def world(place: Desk, redis: Any, settings: Settings) -> AsyncIterator[World]:
    await place.open(sla=Policy(first_reply_s=100, next_reply_s=None, resolve_s=None, in_hours=False))
    async with at_desk(place, redis, settings) as made:
        yield made


def places(phone: Phone) -> list[int]:
    return [body["position"] for body in phone.bodies("queue.position")]


@given(before=TOLD, now=TOLD)
def test_news_is_another_place_or_a_wait_that_is_another(before: Any, now: Any) -> None:
    waits = [(before[1].p50_s, now[1].p50_s), (before[1].p90_s, now[1].p90_s)]
    far = any((a is None) != (b is None) or (a is not None and b is not None and abs(a - b) >= WAIT_STEP_S)
              for a, b in waits)  # fmt: skip
    assert is_news(before, now) is (before[0] != now[0] or far)
    assert is_news(None, now)


async def test_who_waits_hears_his_place_as_it_changes_and_nobody_else_s(place: Desk, world: World) -> None:
    phones = {name: await customer_phone(world, name) for name in ("ann", "bob", "cat")}
    stranger = await customer_phone(world, "eve")
    agent = await desk_phone(world, "sue")
    threads = {name: await place.come(name) for name in phones}
    await until(lambda: world.hub.lines.reads > 0)
    world.clock.advance(seconds=2)
    await phones["cat"].until(lambda: places(phones["cat"]) == [3])
    async with place.db.begin() as tx:
        await desk.withdraw(tx, threads["ann"].conversation_id, by_id="acc_ann")
    world.clock.advance(seconds=2)
    await phones["cat"].until(lambda: places(phones["cat"])[-1] == 2)
    await phones["bob"].until(lambda: places(phones["bob"])[-1] == 1)
    assert places(phones["ann"]) in ([1], [])
    for name in ("bob", "cat"):
        told = phones[name].bodies("queue.position")
        assert {body["conversation_id"] for body in told} == {threads[name].conversation_id}
        assert [body["position"] for body in told] == sorted({body["position"] for body in told}, reverse=True)
    assert places(stranger) == places(agent) == []


async def test_a_busy_line_is_read_once_in_two_seconds_however_many_wait(place: Desk, world: World) -> None:
    """The number of reads does not depend on how many wait, nor on how many come."""
    last = await customer_phone(world, "c29")
    await place.come("c0")
    await until(lambda: world.hub.lines.reads == 1)
    for n in range(1, 30):
        await place.come(f"c{n}")
    async with place.db.begin() as tx:
        told = await tx.fetchval("SELECT count(*) FROM desk_threads")
    await until(lambda: world.hub.lines.is_behind)
    assert (told, world.hub.lines.reads) == (30, 1)
    world.clock.advance(seconds=2)
    await last.until(lambda: places(last) == [30])
    assert world.hub.lines.reads in (2, 3), "the last facts may have come after the first look"


async def test_supervisors_watch_the_board_and_others_do_not(place: Desk, world: World) -> None:
    await place.agent("sue")
    boss, sue = await desk_phone(world, "boss", "supervisor"), await desk_phone(world, "sue")
    assert (await sue.ask("watch", {"what": "board"}))["error"]["code"] == "forbidden"
    (board,) = (await boss.ask("watch", {"what": "board"}))["boards"]
    assert (board["queue_id"], board["waiting"], board["online"], board["free"]) == (place.queue_id, 0, 1, 1)
    threads = [await place.come(f"c{n}") for n in range(3)]
    await place.serve(threads[0])
    await place.serve(threads[1])
    world.clock.advance(seconds=2)
    await boss.until(lambda: bool(boss.bodies("queue.board")) and boss.bodies("queue.board")[-1]["serving"] == 2)
    told = boss.bodies("queue.board")[-1]
    assert (told["waiting"], told["online"], told["free"], told["broken"]) == (1, 1, 0, 0)
    assert told["oldest_at"] is not None
    await place.stay("acc_sue", seconds=84)
    await boss.until(lambda: boss.bodies("queue.board")[-1]["at_risk"] == 3)
    assert (await boss.ask("unwatch", {"what": "board"}))["ok"]
    before = len(boss.bodies("queue.board"))
    await place.come("late")
    world.clock.advance(seconds=4)
    await until(lambda: not world.hub.lines.is_behind)
    assert len(boss.bodies("queue.board")) == before
    assert sue.bodies("queue.board") == []


async def test_an_agent_sees_the_worker_of_the_order_it_is_about_and_of_no_other(place: Desk, world: World) -> None:
    thread = await place.come()
    about, other = thread_subject(thread), "ord_secret"
    for order_id in (about, other):
        world.truth.orders[order_id] = OrderView(
            order_id=order_id, customer_id="acc_ann", worker_id="wrk_1", version=1,
            tracked_since=place.clock.now() - timedelta(minutes=1), destination=None,
        )  # fmt: skip
    sue, ops = await desk_phone(world, "sue"), await desk_phone(world, "fin", "finance")
    answer = await sue.ask("watch", {"what": "order", "order_id": about})
    assert (answer["ok"], answer["order_id"], answer["tracking"]) == (True, about, True)
    assert (await sue.ask("watch", {"what": "order", "order_id": other}))["error"]["code"] == "not_found"
    assert (await sue.ask("watch", {"what": "order"}))["error"]["code"] == "invalid_input"
    assert (await ops.ask("watch", {"what": "order", "order_id": about}))["error"]["code"] == "forbidden"
    worker = await world.worker_phone()
    fix = {"seq": 1, "at": place.clock.now().isoformat(), "lat": 37.5, "lon": 121.4, "accuracy_m": 5}
    assert (await worker.ask("position", fix))["accepted"] == 1
    await sue.until(lambda: bool(sue.bodies("position")))
    assert sue.bodies("position")[0]["order_id"] == about
    assert (await sue.ask("unwatch", {"what": "order", "order_id": about}))["ok"]
    assert ops.bodies("position") == []


def thread_subject(_thread: Any) -> str:
    return "ord_1"  # the first who comes, comes about this
