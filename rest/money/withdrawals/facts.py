"""What withdrawals tell."""

from __future__ import annotations

from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class WithdrawalChanged(Fact, frozen=True, kw_only=True):
    """Every step of a withdrawal, to its owner; `reason` where it was rejected or failed. No account numbers."""

    topic: ClassVar[str] = "withdrawal.changed"

    withdrawal_id: str
    state: str
    version: int
    amount: Money
    reason: str | None
