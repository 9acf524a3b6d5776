"""The grab-pool order from posted to completed, and its money."""

from __future__ import annotations

from rest.money import ledger
from tests.homeservice.conftest import REGION, Town


async def test_an_order_goes_from_the_pool_to_completed_and_its_money_is_shared_out(town: Town) -> None:
    tech = await town.technician(metres=2_000)
    customer = await town.customer(fen=50_000)
    job = await town.post(customer)
    await town.run()
    assert [fact["call_id"] for fact in await town.heard(f"worker:{tech.id}", "offer.made")] == [job.order.call_id]

    grab = await town.grab(job, tech)
    assert grab.quote["total_fen"] == 40_900
    job = await town.choose(job, grab)
    assert (job.order.status, job.order.total_fen, job.order.provider_id) == ("pending_payment", 40_900, tech.id)
    job = await town.pay(job)
    assert (job.order.status, job.order.paid_fen, await town.wallet(customer)) == ("paid", 40_900, 9_100)
    for verb in ("accept", "depart", "arrive", "start", "end", "confirm_left", "leave"):
        job = await town._go(job, tech, verb)
    assert job.order.status == "completed"
    assert await town.balance(ledger.pending("worker", tech.id)) == 24_900  # 60 % of 400.00 and the travel fee
    assert await town.balance(ledger.worker_wallet(tech.id)) == 0  # not before the day is over (HS-162)
    assert await town.balance(ledger.revenue("homeservice")) == 16_000
    assert await town.balance(ledger.escrow(job.order.id)) == 0
    assert await town.faults() == []
    await town.advance(hours=24)
    assert await town.balance(ledger.pending("worker", tech.id)) == 0
    assert await town.balance(ledger.worker_wallet(tech.id)) == 24_900
    assert await town.faults() == []
    verbs = [event.verb for event in await town.events(job)]
    assert verbs == [
        "post", "grab", "choose", "pay", "accept", "depart", "arrive", "start", "end", "confirm_left", "leave",
    ]  # fmt: skip


async def test_what_placing_returns_is_what_was_stored(town: Town) -> None:
    job = await town.post(qty=2)
    assert await town.job(job) == job
    assert (job.visit.minutes, job.visit.item_fen, job.visit.region_code) == (120, 80_000, REGION)
