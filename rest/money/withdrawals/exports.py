"""Withdrawals on paper. Numbers of payees are masked: a file travels further than a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from rest.money.withdrawals import store
from rest.money.withdrawals.model import WithdrawalState
from rest.papers.exports import Kind, Wanted
from rest.papers.exports.lists import by_state, pages
from rest.papers.sheet import Column, Row
from storage.tx import Tx

FINANCE = ("finance", "admin")


async def _rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    state = wanted.filters.state
    states = None if state is None else [WithdrawalState(state)]
    async for found in pages(lambda before_id, limit: store.page(tx, before_id=before_id, limit=limit, states=states)):
        yield [
            (one.requested_at, one.id, f"{one.owner.kind}:{one.owner.id}", one.payee.method.value,
             "*" * 4 + one.payee.number[-4:], one.state.value, one.amount_fen, one.reason, one.changed_at)
            for one in found
        ]  # fmt: skip


EXPORTS = (
    Kind(
        name="withdrawals",
        title={"zh": "提现明细", "en": "Withdrawals"},
        roles=FINANCE,
        takes=frozenset({"state"}),
        columns=(
            Column("申请时间", "Asked at", "instant", 20),
            Column("提现单", "Withdrawal", "text", 31),
            Column("所有者", "Owner", "text", 38),
            Column("方式", "Method", "text", 8),
            Column("账号", "Number", "text", 12),
            Column("状态", "State", "text", 12),
            Column("金额", "Amount", "money", 13, is_summed=True),
            Column("原因", "Reason", "text", 24),
            Column("更新时间", "Changed at", "instant", 20),
        ),
        source=_rows,
        scoping=by_state(WithdrawalState),
    ),
)
