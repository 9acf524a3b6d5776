"""Estimates grow with the distance, and hold on real trips."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import haversine_m
from geo.eta import eta, eta_s
from geo.point import Point
from tests.geo.data import taxi_trips

metres = st.floats(0, 50_000)
speeds = st.none() | st.floats(0, 60)


def test_two_kilometres_take_between_four_and_eleven_minutes() -> None:
    estimate = eta(2_000)
    assert estimate.seconds == pytest.approx(398, abs=1)
    assert estimate.low_s == pytest.approx(239, abs=1)
    assert estimate.high_s == pytest.approx(677, abs=1)


@pytest.mark.parametrize(("speed_mps", "seconds"), [(None, 398), (0.0, 398), (0.5, 569), (6.28, 398), (40.0, 352)])
def test_the_speed_of_the_moment_moves_the_estimate_a_little(speed_mps: float | None, seconds: float) -> None:
    assert eta_s(2_000, speed_mps) == pytest.approx(seconds, abs=1)


@given(metres, metres, speeds)
def test_further_is_later_and_the_estimate_lies_in_its_range(one: float, other: float, speed: float | None) -> None:
    near, far = sorted((one, other))
    assert eta_s(near, speed) <= eta_s(far, speed)
    estimate = eta(far, speed)
    assert 0 <= estimate.low_s <= estimate.seconds <= estimate.high_s
    assert eta_s(0, speed) == 0


def legs() -> Iterator[tuple[float, float | None, float]]:
    """Straight distance to go, speed of the last leg, seconds it really took: at each fix of an occupied run."""
    for trip in taxi_trips():
        places = [Point(lon, lat) for lon, lat in zip(trip["lngs"], trip["lats"], strict=True)]
        seconds, busy = trip["time_gap"], trip["states"]
        start = 0
        for end in range(1, len(places)):
            if busy[end - 1] == 1 and busy[end] == 0 and end - 1 - start >= 4 and start > 0:
                for at in range(start, end - 1):
                    distance, took = haversine_m(places[at], places[end - 1]), seconds[end - 1] - seconds[at]
                    gap = seconds[at] - seconds[at - 1]
                    if distance > 100 and took > 30:
                        yield distance, haversine_m(places[at - 1], places[at]) / gap if gap else None, took
            if busy[end] == 1 and busy[end - 1] == 0:
                start = end


def test_real_trips_end_when_they_were_said_to() -> None:
    ratios = np.array([took / eta_s(distance, speed) for distance, speed, took in legs()])
    assert len(ratios) > 2_000
    assert 0.85 < np.median(ratios) < 1.15
    within = np.mean([eta(d, v).low_s <= took <= eta(d, v).high_s for d, v, took in legs()])
    assert 0.7 < within < 0.9
    assert np.mean(np.abs(1.0 / ratios - 1.0)) < 0.45
