"""Area files are imported whole or refused with the feature named; look-ups equal a scan over all polygons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import shape

from geo.areas import (
    Area,
    AreaFileInvalid,
    AreaIndex,
    RegionCodeInvalid,
    areas_geojson,
    normalize_code,
    parse_areas,
)
from geo.areas.polygons import area_m2
from geo.datum import gcj02_to_wgs84, wgs84_to_gcj02
from geo.distance import haversine_m
from geo.point import Point
from tests.geo.data import needs_regions, real_areas

SQUARE = [[121.0, 37.0], [121.4, 37.0], [121.4, 37.4], [121.0, 37.4], [121.0, 37.0]]


def feature(
    code: object = "370602", rings: object = None, kind: str = "Polygon", **properties: object
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"adcode": code, "name": "芝罘区", "level": "district", "parent": "370600", **properties},
        "geometry": {"type": kind, "coordinates": [SQUARE] if rings is None else rings},
    }


def collection(*features: object, **more: object) -> bytes:
    return orjson.dumps({"type": "FeatureCollection", "features": features, **more})


def square(west: float, south: float, size: float, code: str, parent: str | None = None) -> Area:
    polygon = shapely.box(west, south, west + size, south + size)
    return Area(code=code, name=code, level="district", parent=parent, polygon=polygon, source_crs="wgs84")


# Codes


@pytest.mark.parametrize("text", ["370602", "156370602", " 370602 "])
def test_both_spellings_of_a_district_are_one(text: str) -> None:
    assert normalize_code(text) == "370602"


@pytest.mark.parametrize(
    "text", ["", "37060", "3706022", "256370602", "156", "37o602", "070602", "三七〇六〇二", "３７０６０２"]
)
def test_other_codes_are_refused(text: str) -> None:
    with pytest.raises(RegionCodeInvalid) as refused:
        normalize_code(text)
    assert (refused.value.code, refused.value.status) == ("region_code", 400)


# Files that are imported


def test_a_plain_file_is_read() -> None:
    parsed = parse_areas(collection(feature(), feature(510104, [[[x - 10, y] for x, y in SQUARE]])), crs="wgs84")
    assert [(area.code, area.name, area.level, area.parent) for area in parsed.areas] == [
        ("370602", "芝罘区", "district", "370600"),
        ("510104", "芝罘区", "district", "370600"),
    ]
    assert parsed.areas[0].polygon.bounds == (121.0, 37.0, 121.4, 37.4)
    assert parsed.repairs == ()


def test_gcj02_polygons_come_out_in_wgs84() -> None:
    (area,) = parse_areas(collection(feature()), crs="gcj02").areas
    corners = [gcj02_to_wgs84(Point(*corner)) for corner in SQUARE]
    assert shapely.get_coordinates(area.polygon).tolist() == pytest.approx(np.array(corners), abs=1e-12)
    assert haversine_m(Point(*SQUARE[0]), corners[0]) > 100
    assert area.source_crs == "gcj02"


@pytest.mark.parametrize("field", ["adcode", "region_id"])
def test_the_code_is_read_from_the_named_field(field: str) -> None:
    one = feature(None, region_id="156370602") if field == "region_id" else feature("156370602")
    assert parse_areas(collection(one), crs="wgs84", code_field=field).areas[0].code == "370602"


def test_the_map_providers_own_form_of_parent_is_understood() -> None:
    (area,) = parse_areas(collection(feature(370602, parent={"adcode": 370600})), crs="wgs84").areas
    assert (area.code, area.parent) == ("370602", "370600")


def test_a_drawn_area_may_have_a_name_for_a_code() -> None:
    (area,) = parse_areas(collection(feature("airport_north", name=None, parent=None, level=None)), crs="wgs84").areas
    assert (area.code, area.name, area.parent, area.level) == ("airport_north", "airport_north", None, "area")


def test_a_ring_that_crosses_itself_is_mended_and_reported() -> None:
    bow_tie = [[121.0, 37.0], [121.4, 37.4], [121.4, 37.0], [121.0, 37.4], [121.0, 37.0]]
    parsed = parse_areas(collection(feature(rings=[bow_tie])), crs="wgs84")
    (repair,) = parsed.repairs
    assert (repair.code, repair.name) == ("370602", "芝罘区")
    assert repair.reason.startswith("Self-intersection")
    polygon = parsed.areas[0].polygon
    assert polygon.is_valid
    assert polygon.covers(shapely.Point(121.05, 37.2))


def test_a_ring_that_is_not_closed_is_closed_and_reported() -> None:
    parsed = parse_areas(collection(feature(rings=[SQUARE[:-1]])), crs="wgs84")
    assert parsed.repairs[0].reason == "Ring not closed"
    assert parsed.areas[0].polygon.equals(shapely.box(121.0, 37.0, 121.4, 37.4))


def test_what_a_ring_covers_twice_does_not_become_a_hole() -> None:
    twice = [[0, 0], [3, 0], [3, 2], [1, 2], [1, 1], [2, 1], [2, 3], [0, 3], [0, 0]]
    rings = [[[110 + x / 10, 30 + y / 10] for x, y in twice]]
    (area,) = parse_areas(collection(feature(rings=rings)), crs="wgs84").areas
    assert area.polygon.covers(shapely.Point(110.15, 30.15))


def test_a_file_that_names_its_own_datum_is_believed_when_it_agrees() -> None:
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    assert parse_areas(collection(feature(), crs=named), crs="wgs84").areas


# Files that are refused


def holed(coordinates: object, kind: str = "Polygon") -> bytes:
    return collection(feature("510104", [[[x - 10, y] for x, y in SQUARE]]), feature(rings=coordinates, kind=kind))


REFUSED_FEATURES: dict[str, tuple[bytes, str]] = {
    "no code": (collection(feature(), feature(None)), "feature 2 (芝罘区) has no adcode"),
    "empty code": (collection(feature("")), "has no adcode"),
    "code is a list": (collection(feature(["370602"])), "neither text nor a whole number"),
    "code is true": (collection(feature(True)), "neither text nor a whole number"),
    "no region code": (collection(feature("37-06")), "which is no region code"),
    "bad parent": (collection(feature(parent="x y")), "which is no region code"),
    "same code twice": (collection(feature(), feature("156370602")), "has the code 370602 of feature 1"),
    "a point": (holed([121.0, 37.0], "Point"), "feature 2 (芝罘区 370602) is a Point, not a Polygon"),
    "a line": (holed(SQUARE, "LineString"), "is a LineString"),
    "empty": (holed([]), "geometry is empty"),
    "empty ring": (holed([[]]), "has an empty ring"),
    "empty part": (holed([[]], "MultiPolygon"), "geometry is empty"),
    "no geometry": (collection({**feature(), "geometry": None}), "has no geometry"),
    "text in a ring": (holed([[["121", "37"]] * 4]), "not a list of [longitude, latitude] numbers"),
    "ragged ring": (holed([[[121.0, 37.0], [121.4], [121.4, 37.4], [121.0, 37.0]]]), "positions differ in length"),
    "three positions": (holed([SQUARE[:3]]), "a ring needs four"),
    "a line back and forth": (holed([[[121, 37], [122, 37], [123, 37], [121, 37]]]), "covers 0 m², less than"),
    "out of range": (holed([[[x + 60, y] for x, y in SQUARE]]), "coordinates out of range"),
    "metres": (holed([[[x * 1e5, y * 1e5] for x, y in SQUARE]]), "metres of a projected system"),
    "swapped": (holed([[[y, x] for x, y in SQUARE]]), "latitude and longitude look swapped"),
    "swapped in the west": (holed([[[y, x - 46] for x, y in SQUARE]]), "latitude and longitude swapped"),
    "whole continent": (holed([[[60, 10], [120, 10], [120, 55], [60, 55], [60, 10]]]), "km², more than"),
    "around the world": (holed([[[-179, 0], [179, 0], [179, 1], [-179, 1], [-179, 0]]]), "wider than 180°"),
    "a few metres": (holed([[[121 + (x - 121) / 1e5, 37 + (y - 37) / 1e5] for x, y in SQUARE]]), "less than 100 m²"),
    "feature's own datum": (collection(feature(datum="GCJ-02")), "says its coordinates are GCJ-02"),
    "not a feature": (collection({"type": "Polygon"}), "feature 1 is not a GeoJSON Feature"),
    "list of properties": (collection({**feature(), "properties": [1]}), "properties that are not an object"),
}


@pytest.mark.parametrize(("raw", "problem"), REFUSED_FEATURES.values(), ids=REFUSED_FEATURES.keys())
def test_a_bad_feature_refuses_the_file_and_is_named(raw: bytes, problem: str) -> None:
    with pytest.raises(AreaFileInvalid) as refused:
        parse_areas(raw, crs="wgs84")
    assert problem in refused.value.fields["problems"][0]


def test_gcj02_outside_china_is_refused() -> None:
    with pytest.raises(AreaFileInvalid, match="GCJ-02, which exists in China only"):
        parse_areas(collection(feature(rings=[[[x - 160, y - 48] for x, y in SQUARE]])), crs="gcj02")


def test_every_bad_feature_is_named_at_once() -> None:
    with pytest.raises(AreaFileInvalid) as refused:
        parse_areas(collection(*[feature(None)] * 3, *[feature("x" * 40)] * 30), crs="wgs84")
    assert refused.value.fields["count"] == 33
    assert len(refused.value.fields["problems"]) == 20


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"adcode,name\n370602,x", "not JSON"),
        (b"[]", "not an object"),
        (orjson.dumps(feature()), "it is Feature"),
        (b'{"features": []}', "an object without type"),
        (collection(), "no features"),
        (orjson.dumps({"type": "FeatureCollection", "features": {}}), "no features"),
        (collection(*[None] * 10_001), "10001 features"),
        (collection(feature(), crs={"properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}), "EPSG::3857"),
        (collection(feature(), crs="GCJ-02"), "said to be wgs84"),
        (b" " * (128 * 1024 * 1024 + 1), "bytes, more than"),
    ],
    ids=["csv", "list", "feature", "no type", "empty", "object", "too many", "projected", "other datum", "too big"],
)
def test_a_file_that_is_no_area_file_is_refused(raw: bytes, problem: str) -> None:
    with pytest.raises(AreaFileInvalid, match=problem):
        parse_areas(raw, crs="wgs84")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5) | st.integers(-200, 200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "adcode"]), inner),
    max_leaves=12,
)


@given(json_values, json_values, json_values)
def test_no_json_makes_the_importer_fail_otherwise(one: object, code: object, rings: object) -> None:
    raw = collection(one, feature(code, rings), feature("370602", [rings], "MultiPolygon", crs=one))
    with pytest.raises(AreaFileInvalid):
        parse_areas(raw, crs="wgs84")


# Look-ups


def scan(areas: list[Area], points: NDArray[np.float64], *, fast: bool) -> list[str | None]:
    """The oracle: all polygons are asked for every point and the lowest code wins. Its polygons are its own copies.

    `fast` asks prepared polygons whether they meet the point, which for a point is the same as covering it.
    """
    answer: list[str | None] = [None] * len(points)
    for area in sorted(areas, key=lambda area: area.code, reverse=True):
        polygon = shapely.from_wkb(shapely.to_wkb(area.polygon))
        if fast:
            shapely.prepare(polygon)
            covered = shapely.intersects_xy(polygon, points)
        else:
            covered = shapely.covers(polygon, shapely.points(points))
        for number in covered.nonzero()[0].tolist():
            answer[number] = area.code
    return answer


def lookup(index: AreaIndex, points: NDArray[np.float64]) -> list[str | None]:
    return [index.code_at(Point(lon, lat)) for lon, lat in points.tolist()]


# Corners on cell borders and off them, so that inner cells, border cells and shared edges all occur.
corners = st.integers(0, 12).map(lambda n: n / 100) | st.floats(0, 0.12)
small_areas = st.lists(st.tuples(corners, corners, st.sampled_from([0.02, 0.05, 0.11])), min_size=1, max_size=5)


@given(small_areas, st.lists(st.tuples(corners, corners), max_size=30))
def test_a_look_up_equals_a_scan_over_overlapping_squares(
    given_areas: list[tuple[float, float, float]], offsets: list[tuple[float, float]]
) -> None:
    areas = [square(121.0 + x, 37.0 + y, size, f"3706{number:02}") for number, (x, y, size) in enumerate(given_areas)]
    points = [shapely.get_coordinates(area.polygon) for area in areas]
    points.append(np.array([(121.0 + x, 37.0 + y) for x, y in offsets]).reshape(-1, 2))
    everything = np.concatenate(points)
    assert lookup(AreaIndex.build(areas), everything) == scan(areas, everything, fast=False)


def test_on_a_shared_border_the_lowest_code_wins() -> None:
    index = AreaIndex.build([square(121.02, 37.0, 0.02, "370611"), square(121.0, 37.0, 0.02, "370612")])
    assert index.code_at(Point(121.02, 37.01)) == "370611"
    assert index.code_at(Point(121.0199, 37.01)) == "370612"
    assert index.code_at(Point(121.2, 37.01)) is None


def test_an_inner_area_goes_before_the_one_around_it() -> None:
    city = square(121.0, 37.0, 1.0, "370600", parent="370000")
    index = AreaIndex.build([city, square(121.2, 37.2, 0.1, "370602", parent="370600")])
    assert index.code_at(Point(121.25, 37.25)) == "370602"
    assert index.code_at(Point(121.5, 37.5)) == "370600"


def test_parents_in_a_circle_do_no_harm() -> None:
    areas = [square(121.0, 37.0, 1.0, "370600", "370602"), square(121.0, 37.0, 1.0, "370602", "370600")]
    assert AreaIndex.build(areas).code_at(Point(121.5, 37.5)) == "370600"


def test_an_index_of_nothing_holds_no_point() -> None:
    assert AreaIndex.build([]).code_at(Point(121.4, 37.5)) is None


@needs_regions
def test_real_districts_are_found() -> None:
    index = AreaIndex.build(real_areas())
    for area in real_areas():
        inner = area.polygon.representative_point()
        assert index.code_at(Point(inner.x, inner.y)) == area.code
        assert area.polygon.is_valid
        assert 10e6 < area_m2(area.polygon) < 20e9


@needs_regions
def test_a_million_points_agree_with_a_scan() -> None:
    areas, rng = list(real_areas()), np.random.default_rng(20260105)
    points = []
    for area in areas:
        west, south, east, north = area.polygon.bounds
        vertices = shapely.get_coordinates(area.polygon)
        points += [vertices, (vertices[1:] + vertices[:-1]) / 2]  # corners, and the middles of edges
        points.append(rng.uniform((west, south), (east, north), (1_000_000 // len(areas), 2)))
    everything = np.concatenate(points)
    assert len(everything) > 1_000_000
    assert lookup(AreaIndex.build(areas), everything) == scan(areas, everything, fast=True)


@needs_regions
def test_borders_and_vertices_agree_with_a_scan_of_plain_polygons() -> None:
    areas = list(real_areas())
    border = np.concatenate([shapely.get_coordinates(area.polygon) for area in areas])[::5]
    assert lookup(AreaIndex.build(areas), border) == scan(areas, border, fast=False)


# Export


@needs_regions
def test_the_map_gets_every_area_smaller_and_still_in_place() -> None:
    areas = real_areas()
    exported = areas_geojson(areas)
    full = orjson.dumps(areas_geojson(areas, tolerance_deg=0), option=orjson.OPT_NON_STR_KEYS)
    assert len(orjson.dumps(exported, option=orjson.OPT_NON_STR_KEYS)) < 0.8 * len(full)
    by_code = {area.code: area for area in areas}
    assert [one["properties"]["code"] for one in exported["features"]] == sorted(by_code)
    for one in exported["features"]:
        drawn, area = shape(one["geometry"]), by_code[one["properties"]["code"]]
        assert drawn.buffer(0).symmetric_difference(area.polygon).area < 0.03 * area.polygon.area


@pytest.mark.parametrize(("crs", "draw"), [("wgs84", lambda point: point), ("gcj02", wgs84_to_gcj02)])
def test_the_map_may_ask_for_either_datum(crs: Any, draw: Callable[[Point], Point]) -> None:
    (one,) = areas_geojson([square(121.0, 37.0, 0.5, "370602")], crs=crs)["features"]
    drawn = {(round(lon, 4), round(lat, 4)) for lon, lat in one["geometry"]["coordinates"][0]}
    expected = [draw(Point(lon, lat)) for lon in (121.0, 121.5) for lat in (37.0, 37.5)]
    assert drawn == {(round(point.lon, 4), round(point.lat, 4)) for point in expected}
