"""Reconciliation: a channel's bill, our records and the book, held against each other every morning.

Tables    channel_bill_lines, reconciliations, reconciliation_differences, reconciliation_events (which never change)
States    run: waiting (overdue) → balanced | differing → closed; difference: waiting, open → resolved
Calls     channels (bills, questions, money that is found, suspense), ledger (fees; reads the clearing account)
Tells     reconciliation.done when anything differs, reconciliation.bill_overdue, both to the desk
Jobs      reconciliation.begin at 10:30 in Shanghai, for yesterday and for days let pass; reconciliation.fetch (the
          bill, again every 15 minutes while there is none), reconciliation.ask (a channel, about one line),
          reconciliation.month
Promises  every line is matched with at most one payment or refund; every seeded difference of eight classes is found
          and none is invented, also across midnight (I23, G9); bill less book is the sum of the differences, or the
          comparison itself says so; nothing is booked twice by comparing again
Source    freight FR-165 to FR-167, home service HS-147, HS-150
"""

from rest.money.reconciliation.model import DifferenceKind, DifferenceState, Run, RunKind, RunState

__all__ = ["DifferenceKind", "DifferenceState", "Run", "RunKind", "RunState"]
