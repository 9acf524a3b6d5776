"""What a business line brings, so that its cases can be decided here without the line being known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Protocol

from msgspec import Meta, json

from chat.cases import Case
from rest.edge.values import Amount, Body, Id, Instant
from storage.base.errors import HubError, Invalid
from storage.tx import Tx

Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]

HASH_DIGITS = 32


class OutcomeNotAllowed(Invalid):
    """This cannot be decided in this case as things stand."""

    code = "outcome_not_allowed"


class ConsentRequired(Invalid):
    """The customer has to agree to this first."""

    code = "consent_required"


class DecisionParams(Body, frozen=True, kw_only=True):
    """What a decision needs to know; which of these, the case's `allowed` says.

    `consent`: the customer has agreed, said to support. `reason`: what statistics of refunds count by.
    """

    worker_id: Id | None = None
    grab_id: Id | None = None
    start_at: Instant | None = None
    consent: bool | None = None
    amount: Amount | None = None
    reason: Code | None = None
    template_id: Id | None = None
    penalty_id: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that may be decided now: what it must and may be told, and whether its preview is worth a look."""

    outcome: str
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    moves_money: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What somebody of support decides. `roles` are his."""

    by: str
    roles: frozenset[str]
    outcome: str
    note: str
    params: DecisionParams


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a decision did. Units: fen, each counted for the one it says.

    `customer_penalty_fen` is kept of his money; `worker_penalty_fen` taken from the worker, below nothing: given back;
    `refund_asked_fen` waits for finance; `house_pays_fen` is what another worker's way costs more.
    """

    status_before: str
    status: str
    customer_refund_fen: int = 0
    customer_penalty_fen: int = 0
    worker_penalty_fen: int = 0
    refund_asked_fen: int = 0
    house_pays_fen: int = 0

    def hash(self, case_id: str, outcome: str) -> str:
        """The name of these amounts, for who was shown them."""
        told = [case_id, outcome, *(getattr(self, name) for name in self.__dataclass_fields__)]
        return sha256(json.encode(told)).hexdigest()[:HASH_DIGITS]


class CaseSide(Protocol):
    """A line's part of a case."""

    @property
    def refusals(self) -> tuple[type[HubError], ...]:
        """What deciding may be refused with."""

    async def options(self, tx: Tx, case: Case, roles: frozenset[str]) -> list[Option]:
        """What these people may decide now."""

    async def decide(self, tx: Tx, case: Case, word: Word) -> Moved:
        """Do it, and close the case with it. The case is not locked: what it is about is locked before it.

        Raises OutcomeNotAllowed, ConsentRequired, Malformed, CaseNotOpen, and refusals of its own.
        """

    async def open_by_hand(self, tx: Tx, subject_id: str, by: str, note: str) -> Case:
        """A case of type `manual` about this, or the one that is open. Raises NotFound."""


Sides = Mapping[str, CaseSide]
"""By name of the business line."""
