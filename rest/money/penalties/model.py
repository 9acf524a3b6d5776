"""A penalty as a value, and its transition table. Pure. Source: HS-129 to HS-132, spec 5.7 `Penalty`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from storage.base.errors import Conflict


class PenaltyState(StrEnum):
    """`settled`: kept from what the customer had paid, and shared out. `debited`: taken from a worker's wallet."""

    SETTLED = "settled"
    DEBITED = "debited"
    REVERSED = "reversed"


TRANSITIONS: Mapping[tuple[PenaltyState, str], PenaltyState] = {
    (PenaltyState.SETTLED, "reverse"): PenaltyState.REVERSED,
    (PenaltyState.DEBITED, "reverse"): PenaltyState.REVERSED,
}
"""(state, verb) → state. What is not listed is refused: a penalty is taken back once (HS-132)."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class PenaltyReversed(Conflict):
    """This penalty has been taken back already."""

    code = "already_reversed"


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays: a `customer` or a `worker`."""

    kind: str
    id: str

    @property
    def audience(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An order that broke off: whose it was, why, and who said so."""

    order_id: str
    line: str
    customer_id: str
    worker_id: str
    cause: str
    by: str
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """What somebody pays because an order broke off, fen. `other` is the other side of the order."""

    id: str
    order_id: str
    line: str
    payer: Payer
    other: Payer
    cause: str
    item_fen: int
    travel_fen: int
    state: PenaltyState
    by: str
    note: str | None
    at: datetime
    reversed_by: str | None
    reversed_reason: str | None
    reversed_at: datetime | None

    @property
    def amount_fen(self) -> int:
        return self.item_fen + self.travel_fen

    def reversed(self, by: str, reason: str, now: datetime) -> Penalty:
        """Raises PenaltyReversed."""
        state = TRANSITIONS.get((self.state, "reverse"))
        if state is None:
            raise PenaltyReversed
        return replace(self, state=state, reversed_by=by, reversed_reason=reason, reversed_at=now)
