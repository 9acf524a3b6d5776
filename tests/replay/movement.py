"""How a technician moves: along the trip in compressed time, and straight to an order once he is on his way.

`speed` compresses time; it cannot make a vehicle faster than PACE_MAX_MPS, because the hub rightly takes such jumps for
errors of the phone. A leg that would be faster lasts as long as it takes at that pace, though never longer than in the
file: real jumps of the data stay jumps.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from geo.distance import bearing_deg, haversine_m
from geo.point import Point
from tests.replay.trips import Trip

PACE_MAX_MPS = 40.0
"""Below the 50 m/s (and the 200 km/h of HS-033) at which a position counts as impossible."""

ERRAND_PACE_MPS = 8.0
"""City pace towards an order at speed 1 (29 km/h)."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """A straight way off the trip. `left_at_s`: where on the trip he was (its own seconds), to go on from there."""

    set_out_s: float
    start: Point
    target: Point
    left_at_s: float
    is_way_back: bool


class Movement:
    """Where one technician is at any instant of the driver's clock. Ask in order of time."""

    def __init__(self, trip: Trip, *, speed: float, start_s: float) -> None:
        self._points = trip.points
        self._times = _compressed(trip, speed)
        self._pace_mps = min(ERRAND_PACE_MPS * speed, PACE_MAX_MPS)
        self._began_s = start_s
        self._errand: _Errand | None = None

    @property
    def duration_s(self) -> float:
        """How long the trip takes, compressed."""
        return self._times[-1]

    def at(self, now_s: float) -> Point:
        """There and back again along the trip; on an errand towards its target, and there once arrived."""
        errand = self._errand
        if errand is None:
            return self._along(now_s - self._began_s)
        lasts_s = self._lasts_s(errand)
        gone_s = now_s - errand.set_out_s
        if errand.is_way_back and gone_s >= lasts_s:
            self._errand = None
            self._began_s = errand.set_out_s + lasts_s - errand.left_at_s
            return self._along(now_s - self._began_s)
        return between(errand.start, errand.target, 1.0 if gone_s >= lasts_s else gone_s / lasts_s)

    def head_for(self, target: Point, now_s: float) -> float:
        """Leave the trip for a place; the seconds it takes."""
        start = self.at(now_s)
        left = self._errand.left_at_s if self._errand else now_s - self._began_s
        self._errand = _Errand(now_s, start, target, left, is_way_back=False)
        return self._lasts_s(self._errand)

    def go_back(self, now_s: float) -> None:
        """Return to where the trip was left, and go on with it."""
        if self._errand is not None:
            left = self._errand.left_at_s
            self._errand = _Errand(now_s, self.at(now_s), self._along(left), left, is_way_back=True)

    def _lasts_s(self, errand: _Errand) -> float:
        return haversine_m(errand.start, errand.target) / self._pace_mps

    def _along(self, seconds: float) -> Point:
        length = self._times[-1]
        if length == 0:
            return self._points[0]
        round_trip = seconds % (2 * length)
        at = round_trip if round_trip <= length else 2 * length - round_trip
        index = min(max(bisect_right(self._times, at), 1), len(self._times) - 1)
        start, end = self._times[index - 1], self._times[index]
        share = min(1.0, (at - start) / (end - start)) if end > start else 1.0
        return between(self._points[index - 1], self._points[index], share)


def _compressed(trip: Trip, speed: float) -> tuple[float, ...]:
    times = [0.0]
    for (start, end), (a, b) in zip(pairwise(trip.times_s), pairwise(trip.points), strict=True):
        leg_s = end - start
        times.append(times[-1] + max(leg_s / speed, min(leg_s, haversine_m(a, b) / PACE_MAX_MPS)))
    return tuple(times)


def between(a: Point, b: Point, share: float) -> Point:
    """The point at `share` of the straight way from `a` to `b`."""
    return Point(a.lon + (b.lon - a.lon) * share, a.lat + (b.lat - a.lat) * share)


def heading(before: Point, now: Point, seconds: float) -> tuple[float, float]:
    """Speed in m/s and course in degrees between two fixes."""
    return (haversine_m(before, now) / seconds if seconds > 0 else 0.0), bearing_deg(before, now)
