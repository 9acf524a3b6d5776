"""Refusals of the wallet, and who is told when one changes. Pure."""

from __future__ import annotations

from storage.base.errors import Conflict, Invalid


class RefundExceedsPaid(Invalid):
    """More was asked back than was paid and is still held."""

    code = "refund_exceeds_paid"

    def __init__(self, held_fen: int) -> None:
        super().__init__(remaining_refundable={"amount": held_fen, "currency": "CNY"})


class SplitMismatch(Conflict):
    """The parts of a settlement are not what the order holds."""

    code = "split_mismatch"


AUDIENCES = {"customer_wallet": "customer:{}", "worker_wallet": "worker:{}"}
"""Kind of ledger account → who hears `wallet.changed`; owners of other accounts are nobody's phone."""
