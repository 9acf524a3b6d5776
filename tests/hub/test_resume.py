"""Coming back: the same facts as one who never left, once and in order, or an honest `resync`."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from dispatch.facts import CallChanged
from hub.gap import refusal
from storage import outbox
from storage.outbox import FeedHead
from tests.hub.world import BellRung, Phone, World


async def fold(phone: Phone) -> dict[str, int]:
    """A client's state: how often each bell rang, by fact id so that a repeat does not count twice."""
    return {body["id"]: body["n"] for body in phone.bodies("order.bell_rung")}


async def test_a_first_connection_starts_at_the_head(world: World) -> None:
    await world.ring(1, 2)
    await asyncio.sleep(0.1)
    phone = await world.worker_phone()
    assert (phone.ready["recovered"], phone.ready["seq"]) == (False, 2)
    await world.ring(3)
    await phone.until(lambda: phone.bells() == [3])
    assert phone.bodies("resync") == []


async def test_ready_comes_first_and_says_what_a_client_needs(world: World) -> None:
    phone = await world.worker_phone()
    assert phone.heard[0][0] == "ready"
    assert phone.ready["limits"]["payload_bytes_max"] == world.settings.socket_payload_bytes_max
    assert phone.ready["server_time"] == "2026-01-05T02:00:00.000Z"


async def test_one_who_was_away_gets_what_was_missed_and_only_that(world: World) -> None:
    steady = await world.worker_phone()
    leaver = await world.worker_phone()
    await world.ring(1, 2)
    await leaver.until(lambda: leaver.bells() == [1, 2])
    await leaver.close()
    await world.ring(3, 4)
    await world.ring(99, to="worker:wrk_other")
    await asyncio.sleep(0.05)
    back = await world.worker_phone(since=leaver.last_seq(), epoch=leaver.ready["epoch"])
    await world.ring(5)
    await back.until(lambda: back.bells() == [3, 4, 5])
    await steady.until(lambda: steady.bells() == [1, 2, 3, 4, 5])
    assert back.ready["recovered"] is True
    assert await fold(leaver) | await fold(back) == await fold(steady)


async def test_nothing_missed_is_recovered_too(world: World) -> None:
    first = await world.worker_phone()
    await first.close()
    back = await world.worker_phone(since=first.ready["seq"], epoch=first.ready["epoch"])
    assert back.ready["recovered"] is True


async def test_a_gap_longer_than_the_limit_is_a_resync(world: World) -> None:
    phone = await world.worker_phone()
    await phone.close()
    for start in range(0, 520, 65):
        async with world.db.begin() as tx:
            for n in range(start, start + 65):
                tx.tell(BellRung(n=n), to=["worker:wrk_1"])
    await until_seq(world, 520)
    back = await world.worker_phone(since=0, epoch=phone.ready["epoch"])
    assert back.ready["recovered"] is False
    await back.until(lambda: bool(back.bodies("resync")))
    assert back.bodies("resync") == [{"reason": "too_many", "seq": 520, "epoch": "test"}]
    await world.ring(1_000)
    await back.until(lambda: back.bells() == [1_000])


async def test_a_gap_that_just_fits_is_replayed_whole(world: World) -> None:
    phone = await world.worker_phone()
    await phone.close()
    async with world.db.begin() as tx:
        for n in range(500):
            tx.tell(BellRung(n=n, text="x" * 700), to=["worker:wrk_1"])  # more than the send buffer holds at once
    await until_seq(world, 500)
    back = await world.worker_phone(since=0, epoch=phone.ready["epoch"])
    await back.until(lambda: back.bells() == list(range(500)))
    assert back.bodies("resync") == back.bodies("closing") == []


async def test_a_gap_older_than_the_window_is_a_resync(world: World) -> None:
    await world.ring(1)
    await until_seq(world, 1)
    world.clock.advance(hours=25)
    await world.ring(2)
    async with asyncio.timeout(5):
        while (await head(world)).floor_seq < 1:
            await asyncio.sleep(0.02)
    phone = await world.worker_phone(since=0, epoch="test")
    await phone.until(lambda: bool(phone.bodies("resync")))
    assert phone.bodies("resync")[0]["reason"] == "too_old"
    in_window = await world.worker_phone(since=1, epoch="test")
    await in_window.until(lambda: in_window.bells() == [2])


async def test_expired_facts_are_not_replayed(world: World) -> None:
    await world.tell(BellRung(n=1), "worker:wrk_1", expires_in_s=60)
    await world.tell(BellRung(n=2), "worker:wrk_1", expires_in_s=600)
    await until_seq(world, 2)
    world.clock.advance(seconds=120)
    phone = await world.worker_phone(since=0, epoch="test")
    await phone.until(lambda: phone.bells() == [2])


HEAD = FeedHead(epoch="e", last_seq=100, told_seq=100, floor_seq=40)


@pytest.mark.parametrize(
    ("since", "epoch", "reason"),
    [
        (100, "e", None),
        (40, "e", None),  # 41 is the first one kept
        (39, "e", "too_old"),
        (0, None, "too_old"),
        (101, "e", "ahead"),
        (50, "other", "epoch"),
        (50, None, None),
    ],
)
def test_what_cannot_be_replayed(since: int, epoch: str | None, reason: str | None) -> None:
    assert refusal(HEAD, since=since, epoch=epoch) == reason


async def test_joining_while_facts_pour_in_loses_repeats_and_reorders_nothing(world: World) -> None:
    steady = await world.worker_phone()
    dice = random.Random(7)
    stop = asyncio.Event()

    async def pour() -> int:
        n = 0
        while not stop.is_set():
            n += 1
            await world.ring(n)
            await asyncio.sleep(dice.random() * 0.002)
        return n

    pouring = asyncio.create_task(pour())
    seen: dict[str, int] = {}
    since, epoch = steady.ready["seq"], steady.ready["epoch"]
    for _ in range(25):
        phone = await world.worker_phone(since=since, epoch=epoch)
        assert phone.ready["recovered"] is True
        await asyncio.sleep(dice.random() * 0.05)
        await phone.close()
        seqs = [body["seq"] for body in phone.bodies("order.bell_rung")]
        assert seqs == sorted(set(seqs))
        assert not seqs or seqs[0] > since
        since = max(since, phone.last_seq() if seqs else since)
        seen |= await fold(phone)
    stop.set()
    total = await pouring
    last = await world.worker_phone(since=since, epoch=epoch)
    await last.until(lambda: since + len(last.bells()) >= total)
    seen |= await fold(last)
    await steady.until(lambda: len(steady.bells()) == total)
    assert steady.bells() == list(range(1, total + 1))
    assert sorted(seen.values()) == list(range(1, total + 1))


async def test_a_restored_database_makes_connected_clients_read_anew(world: World) -> None:
    phone = await world.worker_phone()
    await world.ring(1, 2, 3)
    await phone.until(lambda: phone.bells() == [1, 2, 3])
    async with world.db.begin() as tx:
        await tx.execute("DELETE FROM feed WHERE seq > 1")
        await tx.execute("DELETE FROM feed_audience WHERE seq > 1")
        await tx.execute("UPDATE relay_state SET last_seq = 1, told_seq = 1, epoch = 'restored'")
    await phone.until(lambda: bool(phone.bodies("resync")))
    assert phone.bodies("resync") == [{"reason": "epoch", "seq": 1, "epoch": "restored"}]
    await world.ring(4)
    await phone.until(lambda: phone.bells() == [1, 2, 3, 4])
    assert phone.bodies("order.bell_rung")[-1]["seq"] == 2


async def test_a_member_of_two_audiences_hears_a_fact_once(world: World) -> None:
    ops = await world.phone("/desk", {"token": world.truth.token("o", "ops")})
    assert await ops.ask("watch", {"what": "map"}) == {"ok": True}
    await world.tell(BellRung(n=1), "desk", "ops")
    await world.ring(2, to="desk")
    await ops.until(lambda: len(ops.bells()) >= 2)
    assert ops.bells() == [1, 2]


async def test_the_map_channel_is_heard_only_while_it_is_open(world: World) -> None:
    ops = await world.phone("/desk", {"token": world.truth.token("o", "ops")})
    await world.ring(1, to="ops")
    await until_seq(world, 1)
    await ops.ask("watch", {"what": "map"})
    await world.ring(2, to="ops")
    await ops.until(lambda: ops.bells() == [2])
    await ops.ask("unwatch", {"what": "map"})
    await world.ring(3, to="ops")
    await until_seq(world, 3)
    await world.ring(4, to="desk")
    await ops.until(lambda: ops.bells() == [2, 4])


async def test_places_in_facts_come_in_the_clients_coordinates(world: World) -> None:
    wgs = await world.phone("/desk", {"token": world.truth.token("o", "ops")})
    gcj = await world.phone("/desk", {"token": world.truth.token("o", "ops"), "crs": "gcj02"})
    for phone in (wgs, gcj):
        await phone.ask("watch", {"what": "map"})
    fact: Any = CallChanged(
        call_id="cal_1", subject_kind="order", subject_id="ord_1", status="open", epoch=1, wave=1, ring_m=900,
        lon=121.4, lat=37.5, worker_id=None,
    )  # fmt: skip
    await world.tell(fact, "ops")
    for phone in (wgs, gcj):
        await phone.until(lambda phone=phone: bool(phone.bodies("call.changed")))
    assert (wgs.bodies("call.changed")[0]["lon"], wgs.bodies("call.changed")[0]["lat"]) == (121.4, 37.5)
    moved = gcj.bodies("call.changed")[0]
    assert 0.001 < abs(moved["lon"] - 121.4) < 0.01
    assert moved["status"] == "open"


async def head(world: World) -> FeedHead:
    async with world.db.begin() as tx:
        return await outbox.head(tx)


async def until_seq(world: World, seq: int) -> None:
    async with asyncio.timeout(10):
        while world.hub.follower.seq < seq:
            await asyncio.sleep(0.01)
