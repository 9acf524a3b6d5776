"""Feedback as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from storage.base.errors import Conflict, Invalid, TooMany

DAY_MAX = 5
"""Of one account in a business day (FR-193)."""
DAYS_MAX = 366
"""Of statistics."""


class Side(StrEnum):
    """As whom somebody says it."""

    CUSTOMER = "customer"
    WORKER = "worker"
    TENANT = "tenant"


class FeedbackState(StrEnum):
    """Where it stands."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    ANSWERED = "answered"
    CLOSED = "closed"


_OPEN, _IN_PROGRESS, _ANSWERED, _CLOSED = FeedbackState

TRANSITIONS: Mapping[tuple[FeedbackState, str], FeedbackState] = {
    (_OPEN, "take"): _IN_PROGRESS,
    (_OPEN, "answer"): _ANSWERED,
    (_OPEN, "close"): _CLOSED,
    (_IN_PROGRESS, "answer"): _ANSWERED,
    (_IN_PROGRESS, "close"): _CLOSED,
    # A better answer takes the place of the first
    (_ANSWERED, "answer"): _ANSWERED,
    (_ANSWERED, "close"): _CLOSED,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class WrongFeedbackState(Conflict):
    """This feedback is closed, or past that."""

    code = "feedback_state"


class FeedbackEmpty(Invalid):
    """Please write something."""

    code = "feedback_empty"


class ReplyMissing(Invalid):
    """An answer has words."""

    code = "reply_missing"


class FeedbackLimit(TooMany):
    """You have sent as much feedback as one may in a day."""

    code = "feedback_limit"
    retry = False


class PeriodInvalid(Invalid):
    """The period ends before it begins, or is too long."""

    code = "period_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What somebody said. `day`: of the business."""

    id: str
    account_id: str
    side: Side
    tenant_id: str | None
    kind: str
    body: str
    file_ids: tuple[str, ...]
    state: FeedbackState
    day: date
    created_at: datetime
    changed_at: datetime
    reply: str | None = None
    handled_by: str | None = None
    replied_at: datetime | None = None
    version: int = 1

    def after(self, verb: str, now: datetime, *, by_id: str, reply: str | None) -> Feedback:
        """The feedback after this verb. Raises WrongFeedbackState, ReplyMissing."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongFeedbackState(state=self.state.value, verb=verb)
        words = None if reply is None else reply.strip()
        if verb == "answer" and not words:
            raise ReplyMissing
        changes: dict[str, Any] = {"reply": words, "replied_at": now} if words else {}
        return replace(self, state=state, handled_by=by_id, changed_at=now, version=self.version + 1, **changes)


def side_of(*, is_worker: bool, tenant_id: str | None) -> Side:
    """As whom: a tenant's staff for the tenant, a worker as one, everybody else as a customer."""
    if tenant_id is not None:
        return Side.TENANT
    return Side.WORKER if is_worker else Side.CUSTOMER


def words_of(text: str) -> str:
    """Without blanks around it. Raises FeedbackEmpty."""
    words = text.strip()
    if not words:
        raise FeedbackEmpty
    return words


def check_period(since: date, until: date) -> None:
    """Raises PeriodInvalid."""
    if not 0 <= (until - since).days < DAYS_MAX:
        raise PeriodInvalid(days_max=DAYS_MAX)
