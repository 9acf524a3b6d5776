"""A worker's positions: who sees them, from the first second to the last, and nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from geo.datum import from_wgs84
from geo.point import Point
from hub.bus import Moved
from hub.ports import OrderView
from rest.trade.orders import OrderChanged
from rest.trade.orders.facts import TrackingEnded
from tests.hub.world import Phone, World

HOME = Point(121.40, 37.50)


class Trip:
    """One order, its worker's phone and its customer's, and the facts of its life."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seq = 0
        self.view = OrderView(
            order_id="ord_1", customer_id="acc_c", worker_id="wrk_1", version=1, tracked_since=None, destination=HOME
        )
        world.truth.orders["ord_1"] = self.view

    async def step(self, status: str, *, worker_id: str | None = "wrk_1") -> None:
        """The order takes a step: state and fact, as its verb would commit them."""
        tracked_since = self.world.clock.now() if status == "departed" else None
        self.view = replace(self.view, version=self.view.version + 1, worker_id=worker_id, tracked_since=tracked_since)
        self.world.truth.orders["ord_1"] = self.view
        fact = OrderChanged(
            order_id="ord_1", line="homeservice", status=status, version=self.view.version, who="worker",
            verb="depart", worker_id=worker_id,
        )  # fmt: skip
        await self.world.tell(fact, "customer:acc_c", "worker:wrk_1", "order:ord_1", "ops")

    async def end(self) -> None:
        await self.step("arrived")
        await self.world.tell(TrackingEnded(order_id="ord_1", reason="arrived"), "customer:acc_c", "order:ord_1")

    async def drive(self, phone: Phone, east_m: float, *, at: datetime | None = None) -> Any:
        """One accepted fix, this far east of home."""
        self.seq += 1
        at_ms = round((at or self.world.clock.now()).timestamp() * 1000)
        lon = HOME.lon + east_m / 88_300  # metres in a degree of longitude here
        return await phone.ask("position", [self.seq, at_ms, HOME.lat, lon, 10, 8, 270])


@pytest.fixture
def trip(world: World) -> Trip:
    return Trip(world)


async def customer(world: World, **auth: Any) -> Phone:
    phone = await world.phone("/customer", {"token": world.truth.token("c"), **auth})
    answer = await phone.ask("watch", {"order_id": "ord_1"})
    assert answer["ok"] is True
    return phone


async def heard_status(phone: Phone, status: str) -> None:
    await phone.until(lambda: any(body["status"] == status for body in phone.bodies("order.changed")))


async def test_nothing_before_departure_and_nothing_after_the_end(world: World, trip: Trip) -> None:
    worker, watcher = await world.worker_phone(), await customer(world)
    for n in range(3):
        world.clock.advance(seconds=2)
        await trip.drive(worker, 5_000 - n * 16)
    await trip.step("departed")
    await heard_status(watcher, "departed")
    for n in range(4):
        world.clock.advance(seconds=2)
        await trip.drive(worker, 4_900 - n * 16)
        await watcher.until(lambda n=n: len(watcher.bodies("position")) == n + 1)
    await trip.end()
    await watcher.until(lambda: bool(watcher.bodies("tracking.ended")))
    for n in range(3):
        world.clock.advance(seconds=2)
        await trip.drive(worker, 4_800 - n * 16)
    await asyncio.sleep(0.1)
    events = [
        name if name != "order.changed" else body["status"]
        for name, body in watcher.heard
        if name in ("position", "order.changed", "tracking.ended")
    ]
    assert events == ["departed", *["position"] * 4, "arrived", "tracking.ended"]


async def test_a_position_says_how_far_and_how_long(world: World, trip: Trip) -> None:
    worker, watcher = await world.worker_phone(), await customer(world)
    await trip.step("departed")
    await heard_status(watcher, "departed")
    world.clock.advance(seconds=5)
    await trip.drive(worker, 3_000, at=world.clock.now() - timedelta(seconds=2))
    await watcher.until(lambda: bool(watcher.bodies("position")))
    seen = watcher.bodies("position")[0]
    assert (seen["order_id"], seen["worker_id"], seen["heading_deg"], seen["speed_mps"]) == ("ord_1", "wrk_1", 270, 8)
    assert abs(seen["distance_m"] - 3_000) < 30
    assert 300 < seen["eta_s"] < 900
    assert seen["age_ms"] == 2_000
    assert seen["at"] == "2026-01-05T02:00:03.000Z"


async def test_a_fix_from_before_the_departure_is_not_shown_after_it(world: World, trip: Trip) -> None:
    worker, watcher = await world.worker_phone(), await customer(world)
    world.clock.advance(seconds=60)
    await trip.step("departed")
    await heard_status(watcher, "departed")
    await trip.drive(worker, 9_000, at=world.clock.now() - timedelta(seconds=30))
    await asyncio.sleep(0.05)
    assert watcher.bodies("position") == []
    late_watcher = await customer(world)
    assert (await late_watcher.ask("watch", {"order_id": "ord_1"}))["position"] is None


async def test_watchers_get_at_most_one_position_a_second_and_the_latest(world: World, trip: Trip) -> None:
    worker, watcher = await world.worker_phone(), await customer(world)
    await trip.step("departed")
    await heard_status(watcher, "departed")
    for n in range(10):
        world.clock.advance(seconds=0.25)
        await trip.drive(worker, 3_000 - n * 4)
    await asyncio.sleep(0.05)
    assert len(watcher.bodies("position")) <= 4
    world.clock.advance(seconds=1)
    await watcher.until(lambda: watcher.bodies("position")[-1]["at"] == "2026-01-05T02:00:02.500Z")


async def test_one_who_comes_during_the_trip_gets_the_last_position_at_once(world: World, trip: Trip) -> None:
    worker = await world.worker_phone()
    await trip.step("departed")
    world.clock.advance(seconds=1)
    await trip.drive(worker, 3_000)
    phone = await world.phone("/customer", {"token": world.truth.token("c")})
    answer = await phone.ask("watch", {"order_id": "ord_1"})
    assert answer["tracking"] is True
    assert abs(answer["position"]["distance_m"] - 3_000) < 30


async def test_the_last_position_may_come_from_another_hub(world: World, trip: Trip) -> None:
    await trip.step("departed")
    world.clock.advance(seconds=3)
    at_ms = round(world.clock.now().timestamp() * 1000) - 1_000
    world.truth.last_known["wrk_1"] = Moved("wrk_1", at_ms, HOME.lon, HOME.lat)
    phone = await world.phone("/customer", {"token": world.truth.token("c")})
    answer = await phone.ask("watch", {"order_id": "ord_1"})
    assert (answer["position"]["distance_m"], answer["position"]["age_ms"]) == (0, 1_000)


async def test_others_orders_look_like_none(world: World, trip: Trip) -> None:
    stranger = await world.phone("/customer", {"token": world.truth.token("stranger")})
    assert (await stranger.ask("watch", {"order_id": "ord_1"}))["error"]["code"] == "not_found"
    assert (await stranger.ask("watch", {"order_id": "ord_none"}))["error"]["code"] == "not_found"
    worker = await world.worker_phone()
    await trip.step("departed")
    world.clock.advance(seconds=1)
    await trip.drive(worker, 3_000)
    await asyncio.sleep(0.05)
    assert stranger.bodies("position") == []


async def test_a_share_link_sees_its_order_and_hears_the_end(world: World, trip: Trip) -> None:
    world.truth.shares["secret"] = "ord_1"
    worker = await world.worker_phone()
    visitor = await world.phone("/customer", {"share": "secret"})
    assert (await visitor.ask("watch", {"order_id": "ord_1"}))["ok"] is True
    assert (await visitor.ask("watch", {"order_id": "ord_2"}))["error"]["code"] == "not_found"
    await trip.step("departed")
    await heard_status(visitor, "departed")
    world.clock.advance(seconds=1)
    await trip.drive(worker, 3_000)
    await visitor.until(lambda: len(visitor.bodies("position")) == 1)
    await trip.end()
    await visitor.until(lambda: bool(visitor.bodies("tracking.ended")))


async def test_unwatching_ends_positions(world: World, trip: Trip) -> None:
    worker, watcher = await world.worker_phone(), await customer(world)
    await trip.step("departed")
    await heard_status(watcher, "departed")
    await watcher.ask("unwatch", {"order_id": "ord_1"})
    world.clock.advance(seconds=1)
    await trip.drive(worker, 3_000)
    await asyncio.sleep(0.05)
    assert watcher.bodies("position") == []
    assert world.hub.watching._trips == {}


async def test_another_worker_takes_over_the_view(world: World, trip: Trip) -> None:
    first, watcher = await world.worker_phone(), await customer(world)
    second = await world.phone("/worker", {"token": world.worker("w2", "wrk_2")})
    await trip.step("departed")
    await heard_status(watcher, "departed")
    await trip.step("accepted", worker_id="wrk_2")
    await heard_status(watcher, "accepted")
    await trip.step("departed", worker_id="wrk_2")
    await watcher.until(lambda: len(watcher.bodies("order.changed")) == 3)
    world.clock.advance(seconds=1)
    await trip.drive(first, 3_000)
    await trip.drive(second, 2_000)
    await watcher.until(lambda: bool(watcher.bodies("position")))
    assert {body["worker_id"] for body in watcher.bodies("position")} == {"wrk_2"}


async def test_a_fact_told_while_the_watcher_reads_is_not_lost(world: World, trip: Trip) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    read_now = world.truth.view_order

    async def slow_read(order_id: str) -> OrderView:
        view = await read_now(order_id)
        started.set()
        await go_on.wait()
        return view

    world.truth.slow_view = slow_read
    worker = await world.worker_phone()
    phone = await world.phone("/customer", {"token": world.truth.token("c")})
    watching = asyncio.create_task(phone.ask("watch", {"order_id": "ord_1"}))
    await started.wait()
    await trip.step("departed")
    await heard_status(phone, "departed")
    go_on.set()
    assert (await watching)["tracking"] is True
    world.clock.advance(seconds=1)
    await trip.drive(worker, 3_000)
    await phone.until(lambda: bool(phone.bodies("position")))


async def test_places_are_converted_on_both_ways(world: World, trip: Trip) -> None:
    worker = await world.phone("/worker", {"token": world.worker(), "crs": "gcj02"})
    wgs, gcj = await customer(world), await customer(world, crs="gcj02")
    await trip.step("departed")
    for phone in (wgs, gcj):
        await heard_status(phone, "departed")
    world.clock.advance(seconds=1)
    shown = from_wgs84(HOME, "gcj02")
    await worker.ask("position", [1, round(world.clock.now().timestamp() * 1000), shown.lat, shown.lon])
    for phone in (wgs, gcj):
        await phone.until(lambda phone=phone: bool(phone.bodies("position")))
    seen = wgs.bodies("position")[0]
    assert (round(seen["lon"], 5), round(seen["lat"], 5)) == (HOME.lon, HOME.lat)
    assert gcj.bodies("position")[0]["lon"] == round(shown.lon, 6)
    assert seen["distance_m"] == 0


async def test_the_ack_says_what_was_used(world: World, trip: Trip) -> None:
    worker = await world.worker_phone()
    now_ms = round(world.clock.now().timestamp() * 1000)
    answer = await worker.ask(
        "position",
        [
            {"seq": 1, "at": now_ms - 3_000, "lat": 37.5, "lon": 121.4, "accuracy_m": 10},
            [2, now_ms - 2_000, 37.5001, 121.4, 10],
            [2, now_ms - 2_000, 37.5001, 121.4, 10],
            [3, now_ms - 1_000, 37.5002, 121.4, 900],
            [4, now_ms, 38.5, 121.4, 10],
        ],
    )
    assert answer == {
        "ok": True,
        "accepted": 2,
        "rejected": [
            {"seq": 2, "reason": "duplicate"},
            {"seq": 3, "reason": "inaccurate"},
            {"seq": 4, "reason": "jump"},
        ],
        "last_seq": 4,
    }
    assert world.truth.sunk == [("wrk_1", 1), ("wrk_1", 2)]
    unreadable = await worker.ask("position", [[5, now_ms, 137.5, 121.4]])
    assert (unreadable["error"]["code"], unreadable["error"]["pointer"]) == ("position_invalid", "/0/2")


async def test_a_phone_that_reconnects_may_count_from_the_start(world: World, trip: Trip) -> None:
    worker = await world.worker_phone()
    for _ in range(3):
        world.clock.advance(seconds=5)
        await trip.drive(worker, 3_000)
    await worker.close()
    trip.seq = 0
    again = await world.worker_phone()
    world.clock.advance(seconds=5)
    assert (await trip.drive(again, 2_900))["accepted"] == 1


async def test_late_fixes_go_to_history_only(world: World, trip: Trip) -> None:
    worker, watcher = await world.worker_phone(), await customer(world)
    await trip.step("departed")
    await heard_status(watcher, "departed")
    world.clock.advance(seconds=60)
    await trip.drive(worker, 3_000)
    answer = await trip.drive(worker, 3_500, at=world.clock.now() - timedelta(seconds=30))
    assert answer["rejected"] == [{"seq": 2, "reason": "late"}]
    assert world.truth.history == [("wrk_1", 1, False), ("wrk_1", 2, True)]
    await watcher.until(lambda: len(watcher.bodies("position")) == 1)


async def test_a_worker_whose_last_socket_left_long_ago_is_taken_off(world: World) -> None:
    worker = await world.worker_phone()
    await asyncio.sleep(0.05)
    await worker.close()
    await asyncio.sleep(0.1)
    world.clock.advance(seconds=world.settings.presence_lease_s + 1)
    await worker.until(lambda: world.truth.silent == ["wrk_1"])


async def test_a_minute_without_a_fix_is_told_once_and_ended_by_the_next(world: World, trip: Trip) -> None:
    """HS-208. Also when none has ever come, and to who looks later; never to a stranger, never after the end."""
    worker, watcher = await world.worker_phone(), await customer(world)
    await trip.step("departed")
    await heard_status(watcher, "departed")
    world.clock.advance(seconds=59.9)
    await asyncio.sleep(0.05)
    assert watcher.bodies("position.old") == []
    world.clock.advance(seconds=0.1)
    await watcher.until(lambda: watcher.bodies("position.old") == [_old("2026-01-05T02:00:00.000Z")])
    late = await customer(world)
    await late.until(lambda: late.bodies("position.old") == [_old("2026-01-05T02:00:00.000Z")])
    heard = len(watcher.bodies("position.old"))
    for _ in range(12):  # it drives, in pieces shorter than a minute
        world.clock.advance(seconds=10)
        await trip.drive(worker, 3_000 - trip.seq * 40)
    await watcher.until(lambda: [one["at"] for one in watcher.bodies("position")[-1:]] == ["2026-01-05T02:03:00.000Z"])
    assert len(watcher.bodies("position.old")) == heard
    world.clock.advance(seconds=60)
    await watcher.until(lambda: watcher.bodies("position.old")[-1] == _old("2026-01-05T02:03:00.000Z"))
    seen = await (await world.phone("/customer", {"token": world.truth.token("c")})).ask("watch", {"order_id": "ord_1"})
    assert seen["position"]["age_ms"] == 60_000, "whoever looks now reads how old it is"
    await trip.end()
    await watcher.until(lambda: bool(watcher.bodies("tracking.ended")))
    heard = len(watcher.bodies("position.old"))
    world.clock.advance(minutes=5)
    await asyncio.sleep(0.05)
    assert len(watcher.bodies("position.old")) == heard
    assert world.hub.watching._listened == [], "what is over leaves nothing"


def _old(since: str) -> dict[str, str]:
    return {"order_id": "ord_1", "since": since}
