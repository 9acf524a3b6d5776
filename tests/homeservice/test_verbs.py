"""The verbs sockets call: one order's day by acks alone."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from rest.lines.homeservice.verbs import VERBS
from storage.base.errors import HubError
from tests.homeservice.conftest import Tech, Town


@dataclass(frozen=True)
class Caller:
    account_id: str
    worker_id: str | None = None


async def ask(town: Town, who: Caller, name: str, **body: Any) -> dict[str, Any]:
    return dict(await VERBS[name](town.db, who, SimpleNamespace(**body)))


def caller(tech: Tech) -> Caller:
    return Caller(tech.account_id, tech.id)


async def test_an_order_by_socket(town: Town) -> None:
    tech = await town.technician(online=False)
    me, job = caller(tech), await town.post()
    customer, order_id = Caller(job.order.customer_id), job.order.id
    assert await ask(town, me, "worker.online") == {"worker_id": tech.id, "online": True}
    grab = await ask(town, me, "worker.grab", call_id=job.order.call_id, req_id="tap")
    assert grab == {"grab_id": grab["grab_id"], "call_id": job.order.call_id, "state": "offered"}
    assert await ask(town, me, "worker.grab", call_id=job.order.call_id, req_id="tap") == grab
    assert await ask(town, me, "worker.withdraw", call_id=job.order.call_id) == {}
    await town.advance(minutes=5)  # pushed again: a withdrawn offer is over, a new one may be grabbed
    again = await ask(town, me, "worker.grab", call_id=job.order.call_id, req_id="tap2")
    chosen = await ask(town, customer, "customer.choose", order_id=order_id, grab_id=again["grab_id"])
    assert (chosen["order_id"], chosen["status"]) == (order_id, "pending_payment")
    await town.pay(job)
    accepted = await ask(town, me, "worker.accept", order_id=order_id)
    assert accepted["status"] == "accepted"
    assert await ask(town, me, "worker.accept", order_id=order_id) == accepted  # the ack got lost
    assert (await ask(town, me, "worker.depart", order_id=order_id))["status"] == "departed"
    town.clock.advance(seconds=1)
    await town.fix(tech, job.visit_point)
    assert (await ask(town, me, "worker.arrive", order_id=order_id))["status"] == "arrived"
    code = await town.code(job)
    assert (await ask(town, me, "worker.start", order_id=order_id, code=code))["status"] == "in_service"
    assert await ask(town, me, "worker.offline") == {"worker_id": tech.id, "online": False}
    await town.advance(minutes=90)
    assert (await ask(town, me, "worker.leave", order_id=order_id))["status"] == "completed"


async def test_rejecting_needs_a_reason(town: Town) -> None:
    job, tech = await town.in_status("paid")
    with pytest.raises(HubError) as refused:
        await ask(town, caller(tech), "worker.reject", order_id=job.order.id, reason=" ")
    assert (refused.value.code, refused.value.fields) == ("invalid_input", {"field": "reason"})
    done = await ask(town, caller(tech), "worker.reject", order_id=job.order.id, reason="ill")
    assert done["status"] == "rejected"


async def test_who_is_no_worker_may_not(town: Town) -> None:
    job = await town.post()
    for name, body in (("worker.online", {}), ("worker.grab", {"call_id": job.order.call_id, "req_id": None})):
        with pytest.raises(HubError) as refused:
            await ask(town, Caller("acc_nobody"), name, **body)
        assert refused.value.code == "not_active"


async def test_declining_ends_the_offer(town: Town) -> None:
    tech, job = await town.technician(), await town.post()
    await town.run()
    assert await ask(town, caller(tech), "worker.decline", call_id=job.order.call_id) == {}
    closed = await town.heard(f"worker:{tech.id}", "offer.closed")
    assert [fact["state"] for fact in closed] == ["declined"]
    assert await town.status(job) == "in_pool"
