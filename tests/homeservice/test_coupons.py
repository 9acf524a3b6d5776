"""An order with a coupon: locked when posted, priced in every quote, used at payment, back when nothing is kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from rest.lines.homeservice import actions, effects
from rest.lines.homeservice.model import STATUSES, Job
from rest.marketing import coupons
from rest.money import ledger
from rest.trade import orders
from rest.trade.orders import Step
from rest.trade.pricing import PriceChanged, PriceLine, quote_hash
from tests.homeservice.conftest import MASSAGE, WAY_TO, Tech, Town
from tests.homeservice.test_pool import refused
from tests.homeservice.test_races import answer


async def with_coupon(town: Town, *, fen: int = 100_000, **terms: Any) -> tuple[Job, str]:
    """An order in the pool with a coupon of 50 yuan, or another."""
    customer = await town.customer(fen=fen)
    coupon_id = await town.coupon(customer, **terms)
    return await town.post(customer, coupon_id=coupon_id), coupon_id


async def brought_to(town: Town, status: str, **terms: Any) -> tuple[Job, Tech, str]:
    tech = await town.technician()
    job, coupon_id = await with_coupon(town, **terms)
    for name in WAY_TO[status]:
        job = await town._go(job, tech, name)
    return job, tech, coupon_id


async def lines(town: Town, job: Job) -> list[PriceLine]:
    async with town.db.begin() as tx:
        found = await orders.lines_of(tx, {job.order.id: job.visit.lock_epoch})
    return found.get(job.order.id, [])


async def test_an_order_with_a_coupon_is_paid_used_and_settled(town: Town) -> None:
    """Item 400.00, travel 9.00, coupon 50.00: the platform bears the coupon, the technician loses nothing (HS-155)."""
    tech = await town.technician(metres=2_000)
    job, coupon_id = await with_coupon(town)
    assert (job.visit.coupon_id, job.visit.coupon_fen) == (coupon_id, 5_000)
    assert await town.job(job) == job
    assert await town.coupon_state(coupon_id) == ("locked", job.order.id)
    grab = await town.grab(job, tech)
    assert (grab.quote["coupon_fen"], grab.quote["total_fen"]) == (5_000, 35_900)
    job = await town.choose(job, grab)
    assert job.order.total_fen == 35_900
    shown = [(line.kind, line.amount_fen, line.allocated_to) for line in await lines(town, job)]
    assert shown == [("item", 40_000, None), ("travel", 900, None), ("discount.coupon", -5_000, 1)]
    job = await town.pay(job)
    assert (job.order.paid_fen, await town.wallet(job.order.customer_id)) == (35_900, 64_100)
    assert await town.coupon_state(coupon_id) == ("used", job.order.id)
    for verb in ("accept", "depart", "arrive", "start", "end", "confirm_left", "leave"):
        job = await town._go(job, tech, verb)
    assert await town.balance(ledger.pending("worker", tech.id)) == 24_900
    assert await town.balance(ledger.revenue("homeservice")) == 11_000
    assert await town.coupon_state(coupon_id) == ("used", job.order.id)
    assert await town.faults() == []


async def test_a_coupon_may_take_the_platforms_part_below_nothing(town: Town) -> None:
    _, tech, coupon_id = await brought_to(town, "completed", amount_fen=38_000)
    assert await town.balance(ledger.pending("worker", tech.id)) == 24_900
    assert await town.balance(ledger.revenue("homeservice")) == 2_900 - 24_900
    assert (await town.coupon_state(coupon_id))[0] == "used"
    assert await town.faults() == []


async def test_travel_is_never_discounted(town: Town) -> None:
    job, _, _ = await brought_to(town, "paid", amount_fen=90_000)
    assert (job.visit.coupon_fen, job.order.total_fen, job.order.paid_fen) == (40_000, 900, 900)
    assert await town.faults() == []


async def test_an_order_that_costs_nothing_needs_no_money_and_its_technician_is_paid(town: Town) -> None:
    tech = await town.technician(free_travel_m=100_000)
    job, coupon_id = await with_coupon(town, fen=0, amount_fen=40_000)
    job = await town.choose(job, await town.grab(job, tech))
    assert (job.order.total_fen, job.order.status) == (0, "pending_payment")
    job = await town.pay(job)
    assert (job.order.status, job.order.paid_fen) == ("paid", 0)
    assert (await town.coupon_state(coupon_id))[0] == "used"
    for verb in ("accept", "depart", "arrive", "start", "end", "confirm_left", "leave"):
        job = await town._go(job, tech, verb)
    assert await town.balance(ledger.pending("worker", tech.id)) == 24_000
    assert await town.balance(ledger.revenue("homeservice")) == -24_000
    assert await town.faults() == []


async def test_a_free_order_paid_late_or_cancelled_gives_its_coupon_back(town: Town) -> None:
    tech = await town.technician(free_travel_m=100_000)
    job, coupon_id = await with_coupon(town, fen=0, amount_fen=40_000)
    await town.choose(job, await town.grab(job, tech))
    await town.advance(minutes=3)
    job = await town.pay(job)
    assert (job.order.status, [event.verb for event in await town.events(job)][-1]) == ("paid", "pay_late")
    for name in ("cancel", "drop"):
        job = await town._go(job, tech, name)
    assert (job.order.status, await town.coupon_state(coupon_id)) == ("cancelled", ("issued", None))
    assert await town.faults() == []


# Given back, or not


@pytest.mark.parametrize("status", ["in_pool", "has_candidates", "pending_payment", "paid", "accepted", "rejected"])
async def test_a_cancelled_order_gives_its_coupon_back(town: Town, status: str) -> None:
    job, tech, coupon_id = await brought_to(town, status)
    paid_before = job.order.paid_fen
    assert (await town.coupon_state(coupon_id))[0] == ("used" if paid_before else "locked")
    job = await town._go(job, tech, "cancel")
    if job.order.status == "cancel_requested":
        assert (await town.coupon_state(coupon_id))[1] == job.order.id
        job = await town._go(job, tech, "drop")
    assert (job.order.status, job.order.refunded_fen) == ("cancelled", paid_before)
    assert await town.coupon_state(coupon_id) == ("issued", None)
    assert await town.wallet(job.order.customer_id) == 100_000
    told = await town.heard(f"customer:{job.order.customer_id}", "coupon.")
    assert [fact["topic"] for fact in told] == ["coupon.issued", "coupon.released"]
    again = await town.post(job.order.customer_id, coupon_id=coupon_id)
    assert await town.coupon_state(coupon_id) == ("locked", again.order.id)
    assert await town.faults() == []


async def test_an_order_that_keeps_a_penalty_does_not_give_its_coupon_back(town: Town) -> None:
    """HS-129: only the whole of what was paid brings it back."""
    job, _, coupon_id = await brought_to(town, "paid")
    for refunded_fen, expected in ((0, "used"), (job.order.paid_fen - 1, "used"), (job.order.paid_fen, "issued")):
        ended = replace(job, order=replace(job.order, refunded_fen=refunded_fen))
        await town.db.run(effects.return_coupon, Step(job, ended, "end_early", orders.SYSTEM, {}))
        assert (await town.coupon_state(coupon_id))[0] == expected


async def test_a_saved_order_keeps_its_coupon(town: Town) -> None:
    job, tech, coupon_id = await brought_to(town, "paid")
    job = await town._go(job, tech, "cancel")
    job = await town.db.run(actions.decide_cancel, job.order.id, "acc_staff", saved=True, note="stays")
    assert (job.order.status, await town.coupon_state(coupon_id)) == ("paid", ("used", job.order.id))
    assert await town.faults() == []


async def test_a_coupon_whose_time_ends_meanwhile_is_good_for_its_order_and_then_over(town: Town) -> None:
    until = town.clock.now() + timedelta(minutes=1)
    window = {"valid_from": town.clock.now(), "valid_until": until}
    kept, tech, used = await brought_to(town, "has_candidates", **window)
    lost, _, returned = await brought_to(town, "in_pool", **window)
    await town.advance(minutes=2)
    kept = await town.choose(kept, (await town.grabs(kept))[0])
    kept = await town.pay(kept)
    lost = await town._go(lost, tech, "cancel")
    assert await town.coupon_state(used) == ("used", kept.order.id)
    assert await town.coupon_state(returned) == ("expired", None)
    told = await town.heard(f"customer:{lost.order.customer_id}", "coupon.released")
    assert [fact["state"] for fact in told] == ["expired"]
    assert await town.faults() == []


STANDS = {
    "in_pool": "locked", "has_candidates": "locked", "pending_payment": "locked", "cancelled": "issued",
    "terminated": "issued",
}  # fmt: skip
"""Where the coupon of an order in this status stands; in all others it is used."""


@pytest.mark.parametrize("status", STATUSES)
async def test_where_the_coupon_stands_in_every_status(town: Town, status: str) -> None:
    job, _, coupon_id = await brought_to(town, status)
    expected = STANDS.get(status, "used")
    assert await town.coupon_state(coupon_id) == (expected, None if expected == "issued" else job.order.id)
    assert await town.faults() == []


# Refused


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"threshold_fen": 40_001}, "threshold"),
        ({"item_ids": ("itm_cleaning",)}, "item"),
        ({"region_codes": ("510105",)}, "region"),
        ({"line": "rv"}, "line"),
        ({"worker_ids": ("wrk_1",)}, "technician"),
    ],
)
async def test_a_coupon_that_does_not_fit_makes_no_order(town: Town, terms: dict[str, Any], reason: str) -> None:
    customer = await town.customer()
    coupon_id = await town.coupon(customer, **terms)
    with pytest.raises(coupons.CouponNotApplicable) as no:
        await town.post(customer, coupon_id=coupon_id)
    assert no.value.fields == {"reason": reason}
    async with town.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM orders") == 0
    assert await town.coupon_state(coupon_id) == ("issued", None)
    assert await town.faults() == []


async def test_two_of_the_item_reach_a_threshold_that_one_does_not(town: Town) -> None:
    customer = await town.customer()
    coupon_id = await town.coupon(customer, threshold_fen=80_000)
    assert await refused(town.post(customer, coupon_id=coupon_id)) == "coupon_not_applicable"
    assert (await town.post(customer, coupon_id=coupon_id, qty=2)).visit.coupon_fen == 5_000


async def test_somebody_elses_coupon_is_no_coupon(town: Town) -> None:
    coupon_id = await town.coupon(await town.customer())
    assert await refused(town.post(coupon_id=coupon_id)) == "coupon_not_applicable"
    assert await town.coupon_state(coupon_id) == ("issued", None)


# Many hands


async def test_one_coupon_is_not_used_by_five_orders_at_once(town: Town) -> None:
    """D6: five concurrent orders used one coupon and one of them cost less than nothing."""
    customer = await town.customer(fen=500_000)
    coupon_id = await town.coupon(customer, amount_fen=39_000)
    answers = await asyncio.gather(*(answer(town.post(customer, coupon_id=coupon_id)) for _ in range(5)))
    assert sorted(answers) == ["coupon_locked"] * 4 + ["ok"]
    async with town.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM orders") == 1
    assert await town.faults() == []


@pytest.mark.parametrize("seconds", [0.0, 60.0])
async def test_post_cancel_pay_and_expiry_of_one_coupon_at_once(town: Town, seconds: float) -> None:
    """However they meet, the coupon is where its orders are; `seconds` 60 is the end of its time."""
    for _ in range(6):
        until = town.clock.now() + timedelta(seconds=60)
        window = {"valid_from": town.clock.now(), "valid_until": until}
        job, tech, coupon_id = await brought_to(town, "pending_payment", **window)
        town.clock.advance(seconds=seconds)
        answers = await asyncio.gather(
            answer(town.pay(job)),
            answer(town.by_customer(actions.cancel, job, "race")),
            answer(town.db.run(actions.decide_cancel, job.order.id, "acc_staff", saved=False, note="x")),
            answer(town.post(job.order.customer_id, coupon_id=coupon_id)),
            answer(town.db.run(coupons.DEADLINES["coupons.expire"], {"coupon_id": coupon_id})),
        )
        assert set(answers) <= {"ok", "invalid_state", "coupon_locked", "coupon_not_applicable"}
        await town.run()
        state, order_id = await town.coupon_state(coupon_id)
        if await town.status(job) == "cancelled":
            assert order_id != job.order.id
            assert state == "expired" if seconds else state in {"issued", "locked"}
        else:
            assert (state in {"locked", "used"}, order_id) == (True, job.order.id)
        assert await town.faults() == []


# Lines and the price shown


async def test_each_choice_has_its_own_lines_and_none_is_ever_changed(town: Town) -> None:
    near, far = await town.technician(metres=500), await town.technician(metres=4_500)
    job, _ = await with_coupon(town)
    grabs = [await town.grab(job, near), await town.grab(job, far)]
    first = await town.choose(job, grabs[0])
    second = await town.choose(job, grabs[1])
    assert (first.visit.lock_epoch, second.visit.lock_epoch) == (1, 2)
    for chosen, total_fen in ((first, 35_900), (second, 36_400)):
        assert sum(line.amount_fen for line in await lines(town, chosen)) == chosen.order.total_fen == total_fen
    for change in ("UPDATE order_lines SET amount_fen = 1 WHERE kind = 'item'", "DELETE FROM order_lines"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with town.db.begin() as tx:
                await tx.execute(change)
    await town.advance(minutes=3)
    late = await town.pay(second)
    assert (late.order.status, late.visit.lock_epoch) == ("paid", 3)
    assert quote_hash(await lines(town, late)) == quote_hash(await lines(town, second))
    assert await town.faults() == []


async def test_choosing_and_paying_at_another_price_than_shown_is_refused(town: Town) -> None:
    tech = await town.technician()
    job, _ = await with_coupon(town)
    grab = await town.grab(job, tech)
    shown = grab.quote["quote_hash"]

    def choose(shown: str) -> Any:
        return town.db.run(actions.choose, job.order.id, job.order.customer_id, grab.id, shown=shown)

    def pay(shown: str) -> Any:
        return town.db.run(actions.pay, job.order.id, job.order.customer_id, "wallet", shown=shown)

    with pytest.raises(PriceChanged) as no:
        await choose("0" * 32)
    assert no.value.fields == {"quote_hash": shown}
    assert await town.status(job) == "has_candidates"
    job = await choose(shown)
    assert quote_hash(await lines(town, job)) == shown
    assert await refused(pay("0" * 32)) == "price_changed"
    assert await town.wallet(job.order.customer_id) == 100_000
    assert (await pay(shown)).order.status == "paid"
    assert (await pay("0" * 32)).order.paid_fen == 35_900  # a repeat of what is done
    assert await town.faults() == []


async def test_a_late_payment_at_another_price_than_shown_is_refused(town: Town) -> None:
    job, _, _ = await brought_to(town, "pending_payment")
    town.clock.advance(minutes=3)  # over, and nobody has noticed yet
    pay = town.db.run(actions.pay, job.order.id, job.order.customer_id, "wallet", shown="0" * 32)
    assert await refused(pay) == "price_changed"
    assert (await town.status(job), await town.wallet(job.order.customer_id)) == ("pending_payment", 100_000)


async def test_posting_at_another_price_than_shown_is_refused_and_the_coupon_is_free(town: Town) -> None:
    customer = await town.customer()
    coupon_id = await town.coupon(customer)
    assert await refused(town.post(customer, coupon_id=coupon_id, quote_hash="0" * 32)) == "price_changed"
    assert await town.coupon_state(coupon_id) == ("issued", None)
    from rest.lines.homeservice import prices

    before = prices.lines_before(MASSAGE, 1, 40_000, prices.coupon_of(coupon_id, 5_000))
    job = await town.post(customer, coupon_id=coupon_id, quote_hash=quote_hash(before))
    assert job.visit.coupon_fen == 5_000
