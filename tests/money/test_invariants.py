"""Each invariant is broken on purpose, in one transaction that is undone, and it alone must say so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from rest.lines.homeservice import actions
from rest.money import ledger, withdrawals
from rest.money.withdrawals import Owner, Payee, PayoutMethod
from rest.money.withdrawals.rules import WithdrawalRules
from storage import idempotency
from storage.base.clock import ManualClock
from storage.postgres import Database
from storage.tx import Tx
from tests.conftest import MONDAY
from tests.money import invariants
from tests.money.street import Street, build_street, scratch


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
TOPUP = """(transfer_id, n) = (SELECT transfer_id, n FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
            WHERE a.code = 'platform:topup' ORDER BY transfer_id LIMIT 1 OFFSET {n})"""

PLANTS = {
    "i1_transfers_sum_to_zero": Plant(
        f"UPDATE ledger_entries SET amount_fen = amount_fen - 1 WHERE {TOPUP.format(n=0)};"
        f"UPDATE ledger_entries SET amount_fen = amount_fen + 1 WHERE {TOPUP.format(n=1)}"
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
            WHERE kind = 'suspense'"""
    ),
    "i12_news_is_passed_on_once": Plant(
        "UPDATE channel_news SET outcome = 'repeated' WHERE id = (SELECT min(id) FROM channel_news WHERE outcome = 'passed_on')"
    ),
    "i12_what_a_channel_paid_is_in_the_book": Plant("UPDATE payments SET ref = 'another' WHERE id = (SELECT max(id) FROM payments WHERE state = 'paid' AND ref IS NOT NULL)"),
    "i13_what_came_is_booked_once": Plant(
        "UPDATE ledger_transfers SET ref = ref || ':odd' WHERE id = (SELECT min(id) FROM ledger_transfers WHERE ref LIKE '%:received')"
    ),
    "i13_channels_owe_what_was_told": Plant("UPDATE channel_refunds SET state = 'manual', ended_at = NULL WHERE state = 'done'"),
    "i13_suspense_is_what_nobody_asked_for": Plant(
        "UPDATE channel_news SET amount_fen = amount_fen + 1 WHERE outcome = 'wrong_amount'"
    ),
    "i13_unapplied_is_late_money": Plant(
        _post(RICH, "SELECT 'customer:acc_x:unapplied'"), frozenset({"i17_no_money_is_stuck"})
    ),
    "i14_escrow_is_what_an_open_order_keeps": Plant(_post(RICH, f"SELECT 'order:' || {PAID} || ':escrow'")),
    "i15_versions_count_the_steps": Plant(f"UPDATE orders SET version = version + 1 WHERE id = {DONE}"),
    "i15_only_the_table_happens": Plant(f"UPDATE order_events SET verb = 'fly' WHERE order_id = {DONE} AND n = 3"),
    "i16_a_cancelled_or_unpaid_order_keeps_nothing": Plant(
        f"""UPDATE order_events SET to_status = 'in_pool' WHERE order_id = {PAID} AND verb = 'pay';
            UPDATE orders SET status = 'in_pool' WHERE id = {PAID}""",
        frozenset({"i15_only_the_table_happens"}),
    ),
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
    "i24_lines_sum_to_what_is_kept": Plant("UPDATE settlement_lines SET net_fen = net_fen + 1 WHERE party_kind = 'platform' AND reverses_id IS NULL"),
    "i24_pending_is_what_has_not_matured": Plant("UPDATE settlement_lines SET state = 'paid' WHERE state = 'accrued'"),
    "i24_whoever_decided_is_on_record": Plant("UPDATE order_events SET actor = 'staff:' WHERE actor LIKE 'staff:%'"),
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
    await db.run(actions.refund, done.order.id, "acc_fay", 5_000, "complaint")
    await street.run()
    await street.completed("wallet")
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
    assert set(PLANTS) == set(known)
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
