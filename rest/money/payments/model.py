"""A payment and its parts as values, and its transition table. Pure. Source: spec 5.7, `Payment`; FR-064, RV-278."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from rest.money.payments.spreading import Share, spread
from rest.money.wallet.model import RefundExceedsPaid
from storage.base.errors import Conflict


class Tender(StrEnum):
    """What a part is paid with. The last three are confirmed by somebody else: a channel, or a person at the bank.

    `prepaid` is what a customer paid in himself and `bonus` what he was given for it; he asks for both as `prepaid`.
    """

    WALLET = "wallet"
    CREDIT = "credit"
    PREPAID = "prepaid"
    BONUS = "bonus"
    POINTS = "points"
    WECHAT = "wechat"
    ALIPAY = "alipay"
    OFFLINE = "offline"


Method = Tender
"""A payment of one part is said to be made by this method."""

CHANNELS = frozenset({Tender.WECHAT, Tender.ALIPAY, Tender.OFFLINE})


class PaymentState(StrEnum):
    """Where a payment stands. `review`: a person compares a bank transfer with the statement."""

    CREATED = "created"
    REVIEW = "review"
    PAID = "paid"
    FAILED = "failed"
    CLOSED = "closed"
    PAID_LATE = "paid_late"
    REFUNDED = "refunded"


_CREATED, _REVIEW, _PAID = PaymentState.CREATED, PaymentState.REVIEW, PaymentState.PAID
_FAILED, _CLOSED = PaymentState.FAILED, PaymentState.CLOSED
_LATE, _REFUNDED = PaymentState.PAID_LATE, PaymentState.REFUNDED

OPEN = frozenset({_CREATED, _REVIEW})

TRANSITIONS: Mapping[tuple[PaymentState, str], PaymentState] = {
    (_CREATED, "submit"): _REVIEW,
    **{(state, "settle"): _PAID for state in (_CREATED, _REVIEW)},
    **{(state, "fail"): _FAILED for state in (_CREATED, _REVIEW)},
    **{(state, "close"): _CLOSED for state in (_CREATED, _REVIEW)},
    # Money that came although nobody waited for it any more, or for another lock than it was meant for.
    **{(state, "arrive_late"): _LATE for state in (_CREATED, _REVIEW, _FAILED, _CLOSED)},
    (_LATE, "hold_again"): _LATE,
    (_LATE, "restore"): _PAID,
    (_LATE, "give_back"): _REFUNDED,
    (_PAID, "refund_part"): _PAID,
    (_PAID, "refund_rest"): _REFUNDED,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))

MONEY_IS_IN = frozenset({_PAID, _LATE, _REFUNDED})
"""States of payments whose money has come."""

RETURNED = "paid_late"
"""The reason of a payment whose late money went back: it was never its order's."""


class WrongPaymentState(Conflict):
    """This payment is past that."""

    code = "payment_state"


@dataclass(frozen=True, slots=True)
class Part:
    """What one source gives. Units: fen, and for `points` how many points that costs. `worker_id`: whose credit."""

    tender: Tender
    amount_fen: int
    points: int = 0
    worker_id: str | None = None
    refunded_fen: int = 0
    points_refunded: int = 0

    @property
    def by_channel(self) -> bool:
        return self.tender in CHANNELS

    def refunded(self, amount_fen: int) -> Part:
        """The part after giving back this much more; points go back in proportion, the last ones with the last fen."""
        given = self.refunded_fen + amount_fen
        return replace(self, refunded_fen=given, points_refunded=self.points * given // self.amount_fen)


@dataclass(frozen=True, slots=True)
class Leg:
    """One part's share of a refund: the `n`th part of this payment gives so much."""

    payment_id: str
    n: int
    tender: Tender
    amount_fen: int
    points: int


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay. Units: fen. `lock_epoch` is the order's when it was opened or restored.

    `method` is the channel it waits for; without one, the tender of its first part. `paid_fen` is what has come: of
    late money only the channel's part. `is_held`: the other parts lie on the payment's own accounts. `ref` is the
    channel's own number of the money. `counted_on` is the business day whose limit it counts against.
    """

    id: str
    order_id: str
    account_id: str
    method: Tender
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
    paid_fen: int = 0
    is_held: bool = False
    counted_on: date | None = None
    parts: tuple[Part, ...] = ()

    @property
    def refundable_fen(self) -> int:
        """What is left of this payment's money."""
        return self.paid_fen - self.refunded_fen if self.state is PaymentState.PAID else 0

    @property
    def was_applied(self) -> bool:
        """Whether its money has been its order's: paid, and perhaps given back since."""
        return self.state is _PAID or (self.state is _REFUNDED and self.reason != RETURNED)

    @property
    def channel_part(self) -> Part | None:
        """The part that somebody else confirms."""
        return next((part for part in self.parts if part.by_channel), None)

    @property
    def inner_parts(self) -> tuple[Part, ...]:
        """The parts that are ours to move."""
        return tuple(part for part in self.parts if not part.by_channel)

    @property
    def arriving(self) -> tuple[Part, ...]:
        """What comes when its money comes without anybody waiting for it: the channel's part, where there is one."""
        part = self.channel_part
        return (part,) if part is not None else self.parts

    def after(self, verb: str) -> Payment:
        """The payment after this verb. Raises WrongPaymentState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongPaymentState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    def spread(self, amount_fen: int) -> list[int]:
        """What each part gives of a refund. Raises WrongPaymentState, RefundExceedsPaid."""
        if self.state is not PaymentState.PAID:
            raise WrongPaymentState(state=self.state.value)
        if amount_fen > self.refundable_fen:
            raise RefundExceedsPaid(self.refundable_fen)
        return spread(amount_fen, [share_of(part) for part in self.parts])

    def refunded(self, given: Sequence[int], now: datetime) -> Payment:
        """The payment after its parts gave this much each. Raises WrongPaymentState."""
        amount_fen = sum(given)
        is_rest = amount_fen == self.refundable_fen
        after = self.after("refund_rest" if is_rest else "refund_part")
        return replace(
            after,
            refunded_fen=self.refunded_fen + amount_fen,
            ended_at=now if is_rest else None,
            parts=tuple(part.refunded(fen) for part, fen in zip(self.parts, given, strict=True)),
        )

    def is_for(self, account_id: str, parts: Sequence[Part], lock_epoch: int) -> bool:
        """Whether a request to open a payment asks for this one again; how prepaid money is made up is not asked."""
        asked = (account_id, _asked(parts), lock_epoch)
        return (self.account_id, _asked(self.parts), self.lock_epoch) == asked


def share_of(part: Part) -> Share:
    return Share(part.amount_fen, part.refunded_fen, part.by_channel)


def method_of(parts: Sequence[Part]) -> Tender:
    """What a payment of these parts is said to be made with."""
    return next((part.tender for part in parts if part.by_channel), parts[0].tender)


def summary(parts: Sequence[Part]) -> list[dict[str, object]]:
    """Parts as timelines and facts say them."""
    return [
        {"method": part.tender.value, "amount_fen": part.amount_fen, **({"points": part.points} if part.points else {})}
        for part in parts
    ]


def _asked(parts: Sequence[Part]) -> dict[tuple[Tender, str | None], int]:
    found: dict[tuple[Tender, str | None], int] = {}
    for part in parts:
        tender = Tender.PREPAID if part.tender is Tender.BONUS else part.tender
        found[tender, part.worker_id] = found.get((tender, part.worker_id), 0) + part.amount_fen
    return found


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of money that came: `late` money waits in the customer's unapplied account.

    `repeated` says it had been booked before and nothing moved now.
    """

    payment: Payment
    late: bool
    repeated: bool
