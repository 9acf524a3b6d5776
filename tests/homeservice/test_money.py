"""Money of an order: in time, too little, late, twice, refused; the book adds up after each."""

from __future__ import annotations

import pytest

from rest.lines.homeservice import actions
from rest.money import ledger, payments
from rest.money.payments import Method
from rest.trade.orders import audit as orders_audit
from tests.homeservice.conftest import Town
from tests.homeservice.test_pool import refused


async def states(town: Town, job: object) -> list[str]:
    async with town.db.begin() as tx:
        return [payment.state.value for payment in await payments.of_order(tx, job.order.id)]  # type: ignore[attr-defined]


async def test_too_little_money_takes_nothing_and_the_window_stays_open(town: Town) -> None:
    tech, customer = await town.technician(), await town.customer(fen=40_899)
    job = await town.post(customer)
    job = await town.choose(job, await town.grab(job, tech))
    assert await refused(town.pay(job)) == "insufficient_balance"
    assert (await town.status(job), await town.wallet(customer)) == ("pending_payment", 40_899)
    assert await states(town, job) == []
    assert await town.faults() == []


@pytest.mark.parametrize("method", ["wechat", "alipay", "cash"])
async def test_other_methods_are_not_available_yet(town: Town, method: str) -> None:
    job, _ = await town.in_status("pending_payment")
    assert await refused(town.by_customer(actions.pay, job, method)) == "method_unavailable"


async def test_paying_in_the_last_second_is_in_time(town: Town) -> None:
    job, _ = await town.in_status("pending_payment")
    town.clock.advance(seconds=179)
    assert (await town.pay(job)).order.status == "paid"
    assert await states(town, job) == ["paid"]


async def test_paying_at_the_end_of_the_window_is_late_and_good_while_the_technician_is_free(town: Town) -> None:
    """12:03:00 of a lock at 12:00:00, before its timer has fired: unbound, then locked again by the late rule."""
    job, tech = await town.in_status("pending_payment")
    town.clock.advance(minutes=3)
    job = await town.pay(job)
    assert (job.order.status, job.order.provider_id, job.order.paid_fen) == ("paid", tech.id, 40_900)
    verbs = [event.verb for event in await town.events(job)]
    assert verbs[-2:] == ["unbind", "pay_late"]
    await town.run()
    assert await town.status(job) == "paid"
    assert await town.faults() == []


async def test_paying_late_needs_the_same_technician_free(town: Town) -> None:
    job, tech = await town.in_status("pending_payment")
    await town.advance(minutes=3)
    other = await town.post()
    await town.choose(other, await town.grab(other, tech))
    assert await refused(town.pay(job)) == "candidate_gone"
    assert (await town.status(job), await town.wallet(job.order.customer_id)) == ("in_pool", 100_000)
    assert await town.faults() == []


async def test_an_order_never_locked_cannot_be_paid(town: Town) -> None:
    for status in ("in_pool", "has_candidates"):
        job, _ = await town.in_status(status)
        assert await refused(town.pay(job)) == "invalid_state"


async def test_after_a_reschedule_there_is_nobody_to_pay_late(town: Town) -> None:
    from datetime import timedelta

    job, _ = await town.in_status("pending_payment")
    await town.advance(minutes=3)
    await town.by_customer(actions.reschedule, job, town.clock.now() + timedelta(hours=9))
    assert await refused(town.pay(job)) == "invalid_state"


async def test_channel_money_in_time_pays_the_order_once(town: Town) -> None:
    job, tech = await town.in_status("pending_payment")
    payment_id = await town.attempt(job)
    job = await town.receive(job, payment_id, "wx1")
    assert (job.order.status, job.order.paid_fen, job.order.provider_id) == ("paid", 40_900, tech.id)
    again = await town.receive(job, payment_id, "wx1")
    assert again.order.version == job.order.version
    assert await town.balance(ledger.clearing("wechat")) == -40_900
    assert await town.faults() == []


async def test_late_channel_money_locks_the_same_technician_again(town: Town) -> None:
    job, tech = await town.in_status("pending_payment")
    payment_id = await town.attempt(job)
    await town.advance(minutes=3)
    assert await town.status(job) == "in_pool"
    job = await town.receive(job, payment_id)
    assert (job.order.status, job.order.provider_id, job.order.total_fen) == ("paid", tech.id, 40_900)
    assert await town.balance(ledger.unapplied(job.order.customer_id)) == 0
    assert await town.faults() == []


async def test_late_channel_money_goes_back_whole_when_the_technician_is_taken(town: Town) -> None:
    job, tech = await town.in_status("pending_payment")
    payment_id = await town.attempt(job)
    await town.advance(minutes=3)
    other = await town.post()
    await town.choose(other, await town.grab(other, tech))
    job = await town.receive(job, payment_id)
    assert (job.order.status, job.order.paid_fen, job.order.refunded_fen) == ("in_pool", 40_900, 40_900)
    assert await town.balance(ledger.refunding("wechat")) == 40_900
    told = await town.heard(f"customer:{job.order.customer_id}", "payment.settled")
    assert [(fact["state"], fact["amount"]["amount"]) for fact in told] == [("returned", 40_900)]
    assert await states(town, job) == ["refunded"]
    assert await town.faults() == []


async def test_late_channel_money_goes_back_when_another_technician_is_locked(town: Town) -> None:
    first, second = await town.technician(), await town.technician()
    job = await town.post()
    grabs = [await town.grab(job, first), await town.grab(job, second)]
    job = await town.choose(job, grabs[0])
    payment_id = await town.attempt(job)
    await town.choose(job, grabs[1])
    job = await town.receive(job, payment_id)
    assert (job.order.status, job.order.provider_id) == ("pending_payment", second.id)
    assert await town.balance(ledger.refunding("wechat")) == 40_900
    assert (await town.pay(job)).order.status == "paid"
    assert await town.faults() == []


@pytest.mark.parametrize("status", ["cancelled", "paid", "accepted", "completed", "cancel_requested"])
async def test_channel_money_for_an_order_past_payment_goes_back_whole(town: Town, status: str) -> None:
    tech = await town.technician()
    job = await town.post(await town.customer(fen=200_000))
    await town.grab(job, tech)
    job = await town.choose(job, (await town.grabs(job))[0])
    payment_id = await town.attempt(job, Method.ALIPAY)
    from tests.homeservice.conftest import WAY_TO

    for name in WAY_TO[status][2:]:
        job = await town._go(job, tech, name)
    before = await town.wallet(job.order.customer_id)
    job = await town.receive(job, payment_id)
    assert job.order.status == status
    assert await town.wallet(job.order.customer_id) == before
    assert await town.balance(ledger.refunding("alipay")) == 40_900
    assert await town.faults() == []


async def test_a_refused_payment_asks_support_and_may_be_tried_again_inside_the_window(town: Town) -> None:
    job, _ = await town.in_status("pending_payment")
    payment_id = await town.attempt(job)
    job = await town.db.run(actions.fail_payment, job.order.id, payment_id, "card refused")
    assert (job.order.status, await town.open_cases(job)) == ("pending_payment", {"payment_failed": "queue"})
    assert [fact["state"] for fact in await town.heard("desk", "payment.settled")] == ["failed"]
    assert (await town.pay(job)).order.status == "paid"
    assert await town.outcomes(job) == {"payment_failed": "self_resolved"}


async def test_a_refusal_of_an_older_attempt_changes_nothing(town: Town) -> None:
    job, tech = await town.in_status("pending_payment")
    payment_id = await town.attempt(job)
    other = await town.technician()
    await town.advance(minutes=3)
    await town.choose(job, await town.grab(job, other))
    async with town.db.begin() as tx:
        state = (await payments.of_order(tx, job.order.id))[0].state
    assert state == "closed"
    version = (await town.job(job)).order.version
    assert await refused(town.db.run(actions.fail_payment, job.order.id, payment_id, "late")) == "payment_state"
    assert (await town.job(job)).order.version == version
    assert tech.id != other.id


async def test_both_sides_hear_of_the_payment(town: Town) -> None:
    job, tech = await town.in_status("paid")
    for listener in (f"customer:{job.order.customer_id}", f"worker:{tech.id}"):
        told = await town.heard(listener, "payment.settled")
        assert [(fact["state"], fact["amount"]["amount"]) for fact in told] == [("paid", 40_900)]


async def test_a_technician_who_has_set_so_accepts_at_payment(town: Town) -> None:
    tech = await town.technician(auto_accept=True)
    job = await town.post()
    job = await town.choose(job, await town.grab(job, tech))
    job = await town.pay(job)
    assert (job.order.status, job.visit.answer_due_at) == ("accepted", None)
    assert [(event.verb, event.actor) for event in await town.events(job)][-1] == ("accept", f"worker:{tech.id}")
    assert await town.faults() == []


@pytest.mark.parametrize("status", ["paid", "completed", "cancelled"])
async def test_an_escrow_that_holds_anything_else_is_found(town: Town, status: str) -> None:
    if status == "cancelled":
        job, _ = await town.in_status("in_pool")
        job = await town.by_customer(actions.cancel, job, "other")
    else:
        job, _ = await town.in_status(status)
    async with town.db.begin() as tx:
        escrow = ledger.escrow(job.order.id)
        held = await ledger.balance(tx, escrow)
        assert await orders_audit.verify(tx) == []
        await ledger.post(tx, ref="stray", kind="topup", entries=[(ledger.platform_topup(), -5), (escrow, 5)])
        found = await orders_audit.verify(tx)
    assert len(found) == 1
    assert f"escrow holds {held + 5}" in found[0]
