"""What customers and finance see of channels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from rest.edge.values import Money
from rest.money import payments
from rest.money.channels import store
from rest.money.channels.model import Attempt, AttemptState, Refund
from rest.money.payments import Part, Payment, PaymentState
from storage.base.errors import NotFound
from storage.tx import Tx

Tenders = Literal["wallet", "credit", "prepaid", "bonus", "points", "wechat", "alipay", "offline"]
States = Literal["created", "review", "paid", "failed", "closed", "paid_late", "refunded"]
PartStates = Literal["planned", "held", "waiting", "paid", "late", "released", "refunded"]


class PartView(msgspec.Struct, frozen=True, kw_only=True):
    """One source of a payment. `points` are what its amount costs; `worker_id` whose credit it is.

    `state`: planned, held, waiting (for its channel), paid, late (came when nobody waited), released (nothing was
    taken, or it is back), refunded (all of it).
    """

    method: Tenders
    amount: Money
    refunded: Money
    points: int | None
    points_refunded: int | None
    worker_id: str | None
    state: PartStates

    @classmethod
    def of(cls, payment: Payment, part: Part) -> PartView:
        has_points = part.points > 0
        return cls(
            method=part.tender.value,
            amount=Money(part.amount_fen),
            refunded=Money(part.refunded_fen),
            points=part.points if has_points else None,
            points_refunded=part.points_refunded if has_points else None,
            worker_id=part.worker_id,
            state=_part_state(payment, part),
        )


def _part_state(payment: Payment, part: Part) -> PartStates:
    if part.refunded_fen == part.amount_fen:
        return "refunded"
    if payment.state in payments.OPEN:
        if part.by_channel:
            return "waiting"
        return "held" if payment.is_held else "planned"
    if payment.state is PaymentState.PAID_LATE:
        return "late" if part in payment.arriving else "released"
    return "paid" if payment.was_applied else "released"


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment and its parts. `method` is the channel it waits for; without one, that of its first part.

    `paid` is what has come: of late money only the channel's part. `params` is there while it can be paid over its
    channel. Its `kind` says what the rest is: `code` (`code_url` to scan), `jsapi` (the arguments of WeChat's payment
    call) or `trade` (`trade_no` for Alipay's payment call).
    """

    payment_id: str
    order_id: str
    method: Tenders
    state: States
    amount: Money
    paid: Money
    refunded: Money
    parts: list[PartView]
    reason: str | None
    params: dict[str, str] | None
    expires_at: datetime | None
    created_at: datetime
    paid_at: datetime | None

    @classmethod
    def of(cls, payment: Payment, attempt: Attempt | None, now: datetime) -> PaymentView:
        is_open = attempt is not None and attempt.state is AttemptState.READY and now < attempt.expires_at
        return cls(
            payment_id=payment.id,
            order_id=payment.order_id,
            method=payment.method.value,
            state=payment.state.value,
            amount=Money(payment.amount_fen),
            paid=Money(payment.paid_fen),
            refunded=Money(payment.refunded_fen),
            parts=[PartView.of(payment, part) for part in payment.parts],
            reason=payment.reason,
            params=dict(attempt.params or {}) if attempt is not None and is_open else None,
            expires_at=attempt.expires_at if attempt is not None else None,
            created_at=payment.created_at,
            paid_at=payment.paid_at,
        )


async def payment_view(tx: Tx, order_id: str) -> PaymentView:
    """The order's open payment, or the latest. The caller has checked whose order it is.

    Raises NotFound when nobody has tried to pay.
    """
    known = await payments.of_order(tx, order_id)
    if not known:
        raise NotFound
    payment = next((one for one in known if one.state in payments.OPEN), known[-1])
    return (await payment_views(tx, [payment]))[0]


async def payment_views(tx: Tx, found: Sequence[Payment]) -> list[PaymentView]:
    """Payments with how they can be paid over their channels."""
    attempts = await store.read_attempts(tx, [payment.id for payment in found])
    return [PaymentView.of(payment, attempts.get(payment.id), tx.now) for payment in found]


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """News of a channel that a person must look at. `in_suspense`: its money is booked there."""

    id: str
    channel: str
    notify_id: str
    outcome: str
    in_suspense: bool
    out_trade_no: str | None
    trade_no: str | None
    amount: Money | None
    received_at: datetime

    @classmethod
    def of(cls, row: Any, *, in_suspense: bool) -> AlarmView:  # noqa: ANN401 - a row
        return cls(
            id=row["id"],
            channel=row["channel"],
            notify_id=row["notify_id"],
            outcome=row["outcome"],
            in_suspense=in_suspense,
            out_trade_no=row["out_trade_no"],
            trade_no=row["trade_no"],
            amount=None if row["amount_fen"] is None else Money(row["amount_fen"]),
            received_at=row["received_at"],
        )


class RefundView(msgspec.Struct, frozen=True, kw_only=True):
    """A refund over a channel. `id` is the number the channel knows it by. No payment: it is of money in suspense."""

    id: str
    payment_id: str | None
    channel: str
    state: str
    amount: Money
    reason: str
    failures: int
    problem: str | None
    requested_at: datetime
    slow_at: datetime | None

    @classmethod
    def of(cls, refund: Refund) -> RefundView:
        return cls(
            id=refund.id,
            payment_id=refund.payment_id,
            channel=refund.channel,
            state=refund.state.value,
            amount=Money(refund.amount_fen),
            reason=refund.reason,
            failures=refund.failures,
            problem=refund.problem,
            requested_at=refund.requested_at,
            slow_at=refund.slow_at,
        )
