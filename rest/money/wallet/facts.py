"""What the wallet tells."""

from __future__ import annotations

from typing import ClassVar

from rest.edge.values import Money
from storage.base.facts import Fact


class WalletChanged(Fact, frozen=True, kw_only=True):
    """A wallet has been moved: told to its owner, `customer:<account_id>` or `worker:<worker_id>` (spec part 7).

    `kind` is the reason: credit, pay, refund, settlement, …; `amount` is signed.
    """

    topic: ClassVar[str] = "wallet.changed"

    owner_id: str
    transfer_id: str
    kind: str
    order_id: str | None
    amount: Money
    balance: Money
