"""Breaks after departure, end to end: the customer or the technician wants out, nobody opens (part 4.9)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from rest.lines.homeservice import actions, breaks, tracking
from rest.lines.homeservice.line import HOMESERVICE
from rest.lines.homeservice.rules import HomeserviceRules
from rest.money import ledger, penalties, refunds, settlement
from rest.money.refunds.ready import READY
from rest.trade import orders
from rest.trade.orders import By, Role
from storage.base.errors import HubError
from tests.homeservice.conftest import SQUARE, Tech, Town
from tests.homeservice.test_pool import refused
from tests.homeservice.test_refund import CARL

STAFF = "acc_sue"


def decide(town: Town, verb: Any, job: Any, *args: Any, **named: Any) -> Any:
    return town.db.run(verb, job.order.id, STAFF, *args, "talked", **named)


async def found(town: Town, job: Any, tech: Tech) -> Any:
    async def act(tx: Any) -> Any:
        held = await orders.lock_for_worker(tx, HOMESERVICE, job.order.id, tech.id)
        return await actions.find_customer(tx, held, By(Role.WORKER, tech.id))

    return await town.db.run(act)


async def purse(town: Town, job: Any, tech: Tech) -> dict[str, int]:
    return {
        "customer": await town.wallet(job.order.customer_id),
        "technician": await town.balance(ledger.worker_wallet(tech.id)),
        "waiting": await town.balance(ledger.pending("worker", tech.id)),
        "platform": await town.balance(ledger.revenue("homeservice")),
    }


async def penalties_of(town: Town, job: Any) -> list[Any]:
    async with town.db.begin() as tx:
        return await penalties.of_order(tx, job.order.id)


# The customer wants out


@pytest.mark.parametrize(("status", "case"), [("departed", "user_cancel_en_route"), ("arrived", "user_cancel_on_site")])
async def test_the_customer_insists_and_pays_half_of_the_items_and_the_travel(
    town: Town, status: str, case: str
) -> None:
    """HS-114 to HS-116, HS-123 to HS-125, HS-159. Item 400.00, travel 9.00, coupon 50.00; paid 359.00."""
    customer, tech = await town.customer(), await town.technician()
    await town.db.run(settlement.bind_channel, tech.id, CARL)
    coupon_id = await town.coupon(customer)
    job, _ = await town.in_status(status, tech, customer_id=customer, coupon_id=coupon_id)
    asked = await town.by_customer(actions.cancel, job, "ill")
    assert (asked.order.status, await town.open_cases(job)) == (status, {case: "queue"})
    again = await town.by_customer(actions.cancel, job, "ill")
    assert again.order.version == asked.order.version
    done = await decide(town, actions.break_off, job)
    assert (done.order.status, done.order.kept_fen, await town.outcomes(job)) == (
        "closed_penalty", 20_900, {case: "insists"},
    )  # fmt: skip
    assert await purse(town, job, tech) == {
        "customer": 100_000 - 20_900, "technician": 0, "waiting": 900 + 12_000, "platform": 8_000,
    }  # fmt: skip
    assert await town.balance(ledger.pending(CARL.kind, CARL.id)) == 0
    assert await town.coupon_state(coupon_id) == ("used", job.order.id)
    for listener in (f"customer:{customer}", f"worker:{tech.id}"):
        (receipt,) = await town.heard(listener, "penalty.booked")
        assert (receipt["payer"], receipt["amount"]["amount"], receipt["travel_part"]["amount"]) == (
            "customer", 20_900, 900,
        )  # fmt: skip
    told = await town.heard(f"customer:{customer}", "payment.settled")
    assert (told[-1]["state"], told[-1]["amount"]["amount"]) == ("refunded", 35_900 - 20_900)
    assert len(await town.heard(f"customer:{customer}", "tracking.ended")) == 1
    await town.grab(await town.post(in_h=3), tech)  # his time is free again
    await town.advance(hours=24)
    assert (await purse(town, job, tech))["technician"] == 12_900
    assert await town.faults() == []


async def test_the_customer_goes_on_and_nothing_has_happened(town: Town) -> None:
    """HS-115, HS-124."""
    for status in ("departed", "arrived"):
        job, tech = await town.in_status(status)
        await town.by_customer(actions.cancel, job, "hm")
        kept = await decide(town, actions.let_customer_go_on, job)
        assert (kept.order.status, kept.order.kept_fen, await town.open_cases(job)) == (status, 40_900, {})
        assert await refused(decide(town, actions.break_off, job)) == "case_not_open"
        if status == "departed":
            job = await town._go(job, tech, "arrive")
        await town._go(job, tech, "start")
    assert await town.faults() == []


async def test_a_cancel_by_phone_is_recorded_by_support(town: Town) -> None:
    """HS-117."""
    job, _ = await town.in_status("departed")
    await decide(town, actions.record_phone_cancel, job)
    assert set(await town.open_cases(job)) == {"user_cancel_en_route"}
    event = (await town.events(job))[-1]
    assert (event.verb, event.actor, event.data["reason"]) == ("ask_end", f"staff:{STAFF}", "by_phone")
    assert (await decide(town, actions.break_off, job)).order.status == "closed_penalty"
    assert await town.faults() == []


async def test_who_wanted_out_on_the_way_still_does_at_the_door(town: Town) -> None:
    job, tech = await town.in_status("departed")
    await town.by_customer(actions.cancel, job, "ill")
    job = await town._go(job, tech, "arrive")
    await town.by_customer(actions.cancel, job, "really")
    assert set(await town.open_cases(job)) == {"user_cancel_en_route", "user_cancel_on_site"}
    await decide(town, actions.break_off, job)
    assert set((await town.outcomes(job)).values()) == {"insists"}
    assert await town.faults() == []


async def test_a_penalty_is_never_more_than_was_paid(town: Town) -> None:
    """HS-129, part 8: item 400, coupon 380, travel 9: paid 29.00, so travel and 20.00 of the items; 12.00 of it his."""
    customer, tech = await town.customer(), await town.technician()
    coupon_id = await town.coupon(customer, amount_fen=38_000)
    job, _ = await town.in_status("departed", tech, customer_id=customer, coupon_id=coupon_id)
    await town.by_customer(actions.cancel, job, "ill")
    await decide(town, actions.break_off, job)
    assert await purse(town, job, tech) == {
        "customer": 100_000 - 2_900, "technician": 0, "waiting": 900 + 1_200, "platform": 800,
    }  # fmt: skip
    (kept,) = await penalties_of(town, job)
    assert (kept.item_fen, kept.travel_fen) == (2_000, 900)
    assert await town.faults() == []


async def test_an_order_that_cost_nothing_breaks_off_for_nothing(town: Town) -> None:
    customer, tech = await town.customer(), await town.technician(free_travel_m=100_000)
    coupon_id = await town.coupon(customer, amount_fen=40_000)
    job, _ = await town.in_status("departed", tech, customer_id=customer, coupon_id=coupon_id)
    await town.by_customer(actions.cancel, job, "ill")
    done = await decide(town, actions.break_off, job)
    assert (done.order.status, await penalties_of(town, job)) == ("closed_penalty", [])
    assert (await town.coupon_state(coupon_id))[0] == "used"
    assert await town.faults() == []


async def test_what_was_read_out_is_what_is_kept_or_it_is_refused(town: Town) -> None:
    job, tech = await town.in_status("accepted")
    before = breaks.outcome_now(job, town.clock.now())
    assert (before.tier, before.fee_fen) == ("before_departure", 0)
    job = await town._go(job, tech, "depart")
    await town.by_customer(actions.cancel, job, "ill")
    with pytest.raises(HubError) as changed:
        await decide(town, actions.break_off, job, shown=before.hash(job.order.id))
    shown = changed.value.fields["preview"]
    assert (changed.value.code, shown["fee_fen"], shown["refund_fen"]) == ("preview_changed", 20_900, 20_000)
    done = await decide(town, actions.break_off, job, shown=shown["preview_hash"])
    assert done.order.refunded_fen == shown["refund_fen"]
    assert await town.faults() == []


async def test_a_new_policy_changes_no_order_sold_before(town: Town) -> None:
    """I16."""
    old, _ = await town.in_status("departed")
    half_of_the_way = refunds.Fee(shares=(refunds.Share(of="travel", bps=5_000),))
    first, _ = READY["homeservice"].tiers
    tiers = (first, refunds.Tier(stage="after_departure", fee=half_of_the_way))
    milder = msgspec.structs.replace(READY["homeservice"], version=2, tiers=tiers)
    await town.db.run(refunds.publish, milder, note="summer", by="acc_fay")
    new, _ = await town.in_status("departed")
    assert (old.policy.version, new.policy.version) == (1, 2)
    for job, kept in ((old, 20_900), (new, 450)):
        await town.by_customer(actions.cancel, job, "ill")
        assert (await decide(town, actions.break_off, job)).order.kept_fen == kept
    (penalty,) = await penalties_of(town, new)
    assert (penalty.item_fen, penalty.travel_fen) == (0, 450)
    again = msgspec.structs.replace(milder, version=2)
    assert await refused(town.db.run(refunds.publish, again, note="x", by="acc_fay")) == "policy_version_taken"
    for sql in ("UPDATE refund_policies SET note = 'x'", "DELETE FROM refund_policies"):
        with pytest.raises(Exception, match="never change"):
            async with town.db.begin() as tx:
                await tx.execute(sql)


# The technician wants out


async def test_a_technician_who_will_not_go_on_pays_and_the_customer_has_everything_back(town: Town) -> None:
    """HS-118, HS-120, HS-122, HS-130: half of the items, from a wallet that falls below zero."""
    customer, tech = await town.customer(), await town.technician()
    coupon_id = await town.coupon(customer)
    job, _ = await town.in_status("departed", tech, customer_id=customer, coupon_id=coupon_id)
    asked = await town.by_worker(actions.ask_terminate, job, tech, "tired")
    assert (asked.order.status, await town.open_cases(job)) == ("departed", {"technician_terminate": "queue"})
    done = await decide(town, actions.terminate, job)
    assert (done.order.status, await town.outcomes(job)) == ("terminated", {"technician_terminate": "end_with_refund"})
    assert await purse(town, job, tech) == {
        "customer": 100_000, "technician": -20_000, "waiting": 0, "platform": 20_000,
    }  # fmt: skip
    assert await town.coupon_state(coupon_id) == ("issued", None)
    for listener in (f"customer:{customer}", f"worker:{tech.id}"):
        (receipt,) = await town.heard(listener, "penalty.booked")
        assert (receipt["payer"], receipt["amount"]["amount"]) == ("worker", 20_000)
    assert await town.faults() == []


async def test_a_technician_who_goes_on_after_all_owes_nothing(town: Town) -> None:
    """HS-119; and one who simply arrives has gone on."""
    job, tech = await town.in_status("departed")
    await town.by_worker(actions.ask_terminate, job, tech, "tired")
    await decide(town, actions.let_technician_go_on, job)
    await town.by_worker(actions.ask_terminate, job, tech, "tired again")
    await town._go(job, tech, "arrive")
    assert (await town.open_cases(job), await penalties_of(town, job)) == ({}, [])
    assert await town.faults() == []


@pytest.mark.parametrize(
    ("metres", "pays", "extra", "back"), [(300, 900, 0, 0), (3_900, 900, 250, 0), (4_800, 900, 500, 0)]
)
async def test_another_technician_comes_and_the_customer_pays_no_more(
    town: Town, metres: float, pays: int, extra: int, back: int
) -> None:
    """HS-121, part 8: a longer way is the platform's."""
    job, first = await town.in_status("departed")
    other = await town.technician(metres=metres)
    await town.by_worker(actions.ask_terminate, job, first, "tired")
    job = await decide(town, actions.change_technician, job, other.id)
    assert (job.order.status, job.order.provider_id, job.order.kept_fen) == ("accepted", other.id, 40_900 - back)
    assert (job.visit.travel_fen, job.visit.travel_extra_fen) == (pays, extra)
    assert (await tracking.view_trip(town.db, job.order.id)).tracked_since is None
    assert await refused(town.by_worker(actions.arrive, job, first)) == "not_found"
    assert await town.balance(ledger.worker_wallet(first.id)) == -20_000
    for name in ("depart", "arrive", "start", "end", "confirm_left", "leave"):
        job = await town._go(job, other, name)
    assert await town.balance(ledger.pending("worker", other.id)) == 24_000 + pays + extra
    assert await town.balance(ledger.revenue("homeservice")) == 20_000 + 16_000 - extra
    assert await town.faults() == []


async def test_of_a_shorter_way_the_customer_has_the_difference_back(town: Town) -> None:
    far = await town.technician(metres=4_800)
    job, _ = await town.in_status("departed", far)
    assert job.order.paid_fen == 41_400
    near = await town.technician(metres=300)
    await town.by_worker(actions.ask_terminate, job, far, "tired")
    job = await decide(town, actions.change_technician, job, near.id)
    assert (job.order.total_fen, job.order.kept_fen, job.visit.travel_fen) == (40_900, 40_900, 900)
    assert await town.wallet(job.order.customer_id) == 100_000 - 40_900
    assert await town.faults() == []


async def test_who_cannot_come_instead(town: Town) -> None:
    """HS-121: 409 technician_busy."""
    job, first = await town.in_status("departed")
    busy, off = await town.technician(), await town.technician(online=False)
    await town.in_status("paid", busy)
    await town.by_worker(actions.ask_terminate, job, first, "tired")
    before = await town.job(job)
    assert await refused(decide(town, actions.change_technician, job, busy.id)) == "technician_busy"
    assert await refused(decide(town, actions.change_technician, job, off.id)) == "not_eligible"
    assert await refused(decide(town, actions.change_technician, job, first.id)) == "same_technician"
    assert await refused(decide(town, actions.change_technician, job, "wrk_nobody")) == "not_found"
    assert await town.job(job) == before
    assert await town.faults() == []


# Nobody opens


@pytest.mark.parametrize(("seconds", "left"), [(0, 600), (599, 1), (599.5, 1), (600, 1), (600.001, None), (601, None)])
async def test_a_technician_leaves_a_closed_door_after_more_than_ten_minutes(
    town: Town, seconds: float, left: int | None
) -> None:
    """HS-126, HS-127."""
    job, tech = await town.in_status("arrived")
    assert await refused(town.by_worker(actions.leave, job, tech)) == "not_waiting"
    await town.by_worker(actions.miss_customer, job, tech)
    assert set(await town.open_cases(job)) == {"user_unreachable"}
    await town.advance(seconds=seconds)
    if left is not None:
        with pytest.raises(HubError) as too_early:
            await town.by_worker(actions.leave, job, tech)
        assert (too_early.value.code, too_early.value.fields) == ("wait_not_over", {"seconds_left": left})
        assert await town.status(job) == "arrived"
        return
    done = await town.by_worker(actions.leave, job, tech)
    assert (done.order.status, done.order.kept_fen) == ("closed_penalty", 20_900)
    assert await town.outcomes(job) == {"user_unreachable": "technician_leaves"}
    (kept,) = await penalties_of(town, job)
    assert (kept.cause, kept.by) == ("no_show", f"worker:{tech.id}")
    again = await town.by_worker(actions.leave, job, tech)  # the answer got lost
    assert again.order.version == done.order.version
    assert await town.faults() == []


async def test_everybody_hears_of_the_wait(town: Town) -> None:
    job, tech = await town.in_status("arrived")
    await town.by_worker(actions.miss_customer, job, tech)
    await town.advance(minutes=10)
    for listener in (f"customer:{job.order.customer_id}", f"worker:{tech.id}", "desk"):
        told = await town.heard(listener, "wait.")
        assert [fact["topic"] for fact in told] == ["wait.started", "wait.over"]
    assert await town.faults() == []


async def test_a_customer_who_turns_up_ends_the_wait_and_a_later_one_counts_anew(town: Town) -> None:
    """HS-128."""
    job, tech = await town.in_status("arrived")
    await town.by_worker(actions.miss_customer, job, tech)
    await town.advance(minutes=9)
    back = await found(town, job, tech)
    assert (back.visit.wait_started_at, await town.outcomes(job)) == (None, {"user_unreachable": "customer_found"})
    await town.by_worker(actions.miss_customer, job, tech)
    await town.advance(minutes=9)
    assert await refused(town.by_worker(actions.leave, job, tech)) == "wait_not_over"
    assert (await town._go(job, tech, "start")).visit.wait_started_at is None
    await town.advance(minutes=5)
    assert [fact["topic"] for fact in await town.heard("desk", "wait.")] == [
        "wait.started",
        "wait.ended",
        "wait.started",
    ]
    assert await town.faults() == []


async def test_a_supervisor_ends_the_wait_without_a_penalty(town: Town) -> None:
    customer = await town.customer()
    coupon_id = await town.coupon(customer)
    job, tech = await town.in_status("arrived", customer_id=customer, coupon_id=coupon_id)
    await town.by_worker(actions.miss_customer, job, tech)
    done = await decide(town, actions.excuse, job)
    assert (done.order.status, await town.outcomes(job)) == (
        "terminated", {"user_unreachable": "ended_without_penalty"},
    )  # fmt: skip
    assert await purse(town, job, tech) == {"customer": 100_000, "technician": 0, "waiting": 0, "platform": 0}
    assert (await penalties_of(town, job), await town.coupon_state(coupon_id)) == ([], ("issued", None))
    assert await town.faults() == []


@pytest.mark.parametrize("verb", ["cancel", "ask_terminate"])
async def test_in_the_middle_of_the_service_nobody_breaks_off(town: Town, verb: str) -> None:
    """HS-131."""
    job, tech = await town.in_status("in_service")
    act = town.by_customer(actions.cancel, job, "x") if verb == "cancel" else town.by_worker(
        actions.ask_terminate, job, tech, "x")  # fmt: skip
    assert await refused(act) == "invalid_state"


# Taken back


async def test_a_customers_penalty_is_taken_back_once_and_from_everybody(town: Town) -> None:
    """HS-132."""
    customer = await town.customer()
    coupon_id = await town.coupon(customer)
    job, tech = await town.in_status("departed", customer_id=customer, coupon_id=coupon_id)
    await town.by_customer(actions.cancel, job, "ill")
    await decide(town, actions.break_off, job)
    (kept,) = await penalties_of(town, job)
    await town.advance(hours=24)
    answers = await asyncio.gather(*(reverse(town, kept.id) for _ in range(4)))
    assert sorted(answers) == ["already_reversed"] * 3 + ["ok"]
    assert await purse(town, job, tech) == {"customer": 100_000, "technician": 0, "waiting": 0, "platform": 0}
    (after,) = await penalties_of(town, job)
    assert (after.state.value, after.reversed_by, after.reversed_reason) == ("reversed", f"staff:{STAFF}", "a mistake")
    assert await town.coupon_state(coupon_id) == ("issued", None)
    (told,) = await town.heard(f"customer:{customer}", "penalty.reversed")
    assert told["amount"]["amount"] == 20_900
    last = (await town.events(job))[-1]
    assert (last.verb, last.data["reason"]) == ("reverse_penalty", "a mistake")
    assert await town.faults() == []


async def test_a_technicians_penalty_is_taken_back_once(town: Town) -> None:
    job, tech = await town.in_status("terminated")
    (owed,) = await penalties_of(town, job)
    assert [await reverse(town, owed.id) for _ in range(2)] == ["ok", "already_reversed"]
    assert await purse(town, job, tech) == {"customer": 100_000, "technician": 0, "waiting": 0, "platform": 0}
    assert await reverse(town, "pen_nothing") == "not_found"
    assert await town.faults() == []


async def reverse(town: Town, penalty_id: str) -> str:
    try:
        await town.db.run(actions.reverse_penalty, penalty_id, STAFF, "a mistake")
    except HubError as problem:
        return problem.code
    return "ok"


# Races


@pytest.mark.parametrize(
    "pair",
    [("insist", "go_on"), ("insist", "insist"), ("insist", "arrive"), ("terminate", "change"), ("insist", "terminate"),
     ("terminate", "arrive")],
)  # fmt: skip
async def test_of_two_decisions_at_once_one_counts(town: Town, pair: tuple[str, str]) -> None:
    for _ in range(3):
        job, tech = await town.in_status("departed")
        other = await town.technician()
        await town.by_customer(actions.cancel, job, "ill")
        await town.by_worker(actions.ask_terminate, job, tech, "tired")
        town.clock.advance(seconds=1)
        await town.fix(tech, SQUARE)
        verbs = {
            "insist": lambda job=job: decide(town, actions.break_off, job),
            "go_on": lambda job=job: decide(town, actions.let_customer_go_on, job),
            "terminate": lambda job=job: decide(town, actions.terminate, job),
            "change": lambda job=job, other=other: decide(town, actions.change_technician, job, other.id),
            "arrive": lambda job=job, tech=tech: town.by_worker(actions.arrive, job, tech),
        }
        answers = [await answer for answer in [asyncio.ensure_future(_code(verbs[name]())) for name in pair]]
        allowed = {"ok", "invalid_state", "case_not_open", "not_found"}
        assert set(answers) <= allowed
        assert answers.count("ok") == 1 or "arrive" in pair
        assert await town.faults() == []


async def _code(act: Any) -> str:
    try:
        await act
    except HubError as problem:
        return problem.code
    return "ok"


async def test_the_rules_of_the_order_count_and_not_todays(new_town: Any) -> None:
    town = await new_town(HomeserviceRules(wait_s=60, technician_penalty_bps=1_000))
    job, tech = await town.in_status("arrived")
    town.rules = HomeserviceRules()
    await town.by_worker(actions.miss_customer, job, tech)
    await town.advance(seconds=61)
    assert (await town.by_worker(actions.leave, job, tech)).order.status == "closed_penalty"
    assert breaks.technician_penalty(job) == 4_000
