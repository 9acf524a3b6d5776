"""Orders on paper, of all lines: what was asked, paid and given back. No names and no addresses: a file travels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence

from rest.papers.exports import Kind, Wanted
from rest.papers.exports.lists import pages
from rest.papers.sheet import Column, Row
from rest.trade.orders import store
from rest.trade.orders.model import Order
from storage.tx import Tx

STAFF = ("finance", "ops", "supervisor", "admin")


async def _rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    filters = wanted.filters

    def read(before_id: str, limit: int) -> Awaitable[list[Order]]:
        return store.page(
            tx, line=filters.line, status=filters.state, since=filters.since, until=filters.until,
            before_id=before_id, limit=limit,
        )  # fmt: skip

    async for found in pages(read):
        yield [
            (one.created_at, one.no, one.id, one.line, one.kind, one.mode, one.customer_id, one.provider_id, one.status,
             one.total_fen, one.paid_fen, one.refunded_fen, one.paid_fen - one.refunded_fen, one.closed_at)
            for one in found
        ]  # fmt: skip


EXPORTS = (
    Kind(
        name="orders",
        title={"zh": "订单明细", "en": "Orders"},
        roles=STAFF,
        takes=frozenset({"since", "until", "line", "state"}),
        columns=(
            Column("下单时间", "Created at", "instant", 20),
            Column("订单号", "Number", "text", 22),
            Column("订单", "Order", "text", 31),
            Column("业务线", "Line", "text", 13),
            Column("类型", "Kind", "text", 12),
            Column("方式", "Mode", "text", 12),
            Column("客户", "Customer", "text", 31),
            Column("服务方", "Provider", "text", 31),
            Column("状态", "State", "text", 18),
            Column("应付", "Price", "money", 13, is_summed=True),
            Column("已付", "Paid", "money", 13, is_summed=True),
            Column("已退", "Refunded", "money", 13, is_summed=True),
            Column("现保留", "Kept", "money", 13, is_summed=True),
            Column("结束时间", "Closed at", "instant", 20),
        ),
        source=_rows,
    ),
)
