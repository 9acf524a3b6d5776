"""Cancelling before departure, support's word on it, and what becomes of a rejection."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rest.lines.homeservice import actions
from rest.lines.homeservice.rules import HomeserviceRules
from rest.money import ledger
from tests.homeservice.conftest import Town
from tests.homeservice.test_pool import refused


def decide(town: Town, job: object, *, saved: bool) -> object:
    return town.db.run(actions.decide_cancel, job.order.id, "acc_staff", saved=saved, note="talked")  # type: ignore[attr-defined]


async def test_an_unpaid_unlocked_order_ends_at_once_and_everybody_is_free(town: Town) -> None:
    job, tech = await town.in_status("has_candidates")
    await town.run()
    job = await town.by_customer(actions.cancel, job, "found another")
    assert (job.order.status, await town.open_cases(job)) == ("cancelled", {})
    closed = await town.heard(f"worker:{tech.id}", "grab.closed")
    assert [(fact["state"], fact["reason"]) for fact in closed] == [("void", "order_cancelled")]
    told = await town.heard(f"customer:{job.order.customer_id}", "order.changed")
    assert (told[-1]["verb"], told[-1]["reason"]) == ("cancel", "found another")
    await town.advance(hours=2)
    assert await town.status(job) == "cancelled"
    assert await town.faults() == []


async def test_a_setting_has_support_confirm_even_unpaid_ones(new_town: object) -> None:
    town = await new_town(HomeserviceRules(support_confirms_unpaid_cancel=True))  # type: ignore[operator]
    job, tech = await town.in_status("has_candidates")
    await town.run()
    job = await town.by_customer(actions.cancel, job, "no time")
    assert (job.order.status, await town.open_cases(job)) == ("cancel_requested", {"cancel_confirm": "queue"})
    assert await refused(town.grab(job, await town.technician())) == "order_gone"
    await town.advance(hours=1)  # other timers stand still
    assert set(await town.open_cases(job)) == {"cancel_confirm"}
    job = await decide(town, job, saved=True)
    assert job.order.status == "has_candidates"
    assert [found.worker_id for found in await town.grabs(job)] == [tech.id]
    assert await town.faults() == []


@pytest.mark.parametrize("status", ["paid", "accepted"])
async def test_a_paid_order_that_is_not_saved_is_refunded_whole(town: Town, status: str) -> None:
    job, tech = await town.in_status(status)
    job = await town.by_customer(actions.cancel, job, "ill")
    assert (job.order.status, await town.open_cases(job)) == ("cancel_requested", {"cancel_confirm": "queue"})
    job = await decide(town, job, saved=False)
    assert (job.order.status, job.order.refunded_fen) == ("cancelled", 40_900)
    assert await town.wallet(job.order.customer_id) == 100_000
    assert await town.outcomes(job) == {"cancel_confirm": "not_saved"}
    told = await town.heard(f"customer:{job.order.customer_id}", "payment.settled")
    assert [fact["state"] for fact in told] == ["paid", "refunded"]
    changed = await town.heard(f"worker:{tech.id}", "order.changed")
    assert changed[-1]["status"] == "cancelled"
    free = await town.post()
    await town.grab(free, tech)  # his time is free again
    assert await town.faults() == []


@pytest.mark.parametrize("status", ["paid", "accepted", "rejected"])
async def test_a_saved_order_goes_back_to_where_it_was_and_stays_paid(town: Town, status: str) -> None:
    job, tech = await town.in_status(status)
    await town.by_customer(actions.cancel, job, "ill")
    await town.advance(minutes=30)
    job = await decide(town, job, saved=True)
    assert (job.order.status, job.order.provider_id, job.order.kept_fen) == (status, tech.id, 40_900)
    assert (await town.outcomes(job))["cancel_confirm"] == "saved"
    assert ("rejected" in await town.open_cases(job)) == (status == "rejected")
    if status == "paid":
        assert job.visit.answer_due_at == town.clock.now() + timedelta(minutes=5)
    assert await town.faults() == []


async def test_a_locked_order_saved_in_time_gets_a_new_window(town: Town) -> None:
    job, tech = await town.in_status("pending_payment")
    await town.advance(minutes=1)
    await town.by_customer(actions.cancel, job, "hm")
    await town.advance(minutes=1)
    job = await decide(town, job, saved=True)
    assert (job.order.status, job.order.provider_id) == ("pending_payment", tech.id)
    assert job.visit.lock_expires_at == town.clock.now() + timedelta(minutes=3)
    await town.advance(minutes=2, seconds=59)
    assert (await town.pay(job)).order.status == "paid"
    assert await town.faults() == []


async def test_the_lock_runs_on_while_a_cancel_is_decided(town: Town) -> None:
    tech, other = await town.technician(), await town.technician()
    job = await town.post()
    grab = await town.grab(job, tech)
    await town.grab(job, other)
    await town.choose(job, grab)
    await town.by_customer(actions.cancel, job, "hm")
    await town.advance(minutes=3)
    job = await town.job(job)
    assert (job.order.status, job.order.provider_id) == ("cancel_requested", None)
    assert [fact["state"] for fact in await town.heard(f"worker:{tech.id}", "grab.closed")] == ["unbound"]
    assert await refused(town.pay(job)) == "invalid_state"
    job = await decide(town, job, saved=True)
    assert job.order.status == "has_candidates"
    assert await town.faults() == []


async def test_saving_at_the_very_end_of_the_lock_finds_no_technician(town: Town) -> None:
    job, _ = await town.in_status("pending_payment")
    await town.by_customer(actions.cancel, job, "hm")
    town.clock.advance(minutes=3)
    job = await decide(town, job, saved=True)
    assert job.order.status == "in_pool"
    await town.run()
    assert await town.faults() == []


async def test_dropping_a_locked_order_frees_the_technician_and_closes_the_payment(town: Town) -> None:
    job, tech = await town.in_status("pending_payment")
    payment_id = await town.attempt(job)
    await town.by_customer(actions.cancel, job, "hm")
    job = await decide(town, job, saved=False)
    assert (job.order.status, job.order.provider_id, job.order.paid_fen) == ("cancelled", None, 0)
    assert [fact["reason"] for fact in await town.heard(f"worker:{tech.id}", "grab.closed")] == ["order_cancelled"]
    job = await town.receive(job, payment_id)
    assert await town.balance(ledger.refunding("wechat")) == 40_900
    assert await town.faults() == []


async def test_a_rejection_is_a_case_and_the_technician_may_still_agree(town: Town) -> None:
    job, tech = await town.in_status("rejected")
    assert await town.open_cases(job) == {"rejected": "queue"}
    job = await town.db.run(
        actions.decide_rejection, job.order.id, "acc_staff", outcome="technician_agreed", note="he can"
    )
    assert (job.order.status, job.order.provider_id) == ("accepted", tech.id)
    assert await town.outcomes(job) == {"rejected": "technician_accepts"}
    await town.by_worker(actions.depart, job, tech)
    assert await town.faults() == []


async def test_a_rejection_may_end_in_a_cancel_with_full_refund(town: Town) -> None:
    job, _ = await town.in_status("rejected")
    job = await town.db.run(
        actions.decide_rejection, job.order.id, "acc_staff", outcome="cancel", note="wants nobody else"
    )
    assert (job.order.status, await town.open_cases(job)) == ("cancel_requested", {"cancel_confirm": "queue"})
    job = await decide(town, job, saved=False)
    assert (job.order.status, await town.wallet(job.order.customer_id)) == ("cancelled", 100_000)
    assert await town.outcomes(job) == {"rejected": "customer_refuses", "cancel_confirm": "not_saved"}
    assert await town.faults() == []


async def test_deciding_needs_an_open_case(town: Town) -> None:
    from chat import cases

    job, _ = await town.in_status("rejected")
    async with town.db.begin() as tx:
        await cases.resolve_cases(tx, "order", job.order.id)
    act = town.db.run(actions.decide_rejection, job.order.id, "acc_staff", outcome="cancel", note="x")
    assert await refused(act) == "case_not_open"
    assert await town.status(job) == "rejected"


async def test_the_note_of_support_is_on_the_timeline(town: Town) -> None:
    job, _ = await town.in_status("cancelled")
    event = (await town.events(job))[-1]
    assert (event.actor, event.verb, event.data["note"]) == ("staff:acc_staff", "drop", "ok")


async def test_keeping_what_has_been_let_go_is_refused_by_its_state(town: Town) -> None:
    """Two agents decide at once: the second hears that the order is over, not that the work is gone."""
    job, _ = await town.in_status("pending_payment")
    await town.by_customer(actions.cancel, job, "hm")
    town.clock.advance(seconds=200)  # the payment window is over, too
    await town.db.run(actions.decide_cancel, job.order.id, "acc_one", saved=False, note="ok")
    assert (
        await refused(town.db.run(actions.decide_cancel, job.order.id, "acc_two", saved=True, note="ok"))
        == "invalid_state"
    )
