"""The verbs sockets call: one order's day by acks alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from hub.asking import read
from hub.server import REGISTRY
from rest.lines.homeservice.verbs import VERBS
from storage.base.errors import HubError
from tests.homeservice.conftest import Tech, Town


@dataclass(frozen=True)
class Caller:
    account_id: str
    worker_id: str | None = None


async def ask(town: Town, who: Caller, name: str, **body: Any) -> dict[str, Any]:
    """As a socket would: the body is what the contract says."""
    app, _, request = name.partition(".")
    return dict(await VERBS[name](town.db, who, read(REGISTRY.requests[f"/{app}", request], [body])))


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
    choice = {"order_id": order_id, "grab_id": again["grab_id"]}
    with pytest.raises(HubError) as dearer:
        await ask(town, customer, "customer.choose", **choice, quote_hash="0" * 32)
    assert dearer.value.code == "price_changed"
    shown = dearer.value.fields["quote_hash"]
    chosen = await ask(town, customer, "customer.choose", **choice, quote_hash=shown)
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


async def test_a_repeated_step_gives_the_first_answer_and_no_second_effect(town: Town) -> None:
    job, tech = await town.in_status("accepted")
    me, order_id = caller(tech), job.order.id
    departed = await ask(town, me, "worker.depart", order_id=order_id, req_id="tap")
    town.clock.advance(seconds=1)
    await town.fix(tech, job.visit_point)
    arrived = await ask(town, me, "worker.arrive", order_id=order_id)
    assert await ask(town, me, "worker.depart", order_id=order_id, req_id="tap") == departed
    assert (await town.job(job)).order.version == arrived["version"]
    with pytest.raises(HubError) as other:
        await ask(town, me, "worker.depart", order_id="ord_other", req_id="tap")
    assert other.value.code == "key_reused"
    with pytest.raises(HubError) as another_tap:
        await ask(town, me, "worker.depart", order_id=order_id, req_id="tap 2")
    assert another_tap.value.code == "invalid_state"


async def test_a_refusal_is_judged_anew(town: Town) -> None:
    job, tech = await town.in_status("paid")
    with pytest.raises(HubError):
        await ask(town, caller(tech), "worker.depart", order_id=job.order.id, req_id="tap")
    await ask(town, caller(tech), "worker.accept", order_id=job.order.id)
    assert (await ask(town, caller(tech), "worker.depart", order_id=job.order.id, req_id="tap"))["status"] == "departed"


async def test_twins_of_one_tap_are_one_step(town: Town) -> None:
    job, tech = await town.in_status("accepted")
    taps = (ask(town, caller(tech), "worker.depart", order_id=job.order.id, req_id="tap") for _ in range(8))
    answers = await asyncio.gather(*taps)
    assert all(answer == answers[0] for answer in answers)
    events = [event for event in await town.events(job) if event.verb == "depart"]
    assert len(events) == 1


async def test_a_wrong_code_costs_a_try_with_a_req_id_too(town: Town) -> None:
    job, tech = await town.in_status("arrived")
    code = await town.code(job)
    wrong = "1" * len(code) if code != "1" * len(code) else "2" * len(code)
    with pytest.raises(HubError) as refused:
        await ask(town, caller(tech), "worker.start", order_id=job.order.id, code=wrong, req_id="a")
    assert refused.value.code == "code_invalid"
    async with town.db.begin() as tx:
        assert await tx.fetchval("SELECT max(tries) FROM service_codes") == 1


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
