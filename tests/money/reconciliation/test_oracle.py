"""Three days of payments and refunds with seeded differences of every class: all are found, and nothing else (I23, G9).

The generator knows what it made, so it knows what must be found. Money is booked a little before or after midnight too,
on either side of the bill's day, which is no difference at all but for its date.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from rest.money import ledger
from rest.money.channels import suspense_store
from rest.money.channels.bills import BillLine
from rest.money.channels.suspense_model import ItemState
from rest.money.reconciliation import actions, matching, store
from rest.money.reconciliation.model import Run, RunKind, fee_of
from storage.base.clock import ManualClock, business_day, day_begins
from storage.postgres import Database
from tests.conftest import MONDAY

DAYS = [business_day(MONDAY) + timedelta(days=n) for n in range(1, 4)]
BPS = 60
US, THEM = "1900000001", "1900000999"
CHANNEL = "wechat"
FAULTS = ["missing", "extra", "amount", "fee", "status", "date", "duplicate", "wrong_merchant"]


@dataclass
class World:
    """What was made: bookings by their instant, bills by day, and what must be found of each day."""

    rng: random.Random
    bookings: list[tuple[datetime, Any]] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    bills: dict[date, list[BillLine]] = field(default_factory=lambda: {day: [] for day in DAYS})
    expected: Counter[tuple[date, str, str, str, str]] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    n: int = 0

    def expect(self, day: date, kind: str, state: str, line: str, key: str) -> None:
        self.expected[day, kind, state, line, key] += 1

    def add(self, fault: str | None) -> None:
        """One payment, refund or parked trade, with this fault or none."""
        self.n += 1
        self.made[fault or "none"] += 1
        # What is parked has no state of its own that could differ.
        what = self.rng.choice(["payment", "payment", "refund", "refund" if fault == "status" else "parked"])
        line_kind = "refund" if what == "refund" else "payment"
        number = {"payment": f"pay_{self.n}", "refund": f"rfd_{self.n}", "parked": f"nobody_{self.n}"}[what]
        key = number if what == "refund" else f"4200{self.n:06}"
        day = self.rng.choice(DAYS)
        amount = self.rng.choice([1, 83, 84, 40_900, self.rng.randint(1, 10**7)])
        booked_at = day_begins(day) + timedelta(seconds=self.rng.randint(3_600, 80_000))
        billed_at = booked_at - timedelta(seconds=self.rng.randint(0, 60))
        fee = fee_of(amount, BPS) * (-1 if what == "refund" else 1)
        line = BillLine(
            line_kind, number if what != "refund" else f"pay_of_{self.n}", number if what == "refund" else "",
            f"4200{self.n:06}", amount, fee, billed_at, "done", US,
        )  # fmt: skip
        if fault is None and self.rng.random() < 0.3:
            booked_at, line = self.cross(day, line, line_kind, key)
        self.spoil(fault, what, line, booked_at, day, key)

    def cross(self, day: date, line: BillLine, line_kind: str, key: str) -> tuple[datetime, BillLine]:
        """Around the midnight after this day: booked after it, or before it by a clock that is slow."""
        midnight = day_begins(day + timedelta(days=1))
        before = midnight - timedelta(seconds=self.rng.randint(1, 500))
        after = midnight + timedelta(seconds=self.rng.randint(0, 500))
        if day == DAYS[-1]:
            return before, line._replace(at=before)
        is_late = self.rng.random() < 0.5
        for one in (day, day + timedelta(days=1)):
            self.expect(one, "date", "resolved", line_kind, key)
        return (after, line._replace(at=before)) if is_late else (before, line._replace(at=after))

    def spoil(  # noqa: PLR0917 - one item in its parts
        self, fault: str | None, what: str, line: BillLine, booked_at: datetime, day: date, key: str
    ) -> None:
        kind = "refund" if what == "refund" else "payment"
        is_booked, state = True, "done" if what == "refund" else "paid"
        lines = [line]
        match fault:
            case "missing":
                is_booked, state = False, ""
            case "extra":
                lines = []
            case "amount":
                changed = line.amount_fen + self.rng.choice([1, 100, 10**6])
                sign = -1 if what == "refund" else 1
                lines = [line._replace(amount_fen=changed, fee_fen=sign * fee_of(changed, BPS))]
            case "fee":
                lines = [line._replace(fee_fen=line.fee_fen + self.rng.choice([-7, 2, 7]))]
            case "status" if what == "refund" and self.rng.random() < 0.5:
                lines = [line._replace(state="failed")]
            case "status":
                is_booked, state = False, "accepted" if what == "refund" else "ready"
            case "date":
                other = DAYS[2] if day == DAYS[0] else DAYS[0]
                lines = [line._replace(at=day_begins(other) + timedelta(hours=12))]
            case "duplicate":
                lines = [line, line]
            case "wrong_merchant":
                lines = [line._replace(merchant=THEM)]
        self.keep(what, line, booked_at if is_booked else None, state)
        for one in lines:
            self.bills.setdefault(business_day(one.at), []).append(one)
        self.foresee(fault, kind, key, lines, day)

    def foresee(self, fault: str | None, kind: str, key: str, lines: list[BillLine], day: date) -> None:
        match fault:
            case None:
                return
            case "amount" | "fee":
                self.expect(day, fault, "resolved", kind, key)
            case "date" if abs((business_day(lines[0].at) - day).days) == 1:
                billed_on = business_day(lines[0].at)
                self.expect(billed_on, "date", "resolved", kind, key)
                self.expect(day, "date" if billed_on < day else "extra", "resolved", kind, key)
            case "date":
                billed_on = business_day(lines[0].at)
                self.expect(billed_on, "date", "open", kind, key)
                # A bill of an earlier day is there to be seen; the one of a later day ends what was missed.
                self.expect(day, "date" if billed_on < day else "extra", "resolved", kind, key)
            case _:
                self.expect(day, fault, "open", kind, key)

    def keep(self, what: str, line: BillLine, booked_at: datetime | None, state: str) -> None:
        if state and what == "payment":
            self.records.append(("payment", line, state))
        if state and what == "refund":
            self.records.append(("refund", line, state))
        if booked_at is not None:
            self.bookings.append((booked_at, (what, line)))


def make(seed: int) -> World:
    world = World(random.Random(seed))
    for fault in [*FAULTS * 2, *[None] * 40]:
        world.add(fault)
    for lines in world.bills.values():
        world.rng.shuffle(lines)
    return world


async def write(db: Database, clock: ManualClock, world: World) -> None:
    """Records, and the book in the order of its instants."""
    async with db.begin() as tx:
        for what, line, state in world.records:
            if what == "payment":
                await tx.execute(
                    """
                    INSERT INTO payments (id, order_id, account_id, method, amount_fen, state, lock_epoch, created_at)
                    VALUES ($1, $1, 'acc_1', 'wechat', $2, 'closed', 1, $3)
                    """, line.out_trade_no, line.amount_fen, tx.now,
                )  # fmt: skip
                await tx.execute(
                    """
                    INSERT INTO channel_attempts (payment_id, order_id, account_id, channel, amount_fen, state,
                                                  description, expires_at, trade_no, created_at)
                    VALUES ($1, $1, 'acc_1', 'wechat', $2, $3, 'x', $4, $5, $4)
                    """, line.out_trade_no, line.amount_fen, state, tx.now, line.trade_no if state == "paid" else None,
                )  # fmt: skip
            else:
                await tx.execute(
                    """
                    INSERT INTO channel_refunds (id, trade_no, channel, ref, amount_fen, total_fen, reason, state,
                                                 requested_at, ended_at)
                    VALUES ($1, $2, 'wechat', $1, $3, $3, 'x', $4, $5, $6)
                    """, line.out_refund_no, line.trade_no, line.amount_fen, state, tx.now,
                    tx.now if state == "done" else None,
                )  # fmt: skip
    clearing = ledger.clearing(CHANNEL)
    for at, (what, line) in sorted(world.bookings, key=lambda booking: booking[0]):
        clock.advance(seconds=(at - clock.now()).total_seconds())
        ref, kind, other = {
            "payment": (f"{line.out_trade_no}:received", "pay", ledger.escrow("o")),
            "refund": (f"{line.out_refund_no}:done", "refund_done", ledger.refunding(CHANNEL)),
            "parked": (f"{CHANNEL}:{line.trade_no}:suspense", "suspense", ledger.suspense(CHANNEL)),
        }[what]
        sign = 1 if what == "refund" else -1
        async with db.begin() as tx:
            await ledger.post(
                tx, ref=ref, kind=kind, entries=[(clearing, sign * line.amount_fen), (other, -sign * line.amount_fen)]
            )


async def compare_days(db: Database, clock: ManualClock, world: World) -> list[Run]:
    clock.advance(seconds=(day_begins(DAYS[-1] + timedelta(days=1, hours=10)) - clock.now()).total_seconds())
    ended = []
    for day in DAYS:
        run = await db.run(actions.start, RunKind.DAILY, CHANNEL, day)
        await db.run(matching.copy_bill, run, world.bills[day], first_n=1, merchant=US)
        done = await db.run(actions.compare, run.id, BPS)
        assert done is not None
        ended.append(done)
    return ended


async def found_in(db: Database) -> Counter[tuple[date, str, str, str, str]]:
    async with db.begin() as tx:
        rows = await tx.fetch(
            """
            SELECT r.period_on, d.class, d.state, d.line_kind, d.key
              FROM reconciliation_differences AS d JOIN reconciliations AS r ON r.id = d.reconciliation_id
            """
        )
    return Counter(tuple(row) for row in rows)


@pytest.mark.parametrize("seed", range(12))
async def test_all_that_was_seeded_is_found_and_nothing_else(db: Database, clock: ManualClock, seed: int) -> None:
    world = make(seed)
    await write(db, clock, world)
    runs = await compare_days(db, clock, world)
    assert set(FAULTS) <= set(world.made)
    assert await found_in(db) == world.expected
    assert [run.sums.unexplained_fen for run in runs] == [0, 0, 0]
    async with db.begin() as tx:
        assert await ledger.verify(tx) == []
        # Fees as the bills tell them, each line's once; parked money is in the list.
        once = {(line.kind, line.out_refund_no or line.trade_no): line for day in DAYS for line in world.bills[day]
                if line.state == "done" and line.merchant == US}  # fmt: skip
        fees = sum(line.fee_fen for line in once.values())
        assert await ledger.balance(tx, ledger.channel_fee(CHANNEL)) == -fees
        parked = await suspense_store.page(tx, before_id="~", limit=100, channel=CHANNEL, state=ItemState.OPEN)
        assert Counter(item.cause.value for item in parked)["bill"] == world.made["amount"]


@pytest.mark.parametrize("seed", [0, 1])
async def test_comparing_everything_again_finds_the_same(db: Database, clock: ManualClock, seed: int) -> None:
    """What was put right stays so; what was open is found again; nothing is booked a second time."""
    world = make(seed)
    await write(db, clock, world)
    for run in await compare_days(db, clock, world):
        await db.run(actions.start_again, run.id, by="acc_fay", reason="x")
    before = await size(db)
    for day in DAYS:
        async with db.begin() as tx:
            again = await store.run_of(tx, RunKind.DAILY, CHANNEL, day)
        assert again is not None
        done = await db.run(actions.compare, again.id, BPS)
        assert done is not None
        assert done.sums.unexplained_fen == 0
    assert await size(db) == before
    opened = {one for one in world.expected if one[2] == "open"}
    assert opened <= set(await found_in(db))


async def size(db: Database) -> int:
    async with db.begin() as tx:
        return int((await ledger.size(tx))["transfers"])
