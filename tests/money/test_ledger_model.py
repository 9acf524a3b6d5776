"""Accounts and entries as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money.ledger.model import Account, BadTransfer, Unit, account_of, merge
from storage.base.money import FEN_MAX
from tests.money.book import NAMES, moves


@pytest.mark.parametrize(
    "account",
    [
        Account("customer:acc_1:wallet", "customer_wallet", "acc_1", Unit.CNY, 0, False),
        Account("customer:acc_1:unapplied", "customer_unapplied", "acc_1", Unit.CNY, 0, False),
        Account("customer:acc_1:points", "customer_points", "acc_1", Unit.PTS, 0, False),
        Account("order:ord_1:escrow", "order_escrow", "ord_1", Unit.CNY, 0, False),
        Account("worker:wrk_1:wallet", "worker_wallet", "wrk_1", Unit.CNY, 0, True),
        Account("customer:acc_1:pending", "customer_pending", "acc_1", Unit.CNY, 0, False),
        Account("customer:acc_1:frozen", "customer_frozen", "acc_1", Unit.CNY, 0, False),
        Account("customer:acc_1:owed", "customer_owed", "acc_1", Unit.CNY, 0, True),
        Account("worker:wrk_1:pending", "worker_pending", "wrk_1", Unit.CNY, 0, False),
        Account("worker:wrk_1:frozen", "worker_frozen", "wrk_1", Unit.CNY, 0, False),
        Account("channel:wechat:clearing", "channel_clearing", "wechat", Unit.CNY, None, False),
        Account("channel:alipay:refunding", "channel_refunding", "alipay", Unit.CNY, None, False),
        Account("channel:alipay:suspense", "channel_suspense", "alipay", Unit.CNY, None, False),
        Account("platform:revenue:homeservice", "platform_revenue", "homeservice", Unit.CNY, None, False),
        Account("platform:topup", "platform_topup", "", Unit.CNY, None, False),
        Account("platform:points", "platform_points", "", Unit.PTS, None, False),
    ],
    ids=lambda account: account.code,
)
def test_a_code_says_what_its_account_is(account: Account) -> None:
    assert account_of(account.code) == account


@pytest.mark.parametrize(
    "code",
    ["", "customer", "customer::wallet", "customer:acc_1:purse", "customer:acc_1:wallet ", "platform:topup:x",
     "customer:a:b:wallet", "order:ord_1:escrow\n", "channel:微信:clearing", f"customer:{'a' * 65}:wallet"],
)  # fmt: skip
def test_a_strange_code_is_our_mistake(code: str) -> None:
    with pytest.raises(BadTransfer):
        account_of(code)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "two accounts"),
        ("ann-5", "two accounts"),
        ("ann-5 ann+5", "two accounts"),
        ("ann-5 o1+4", "sum"),
        ("ann-5 o1+5 rev+0", "zero"),
        ("ann-5 ann+5 o1+1 rev-1", "not an amount"),
        ("ann-5 pts+5", "sum"),
        ("top-5 ann+3 pts+2", "sum"),
        (f"top-{FEN_MAX + 1} ann+{FEN_MAX + 1}", "not an amount"),
        (f"top-{FEN_MAX} top-1 ann+{FEN_MAX} ann+1", "not an amount"),
        ("ann-5 nobody:knows:this+5", "no kind"),
    ],
)
def test_a_transfer_that_cannot_be_right_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadTransfer, match=why):
        merge(moves(text))


def test_an_account_named_twice_gets_one_entry() -> None:
    merged = merge(moves("o1-430 wu+270 rev+100 rev+60"))
    assert [(account.code, amount) for account, amount in merged] == moves("o1-430 wu+270 rev+160")


def test_each_unit_balances_by_itself() -> None:
    assert len(merge(moves("top-100 ann+100 pool-7 pts+7"))) == 4


@given(st.lists(st.tuples(st.sampled_from(sorted(NAMES.values())), st.integers(-FEN_MAX, FEN_MAX)), max_size=6))
def test_what_is_accepted_sums_to_zero_in_each_unit(entries: list[tuple[str, int]]) -> None:
    try:
        merged = merge(entries)
    except BadTransfer:
        return
    for unit in Unit:
        assert sum(amount for account, amount in merged if account.unit is unit) == 0
    assert len({account.code for account, _ in merged}) == len(merged) >= 2
    assert all(0 < abs(amount) <= FEN_MAX for _, amount in merged)
