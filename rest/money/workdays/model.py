"""Counting working days. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from storage.base.clock import business_day, day_begins

LOOKED_AHEAD = timedelta(days=60)
"""How far a wait of a few working days can reach: over the longest holidays, and some."""
_SATURDAY = 5
_DAY = timedelta(days=1)


def works(day: date, odd: Mapping[date, bool]) -> bool:
    """Whether this is a working day."""
    return odd.get(day, day.weekday() < _SATURDAY)


def end_of_wait(since: datetime, working_days: int, odd: Mapping[date, bool]) -> datetime:
    """The instant at which so many whole working days have passed after the day of `since`.

    That day itself does not count, whatever its hour. A wait that meets nothing but holidays ends with what is looked
    at.
    """
    first = day = business_day(since)
    while working_days and day < first + LOOKED_AHEAD:
        day += _DAY
        working_days -= works(day, odd)
    return day_begins(day + _DAY)
