"""Mistakes other systems have shipped (D3, D6, D11, D12, D13), each as a race or a sum that must not happen here.

Where a single statement of ours is what prevents it, the test also runs without that statement and sees the mistake.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import asyncpg
import pytest

from rest.lines.homeservice import actions
from rest.money import ledger, payments, settlement, withdrawals
from rest.money.payments import Method
from rest.money.settlement import Party
from rest.money.withdrawals import Owner, Payee, PayoutMethod
from rest.money.withdrawals import actions as withdrawing
from rest.money.withdrawals.rules import WithdrawalRules
from storage.base.errors import HubError
from tests.homeservice.conftest import Town, new_town, town
from tests.money.interleave import Play
from tests.money.test_interleave import NO_LOCK, NO_VERSION

__all__ = ["new_town", "town"]

CARL = Party("customer", "acc_carl")
RULES = WithdrawalRules(min_fen=100, review_over_fen=1_000, day_max_fen=10**9, day_count_max=100)
BANK = Payee(method=PayoutMethod.BANK, name="Wu Lei", number="6222020200112233445")


async def answer(act: Awaitable[Any]) -> str:
    try:
        await act
    except HubError as refused:
        return refused.code
    return "ok"


async def at_once(*acts: Awaitable[Any]) -> Counter[str]:
    return Counter(await asyncio.gather(*map(answer, acts)))


# D3: a refund is read, checked and written under a status that it does not change


async def test_d3_partial_refunds_at_once_never_exceed_what_was_paid(town: Town) -> None:
    """Ten refunds of 10,000 of 40,900 fen: four get through, and each is in the order, the payment and the wallet."""
    job, _ = await town.in_status("completed")
    refunds = [town.db.run(actions.refund, job.order.id, "acc_fay", 10_000, "complaint") for _ in range(10)]
    assert await at_once(*refunds) == {"ok": 4, "refund_exceeds_paid": 6}
    assert (await town.job(job)).order.refunded_fen == 40_000
    assert await town.wallet(job.order.customer_id) == 100_000 - 900
    assert await town.faults() == []


@pytest.mark.parametrize(("twists", "is_wrong"), [({}, False), (NO_LOCK | NO_VERSION, True)])
async def test_d3_in_every_order_of_two_refunds(pg_server: str, twists: dict[str, str], is_wrong: bool) -> None:
    """Without the order's lock and version an update is lost, as it was there."""
    async with Play.open(pg_server, "done") as play:
        legal = await play.serial(["refund_most", "refund_some"])
        play.stage.twists = twists
        found = await play.whole(["refund_most", "refund_some"], legal=legal, limit=10)
    assert bool(found.wrong) == is_wrong


# D6: one coupon, many orders at once


async def test_d6_one_coupon_is_taken_by_one_of_many_orders(town: Town) -> None:
    """Eight orders posted with it at once, then again with what is left: no price goes below nothing."""
    customer = await town.customer(fen=1_000_000)
    coupon = await town.coupon(customer, amount_fen=39_000)
    posts = [town.post(customer, in_h=3 + 3 * n, coupon_id=coupon) for n in range(8)]
    assert await at_once(*posts) == {"ok": 1, "coupon_locked": 7}
    assert (await town.coupon_state(coupon))[0] == "locked"
    async with town.db.begin() as tx:
        rows = await tx.fetch("SELECT coupon_fen FROM homeservice_orders WHERE coupon_id = $1", coupon)
    assert [row[0] for row in rows] == [39_000]
    assert await town.faults() == []


async def test_d6_a_coupon_comes_back_once_and_is_good_for_one_other_order(town: Town) -> None:
    """Its order is cancelled twice at once while others reach for it."""
    customer = await town.customer(fen=1_000_000)
    coupon = await town.coupon(customer)
    job = await town.post(customer, coupon_id=coupon)
    cancels = [town.by_customer(actions.cancel, job, "hm") for _ in range(2)]
    posts = [town.post(customer, in_h=9 + 3 * n, coupon_id=coupon) for n in range(6)]
    answers = await at_once(*cancels, *posts)
    again = await answer(town.post(customer, in_h=60, coupon_id=coupon))
    assert answers["ok"] - 2 + (again == "ok") == 1
    assert await town.faults() == []


# D11: the same slot booked by many at once


async def test_d11_overlapping_slots_of_one_technician_are_booked_once(town: Town) -> None:
    """Twelve orders whose hours overlap in different ways; one customer after the other chooses him, all at once."""
    tech = await town.technician(work_from_min=0, work_to_min=1440)
    jobs = [await town.post(in_h=3 + 0.1 * n) for n in range(12)]
    grabs = [await town.grab(job, tech) for job in jobs]
    chosen = [town.choose(job, grab) for job, grab in zip(jobs, grabs, strict=True)]
    assert await at_once(*chosen) == {"ok": 1, "candidate_gone": 11}
    async with town.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM bookings WHERE state = 'held'") == 1
    assert await town.faults() == []


async def test_d11_late_money_and_a_new_choice_do_not_both_have_him(town: Town) -> None:
    """His first customer pays too late while another chooses him for the same hours."""
    for _ in range(4):
        tech = await town.technician(work_from_min=0, work_to_min=1440)
        late, other = await town.post(in_h=6), await town.post(in_h=6.2)
        late_grab, grab = await town.grab(late, tech), await town.grab(other, tech)
        await town.choose(late, late_grab)
        town.clock.advance(seconds=181)
        answers = await asyncio.gather(answer(town.pay(late)), answer(town.choose(other, grab)))
        assert sorted(answers) in (["candidate_gone", "ok"], ["invalid_state", "ok"], ["ok", "slot_conflict"])
        assert await town.faults() == []


async def test_d11_the_database_refuses_what_a_forgotten_lock_would_let_through(town: Town) -> None:
    """The exclusion constraint stands behind the lock: without it two bookings of one unit stay."""
    job, tech = await town.in_status("pending_payment")
    copy = """
        INSERT INTO bookings (id, unit_no, worker_id, call_id, during, state, created_at, changed_at)
        SELECT 'bkg_twin', unit_no, worker_id, 'cal_twin', during, 'held', created_at, changed_at FROM bookings
         WHERE worker_id = $1"""
    async with town.db.begin() as tx:
        with pytest.raises(asyncpg.ExclusionViolationError):
            await tx.execute(copy, tech.id)
        await tx.execute("ROLLBACK; BEGIN")
    assert await town.status(job) == "pending_payment"


# D12: charged twice on a retry, paid out and cancelled, a failed attempt that succeeds after all


async def test_d12_a_retried_payment_is_charged_once(town: Town) -> None:
    """Eight taps at once: all hear that it is paid, the wallet pays once."""
    job, _ = await town.in_status("pending_payment")
    assert await at_once(*(town.pay(job) for _ in range(8))) == {"ok": 8}
    assert await town.wallet(job.order.customer_id) == 59_100
    async with town.db.begin() as tx:
        states = [one.state.value for one in await payments.of_order(tx, job.order.id)]
    assert states == ["paid"]
    assert await town.faults() == []


async def test_d12_a_withdrawal_is_paid_out_or_given_back_never_both(town: Town) -> None:
    """Approved, sent, confirmed, refused and failed by several people at once, again and again."""
    customer = await town.customer(fen=100_000)
    owner = Owner("customer", customer)
    for n in range(6):
        asked = await town.db.run(withdrawals.request, RULES, owner, account_id=customer, amount_fen=5_000, payee=BANK)
        acts = [
            town.db.run(withdrawing.approve, asked.id, by="acc_fay", reason="ok"),
            town.db.run(withdrawing.reject, asked.id, by="acc_fred", reason="no"),
            town.db.run(withdrawing.mark_sent, asked.id, by="acc_fay", ref=f"bank-{n}"),
            town.db.run(withdrawing.confirm, asked.id, by="acc_fay"),
            town.db.run(withdrawing.fail, asked.id, by="acc_fred", reason="bounced"),
        ]
        await at_once(*acts)
    async with town.db.begin() as tx:
        rows = await tx.fetch("SELECT state, sum(amount_fen)::bigint FROM withdrawals GROUP BY 1")
        held = await ledger.balance(tx, ledger.frozen("customer", customer))
    by_state = {row[0]: row[1] for row in rows}
    gone = sum(fen for state, fen in by_state.items() if state not in {"rejected", "failed"})
    assert await town.wallet(customer) == 100_000 - gone
    assert held == gone - by_state.get("confirmed", 0)
    assert await town.faults() == []


async def test_d12_a_failed_attempt_that_succeeds_after_all_gives_its_money_back_once(town: Town) -> None:
    """The channel says no and then yes, while the customer pays from his wallet."""
    for _ in range(4):
        back = await town.balance(ledger.refunding("wechat"))
        job, _ = await town.in_status("pending_payment")
        number = await town.attempt(job, Method.WECHAT)
        await at_once(
            town.db.run(actions.fail_payment, job.order.id, number, "refused"),
            town.receive(job, number, ref=f"ref{number}"),
            town.receive(job, number, ref=f"ref{number}"),
            town.pay(job),
        )
        order = (await town.job(job)).order
        assert (order.status, order.kept_fen) == ("paid", 40_900)
        by_wallet = 100_000 - await town.wallet(order.customer_id)
        back = await town.balance(ledger.refunding("wechat")) - back
        assert (by_wallet, back) in {(40_900, 40_900), (0, 0)}
        assert await town.faults() == []


# D13: commissions that stay with people after the money has gone back


@pytest.mark.parametrize("parts", [[40_900], [1, 40_899], [333, 10_000, 567, 30_000], [1_000] * 40 + [900]])
async def test_d13_every_refund_takes_commissions_back_to_the_fen(town: Town, parts: list[int]) -> None:
    """However it is cut: in the end nobody has anything of it, and on the way nobody more than his part (I6)."""
    tech = await town.technician()
    await town.db.run(settlement.bind_channel, tech.id, CARL)
    job, _ = await town.in_status("completed", tech)
    accounts = [ledger.pending("worker", tech.id), ledger.pending(CARL.kind, CARL.id), ledger.revenue("homeservice")]
    before = [await town.balance(code) for code in accounts]
    assert sum(before) == 40_900
    assert before[1] > 0
    for n, fen in enumerate(parts):
        await town.db.run(actions.refund, job.order.id, "acc_fay", fen, "complaint")
        if n in {0, len(parts) // 2}:
            now = [await town.balance(code) for code in accounts]
            assert sum(now) == (await town.job(job)).order.kept_fen
            assert all(after <= at_first for after, at_first in zip(now[:2], before[:2], strict=True))
    assert [await town.balance(code) for code in accounts] == [0, 0, 0]
    assert await town.wallet(job.order.customer_id) == 100_000
    assert await town.faults() == []


async def test_d13_what_was_spent_is_owed(town: Town) -> None:
    """His part is in his wallet, and out of it; a refund later still takes it back, and he owes it."""
    job, tech = await town.in_status("completed")
    await town.advance(hours=24 * 8)
    mine = await town.balance(ledger.worker_wallet(tech.id))
    async with town.db.begin() as tx:
        owner = Owner("worker", tech.id)
        await withdrawals.request(tx, RULES, owner, account_id=tech.account_id, amount_fen=mine, payee=BANK)
    await town.db.run(actions.refund, job.order.id, "acc_fay", 40_900, "complaint")
    assert await town.balance(ledger.worker_wallet(tech.id)) == -mine
    assert await town.wallet(job.order.customer_id) == 100_000
    assert await town.faults() == []
