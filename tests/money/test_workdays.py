"""Working days, counted day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.money.workdays import end_of_wait
from storage.base.clock import business_day, day_begins

FRIDAY = datetime(2026, 1, 9, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "odd", "ends_on"),
    [
        (datetime(2026, 1, 5, 2, 0, tzinfo=UTC), {}, date(2026, 1, 9)),  # Monday: Tuesday to Thursday
        (datetime(2026, 1, 5, 15, 59, tzinfo=UTC), {}, date(2026, 1, 9)),  # late on Monday in Shanghai
        (datetime(2026, 1, 5, 16, 0, tzinfo=UTC), {}, date(2026, 1, 10)),  # Tuesday there
        (FRIDAY, {}, date(2026, 1, 15)),  # over a weekend
        (datetime(2026, 1, 10, 2, 0, tzinfo=UTC), {}, date(2026, 1, 15)),  # a Saturday
        (FRIDAY, {date(2026, 1, 12): False}, date(2026, 1, 16)),  # and a holiday
        (FRIDAY, {date(2026, 1, 10): True}, date(2026, 1, 14)),  # and a Saturday that is worked
    ],
)
def test_three_working_days(since: datetime, odd: dict[date, bool], ends_on: date) -> None:
    assert end_of_wait(since, 3, odd) == day_begins(ends_on)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.integers(1, 9),
    st.dictionaries(st.integers(0, 30), st.booleans(), max_size=12),
)
def test_there_are_just_so_many_working_days_in_a_wait(since: datetime, number: int, odd: dict[int, bool]) -> None:
    first = business_day(since)
    differs = {first + timedelta(days=n): works for n, works in odd.items()}
    last = business_day(end_of_wait(since, number, differs)) - timedelta(days=1)
    days = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    worked = [day for day in days if differs.get(day, day.isoweekday() <= 5)]
    assert (len(worked), worked[-1]) == (number, last)
