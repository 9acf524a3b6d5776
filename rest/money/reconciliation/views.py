"""What finance sees of comparisons and differences."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rest.edge.values import Money, exactly
from rest.money.reconciliation.model import Difference, Run

Day = Annotated[str, Meta(pattern=exactly("[0-9]{4}-[0-9]{2}-[0-9]{2}"), examples=["2026-11-27"])]
"""A business day, in Shanghai."""


class ReconciliationStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: who did what, and why or with what result."""

    n: int
    at: datetime
    actor: str
    verb: str
    to_state: str
    detail: str | None

    @classmethod
    def of(cls, row: Any) -> ReconciliationStep:  # noqa: ANN401 - a row
        return cls(
            n=row["n"],
            at=row["at"],
            actor=row["actor"],
            verb=row["verb"],
            to_state=row["to_state"],
            detail=row["detail"],
        )


class ReconciliationView(msgspec.Struct, frozen=True, kw_only=True):
    """A day or a month of a channel: what its bill says, what the book says, and what lies between.

    `explained` is what the differences say of bill less book; `unexplained` is 0, or something is wrong with the book
    itself. `problem` is why there is no bill yet. Steps only where one is read.
    """

    id: str
    kind: str
    channel: str
    period_on: Day
    state: str
    lines: int
    bill_paid: Money
    bill_refunded: Money
    fee: Money
    book_paid: Money
    book_refunded: Money
    explained: Money
    unexplained: Money
    differences: int
    open: int
    problem: str | None
    version: int
    created_at: datetime
    ended_at: datetime | None
    steps: list[ReconciliationStep] | None = None

    @classmethod
    def of(cls, run: Run, steps: list[Any] | None = None) -> ReconciliationView:
        sums = run.sums
        return cls(
            id=run.id,
            kind=run.kind.value,
            channel=run.channel,
            period_on=run.period_on.isoformat(),
            state=run.state.value,
            lines=sums.line_count,
            bill_paid=Money(sums.bill_paid_fen),
            bill_refunded=Money(sums.bill_refunded_fen),
            fee=Money(sums.fee_fen),
            book_paid=Money(sums.book_paid_fen),
            book_refunded=Money(sums.book_refunded_fen),
            explained=Money(sums.gap_fen),
            unexplained=Money(sums.unexplained_fen),
            differences=run.difference_count,
            open=run.open_count,
            problem=run.problem,
            version=run.version,
            created_at=run.created_at,
            ended_at=run.ended_at,
            steps=None if steps is None else [ReconciliationStep.of(step) for step in steps],
        )


class DifferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on which bill, records and book do not agree. `gap` is what is amiss, fees apart.

    `key` is the channel's number of a payment, our number of a refund. Steps only where one is read.
    """

    id: str
    reconciliation_id: str
    channel: str
    kind: str
    state: str
    line_kind: str
    key: str
    out_trade_no: str
    trade_no: str
    billed: Money | None
    booked: Money | None
    fee: Money | None
    expected_fee: Money | None
    gap: Money
    billed_at: datetime | None
    booked_at: datetime | None
    record_state: str | None
    resolution: str | None
    reason: str | None
    by: str | None
    version: int
    found_at: datetime
    resolved_at: datetime | None
    steps: list[ReconciliationStep] | None = None

    @classmethod
    def of(cls, one: Difference, steps: list[Any] | None = None) -> DifferenceView:
        return cls(
            id=one.id,
            reconciliation_id=one.reconciliation_id,
            channel=one.channel,
            kind=one.kind.value,
            state=one.state.value,
            line_kind=one.line_kind.value,
            key=one.key,
            out_trade_no=one.out_trade_no,
            trade_no=one.trade_no,
            billed=_money(one.bill_fen),
            booked=_money(one.book_fen),
            fee=_money(one.fee_fen),
            expected_fee=_money(one.expected_fee_fen),
            gap=Money(one.gap_fen),
            billed_at=one.billed_at,
            booked_at=one.booked_at,
            record_state=one.record_state,
            resolution=None if one.resolution is None else one.resolution.value,
            reason=one.reason,
            by=one.by_id,
            version=one.version,
            found_at=one.found_at,
            resolved_at=one.resolved_at,
            steps=None if steps is None else [ReconciliationStep.of(step) for step in steps],
        )


def _money(fen: int | None) -> Money | None:
    return None if fen is None else Money(fen)
