"""`run.py ledger verify`: what it says and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from rest.money import ledger, payments
from rest.money.payments import audit as payments_audit
from rest.trade.orders import audit as orders_audit
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.live import ROOT
from tests.money.book import NAMES, moves

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
async def book(book_url: str, clock: ManualClock) -> AsyncIterator[Database]:
    database = await Database.connect(book_url, clock=clock, pool_size=2)
    async with database.begin() as tx:
        await ledger.post(tx, ref="t", kind="topup", entries=moves("top-1000 ann+1000"))
        await ledger.post(tx, ref="p", kind="fee", entries=moves("ann-30 rev+30"))
    yield database
    await database.close()


@pytest.fixture
def verify(book_url: str, redis_url: str, tmp_path: Path) -> Run:
    env = os.environ | {
        "FIELDHUB_DATABASE_URL": book_url, "FIELDHUB_REDIS_URL": redis_url, "FIELDHUB_DATA_DIR": str(tmp_path),
    }  # fmt: skip

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "run.py"), "ledger", "verify", *options]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)

    return run


async def test_a_right_book_ends_with_nought(book: Database, verify: Run) -> None:
    done = verify()
    assert (done.returncode, done.stdout) == (0, "3 accounts, 2 transfers, 4 entries, 0 checkpoints: all is right\n")


async def test_a_wrong_book_ends_with_one_and_says_what_is_wrong(book: Database, verify: Run) -> None:
    async with book.begin() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute("UPDATE ledger_entries SET amount_fen = 31 WHERE amount_fen = 30")
    done, as_json = verify(), verify("--json")
    said = json.loads(as_json.stdout)
    assert (done.returncode, as_json.returncode) == (1, 1)
    assert done.stdout.splitlines()[-1].endswith(f": {len(said['faults'])} faults")
    assert said["right"] is False
    assert said["entries"] == 4
    assert any("sums to 1 CNY" in fault for fault in said["faults"])


async def test_json_of_a_right_book(book: Database, verify: Run) -> None:
    done = verify("--json")
    assert json.loads(done.stdout) == {
        "right": True, "accounts": 3, "transfers": 2, "entries": 4, "checkpoints": 0, "faults": [],
    }  # fmt: skip
    assert done.returncode == 0


async def test_money_of_no_order_is_found(book: Database) -> None:
    async with book.begin() as tx:
        assert await orders_audit.verify(tx) == []
        await ledger.post(tx, ref="x", kind="pay", order_id="ord_1", entries=moves("ann-5 o1+5"))
        assert await orders_audit.verify(tx) == ["order ord_1: does not exist, its escrow holds 5"]


async def attempt(book: Database, epoch: int = 1) -> payments.Payment:
    async with book.begin() as tx:
        return await payments.open_payment(tx, order_id="ord_1", account_id="acc_ann", amount_fen=40, lock_epoch=epoch)


async def test_payments_and_their_bookings_agree_in_every_state(book: Database) -> None:
    payment = await attempt(book)
    async with book.begin() as tx:
        assert await payments_audit.verify(tx) == []
        await payments.receive(tx, payment.id, lock_epoch=7)
        assert await ledger.balance(tx, NAMES["late"]) == 40
        assert await payments_audit.verify(tx) == []
        await payments.return_late(tx, payment.id)
        assert await payments_audit.verify(tx) == []


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        ("UPDATE payments SET state = 'failed', paid_at = NULL", "is failed, booked 1 times"),
        ("UPDATE payments SET amount_fen = 41", "40 of 41 fen"),
        ("UPDATE ledger_transfers SET ref = 'x' WHERE ref LIKE '%:received'", "booked 0 times"),
        ("UPDATE payments SET state = 'paid'", "late payments of its owner are 0"),
    ],
)
async def test_payments_that_differ_from_their_bookings_are_found(book: Database, tamper: str, found: str) -> None:
    payment = await attempt(book)
    async with book.begin() as tx:
        await payments.receive(tx, payment.id, lock_epoch=7)
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(tamper)
        assert any(found in fault for fault in await payments_audit.verify(tx)), await payments_audit.verify(tx)
