"""Withdrawals on paper. Numbers of payees are masked: a file travels further than a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from rest.money.withdrawals import store
from rest.money.withdrawals.model import WithdrawalState
from rest.papers.exports import Filters, FilterUnknown, Kind, Wanted
from rest.papers.sheet import Column, Row
from storage.tx import Tx

FINANCE = ("finance", "admin")
PAGE = 500


async def _rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    state = wanted.filters.state
    before_id = store.AFTER_ALL_IDS
    while True:
        found = await store.page(
            tx, before_id=before_id, limit=PAGE, states=None if state is None else [WithdrawalState(state)]
        )
        yield [
            (one.requested_at, one.id, f"{one.owner.kind}:{one.owner.id}", one.payee.method.value,
             "*" * 4 + one.payee.number[-4:], one.state.value, one.amount_fen, one.reason, one.changed_at)
            for one in found
        ]  # fmt: skip
        if len(found) < PAGE:
            return
        before_id = found[-1].id


async def _check(_tx: Tx, _account_id: str, filters: Filters) -> Mapping[str, str]:
    """Raises FilterUnknown for a state that is none."""
    if filters.state is not None and filters.state not in set(WithdrawalState):
        raise FilterUnknown(field="filters.state")
    return {}


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
        scoping=_check,
    ),
)
