"""The power cut: `kill -9` at random moments of many orders, Redis emptied with it, and everything still comes true.

After the last start no deadline is overdue, no offer or order is stuck, the book balances, and the database holds every
invariant of the pool. The timers of home service are shortened so that they fire while the test watches.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from rest.money import ledger
from storage.engines import embedded_postgres_url
from storage.postgres import Database
from tests.dispatch.invariants import violations as pool_violations
from tests.e2e.phone import Phone
from tests.e2e.test_life import PLACE, now_ms, post_order
from tests.homeservice.invariants import violations as order_violations
from tests.live import Live

TIMERS = {
    "homeservice_no_grab_s": "4", "homeservice_no_grab_lead_s": "7", "homeservice_lock_s": "3",
    "homeservice_choice_s": "6", "homeservice_answer_s": "3",
}  # fmt: skip
CRASHES = 2
TECHNICIANS, CUSTOMERS = 4, 3
GONE = (aiohttp.ClientError, OSError, Exception)


class Crowd:
    """People who do what they do and try again when the line is dead."""

    def __init__(self, live: Live, seed: int) -> None:
        self.live = live
        self.random = random.Random(seed)
        self.technicians = [row["access_token"] for row in live.tokens("technician", TECHNICIANS)]
        self.customers = [row["access_token"] for row in live.tokens("user", CUSTOMERS)]
        self.ends = 0.0
        self.orders: set[str] = set()

    async def technician(self, token: str, n: int) -> None:
        since: dict[str, Any] = {}
        while time.monotonic() < self.ends:
            phone = Phone(self.live.url, token)
            try:
                await phone.connect("/worker", **since)
                await phone.emit("online", {})
                while time.monotonic() < self.ends:
                    await phone.fix(PLACE[0] + 0.001 * n, PLACE[1], now_ms() // 100, now_ms())
                    await self._work(phone)
                    await asyncio.sleep(0.3)
            except GONE:
                await asyncio.sleep(0.2)
            finally:
                since = {"since": phone.seq, "epoch": phone.epoch} if phone.epoch else since
                await phone.close()

    async def _work(self, phone: Phone) -> None:
        for offer in (await phone.get("/v1/partner/pool"))["data"]:
            if self.random.random() < 0.5:
                await phone.emit("grab", {"call_id": offer["call_id"]})
        for name, body in list(phone.heard):
            if name == "order.offered" and self.random.random() < 0.7:
                await phone.emit("accept", {"order_id": body["order_id"]})

    async def customer(self, token: str) -> None:
        while time.monotonic() < self.ends:
            phone = Phone(self.live.url, token)
            try:
                order = await post_order(phone, hours=self.random.choice([2, 4, 6, 8]))
                self.orders.add(str(order["id"]))
                await asyncio.sleep(self.random.uniform(0.5, 1.5))
                await self._decide(phone, str(order["id"]))
            except GONE:
                await asyncio.sleep(0.2)
            finally:
                await phone.close()

    async def _decide(self, phone: Phone, order_id: str) -> None:
        grabs = (await phone.get(f"/v1/orders/{order_id}/grabs"))["data"]
        if grabs:
            await phone.post(f"/v1/orders/{order_id}/choose", {"grab_id": grabs[0]["id"]}, keyed=False)
            if self.random.random() < 0.6:
                await phone.post(f"/v1/orders/{order_id}/pay", {"method": "wallet"})


async def overdue(connection: Any) -> list[str]:
    rows = await connection.fetch(
        "SELECT kind, key, last_error FROM jobs WHERE due_at < now() - interval '3 seconds' OR parked_at IS NOT NULL"
    )
    return [f"{row['kind']} {row['key']} {row['last_error']}" for row in rows]


async def stuck(connection: Any) -> list[str]:
    """Orders that wait for money longer than the lock lasts, and paid ones nobody was asked about."""
    rows = await connection.fetch(
        """
        SELECT o.id, o.status FROM orders o
         WHERE o.status = 'pending_payment' AND o.updated_at < now() - interval '8 seconds'
        """
    )
    return [f"{row['id']} {row['status']}" for row in rows]


@pytest.mark.timeout(180)
async def test_killed_at_random_everything_still_comes_true(tmp_path: Path) -> None:
    live = await asyncio.to_thread(Live(tmp_path / "data", **TIMERS).start)
    try:
        crowd = await asyncio.to_thread(Crowd, live, 7)
        crowd.ends = time.monotonic() + 5 * (CRASHES + 1)
        people = [
            *(asyncio.create_task(crowd.technician(token, n)) for n, token in enumerate(crowd.technicians)),
            *(asyncio.create_task(crowd.customer(token)) for token in crowd.customers),
        ]
        for _ in range(CRASHES):
            await asyncio.sleep(crowd.random.uniform(3, 5))
            await asyncio.to_thread(live.kill)  # Redis is a child without a disk: it is emptied with every crash
            await asyncio.to_thread(live.start)
        await asyncio.gather(*people)
        await asyncio.sleep(9)
        assert len(crowd.orders) >= 10
        await everything_came_true(live, crowd)
    finally:
        await asyncio.to_thread(live.stop)


async def everything_came_true(live: Live, crowd: Crowd) -> None:
    url = embedded_postgres_url(live.data_dir)
    connection = await asyncpg.connect(url)
    assert await overdue(connection) == []
    assert await stuck(connection) == []
    assert {row["id"] for row in await connection.fetch("SELECT id FROM orders")} >= crowd.orders
    assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
    seqs = [row["seq"] for row in await connection.fetch("SELECT seq FROM feed ORDER BY seq")]
    assert seqs == list(range(1, len(seqs) + 1))
    await connection.close()
    db = await Database.connect(url, pool_size=2)
    assert await pool_violations(db) == []
    assert await order_violations(db) == []
    async with db.begin() as tx:
        assert await ledger.verify(tx) == []
    await db.close()
    await every_offer_can_be_heard_again(live, crowd)


async def every_offer_can_be_heard_again(live: Live, crowd: Crowd) -> None:
    """From the beginning of the feed each technician gets exactly the offers that are open for him."""
    for token in crowd.technicians:
        phone = Phone(live.url, token)
        ready = await phone.connect("/worker")
        again = Phone(live.url, token)
        await again.connect("/worker", since=0, epoch=ready["epoch"])
        await asyncio.sleep(0.5)
        made = [body["offer_id"] for name, body in again.heard if name == "offer.made"]
        ended = [body["offer_id"] for name, body in again.heard if name == "offer.closed"]
        assert len(set(made)) == len(made)
        assert len(set(ended)) == len(ended)
        await phone.close()
        await again.close()
