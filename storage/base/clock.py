"""The only door to the time of day, and the zone whose days are those of the business.

Business code reads `tx.now`, which comes from the clock given to `Database`; tests move a `ManualClock`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")
"""Calendar days of the business (order numbers, limits, bills, papers) are days of this zone."""


def business_day(at: datetime) -> date:
    """The business day of an instant."""
    return at.astimezone(BUSINESS_ZONE).date()


def day_begins(day: date) -> datetime:
    """The instant a business day begins."""
    return datetime.combine(day, time(), BUSINESS_ZONE).astimezone(UTC)


def wall_time(at: datetime) -> str:
    """An instant as a clock of the business shows it: 2026-01-31 08:05:00."""
    return f"{at.astimezone(BUSINESS_ZONE):%Y-%m-%d %H:%M:%S}"


class Clock(Protocol):
    """Says what time it is: an aware UTC instant, never going back within one process."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock, held from running backwards when the machine is stepped."""

    def __init__(self) -> None:
        self._last = datetime.now(UTC)

    def now(self) -> datetime:
        now = datetime.now(UTC)
        if now > self._last:  # noqa: PLR1730 - asked several times for each position, and max() costs as much again
            self._last = now
        return self._last


class ManualClock:
    """A clock that moves only when told to; what tests and simulations use."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware instant")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0) -> None:
        """Move forward by the sum of the given durations."""
        step = timedelta(seconds=seconds, minutes=minutes, hours=hours)
        if step < timedelta(0):
            raise ValueError("time does not run backwards")
        self._now += step
