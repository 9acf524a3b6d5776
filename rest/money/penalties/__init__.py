"""Penalties: what somebody pays because an order broke off, written down, told to both sides, taken back once.

Tables    penalties (one per order and payer; only a reversal is ever written to one)
States    settled (a customer's, kept from what he had paid) or debited (a worker's, from his wallet) → reversed
Calls     wallet, ledger
Tells     penalty.booked, penalty.reversed, to the payer and the other side
Promises  a penalty moves money once each way; who took it back and why is kept; a worker's wallet may fall below zero
          by one and pays nothing out until it is earned back (HS-130, HS-180)
Source    HS-116, HS-120, HS-125, HS-127, HS-129 to HS-132

How much it is, is the line's to say; what a customer's order keeps is shared out and given back by the line.
"""

from rest.money.penalties.actions import debit, find, keep, reverse
from rest.money.penalties.model import Broken, Payer, Penalty, PenaltyReversed, PenaltyState
from rest.money.penalties.store import of_order

__all__ = [
    "Broken",
    "Payer",
    "Penalty",
    "PenaltyReversed",
    "PenaltyState",
    "debit",
    "find",
    "keep",
    "of_order",
    "reverse",
]
