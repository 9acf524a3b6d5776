"""Where days begin and end for both channels, and for the books kept with them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))


def day_of(at: datetime) -> date:
    """The business day of an instant."""
    return at.astimezone(SHANGHAI).date()


def begin_of(day: date) -> datetime:
    """The instant a business day begins."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def local(at: datetime) -> str:
    """As both channels write instants."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
