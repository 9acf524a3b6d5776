"""Refund requests on paper: who asked, what was approved, and how far the money has come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence

from rest.money.refunds import store
from rest.money.refunds.model import Request, RequestState, progress
from rest.papers.exports import Kind, Wanted
from rest.papers.exports.lists import by_state, pages
from rest.papers.sheet import Column, Row
from storage.tx import Tx

FINANCE = ("finance", "admin")


async def _rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    filters = wanted.filters

    def read(before_id: str, limit: int) -> Awaitable[list[Request]]:
        return store.page(
            tx, before_id=before_id, limit=limit, state=filters.state, line=filters.line, since=filters.since,
            until=filters.until,
        )  # fmt: skip

    async for found in pages(read):
        legs = await store.legs_of(tx, [one.id for one in found])
        yield [
            (one.requested_at, one.id, one.subject.order_id, one.subject.line, one.subject.customer_id, str(one.asker),
             one.reason.value, one.state.value,
             progress(legs.get(one.id, [])) if one.state is RequestState.EXECUTED else None,
             one.amount_fen, one.approved_fen, one.approved_by, one.executed_at)
            for one in found
        ]  # fmt: skip


EXPORTS = (
    Kind(
        name="refunds",
        title={"zh": "退款明细", "en": "Refunds"},
        roles=FINANCE,
        takes=frozenset({"since", "until", "line", "state"}),
        columns=(
            Column("申请时间", "Asked at", "instant", 20),
            Column("退款单", "Refund", "text", 31),
            Column("订单", "Order", "text", 31),
            Column("业务线", "Line", "text", 13),
            Column("客户", "Customer", "text", 31),
            Column("申请人", "Asked by", "text", 38),
            Column("原因", "Reason", "text", 12),
            Column("状态", "State", "text", 12),
            Column("到账进度", "Progress", "text", 12),
            Column("申请金额", "Amount", "money", 13, is_summed=True),
            Column("批准金额", "Approved", "money", 13, is_summed=True),
            Column("批准人", "Approved by", "text", 31),
            Column("退款时间", "Executed at", "instant", 20),
        ),
        source=_rows,
        scoping=by_state(RequestState),
    ),
)
