"""Refusals of the wallet, and who is told when one changes. Pure."""

from __future__ import annotations

from storage.base.errors import Conflict, Invalid
from storage.base.money import as_money


class RefundExceedsPaid(Invalid):
    """More was asked back than was paid and is still held."""

    code = "refund_exceeds_paid"

    def __init__(self, held_fen: int) -> None:
        super().__init__(remaining_refundable=as_money(held_fen))


class SplitMismatch(Conflict):
    """The parts of a settlement are not what the order holds."""

    code = "split_mismatch"


AUDIENCES = {"customer_wallet": "customer:{}", "worker_wallet": "worker:{}"}
"""Kind of ledger account → who hears `wallet.changed`; owners of other accounts are nobody's phone."""


class AmountRange(Invalid):
    """The amount is outside what may be moved here."""

    code = "amount_range"


CREDIT_MAX_FEN = 100_000_000
"""Most that finance gives at once: one million yuan; more is a slip of the keyboard."""


def check_credit(amount_fen: int) -> None:
    """Raises AmountRange."""
    if not 0 < amount_fen <= CREDIT_MAX_FEN:
        raise AmountRange(maximum=as_money(CREDIT_MAX_FEN))
