"""Every timer of spec part 6, by moving the clock: not before, at its instant, once, and only while it matters."""

from __future__ import annotations

from datetime import timedelta

from rest.lines.homeservice import actions
from rest.lines.homeservice.deadlines import DEADLINES, WATCHERS
from rest.lines.homeservice.line import SILENCE
from rest.lines.homeservice.model import TIMERS
from rest.lines.homeservice.rules import HomeserviceRules
from tests.homeservice.conftest import Town


def test_every_timer_has_a_watcher() -> None:
    assert WATCHERS.keys() == TIMERS.keys()
    assert {kind.removeprefix("homeservice.") for kind in DEADLINES} == {*TIMERS, SILENCE}


async def test_no_grab_pushes_again_wider_after_five_minutes_and_calls_the_lead_after_eight(town: Town) -> None:
    far = await town.technician(metres=30_000)
    job = await town.post()
    await town.advance(seconds=299)
    assert await town.open_cases(job) == {}
    assert await town.heard(f"worker:{far.id}", "offer.made") == []
    await town.advance(seconds=1)
    assert await town.open_cases(job) == {"no_grab": "queue"}
    assert len(await town.heard(f"worker:{far.id}", "offer.made")) == 1  # his radius is 20 km, doubled for this push
    await town.advance(seconds=179)
    assert await town.open_cases(job) == {"no_grab": "queue"}
    await town.advance(seconds=1)
    assert await town.open_cases(job) == {"no_grab": "lead"}
    assert await town.status(job) == "in_pool"
    told = await town.heard(f"customer:{job.order.customer_id}", "order.changed")
    assert [fact["verb"] for fact in told] == ["post", "push_again", "raise_no_grab"]
    assert told[-1]["reason"] == "no_grab"
    await town.advance(minutes=30)
    made = await town.heard(f"worker:{far.id}", "offer.made")
    assert [fact["epoch"] for fact in made] == [3]  # the offer of the second push has run out: pushed again
    await town.grab(job, far)
    assert await town.open_cases(job) == {}
    assert await town.outcomes(job) == {"no_grab": "self_resolved"}
    assert await town.faults() == []


async def test_a_grab_stops_the_no_grab_timer(town: Town) -> None:
    job, _ = await town.in_status("has_candidates")
    await town.advance(minutes=6)
    assert await town.open_cases(job) == {}


async def test_no_choice_for_thirty_minutes_from_the_first_grab_asks_support(town: Town) -> None:
    tech, job = await town.technician(), await town.post()
    await town.advance(minutes=1)
    await town.grab(job, tech)
    await town.advance(minutes=10)
    await town.grab(job, await town.technician())
    await town.advance(minutes=19, seconds=59)
    assert await town.open_cases(job) == {}
    await town.advance(seconds=1)
    assert await town.open_cases(job) == {"no_choice": "queue"}
    await town.choose(job, (await town.grabs(job))[0])
    await town.pay(job)
    assert await town.outcomes(job) == {"no_choice": "self_resolved"}


async def test_half_an_hour_before_the_start_without_a_paid_technician_is_a_case(town: Town) -> None:
    for status in ("in_pool", "has_candidates", "pending_payment"):
        tech = await town.technician()
        job = await town.post(in_h=0.6)  # six minutes before half an hour before the start
        await town.advance(minutes=5, seconds=58)
        for name in {"in_pool": [], "has_candidates": ["grab"], "pending_payment": ["grab", "choose"]}[status]:
            await town._go(job, tech, name)
        assert "pool_expired" not in await town.open_cases(job)
        await town.advance(seconds=2)
        assert "pool_expired" in await town.open_cases(job)
        assert await town.status(job) == status


async def test_a_reschedule_settles_the_pool_cases(town: Town) -> None:
    job = await town.post(in_h=0.6)
    await town.advance(minutes=6)
    assert await town.open_cases(job) == {"no_grab": "queue", "pool_expired": "queue"}
    await town.by_customer(actions.reschedule, job, town.clock.now() + timedelta(hours=3))
    assert await town.open_cases(job) == {}
    await town.advance(minutes=5)
    assert await town.open_cases(job) == {"no_grab": "queue"}


async def test_no_answer_in_five_minutes_asks_support_and_the_order_stays_paid(town: Town) -> None:
    job, tech = await town.in_status("paid")
    await town.advance(minutes=4, seconds=59)
    assert await town.open_cases(job) == {}
    await town.advance(seconds=1)
    assert (await town.status(job), await town.open_cases(job)) == ("paid", {"accept_timeout": "queue"})
    await town.by_worker(actions.accept, job, tech)
    assert (await town.open_cases(job), await town.outcomes(job)) == ({}, {"accept_timeout": "self_resolved"})


async def test_nobody_departed_half_an_hour_after_the_latest_departure(town: Town) -> None:
    job, tech = await town.in_status("accepted", in_h=3)
    await town.advance(hours=2, minutes=59, seconds=59)
    assert await town.open_cases(job) == {}
    await town.advance(seconds=1)
    assert await town.open_cases(job) == {"late_departure": "queue"}
    told = await town.heard(f"customer:{job.order.customer_id}", "order.changed")
    assert told[-1]["reason"] == "late_departure"
    await town.by_worker(actions.depart, job, tech)
    assert await town.open_cases(job) == {}


async def test_the_service_ends_by_itself_when_its_time_is_up(town: Town) -> None:
    job, tech = await town.in_status("in_service")
    assert job.visit.ends_at == town.clock.now() + timedelta(minutes=60)
    await town.advance(minutes=59, seconds=59)
    assert await town.status(job) == "in_service"
    await town.advance(seconds=1)
    assert await town.status(job) == "service_ended"
    for listener in (f"customer:{job.order.customer_id}", f"worker:{tech.id}"):
        assert [fact["remaining_s"] for fact in await town.heard(listener, "order.clock")] == [3_600, 0]


async def test_without_confirmation_the_technician_leaves_after_half_an_hour_and_support_knows(town: Town) -> None:
    job, tech = await town.in_status("service_ended")
    await town.advance(minutes=29, seconds=59)
    assert await town.open_cases(job) == {}
    await town.advance(seconds=1)
    assert await town.open_cases(job) == {"leave_unconfirmed": "queue"}
    done = await town.by_worker(actions.leave, job, tech)
    assert (done.order.status, await town.open_cases(job)) == ("completed", {})
    assert await town.faults() == []


async def test_a_service_ended_when_its_time_was_up_however_late_that_is_noticed(town: Town) -> None:
    job, tech = await town.in_status("in_service")
    ends_at = job.visit.ends_at
    await town.advance(minutes=95)
    job = await town.job(job)
    assert (job.visit.ended_at, await town.open_cases(job)) == (ends_at, {"leave_unconfirmed": "queue"})
    assert (await town.by_worker(actions.leave, job, tech)).order.status == "completed"


async def test_timers_fire_late_with_the_same_effect(town: Town) -> None:
    """After an outage of an hour: the lock is over, the technician free, support asked about the pool."""
    job, tech = await town.in_status("pending_payment", in_h=5)
    await town.advance(hours=1)
    assert await town.status(job) == "in_pool"
    await town.grab(job, tech)
    assert await town.faults() == []


async def test_a_late_no_grab_timer_still_makes_both_stages(town: Town) -> None:
    job = await town.post(in_h=5)
    await town.advance(hours=1)
    assert await town.open_cases(job) == {"no_grab": "lead"}


async def test_a_timer_that_fires_after_its_reason_has_gone_does_nothing(town: Town) -> None:
    job, _ = await town.in_status("paid")
    version = job.order.version
    async with town.db.begin() as tx:
        for kind in DEADLINES:
            await DEADLINES[kind](tx, {"order_id": job.order.id})
    assert (await town.job(job)).order.version == version


async def test_every_number_is_a_setting(new_town: object) -> None:
    quick = HomeserviceRules(
        no_grab_s=10, no_grab_lead_s=20, choice_s=30, lock_s=5, answer_s=7, leave_alone_s=9, unbinds_max=1
    )
    town = await new_town(quick)  # type: ignore[operator]
    tech = await town.technician()
    job = await town.post()
    await town.advance(seconds=10)
    assert await town.open_cases(job) == {"no_grab": "queue"}
    await town.choose(job, await town.grab(job, tech))
    await town.advance(seconds=5)
    assert (await town.status(job), set(await town.open_cases(job))) == ("in_pool", {"no_choice"})
    await town.choose(job, await town.grab(job, tech))
    await town.pay(job)
    await town.advance(seconds=7)
    assert set(await town.open_cases(job)) == {"accept_timeout"}
