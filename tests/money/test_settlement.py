"""Settlements on a real database: once, matured, taken back, adjusted, raced."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rest.money import ledger, settlement, wallet
from rest.money.settlement import LineState, Part, Party, Rule
from rest.money.settlement import store as settlement_store
from rest.money.settlement.deadlines import DEADLINES
from rest.money.settlement.model import TRANSITIONS, VERBS, WrongLineState
from storage.base.clock import ManualClock
from storage.base.errors import HubError, NotFound
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.conftest import MONDAY, wipe
from tests.money.settling import CHANNEL, CUSTOMER, WORKER, Shop, amounts, shares
from tests.money.test_split import HOME

PENDING, WALLET = ledger.pending("worker", WORKER), ledger.worker_wallet(WORKER)
REVENUE = ledger.revenue("homeservice")
PLAIN = {"item": 40_000, "travel": 3_000, "kept": 43_000}
CHANNELLED = {"item": 40_000, "travel": 3_000, "coupon": 5_000, "voucher": 2_000, "kept": 36_000}


@pytest.fixture
def shop(db: Database) -> Shop:
    return Shop(db)


async def refused(act: Any) -> str:
    try:
        await act
    except HubError as problem:
        return problem.code
    return "ok"


# The table of a line's states

TABLE = {
    LineState.ACCRUED: {"mature": "payable", "reduce": "accrued", "claw_back": "clawed_back"},
    LineState.PAYABLE: {"pay": "paid", "reduce": "payable", "claw_back": "clawed_back"},
    LineState.PAID: {"reduce": "paid", "claw_back": "clawed_back"},
    LineState.CLAWED_BACK: {},
}


@pytest.mark.parametrize("state", LineState)
@pytest.mark.parametrize("verb", ["mature", "pay", "reduce", "claw_back"])
async def test_every_verb_in_every_state_of_a_line(shop: Shop, state: LineState, verb: str) -> None:
    from dataclasses import replace

    line = replace((await shop.order(**PLAIN)).lines[0], state=state)
    expected = TABLE[state].get(verb)
    if expected is None:
        with pytest.raises(WrongLineState):
            line.after(verb)
    else:
        assert line.after(verb).state == expected


def test_the_table_has_no_other_verbs() -> None:
    assert set(VERBS) == {"mature", "pay", "reduce", "claw_back"}
    assert len(TRANSITIONS) == sum(map(len, TABLE.values()))


# Settling


async def test_an_order_is_shared_out_with_its_lines(shop: Shop, clock: ManualClock) -> None:
    """HS-153 to HS-155, HS-162."""
    done = await shop.order(**PLAIN)
    assert amounts(done) == [
        ("technician", "settled", 27_000, "accrued"),
        ("platform", "settled", 16_000, "paid"),
    ]
    assert (done.kept_fen, done.state, done.matures_at) == (43_000, "done", clock.now() + timedelta(hours=24))
    assert [await shop.balance(code) for code in (PENDING, WALLET, REVENUE)] == [27_000, 0, 16_000]
    assert await shop.balance(ledger.escrow(done.order_id)) == 0
    assert await shop.faults() == []


async def test_the_rule_of_the_migration_is_the_spec_s(db: Database) -> None:
    assert await db.run(settlement_store.rule, "homeservice", 1) == HOME


async def test_a_channel_has_its_lines_in_its_own_pending_account(shop: Shop) -> None:
    """HS-156 to HS-158."""
    await shop.bind()
    done = await shop.order(**CHANNELLED)
    assert shares(done) == {"technician": 25_000, "channel_reward": 330, "platform_bonus": 990, "platform": 9_680}
    assert await shop.balance(ledger.pending("customer", "acc_carl")) == 1_320
    assert await shop.bonus() == 990
    assert await shop.faults() == []


async def test_settling_again_moves_nothing(shop: Shop) -> None:
    """HS-174."""
    await shop.bind()
    ended = await shop.ended(**CHANNELLED)
    first = await shop.db.run(settlement.settle, ended)
    assert await shop.db.run(settlement.settle, ended) == first
    assert await shop.bonus() == 990
    assert await shop.faults() == []


async def test_settling_at_once_from_many_sides_settles_once(shop: Shop) -> None:
    await shop.bind()
    ended = await shop.ended(**CHANNELLED)
    found = await asyncio.gather(*(shop.db.run(settlement.settle, ended) for _ in range(8)))
    assert len({one.id for one in found}) == 1
    assert await shop.bonus() == 990
    assert await shop.faults() == []


async def test_the_last_bonus_is_cut_to_fit_whoever_comes_first(shop: Shop) -> None:
    """HS-157: many orders of one technician settled at once never pay more than 1000 yuan."""
    await shop.bind(bonus_fen=98_000)
    ended = [await shop.ended(item=40_000, kept=40_000) for _ in range(6)]
    done = await asyncio.gather(*(shop.db.run(settlement.settle, one) for one in ended))
    bonuses = sorted(shares(one).get("platform_bonus", 0) for one in done)
    assert bonuses == [0, 0, 0, 0, 800, 1_200]
    assert await shop.bonus() == 100_000
    assert all(shares(one)["channel_reward"] == 400 for one in done)
    assert await shop.faults() == []


async def test_a_closed_channel_earns_nothing_more(shop: Shop) -> None:
    """HS-173."""
    await shop.bind()
    before = await shop.order(**CHANNELLED)
    assert await shop.db.run(settlement.close_channels, CHANNEL) == 1
    after = await shop.order(**CHANNELLED)
    assert shares(after) == {"technician": 25_000, "platform": 11_000}
    assert before.net_of(CHANNEL) == 1_320
    assert await shop.balance(ledger.pending("customer", "acc_carl")) == 1_320


async def test_a_worker_has_one_channel_and_is_not_his_own(shop: Shop) -> None:
    """HS-166, HS-167."""
    await shop.bind()
    assert await refused(shop.db.run(settlement.bind_channel, WORKER, Party("customer", "acc_x"))) == "already_bound"
    assert await refused(shop.db.run(settlement.bind_channel, "wrk_x", Party("worker", "wrk_x"))) == "self_referral"


@pytest.mark.parametrize("kept", [0, 5_000])
async def test_a_coupon_may_cost_the_platform_more_than_its_part(shop: Shop, kept: int) -> None:
    """HS-155, also where the customer paid nothing at all."""
    done = await shop.order(item=40_000, travel=3_000, coupon=43_000 - kept, kept=kept)
    assert shares(done) == {"technician": 27_000, "platform": kept - 27_000}
    assert await shop.faults() == []


async def test_a_voucher_above_the_technician_s_part_is_owed_by_him(shop: Shop) -> None:
    done = await shop.order(item=1_000, voucher=900, kept=100)
    assert amounts(done) == [("technician", "settled", -300, "paid"), ("platform", "settled", 400, "paid")]
    assert [await shop.balance(code) for code in (PENDING, WALLET)] == [0, -300]


async def test_an_escrow_that_holds_something_else_is_not_shared_out(shop: Shop) -> None:
    ended = await shop.ended(**PLAIN)
    from dataclasses import replace

    from rest.money.settlement import Basis

    wrong = replace(ended, basis=Basis(item=40_000, kept=42_999, rate_bps=6_000))
    assert await refused(shop.db.run(settlement.settle, wrong)) == "split_mismatch"
    async with shop.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM settlements") == 0


async def test_a_new_version_of_a_rule_holds_for_orders_that_name_it(shop: Shop) -> None:
    from dataclasses import replace

    half = Rule(
        line="homeservice",
        version=2,
        parts=(
            Part(kind="technician", party="worker", bps=5_000, of=("item",)),
            Part(kind="platform", party="platform"),
        ),
    )
    await shop.db.run(settlement.publish, half, note="test", by="acc_fay")
    assert await refused(shop.db.run(settlement.publish, half, note="test", by="acc_fay")) == "split_version_taken"
    ended = await shop.ended(**PLAIN)
    done = await shop.db.run(settlement.settle, replace(ended, split_version=2))
    assert shares(done) == {"technician": 20_000, "platform": 23_000}
    assert {line.split_version for line in done.lines} == {2}
    assert shares(await shop.order(**PLAIN)) == {"technician": 27_000, "platform": 16_000}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE split_rules SET note = 'x'",
        "DELETE FROM split_rules",
        "UPDATE settlement_lines SET amount_fen = amount_fen + 1",
        "UPDATE settlement_lines SET party_id = 'x'",
        "DELETE FROM settlement_lines",
    ],
)
async def test_rules_and_lines_are_never_changed(shop: Shop, sql: str) -> None:
    await shop.order(**PLAIN)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with shop.db.begin() as tx:
            await tx.execute(sql)


# Maturing


async def test_after_a_day_the_deadline_moves_it_to_the_wallet_once(
    shop: Shop, clock: ManualClock, settings: Settings
) -> None:
    """HS-162."""
    await shop.bind()
    done = await shop.order(**CHANNELLED)
    runner = JobRunner(shop.db, settings, DEADLINES)
    clock.advance(hours=23, minutes=59)
    assert await runner.drain() == 0
    assert (await shop.db.run(settlement.mature, done.id)).lines == done.lines
    clock.advance(minutes=1)
    assert await runner.drain() == 1
    assert [await shop.balance(code) for code in (PENDING, WALLET)] == [0, 25_000]
    assert await shop.balance(ledger.customer_wallet("acc_carl")) == 1_320
    again = await shop.db.run(settlement.mature, done.id)
    assert {line.state for line in again.lines} == {LineState.PAID}
    assert await shop.faults() == []


async def test_without_a_wait_it_is_in_the_wallet_at_once(shop: Shop) -> None:
    done = await shop.order(hold_s=0, **PLAIN)
    assert {line.state for line in done.lines} == {LineState.PAID}
    assert [await shop.balance(code) for code in (PENDING, WALLET)] == [0, 27_000]
    async with shop.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM jobs") == 0


# Taking back


async def test_half_refunded_all_lines_give_back_half(shop: Shop) -> None:
    """The spec's example: 2.00 and 6.00 of the channel, and the counter goes down (HS-161)."""
    await shop.bind()
    done = await shop.order(**PLAIN)
    assert shares(done) == {"technician": 27_000, "channel_reward": 400, "platform_bonus": 1_200, "platform": 14_400}
    after = await shop.refund(done.order_id, 21_500)
    assert shares(after) == {"technician": 13_500, "channel_reward": 200, "platform_bonus": 600, "platform": 7_200}
    assert [line.amount_fen for line in after.lines if line.cause == "refunded"] == [-13_500, -200, -600, -7_200]
    assert (after.state, await shop.bonus()) == ("reversed_in_part", 600)
    assert await shop.balance(ledger.customer_wallet(CUSTOMER)) == 21_500
    assert await shop.faults() == []
    gone = await shop.refund(done.order_id, 0)
    assert (gone.state, shares(gone), await shop.bonus()) == ("reversed", {}, 0)
    assert {line.state for line in gone.lines if line.cause == "settled" and line.kind != "platform"} == {
        LineState.CLAWED_BACK
    }
    assert [await shop.balance(code) for code in (PENDING, REVENUE)] == [0, 0]
    assert await shop.faults() == []


async def test_what_was_paid_out_is_clawed_back_below_zero_if_need_be(shop: Shop) -> None:
    """D13."""
    done = await shop.order(hold_s=0, **PLAIN)
    async with shop.db.begin() as tx:
        await wallet.move(tx, ref="spent", kind="x", entries=[(WALLET, -27_000), (ledger.clearing("bank"), 27_000)])
    await shop.refund(done.order_id, 21_500)
    assert await shop.balance(WALLET) == -13_500
    assert await shop.faults() == []


async def test_a_reward_a_customer_has_spent_is_owed_and_his_wallet_is_left_alone(shop: Shop) -> None:
    """HS-182."""
    await shop.bind()
    done = await shop.order(hold_s=0, **PLAIN)
    mine = ledger.customer_wallet("acc_carl")
    async with shop.db.begin() as tx:
        await wallet.move(tx, ref="spent", kind="x", entries=[(mine, -1_000), (ledger.clearing("bank"), 1_000)])
    await shop.refund(done.order_id, 0)
    assert [await shop.balance(code) for code in (mine, ledger.customer_owed("acc_carl"))] == [600, -1_600]
    assert await shop.faults() == []


async def test_the_same_refund_again_moves_nothing_and_none_gives_more_than_is_kept(shop: Shop) -> None:
    done = await shop.order(**PLAIN)
    first = await shop.refund(done.order_id, 40_000)
    assert await shop.refund(done.order_id, 40_000) == first
    for kept in (40_001, -1):
        assert await refused(shop.refund(done.order_id, kept)) == "amount_range"
    with pytest.raises(NotFound):
        await shop.refund("ord_unknown", 0)


async def test_refunds_at_once_end_at_the_least_that_was_asked_for(shop: Shop) -> None:
    await shop.bind()
    done = await shop.order(**PLAIN)
    kept = [43_000 - 3_001 * n for n in range(1, 9)]
    answers = await asyncio.gather(*(refused(shop.refund(done.order_id, one)) for one in kept))
    assert set(answers) <= {"ok", "amount_range"}
    async with shop.db.begin() as tx:
        assert (await settlement.of_order(tx, done.order_id)).kept_fen == min(kept)
    assert await shop.faults() == []


async def test_a_refund_and_the_end_of_the_wait_at_once_are_one_after_the_other(shop: Shop, clock: ManualClock) -> None:
    for n in range(6):
        done = await shop.order(worker=f"wrk_{n}", **PLAIN)
        clock.advance(hours=24)
        await asyncio.gather(shop.db.run(settlement.mature, done.id), shop.refund(done.order_id, 21_500))
        await shop.db.run(settlement.mature, done.id)
        assert await shop.balance(ledger.worker_wallet(f"wrk_{n}")) == 13_500
    assert await shop.faults() == []


cents = st.integers(0, 60_000)


@settings(max_examples=25)
@given(
    item=st.integers(1, 60_000), travel=cents, member=cents, coupon=cents, voucher=st.integers(0, 500),
    bonus=st.sampled_from([0, 99_000, 99_990, 100_000]), data=st.data(), rate=st.integers(0, 10_000),
)  # fmt: skip
async def test_many_refunds_end_where_one_of_their_sum_does(  # noqa: PLR0917 - what Hypothesis draws
    pg_url: str,
    item: int,
    travel: int,
    member: int,
    coupon: int,
    voucher: int,
    bonus: int,
    data: st.DataObject,
    rate: int,
) -> None:
    """I6, metamorphic: ledger, lines and bonus counter, to the fen, with the wait over somewhere in between."""
    kept = max(0, item + travel - member - coupon - voucher)
    steps = sorted(data.draw(st.lists(st.integers(0, kept), min_size=1, max_size=5)), reverse=True)
    matures_before = data.draw(st.integers(0, len(steps)))
    basis = {
        "item": item, "travel": travel, "member": member, "coupon": coupon, "voucher": voucher, "kept": kept,
        "rate_bps": rate,
    }  # fmt: skip

    async def end(stops: list[int], mature_at: int) -> tuple[Any, ...]:
        clock = ManualClock(MONDAY)
        database = await Database.connect(pg_url, clock=clock, pool_size=2)
        try:
            await wipe(database)
            shop = Shop(database)
            await shop.bind(bonus_fen=bonus)
            done = await shop.order(**basis)
            for n, stop in enumerate(stops):
                if n == mature_at:
                    clock.advance(hours=24)
                    await database.run(settlement.mature, done.id)
                await shop.refund(done.order_id, stop)
            clock.advance(hours=24)
            after = await database.run(settlement.mature, done.id)
            assert await shop.faults() == []
            codes = (PENDING, WALLET, REVENUE, ledger.escrow(done.order_id), ledger.customer_wallet(CUSTOMER))
            carl = sum(
                [
                    await shop.balance(code)
                    for code in (ledger.customer_wallet("acc_carl"), ledger.customer_owed("acc_carl"))
                ]
            )
            return shares(after), [await shop.balance(code) for code in codes], carl, await shop.bonus()
        finally:
            await database.close()

    assert await end(steps, matures_before) == await end([steps[-1]], 0)


# Adjusting


def line_of(found: Any, kind: str) -> str:
    return next(line.id for line in found.live if line.kind == kind)


async def adjust(shop: Shop, done: Any, kind: str, amount: int) -> Any:
    return await shop.db.run(
        settlement.adjust, done.id, line_of(done, kind), amount, by="acc_fay", reason="agreed by phone"
    )


async def test_finance_adjusts_by_a_reversal_and_a_new_line(shop: Shop) -> None:
    """HS-164."""
    done = await shop.order(**PLAIN)
    after = await adjust(shop, done, "technician", 30_000)
    assert amounts(after) == [
        ("technician", "settled", 27_000, "clawed_back"),
        ("platform", "settled", 16_000, "clawed_back"),
        ("technician", "adjusted", -27_000, "paid"),
        ("technician", "adjusted", 30_000, "accrued"),
        ("platform", "adjusted", -16_000, "paid"),
        ("platform", "adjusted", 13_000, "paid"),
    ]
    assert {(line.by_id, line.reason) for line in after.lines[2:]} == {("acc_fay", "agreed by phone")}
    assert [await shop.balance(code) for code in (PENDING, REVENUE)] == [30_000, 13_000]
    async with shop.db.begin() as tx:
        audit = await tx.fetchrow("SELECT by_id, note FROM ledger_transfers WHERE ref LIKE 'stl_%:adjusted:%'")
    assert tuple(audit) == ("acc_fay", "agreed by phone")
    assert await shop.faults() == []


async def test_a_line_is_adjusted_once_and_its_successor_may_be(shop: Shop) -> None:
    done = await shop.order(**PLAIN)
    after = await adjust(shop, done, "technician", 30_000)
    assert await refused(adjust(shop, done, "technician", 31_000)) == "already_reversed"
    again = await adjust(shop, after, "technician", 0)
    assert shares(again) == {"platform": 43_000}
    assert await shop.faults() == []


async def test_two_who_adjust_at_once_adjust_once(shop: Shop) -> None:
    done = await shop.order(**PLAIN)
    answers = await asyncio.gather(*(refused(adjust(shop, done, "technician", 30_000 + n)) for n in range(6)))
    assert sorted(answers) == ["already_reversed"] * 5 + ["ok"]
    assert await shop.faults() == []


async def test_later_refunds_scale_what_finance_has_decided(shop: Shop) -> None:
    done = await shop.order(**PLAIN)
    await shop.refund(done.order_id, 40_000)
    async with shop.db.begin() as tx:
        now = await settlement.of_order(tx, done.order_id)
    await adjust(shop, now, "technician", 20_000)
    after = await shop.refund(done.order_id, 10_000)
    assert shares(after) == {"technician": 5_000, "platform": 5_000}
    assert await shop.faults() == []


async def test_an_adjustment_sets_what_refunds_scale_also_for_lines_it_left_alone(shop: Shop) -> None:
    await shop.bind()
    done = await shop.refund((await shop.order(**PLAIN)).order_id, 21_500)
    await adjust(shop, done, "technician", 10_000)
    after = await shop.refund(done.order_id, 10_750)
    assert shares(after) == {"technician": 5_000, "channel_reward": 100, "platform_bonus": 300, "platform": 5_350}
    assert await shop.bonus() == 300
    assert await shop.faults() == []


async def test_an_adjusted_bonus_moves_the_counter_and_keeps_its_limit(shop: Shop) -> None:
    await shop.bind(bonus_fen=99_000)
    done = await shop.order(**PLAIN)
    assert await shop.bonus() == 100_000
    assert await refused(adjust(shop, done, "platform_bonus", 1_001)) == "amount_range"
    after = await adjust(shop, done, "platform_bonus", 400)
    assert (shares(after)["platform_bonus"], await shop.bonus()) == (400, 99_400)
    assert await shop.faults() == []


@pytest.mark.parametrize("amount", [27_000, 43_001, -1])
async def test_an_adjustment_that_is_none_or_too_much_is_refused(shop: Shop, amount: int) -> None:
    done = await shop.order(**PLAIN)
    assert await refused(adjust(shop, done, "technician", amount)) == "amount_range"


async def test_the_platform_s_line_follows_the_others(shop: Shop) -> None:
    done = await shop.order(**PLAIN)
    assert await refused(adjust(shop, done, "platform", 1)) == "not_adjustable"
    other = await shop.order(**PLAIN)
    with pytest.raises(NotFound):
        await shop.db.run(settlement.adjust, done.id, other.lines[0].id, 5, by="acc_fay", reason="x")


# What is told


async def test_each_party_hears_of_its_own_part_only(shop: Shop, clock: ManualClock) -> None:
    await shop.bind()
    done = await shop.order(**PLAIN)
    await shop.refund(done.order_id, 21_500)
    async with shop.db.begin() as tx:
        rows = await tx.fetch("SELECT topic, body, audience FROM outbox WHERE topic LIKE 'settlement.%' ORDER BY id")
    from storage.base import codec

    told = [(row["topic"], list(row["audience"]), codec.loads(row["body"])) for row in rows]
    assert [(topic, audience, body["net"]["amount"]) for topic, audience, body in told] == [
        ("settlement.done", [f"worker:{WORKER}"], 27_000),
        ("settlement.done", ["customer:acc_carl"], 1_600),
        ("settlement.changed", [f"worker:{WORKER}"], 13_500),
        ("settlement.changed", ["customer:acc_carl"], 800),
    ]
    assert [body["change"]["amount"] for topic, _, body in told if topic == "settlement.changed"] == [-13_500, -800]
