"""What customers and finance see of channels."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from rest.edge.values import Money
from rest.money import payments
from rest.money.channels import store
from rest.money.channels.model import AttemptState, Refund
from rest.money.payments import PaymentState
from storage.base.errors import NotFound
from storage.tx import Tx


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """The order's open attempt to pay, or the latest.

    `params` is there while it can be paid over its channel. Its `kind` says what the rest is: `code` (`code_url` to
    scan), `jsapi` (the arguments of WeChat's payment call) or `trade` (`trade_no` for Alipay's payment call).
    """

    payment_id: str
    order_id: str
    method: Literal["wallet", "wechat", "alipay"]
    state: Literal["created", "paid", "failed", "closed", "paid_late", "refunded"]
    amount: Money
    refunded: Money
    params: dict[str, str] | None
    expires_at: datetime | None
    created_at: datetime


async def payment_view(tx: Tx, order_id: str) -> PaymentView:
    """The caller has checked whose order it is. Raises NotFound when nobody has tried to pay."""
    known = await payments.of_order(tx, order_id)
    if not known:
        raise NotFound
    payment = next((one for one in known if one.state is PaymentState.CREATED), known[-1])
    attempt = await store.read_attempt(tx, payment.id)
    is_open = attempt is not None and attempt.state is AttemptState.READY and tx.now < attempt.expires_at
    return PaymentView(
        payment_id=payment.id,
        order_id=order_id,
        method=payment.method.value,
        state=payment.state.value,
        amount=Money(payment.amount_fen),
        refunded=Money(payment.refunded_fen),
        params=dict(attempt.params or {}) if attempt is not None and is_open else None,
        expires_at=attempt.expires_at if attempt is not None else None,
        created_at=payment.created_at,
    )


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
        )
