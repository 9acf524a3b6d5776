"""Orders as bills, and what a refund tells their invoices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest.money import invoices
from rest.money.invoices import Bill
from rest.trade.orders import OrderRefunded
from storage.jobs import Subscriber
from storage.tx import Tx

NAMES = {"homeservice": "上门服务"}
"""What the orders of a line are called on paper; a line that is not here is called by its own name."""


class OrderBills:
    """Implements `invoices.Billing` for orders of every line."""

    async def bills(self, tx: Tx, subject_ids: Sequence[str]) -> list[Bill]:
        rows = await tx.fetch(
            """
            SELECT id, no, line, customer_id, paid_fen - refunded_fen - refund_reserved_fen AS kept_fen,
                   closed_at IS NOT NULL AS is_final
              FROM orders WHERE id = ANY($1) ORDER BY id FOR SHARE
            """,
            list(subject_ids),
        )
        return [
            Bill(
                subject_id=row["id"],
                customer_id=row["customer_id"],
                name=f"{NAMES.get(row['line'], row['line'])} {row['no']}",
                kept_fen=row["kept_fen"],
                is_final=row["is_final"],
            )
            for row in rows
        ]


async def order_refunded(tx: Tx, fact: dict[str, Any]) -> None:
    await invoices.refunded(tx, OrderBills(), fact["order_id"])


SUBSCRIBERS: Mapping[str, list[Subscriber]] = {OrderRefunded.topic: [Subscriber(order_refunded)]}
