"""Each invariant is broken on purpose, in one transaction that is undone, and it alone must say so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from rest.lines.homeservice import actions
from rest.marketing import membership, points_mall
from rest.money import channels, ledger, points, settlement, topups, withdrawals
from rest.money.channels.model import Outcome
from rest.money.settlement import Party
from rest.money.withdrawals import Owner, Payee, PayoutMethod
from rest.money.withdrawals.rules import WithdrawalRules
from storage import idempotency
from storage.base.clock import ManualClock
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY
from tests.money import invariants
from tests.money.members_book import sell_membership
from tests.money.points_book import sell_coupon
from tests.money.street import Street, ask_refund, build_street, scratch


@dataclass
class Plant:
    """What is broken, and which other invariants say the same of it."""

    sql: str
    also: frozenset[str] = frozenset()


def _post(source: str, target: str) -> str:
    """A fen moved that nobody decided on, by a well-formed transfer; the codes as SQL."""
    return f"""
        DO $$ DECLARE a text := ({source}); b text := ({target}); k text := (SELECT kind FROM ledger_accounts WHERE code = b);
        BEGIN PERFORM ledger_post('trf_planted', 'planted', 'gift', NULL, now(), NULL, NULL, false, ARRAY[a, b], ARRAY[-1, 1]::bigint[],
              ARRAY['lac_a', 'lac_b'], ARRAY['customer_wallet', coalesce(k, 'customer_unapplied')], ARRAY['acc_x', 'acc_x'],
              ARRAY['CNY', 'CNY'], ARRAY[0, 0]::bigint[], ARRAY[false, false]);
        END $$"""  # noqa: E501


PAID = "(SELECT id FROM orders WHERE status = 'paid' AND line = 'homeservice' ORDER BY id LIMIT 1)"
DONE = "(SELECT order_id FROM settlements ORDER BY id LIMIT 1)"
RICH = "SELECT code FROM ledger_accounts WHERE kind = 'customer_wallet' AND balance_fen > 10 ORDER BY id LIMIT 1"
CREDIT = """(transfer_id, n) = (SELECT transfer_id, n FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
            WHERE a.code = 'platform:topup' ORDER BY transfer_id LIMIT 1 OFFSET {n})"""

PLANTS = {
    "i1_transfers_sum_to_zero": Plant(
        f"UPDATE ledger_entries SET amount_fen = amount_fen - 1 WHERE {CREDIT.format(n=0)};"
        f"UPDATE ledger_entries SET amount_fen = amount_fen + 1 WHERE {CREDIT.format(n=1)}"
    ),
    "i1_accounts_sum_to_zero": Plant(
        f"UPDATE ledger_accounts SET balance_fen = balance_fen + 1 WHERE code = ({RICH})",
        frozenset({"i2_balances_are_their_entries"}),
    ),
    "i2_balances_are_their_entries": Plant(
        """UPDATE ledger_accounts SET balance_fen = balance_fen + CASE WHEN code = (SELECT min(code) FROM ledger_accounts
              WHERE kind = 'customer_wallet' AND balance_fen > 0) THEN 1 ELSE -1 END
            WHERE code IN (SELECT min(code) FROM ledger_accounts WHERE kind = 'customer_wallet' AND balance_fen > 0
                            UNION SELECT max(code) FROM ledger_accounts WHERE kind = 'customer_wallet' AND balance_fen > 0)"""
    ),
    "i2_chains_have_no_gaps": Plant(
        """UPDATE ledger_entries SET balance_after_fen = balance_after_fen + 1 WHERE (transfer_id, n) = (
              SELECT transfer_id, n FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
               WHERE a.kind = 'customer_wallet' ORDER BY 1 LIMIT 1)"""
    ),
    "i2_checkpoints_are_their_entries": Plant("UPDATE ledger_checkpoints SET balance_fen = balance_fen + 1"),
    "i3_floors_hold": Plant(
        "ALTER TABLE ledger_accounts DROP CONSTRAINT ledger_accounts_check1;"
        f"UPDATE ledger_accounts SET floor_fen = 10000000 WHERE code = ({RICH})"
    ),
    "i4_refunds_stay_within_payments": Plant(f"UPDATE payments SET state = 'refunded' WHERE order_id = {PAID} AND state = 'paid'"),
    "i4_an_order_is_the_sum_of_its_payments": Plant(
        f"UPDATE orders SET paid_fen = paid_fen + 1, refunded_fen = refunded_fen + 1 WHERE id = {DONE}"
    ),
    "i4_refunds_are_booked_once": Plant("UPDATE ledger_transfers SET kind = 'gift' WHERE kind = 'refund'"),
    "i4_an_executed_request_gave_what_was_approved": Plant("UPDATE refund_requests SET approved_fen = approved_fen - 1 WHERE state = 'executed'"),
    "d3_what_is_reserved_is_what_is_asked_for": Plant("UPDATE refund_requests SET state = 'withdrawn' WHERE state = 'requested'"),
    "i4_every_refund_over_a_channel_has_its_leg": Plant("DELETE FROM channel_refunds WHERE state = 'accepted'"),
    "i4_no_leg_beyond_its_payment": Plant(
        "UPDATE channel_refunds SET amount_fen = amount_fen + 1, total_fen = total_fen + 1 WHERE state = 'accepted'",
        frozenset({"i4_every_refund_over_a_channel_has_its_leg"}),
    ),
    "i5_price_lines_are_whole": Plant("UPDATE order_lines SET allocated_to = 99 WHERE allocated_to IS NOT NULL"),
    "i5_what_was_paid_is_the_price": Plant(f"UPDATE order_lines SET amount_fen = amount_fen + 1 WHERE kind = 'item' AND order_id = {DONE}"),
    "i8_a_coupon_is_on_one_live_order": Plant(
        f"""UPDATE homeservice_orders SET coupon_id = (SELECT max(coupon_id) FROM homeservice_orders) WHERE order_id = {DONE}"""
    ),
    "i8_issued_is_counted": Plant("UPDATE coupon_templates SET issued = issued + 1"),
    "i10_nobody_is_booked_twice": Plant(
        """ALTER TABLE bookings DROP CONSTRAINT bookings_no_overlap;
           INSERT INTO bookings SELECT 'bkg_planted', unit_no, worker_id, 'cal_planted', during, state, created_at, changed_at
             FROM bookings WHERE state = 'firm' LIMIT 1"""
    ),
    "i11_every_key_has_its_answer": Plant("UPDATE idempotency_keys SET status = NULL"),
    "i12_a_trade_is_booked_once": Plant(
        """UPDATE ledger_transfers SET ref = 'wechat:' || (SELECT max(ref) FROM payments WHERE method = 'wechat') || ':suspense'
            WHERE id = (SELECT max(id) FROM ledger_transfers WHERE kind = 'suspense')"""
    ),
    "i12_news_is_passed_on_once": Plant(
        "UPDATE channel_news SET outcome = 'repeated' WHERE id = (SELECT min(id) FROM channel_news WHERE outcome = 'passed_on')"
    ),
    "i12_what_a_channel_paid_is_in_the_book": Plant("UPDATE payments SET ref = 'another' WHERE id = (SELECT max(id) FROM payments WHERE state = 'paid' AND ref IS NOT NULL)"),
    "i13_what_came_is_booked_once": Plant(
        "UPDATE payment_parts SET tender = 'prepaid' WHERE payment_id = (SELECT min(id) FROM payments WHERE method = 'wallet' AND refunded_fen = 0 AND state = 'paid')"
    ),
    "i13_channels_owe_what_was_told": Plant("UPDATE channel_refunds SET state = 'manual', ended_at = NULL WHERE state = 'done'"),
    "i13_suspense_is_its_open_items": Plant(
        "UPDATE channel_news SET amount_fen = amount_fen + 1 WHERE outcome = 'wrong_amount'"
    ),
    "i13_a_topup_is_credited_once": Plant("UPDATE topups SET amount_fen = amount_fen + 1 WHERE state = 'paid'"),
    "i14_escrow_is_what_an_open_order_keeps": Plant(_post(RICH, f"SELECT 'order:' || {PAID} || ':escrow'")),
    "i15_versions_count_the_steps": Plant(f"UPDATE orders SET version = version + 1 WHERE id = {DONE}"),
    "i15_only_the_table_happens": Plant(f"UPDATE order_events SET verb = 'fly' WHERE order_id = {DONE} AND n = 3"),
    "i16_a_cancelled_or_unpaid_order_keeps_nothing": Plant(
        f"""UPDATE order_events SET to_status = 'in_pool' WHERE order_id = {PAID} AND verb = 'pay';
            UPDATE orders SET status = 'in_pool' WHERE id = {PAID}""",
        frozenset({"i15_only_the_table_happens"}),
    ),
    "i16_a_workers_penalty_moved_once_each_way": Plant("UPDATE ledger_transfers SET ref = ref || 'x' WHERE ref LIKE 'pen\\_%:debited'"),
    "i17_one_winner": Plant(f"UPDATE calls SET worker_id = 'wrk_other' WHERE subject_id = {PAID}"),
    "i17_nobody_pays_for_what_is_not_waited_for": Plant(
        "UPDATE payments SET state = 'created' WHERE id = (SELECT max(id) FROM payments WHERE state = 'closed')"
    ),
    "i17_no_money_is_stuck": Plant(
        """INSERT INTO jobs (kind, key, payload, due_at, first_due_at, parked_at) VALUES ('x', 'planted', '{}', now(), now(), now())"""
    ),
    "i18_whoever_is_held_is_locked": Plant("DELETE FROM jobs WHERE kind = 'homeservice.lock'"),
    "i18_no_hold_outlives_its_window": Plant("UPDATE calls SET locked_until = '2020-01-01' WHERE status = 'locked'"),
    "i21_each_step_was_told_once": Plant(
        "DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE topic = 'order.changed')"
    ),
    "i7_a_settlement_shares_out_all": Plant("UPDATE settlements SET settled_fen = settled_fen + 1"),
    "i24_a_settlement_keeps_what_its_order_keeps": Plant("UPDATE settlements SET order_id = 'ord_x' WHERE id = (SELECT min(id) FROM settlements)"),
    "i24_whoever_decided_is_on_record": Plant("UPDATE order_events SET actor = 'staff:' WHERE actor LIKE 'staff:%'"),
    **{name: Plant(sql) for name, sql in {
        "I12 I13 what has come is booked once, and as much as the payment says":
            "UPDATE payments SET paid_fen = paid_fen - 1 WHERE order_id LIKE 'top\\_%'",
        "I4 the legs of refunds are what their parts have given":
            "UPDATE payment_parts SET points_refunded = points_refunded + 1 WHERE points_refunded > 0",
        "I18 what is held is what open payments hold, to the fen and the point":
            "UPDATE payment_parts SET points = points + 1 WHERE points > 0 AND payment_id IN (SELECT id FROM payments WHERE is_held)",
        "RV-280 a day counts what was begun on it and not given up": "UPDATE payment_days SET amount_fen = amount_fen + 1",
        "I19 lots and book say the same": _post(
            "SELECT 'platform:points'", "SELECT code FROM ledger_accounts WHERE kind = 'customer_points' LIMIT 1"),
        "I19 lots hold and have spent what their holders say": "UPDATE points_uses SET used = used + 1 WHERE holder_id LIKE 'pay\\_%' AND used > 0",
        "I19 a lot that waits for its time has its deadlines": "DELETE FROM jobs WHERE kind = 'points.mature'",
        "I9 what is held and sold is what purchases say": "UPDATE points_products SET sold = sold + 1",
        "RV-307 points are held, spent or free as the purchase stands": "UPDATE points_purchases SET points = points + 1",
        "RV-308 the price of what was given back is back, whole and once, and nothing else is":
            "UPDATE ledger_transfers SET ref = ref || 'x' WHERE ref LIKE 'pmo\\_%:taken_back'",
        "RV-308, RV-269 a coupon is revoked when what it was bought with was given back, and only then":
            "UPDATE points_purchases SET coupon_id = NULL WHERE state = 'refunded'",
        "RV-307 the cash of a purchase that is done is earned, and nothing is left in its escrow":
            "UPDATE ledger_transfers SET ref = ref || 'x' WHERE ref LIKE 'pmo\\_%:settled'",
        "HS-188 the price of a purchase that is paid is earned, and nothing is left in its escrow":
            "UPDATE ledger_transfers SET ref = ref || 'x' WHERE ref LIKE 'mem\\_%:settled'",
        "HS-188 a membership is what its last purchase made of it, and not worth more than was paid":
            "UPDATE memberships SET ends_at = ends_at + interval '1 day'",
        "HS-188 a membership that runs has its deadlines": "DELETE FROM jobs WHERE kind = 'membership.expire'",
        "HS-188 a purchase that waits has its end, and one that is done its coupons":
            "DELETE FROM member_coupons WHERE purchase_id IN (SELECT id FROM member_purchases WHERE state = 'done')",
        "RV-269 what was earned by a purchase and given back is its price if it was given back, and nothing else":
            "UPDATE ledger_transfers SET ref = ref || 'x' WHERE ref LIKE 'mem\\_%:taken_back'",
        "RV-269 what was given back has made no order cheaper, and none of its coupons is left":
            "UPDATE member_uses SET membership_version = (SELECT membership_version FROM member_purchases WHERE state = 'refunded')",
        "RV-269 an order that a membership has made cheaper has used it": "DELETE FROM member_uses",
        "HS-174 a kind is paid once for an order": "DROP INDEX settlement_lines_once; UPDATE settlement_lines SET kind = 'x' WHERE cause = 'settled'",
        "pending accounts hold exactly what has not matured": "UPDATE settlement_lines SET state = 'paid' WHERE state = 'accrued'",
        "what rests waits for a channel's word": "UPDATE settlement_lines SET state = 'payable' WHERE state = 'accrued'",
        "the bonus counter is the sum of the bonuses, and within the limit": "UPDATE worker_channels SET bonus_fen = 100001",
        "the platform's revenue is the sum of its lines": "UPDATE ledger_transfers SET kind = 'gift' WHERE kind = 'settlement'",
        "what is frozen is the sum of the open withdrawals": "UPDATE withdrawals SET amount_fen = amount_fen + 1",
        "a withdrawal's version counts its events": "UPDATE withdrawals SET version = version + 1",
    }.items()},
    "a payment is the sum of its parts": Plant(
        "UPDATE payments SET amount_fen = amount_fen + 1 WHERE is_held",
        frozenset({"RV-280 a day counts what was begun on it and not given up"}),
    ),
    "I18 whoever waits for its channel holds its other parts, and nobody else anything": Plant(
        "UPDATE payments SET is_held = false WHERE is_held",
        frozenset({"I18 what is held is what open payments hold, to the fen and the point", "i13_what_came_is_booked_once"}),
    ),
    "I13 unapplied money is that of late payments": Plant(
        _post(RICH, "SELECT 'customer:acc_x:unapplied'"), frozenset({"i17_no_money_is_stuck"})
    ),
    "I19 a purse is the sum of its lots": Plant(
        "UPDATE points_purses SET available = available + 1, pending = pending - 1 WHERE pending > 0",
        frozenset({"I19 lots and book say the same"}),
    ),
    "I19 what was earned and neither used, expired nor taken back is the balance": Plant(
        "ALTER TABLE points_purses DROP CONSTRAINT points_purses_check; UPDATE points_purses SET expired = expired + 1",
        frozenset({"I19 a purse is the sum of its lots"}),
    ),
    "I24 the lines of a settlement sum to what the order keeps": Plant(
        "UPDATE settlements SET kept_fen = kept_fen - 1 WHERE kept_fen > 0", frozenset({"i24_a_settlement_keeps_what_its_order_keeps"})
    ),
    "a line and its reversals are its net": Plant(
        "UPDATE settlement_lines SET net_fen = net_fen + 1 WHERE party_kind = 'platform' AND reverses_id IS NULL",
        frozenset({"I24 the lines of a settlement sum to what the order keeps"}),
    ),
    "an open withdrawal has its money frozen": Plant(
        "UPDATE withdrawals SET owner_id = 'acc_else'", frozenset({"what is frozen is the sum of the open withdrawals"})
    ),
}  # fmt: skip
# ruff: noqa: E501 - SQL reads better unbroken


@pytest.fixture(scope="module")
def estate(pg_server: str) -> Iterator[tuple[asyncio.Runner, Database]]:
    """A database with some of everything in it, at rest."""
    with asyncio.Runner() as runner:
        manager = scratch(pg_server, "estate")
        url = runner.run(manager.__aenter__())
        db = runner.run(Database.connect(url, clock=ManualClock(MONDAY), pool_size=4))
        runner.run(fill(db))
        yield runner, db
        runner.run(db.close())
        runner.run(manager.__aexit__(None, None, None))


async def fill(db: Database) -> None:
    async with db.begin() as tx:
        await tx.execute(
            "CREATE OR REPLACE FUNCTION ledger_step() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 2::bigint'"
        )
    street = await build_street(db, db.clock)  # type: ignore[arg-type]
    street.town.clock.advance(minutes=10)
    done, tech = await street.completed("wechat")
    await street.refund(done, 5_000)
    await street.run()
    await street.completed("wallet")
    await ended_otherwise(street)
    await let_go(street)
    await street.paid("wechat")
    street.banks["alipay"].slow = True
    given_back = await street.paid("alipay")
    await street.town.by_customer(actions.cancel, given_back, "changed my mind")
    await db.run(actions.decide_cancel, given_back.order.id, "acc_staff", saved=False, note="ok")
    wrong, number = await street.ready("alipay")
    await street.tell("alipay", number, wrong.order.total_fen - 1)
    customer = await street.town.customer()
    coupon = await street.town.coupon(customer)
    job = await street.town.post(customer, coupon_id=coupon)
    await street.town.choose(
        job, await street.town.grab(job, await street.town.newcomer(work_from_min=0, work_to_min=1440))
    )
    async with db.begin() as tx:
        rules, payee = WithdrawalRules(), Payee(method=PayoutMethod.BANK, name="Wu", number="6222020200112233445")
        owner = Owner("customer", customer)
        await withdrawals.request(tx, rules, owner, account_id=customer, amount_fen=5_000, payee=payee)
        await idempotency.claim(tx, "acc_x:POST", "k" * 16, b"f")
        idempotency.store(tx, "acc_x:POST", "k" * 16, idempotency.StoredAnswer(200, "{}", b"{}"))
    await street.ready("alipay", mixed=True)


async def ended_otherwise(street: Street) -> None:
    """Mixed payments, one given back in part and one held; broken off by either side; top-up, points mall, membership."""
    mixed, tech = await street.completed("wechat", mixed=True)
    await street.db.run(settlement.bind_channel, tech.id, Party("customer", "acc_carl"))
    await street.refund(mixed, 12_345)
    await street.db.run(ask_refund, mixed.order.id, 1_000)
    await street.brought("accept", "depart", "cancel", "insist", channel="alipay")
    await street.brought("accept", "depart", "ask_terminate", "terminate")
    customer = mixed.order.customer_id
    await street.db.run(points.earn, customer, 200, ref="later", reason="test", available_at=MONDAY + timedelta(days=9))
    cup = await street.db.run(
        points_mall.create_product,
        name={"en": "Cup"},
        points=100,
        cash_fen=300,
        stock=5,
        per_account_max=3,
        by_id="acc_opal",
    )
    await street.db.run(points_mall.redeem, customer, cup.id, confirmed=True, method="wallet")
    bought = await sell_coupon(street.db, customer)
    await street.run()
    await street.db.run(points_mall.give_back, bought, customer)
    await sell_membership(street.db, customer)
    await street.town.by_customer(actions.cancel, await street.town.post(customer), "hm")
    renewal = await street.db.run(membership.buy, customer, "gold", shown=1, method="wallet")
    await street.run()
    await street.db.run(membership.give_back, renewal.id, customer)
    topup = await street.db.run(topups.create, customer, topups.Kind.PLATFORM, method="wechat", amount_fen=10_000)
    await street.run()
    async with street.db.begin() as tx:
        number = await tx.fetchval("SELECT id FROM payments WHERE order_id = $1", topup.id)
    await street.banks["wechat"].pay(number)
    assert await street.tell("wechat", number, 10_000) is Outcome.PASSED_ON
    await street.tell("wechat", "pay_of_nobody", 700)
    async with street.db.begin() as tx:
        item = await tx.fetchval("SELECT id FROM suspense_items WHERE channel = 'wechat'")
    await street.db.run(channels.actions.suspense.refund, item, by="acc_fay", reason="not ours")
    await street.run()


async def let_go(street: Street) -> None:
    """An attempt that was closed: its order went back to the pool, was chosen again and paid from the wallet."""
    job, _ = await street.ready("wechat")
    street.town.clock.advance(seconds=200)
    await street.run()
    job = await street.town.choose(
        job, await street.town.grab(job, await street.town.newcomer(work_from_min=0, work_to_min=1440))
    )
    await street.town.pay(job)
    await street.run()


def test_every_invariant_is_broken_here_and_says_its_number() -> None:
    known = invariants.INVARIANTS | invariants.AT_REST
    assert set(PLANTS) == set(known) | set(invariants.JOINED)
    for name, check in known.items():
        assert (check.__doc__ or "").startswith(name.split("_")[0].upper() + ":"), name


def test_they_all_hold_before(estate: tuple[asyncio.Runner, Database]) -> None:
    runner, db = estate
    assert runner.run(invariants.violations(db, rest=True)) == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_called_by_its_name(estate: tuple[asyncio.Runner, Database], name: str) -> None:
    runner, db = estate
    assert runner.run(broken(db, PLANTS[name].sql)) == {name} | PLANTS[name].also


async def broken(db: Database, sql: str) -> set[str]:
    """Which invariants do not hold after this; it is undone."""
    found: set[str] = set()

    async def act(tx: Tx) -> None:
        await tx.execute("SET LOCAL session_replication_role = replica")
        assert not await invariants.faults(tx, rest=True)
        await tx.execute(sql)
        found.update(fault.partition(":")[0] for fault in await invariants.faults(tx, rest=True))
        raise _Undone

    try:
        await db.run(act)
    except _Undone:
        pass
    return found


class _Undone(Exception):
    """Nothing of it stays."""


async def test_a_wrong_posting_is_seen_too(db: Database) -> None:
    """Money taken from one order's escrow for another's, by verbs alone."""
    street = await build_street(db, db.clock, bank_db=db)  # type: ignore[arg-type]
    one, other = await street.paid(), await street.paid()
    async with db.begin() as tx:
        codes = [(ledger.escrow(one.order.id), -1), (ledger.escrow(other.order.id), 1)]
        await ledger.post(tx, ref="slip", kind="pay", entries=codes)
    found: Any = await invariants.violations(db)
    assert {fault.partition(":")[0] for fault in found} == {"i14_escrow_is_what_an_open_order_keeps"}
    assert len(found) == 2
