"""Payments: attempts to pay an order, each of one or several parts, each with the lock epoch of the order it was
opened for.

Tables    payments, payment_parts (what each source gives), payment_refunds (the legs of refunds), payment_days (limits)
States    created → paid → refunded; created → review (a bank transfer) → paid; created, review → failed | closed; any
          of these but paid + money → paid_late, then restored (→ paid) or given back (→ refunded)
Calls     wallet, ledger
Tells     money.attempt_closed and money.refund_due, of parts over a channel, to whoever talks to it
Promises  the parts of a payment sum to its amount; while its channel is awaited its other parts are held, and are free
          again, back where they came from, whenever it ends without money (FR-065, FR-071): nothing is held for nobody;
          money that comes is always booked once: on time all parts in one transfer into the order's escrow, late into
          the customer's unapplied account, where it waits for `restore_late` or `return_late` (HS-088, HS-152); an
          order has one open payment; refunds never exceed what each part brought, go back the way it came (HS-150),
          and any row of them ends like one refund of the sum (RV-289); a customer's day has a limit (RV-280)

What a line lets its orders be paid with is a `PayPolicy`: versioned data of the line, a pure function from what is
asked for to parts (FR-064, RV-278).

The caller holds the order's row lock in every verb, and knows the order's lock epoch: it counts how often a
technician was locked for payment, so money of an earlier lock is told from money of this one.
"""

from rest.money.payments.actions import (
    close_open,
    fail,
    find,
    give_back,
    hold_late,
    legs,
    of_order,
    open_payment,
    purse,
    receive,
    refund,
    restore_late,
    return_late,
    settle_paid,
    submit,
)
from rest.money.payments.model import (
    CHANNELS,
    OPEN,
    Leg,
    Method,
    Part,
    Payment,
    PaymentState,
    Receipt,
    Tender,
    WrongPaymentState,
    summary,
)
from rest.money.payments.policy import (
    Ask,
    DailyLimit,
    MethodUnavailable,
    PartsMismatch,
    PayPolicy,
    PointsShare,
    Purse,
    SingleLimit,
    TooManyMethods,
)

__all__ = [
    "CHANNELS",
    "OPEN",
    "Ask",
    "DailyLimit",
    "Leg",
    "Method",
    "MethodUnavailable",
    "Part",
    "PartsMismatch",
    "PayPolicy",
    "Payment",
    "PaymentState",
    "PointsShare",
    "Purse",
    "Receipt",
    "SingleLimit",
    "Tender",
    "TooManyMethods",
    "WrongPaymentState",
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
    "summary",
]
