"""The field at a glance: who is online, what each is at, and the pulse of the pool."""

from __future__ import annotations

from datetime import timedelta

import dispatch
from dispatch.store import overview
from rest.trade.orders.running import running_of, running_orders
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.dispatch.conftest import Town
from tests.fleet.conftest import CUSTOMER
from tests.people.conftest import Phone

MINUTE = timedelta(minutes=1)


async def test_only_those_online_are_in_the_field_with_what_they_are_at(town: Town) -> None:
    free, locked, offline = [await town.worker(online=online) for online in (True, True, False)]
    call = await town.call()
    await town.run()
    await town.grab(call, locked)
    await town.lock(call, locked)
    async with town.db.begin() as tx:
        found = {seen.worker_id: seen for seen in await overview.everybody_online(tx, limit=10)}
        gone = await overview.one(tx, offline.id)
    assert {worker_id: seen.doing for worker_id, seen in found.items()} == {free.id: "free", locked.id: "locked"}
    assert found[free.id].point is not None
    assert found[free.id].display_name == free.display_name
    assert gone is not None
    assert gone.doing == "offline"


async def test_the_state_in_the_field_is_the_one_facts_tell(town: Town) -> None:
    worker = await town.worker()
    call = await town.call()
    await town.run()
    await town.grab(call, worker)
    await town.lock(call, worker)
    await town.db.run(dispatch.update_worker, worker.id, display_name="New name")
    told = (await town.heard("ops", "worker.changed"))[-1]
    async with town.db.begin() as tx:
        seen = await overview.one(tx, worker.id)
    assert seen is not None
    assert told["state"] == seen.doing == "locked"


async def test_the_pulse_counts_the_last_minute_only(town: Town, clock: ManualClock) -> None:
    workers = [await town.worker() for _ in range(3)]
    await town.call()
    await town.run()
    clock.advance(seconds=45)
    await town.fresh(*workers)
    second = await town.call()
    await town.run()
    await town.grab(second, workers[0])
    async with town.db.begin() as tx:
        assert await overview.made_since(tx, MINUTE) == (6, 1)
        # The one who grabbed has the first call still to answer.
        assert sorted(await overview.offered(tx, limit=10)) == sorted(worker.id for worker in workers)
    clock.advance(seconds=30)
    async with town.db.begin() as tx:
        assert await overview.made_since(tx, MINUTE) == (3, 1)
    clock.advance(seconds=60)
    async with town.db.begin() as tx:
        assert await overview.made_since(tx, MINUTE) == (0, 0)


async def place(db: Database, order_id: str, worker_id: str, status: str, *, closed: bool = False) -> None:
    async with db.begin() as tx:
        await tx.execute(
            """
            INSERT INTO orders (id, no, line, kind, mode, customer_id, provider_id, status, version, total_fen,
                                snapshot, created_at, updated_at, closed_at)
            VALUES ($1, $1, 'homeservice', 'visit', 'grab', 'acc_1', $2, $3, 1, 0, '{}', $4, $4, $5)
            """,
            order_id,
            worker_id,
            status,
            tx.now,
            tx.now if closed else None,
        )


async def test_running_orders_are_those_on_the_road(db: Database, clock: ManualClock) -> None:
    await place(db, "ord_1", "wrk_1", "accepted")
    await place(db, "ord_2", "wrk_2", "departed")
    await place(db, "ord_3", "wrk_3", "in_service", closed=True)
    clock.advance(seconds=1)
    await place(db, "ord_4", "wrk_2", "in_service")
    async with db.begin() as tx:
        found = await running_orders(tx, ("departed", "arrived", "in_service"), limit=10)
        last = await running_of(tx, "wrk_2")
        accepted = await running_of(tx, "wrk_1")
        none = await running_of(tx, "wrk_3")
    assert [one.order_id for one in found] == ["ord_4", "ord_2"]
    assert last is not None
    assert accepted is not None
    assert (last.order_id, last.status, accepted.order_id, none) == ("ord_4", "in_service", "ord_1", None)


async def test_operations_read_the_field_one_worker_and_the_pulse(ops: Phone, db: Database) -> None:
    async with db.begin() as tx:
        rows = await tx.fetch("SELECT id FROM workers ORDER BY id LIMIT 2")
        for row in rows:
            await dispatch.go_online(tx, row["id"])
    await place(db, "ord_1", rows[0]["id"], "departed")
    status, field = await ops.send("GET", "/v1/workers")
    assert (status, field["is_cut"]) == (200, False)
    assert [(one["state"], one["order"] and one["order"]["status"]) for one in field["data"]] == [
        ("free", "departed"),
        ("free", None),
    ]
    assert set(field["data"][0]["position"]) == {"lon", "lat", "heading_deg", "at"}
    away = await db.run(lambda tx: tx.fetchval("SELECT max(id) FROM workers"))
    status, some = await ops.send("GET", f"/v1/workers?ids={away},{rows[1]['id']}")
    assert [(one["id"], one["state"]) for one in some["data"]] == [(rows[1]["id"], "free"), (away, "offline")]
    assert (await ops.send("GET", "/v1/workers?ids=nobody"))[0] == 400
    status, worker = await ops.send("GET", f"/v1/workers/{rows[0]['id']}")
    assert (status, worker["display_name"], worker["order"]["id"]) == (200, field["data"][0]["display_name"], "ord_1")
    assert (await ops.send("GET", "/v1/workers/wrk_none"))[0] == 404
    status, pulse = await ops.send("GET", "/v1/pulse")
    assert (status, pulse["offers"], pulse["grabs"], pulse["offered"]) == (200, 0, 0, [])


async def test_the_field_is_for_staff_only(phone: Phone) -> None:
    for path in ("/v1/workers", "/v1/workers/wrk_1", "/v1/pulse"):
        assert (await phone.send("GET", path))[0] == 401
    await phone.sign_in(CUSTOMER)
    for path in ("/v1/workers", "/v1/workers/wrk_1", "/v1/pulse"):
        assert (await phone.send("GET", path))[0] == 403
