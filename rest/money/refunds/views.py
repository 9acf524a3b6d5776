"""What customers, providers and finance see of refunds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from rest.edge.values import Money
from rest.money.refunds.ladder import Policy
from rest.money.refunds.model import Event, Leg, Request, RequestState, progress
from rest.money.refunds.ready import policy_of
from storage.base import codec


class LegView(msgspec.Struct, frozen=True, kw_only=True):
    """One way the money goes back. `state`: done, or as the channel says requested, accepted, manual."""

    method: str
    amount: Money
    state: str

    @classmethod
    def of(cls, leg: Leg) -> LegView:
        return cls(method=leg.method, amount=Money(leg.amount_fen), state=leg.state)


class RefundRequestView(msgspec.Struct, frozen=True, kw_only=True):
    """A refund request. `progress` of an executed one: processing, succeeded, or manual: a person sees to it."""

    id: str
    order_id: str
    state: str
    progress: str | None
    amount: Money
    approved: Money | None
    reason: str
    note: str
    opinion: str | None
    legs: list[LegView]
    version: int
    requested_at: datetime
    changed_at: datetime
    executed_at: datetime | None

    @classmethod
    def of(cls, one: Request, legs: list[Leg]) -> RefundRequestView:
        return cls(
            id=one.id,
            order_id=one.subject.order_id,
            state=one.state.value,
            progress=progress(legs) if one.state is RequestState.EXECUTED else None,
            amount=Money(one.amount_fen),
            approved=None if one.approved_fen is None else Money(one.approved_fen),
            reason=one.reason.value,
            note=one.note,
            opinion=one.opinion,
            legs=[LegView.of(leg) for leg in legs],
            version=one.version,
            requested_at=one.requested_at,
            changed_at=one.changed_at,
            executed_at=one.executed_at,
        )


class RefundStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: who did what, and the reason, opinion or comment."""

    n: int
    at: datetime
    actor: str
    verb: str
    to_state: str
    detail: str | None


class RefundForFinance(msgspec.Struct, frozen=True, kw_only=True):
    """A refund request as staff see it: who asks, under which policy, whose word it has. Events where one is read."""

    id: str
    order_id: str
    line: str
    customer_id: str
    worker_id: str | None
    asked_by: str
    state: str
    progress: str | None
    amount: Money
    approved: Money | None
    second_over: Money
    approved_by: str | None
    reason: str
    note: str
    opinion: str | None
    policy: str
    policy_version: int
    legs: list[LegView]
    version: int
    requested_at: datetime
    changed_at: datetime
    executed_at: datetime | None
    events: list[RefundStep] | None = None

    @classmethod
    def of(cls, one: Request, legs: list[Leg], events: list[Event] | None = None) -> RefundForFinance:
        return cls(
            id=one.id,
            order_id=one.subject.order_id,
            line=one.subject.line,
            customer_id=one.subject.customer_id,
            worker_id=one.subject.worker_id,
            asked_by=str(one.asker),
            state=one.state.value,
            progress=progress(legs) if one.state is RequestState.EXECUTED else None,
            amount=Money(one.amount_fen),
            approved=None if one.approved_fen is None else Money(one.approved_fen),
            second_over=Money(one.second_over_fen),
            approved_by=one.approved_by,
            reason=one.reason.value,
            note=one.note,
            opinion=one.opinion,
            policy=one.policy,
            policy_version=one.policy_version,
            legs=[LegView.of(leg) for leg in legs],
            version=one.version,
            requested_at=one.requested_at,
            changed_at=one.changed_at,
            executed_at=one.executed_at,
            events=None if events is None else [_step(event) for event in events],
        )


def _step(event: Event) -> RefundStep:
    return RefundStep(
        n=event.n,
        at=event.at,
        actor=event.actor,
        verb=event.verb,
        to_state=event.to_state,
        detail=event.detail,
    )


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a refund policy, who published it and why; the first ones come with the product."""

    name: str
    version: int
    policy: Policy
    note: str | None
    by: str | None
    created_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> PolicyView:  # noqa: ANN401 - a row
        return cls(
            name=row["name"],
            version=row["version"],
            policy=policy_of(codec.loads(row["content"])),
            note=row["note"],
            by=row["by_id"],
            created_at=row["created_at"],
        )

    @classmethod
    def ready(cls, policy: Policy) -> PolicyView:
        return cls(name=policy.name, version=policy.version, policy=policy, note=None, by=None, created_at=None)


class StatisticsRow(msgspec.Struct, frozen=True, kw_only=True):
    """Executed requests of one reason, line or day: how many, how much, mean seconds from asking to giving."""

    key: str
    count: int
    amount: Money
    mean_s: int


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Of requests executed in [since, until); days are days of Shanghai."""

    by: str
    since: datetime
    until: datetime
    count: int
    amount: Money
    data: list[StatisticsRow]

    @classmethod
    def of(cls, by: str, since: datetime, until: datetime, rows: list[Any]) -> Statistics:
        data = [
            StatisticsRow(key=row["key"], count=row["count"], amount=Money(row["amount_fen"]), mean_s=row["mean_s"])
            for row in rows
        ]
        count, fen = sum(row.count for row in data), sum(row.amount.amount for row in data)
        return cls(by=by, since=since, until=until, count=count, amount=Money(fen), data=data)
