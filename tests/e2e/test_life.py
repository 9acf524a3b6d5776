"""The program as its users meet it: started, used for one order's whole life, stopped, killed, started again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage import engines
from tests.e2e.phone import Phone, Refused
from tests.live import Live

PLACE = (104.05, 30.66)
CUSTOMER, TECHNICIAN = "+8613800000001", "+8613800000101"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with Live(tmp_path_factory.mktemp("live")) as running:
        yield running


def soon(hours: float = 2) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def now_ms() -> int:
    return round(time.time() * 1000)


async def an_item(customer: Phone) -> str:
    items = await customer.get(f"/v1/items?lon={PLACE[0]}&lat={PLACE[1]}")
    return str(items["data"][0]["id"])


async def post_order(customer: Phone, *, hours: float = 2) -> dict[str, object]:
    address = {"contact": "Li", "phone": "13800000001", "detail": "1-2-3", "lon": PLACE[0], "lat": PLACE[1]}
    body = {
        "line": "homeservice", "mode": "grab", "item_id": await an_item(customer), "qty": 1,
        "start_at": soon(hours), "address": address,
    }  # fmt: skip
    order: dict[str, object] = await customer.post("/v1/orders", body)
    return order


async def test_an_order_from_posted_to_completed(live: Live) -> None:
    customer, technician = Phone(live.url), Phone(live.url)
    await customer.sign_in(CUSTOMER)
    await technician.sign_in(TECHNICIAN)
    await technician.connect("/worker")
    await customer.connect("/customer")
    assert (await technician.emit("online", {}))["ok"]
    assert (await technician.fix(PLACE[0] + 0.004, PLACE[1], 1, now_ms()))["accepted"] == 1
    await asyncio.sleep(0.5)

    order = await post_order(customer)
    offer = await technician.wait("offer.made", subject_id=order["id"])
    assert (await technician.emit("grab", {"call_id": offer["call_id"]}))["ok"]
    candidate = await customer.wait("grab.added", subject_id=order["id"])
    chosen = await customer.emit("choose", {"order_id": order["id"], "grab_id": candidate["grab_id"]})
    assert chosen["status"] == "pending_payment"
    paid = await customer.post(f"/v1/orders/{order['id']}/pay", {"method": "wallet"})
    assert paid["status"] == "paid"
    await technician.wait("grab.closed", state="won")

    for verb, status in (("accept", "accepted"), ("depart", "departed")):
        assert (answer := await technician.emit(verb, {"order_id": order["id"]})).get("status") == status, answer
    await customer.emit("watch", {"order_id": order["id"]})
    await technician.fix(PLACE[0] + 0.0039, PLACE[1], 2, now_ms())
    seen = await customer.wait("position", order_id=order["id"])
    assert 300 < seen["distance_m"] < 450
    await asyncio.sleep(0.6)
    arrived = await technician.emit("arrive", {"order_id": order["id"]})
    assert arrived.get("status") == "arrived", arrived
    await customer.wait("tracking.ended", order_id=order["id"])

    code = await customer.post(f"/v1/orders/{order['id']}/service_code", keyed=False)
    wrong = await technician.emit("start", {"order_id": order["id"], "code": "000000x"})
    assert wrong["error"]["code"] == "code_invalid"
    started = await technician.emit("start", {"order_id": order["id"], "code": code["code"]})
    assert started["status"] == "in_service"
    assert (await customer.post(f"/v1/orders/{order['id']}/end", keyed=False))["status"] == "service_ended"
    assert (await customer.post(f"/v1/orders/{order['id']}/confirm_left", keyed=False))["status"] == "leave_confirmed"
    assert (await technician.emit("leave", {"order_id": order["id"]}))["status"] == "completed"
    done = await customer.wait("order.changed", order_id=order["id"], status="completed")
    assert done["seq"] > 0
    for phone in (customer, technician):
        await phone.close()


async def test_killed_and_started_again_it_loses_nothing(live: Live) -> None:
    customer, technician = Phone(live.url), Phone(live.url)
    await customer.sign_in("+8613800000002")
    await technician.sign_in("+8613800000102")
    await technician.connect("/worker")
    await technician.emit("online", {})
    await technician.fix(PLACE[0], PLACE[1], 1, now_ms())
    await asyncio.sleep(0.5)
    order = await post_order(customer)
    offer = await technician.wait("offer.made", subject_id=order["id"])
    seq, epoch = technician.seq, technician.epoch
    await technician.close()

    live.kill()
    live.start()

    again = Phone(live.url, technician.token)
    ready = await again.connect("/worker", since=seq, epoch=epoch)
    assert ready["recovered"] is True
    await again.fix(PLACE[0], PLACE[1], 2, now_ms())
    assert (await again.emit("grab", {"call_id": offer["call_id"]}))["ok"]
    back = Phone(live.url, customer.token)
    assert (await back.get(f"/v1/orders/{order['id']}"))["status"] == "has_candidates"
    with pytest.raises(Refused) as stranger:
        await again.get(f"/v1/orders/{order['id']}/grabs")
    assert stranger.value.status == 404
    for phone in (customer, again, back):
        await phone.close()


def test_it_is_ready_and_stops_with_its_engines(tmp_path: Path) -> None:
    live = Live(tmp_path / "data").start()
    assert "demo sign-ins" in live.log
    assert live.stop() == 0
    assert not engines.is_running(live.data_dir)
    assert "process.stopped" in live.log
