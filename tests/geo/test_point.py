"""Points, datums and distances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geopy.distance import great_circle
from hypothesis import assume, given
from hypothesis import strategies as st

from geo.datum import (
    CHINA_EAST,
    CHINA_NORTH,
    CHINA_SOUTH,
    CHINA_WEST,
    UnknownCrs,
    check_crs,
    from_wgs84,
    gcj02_to_wgs84,
    gcj02_to_wgs84_many,
    to_wgs84,
    wgs84_to_gcj02,
)
from geo.distance import (
    at_most_m,
    bearing_deg,
    destination,
    geodesic_m,
    haversine_m,
    longitude_reach_deg,
    unit_vector,
)
from geo.point import Point, PositionInvalid, check_point

world = st.builds(Point, st.floats(-180, 180), st.floats(-90, 90))
# The shift moves points by less than 0.02°; nearer to the rectangle's edge the inverse is ambiguous.
EDGE = 0.02
china = st.builds(
    Point,
    st.floats(CHINA_WEST + EDGE, CHINA_EAST - EDGE),
    st.floats(CHINA_SOUTH + EDGE, CHINA_NORTH - EDGE),
)


@pytest.mark.parametrize(("lon", "lat"), [(180, 90), (-180, -90), (0, 0), (121.4, 37.5)])
def test_numbers_in_range_make_a_point(lon: float, lat: float) -> None:
    assert check_point(lon, lat) == Point(lon, lat)


@pytest.mark.parametrize(
    ("lon", "lat", "field"),
    [
        (180.1, 0, "lon"),
        (0, -90.5, "lat"),
        (math.nan, 0, "lon"),
        (0, math.inf, "lat"),
        ("121", 37, "lon"),
        (True, 37, "lon"),
        (121, None, "lat"),
        pytest.param(10**400, 0, "lon", id="huge"),
    ],
)
def test_anything_else_is_refused_by_field(lon: object, lat: object, field: str) -> None:
    with pytest.raises(PositionInvalid) as refused:
        check_point(lon, lat)
    assert (refused.value.code, refused.value.status, refused.value.fields["field"]) == (
        "position_invalid",
        400,
        field,
    )


@pytest.mark.parametrize(
    ("wgs", "gcj"),
    [
        (Point(121.5272106, 31.1774276), Point(121.531541859215, 31.17530398364597)),
        (Point(113.912316, 22.543847), Point(113.9171764808363, 22.540796131694766)),
        (Point(116.377817, 39.911954), Point(116.38404722455657, 39.91334545536069)),
    ],
    ids=["shanghai", "shenzhen", "beijing"],
)
def test_the_shift_agrees_with_published_pairs(wgs: Point, gcj: Point) -> None:
    assert wgs84_to_gcj02(wgs) == pytest.approx(gcj, abs=1e-9)
    assert haversine_m(gcj02_to_wgs84(gcj), wgs) < 0.001


@given(china)
def test_a_round_trip_through_gcj02_stays_within_a_millimetre(point: Point) -> None:
    assert haversine_m(gcj02_to_wgs84(wgs84_to_gcj02(point)), point) < 0.001


@given(china)
def test_the_shift_in_china_is_between_one_metre_and_one_kilometre(point: Point) -> None:
    assert 1 < haversine_m(point, wgs84_to_gcj02(point)) < 1_500


@given(world)
def test_outside_china_both_datums_are_the_same(point: Point) -> None:
    west_to_east = CHINA_WEST - EDGE < point.lon < CHINA_EAST + EDGE
    assume(not (west_to_east and CHINA_SOUTH - EDGE < point.lat < CHINA_NORTH + EDGE))
    assert wgs84_to_gcj02(point) == point
    assert gcj02_to_wgs84(point) == point


@given(st.lists(world, min_size=1, max_size=20))
def test_the_array_inverse_equals_the_scalar_one(points: list[Point]) -> None:
    many = gcj02_to_wgs84_many(np.array(points, dtype=np.float64))
    for row, point in zip(many.tolist(), points, strict=True):
        assert row == pytest.approx(gcj02_to_wgs84(point), abs=1e-12)


def test_only_the_two_known_systems_are_accepted() -> None:
    there = Point(121.4, 37.5)
    assert to_wgs84(there, check_crs("wgs84")) == there
    assert from_wgs84(to_wgs84(there, check_crs("gcj02")), "gcj02") == pytest.approx(there, abs=1e-9)
    with pytest.raises(UnknownCrs):
        check_crs("bd09")


@given(world, world)
def test_haversine_agrees_with_geopy_great_circle(a: Point, b: Point) -> None:
    oracle = great_circle((a.lat, a.lon), (b.lat, b.lon)).meters
    assert haversine_m(a, b) == pytest.approx(oracle, rel=1e-5, abs=0.2)
    assert haversine_m(a, b) == haversine_m(b, a)


@given(world, world)
def test_the_cheap_bound_is_never_short(a: Point, b: Point) -> None:
    assert haversine_m(a, b) <= at_most_m(a, b) * (1 + 1e-9) + 1e-6


@given(china, st.floats(0, 360), st.floats(1, 50_000))
def test_haversine_is_within_one_percent_of_the_ellipsoid(start: Point, course: float, metres: float) -> None:
    end = destination(start, course, metres)
    assert haversine_m(start, end) == pytest.approx(metres, rel=1e-6, abs=0.001)
    assert haversine_m(start, end) == pytest.approx(geodesic_m(start, end), rel=0.0057)


@given(china, st.floats(0, 359.99), st.floats(100, 50_000))
def test_bearing_undoes_destination(start: Point, course: float, metres: float) -> None:
    apart = abs(bearing_deg(start, destination(start, course, metres)) - course) % 360.0
    assert min(apart, 360.0 - apart) < 0.01


def test_bearing_of_a_standstill_is_north() -> None:
    assert bearing_deg(Point(121, 37), Point(121, 37)) == 0.0


@given(world, world)
def test_a_chord_is_never_longer_than_its_arc(a: Point, b: Point) -> None:
    chord_m = math.dist(unit_vector(a), unit_vector(b)) * 6_371_008.8
    assert chord_m <= haversine_m(a, b) + 1e-6


@given(st.floats(-90, 90), st.floats(0, 360), st.floats(1, 200_000))
def test_longitude_reach_contains_the_circle(lat: float, course: float, metres: float) -> None:
    end = destination(Point(0.0, lat), course, metres)
    assert abs(end.lon) <= longitude_reach_deg(lat, metres) + 1e-7
