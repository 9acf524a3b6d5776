"""Coupons on the real database: issuing, giving, expiring, and many hands at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from rest.marketing import coupons
from rest.marketing.coupons import Purchase, Terms
from rest.marketing.coupons.model import GIFT_CASE_MAX_FEN
from storage import outbox
from storage.base import codec
from storage.base.clock import ManualClock
from storage.base.errors import HubError
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database

BUY = Purchase(line="homeservice", item_id="itm_a", region_code="510104", worker_id=None, item_fen=40_000)


async def template(db: Database, *, quota: int = 10, per_account_max: int = 1, **more: Any) -> coupons.Template:
    terms = {name: more.pop(name) for name in list(more) if name in Terms.__dataclass_fields__}
    if "valid_from" not in terms:
        terms.setdefault("valid_days", 30)
    return await db.run(
        coupons.create_template,
        name={"zh-CN": "券", "en": "Coupon"},
        terms=Terms(**({"amount_fen": 1_000} | terms)),
        quota=quota,
        per_account_max=per_account_max,
        by_id="acc_ops",
        **({"claimable": True} | more),
    )


async def answer(work: Awaitable[Any]) -> str:
    try:
        await work
    except HubError as refused:
        return refused.code
    return "ok"


async def faults(db: Database) -> list[str]:
    from tests.homeservice.invariants import CHECKS

    async with db.begin() as tx:
        return [name for name, sql in CHECKS.items() if "coupon" in sql and await tx.fetch(sql)]


async def state_of(db: Database, coupon_id: str) -> str:
    async with db.begin() as tx:
        return str(await tx.fetchval("SELECT state FROM coupons WHERE id = $1", coupon_id))


def lock(db: Database, coupon_id: str, order_id: str, account_id: str = "acc_1", **purchase: Any) -> Awaitable[int]:
    from dataclasses import replace

    return db.run(coupons.lock_for_order, coupon_id, account_id, order_id, replace(BUY, **purchase))


async def mine(db: Database, **more: Any) -> str:
    return (await db.run(coupons.claim, (await template(db, **more)).id, "acc_1")).coupon.id


async def test_a_claimed_coupon_is_told_to_its_owner_and_to_nobody_else(db: Database) -> None:
    made = await template(db)
    held = await db.run(coupons.claim, made.id, "acc_1")
    assert (held.coupon.state.value, held.coupon.seq, held.coupon.source) == ("issued", 1, "claim")
    async with db.begin() as tx:
        await outbox.number(tx, limit=100)
        (told,) = await outbox.gap(tx, ["customer:acc_1"], since=0, upto=100, limit=100)
        assert await outbox.gap(tx, ["customer:acc_2"], since=0, upto=100, limit=100) == []
    body = codec.loads(told.body)
    assert (told.topic, body["coupon_id"], body["source"]) == ("coupon.issued", held.coupon.id, "claim")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"claimable": False}, "not_found"),
        ({"active": False}, "coupon_not_open"),
        ({"quota": 1}, "coupon_sold_out"),
        ({}, "coupon_limit"),
    ],
)
async def test_claims_that_are_refused_take_nothing(db: Database, more: dict[str, Any], code: str) -> None:
    made = await template(db, **more)
    if more.get("quota") == 1:
        await db.run(coupons.claim, made.id, "acc_2")
    if not more:
        await db.run(coupons.claim, made.id, "acc_1")
    before = (await db.run(coupons.read_template, made.id)).issued
    assert await answer(db.run(coupons.claim, made.id, "acc_1")) == code
    assert (await db.run(coupons.read_template, made.id)).issued == before
    assert await faults(db) == []


async def test_a_window_that_is_over_gives_no_more_coupons(db: Database, clock: ManualClock) -> None:
    until = clock.now() + timedelta(days=1)
    made = await template(db, valid_from=clock.now(), valid_until=until)
    clock.advance(seconds=86_400)
    assert await answer(db.run(coupons.claim, made.id, "acc_1")) == "coupon_not_open"


async def test_of_twenty_that_want_the_last_three_three_get_one(db: Database) -> None:
    made = await template(db, quota=3)
    answers = await asyncio.gather(*(answer(db.run(coupons.claim, made.id, f"acc_{n}")) for n in range(20)))
    assert sorted(answers) == ["coupon_sold_out"] * 17 + ["ok"] * 3
    assert await faults(db) == []


async def test_one_person_tapping_twenty_times_gets_no_more_than_allowed(db: Database) -> None:
    made = await template(db, quota=100, per_account_max=2)
    answers = await asyncio.gather(*(answer(db.run(coupons.claim, made.id, "acc_1")) for _ in range(20)))
    assert sorted(answers) == ["coupon_limit"] * 18 + ["ok"] * 2
    assert (await db.run(coupons.read_template, made.id)).issued == 2
    assert await faults(db) == []


async def test_claims_and_a_smaller_quota_at_once(db: Database) -> None:
    made = await template(db, quota=20)

    async def cut(tx: Any) -> None:
        locked = await coupons.lock_template(tx, made.id)
        await coupons.change_template(tx, locked, coupons.TemplateChanges(quota=5))

    answers = await asyncio.gather(
        *(answer(db.run(coupons.claim, made.id, f"acc_{n}")) for n in range(10)), answer(db.run(cut))
    )
    after = await db.run(coupons.read_template, made.id)
    assert after.issued == answers[:10].count("ok") <= after.quota
    assert (after.quota == 5) == (answers[10] == "ok")
    assert await faults(db) == []


async def test_of_five_orders_that_want_one_coupon_one_gets_it(db: Database) -> None:
    """D6: one coupon was used by five concurrent orders."""
    coupon_id = await mine(db)
    answers = await asyncio.gather(*(answer(lock(db, coupon_id, f"ord_{n}")) for n in range(5)))
    assert sorted(answers) == ["coupon_locked"] * 4 + ["ok"]


async def test_an_order_has_one_coupon(db: Database) -> None:
    import asyncpg

    first, second = await mine(db), await mine(db)
    await lock(db, first, "ord_1")
    with pytest.raises(asyncpg.UniqueViolationError):
        await lock(db, second, "ord_1")


async def test_somebody_elses_coupon_looks_like_none(db: Database) -> None:
    coupon_id = await mine(db)
    for wanted, account_id in ((coupon_id, "acc_2"), ("cpn_none", "acc_1")):
        with pytest.raises(coupons.CouponNotApplicable) as refused:
            await lock(db, wanted, "ord_1", account_id)
        assert refused.value.fields == {"reason": "unknown"}
    assert await state_of(db, coupon_id) == "issued"


async def test_a_coupon_that_does_not_fit_stays_free(db: Database) -> None:
    coupon_id = await mine(db, threshold_fen=40_001)
    assert await answer(lock(db, coupon_id, "ord_1")) == "coupon_not_applicable"
    assert await state_of(db, coupon_id) == "issued"
    assert await lock(db, coupon_id, "ord_1", item_fen=40_001) == 1_000


async def test_the_life_of_a_coupon(db: Database) -> None:
    coupon_id = await mine(db)
    assert await lock(db, coupon_id, "ord_1") == 1_000
    assert await answer(db.run(coupons.give_back, coupon_id, "ord_1")) == "ok"
    await lock(db, coupon_id, "ord_2")
    await db.run(coupons.use, coupon_id, "ord_2")
    assert (await db.run(coupons.use, coupon_id, "ord_2")).state == "used"  # paid a second time (HS-068)
    with pytest.raises(coupons.CouponNotApplicable) as refused:
        await lock(db, coupon_id, "ord_3")
    assert refused.value.fields == {"reason": "used"}
    with pytest.raises(AssertionError):
        await db.run(coupons.give_back, coupon_id, "ord_3")  # another order's
    back = await db.run(coupons.give_back, coupon_id, "ord_2")
    assert (back.state.value, back.order_id) == ("issued", None)
    async with db.begin() as tx:
        await outbox.number(tx, limit=100)
        told = await outbox.gap(tx, ["customer:acc_1"], since=0, upto=100, limit=100)
    released = [codec.loads(fact.body) for fact in told if fact.topic == "coupon.released"]
    assert [(body["order_id"], body["state"]) for body in released] == [("ord_1", "issued"), ("ord_2", "issued")]


@pytest.fixture
def runner(db: Database, settings: Settings) -> JobRunner:
    return JobRunner(db, settings, coupons.DEADLINES)


async def test_time_ends_a_coupon_at_its_instant(db: Database, clock: ManualClock, runner: JobRunner) -> None:
    coupon_id = await mine(db, valid_days=1)
    clock.advance(seconds=86_399)
    assert await runner.drain() == 0
    assert await lock(db, coupon_id, "ord_1") == 1_000
    await db.run(coupons.give_back, coupon_id, "ord_1")
    clock.advance(seconds=1)
    # Nobody has noticed yet, and still it is over.
    with pytest.raises(coupons.CouponNotApplicable) as refused:
        await lock(db, coupon_id, "ord_2")
    assert refused.value.fields == {"reason": "expired"}
    assert await runner.drain() == 1
    assert await state_of(db, coupon_id) == "expired"


async def test_an_order_holds_its_coupon_beyond_its_time(db: Database, clock: ManualClock, runner: JobRunner) -> None:
    kept, lost = await mine(db, valid_days=1), await mine(db, valid_days=1)
    await lock(db, kept, "ord_1")
    await lock(db, lost, "ord_2")
    clock.advance(seconds=2 * 86_400)
    assert await runner.drain() == 2
    await db.run(coupons.use, kept, "ord_1")
    await db.run(coupons.give_back, lost, "ord_2")
    assert (await state_of(db, kept), await state_of(db, lost)) == ("used", "expired")


async def test_whatever_order_lock_return_and_expiry_come_in_nothing_is_lost(
    db: Database, clock: ManualClock, runner: JobRunner
) -> None:
    """At the very end of its time an order returns it, another wants it, and its deadline fires."""
    for _ in range(15):
        coupon_id = await mine(db, valid_days=1, per_account_max=100)
        await lock(db, coupon_id, f"ord_a{coupon_id}")
        clock.advance(seconds=86_399.999)

        async def give_back_late(tx: Any, coupon_id: str = coupon_id) -> None:
            # The instant of this transaction is before the end; what it writes comes after.
            clock.advance(seconds=0.001)
            await coupons.give_back(tx, coupon_id, f"ord_a{coupon_id}")

        await asyncio.gather(db.run(give_back_late), answer(lock(db, coupon_id, f"ord_b{coupon_id}")), runner.drain())
        await runner.drain()
        async with db.begin() as tx:
            row = await tx.fetchrow("SELECT state, order_id FROM coupons WHERE id = $1", coupon_id)
        assert row["state"] in {"expired", "locked"}
        assert (row["state"] == "locked") == (row["order_id"] == f"ord_b{coupon_id}")


async def test_a_deadline_that_came_while_the_coupon_was_held_comes_again(
    db: Database, clock: ManualClock, runner: JobRunner
) -> None:
    """The transaction that returns it began before the end; the deadline fires and finds it held; then it commits."""
    coupon_id = await mine(db, valid_days=1)
    await lock(db, coupon_id, "ord_1")
    clock.advance(seconds=86_399)
    async with db.begin() as tx:
        clock.advance(seconds=1)
        assert await runner.drain() == 1
        await coupons.give_back(tx, coupon_id, "ord_1")
    assert await state_of(db, coupon_id) == "issued"
    assert await runner.drain() == 1
    assert await state_of(db, coupon_id) == "expired"


# Gifts


async def test_gifts_are_all_or_none_and_recorded(db: Database) -> None:
    made = await template(db, quota=4, claimable=False)
    accounts = [f"acc_{n}" for n in range(3)]
    gift, given = await db.run(coupons.give, made.id, accounts, by_id="acc_ops", reason="sorry")
    assert [coupon.account_id for coupon in given] == accounts
    assert {(coupon.source, coupon.gift_id) for coupon in given} == {("gift", gift.id)}
    assert (gift.count, gift.value_fen, gift.reason, gift.by_id) == (3, 3_000, "sorry", "acc_ops")
    for who, code in ((["acc_7", "acc_8"], "coupon_sold_out"), (["acc_7", "acc_7"], "invalid_input")):
        assert await answer(db.run(coupons.give, made.id, who, by_id="acc_ops", reason="x")) == code
    assert await answer(db.run(coupons.give, made.id, ["acc_1"], by_id="acc_ops", reason="x")) == "coupon_limit"
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM coupon_gifts") == 1
    assert await faults(db) == []


async def test_support_gives_in_a_case_and_up_to_a_value(db: Database) -> None:
    made = await template(db, quota=100, per_account_max=10, amount_fen=4_000)

    def give(case_id: str | None, account_id: str = "acc_1") -> Awaitable[str]:
        return answer(
            db.run(coupons.give, made.id, [account_id], by_id="acc_sue", reason="x", case_id=case_id, limited=True)
        )

    assert await give(None) == "invalid_input"
    answers = await asyncio.gather(*(give("cas_1") for _ in range(6)))
    allowed = GIFT_CASE_MAX_FEN // 4_000
    assert sorted(answers) == ["coupon_gift_limit"] * (6 - allowed) + ["ok"] * allowed
    assert await give("cas_2") == "ok"
    assert await faults(db) == []
