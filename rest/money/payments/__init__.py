"""Payments: attempts to pay an order, each with the lock epoch of the order it was opened for.

Tables    payments
States    created → paid → refunded; created → failed | closed; any of these three + money → paid_late,
          then restored (→ paid) or given back (→ refunded)
Calls     wallet, ledger
Tells     money.attempt_closed and money.refund_due, of attempts over a channel, to whoever talks to it
Promises  money that comes is always booked once: on time into the order's escrow, late into the customer's
          unapplied account, where it waits for `restore_late` or `return_late` (HS-088, HS-152); an order has one
          open attempt; refunds of an attempt never exceed it and go back the way it came (HS-150)

The caller holds the order's row lock in every verb, and knows the order's lock epoch: it counts how often a
technician was locked for payment, so money of an earlier lock is told from money of this one.
"""

from rest.money.payments.actions import (
    close_open,
    fail,
    of_order,
    open_payment,
    receive,
    refund,
    refund_all,
    restore_late,
    return_late,
    settle_paid,
)
from rest.money.payments.model import Method, Payment, PaymentState, Receipt, WrongPaymentState

__all__ = [
    "Method",
    "Payment",
    "PaymentState",
    "Receipt",
    "WrongPaymentState",
    "close_open",
    "fail",
    "of_order",
    "open_payment",
    "receive",
    "refund",
    "refund_all",
    "restore_late",
    "return_late",
    "settle_paid",
]
