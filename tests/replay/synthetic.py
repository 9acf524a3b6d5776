"""Trips out of nothing: random way-points inside an area, for a first start without any file."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import shapely

from geo.distance import haversine_m
from geo.point import Point
from tests.replay.movement import between
from tests.replay.trips import Trip

SPREAD_M = 3_000.0
"""Standard deviation of way-points around the middle: dense enough that everybody is near somebody's order."""

FIX_EVERY_S = 5.0
LEGS = 12
PAUSE_SHARE = 0.25  # of way-points at which the vehicle waits a while
PACES_MPS = (4.0, 14.0)


def wander(area: shapely.Geometry, count: int, *, seed: int) -> tuple[Trip, ...]:
    """`count` trips of LEGS legs each inside one area; the same for the same seed."""
    middle = Point(*area.representative_point().coords[0])
    return tuple(
        _trip(f"{number + 1}", middle, area, random.Random(f"{seed}:wander:{number}"))
        for number in range(count)
    )


def _trip(name: str, middle: Point, polygon: shapely.Geometry, chance: random.Random) -> Trip:
    times, points = [0.0], [_waypoint(middle, polygon, chance)]
    for _ in range(LEGS):
        if chance.random() < PAUSE_SHARE:
            times.append(times[-1] + chance.uniform(20, 120))
            points.append(points[-1])
        for point in _leg(points[-1], _waypoint(middle, polygon, chance), chance.uniform(*PACES_MPS)):
            times.append(times[-1] + FIX_EVERY_S)
            points.append(point)
    return Trip(name, tuple(times), tuple(points))


def _leg(start: Point, end: Point, pace_mps: float) -> Iterator[Point]:
    steps = max(1, math.ceil(haversine_m(start, end) / (pace_mps * FIX_EVERY_S)))
    for step in range(1, steps + 1):
        yield between(start, end, step / steps)


def _waypoint(middle: Point, polygon: shapely.Geometry, chance: random.Random) -> Point:
    """A point around the middle that lies in the area; the middle itself where the area is too thin to hit."""
    spread = SPREAD_M / 111_195.0
    for _ in range(50):
        lon = middle.lon + chance.gauss(0, spread) / math.cos(math.radians(middle.lat))
        point = Point(lon, middle.lat + chance.gauss(0, spread))
        if polygon.covers(shapely.Point(point)):
            return point
    return middle
