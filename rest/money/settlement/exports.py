"""Settlements on paper: the list, and the statement with every party's line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence

from rest.money.settlement import store
from rest.money.settlement.model import Party, Settlement
from rest.papers.exports import Kind, Wanted
from rest.papers.exports.lists import pages
from rest.papers.sheet import Column, Row
from storage.tx import Tx

FINANCE = ("finance", "admin")
PAGE = 200
"""Each comes with all its lines."""
_TAKES = frozenset({"since", "until", "party", "reversed"})


def settlements(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Settlement]]:
    """Pages of what the list shows under these filters, newest first."""
    filters = wanted.filters

    def read(before_id: str, limit: int) -> Awaitable[list[Settlement]]:
        return store.page(
            tx,
            before_id=before_id,
            limit=limit,
            party=None if filters.party is None else Party(*_party(filters.party)),
            worker_id=wanted.scope.get("worker_id"),
            is_reversed=filters.reversed,
            since=filters.since,
            until=filters.until,
        )

    return pages(read, size=PAGE)


def _party(text: str) -> tuple[str, str]:
    kind, _, name = text.partition(":")
    return kind, name


async def _list_rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    async for page in settlements(tx, wanted):
        yield [
            (one.created_at, one.order_id, one.line, one.worker_id, one.state, one.basis.rate_bps, one.settled_fen,
             one.settled_fen - one.kept_fen, one.kept_fen, one.matures_at)
            for one in page
        ]  # fmt: skip


async def _line_rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    """Every line, reversals too: they sum to what the orders keep."""
    async for page in settlements(tx, wanted):
        yield [
            (line.at, one.order_id, one.line, f"{line.party.kind}:{line.party.id}", line.kind, line.cause,
             line.state.value, line.split_version, line.amount_fen, line.reason)
            for one in page
            for line in one.lines
            if wanted.filters.party is None or f"{line.party.kind}:{line.party.id}" == wanted.filters.party
        ]  # fmt: skip


_AT = Column("结算时间", "Settled at", "instant", 20)
_ORDER = Column("订单", "Order", "text", 31)
_LINE = Column("业务线", "Line", "text", 13)

EXPORTS = (
    Kind(
        name="settlements",
        title={"zh": "结算明细", "en": "Settlements"},
        roles=FINANCE,
        takes=_TAKES,
        columns=(
            _AT,
            _ORDER,
            _LINE,
            Column("技师", "Technician", "text", 31),
            Column("状态", "State", "text", 16),
            Column("分成比例", "Rate", "rate", 10),
            Column("结算金额", "Settled", "money", 13, is_summed=True),
            Column("已退", "Refunded", "money", 13, is_summed=True),
            Column("现保留", "Kept", "money", 13, is_summed=True),
            Column("可用时间", "Available at", "instant", 20),
        ),
        source=_list_rows,
    ),
    Kind(
        name="settlement_statement",
        title={"zh": "分账对账单", "en": "Settlement statement"},
        roles=FINANCE,
        takes=_TAKES,
        columns=(
            _AT,
            _ORDER,
            _LINE,
            Column("分账方", "Party", "text", 38),
            Column("项目", "Kind", "text", 16),
            Column("原因", "Cause", "text", 10),
            Column("状态", "State", "text", 12),
            Column("规则版本", "Rule", "count", 8),
            Column("金额", "Amount", "money", 13, is_summed=True),
            Column("备注", "Reason", "text", 20),
        ),
        source=_line_rows,
    ),
)
