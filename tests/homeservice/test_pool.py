"""The pool: quotes, candidates, choice, the payment window, and who hears what."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

import dispatch
from dispatch.model import CandidateGone
from geo.distance import destination
from rest.lines.homeservice import actions, technicians
from storage.base.errors import HubError
from tests.homeservice.conftest import CLEANING, SQUARE, Town


async def refused(act: object) -> str:
    """The code of the refusal."""
    with pytest.raises(HubError) as error:
        await act  # type: ignore[misc]
    return error.value.code


@pytest.mark.parametrize(
    ("metres", "free_m", "travel_fen"), [(2_990, 0, 900), (3_100, 0, 1_150), (8_400, 0, 2_400), (8_400, 5_000, 1_150)]
)
async def test_a_quote_is_item_and_travel_from_the_last_position(
    town: Town, metres: float, free_m: int, travel_fen: int
) -> None:
    tech = await town.technician(metres=metres, free_travel_m=free_m)
    job = await town.post()
    grab = await town.grab(job, tech)
    assert (grab.quote["item_fen"], grab.quote["travel_fen"], grab.quote["voucher_fen"]) == (40_000, travel_fen, 0)
    assert grab.quote["total_fen"] == 40_000 + travel_fen


async def test_the_offer_tells_the_distance_of_one_whose_first_position_is_not_on_record_yet(town: Town) -> None:
    tech = await town.technician(metres=4_000)
    job = await town.post()
    await town.advance(seconds=1)
    async with town.db.begin() as tx:
        await tx.execute("DELETE FROM worker_positions WHERE worker_id = $1", tech.id)
    grab = await town.grab(job, tech)
    assert (grab.quote["distance_m"], grab.quote["travel_fen"]) == (4_000, 1_150)
    assert (await town.choose(job, grab)).order.total_fen == grab.quote["total_fen"]


async def test_the_quote_is_frozen_when_the_technician_moves(town: Town) -> None:
    tech = await town.technician(metres=1_000)
    job = await town.post()
    grab = await town.grab(job, tech)
    town.clock.advance(seconds=5)
    await town.fix(tech, destination(SQUARE, 90, 15_000))
    job = await town.choose(job, grab)
    assert job.order.total_fen == grab.quote["total_fen"] == 40_900


async def test_the_customer_sees_each_candidate_with_distance_score_and_quote(town: Town) -> None:
    near, far = await town.technician(metres=800), await town.technician(metres=5_900)
    job = await town.post()
    await town.grab(job, near)
    town.clock.advance(seconds=1)
    await town.grab(job, far)
    heard = await town.heard(f"customer:{job.order.customer_id}", "grab.added")
    assert [(fact["worker"]["distance_m"], fact["quote"]["travel_fen"]) for fact in heard] == [
        (800, 900),
        (5_900, 1_650),
    ]
    assert {fact["worker"]["worker_id"] for fact in heard} == {near.id, far.id}
    assert [grab.worker_id for grab in await town.grabs(job)] == [near.id, far.id]


async def test_grabbing_is_idempotent_by_request_id(town: Town) -> None:
    tech, job = await town.technician(), await town.post()
    first = await town.grab(job, tech, "tap-1")
    version = (await town.job(job)).order.version
    assert (await town.grab(job, tech, "tap-1")).id == first.id
    assert (await town.job(job)).order.version == version
    assert await refused(town.grab(job, tech, "tap-2")) == "already_grabbed"
    assert await refused(town.grab(job, tech)) == "already_grabbed"


async def test_refusals_of_a_grab(town: Town) -> None:
    tech = await town.technician()
    own = await town.post(tech.account_id)
    assert await refused(town.grab(own, tech)) == "own_order"

    job = await town.post()
    await town.db.run(technicians.set_item, tech.account_id, job.visit.item_id, enabled=False)
    assert await refused(town.grab(job, tech)) == "not_eligible"
    await town.db.run(technicians.set_item, tech.account_id, job.visit.item_id, enabled=True)

    far = await town.technician(metres=25_000)
    assert await refused(town.grab(job, far)) == "not_eligible"
    assert await refused(town.db.run(actions.grab, "cal_none", tech.id)) == "not_found"

    await town.in_status("paid", tech)
    assert await refused(town.grab(job, tech)) == "slot_conflict"
    later = await town.post(in_h=9)
    assert (await town.grab(later, tech)).state == "offered"


async def test_the_slot_of_a_technician_includes_the_way_to_the_next_visit(town: Town) -> None:
    tech = await town.technician()
    await town.in_status("paid", tech, in_h=3)  # 60 minutes and 30 of travel: busy from 3 h to 4.5 h
    assert await refused(town.grab(await town.post(in_h=4.49), tech)) == "slot_conflict"
    assert await refused(town.grab(await town.post(in_h=1.51), tech)) == "slot_conflict"
    await town.grab(await town.post(in_h=4.5), tech)
    await town.grab(await town.post(in_h=1.5), tech)


async def test_an_order_without_grabbers_is_still_in_the_pool_and_one_with_is_not_exclusive(town: Town) -> None:
    job = await town.post()
    await town.run()
    assert await town.status(job) == "in_pool"
    for _ in range(3):
        await town.grab(job, await town.technician())
    assert await town.status(job) == "has_candidates"
    assert len(await town.grabs(job)) == 3


async def test_taking_back_the_last_grab_starts_the_wait_anew(town: Town) -> None:
    tech, job = await town.technician(), await town.post()
    await town.advance(minutes=4)
    await town.grab(job, tech)
    await town.advance(minutes=2)
    await town.db.run(actions.withdraw, job.order.call_id, tech.id)
    job = await town.job(job)
    assert (job.order.status, job.visit.grab_first_at) == ("in_pool", None)
    assert job.visit.no_grab_due_at == town.clock.now() + timedelta(minutes=5)
    assert await town.open_cases(job) == {}


async def test_going_offline_takes_the_grab_off_the_list(town: Town) -> None:
    tech, other = await town.technician(), await town.technician()
    job = await town.post()
    await town.grab(job, tech)
    await town.grab(job, other)
    await town.db.run(dispatch.go_offline, tech.id)
    await town.run()
    assert (await town.status(job), len(await town.grabs(job))) == ("has_candidates", 1)
    await town.db.run(dispatch.go_offline, other.id)
    await town.run()
    assert await town.status(job) == "in_pool"
    assert len(await town.heard(f"customer:{job.order.customer_id}", "grab.removed")) == 2
    assert await town.faults() == []


async def test_being_booked_elsewhere_takes_the_grab_off_the_list(town: Town) -> None:
    tech = await town.technician()
    wanted, other = await town.post(), await town.post()
    await town.grab(wanted, tech)
    grab = await town.grab(other, tech)
    await town.choose(other, grab)
    assert await refused(town.choose(wanted, (await town.grabs(wanted))[0])) == "candidate_gone"
    await town.pay(other)
    await town.run()
    assert await town.status(wanted) == "in_pool"
    assert await town.faults() == []


async def test_choosing_another_while_unpaid_lets_the_first_go_and_starts_the_window_anew(town: Town) -> None:
    first, second = await town.technician(metres=500), await town.technician(metres=5_900)
    job = await town.post()
    grabs = [await town.grab(job, first), await town.grab(job, second)]
    await town.choose(job, grabs[0])
    await town.advance(minutes=2)
    job = await town.choose(job, grabs[1])
    assert (job.order.provider_id, job.order.total_fen) == (second.id, 41_650)
    assert job.visit.lock_expires_at == town.clock.now() + timedelta(minutes=3)
    closed = await town.heard(f"worker:{first.id}", "grab.closed")
    assert [(fact["state"], fact["reason"]) for fact in closed] == [("unbound", "another_chosen")]
    await town.advance(minutes=2)
    assert (await town.pay(job)).order.provider_id == second.id
    assert await town.faults() == []


async def test_choosing_the_locked_one_again_does_not_prolong_the_window(town: Town) -> None:
    job, _ = await town.in_status("pending_payment")
    await town.advance(minutes=1)
    again = await town.choose(job, (await town.grabs(job))[0])
    assert again.visit.lock_expires_at == job.visit.lock_expires_at


async def test_a_choice_needs_ones_own_order_and_its_own_grab(town: Town) -> None:
    job, _ = await town.in_status("has_candidates")
    other, _ = await town.in_status("has_candidates")
    grab, strange = (await town.grabs(job))[0], (await town.grabs(other))[0]
    assert await refused(town.choose(job, strange)) == "not_found"
    assert await refused(town.db.run(actions.choose, job.order.id, "acc_thief", grab.id)) == "not_found"


async def test_losers_are_told_and_the_order_leaves_the_pool(town: Town) -> None:
    winner, loser = await town.technician(), await town.technician()
    job = await town.post()
    grab = await town.grab(job, winner)
    await town.grab(job, loser)
    await town.choose(job, grab)
    await town.pay(job)
    assert [fact["state"] for fact in await town.heard(f"worker:{loser.id}", "grab.closed")] == ["lost"]
    assert [fact["state"] for fact in await town.heard(f"worker:{winner.id}", "grab.closed")] == ["won"]
    offered = await town.heard(f"worker:{winner.id}", "order.offered")
    assert [(fact["payable"]["amount"], fact["lon"], fact["lat"]) for fact in offered] == [(40_900, 104.06, 30.66)]
    assert "Building 3" not in str(await town.heard(f"worker:{winner.id}"))


async def test_three_minutes_without_payment_unbind_and_push_again(town: Town) -> None:
    tech, other = await town.technician(), await town.technician()
    job = await town.post()
    grab = await town.grab(job, tech)
    await town.choose(job, grab)
    await town.advance(seconds=179)
    assert await town.status(job) == "pending_payment"
    await town.advance(seconds=1)
    job = await town.job(job)
    assert (job.order.status, job.order.provider_id, job.order.total_fen) == ("in_pool", None, 0)
    closed = await town.heard(f"worker:{tech.id}", "grab.closed")
    assert [(fact["state"], fact["reason"]) for fact in closed] == [("unbound", "unpaid")]
    assert len(await town.heard(f"worker:{other.id}", "offer.made")) == 1
    await town.grab(job, tech)  # the unbound may grab again
    assert await town.faults() == []


async def test_others_grabs_stay_when_the_chosen_is_unbound(town: Town) -> None:
    tech, other = await town.technician(), await town.technician()
    job = await town.post()
    grab = await town.grab(job, tech)
    await town.grab(job, other)
    await town.choose(job, grab)
    await town.advance(minutes=3)
    assert await town.status(job) == "has_candidates"
    assert [found.worker_id for found in await town.grabs(job)] == [other.id]


async def test_the_third_unbind_asks_support(town: Town) -> None:
    tech = await town.technician()
    job = await town.post()
    for unbinds in (1, 2, 3):
        await town.choose(job, await town.grab(job, tech))
        await town.advance(minutes=3)
        assert (await town.job(job)).visit.unbinds == unbinds
        assert ("no_choice" in await town.open_cases(job)) == (unbinds == 3)


async def test_reschedule_voids_grabs_moves_the_slot_and_pushes_again(town: Town) -> None:
    tech = await town.technician()
    job = await town.post(in_h=2)
    await town.run()
    grab = await town.grab(job, tech)
    start_at = town.clock.now() + timedelta(hours=8)
    job = await town.by_customer(actions.reschedule, job, start_at)
    await town.run()
    assert (job.order.status, job.visit.start_at) == ("in_pool", start_at)
    assert job.visit.pool_close_due_at == start_at - timedelta(minutes=30)
    assert await refused(town.choose(job, grab)) == "invalid_state"
    offers = await town.heard(f"worker:{tech.id}", "offer.made")
    assert len(offers) == 2
    await town.choose(job, await town.grab(job, tech))
    async with town.db.begin() as tx:
        during = await tx.fetchval("SELECT lower(during) FROM bookings WHERE state = 'held'")
    assert during == start_at
    assert await refused(town.by_customer(actions.reschedule, job, start_at)) == "invalid_state"
    assert await town.faults() == []


async def test_times_that_cannot_be(town: Town) -> None:
    assert await refused(town.post(in_h=0)) == "time_past"
    assert await refused(town.post(in_h=31 * 24)) == "time_too_far"
    job = await town.post()
    assert await refused(town.by_customer(actions.reschedule, job, town.clock.now())) == "time_past"


async def test_places_and_items_that_cannot_be(town: Town) -> None:
    assert await refused(town.post(region_code="999999")) == "region_not_served"
    assert await refused(town.post(item_id="itm_none")) == "not_found"
    from rest.lines.homeservice import catalogue

    await town.db.run(catalogue.withdraw_item, CLEANING)
    assert await refused(town.post(item_id=CLEANING)) == "not_found"
    job = await town.post()
    await town.db.run(catalogue.close_region, job.visit.region_code)
    assert await refused(town.post()) == "region_not_served"


async def test_an_order_keeps_the_price_and_rules_it_was_posted_under(town: Town) -> None:
    from rest.lines.homeservice import catalogue
    from rest.trade.pricing import DistanceTariff

    tech, job = await town.technician(), await town.post()
    async with town.db.begin() as tx:
        await catalogue.open_regions(
            tx,
            [job.visit.region_code],
            tariff=DistanceTariff(base_m=1, base_fen=1, per_km_fen=1),
            rate_bps=1,
            prices={job.visit.item_id: 1},
        )
    assert (await town.grab(job, tech)).quote["total_fen"] == 40_900


async def test_a_locked_technician_is_not_locked_twice(town: Town) -> None:
    tech = await town.technician()
    one, two = await town.post(), await town.post()
    grabs = [await town.grab(one, tech), await town.grab(two, tech)]
    results = await asyncio.gather(town.choose(one, grabs[0]), town.choose(two, grabs[1]), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["CandidateGone", "Job"]
    assert any(isinstance(result, CandidateGone) for result in results)
