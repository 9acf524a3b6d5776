"""Defects other systems shipped, each as a test that a naive implementation fails: D3, D7 and D13."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rest.lines.homeservice.rules import HomeserviceRules
from rest.money import ledger, payments
from rest.money.payments import Method
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.settings import Settings
from storage.postgres import Database
from tests.homeservice.conftest import WAY_TO, Town, build_town
from tests.homeservice.test_refund import CARL, completed, purse
from tests.homeservice.test_refund_requests import FOX, RULES, approve, ask, legs, reject


@pytest.fixture
async def town(db: Database, clock: ManualClock, settings: Settings) -> Town:
    return await build_town(db, clock, settings, HomeserviceRules())


async def _code(act: Any) -> str:
    try:
        await act
    except HubError as problem:
        return problem.code
    return "ok"


async def test_d3_concurrent_partial_refunds_lose_no_update(town: Town) -> None:
    """D3: read, check, write with a guard on the status alone, which a partial refund does not change."""
    job, _ = await completed(town)
    answers = await asyncio.gather(*(_code(ask(town, job, 12_000 + n)) for n in range(5)))
    assert sorted(answers) == ["ok"] * 3 + ["refund_exceeds_paid"] * 2
    order = (await town.job(job)).order
    assert 36_000 < order.refund_reserved_fen <= order.kept_fen == 40_900
    async with town.db.begin() as tx:
        ids = [row["id"] for row in await tx.fetch("SELECT id FROM refund_requests ORDER BY id")]

    class One:
        def __init__(self, refund_id: str) -> None:
            self.id = refund_id

    for by in ("acc_fay", FOX):
        await asyncio.gather(*(_code(approve(town, One(refund_id), by)) for refund_id in ids))
    after = (await town.job(job)).order
    assert (after.refunded_fen, after.refund_reserved_fen) == (order.refund_reserved_fen, 0)
    assert await town.wallet(job.order.customer_id) == 100_000 - 40_900 + after.refunded_fen
    assert await town.faults() == []


async def test_d3_a_request_that_is_refused_blocks_no_other(town: Town) -> None:
    """D1's other half: a refund that waits for ever keeps new ones out."""
    job, _ = await completed(town)
    one = await ask(town, job, 40_900)
    assert await _code(ask(town, job, 1)) == "refund_exceeds_paid"
    await reject(town, one)
    assert await _code(ask(town, job, 40_900)) == "ok"
    assert await town.faults() == []


async def test_d7_refunds_together_never_gross_more_than_the_payments(town: Town) -> None:
    """D7: an order paid twice over, once too late; only what it kept is spread over what its payments still hold."""
    tech = await town.technician()
    job = await town.post(await town.customer(fen=200_000))
    await town.grab(job, tech)
    job = await town.choose(job, (await town.grabs(job))[0])
    late = await town.attempt(job, Method.ALIPAY)
    for name in WAY_TO["completed"][2:]:
        job = await town._go(job, tech, name)
    job = await town.receive(job, late)
    first, second = await ask(town, job, 900), await ask(town, job, None)
    assert second.amount_fen == 40_000
    for one in (first, second):
        await approve(town, one)
    await approve(town, second, FOX)
    async with town.db.begin() as tx:
        known = await payments.of_order(tx, job.order.id)
    assert [(one.refunded_fen, one.amount_fen) for one in known] == [(40_900, 40_900)] * 2
    gone = [*await legs(town, first), *await legs(town, second)]
    assert sum(leg.amount_fen for leg in gone) == 40_900
    assert await town.faults() == []


async def test_d13_a_partial_refund_takes_the_commission_back_in_proportion(town: Town) -> None:
    """D13: commissions kept after a refund, or taken back for whole refunds only. 409.00, half and then the rest."""
    job, tech = await completed(town)
    await town.advance(hours=24)  # everything is paid out into wallets by now
    names = {"technician": ledger.worker_wallet(tech.id), "channel": ledger.customer_wallet(CARL.id)}

    async def have() -> dict[str, int]:
        return {name: await town.balance(code) for name, code in names.items()}

    assert await have() == {"technician": 24_900, "channel": 1_600}
    one = await ask(town, job, 20_450)
    await approve(town, one)
    await approve(town, one, FOX)
    assert await have() == {"technician": 12_450, "channel": 800}
    rest = await ask(town, job, None)
    await approve(town, rest)
    await approve(town, rest, FOX)
    assert await have() == {"technician": 0, "channel": 0}
    assert (await purse(town, job, tech))["platform"] == 0
    async with town.db.begin() as tx:
        assert await tx.fetchval("SELECT bonus_fen FROM worker_channels WHERE worker_id = $1", tech.id) == 0
    assert await town.faults() == []


async def test_d13_a_penalty_is_clawed_back_in_proportion_as_well(town: Town) -> None:
    job, tech = await town.in_status("closed_penalty")
    assert await purse(town, job, tech) == {
        "customer": 79_100, "technician": 0, "waiting": 12_900, "channel": 0, "platform": 8_000,
    }  # fmt: skip
    one = await ask(town, job, 10_450)
    assert RULES.second_over_fen < 10_450
    await approve(town, one)
    await approve(town, one, FOX)
    assert await purse(town, job, tech) == {
        "customer": 89_550, "technician": 0, "waiting": 6_450, "channel": 0, "platform": 4_000,
    }  # fmt: skip
    assert await town.faults() == []
