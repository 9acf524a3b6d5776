"""Points for home-service orders: none without a rule, pending until the window closes, taken back with the money."""

from __future__ import annotations

from typing import Any

from rest.marketing import rewards
from rest.marketing.rewards import Event
from rest.money import points
from tests.homeservice.conftest import Town
from tests.homeservice.test_refund import completed, refund


async def rule(town: Town, **more: Any) -> None:
    values = {
        "active": True,
        "fixed": 0,
        "per_100_yuan": 10,
        "points_max": 1_000,
        "pending_s": 86_400,
        "valid_days": 365,
    }
    await town.db.run(
        rewards.set_rule, event=Event.ORDER_COMPLETED, line="homeservice", by_id="acc_opal", **(values | more)
    )


async def mine(town: Town, job: Any) -> tuple[int, int, int]:
    totals = await town.db.run(points.totals, job.order.customer_id)
    return totals.available, totals.pending, totals.owed


async def test_without_a_rule_nothing_is_given(town: Town) -> None:
    job, _ = await completed(town)
    assert await mine(town, job) == (0, 0, 0)
    await rule(town)
    await refund(town, job, 100)
    assert await mine(town, job) == (0, 0, 0)
    assert await town.faults() == []


async def test_an_order_gives_points_that_are_pending_and_go_back_in_proportion(town: Town) -> None:
    await rule(town)
    job, _ = await completed(town)  # 409.00 kept: 40 points
    assert await mine(town, job) == (0, 40, 0)
    await rule(town, per_100_yuan=1_000)  # a later version has no say about what was given before
    await refund(town, job, 20_450)
    assert await mine(town, job) == (0, 20, 0)
    await refund(town, job, 20_450)
    assert await mine(town, job) == (0, 0, 0)
    assert await town.faults() == []


async def test_many_small_refunds_take_as_much_as_one(town: Town) -> None:
    await rule(town)
    job, _ = await completed(town)
    for fen in (1, 999, 333, 10_000, 7, 9_110):
        await refund(town, job, fen)
    assert await mine(town, job) == (0, 20, 0)
    assert await town.faults() == []


async def test_points_that_were_spent_before_the_refund_are_owed(town: Town) -> None:
    await rule(town, pending_s=0)
    job, _ = await completed(town)
    await town.db.run(points.spend, job.order.customer_id, 30, holder_id="pmo_1", reason="mall")
    await refund(town, job, 40_900)
    assert await mine(town, job) == (0, 0, 30)
    assert await town.faults() == []
