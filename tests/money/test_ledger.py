"""Posting on a real database: answers, immutability, proofs that can fail, races."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from rest.money import ledger
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.money.book import NAMES, moves
from tests.money.test_ledger_tables import attempt

ANN, O1 = NAMES["ann"], NAMES["o1"]


async def fund(db: Database, amount: int, name: str = "ann") -> None:
    async with db.begin() as tx:
        await ledger.post(tx, ref=f"fund:{name}", kind="topup", entries=moves(f"top-{amount} {name}+{amount}"))


async def cover(db: Database) -> None:
    """A checkpoint over all there is, as small as it may be."""
    async with db.begin() as tx:
        await tx.execute(
            "CREATE OR REPLACE FUNCTION ledger_step() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 1::bigint'"
        )
        for row in await tx.fetch("SELECT id FROM ledger_accounts WHERE floor_fen IS NULL"):
            assert await tx.fetchval("SELECT ledger_checkpoint($1, (SELECT last_value FROM ledger_places))", row[0])
        await tx.execute(
            "CREATE OR REPLACE FUNCTION ledger_step() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 5000::bigint'"
        )


async def warm(db: Database, count: int) -> None:
    """Open connections beforehand: racers that still connect arrive one after another."""
    barrier = asyncio.Barrier(count)

    async def hold() -> None:
        async with db.begin():
            await barrier.wait()

    await asyncio.gather(*(hold() for _ in range(count)))


async def balances(db: Database, *names: str) -> list[int]:
    async with db.begin() as tx:
        return [await ledger.balance(tx, NAMES[name]) for name in names]


async def faults(db: Database) -> list[str]:
    async with db.begin() as tx:
        return await ledger.verify(tx)


async def test_a_transfer_says_what_it_did(db: Database, clock: ManualClock) -> None:
    await fund(db, 500)
    async with db.begin() as tx:
        first = await ledger.post(tx, ref="p1", kind="pay", order_id="ord_1", entries=moves("ann-200 o1+120 rev+80"))
    clock.advance(hours=1)
    async with db.begin() as tx:
        again = await ledger.post(tx, ref="p1", kind="pay", order_id="ord_1", entries=moves("rev+80 o1+120 ann-200"))
    assert first.entries == (
        ledger.Entry(ANN, -200, 300),
        ledger.Entry(O1, 120, 120),
        ledger.Entry(NAMES["rev"], 80, None),
    )
    assert (first.balance_after(ANN), first.balance_after(O1)) == (300, 120)
    with pytest.raises(KeyError):
        first.balance_after(NAMES["rev"])
    assert (again.id, again.at, again.entries) == (first.id, first.at, first.entries)
    assert again.repeated
    assert not first.repeated


async def test_the_order_is_part_of_what_a_reference_means(db: Database) -> None:
    await fund(db, 500)
    async with db.begin() as tx:
        await ledger.post(tx, ref="p1", kind="pay", order_id="ord_1", entries=moves("ann-5 rev+5"))
        for other in ("ord_2", None):
            with pytest.raises(ledger.RefReused):
                await ledger.post(tx, ref="p1", kind="pay", order_id=other, entries=moves("ann-5 rev+5"))


async def test_a_refusal_leaves_the_transaction_usable(db: Database) -> None:
    async with db.begin() as tx:
        with pytest.raises(ledger.InsufficientFunds) as refusal:
            await ledger.post(tx, ref="p1", kind="pay", entries=moves("ann-5 o1+5"))
        await ledger.post(tx, ref="f1", kind="topup", entries=moves("top-7 ann+7"))
    assert refusal.value.as_dict()["code"] == "insufficient_balance"
    assert refusal.value.as_dict()["available"] == {"amount": 0, "currency": "CNY"}
    assert await balances(db, "ann", "o1") == [7, 0]


async def test_a_rolled_back_transaction_moves_nothing(db: Database) -> None:
    await fund(db, 10)
    with pytest.raises(RuntimeError):
        async with db.begin() as tx:
            await ledger.post(tx, ref="p1", kind="pay", entries=moves("ann-10 o1+10"))
            raise RuntimeError
    assert await balances(db, "ann", "o1") == [10, 0]
    assert await faults(db) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_entries SET amount_fen = amount_fen + 1",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_transfers SET ref = 'x'",
        "DELETE FROM ledger_transfers",
        "UPDATE ledger_checkpoints SET balance_fen = 0",
        "DELETE FROM ledger_checkpoints",
    ],
)
async def test_what_is_posted_never_changes(db: Database, sql: str) -> None:
    await fund(db, 10)
    await cover(db)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never change"):
        async with db.begin() as tx:
            await tx.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO ledger_transfers (id, ref, kind, at) VALUES ('trf_x', 'x', 'gift', now())",
        "INSERT INTO ledger_entries SELECT transfer_id, 9, account_id, 5, 15, 2, 2, at FROM ledger_entries WHERE n = 2",
        "UPDATE ledger_accounts SET balance_fen = balance_fen + 1",
        "UPDATE ledger_accounts SET may_overdraw = true",
        "DELETE FROM ledger_accounts",
        "INSERT INTO ledger_checkpoints SELECT account_id, 9, 10, 5, 5, now(), now() FROM ledger_entries LIMIT 1",
        "TRUNCATE ledger_entries",
        "TRUNCATE ledger_checkpoints",
    ],
)
async def test_nobody_writes_but_the_posting_function(db: Database, sql: str) -> None:
    await fund(db, 10)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only ledger_post writes"):
        async with db.begin() as tx:
            await tx.execute(sql)


async def test_a_function_that_looks_like_another_does_not_write(db: Database) -> None:
    """The caller's own functions do not count, whatever they run."""
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only ledger_post writes"):
        async with db.begin() as tx:
            await tx.execute(
                "DO $$ BEGIN INSERT INTO ledger_transfers (id, ref, kind, at) VALUES ('trf_x', 'x', 'y', now()); END $$"
            )


async def test_the_database_refuses_a_balance_below_the_floor(db: Database) -> None:
    await fund(db, 10)
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.begin() as tx:
            await tx.execute("SET LOCAL session_replication_role = replica")
            await tx.execute("UPDATE ledger_accounts SET balance_fen = -1 WHERE code = $1", ANN)


@pytest.mark.parametrize(
    ("codes", "amounts"),
    [([ANN, "platform:topup"], [5, -4]), ([ANN, ANN], [5, -5]), ([ANN], [5]), ([ANN, "platform:points"], [5, -5])],
    ids=["not zero", "named twice", "alone", "two units"],
)
async def test_the_database_function_trusts_nobody(db: Database, codes: list[str], amounts: list[int]) -> None:
    width = len(codes)
    units = ["PTS" if code.endswith("points") else "CNY" for code in codes]
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.begin() as tx:
            await tx.fetch(
                "SELECT * FROM ledger_post('trf_x', 'r', 'k', NULL, now(), NULL, NULL, false, $1::text[],"
                " $2::bigint[], $3::text[], $4::text[], $4::text[], $5::text[], $6::bigint[], $7::boolean[])",
                codes, amounts, [f"lac_{n}" for n in range(width)], ["k"] * width, units,
                [0] * width, [False] * width,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        ("UPDATE ledger_entries SET amount_fen = amount_fen + 1 WHERE n = 1", "sums to"),
        ("UPDATE ledger_entries SET balance_after_fen = 99 WHERE account_version = 1", "says 99"),
        ("UPDATE ledger_entries SET account_version = 7, place = 7 WHERE account_version = 1", "in place"),
        (
            "UPDATE ledger_accounts SET balance_fen = balance_fen + 1 WHERE code LIKE '%:wallet'",
            "entries sum to",
        ),
        ("UPDATE ledger_accounts SET version = version + 1 WHERE code LIKE '%:wallet'", "version"),
        ("DELETE FROM ledger_entries WHERE n = 2", "has 1 entries"),
        ("DELETE FROM ledger_accounts WHERE code = 'platform:topup'", "names no account"),
        (
            "UPDATE ledger_accounts SET may_overdraw = true WHERE code LIKE '%:wallet'",
            "its code says otherwise",
        ),
        ("UPDATE ledger_accounts SET code = 'x' WHERE code LIKE '%:wallet'", "its code says otherwise"),
        (
            "UPDATE ledger_entries SET account_version = place, balance_after_fen = -10 WHERE amount_fen < 0",
            "append-only",
        ),
        ("UPDATE ledger_entries SET amount_fen = amount_fen + 1 WHERE n = 1", "all balances together are 1 CNY"),
        ("UPDATE ledger_entries SET at = at + interval '1 day' WHERE n = 1", "the transfer of"),
        ("UPDATE ledger_entries SET balance_after_fen = -3 WHERE amount_fen > 0", "left -3, below the floor"),
        ("DELETE FROM ledger_transfers", "does not exist and has entry"),
        ("UPDATE ledger_checkpoints SET balance_fen = balance_fen + 1", "entries sum to -10"),
        ("UPDATE ledger_checkpoints SET sum_fen = sum_fen + 1", "they do to -10"),
        ("UPDATE ledger_checkpoints SET first_at = first_at - interval '1 s'", "entries are of"),
        ("UPDATE ledger_checkpoints SET last_at = last_at + interval '1 s'", "entries are of"),
        ("UPDATE ledger_checkpoints SET from_place = upto_place - 1 WHERE upto_place > 1", "begins at"),
        ("UPDATE ledger_checkpoints SET account_id = 'lac_x'", "has a checkpoint and does not exist"),
    ],
)
async def test_verify_finds_a_book_that_was_tampered_with(db: Database, tamper: str, found: str) -> None:
    await fund(db, 10)
    await cover(db)
    assert await faults(db) == []
    async with db.begin() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(tamper)
    assert any(found in fault for fault in await faults(db)), await faults(db)


async def test_entries_are_listed_newest_first_in_pages(db: Database) -> None:
    await fund(db, 100)
    for n in range(5):
        async with db.begin() as tx:
            await ledger.post(tx, ref=f"p{n}", kind="pay", entries=moves("ann-10 o1+10"), note=f"n{n}")
    async with db.begin() as tx:
        first = await ledger.entries(tx, ANN, limit=4)
        rest = await ledger.entries(tx, ANN, limit=4, before_version=first[-1].version)
    assert [(line.version, line.balance_after_fen, line.note) for line in first + rest] == [
        (6, 50, "n4"), (5, 60, "n3"), (4, 70, "n2"), (3, 80, "n1"), (2, 90, "n0"), (1, 100, None),
    ]  # fmt: skip


async def test_many_spenders_of_one_wallet_spend_exactly_what_is_there(db: Database) -> None:
    """D4: a running balance read before the lock loses money; N tasks on N connections must not."""
    await fund(db, 1000)

    async def spend(n: int) -> str:
        async with db.begin() as tx:
            return await attempt(tx, f"s{n}", "pay", f"ann-{70 + n % 3} o{1 + n % 2}+{70 + n % 3}")

    await warm(db, 24)
    outcomes = await asyncio.gather(*(spend(n) for n in range(24)))
    ann, o1, o2 = await balances(db, "ann", "o1", "o2")
    spent = sum(70 + n % 3 for n, outcome in enumerate(outcomes) if outcome == "posted")
    assert set(outcomes) == {"posted", "short:ann"}
    assert (ann, o1 + o2) == (1000 - spent, spent)
    assert 0 <= ann < 72
    assert await faults(db) == []


@pytest.mark.parametrize("entries", ["ann-10 o1+10", "rev-10 wx+10"], ids=["locked", "append-only"])
async def test_one_reference_raced_moves_value_once(db: Database, entries: str) -> None:
    await fund(db, 1000)
    await fund_system_accounts(db)

    async def post() -> str:
        async with db.begin() as tx:
            return await attempt(tx, "same", "pay", entries)

    await warm(db, 16)
    outcomes = await asyncio.gather(*(post() for _ in range(16)))
    assert sorted(outcomes) == ["posted"] + ["repeated"] * 15
    assert await faults(db) == []


async def test_one_reference_raced_over_different_accounts_has_one_winner(db: Database) -> None:
    await fund_system_accounts(db)

    async def post(n: int) -> str:
        async with db.begin() as tx:
            return await attempt(tx, "same", "fee", f"rev-{n} wx+{n}")

    await warm(db, 12)
    outcomes = await asyncio.gather(*(post(n) for n in range(1, 13)))
    assert sorted(outcomes) == ["posted"] + ["ref_reused"] * 11
    assert await faults(db) == []


@pytest.mark.parametrize(("fee", "outcome"), [(5, "repeated"), (6, "ref_reused")])
async def test_a_reference_still_being_posted_is_waited_for(db: Database, fee: int, outcome: str) -> None:
    await fund_system_accounts(db)

    async def second() -> str:
        async with db.begin() as tx:
            return await attempt(tx, "same", "fee", f"rev-{fee} wx+{fee}")

    async with db.begin() as tx:
        assert await attempt(tx, "same", "fee", "rev-5 wx+5") == "posted"
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.1)
        assert not waiting.done()
    assert await waiting == outcome
    assert await balances(db, "wx") == [6]


async def fund_system_accounts(db: Database) -> None:
    """Make them exist, so that creating them does not put racers in a row."""
    async with db.begin() as tx:
        await ledger.post(tx, ref="exist", kind="fee", entries=moves("rev-1 wx+1"))


async def test_creating_the_same_accounts_at_once_never_deadlocks(db: Database) -> None:
    """Racers meet on accounts nobody has used, each naming them in its own order."""
    dice = random.Random(11)

    async def post(n: int, names: list[str]) -> None:
        dice.shuffle(names)
        async with db.begin() as tx:
            entries = [(code, 1) for code in names] + [("platform:topup", -len(names))]
            await ledger.post(tx, ref=f"{names[0]}:{n}", kind="mix", entries=entries)

    await warm(db, 6)
    for lap in range(5):
        names = [f"customer:lap{lap}_{n}:wallet" for n in range(150)]  # many, so that racers overlap for sure
        await asyncio.gather(*(post(n, list(names)) for n in range(6)))
    assert await faults(db) == []


async def test_transfers_in_every_direction_never_deadlock(db: Database) -> None:
    """Accounts are new, named in random order and crossed; a deadlock would fail: no retries here."""
    dice = random.Random(7)
    names = [f"customer:acc_{n}:wallet" for n in range(6)] + [f"order:ord_{n}:escrow" for n in range(6)]

    async def post(n: int) -> None:
        payer, *others = dice.sample(names, 4)
        entries = [(code, dice.randint(1, 9)) for code in others]
        entries.append(("platform:topup", -sum(amount for _, amount in entries) - 1))
        entries.append((payer, 1))
        dice.shuffle(entries)
        async with db.begin() as tx:
            await ledger.post(tx, ref=f"r{n}", kind="mix", entries=entries)

    await warm(db, 24)
    await asyncio.gather(*(post(n) for n in range(200)))
    assert await faults(db) == []


async def test_a_platform_account_is_never_waited_for(db: Database) -> None:
    """Two open transactions write to one append-only account at the same time, once it exists."""
    await fund(db, 10)
    await fund(db, 10, "ben")
    await fund(db, 10, "rev")
    async with db.begin() as first, db.begin() as second:
        await second.execute("SET LOCAL lock_timeout = '1s'")
        assert await attempt(first, "a", "fee", "ann-5 rev+5") == "posted"
        assert await attempt(second, "b", "fee", "ben-5 rev+5") == "posted"
    assert await balances(db, "rev") == [20]
