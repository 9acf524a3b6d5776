"""Which accounts a payment moves at each step, as ledger entries. Pure.

A part that needs no channel is taken from its account when the payment is settled. While a channel's part is awaited it
lies on the payment's own account, so that nothing else can spend it. Points move as points, in `rest.money.points`;
here is only the money they are worth, which the platform gives when they are spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rest.money import ledger
from rest.money.payments.model import Part, Payment, Tender

Entries = list[tuple[str, int]]

POINTS_PURPOSE = "points"
"""Whose promotion money points are turned into."""


def account_of(payment: Payment, part: Part) -> str:
    """Where a part's fen come from and go back to."""
    owner = payment.account_id
    match part.tender:
        case Tender.WALLET:
            return ledger.customer_wallet(owner)
        case Tender.PREPAID:
            return ledger.customer_prepaid(owner)
        case Tender.BONUS:
            return ledger.customer_bonus(owner)
        case Tender.CREDIT:
            return ledger.customer_credit(owner, part.worker_id or "")
        case Tender.POINTS:
            return ledger.promo(POINTS_PURPOSE)
        case _:
            return ledger.clearing(part.tender.value)


def taking(payment: Payment, parts: Iterable[Part], into: str) -> Entries:
    """From where the parts are into one account."""
    found: Entries = []
    for part in parts:
        found += [(account_of(payment, part), -part.amount_fen), (into, part.amount_fen)]
    return found


def holding(payment: Payment) -> Entries:
    """From the customer's accounts onto the payment's own; nothing where all of it is points."""
    return taking(payment, [part for part in payment.inner_parts if not part.points], ledger.held(payment.id))


def voiding(payment: Payment) -> Entries:
    """What was held, back to exactly where it came from."""
    return [(code, -amount) for code, amount in holding(payment)]


def releasing(payment: Payment, into: str) -> Entries:
    """What is held, into one account: the end of a hold whose payment is paid."""
    found: Entries = []
    for part in payment.inner_parts:
        source = account_of(payment, part) if part.points else ledger.held(payment.id)
        found += [(source, -part.amount_fen), (into, part.amount_fen)]
    return found


def giving_back(before: Payment, given: Sequence[int], source: str) -> Entries:
    """Each part's share of a refund to where it came from; what came over a channel is set aside for it."""
    found: Entries = []
    for part, amount in zip(before.parts, given, strict=True):
        if amount == 0:
            continue
        target = ledger.refunding(part.tender.value) if part.by_channel else account_of(before, part)
        found += [(source, -amount), (target, amount)]
    return found
