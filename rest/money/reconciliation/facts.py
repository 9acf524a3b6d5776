"""What reconciliation tells the desk: sums and counts, nobody's number."""

from __future__ import annotations

from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class Reconciled(Fact, frozen=True, kw_only=True):
    """A channel's day or month has been compared. `open` differences wait for a person or for an answer."""

    topic: ClassVar[str] = "reconciliation.done"

    reconciliation_id: str
    kind: str
    channel: str
    period_on: str
    state: str
    differences: int
    open: int
    unexplained: Money


class BillOverdue(Fact, frozen=True, kw_only=True):
    """A channel has given no bill of this day for a whole day after it should have."""

    topic: ClassVar[str] = "reconciliation.bill_overdue"

    reconciliation_id: str
    channel: str
    period_on: str
