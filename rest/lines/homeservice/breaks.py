"""An order that breaks off: what its policy says now, and what the penalty is made of. Pure.

Source: HS-116, HS-129, HS-130, HS-159; spec part 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rest.lines.homeservice.model import ACCEPTED, CANCEL_REQUESTED, ON_THE_WAY, PAID, REJECTED, Job
from rest.money.refunds.ladder import Occasion, Outcome, execute, preview
from rest.money.refunds.ready import AFTER_DEPARTURE, BEFORE_DEPARTURE
from rest.money.settlement import Basis
from storage.base.money import share_bps

BEFORE = (PAID, ACCEPTED, REJECTED, CANCEL_REQUESTED)
"""Paid, and nobody has departed: all goes back."""

BREAKABLE = (*BEFORE, *ON_THE_WAY)
"""Where an order may still be cancelled, for nothing or for a penalty."""


def _asked(job: Job, now: datetime, *, no_show: bool) -> tuple[Occasion, dict[str, int]]:
    stage = AFTER_DEPARTURE if job.order.status in ON_THE_WAY else BEFORE_DEPARTURE
    amounts = {"paid": job.order.kept_fen, "item": job.visit.item_fen, "travel": job.visit.travel_fen or 0}
    return Occasion(now=now, start_at=job.visit.start_at, stage=stage, no_show=no_show), amounts


def outcome_now(job: Job, now: datetime) -> Outcome:
    """What is kept and what goes back if the customer's order ended now."""
    occasion, amounts = _asked(job, now, no_show=False)
    return preview(job.policy, occasion, amounts)


def outcome_done(job: Job, now: datetime, *, shown: str | None = None, no_show: bool = False) -> Outcome:
    """The same, for doing it. Raises PreviewChanged when the caller was shown something else."""
    occasion, amounts = _asked(job, now, no_show=no_show)
    return execute(job.policy, occasion, amounts, subject_id=job.order.id, shown=shown)


def penalty_parts(outcome: Outcome) -> dict[str, int]:
    """What the timeline says of a penalty; everything that is not travel counts as the items'."""
    travel_fen = outcome.parts.get("travel", 0)
    return {"penalty_item_fen": outcome.fee_fen - travel_fen, "penalty_travel_fen": travel_fen}


def penalty_basis(job: Job, parts: Mapping[str, Any]) -> Basis:
    """A penalty is shared out by itself: travel to the technician, the rest by his rate, no channels (HS-159)."""
    return Basis(
        kept=job.order.kept_fen,
        rate_bps=job.order.snapshot["technician_rate_bps"],
        penalty_item=parts["penalty_item_fen"],
        penalty_travel=parts["penalty_travel_fen"],
    )


def technician_penalty(job: Job) -> int:
    """What a technician owes who will not go on, fen (HS-130)."""
    return share_bps(job.visit.item_fen, job.rules.technician_penalty_bps)


def wait_left_s(job: Job, now: datetime) -> int:
    """Whole seconds a technician must still wait at a closed door; 0 when more than the time has passed (HS-127)."""
    assert job.visit.wait_started_at is not None  # noqa: S101 - the caller has looked
    left = job.visit.wait_started_at + timedelta(seconds=job.rules.wait_s) - now
    return 0 if left < timedelta(0) else max(1, -(-left // timedelta(seconds=1)))
