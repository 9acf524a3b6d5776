"""Ways for money to leave: what an adapter is given, and what it may answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rest.money.withdrawals.model import Payee

MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """What to pay. `withdrawal_id` is the number the outside must know it by: the same one is never paid twice."""

    withdrawal_id: str
    amount_fen: int
    payee: Payee


@dataclass(frozen=True, slots=True)
class Taken:
    """The outside will pay it and calls it `ref`."""

    ref: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The outside will never pay it."""

    reason: str


class PayoutAdapter(Protocol):
    """Pays through some channel. `name` is its clearing account in the ledger.

    `send` may be called again for a payout whose answer was lost and must not pay twice. It raises when it does not
    know the outcome: then it is asked again later. None: a person will pay, and say so.
    """

    @property
    def name(self) -> str: ...

    async def send(self, payout: Payout) -> Taken | Refused | None: ...


class ManualPayouts:
    """Finance makes each transfer at the bank and notes its number; the list of open ones is finance's to-do."""

    name = MANUAL

    async def send(self, payout: Payout) -> Taken | Refused | None:  # noqa: ARG002 - nothing leaves from here
        return None
