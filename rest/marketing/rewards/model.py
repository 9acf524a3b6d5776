"""Rules of rewards as values: how many points an event gives. Pure.

Source: FR-092, FR-093; RV 5.16.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from storage.base.errors import Malformed

FEN_PER_100_YUAN = 10_000


class Event(StrEnum):
    """What points are given for."""

    ORDER_COMPLETED = "order_completed"
    REVIEW = "review"
    REFERRAL = "referral"
    TASK = "task"
    CHECK_IN = "check_in"
    ACTIVITY = "activity"


class RewardRuleInvalid(Malformed):
    """This rule gives nothing."""

    code = "reward_rule_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One version. Units: points; seconds until they may be spent (the after-sale window); days they live then.

    `fixed` for the event itself, `per_100_yuan` for what was paid and kept. Raises RewardRuleInvalid.
    """

    event: Event
    line: str
    version: int
    active: bool
    fixed: int
    per_100_yuan: int
    points_max: int
    pending_s: int
    valid_days: int | None
    changed_by: str
    created_at: datetime

    def __post_init__(self) -> None:
        if self.active and not self.fixed and not self.per_100_yuan:
            raise RewardRuleInvalid("Give points for the event or for what is paid.", field="fixed")

    def way(self) -> dict[str, str | int]:
        """What whoever wants points is told of it."""
        return {
            "event": self.event.value,
            "line": self.line,
            "fixed": self.fixed,
            "per_100_yuan": self.per_100_yuan,
            "points_max": self.points_max,
        }

    def points(self, kept_fen: int) -> int:
        """What it gives for so much kept: rounded down, never more than its maximum; nothing when nothing is kept of
        what was paid."""
        if kept_fen == 0 and self.per_100_yuan:
            return 0
        return min(self.points_max, self.fixed + kept_fen * self.per_100_yuan // FEN_PER_100_YUAN)

    def available_at(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.pending_s)

    def expires_at(self, now: datetime) -> datetime | None:
        return None if self.valid_days is None else self.available_at(now) + timedelta(days=self.valid_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What was given for one event, and how much of what was paid is still kept."""

    ref: str
    account_id: str
    event: Event
    line: str
    rule: int
    base_fen: int
    kept_fen: int
    points: int
    version: int
    created_at: datetime
