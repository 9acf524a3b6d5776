"""Wallet: what a customer may spend, and the escrow an order's money waits in.

Tables    none of its own: wallets and escrows are ledger accounts
Calls     ledger
Tells     wallet.changed, to the owner of each wallet a transfer touched (customers and workers)
Promises  no wallet is spent below zero (HS-151, HS-182); a refund never exceeds what escrow holds (HS-150);
          `settle_order` shares an escrow out to the last fen or not at all (HS-153)
"""

from rest.money.wallet.actions import balance, credit, entries, held, move, pay, refund, settle_order
from rest.money.wallet.model import RefundExceedsPaid, SplitMismatch

__all__ = [
    "RefundExceedsPaid",
    "SplitMismatch",
    "balance",
    "credit",
    "entries",
    "held",
    "move",
    "pay",
    "refund",
    "settle_order",
]
