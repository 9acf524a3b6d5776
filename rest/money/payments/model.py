"""A payment attempt as a value, and its transition table. Pure. Source: spec 5.7, `Payment`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from rest.money.wallet.model import RefundExceedsPaid
from storage.base.errors import Conflict


class Method(StrEnum):
    """Where the money comes from: the customer's wallet, or a channel that answers later."""

    WALLET = "wallet"
    WECHAT = "wechat"
    ALIPAY = "alipay"


class PaymentState(StrEnum):
    """Where an attempt stands."""

    CREATED = "created"
    PAID = "paid"
    FAILED = "failed"
    CLOSED = "closed"
    PAID_LATE = "paid_late"
    REFUNDED = "refunded"


_CREATED, _PAID, _FAILED = PaymentState.CREATED, PaymentState.PAID, PaymentState.FAILED
_CLOSED, _LATE, _REFUNDED = PaymentState.CLOSED, PaymentState.PAID_LATE, PaymentState.REFUNDED

TRANSITIONS: Mapping[tuple[PaymentState, str], PaymentState] = {
    (_CREATED, "settle"): _PAID,
    (_CREATED, "fail"): _FAILED,
    (_CREATED, "close"): _CLOSED,
    # Money that came although nobody waited for it any more, or for another lock than it was meant for.
    (_CREATED, "arrive_late"): _LATE,
    (_FAILED, "arrive_late"): _LATE,
    (_CLOSED, "arrive_late"): _LATE,
    (_LATE, "restore"): _PAID,
    (_LATE, "give_back"): _REFUNDED,
    (_PAID, "refund_part"): _PAID,
    (_PAID, "refund_rest"): _REFUNDED,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))

MONEY_IS_IN = frozenset({_PAID, _LATE, _REFUNDED})
"""States of attempts whose money has come."""


class WrongPaymentState(Conflict):
    """This payment is past that."""

    code = "payment_state"


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt. Units: fen. `lock_epoch` is the order's when the attempt was opened or restored.

    `ref` is the channel's own number of the money; None for the wallet.
    """

    id: str
    order_id: str
    account_id: str
    method: Method
    amount_fen: int
    refunded_fen: int
    state: PaymentState
    lock_epoch: int
    ref: str | None
    reason: str | None
    version: int
    created_at: datetime
    paid_at: datetime | None
    ended_at: datetime | None

    @property
    def refundable_fen(self) -> int:
        """What is left of this attempt's money."""
        return self.amount_fen - self.refunded_fen if self.state is PaymentState.PAID else 0

    def after(self, verb: str) -> Payment:
        """The attempt after this verb. Raises WrongPaymentState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongPaymentState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    def refunded(self, amount_fen: int, now: datetime) -> Payment:
        """The attempt after giving back this much. Raises WrongPaymentState, RefundExceedsPaid."""
        rest = amount_fen == self.refundable_fen
        after = self.after("refund_rest" if rest else "refund_part")
        if amount_fen > self.refundable_fen:
            raise RefundExceedsPaid(self.refundable_fen)
        return replace(after, refunded_fen=self.refunded_fen + amount_fen, ended_at=now if rest else None)

    def is_for(self, account_id: str, method: Method, amount_fen: int, lock_epoch: int) -> bool:
        """Whether a request to open an attempt asks for this one again."""
        asked = (account_id, method, amount_fen, lock_epoch)
        return (self.account_id, self.method, self.amount_fen, self.lock_epoch) == asked


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of money that came: `late` money waits in the customer's unapplied account.

    `repeated` says it had been booked before and nothing moved now.
    """

    payment: Payment
    late: bool
    repeated: bool
