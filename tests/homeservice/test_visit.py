"""Departure, arrival, start with the customer's code, end, leaving, help; share links."""

from __future__ import annotations

import pytest

from geo.distance import destination
from rest.lines.homeservice import actions, codes, sharing, tracking
from rest.lines.homeservice.starting import start_with_code
from rest.money import ledger
from tests.homeservice.conftest import SQUARE, Town
from tests.homeservice.test_pool import refused


async def test_departure_is_refused_more_than_three_hours_ahead(town: Town) -> None:
    job, tech = await town.in_status("accepted", in_h=5)
    town.clock.advance(hours=1, minutes=59, seconds=59)
    assert await refused(town.by_worker(actions.depart, job, tech)) == "too_early"
    town.clock.advance(seconds=1)
    assert (await town.by_worker(actions.depart, job, tech)).order.status == "departed"


@pytest.mark.parametrize(("metres", "code"), [(501, "too_far"), (499, None)])
async def test_arrival_needs_a_position_within_five_hundred_metres(town: Town, metres: float, code: str | None) -> None:
    job, tech = await town.in_status("departed")
    town.clock.advance(seconds=1)
    await town.fix(tech, destination(SQUARE, 10, metres))
    if code:
        assert await refused(town.by_worker(actions.arrive, job, tech)) == code
        job = await town.db.run(actions.confirm_arrival, job.order.id, "acc_staff", "seen on camera")
    else:
        job = await town.by_worker(actions.arrive, job, tech)
    assert job.order.status == "arrived"


async def test_an_old_position_proves_no_arrival(town: Town) -> None:
    job, tech = await town.in_status("departed")
    town.clock.advance(minutes=6)
    assert await refused(town.by_worker(actions.arrive, job, tech)) == "position_unknown"


async def test_tracking_is_on_from_departure_to_arrival_only(town: Town) -> None:
    for status in ("paid", "accepted", "departed", "arrived", "in_service", "completed"):
        job, tech = await town.in_status(status)
        trip = await tracking.view_trip(town.db, job.order.id)
        assert (trip.tracked_since is not None) == (status == "departed")
        assert (trip.worker_id, trip.destination) == (tech.id, SQUARE)
    told = await town.heard(f"customer:{job.order.customer_id}", "tracking.ended")
    assert [fact["reason"] for fact in told] == ["arrived"]


async def test_a_start_code_is_good_once_and_for_five_minutes(town: Town) -> None:
    job, tech = await town.in_status("arrived")
    assert await refused(town.by_worker(actions.start, job, tech, "123456")) == "code_invalid"
    code = await town.code(job)
    town.clock.advance(minutes=5)
    assert await refused(town.by_worker(actions.start, job, tech, code)) == "code_expired"
    older, newer = await town.code(job), await town.code(job)
    if older != newer:
        assert await refused(town.by_worker(actions.start, job, tech, older)) == "code_invalid"
    assert (await town.by_worker(actions.start, job, tech, newer)).order.status == "in_service"
    assert await refused(town.by_worker(actions.start, job, tech, newer)) == "code_used"


async def test_codes_cannot_be_guessed(town: Town) -> None:
    job, tech = await town.in_status("arrived")
    code = await town.code(job)
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(codes.TRIES_MAX):
        assert await refused(start_with_code(town.db, job.order.id, tech.id, wrong)) == "code_invalid"
    assert await refused(start_with_code(town.db, job.order.id, tech.id, code)) == "code_expired"
    fresh = await town.code(job)
    assert (await start_with_code(town.db, job.order.id, tech.id, fresh)).order.status == "in_service"


async def test_no_code_is_kept_in_clear(town: Town) -> None:
    job, _ = await town.in_status("arrived")
    code = await town.code(job)
    async with town.db.begin() as tx:
        row = await tx.fetchrow("SELECT service_codes::text AS text FROM service_codes")
    assert code not in row["text"].split(",")[0] + row["text"].split(",")[1]


async def test_ending_early_refunds_nothing_and_the_money_is_shared_as_usual(town: Town) -> None:
    job, tech = await town.in_status("in_service")
    await town.advance(minutes=5)
    job = await town.by_customer(actions.end, job)
    assert job.visit.ended_at == town.clock.now()
    assert await refused(town.by_worker(actions.leave, job, tech)) == "not_confirmed"
    await town.by_customer(actions.confirm_left, job)
    await town.by_worker(actions.leave, job, tech)
    assert await town.balance(ledger.pending("worker", tech.id)) == 24_900
    await town.advance(hours=24)
    assert await town.balance(ledger.worker_wallet(tech.id)) == 24_900
    async with town.db.begin() as tx:
        done = await tx.fetchval("SELECT orders_done FROM technicians WHERE worker_id = $1", tech.id)
    assert done == 1


async def test_after_leaving_the_rest_of_the_slot_is_free(town: Town) -> None:
    tech = await town.technician()
    await town.in_status("completed", tech, in_h=3)
    await town.grab(await town.post(in_h=3.5), tech)


async def test_help_calls_all_of_support_at_top_priority_with_the_position(town: Town) -> None:
    from rest.lines.homeservice.line import HOMESERVICE
    from rest.trade import orders
    from rest.trade.orders import By, Role

    job, tech = await town.in_status("in_service")

    async def shout(tx: object) -> object:
        held = await orders.lock_for_worker(tx, HOMESERVICE, job.order.id, tech.id)  # type: ignore[arg-type]
        return await actions.ask_help(tx, held, By(Role.WORKER, tech.id))  # type: ignore[arg-type]

    await town.db.run(shout)  # type: ignore[arg-type]
    opened = await town.heard("desk", "case.opened")
    assert [(fact["type"], fact["priority"], fact["stage"]) for fact in opened] == [("safety", 9, "all")]
    event = (await town.events(job))[-1]
    assert (round(event.data["lon"], 2), round(event.data["lat"], 2)) == (104.06, 30.66)


async def test_a_share_link_opens_its_one_order_and_dies_with_it(town: Town) -> None:
    job, tech = await town.in_status("departed")
    link = await town.by_customer(sharing.share, job)
    assert len(link.token) >= 22
    assert await tracking.open_share(town.db, link.token) == job.order.id
    assert await refused(tracking.open_share(town.db, link.token + "x")) == "link_dead"
    async with town.db.begin() as tx:
        kept = await tx.fetchval("SELECT order_shares::text FROM order_shares")
    assert link.token not in kept
    for name in ("arrive", "start", "end", "confirm_left", "leave"):
        job = await town._go(job, tech, name)
    assert await refused(tracking.open_share(town.db, link.token)) == "link_dead"


async def test_share_links_run_out_and_can_be_taken_back(town: Town) -> None:
    job, _ = await town.in_status("accepted", in_h=48)
    first, second = await town.by_customer(sharing.share, job), await town.by_customer(sharing.share, job)
    assert await town.by_customer(sharing.revoke_shares, job) == 2
    for link in (first, second):
        assert await refused(tracking.open_share(town.db, link.token)) == "link_dead"
    third = await town.by_customer(sharing.share, job)
    town.clock.advance(hours=24)
    assert await refused(tracking.open_share(town.db, third.token)) == "link_dead"
    assert await refused(town.db.run(sharing.share, job.order.id, "acc_thief")) == "not_found"
