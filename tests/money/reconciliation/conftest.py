"""The till once more, with mornings: `await morning(till)` is the next day's 10:30 and what is done then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest.money import ledger, payments
from rest.money.channels import actions as channel_actions
from rest.money.channels import suspense_store
from rest.money.reconciliation.jobs import begin_reconciling
from storage.base.clock import business_day, day_begins
from tests.money.channels.conftest import (
    Till,
    channel_settings,
    channels,
    identity,
    new_town,
    notify_port,
    sim,
    till,
    town,
)

__all__ = ["channel_settings", "channels", "identity", "new_town", "notify_port", "sim", "till", "town"]

RUNS = "/v1/admin/reconciliations"


async def morning(till: Till, *, hours: float = 10.5) -> None:
    """The next morning; what is due then is done."""
    at = day_begins(business_day(till.clock.now()) + timedelta(days=1)) + timedelta(hours=hours)
    await till.db.run(begin_reconciling)
    await till.advance(seconds=(at - till.clock.now()).total_seconds())


async def runs(till: Till, **filters: str) -> list[Any]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    status, _, page = await till.client.as_("fay").send("GET", f"{RUNS}?{query}")
    assert status == 200, page
    return list(page["data"])


async def differences(till: Till, run: Any, **filters: str) -> list[Any]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    status, _, page = await till.client.as_("fay").send("GET", f"{RUNS}/{run['id']}/differences?{query}")
    assert status == 200, page
    return list(page["data"])


async def paid(till: Till, channel: str) -> str:
    """An order paid over the channel, its news taken; the payment's number."""
    _, number = await till.ready(channel)
    await till.press(number, channel=channel)
    await till.deliver()
    await till.run()
    return number


async def topped_up(till: Till, channel: str, fen: int = 40_900) -> str:
    """Money for something that is no order, at any hour; booked when its news has come."""
    async with till.db.begin() as tx:
        payment = await channel_actions.begin(
            tx, order_id=tx.new_id("top"), account_id="acc_cust1", amount_fen=fen, lock_epoch=1, channel=channel,
            payer=None, description="top-up", expires_at=tx.now + timedelta(minutes=3),
        )  # fmt: skip
    await till.run()
    await till.press(payment.id, channel=channel)
    await till.deliver()
    await till.run()
    async with till.db.begin() as tx:
        await payments.receive(tx, payment.id, lock_epoch=1)
    return payment.id


async def proven(till: Till) -> None:
    """The book is right, and suspense is the sum of its open items."""
    async with till.db.begin() as tx:
        assert await ledger.verify(tx) == []
        assert await suspense_store.faults(tx) == []
