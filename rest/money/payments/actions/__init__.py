"""Verbs of payments, by family: opening, money that comes, giving back.

Lock order: the order (held by the caller) → the payment → the customer's day → ledger accounts.
"""

from rest.money.payments.actions.arriving import hold_late, receive, restore_late, settle_paid
from rest.money.payments.actions.opening import close_open, fail, find, of_order, open_payment, purse, submit
from rest.money.payments.actions.refunding import give_back, legs, refund, return_late

__all__ = [
    "close_open",
    "fail",
    "find",
    "give_back",
    "hold_late",
    "legs",
    "of_order",
    "open_payment",
    "purse",
    "receive",
    "refund",
    "restore_late",
    "return_late",
    "settle_paid",
    "submit",
]
