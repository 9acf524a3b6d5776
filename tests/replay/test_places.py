"""Areas, synthetic trips and movement: everybody stays where people can be, at a pace they can have."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import orjson
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from geo.datum import wgs84_to_gcj02
from geo.distance import haversine_m
from geo.point import Point
from tests.replay.movement import PACE_MAX_MPS, Movement
from tests.replay.places import (
    AreasError,
    Places,
    Region,
    areas_of,
    brought_inside,
    geojson_of,
    points_of,
    read_areas,
    square_around,
)
from tests.replay.synthetic import wander
from tests.replay.test_trips import SHARED
from tests.replay.trips import Trip

WEST = Region("510101", "West", box(104.0, 30.0, 104.1, 30.1))
EAST = Region("510102", "East", box(104.1, 30.0, 104.2, 30.1))
LINE = Trip("t", (0.0, 100.0, 200.0), (Point(104.0, 30.0), Point(104.01, 30.0), Point(104.02, 30.0)))


def test_areas_come_out_in_wgs84(tmp_path: Path) -> None:
    path = tmp_path / "areas.geojson"
    path.write_bytes(orjson.dumps(geojson_of([WEST])))
    assert read_areas(path, "wgs84")[0].polygon.equals(WEST.polygon)
    corner = Point(*read_areas(path, "gcj02")[0].polygon.exterior.coords[0])
    assert haversine_m(wgs84_to_gcj02(corner), Point(*WEST.polygon.exterior.coords[0])) < 0.01


def test_a_document_without_features_is_refused() -> None:
    with pytest.raises(AreasError, match="holds no features"):
        areas_of({"features": []}, "wgs84", where="here")


def test_a_feature_without_a_shape_is_named() -> None:
    with pytest.raises(AreasError, match="here: feature 0"):
        areas_of({"features": [{"properties": {"adcode": 1}, "geometry": {}}]}, "wgs84", where="here")


def test_a_border_belongs_to_the_lowest_code() -> None:
    places = Places([EAST, WEST], np.empty((0, 2)))
    assert places.code_at(Point(104.1, 30.05)) == "510101"
    assert places.code_at(Point(104.15, 30.05)) == "510102"
    assert places.code_at(Point(105, 30)) is None


def test_order_points_are_real_points_near_by() -> None:
    points = np.array([[104.01, 30.01], [104.011, 30.01], [104.19, 30.09], [106.0, 30.0]])
    places = Places([WEST, EAST], points)
    chance = random.Random(1)
    found = {places.near(Point(104.01, 30.011), 500, chance) for _ in range(50)}
    assert found == {Point(104.01, 30.01), Point(104.011, 30.01)}
    assert places.near(Point(104.15, 30.05), 10, chance) == Point(104.19, 30.09)
    assert places.codes() == ["510101", "510102"]


def test_trips_of_another_city_are_moved_into_the_areas() -> None:
    elsewhere = LINE.mapped(lambda point: Point(point.lon - 141, point.lat - 41))
    (moved,), note = brought_inside([elsewhere], [WEST, EAST])
    assert "moved" in note
    assert WEST.polygon.union(EAST.polygon).contains(shapely.MultiPoint(moved.points))
    before, after = (haversine_m(trip.points[0], trip.points[2]) for trip in (elsewhere, moved))
    assert after == pytest.approx(before, rel=0.001)


def test_trips_inside_the_areas_stay() -> None:
    assert brought_inside([LINE], [WEST]) == ((LINE,), "")


def test_a_square_holds_all_points() -> None:
    points = points_of([LINE])
    assert square_around(points).polygon.contains(shapely.MultiPoint(points))


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the folder of real data is not on this machine")
def test_real_areas_can_be_read() -> None:
    for path in sorted((SHARED / "data" / "regions").glob("*.geojson")):
        assert all(region.polygon.is_valid for region in read_areas(path))


@given(st.integers(0, 10_000))
def test_synthetic_trips_stay_in_their_area_at_a_human_pace(seed: int) -> None:
    (trip,) = wander(WEST.polygon, 1, seed=seed)
    assert shapely.covers(WEST.polygon, shapely.points(trip.points)).all()
    legs = zip(trip.times_s, trip.times_s[1:], trip.points, trip.points[1:], strict=False)
    assert all(haversine_m(a, b) <= 14.1 * (end - start) for start, end, a, b in legs)
    assert wander(WEST.polygon, 1, seed=seed) == (trip,)


def test_speed_compresses_time_up_to_a_possible_pace() -> None:
    assert Movement(LINE, speed=2, start_s=0).duration_s == 100
    fastest = Movement(LINE, speed=1000, start_s=0).duration_s
    assert fastest == pytest.approx(haversine_m(LINE.points[0], LINE.points[2]) / PACE_MAX_MPS, rel=0.001)


def test_a_real_jump_stays_a_jump() -> None:
    jump = Trip("j", (0.0, 1.0), (Point(104.0, 30.0), Point(104.1, 30.0)))
    assert Movement(jump, speed=5, start_s=0).duration_s == 1.0


def test_the_trip_is_driven_there_and_back() -> None:
    movement = Movement(LINE, speed=1, start_s=50)
    assert movement.at(50) == LINE.points[0]
    assert movement.at(150) == LINE.points[1]
    assert movement.at(250) == LINE.points[2]
    assert movement.at(350) == LINE.points[1]


def test_an_errand_leads_there_and_back_to_the_trip() -> None:
    movement = Movement(LINE, speed=1, start_s=0)
    target = Point(104.01, 30.01)
    lasts = movement.head_for(target, 100)
    assert movement.at(100 + lasts + 60) == target
    movement.go_back(1000)
    assert movement.at(1000) == target
    back = 1000 + haversine_m(target, LINE.points[1]) / 8.0
    assert haversine_m(movement.at(back + 100), LINE.points[2]) < 1


@given(st.integers(0, 1000), st.floats(1, 50))
def test_nobody_jumps(seed: int, speed: float) -> None:
    chance = random.Random(seed)
    (trip,) = wander(WEST.polygon, 1, seed=seed)
    movement, now, here = Movement(trip, speed=speed, start_s=0), 0.0, trip.points[0]
    for _ in range(60):
        step = chance.uniform(0.2, 20)
        now += step
        before, here = here, movement.at(now)
        assert haversine_m(before, here) <= PACE_MAX_MPS * step * 1.01 + 0.01
        if chance.random() < 0.1:
            movement.head_for(Point(104.05 + chance.uniform(-0.01, 0.01), 30.05), now)
        elif chance.random() < 0.1:
            movement.go_back(now)
