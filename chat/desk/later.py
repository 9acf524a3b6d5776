"""When what was put aside comes back: the times people mean by a word, on the wall clock of the desk. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from chat.desk.errors import SnoozeTime

EVENING = time(18)
MORNING = time(9)
SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=30)


class Later(StrEnum):
    """In an hour, today at six in the evening, tomorrow at nine."""

    HOUR = "hour"
    EVENING = "evening"
    TOMORROW = "tomorrow"


def instant_of(later: Later, now: datetime, zone: str) -> datetime:
    """Raises SnoozeTime for this evening once it has begun."""
    if later is Later.HOUR:
        return now + timedelta(hours=1)
    here = now.astimezone(ZoneInfo(zone))
    if later is Later.EVENING:
        return checked(datetime.combine(here.date(), EVENING, here.tzinfo).astimezone(now.tzinfo), now)
    return datetime.combine(here.date() + timedelta(days=1), MORNING, here.tzinfo).astimezone(now.tzinfo)


def checked(until: datetime, now: datetime) -> datetime:
    """Raises SnoozeTime."""
    if not now + SHORTEST <= until <= now + LONGEST:
        raise SnoozeTime
    return until
