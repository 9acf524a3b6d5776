"""A refund request as a value, and its transition table. Pure. Source: freight 5.4, spec 5.7 `Refund`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from storage.base.errors import Conflict, Denied, Invalid
from storage.base.money import as_money

SYSTEM = "system"
"""Who acts when no person does."""


class RequestState(StrEnum):
    """Where a request stands. `executed`: the money is given; its legs say how far it has come."""

    REVIEW = "review"
    REQUESTED = "requested"
    APPROVING = "approving"
    EXECUTED = "executed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


_REVIEW, _REQUESTED, _APPROVING, _EXECUTED, _REJECTED, _WITHDRAWN = RequestState

TRANSITIONS: Mapping[tuple[RequestState, str], RequestState] = {
    # The provider says what he thinks, or nothing in time (FR-151, FR-159)
    (_REVIEW, "review"): _REQUESTED,
    (_REVIEW, "miss_review"): _REQUESTED,
    # Finance: above the limit a first word, then somebody else's
    (_REQUESTED, "approve_first"): _APPROVING,
    (_REQUESTED, "execute"): _EXECUTED,
    (_APPROVING, "execute"): _EXECUTED,
    (_REQUESTED, "reject"): _REJECTED,
    (_APPROVING, "reject"): _REJECTED,
    # Whoever asked, as long as nobody has approved
    (_REVIEW, "withdraw"): _WITHDRAWN,
    (_REQUESTED, "withdraw"): _WITHDRAWN,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))

OPEN = frozenset({_REVIEW, _REQUESTED, _APPROVING})
"""While it is open its amount is reserved on its order."""


class Reason(StrEnum):
    """Why money shall go back: what statistics count by."""

    QUALITY = "quality"
    LATE = "late"
    NO_SHOW = "no_show"
    MISTAKE = "mistake"
    GOODWILL = "goodwill"
    OTHER = "other"


class WrongRefundState(Conflict):
    """This refund request is past that."""

    code = "refund_state"


class SameApprover(Denied):
    """A refund of this size needs the word of a second person."""

    code = "same_approver"


class OwnRefund(Denied):
    """Nobody decides about his own money."""

    code = "own_refund"


class TooManyRefunds(Conflict):
    """This order has enough refund requests under way."""

    code = "too_many_refunds"


class RefundWindow(Invalid):
    """The time to ask for money back has passed."""

    code = "refund_window"


class RefundOpen(Conflict):
    """A refund request of this order is under way; decide it first."""

    code = "refund_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The order whose money it is."""

    order_id: str
    line: str
    customer_id: str
    worker_id: str | None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: `customer`, or `staff`."""

    role: str
    id: str

    def __str__(self) -> str:
        return f"{self.role}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, fen. `amount_fen` is reserved on the order; `approved_fen` is what finance gives of it.

    `second_over_fen`: above this two people must approve; fixed when it was asked, like the policy's name and version.
    """

    id: str
    subject: Subject
    asker: Asker
    amount_fen: int
    approved_fen: int | None
    reason: Reason
    note: str
    policy: str
    policy_version: int
    second_over_fen: int
    opinion: str | None
    approved_by: str | None
    state: RequestState
    version: int
    requested_at: datetime
    changed_at: datetime
    executed_at: datetime | None

    def after(self, verb: str, now: datetime) -> Request:
        """Raises WrongRefundState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongRefundState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1, changed_at=now)

    def approved(self, by: str, amount_fen: int | None, now: datetime) -> Request:
        """The request after this person's word: executed, or waiting for a second one.

        The second person may not change the amount. Raises WrongRefundState, OwnRefund, SameApprover, ApprovedAmount.
        """
        if by == self.subject.customer_id:
            raise OwnRefund
        if self.state is _APPROVING and by == self.approved_by:
            raise SameApprover
        agreed = self.approved_fen or self.amount_fen
        fen = agreed if amount_fen is None else amount_fen
        if not 0 < fen <= agreed or (self.state is _APPROVING and fen != agreed):
            raise ApprovedAmount(maximum=as_money(agreed))
        needs_another = self.state is _REQUESTED and fen > self.second_over_fen
        verb = "approve_first" if needs_another else "execute"
        moved = replace(self.after(verb, now), approved_fen=fen, approved_by=self.approved_by or by)
        return moved if needs_another else replace(moved, executed_at=now)


class ApprovedAmount(Invalid):
    """This much cannot be approved."""

    code = "approved_amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step: who did what; `detail` is a reason, an opinion or a comment."""

    refund_id: str
    n: int
    at: datetime
    actor: str
    verb: str
    from_state: str | None
    to_state: str
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One way money goes back: to a part of a payment, by the ledger transfer `ref`. `state` is `done` for accounts of
    ours, and what the channel's refund says for a channel: requested, accepted, done, manual. `points` come with it."""

    payment_id: str
    method: str
    amount_fen: int
    points: int
    ref: str
    state: str = "requested"
    problem: str | None = None


def progress(legs: list[Leg]) -> str:
    """Where the money of an executed request is: `succeeded`, `manual` when a person must look, else `processing`."""
    states = {leg.state for leg in legs}
    if states <= {"done"}:
        return "succeeded"
    return "manual" if "manual" in states else "processing"
