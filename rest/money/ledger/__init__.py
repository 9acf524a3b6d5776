"""Ledger: the double-entry book of everything of value.

Tables    ledger_accounts, ledger_transfers, ledger_entries, ledger_checkpoints (the last three never change)
Owner of  every balance; nobody else writes one: triggers refuse what does not come from `ledger_post`
Calls     nothing below but storage; the writing is one database function, `ledger_post`
Deadline  ledger.roll_up comes back by itself: checkpoints of append-only accounts
Promises  a transfer sums to zero per unit; an account with a floor never falls below it, except a worker's
          wallet by a transfer that says so (HS-182); the same reference moves value once; transfers never
          deadlock with each other; who owes the platform a reward he has spent owes it visibly (customer_owed)
Proof     `verify` reads the whole book in one snapshot and lists what is wrong with it

An account with a floor (wallets, escrow, unapplied money) is locked and carries a running balance. Platform
and channel accounts take part in every payment: they have no floor, are never locked, their balance is their
last checkpoint and the entries after it.
"""

from rest.money.ledger.actions import (
    balance,
    balance_at,
    balances,
    credits_of,
    entries,
    is_posted,
    post,
    size,
    verify,
)
from rest.money.ledger.model import (
    Account,
    BadTransfer,
    Entry,
    InsufficientFunds,
    RefReused,
    Statement,
    Transfer,
    Unit,
    account_of,
    channel_fee,
    clearing,
    customer_bonus,
    customer_credit,
    customer_owed,
    customer_points,
    customer_prepaid,
    customer_wallet,
    escrow,
    frozen,
    held,
    held_points,
    owner_wallet,
    pending,
    platform_points,
    platform_topup,
    points_owed,
    points_pending,
    promo,
    refunding,
    revenue,
    suspense,
    unapplied,
    worker_wallet,
    written_off,
)

__all__ = [
    "Account",
    "BadTransfer",
    "Entry",
    "InsufficientFunds",
    "RefReused",
    "Statement",
    "Transfer",
    "Unit",
    "account_of",
    "balance",
    "balance_at",
    "balances",
    "channel_fee",
    "clearing",
    "credits_of",
    "customer_bonus",
    "customer_credit",
    "customer_owed",
    "customer_points",
    "customer_prepaid",
    "customer_wallet",
    "entries",
    "escrow",
    "frozen",
    "held",
    "held_points",
    "is_posted",
    "owner_wallet",
    "pending",
    "platform_points",
    "platform_topup",
    "points_owed",
    "points_pending",
    "post",
    "promo",
    "refunding",
    "revenue",
    "size",
    "suspense",
    "unapplied",
    "verify",
    "worker_wallet",
    "written_off",
]
