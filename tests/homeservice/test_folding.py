"""For every verb: the customer's picture, folded from facts alone, is the server's after it (I6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rest.lines.homeservice import actions
from rest.money import penalties
from tests.homeservice.conftest import WAY_TO, Town
from tests.homeservice.folding import Phone, differences
from tests.homeservice.test_breaks import found
from tests.homeservice.test_refund_requests import approve, ask, reject


@pytest.mark.parametrize("goal", ["completed", "rejected", "cancelled", "closed_penalty", "terminated"])
async def test_a_phone_that_only_listens_knows_every_step(town: Town, goal: str) -> None:
    tech, other = await town.technician(), await town.technician()
    job = await town.post()
    phone = Phone(job.order.customer_id)
    assert await differences(town, phone, [job.order.id]) == []
    await town.grab(job, other)
    assert await differences(town, phone, [job.order.id]) == []
    for name in WAY_TO[goal]:
        if name == "choose":
            mine = next(grab for grab in await town.grabs(job) if grab.worker_id == tech.id)
            job = await town.choose(job, mine)
        else:
            job = await town._go(job, tech, name)
        await town.run()
        assert await differences(town, phone, [job.order.id]) == [], name
    assert await town.faults() == []


async def test_breaks_and_refunds_are_heard_as_well(town: Town) -> None:
    """Every verb of part 4.9, and a refund from the wish to the money."""
    tech, other = await town.technician(), await town.technician()
    job = await town.post()
    phone = Phone(job.order.customer_id)

    async def staff(verb: Callable[..., Any], *args: Any) -> None:
        await town.db.run(verb, job.order.id, "acc_sue", *args, "talked")
        await same()

    async def by(who: str, verb: Callable[..., Any], *args: Any) -> None:
        await (town.by_customer(verb, job, *args) if who == "customer" else town.by_worker(verb, job, *args))
        await same()

    async def same() -> None:
        await town.run()
        assert await differences(town, phone, [job.order.id]) == []

    await town.grab(job, tech)
    for name in WAY_TO["departed"][1:]:
        job = await town._go(job, tech, name)
    await by("customer", actions.cancel, "ill")
    await staff(actions.let_customer_go_on)
    await staff(actions.record_phone_cancel)
    await staff(actions.let_customer_go_on)
    await by("worker", actions.ask_terminate, tech, "tired")
    await staff(actions.let_technician_go_on)
    await by("worker", actions.ask_terminate, tech, "really")
    await staff(actions.change_technician, other.id)
    for name in ("depart", "arrive"):
        job = await town._go(job, other, name)
        await same()
    await by("worker", actions.miss_customer, other)
    await found(town, job, other)
    await same()
    await by("worker", actions.miss_customer, other)
    await town.advance(seconds=601)  # long enough
    await same()
    await by("worker", actions.leave, other)
    one, two = await ask(town, job, 1_000), await ask(town, job, 2_000)
    await same()
    await approve(town, one)
    await reject(town, two)
    await same()
    async with town.db.begin() as tx:
        (kept,) = [one for one in await penalties.of_order(tx, job.order.id) if one.payer.kind == "customer"]
    await town.db.run(actions.reverse_penalty, kept.id, "acc_sue", "mistake")
    await same()
    assert {event.verb for event in await town.events(job)} >= {
        "ask_end", "go_on", "ask_terminate", "resume_trip", "change_technician", "miss_customer", "find_customer",
        "wait_over", "leave_unmet", "ask_refund", "refund", "release_refund", "reverse_penalty",
    }  # fmt: skip
    assert await town.faults() == []


@pytest.mark.parametrize("how", ["insist", "excuse"])
async def test_an_end_at_the_door_is_heard(town: Town, how: str) -> None:
    job, tech = await town.in_status("arrived")
    phone = Phone(job.order.customer_id)
    await town.by_worker(actions.miss_customer, job, tech)
    if how == "insist":
        await town.by_customer(actions.cancel, job, "ill")
    verb = {"insist": actions.break_off, "excuse": actions.excuse}[how]
    await town.db.run(verb, job.order.id, "acc_sue", "talked")
    assert await differences(town, phone, [job.order.id]) == []
    told = await town.heard(f"worker:{tech.id}", "order.changed")
    assert told[-1]["verb"] == how


async def test_steps_made_by_time_are_heard_as_well(town: Town) -> None:
    tech = await town.technician()
    job = await town.post(in_h=6)
    phone = Phone(job.order.customer_id)

    async def same() -> None:
        assert await differences(town, phone, [job.order.id]) == []

    for minutes in (5, 3):  # push again, lead
        await town.advance(minutes=minutes)
        await same()
    await town.grab(job, tech)
    await town.advance(minutes=30)  # no choice
    await same()
    await town.choose(job, (await town.grabs(job))[0])
    await town.advance(minutes=3)  # unbound
    await same()
    await town.db.run(actions.grab, job.order.call_id, tech.id)
    await town.db.run(actions.withdraw, job.order.call_id, tech.id)
    await same()
    await town.by_customer(actions.reschedule, job, town.clock.now() + timedelta(hours=2))
    await same()
    await town.advance(hours=1, minutes=30)  # near the start
    await same()
    await town.choose(job, await town.grab(job, tech))
    await town.pay(job)
    await town.advance(minutes=5)  # no answer
    await town.by_worker(actions.accept, job, tech)
    await town.advance(minutes=30)  # not departed
    await same()
    for name in ("depart", "arrive", "start"):
        await town._go(job, tech, name)
        await same()
    await town.advance(minutes=60)  # time is up
    await same()
    await town.advance(minutes=30)  # not confirmed
    await town.by_worker(actions.leave, job, tech)
    await same()
    assert await town.faults() == []


async def test_the_technician_hears_of_his_order_from_lock_to_end_and_when_he_is_let_go(town: Town) -> None:
    job, tech = await town.in_status("pending_payment")
    await town.advance(minutes=3)
    told = [fact for fact in await town.heard(f"worker:{tech.id}", "order.changed") if fact["order_id"] == job.order.id]
    assert [(fact["verb"], fact["worker_id"]) for fact in told] == [("choose", tech.id), ("unbind", None)]


async def test_link_holders_hear_of_the_order_from_payment_on_and_nothing_before(town: Town) -> None:
    job, _ = await town.in_status("completed")
    told = await town.heard(f"order:{job.order.id}")
    verbs = [fact["verb"] for fact in told if fact["topic"] == "order.changed"]
    assert verbs == ["pay", "accept", "depart", "arrive", "start", "end", "confirm_left", "leave"]
    assert "Building" not in str(told)
    assert "1380000" not in str(told)


async def test_nobody_else_hears_anything(town: Town) -> None:
    bystander = await town.customer(fen=0)
    stranger = await town.technician(metres=90_000)
    await town.in_status("completed")
    await town.run()
    assert await town.heard(f"customer:{bystander}") == []
    assert await town.heard(f"worker:{stranger.id}") == []
