"""Calendars: business time, for opening hours, shifts and service levels.

Tables    calendars (a week of intervals, days that differ, a zone)
Calls     storage only
Tells     nothing; whoever changes hours tells what follows from it
Promises  it is open exactly when the wall clock of the zone lies in an interval, over changes of the clock too;
          hours that overlap are refused when they are written
Source    FR-146, support anchors §2.7; the oracle in tests/desk looks at every minute
"""

from chat.calendars.actions import (
    calendar_of,
    create_calendar,
    find_calendar,
    lock_calendar,
    save_calendar,
)
from chat.calendars.model import (
    ALL_DAY,
    CLOSED,
    Calendar,
    CalendarInvalid,
    Day,
    Interval,
    add_business,
    always,
    business_between,
    is_open,
    next_open,
    open_span,
    spans,
)
from chat.calendars.records import Stored

__all__ = [
    "ALL_DAY",
    "CLOSED",
    "Calendar",
    "CalendarInvalid",
    "Day",
    "Interval",
    "Stored",
    "add_business",
    "always",
    "business_between",
    "calendar_of",
    "create_calendar",
    "find_calendar",
    "is_open",
    "lock_calendar",
    "next_open",
    "open_span",
    "save_calendar",
    "spans",
]
