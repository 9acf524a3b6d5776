"""Entries of the ledger on paper: a customer's own wallet, and any account with a floor for finance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta

from rest.money import ledger
from rest.money.ledger import BadTransfer, Statement
from rest.papers.exports import Filters, FilterUnknown, Kind, Wanted
from rest.papers.sheet import Column, Row
from storage.tx import Tx

FINANCE = ("finance", "admin")
PAGE = 500
CLOCKS_APART = timedelta(minutes=5)
"""Entries are listed as they were made; the clocks they are dated by may differ a little."""


async def _rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    filters, before = wanted.filters, None
    while True:
        found = await ledger.entries(tx, wanted.scope["account"], before_version=before, limit=PAGE)
        yield [_row(one) for one in found if _is_within(one, filters)]
        if len(found) < PAGE or (filters.since is not None and found[-1].at < filters.since - CLOCKS_APART):
            return
        before = found[-1].version


def _is_within(one: Statement, filters: Filters) -> bool:
    return (filters.since is None or one.at >= filters.since) and (filters.until is None or one.at < filters.until)


def _row(one: Statement) -> Row:
    return (one.at, one.transfer_id, one.kind, one.order_id, one.note, one.amount_fen, one.balance_after_fen)


async def _own(_tx: Tx, account_id: str, _filters: Filters) -> Mapping[str, str]:
    return {"account": ledger.customer_wallet(account_id)}


async def _any(_tx: Tx, _account_id: str, filters: Filters) -> Mapping[str, str]:
    """Raises FilterUnknown for what names no account, or one without a list (they have no floor)."""
    code = filters.account or ""
    try:
        has_list = ledger.account_of(code).floor_fen is not None
    except BadTransfer:
        has_list = False
    if not has_list:
        raise FilterUnknown(field="filters.account")
    return {"account": code}


_COLUMNS = (
    Column("时间", "At", "instant", 20),
    Column("流水", "Transfer", "text", 31),
    Column("类型", "Kind", "text", 14),
    Column("订单", "Order", "text", 31),
    Column("备注", "Note", "text", 24),
    Column("金额", "Amount", "money", 14, is_summed=True),
    Column("余额", "Balance after", "money", 14),
)

EXPORTS = (
    Kind(
        name="wallet_entries",
        title={"zh": "钱包流水", "en": "Wallet entries"},
        roles=("user",),
        columns=_COLUMNS,
        source=_rows,
        scoping=_own,
    ),
    Kind(
        name="ledger_entries",
        title={"zh": "账户流水", "en": "Account entries"},
        roles=FINANCE,
        takes=frozenset({"since", "until", "account"}),
        needs=frozenset({"account"}),
        columns=_COLUMNS,
        source=_rows,
        scoping=_any,
    ),
)
