"""Levels and the time they give: calendar months, what is left of the money paid, renewals and upgrades. Pure.

Source: HS-188.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from storage.base.clock import BUSINESS_ZONE
from storage.base.money import share_bps


def add_months(at: datetime, months: int) -> datetime:
    """The same time of day so many calendar months later in the business zone; at the month's end if it is shorter."""
    local = at.astimezone(BUSINESS_ZONE)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One version of a level: what it costs and gives. It never changes. Units: fen, months, basis points."""

    code: str
    version: int
    line: str
    name: Mapping[str, str]
    rank: int
    price_fen: int
    months: int
    discount_bps: int
    coupon_templates: tuple[str, ...]
    on_sale: bool
    changed_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a member has now: so many basis points off the items of the line, until then."""

    level: str
    discount_bps: int
    ends_at: datetime

    def off(self, item_fen: int) -> int:
        """What the member's discount takes off items of this amount."""
        return share_bps(item_fen, self.discount_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The time a membership runs and what it is: `[since, ends_at)`, which is `months` after `anchor_at`.

    `worth_fen`: what of the money paid was not used up at `worth_at`; it wears off evenly until `ends_at`.
    """

    level: str
    level_version: int
    rank: int
    discount_bps: int
    since: datetime
    anchor_at: datetime
    months: int
    ends_at: datetime
    worth_fen: int
    worth_at: datetime

    def left_fen(self, now: datetime) -> int:
        """What is not used up by now."""
        if now >= self.ends_at:
            return 0
        unit = timedelta(microseconds=1)
        return self.worth_fen * ((self.ends_at - max(now, self.worth_at)) // unit) // (
            (self.ends_at - self.worth_at) // unit
        )


def begun(level: Level, now: datetime) -> Run:
    """A run that begins now."""
    return Run(
        level=level.code,
        level_version=level.version,
        rank=level.rank,
        discount_bps=level.discount_bps,
        since=now,
        anchor_at=now,
        months=level.months,
        ends_at=add_months(now, level.months),
        worth_fen=level.price_fen,
        worth_at=now,
    )


def renewed(run: Run, level: Level, now: datetime) -> Run:
    """The run with this level's months added to its end, counted from its anchor: Jan 31, Feb 28, Mar 31."""
    months = run.months + level.months
    return replace(
        run,
        level_version=level.version,
        discount_bps=level.discount_bps,
        months=months,
        ends_at=add_months(run.anchor_at, months),
        worth_fen=run.left_fen(now) + level.price_fen,
        worth_at=now,
    )


def upgraded(run: Run, level: Level, now: datetime) -> Run:
    """A run of the higher level from now; what is left of the old one is time in front of it.

    That is as much time as its money buys of the new level, to the second, and never more than was left.
    """
    left_fen = run.left_fen(now)
    second, whole = timedelta(seconds=1), add_months(now, level.months) - now
    bought_s = left_fen * (whole // second) // level.price_fen
    carried = second * min(bought_s, (run.ends_at - now) // second)
    fresh = begun(level, now)
    return replace(
        fresh,
        since=run.since,
        anchor_at=now + carried,
        ends_at=add_months(now + carried, level.months),
        worth_fen=left_fen + level.price_fen,
    )
