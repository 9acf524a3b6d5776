"""Rules of rewards, points over HTTP, and what comes with a top-up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.edge.values import Money
from rest.marketing import coupons, rewards
from rest.marketing.coupons import Terms
from rest.marketing.rewards import Event, Rule
from rest.marketing.rewards.routes import ROUTES as RULES
from rest.money import points
from rest.money.points.routes import ROUTES as POINTS
from rest.money.topups import TopupPaid
from rest.people.store import find_or_add_account
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conftest import MONDAY
from tests.edge.conftest import Client
from tests.marketing.test_routes import ask
from tests.money.serving import serve

BUY = coupons.Purchase(line="homeservice", item_id="itm_a", region_code="510104", worker_id=None, item_fen=40_000)
PEOPLE = {"ann": [], "ben": [], "opal": ["ops"], "sue": ["support"]}


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    async with db.begin() as tx:
        for n, name in enumerate(PEOPLE):
            await find_or_add_account(tx, f"acc_{name}", f"+861390000000{n}")
    async with serve(db, settings, [*POINTS, *RULES], PEOPLE) as client:
        yield client


def a_rule(**more: Any) -> Rule:
    values = {
        "event": Event.ORDER_COMPLETED, "line": "rv", "version": 1, "active": True, "fixed": 0, "per_100_yuan": 1,
        "points_max": 10**6, "pending_s": 0, "valid_days": None, "changed_by": "acc", "created_at": MONDAY,
    }  # fmt: skip
    return Rule(**(values | more))


@given(
    paid=st.integers(1, 10**9),
    parts=st.lists(st.integers(0, 10**9), max_size=5),
    per=st.integers(0, 10**5),
    fixed=st.integers(1, 500),
    most=st.integers(1, 10**6),
)
def test_points_fall_with_what_is_kept_and_never_below_nothing(
    paid: int, parts: list[int], per: int, fixed: int, most: int
) -> None:
    rule = a_rule(per_100_yuan=per, fixed=fixed, points_max=most)
    steps = [paid, *sorted((min(part, paid) for part in parts), reverse=True), 0]
    given_for = [rule.points(kept) for kept in steps]
    assert given_for == sorted(given_for, reverse=True)
    assert 0 <= given_for[-1] <= given_for[0] <= most


@pytest.mark.parametrize(("fen", "number"), [(160_000, 16), (9_999, 0), (10_000, 1), (186_100, 18), (0, 0)])
def test_one_point_for_every_whole_100_yuan(fen: int, number: int) -> None:
    """The worked example of RV part 8: rent of 1,600.00 gives 16."""
    assert a_rule().points(fen) == number


async def test_staff_correct_with_a_reason_and_the_customer_sees_it(client: Client, db: Database) -> None:
    path = "/v1/admin/points/acc_ann"
    give = {"points": 100, "reason": "goodwill", "valid_days": 10}
    status, _, after = await ask(client, "opal", "POST", f"{path}/adjustments", give)
    assert (status, after["available"], after["expiring_soon"]) == (201, 100, 100)
    take = {"points": -30, "reason": "by mistake"}
    assert (await ask(client, "opal", "POST", f"{path}/adjustments", take))[2]["available"] == 70
    status, _, refused = await ask(client, "opal", "POST", f"{path}/adjustments", {"points": -71, "reason": "x"})
    assert (status, refused["code"]) == (409, "insufficient_points")
    for body in ({"points": 5}, {"points": 0, "reason": "x"}, {"points": 5, "reason": ""}):
        assert (await ask(client, "opal", "POST", f"{path}/adjustments", body))[0] == 400
    assert (await ask(client, "sue", "POST", f"{path}/adjustments", give))[0] == 403
    assert (await ask(client, "opal", "POST", "/v1/admin/points/acc_nobody/adjustments", give))[0] == 404

    mine = (await ask(client, "ann", "GET", "/v1/points"))[2]
    assert (mine["available"], mine["pending"], mine["owed"]) == (70, 0, 0)
    entries = (await ask(client, "ann", "GET", "/v1/points/entries"))[2]["data"]
    assert sum(entry["points"] for entry in entries) == 70 == entries[0]["points_after"]
    (lot,) = (await ask(client, "ann", "GET", "/v1/points/lots"))[2]["data"]
    assert (lot["earned"], lot["left"], lot["reason"]) == (100, 70, "adjust")
    assert (await ask(client, "ben", "GET", "/v1/points/lots"))[2]["data"] == []
    assert (await ask(client, "ben", "GET", path))[0] == 403
    async with db.begin() as tx:
        kept = await tx.fetch("SELECT by_id, note FROM ledger_transfers WHERE note IS NOT NULL ORDER BY note")
    assert [tuple(row) for row in kept] == [("acc_opal", "by mistake"), ("acc_opal", "goodwill")]


async def test_a_rule_is_versioned_and_off_by_default(client: Client) -> None:
    assert (await ask(client, "opal", "GET", "/v1/admin/reward_rules"))[2] == {"data": []}
    body = {"event": "review", "fixed": 20, "points_max": 20, "pending_s": 0}
    for version in (1, 2):
        status, _, made = await ask(client, "opal", "POST", "/v1/admin/reward_rules", body)
        assert (status, made["version"]) == (201, version)
    (rule,) = (await ask(client, "opal", "GET", "/v1/admin/reward_rules"))[2]["data"]
    assert rule["version"] == 2
    assert (await ask(client, "opal", "POST", "/v1/admin/reward_rules", body | {"fixed": 0}))[0] == 400
    assert (await ask(client, "opal", "POST", "/v1/admin/reward_rules", body | {"event": "birth"}))[0] == 400
    assert (await ask(client, "ann", "POST", "/v1/admin/reward_rules", body))[0] == 403


async def test_what_was_promised_with_a_top_up_comes_once(db: Database) -> None:
    template = await db.run(
        coupons.create_template, name={"zh-CN": "券", "en": "C"}, terms=Terms(amount_fen=100, valid_days=9), quota=1,
        per_account_max=1, claimable=False, by_id="acc_opal",
    )  # fmt: skip
    runner = JobRunner(
        db, Settings(secret="s" * 32), {**rewards.DEADLINES, **points.DEADLINES}, subscribers=rewards.SUBSCRIBERS
    )

    async def paid(topup_id: str) -> None:
        async with db.begin() as tx:
            fact = TopupPaid(
                topup_id=topup_id, account_id="acc_ann", kind="platform", amount=Money(1), bonus=Money(0),
                bonus_points=50, bonus_coupon=template.id,
            )  # fmt: skip
            tx.tell(fact, to=())

    await paid("top_1")
    await runner.drain()
    await paid("top_1")  # told again: points come once by their reference
    await paid("top_2")
    await runner.drain()
    async with db.begin() as tx:
        assert len(await coupons.choices(tx, "acc_ann", BUY, before_id="~", limit=9)) == 1
        waiting = [row["key"] for row in await tx.fetch("SELECT key FROM jobs WHERE kind = 'rewards.coupon'")]
    assert (await db.run(points.totals, "acc_ann")).available == 100
    assert "top_2:coupon" in waiting  # sold out: it waits for a person, and the points stand
