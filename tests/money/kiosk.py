"""A kiosk: the smallest line there can be, with rows in a table, for what the cashier does for lines it does not
know."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from rest.money import payments
from rest.money.cashier import Due
from rest.money.channels.facts import MoneyCame, MoneyRefused
from rest.money.payments import Ask, PayPolicy, Tender
from storage.base.errors import HubError, NotFound
from storage.jobs import Subscriber
from storage.postgres import Database
from storage.tx import Tx

TABLE = """
    CREATE TABLE IF NOT EXISTS test_kiosk (
        id text PRIMARY KEY, account_id text NOT NULL, price_fen bigint NOT NULL, status text NOT NULL,
        epoch bigint NOT NULL DEFAULT 1, pay_by timestamptz)
"""
POLICY = PayPolicy(version=1, tenders=(Tender.WALLET, Tender.OFFLINE), methods_max=2, uses_up=True)
WINDOW = timedelta(minutes=15)
KINDS_TIMER = "kiosk.close"


async def open_kiosk(db: Database) -> None:
    async with db.pool.acquire() as connection:
        await connection.execute(TABLE)
        await connection.execute("DELETE FROM test_kiosk")


async def sell(tx: Tx, account_id: str, price_fen: int) -> str:
    """Something to be paid for within 15 minutes; its id."""
    one = tx.new_id("kio")
    sql = "INSERT INTO test_kiosk (id, account_id, price_fen, status, pay_by) VALUES ($1, $2, $3, 'unpaid', $4)"
    await tx.execute(sql, one, account_id, price_fen, tx.now + WINDOW)
    _start_timer(tx, one)
    return one


def _start_timer(tx: Tx, one: str) -> None:
    tx.schedule(KINDS_TIMER, f"{one}:close", tx.now + WINDOW, {"id": one})


async def close(tx: Tx, payload: dict[str, Any]) -> None:
    await tx.execute("UPDATE test_kiosk SET status = 'closed' WHERE id = $1 AND status = 'unpaid'", payload["id"])
    await payments.close_open(tx, payload["id"], "expired")


class Kiosk:
    """What the cashier asks of it."""

    line = "kiosk"
    refusals: tuple[type[HubError], ...] = ()

    async def due(self, tx: Tx, order_id: str) -> Due | None:
        row = await tx.fetchrow("SELECT account_id, price_fen, status, pay_by FROM test_kiosk WHERE id = $1", order_id)
        if row is None:
            return None
        return Due(
            order_id=order_id, line=self.line, account_id=row["account_id"], payable_fen=row["price_fen"],
            is_payable=row["status"] == "unpaid", pay_by=row["pay_by"], policy=POLICY,
        )  # fmt: skip

    async def pay(
        self,
        tx: Tx,
        order_id: str,
        account_id: str,
        asked: Sequence[Ask],
        *,
        payer: str | None,
        open_channels: Collection[str],
        shown: str | None,
    ) -> None:
        row = await self._row(tx, order_id, account_id)
        purse = await payments.purse(tx, account_id, order_id=order_id)
        parts = POLICY.plan(row["price_fen"], asked, purse, open_channels)
        opened = await payments.open_payment(
            tx, order_id=order_id, account_id=account_id, amount_fen=row["price_fen"], lock_epoch=row["epoch"],
            parts=parts, policy=POLICY,
        )  # fmt: skip
        if opened.channel_part is None:
            await payments.settle_paid(tx, opened)
            await _set(tx, order_id, "paid")

    async def lock(self, tx: Tx, order_id: str, account_id: str) -> None:
        await self._row(tx, order_id, account_id)

    async def await_review(self, tx: Tx, order_id: str) -> None:
        tx.unschedule(f"{order_id}:close")
        await _set(tx, order_id, "transfer_review")

    async def _row(self, tx: Tx, order_id: str, account_id: str) -> Any:
        sql = "SELECT price_fen, status, epoch FROM test_kiosk WHERE id = $1 AND account_id = $2 FOR UPDATE"
        row = await tx.fetchrow(sql, order_id, account_id)
        if row is None:
            raise NotFound
        return row


async def _set(tx: Tx, order_id: str, status: str) -> None:
    await tx.execute("UPDATE test_kiosk SET status = $2 WHERE id = $1", order_id, status)


async def money_came(tx: Tx, fact: dict[str, Any]) -> None:
    row = await tx.fetchrow("SELECT status, epoch FROM test_kiosk WHERE id = $1 FOR UPDATE", fact["order_id"])
    waits = row["epoch"] if row["status"] in {"unpaid", "transfer_review"} else None
    receipt = await payments.receive(tx, fact["payment_id"], lock_epoch=waits, ref=fact["ref"])
    if receipt.late:
        await payments.return_late(tx, fact["payment_id"])
    else:
        await _set(tx, fact["order_id"], "paid")


async def money_refused(tx: Tx, fact: dict[str, Any]) -> None:
    await tx.fetchrow("SELECT 1 FROM test_kiosk WHERE id = $1 FOR UPDATE", fact["order_id"])
    try:
        await payments.fail(tx, fact["payment_id"], fact["reason"])
    except payments.WrongPaymentState:
        return
    await _set(tx, fact["order_id"], "unpaid")
    _start_timer(tx, fact["order_id"])


SUBSCRIBERS: Mapping[str, list[Subscriber]] = {
    MoneyCame.topic: [Subscriber(money_came)],
    MoneyRefused.topic: [Subscriber(money_refused)],
}
