"""What invoices tell."""

from __future__ import annotations

from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class InvoiceChanged(Fact, frozen=True, kw_only=True):
    """An invoice has moved: told to its customer. `needs_correction`: a red one will follow."""

    topic: ClassVar[str] = "invoice.changed"
    invoice_id: str
    state: str
    version: int
    amount: Money
    needs_correction: bool
    reason: str | None
