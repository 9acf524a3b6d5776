"""Money given back after the end of an order: the same to the fen, in one piece or in many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rest.lines.homeservice import actions
from rest.money import ledger, payments, settlement, withdrawals
from rest.money.payments import Method
from rest.money.settlement import Party
from rest.money.withdrawals.rules import WithdrawalRules
from storage.base.errors import HubError
from tests.homeservice.conftest import WAY_TO, Tech, Town
from tests.homeservice.test_pool import refused

CARL = Party("customer", "acc_carl")


async def completed(town: Town, tech: Tech | None = None) -> tuple[Any, Tech]:
    """A completed order of a technician with a channel."""
    tech = tech or await town.technician()
    await town.db.run(settlement.bind_channel, tech.id, CARL)
    return await town.in_status("completed", tech)


async def refund(town: Town, job: Any, fen: int) -> Any:
    return await town.db.run(actions.refund, job.order.id, "acc_fay", fen, "complaint")


async def purse(town: Town, job: Any, tech: Tech) -> dict[str, int]:
    """Everybody's money."""
    codes = {
        "customer": ledger.customer_wallet(job.order.customer_id),
        "technician": ledger.worker_wallet(tech.id),
        "waiting": ledger.pending("worker", tech.id),
        "channel": ledger.pending(CARL.kind, CARL.id),
        "platform": ledger.revenue("homeservice"),
    }
    return {name: await town.balance(code) for name, code in codes.items()}


async def test_everybody_with_a_line_gives_his_part_back(town: Town) -> None:
    """HS-161: half of 409.00."""
    job, tech = await completed(town)
    assert await purse(town, job, tech) == {
        "customer": 59_100, "technician": 0, "waiting": 24_900, "channel": 1_600, "platform": 14_400,
    }  # fmt: skip
    after = await refund(town, job, 20_450)
    assert (after.order.status, after.order.kept_fen) == ("completed", 20_450)
    assert await purse(town, job, tech) == {
        "customer": 79_550, "technician": 0, "waiting": 12_450, "channel": 800, "platform": 7_200,
    }  # fmt: skip
    assert await town.faults() == []
    told = await town.heard(f"customer:{job.order.customer_id}", "payment.settled")
    assert (told[-1]["state"], told[-1]["amount"]["amount"]) == ("refunded", 20_450)
    (changed,) = await town.heard(f"worker:{tech.id}", "settlement.changed")
    assert (changed["change"]["amount"], changed["net"]["amount"]) == (-12_450, 12_450)
    last = (await town.events(job))[-1]
    assert (last.verb, last.actor, last.data["reason"]) == ("refund", "staff:acc_fay", "complaint")
    await town.advance(hours=24)
    assert (await purse(town, job, tech))["technician"] == 12_450
    assert await town.faults() == []


async def test_in_many_pieces_it_ends_as_in_one(town: Town) -> None:
    """I6, over the whole line."""
    pieces = [1, 333, 20_000, 7, 4_999]
    ends = []
    for parts in (pieces, [sum(pieces)]):
        job, tech = await completed(town)
        before = await purse(town, job, tech)
        for part in parts:
            await refund(town, job, part)
        after = await purse(town, job, tech)
        ends.append({name: after[name] - before[name] for name in after})
    assert ends[0] == ends[1]
    assert sum(ends[0].values()) == 0
    assert await town.faults() == []


async def test_no_more_goes_back_than_is_kept(town: Town) -> None:
    job, tech = await completed(town)
    assert await refused(refund(town, job, 40_901)) == "refund_exceeds_paid"
    await refund(town, job, 40_900)
    assert await refused(refund(town, job, 1)) == "refund_exceeds_paid"
    assert (await purse(town, job, tech)) == {
        "customer": 100_000, "technician": 0, "waiting": 0, "channel": 0, "platform": 0,
    }  # fmt: skip
    assert await town.faults() == []


async def test_refunds_at_once_never_give_more_than_was_paid(town: Town) -> None:
    """D3, D9."""
    job, tech = await completed(town)

    async def one(n: int) -> str:
        try:
            await refund(town, job, 7_000 + n)
        except HubError as problem:
            return problem.code
        return "ok"

    answers = await asyncio.gather(*(one(n) for n in range(8)))
    assert sorted(answers) == ["ok"] * 5 + ["refund_exceeds_paid"] * 3
    assert (await town.job(job)).order.kept_fen < 7_000
    assert await town.faults() == []


async def test_money_that_was_paid_out_is_owed_below_zero(town: Town) -> None:
    """D13, HS-180: the technician has taken his income home; what is taken back he owes, and nothing more goes out."""
    job, tech = await completed(town)
    await town.advance(hours=24)
    payee = withdrawals.Payee(method=withdrawals.PayoutMethod.BANK, name="Li", number="622202020011")
    owner = withdrawals.Owner("worker", tech.id)

    async def ask(fen: int) -> Any:
        return await town.db.run(
            withdrawals.request, WithdrawalRules(), owner,
            account_id=tech.account_id, amount_fen=fen, payee=payee,
        )  # fmt: skip

    one = await ask(24_900)
    await town.db.run(withdrawals.mark_sent, one.id, by="acc_fay", ref="20260105-77")
    await town.db.run(withdrawals.confirm, one.id, by="acc_fay")
    await refund(town, job, 20_450)
    assert (await purse(town, job, tech))["technician"] == -12_450
    assert await refused(ask(100)) == "insufficient_balance"
    assert await town.faults() == []
    second, _ = await town.in_status("completed", tech)
    await town.advance(hours=24)
    assert (await purse(town, second, tech))["technician"] == 12_450
    assert await town.faults() == []


async def test_a_coupon_comes_back_when_nothing_is_kept(town: Town) -> None:
    """HS-185. Item 400.00, travel 9.00, coupon 50.00; paid 359.00."""
    customer, tech = await town.customer(), await town.technician()
    coupon_id = await town.coupon(customer)
    job, _ = await town.in_status("completed", tech, customer_id=customer, coupon_id=coupon_id)
    assert (await purse(town, job, tech))["platform"] == 11_000
    await refund(town, job, 35_899)
    assert await town.coupon_state(coupon_id) == ("used", job.order.id)
    await refund(town, job, 1)
    assert await town.coupon_state(coupon_id) == ("issued", None)
    assert (await purse(town, job, tech)) == {
        "customer": 100_000, "technician": 0, "waiting": 0, "channel": 0, "platform": 0,
    }  # fmt: skip
    assert await town.faults() == []


@pytest.mark.parametrize("fen", [1, 40_900])
async def test_late_money_that_went_back_before_is_not_counted(town: Town, fen: int) -> None:
    """An order paid twice over, once too late: only what it kept can be given back."""
    tech = await town.technician()
    job = await town.post(await town.customer(fen=200_000))
    await town.grab(job, tech)
    job = await town.choose(job, (await town.grabs(job))[0])
    payment_id = await town.attempt(job, Method.ALIPAY)
    for name in WAY_TO["completed"][2:]:
        job = await town._go(job, tech, name)
    job = await town.receive(job, payment_id)
    await refund(town, job, fen)
    async with town.db.begin() as tx:
        given = [payment.refunded_fen for payment in await payments.of_order(tx, job.order.id)]
    assert sorted(given) == [fen, 40_900]
    assert await town.faults() == []
