"""Paying over a channel as a person in dev mode does it: `serve`, an order, and the cashier's button."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.phone import Phone
from tests.e2e.test_serve_hubs import Several
from tests.live import Live

PLACE = (104.05, 30.66)
CUSTOMER, TECHNICIAN = "+8613800000001", "+8613800000101"


@pytest.fixture(params=[Live, Several], ids=["serve", "serve --hubs 2"])
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    # Outside pytest's own folder, which other runs close to the database server's user.
    with tempfile.TemporaryDirectory(prefix="fieldhub-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with request.param(Path(folder) / "data") as running:
            yield running


async def press(customer: Phone, cashier: str, channel: str, number: str, verb: str) -> Any:
    async with customer.http.post(f"{cashier}/control/trades/{channel}/{number}/{verb}") as answer:
        return await answer.json()


async def a_locked_order(customer: Phone, technician: Phone, hours: float) -> str:
    items = await customer.get(f"/v1/items?lon={PLACE[0]}&lat={PLACE[1]}")
    address = {"contact": "Li", "phone": "13800000001", "detail": "1-2-3", "lon": PLACE[0], "lat": PLACE[1]}
    body = {
        "line": "homeservice", "mode": "grab", "item_id": items["data"][0]["id"], "qty": 1, "address": address,
        "start_at": (datetime.now(UTC) + timedelta(hours=hours)).isoformat(),
    }  # fmt: skip
    order_id = str((await customer.post("/v1/orders", body))["id"])
    offer = await technician.wait("offer.made", subject_id=order_id)
    assert (await technician.emit("grab", {"call_id": offer["call_id"]}))["ok"]
    candidate = await customer.wait("grab.added", subject_id=order_id)
    chosen = await customer.emit("choose", {"order_id": order_id, "grab_id": candidate["grab_id"]})
    assert chosen["status"] == "pending_payment"
    return order_id


@pytest.mark.timeout(180)
async def test_the_cashiers_button_pays_the_order(live: Live) -> None:
    found = re.search(r"cashier\s+(http://127\.0\.0\.1:\d+)/", live.log)
    assert found is not None
    cashier = found[1]
    customer, technician = Phone(live.url), Phone(live.url)
    await customer.sign_in(CUSTOMER)
    await technician.sign_in(TECHNICIAN)
    await technician.connect("/worker")
    await customer.connect("/customer")
    assert (await technician.emit("online", {}))["ok"]
    await technician.fix(PLACE[0] + 0.004, PLACE[1], 1, round(time.time() * 1000))
    await asyncio.sleep(0.5)
    try:
        for channel, hours in (("wechat", 3), ("alipay", 8)):
            order_id = await a_locked_order(customer, technician, hours)
            began = time.perf_counter()
            begun = await customer.post(f"/v1/orders/{order_id}/pay", {"method": channel})
            assert begun["status"] == "pending_payment"
            ready = await customer.wait("payment.ready", order_id=order_id)
            ready_ms = (time.perf_counter() - began) * 1000
            assert (await customer.get(f"/v1/orders/{order_id}/payment"))["params"] == ready["params"]
            pressed = await press(customer, cashier, channel, ready["payment_id"], "pay")
            assert pressed["state"] == "paid"
            await customer.wait("order.changed", order_id=order_id, status="paid")
            await technician.wait("order.offered", order_id=order_id)
            assert (await customer.get(f"/v1/orders/{order_id}/payment"))["state"] == "paid"
            print(f"{channel}: ready to be paid {ready_ms:.0f} ms after the request", file=sys.stderr)
    finally:
        await customer.close()
        await technician.close()
