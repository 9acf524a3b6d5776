"""Business time: when something is open, and what an hour of open time is. Pure.

A calendar is a week of intervals in the wall time of one zone, and days that differ. The one rule everything else
follows from: *it is open at an instant exactly when the wall clock of the zone, read at that instant, lies in an
interval of that day* — or in the tail of one of the day before, for an interval may pass midnight. So a night shift
is an hour shorter when the clock jumps forward and an hour longer when it is set back, and what stands in the hour
that is skipped does not happen.

From that rule the spans of open time follow, and from the spans both sums. `add_business(t, d)` is the *earliest*
instant with `d` of open time behind it: a deadline that ends with the day ends at closing time, not at next opening.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from storage.base.errors import Invalid

DAY_MIN = 1440
INTERVALS_MAX = 8
"""Intervals of one day; nobody goes home more often."""

OVERRIDES_MAX = 400
"""Days that differ: a year of them, and some."""

HORIZON = timedelta(days=400)
"""How far ahead anybody looks for open time; a calendar with none in it counts as never open."""

EAST_MAX = timedelta(hours=16)
"""More than any zone is ahead of UTC."""

ZERO = timedelta(0)


class CalendarInvalid(Invalid):
    """These opening hours cannot be: unknown zone, interval out of the day, or two that overlap."""

    code = "calendar_invalid"


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """`[start_min, end_min)` in minutes after the midnight that begins its day; past midnight when above 1440."""

    start_min: int
    end_min: int

    def __post_init__(self) -> None:
        if not (0 <= self.start_min < DAY_MIN and self.start_min < self.end_min <= self.start_min + DAY_MIN):
            raise CalendarInvalid


Day = tuple[Interval, ...]
CLOSED: Day = ()
ALL_DAY: Day = (Interval(0, DAY_MIN),)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Opening hours. `week` begins with Monday; `overrides` replace a day's intervals, `()` closes it.

    The tail of the evening before is not part of a day and stays open when that day is overridden.
    """

    zone: str
    week: tuple[Day, ...]
    overrides: Mapping[date, Day] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises CalendarInvalid."""
        _zone(self.zone)
        if len(self.week) != 7 or len(self.overrides) > OVERRIDES_MAX:
            raise CalendarInvalid
        for day in (*self.week, *self.overrides.values()):
            if len(day) > INTERVALS_MAX or tuple(sorted(day)) != day:
                raise CalendarInvalid
            if any(left.end_min > right.start_min for left, right in pairwise(day)):
                raise CalendarInvalid("Two intervals of a day overlap.")
        self._refuse_tails()

    def _refuse_tails(self) -> None:
        """An evening must not run into the morning after it: a week in a ring, and each day that differs."""
        pairs = [(self.week[n], self.week[(n + 1) % 7]) for n in range(7)]
        for on, day in self.overrides.items():
            pairs += [(self.day(on - timedelta(days=1)), day), (day, self.day(on + timedelta(days=1)))]
        if any(left and right and left[-1].end_min - DAY_MIN > right[0].start_min for left, right in pairs):
            raise CalendarInvalid("An interval runs into one of the next day.")

    def day(self, on: date) -> Day:
        """The intervals that begin on this date."""
        return self.overrides.get(on, self.week[on.weekday()])


def always(zone: str = "UTC") -> Calendar:
    """Open day and night."""
    return Calendar(zone, (ALL_DAY,) * 7)


def spans(calendar: Calendar, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open time in `[since, until)` as instants, in order, joined where one touches the next."""
    held: tuple[datetime, datetime] | None = None
    for start, end in _pieces(calendar, since, until):
        if held is None:
            held = (start, end)
        elif start <= held[1]:
            held = (held[0], max(held[1], end))
        else:
            yield held
            held = (start, end)
    if held is not None:
        yield held


def is_open(calendar: Calendar, at: datetime) -> bool:
    wall = _wall(calendar, at)
    today, minutes = wall.date(), _minutes(wall)
    yesterday = today - timedelta(days=1)
    return any(i.start_min <= minutes < i.end_min for i in calendar.day(today)) or any(
        minutes + DAY_MIN < i.end_min for i in calendar.day(yesterday)
    )


def next_open(calendar: Calendar, at: datetime) -> datetime | None:
    """`at` when it is open then, else the next opening; None when there is none within the horizon."""
    span = open_span(calendar, at)
    return None if span is None else span[0]


def open_span(calendar: Calendar, at: datetime) -> tuple[datetime, datetime] | None:
    """The span `at` lies in, from `at` on, or the next one; None within the horizon. Ends within the horizon."""
    return next(spans(calendar, at, at + HORIZON), None)


def business_between(calendar: Calendar, since: datetime, until: datetime) -> timedelta:
    """Open time in `[since, until)`; nothing when `until` is not later."""
    return sum((end - start for start, end in spans(calendar, since, until)), ZERO)


def add_business(calendar: Calendar, at: datetime, wanted: timedelta) -> datetime | None:
    """The earliest instant with `wanted` of open time since `at`; None when the horizon has less."""
    if wanted <= ZERO:
        return at
    for start, end in spans(calendar, at, at + HORIZON):
        if end - start >= wanted:
            return start + wanted
        wanted -= end - start
    return None


def _pieces(calendar: Calendar, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    if since >= until:
        return
    on = _wall(calendar, since).date() - timedelta(days=1)
    last = _wall(calendar, until).date()
    held: list[tuple[datetime, datetime]] = []
    while on <= last:
        # Where a clock is set back past midnight, a piece of one date comes after one of the next: hold until sure.
        sure = datetime.combine(on, datetime.min.time(), UTC) - EAST_MAX
        yield from (piece for piece in held if piece[0] < sure)
        held = sorted([*(piece for piece in held if piece[0] >= sure), *_within(_instants(calendar, on), since, until)])
        on += timedelta(days=1)
    yield from held


def _within(
    pieces: Sequence[tuple[datetime, datetime]], since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    for start, end in pieces:
        if start < until and end > since:
            yield max(start, since), min(end, until)


def _instants(calendar: Calendar, on: date) -> Sequence[tuple[datetime, datetime]]:
    """What the intervals of one date are as instants: cut by each run of constant offset from UTC."""
    day = calendar.day(on)
    if not day:
        return ()
    midnight = datetime.combine(on, datetime.min.time())
    found = []
    for begin, end, offset in _offsets(calendar.zone, on):
        for interval in day:
            left = (midnight + timedelta(minutes=interval.start_min)).replace(tzinfo=UTC) - offset
            right = (midnight + timedelta(minutes=interval.end_min)).replace(tzinfo=UTC) - offset
            if max(left, begin) < min(right, end):
                found.append((max(left, begin), min(right, end)))
    return sorted(found)


@lru_cache(maxsize=4096)
def _offsets(zone: str, on: date) -> tuple[tuple[datetime, datetime, timedelta], ...]:
    """The runs of constant offset around a date, far enough on both sides for any interval that begins on it."""
    start = datetime.combine(on, datetime.min.time(), UTC) - timedelta(days=1)
    end = start + timedelta(days=4)
    runs = []
    begin = start
    while begin < end:
        offset = _offset(zone, begin)
        stop = begin
        # An hour is shorter than any two changes of a zone are apart.
        while stop < end and _offset(zone, stop) == offset:
            stop += timedelta(hours=1)
        stop = min(stop, end)
        if _offset(zone, stop) != offset:
            stop = _change(zone, stop - timedelta(hours=1), stop)
        runs.append((begin, stop, offset))
        begin = stop
    return tuple(runs)


def _change(zone: str, before: datetime, after: datetime) -> datetime:
    """The first second with the offset of `after`, which is not that of `before`."""
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + timedelta(seconds=middle)) == _offset(zone, before):
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


def _offset(zone: str, at: datetime) -> timedelta:
    return at.astimezone(_zone(zone)).utcoffset() or ZERO


def _wall(calendar: Calendar, at: datetime) -> datetime:
    return at.astimezone(_zone(calendar.zone)).replace(tzinfo=None)


def _minutes(wall: datetime) -> float:
    return wall.hour * 60 + wall.minute + (wall.second + wall.microsecond / 1e6) / 60


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise CalendarInvalid(f"There is no time zone {name[:60]!r}.") from problem
