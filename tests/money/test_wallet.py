"""Wallets and escrows on a real database: who gets what, who hears of it, what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money import ledger, wallet
from storage.base import codec
from storage.base.money import allocate
from storage.postgres import Database
from storage.tx import Tx

ANN, ORDER = "acc_ann", "ord_1"
WORKER, REVENUE = ledger.worker_wallet("wrk_wu"), ledger.revenue("homeservice")


def yuan(fen: int) -> dict[str, Any]:
    return {"amount": fen, "currency": "CNY"}


async def told(tx: Tx) -> list[tuple[str, Any]]:
    rows = await tx.fetch("SELECT audience, body FROM outbox WHERE topic = 'wallet.changed' ORDER BY id")
    return [(row["audience"][0], codec.loads(row["body"])) for row in rows]


async def paid_order(db: Database, amount: int = 43_000) -> None:
    async with db.begin() as tx:
        await wallet.credit(tx, ANN, amount, "top", "gift")
        await wallet.pay(tx, ANN, ORDER, amount, "pay")


async def test_credit_pay_refund(db: Database) -> None:
    async with db.begin() as tx:
        await wallet.credit(tx, ANN, 500, "r1", "goodwill")
        await wallet.pay(tx, ANN, ORDER, 430, "r2")
        await wallet.refund(tx, ANN, ORDER, 30, "r3", reason="late")
        assert (await wallet.balance(tx, ANN), await wallet.held(tx, ORDER)) == (100, 400)
        lines = await wallet.entries(tx, ANN)
        assert [(line.kind, line.amount_fen, line.balance_after_fen, line.note) for line in lines] == [
            ("refund", 30, 100, "late"),
            ("pay", -430, 70, None),
            ("credit", 500, 500, "goodwill"),
        ]
        assert sum(line.amount_fen for line in lines) == await wallet.balance(tx, ANN)
        assert await ledger.verify(tx) == []


async def test_owners_hear_of_their_wallet_and_nobody_else_does(db: Database) -> None:
    await paid_order(db, 430)
    async with db.begin() as tx:
        await wallet.settle_order(tx, ORDER, [(WORKER, 270), (REVENUE, 160)])
    async with db.begin() as tx:
        facts = await told(tx)
    assert [(audience, fact["kind"], fact["amount"], fact["balance"]) for audience, fact in facts] == [
        ("customer:acc_ann", "credit", yuan(430), yuan(430)),
        ("customer:acc_ann", "pay", yuan(-430), yuan(0)),
        ("worker:wrk_wu", "settlement", yuan(270), yuan(270)),
    ]


async def test_a_repeat_tells_nothing(db: Database) -> None:
    for _ in range(3):
        async with db.begin() as tx:
            await wallet.credit(tx, ANN, 500, "r1", "goodwill")
    async with db.begin() as tx:
        assert await wallet.balance(tx, ANN) == 500
        assert len(await told(tx)) == 1


async def test_a_wallet_too_small_is_refused_and_nothing_is_taken(db: Database) -> None:
    """HS-151."""
    async with db.begin() as tx:
        await wallet.credit(tx, ANN, 99, "r1", "gift")
        with pytest.raises(ledger.InsufficientFunds) as refusal:
            await wallet.pay(tx, ANN, ORDER, 100, "r2")
        assert (await wallet.balance(tx, ANN), await wallet.held(tx, ORDER)) == (99, 0)
    assert (refusal.value.status, refusal.value.code) == (422, "insufficient_balance")


async def test_a_refund_cannot_exceed_what_is_held(db: Database) -> None:
    """HS-150; D7."""
    await paid_order(db, 430)
    async with db.begin() as tx:
        await wallet.refund(tx, ANN, ORDER, 400, "r1")
        with pytest.raises(wallet.RefundExceedsPaid) as refusal:
            await wallet.refund(tx, ANN, ORDER, 31, "r2")
        assert refusal.value.fields["remaining_refundable"] == {"amount": 30, "currency": "CNY"}
        await wallet.refund(tx, ANN, ORDER, 30, "r3")
        assert await wallet.balance(tx, ANN) == 430


@pytest.mark.parametrize("amount", [0, -5])
async def test_nothing_goes_backwards(db: Database, amount: int) -> None:
    await paid_order(db)
    async with db.begin() as tx:
        for attempt in (
            wallet.credit(tx, ANN, amount, "x", "gift"),
            wallet.pay(tx, ANN, ORDER, amount, "x"),
            wallet.refund(tx, ANN, ORDER, amount, "x"),
        ):
            with pytest.raises(ledger.BadTransfer):
                await attempt


@pytest.mark.parametrize(
    ("worker", "revenue"),
    [(27_000, 16_000), (45_000, -2_000), (43_000, 0)],
    ids=["plain", "platform pays in", "all to the worker"],
)
async def test_an_order_is_shared_out_exactly(db: Database, worker: int, revenue: int) -> None:
    """HS-153, HS-155."""
    await paid_order(db)
    async with db.begin() as tx:
        await wallet.settle_order(tx, ORDER, [(WORKER, worker), (REVENUE, revenue)])
        again = await wallet.settle_order(tx, ORDER, [(REVENUE, revenue), (WORKER, worker)])
        assert again is not None
        assert again.repeated
        assert await wallet.held(tx, ORDER) == 0
        assert await ledger.balance(tx, WORKER) == worker
        assert await ledger.balance(tx, REVENUE) == revenue


@pytest.mark.parametrize(
    "parts",
    [
        [(WORKER, 27_000), (REVENUE, 15_999)],
        [(WORKER, 27_000), (REVENUE, 16_001)],
        [(WORKER, 0), (REVENUE, 0)],
        [(WORKER, 100), (REVENUE, -100)],
        [],
    ],
)
async def test_parts_that_are_not_the_whole_are_refused(db: Database, parts: list[tuple[str, int]]) -> None:
    await paid_order(db)
    with pytest.raises(wallet.SplitMismatch):
        async with db.begin() as tx:
            await wallet.settle_order(tx, ORDER, parts)
    async with db.begin() as tx:
        assert await wallet.held(tx, ORDER) == 43_000
        assert await ledger.balance(tx, WORKER) == 0


async def test_an_order_is_not_shared_out_twice_in_different_parts(db: Database) -> None:
    await paid_order(db)
    async with db.begin() as tx:
        await wallet.settle_order(tx, ORDER, [(WORKER, 27_000), (REVENUE, 16_000)])
        with pytest.raises(ledger.RefReused):
            await wallet.settle_order(tx, ORDER, [(WORKER, 28_000), (REVENUE, 15_000)])


async def test_an_order_refunded_in_full_has_nothing_to_share(db: Database) -> None:
    await paid_order(db, 430)
    async with db.begin() as tx:
        await wallet.refund(tx, ANN, ORDER, 430, "r1")
        assert await wallet.settle_order(tx, ORDER, [(WORKER, 0)]) is None


@given(total=st.integers(1, 10**9), weights=st.lists(st.integers(0, 10_000), min_size=1, max_size=5))
async def test_any_split_leaves_escrow_at_zero(db: Database, clean: Any, total: int, weights: list[int]) -> None:
    """I7, I14."""
    if sum(weights) == 0:
        weights[0] = 1
    await clean()
    await paid_order(db, total)
    parts = zip((ledger.worker_wallet(f"wrk_{n}") for n in range(5)), allocate(total, weights), strict=False)
    async with db.begin() as tx:
        await wallet.settle_order(tx, ORDER, list(parts))
        assert await wallet.held(tx, ORDER) == 0
        assert await ledger.verify(tx) == []


async def test_concurrent_refunds_never_give_back_more_than_was_paid(db: Database) -> None:
    """D3: partial refunds at once lose an update elsewhere."""
    await paid_order(db, 1000)

    async def give_back(n: int) -> bool:
        try:
            async with db.begin() as tx:
                await wallet.refund(tx, ANN, ORDER, 130, f"r{n}")
        except wallet.RefundExceedsPaid:
            return False
        return True

    outcomes = await asyncio.gather(*(give_back(n) for n in range(16)))
    async with db.begin() as tx:
        assert outcomes.count(True) == 7
        assert await wallet.balance(tx, ANN) == 910
        assert await wallet.held(tx, ORDER) == 90
        assert await ledger.verify(tx) == []
