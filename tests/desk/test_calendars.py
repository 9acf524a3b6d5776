"""Business time against an oracle that looks at every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.calendars import model
from chat.calendars.model import (
    CLOSED,
    DAY_MIN,
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
)

ZONES = (
    "UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Africa/Casablanca", "America/Havana", "Africa/Cairo",
)  # fmt: skip
MINUTE = timedelta(minutes=1)
WORKWEEK = ((Interval(540, 1020),),) * 5 + (CLOSED, CLOSED)

# Days around changes of the clock in each hemisphere, a leap day, a year's end, and a plain week.
DAYS = [
    date(2026, 3, 28), date(2026, 10, 24), date(2026, 3, 7), date(2026, 4, 4), date(2024, 2, 28), date(2025, 12, 31),
    date(2026, 6, 8), date(2026, 10, 31), date(2026, 10, 28),
]  # fmt: skip


@st.composite
def days(draw: st.DrawFn) -> Day:
    marks = sorted(draw(st.sets(st.integers(0, DAY_MIN // 5), max_size=4)))
    return tuple(Interval(a * 5, b * 5) for a, b in zip(marks[::2], marks[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    week = list(draw(st.tuples(*[days()] * 7)))
    overrides = {
        day + timedelta(days=draw(st.integers(0, 4))): draw(days()) for day in draw(st.sets(st.sampled_from(DAYS)))
    }
    zone = draw(st.sampled_from(ZONES))
    if draw(st.booleans()):  # a night: its tail fits when the day after begins later
        night = Interval(draw(st.integers(1200, 1439)), draw(st.integers(1500, 1800)))
        weekday = draw(st.integers(0, 6))
        week[weekday] = (*(i for i in week[weekday] if i.end_min <= night.start_min), night)
    for candidate in (overrides, {}):
        try:
            return Calendar(zone, tuple(week), candidate)
        except CalendarInvalid:
            continue
    return Calendar(zone, WORKWEEK, {})


def minutes_open(calendar: Calendar, since: datetime, minutes: int) -> list[bool]:
    """The oracle: the wall clock read at every minute, looked up in the week. Nothing of the code under test."""
    zone = ZoneInfo(calendar.zone)
    found = []
    for n in range(minutes):
        wall = (since + n * MINUTE).astimezone(zone)
        of_day = wall.hour * 60 + wall.minute
        today = calendar.overrides.get(wall.date(), calendar.week[wall.weekday()])
        before = wall.date() - timedelta(days=1)
        yesterday = calendar.overrides.get(before, calendar.week[before.weekday()])
        found.append(
            any(i.start_min <= of_day < i.end_min for i in today)
            or any(i.start_min <= of_day + DAY_MIN < i.end_min for i in yesterday)
        )
    return found


starts = st.builds(
    lambda day, minute: datetime(day.year, day.month, day.day, tzinfo=UTC) + minute * MINUTE,
    st.sampled_from(DAYS), st.integers(-600, 2000),
)  # fmt: skip


@given(calendars(), starts, st.integers(0, 3000), st.integers(1, 1500))
def test_every_answer_is_what_the_minutes_say(calendar: Calendar, since: datetime, length: int, wanted: int) -> None:
    """S1, the calendar's half."""
    reach = 4320
    oracle = minutes_open(calendar, since, reach)
    until = since + length * MINUTE
    assert business_between(calendar, since, until) == sum(oracle[:length]) * MINUTE
    assert [is_open(calendar, since + n * MINUTE) for n in range(0, reach, 37)] == oracle[::37]

    first = next((n for n, opened in enumerate(oracle) if opened), None)
    if first is not None:
        assert next_open(calendar, since) == since + first * MINUTE
    passed = 0
    for n, opened in enumerate(oracle):
        passed += opened
        if passed == wanted:
            assert add_business(calendar, since, wanted * MINUTE) == since + (n + 1) * MINUTE
            break


@given(calendars(), starts, st.integers(0, 5000), st.integers(0, 5000))
def test_business_time_adds_up(calendar: Calendar, since: datetime, first: int, second: int) -> None:
    middle, end = since + first * MINUTE, since + (first + second) * MINUTE
    whole = business_between(calendar, since, end)
    assert whole == business_between(calendar, since, middle) + business_between(calendar, middle, end)
    reached = add_business(calendar, since, whole)
    assert reached is not None and reached <= end and business_between(calendar, since, reached) == whole


def test_the_well_known_example() -> None:
    """One hour from Friday 16:30, Monday to Friday 9 to 17: Monday 09:30."""
    calendar = Calendar("Asia/Shanghai", WORKWEEK)
    friday = datetime(2026, 1, 9, 16, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert add_business(calendar, friday, timedelta(hours=1)) == friday.replace(day=12, hour=9)
    closed = Calendar("Asia/Shanghai", WORKWEEK, {date(2026, 1, 12): CLOSED, date(2026, 1, 10): (Interval(600, 615),)})
    assert add_business(closed, friday, timedelta(hours=1)) == friday.replace(day=13, hour=9, minute=15)


def test_a_deadline_that_ends_with_the_day_ends_at_closing_time() -> None:
    calendar = Calendar("Asia/Shanghai", WORKWEEK)
    friday = datetime(2026, 1, 9, 16, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert add_business(calendar, friday, timedelta(minutes=30)) == friday.replace(hour=17, minute=0)
    assert add_business(calendar, friday.replace(hour=20), timedelta(0)) == friday.replace(hour=20)


@pytest.mark.parametrize(("day", "hours"), [(28, 7), (21, 8)])
def test_a_night_shift_loses_the_hour_the_clock_skips(day: int, hours: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    calendar = Calendar("Europe/Berlin", ((Interval(1320, 1800),),) * 7)
    evening = datetime(2026, 3, day, 22, tzinfo=berlin)
    assert business_between(calendar, evening, (evening + timedelta(days=1)).replace(hour=12)) == timedelta(hours=hours)


def test_a_calendar_that_never_opens_has_no_deadline() -> None:
    never = Calendar("UTC", (CLOSED,) * 7)
    at = datetime(2026, 1, 9, tzinfo=UTC)
    assert (next_open(never, at), open_span(never, at), add_business(never, at, MINUTE)) == (None, None, None)
    assert open_span(always(), at) == (at, at + model.HORIZON)


@pytest.mark.parametrize(
    ("zone", "week", "overrides"),
    [
        ("Mars/Base", WORKWEEK, {}),
        ("../etc/passwd", WORKWEEK, {}),
        ("UTC", WORKWEEK[:6], {}),
        ("UTC", ((Interval(540, 720), Interval(700, 800)),) * 7, {}),
        ("UTC", ((Interval(700, 800), Interval(540, 600)),) * 7, {}),
        ("UTC", ((Interval(60, 120), Interval(1320, 1510)),) * 7, {}),
        ("UTC", WORKWEEK, {date(2026, 1, 5): (Interval(1320, 2000),)}),
        ("UTC", (tuple(Interval(n * 10, n * 10 + 5) for n in range(9)),) * 7, {}),
    ],
)  # fmt: skip
def test_hours_that_cannot_be_are_refused(zone: str, week: tuple[Day, ...], overrides: dict[date, Day]) -> None:
    with pytest.raises(CalendarInvalid):
        Calendar(zone, week, overrides)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (9, 3), (1440, 1450), (100, 1541)])
def test_an_interval_is_a_piece_of_a_day(start: int, end: int) -> None:
    with pytest.raises(CalendarInvalid):
        Interval(start, end)
