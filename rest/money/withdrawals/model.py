"""A withdrawal as a value, and its transition table. Pure. Source: spec 5.7, `Withdrawal`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from rest.money import ledger
from storage.base.errors import Conflict, Denied, Invalid

SYSTEM = "system"
"""Who acts when no person does: a payout adapter."""


class PayoutMethod(StrEnum):
    """Where the money goes."""

    BANK = "bank"
    WECHAT = "wechat"
    ALIPAY = "alipay"


class WithdrawalState(StrEnum):
    """Where a withdrawal stands."""

    REVIEW = "review"
    REJECTED = "rejected"
    SENDING = "sending"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"


_REVIEW, _REJECTED, _SENDING, _SENT, _CONFIRMED, _FAILED = WithdrawalState

TRANSITIONS: Mapping[tuple[WithdrawalState, str], WithdrawalState] = {
    # Finance, where the amount is over the limit (HS-181)
    (_REVIEW, "approve"): _SENDING,
    (_REVIEW, "reject"): _REJECTED,
    # The outside, or the person who makes the transfer by hand
    (_SENDING, "send"): _SENT,
    (_SENDING, "fail"): _FAILED,
    (_SENT, "confirm"): _CONFIRMED,
    (_SENT, "fail"): _FAILED,
}
"""(state, verb) → state. What is not listed is refused, unless it repeats what its actor has done already."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))

OPEN = frozenset({_REVIEW, _SENDING, _SENT})
"""While it is open its money is frozen."""

GIVES_BACK = frozenset({_REJECTED, _FAILED})
"""Ends in which the money is unfrozen."""


class WrongWithdrawalState(Conflict):
    """This withdrawal is past that."""

    code = "withdrawal_state"


class BelowMinimum(Invalid):
    """The amount is too small to be paid out."""

    code = "below_minimum"


class DayLimit(Invalid):
    """This is more than may be paid out in one day."""

    code = "day_limit"


class OwnWithdrawal(Denied):
    """Nobody decides about his own money."""

    code = "own_withdrawal"


class BankRefUsed(Conflict):
    """This transfer of the bank has paid another withdrawal."""

    code = "bank_ref_used"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose wallet: `customer` or `worker`, as in account codes."""

    kind: str
    id: str

    @property
    def wallet(self) -> str:
        return ledger.owner_wallet(self.kind, self.id)

    @property
    def frozen(self) -> str:
        return ledger.frozen(self.kind, self.id)

    @property
    def audience(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """Who gets the money: the name and number of an account outside."""

    method: PayoutMethod
    name: str
    number: str

    @property
    def masked(self) -> str:
        """The number as others than finance see it."""
        shown = min(4, len(self.number) // 2)
        return "*" * (len(self.number) - shown) + self.number[-shown:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """One payment out of a wallet, fen. `account_id` asked for it; `day` is the business day it counts for."""

    id: str
    owner: Owner
    account_id: str
    payee: Payee
    amount_fen: int
    state: WithdrawalState
    reason: str | None
    version: int
    day: date
    requested_at: datetime
    changed_at: datetime

    def after(self, verb: str, now: datetime, reason: str | None) -> Withdrawal:
        """Raises WrongWithdrawalState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongWithdrawalState(state=self.state.value)
        return replace(self, state=state, reason=reason or self.reason, version=self.version + 1, changed_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step: who did what; `detail` is the reason, or the outside's number of the transfer."""

    withdrawal_id: str
    n: int
    at: datetime
    actor: str
    verb: str
    from_state: str | None
    to_state: str
    detail: str | None
