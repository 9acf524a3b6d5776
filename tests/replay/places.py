"""Areas, and the real points orders are posted at. Read here once more, apart from the product, to stay an oracle.

Trips that lie outside the areas (another city's, say) are moved into them as a whole: shape and pace stay real.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from shapely.geometry import box, mapping, shape

from geo.datum import Crs, gcj02_to_wgs84_many
from geo.distance import haversine_m
from geo.point import Point
from tests.replay.trips import Trip

Points = NDArray[np.float64]
"""Rows of longitude, latitude."""

INSIDE_SHARE_MIN = 0.5
"""Trips with fewer of their points inside the areas belong to another place."""

_METRES_PER_DEGREE = 111_195.0


class AreasError(ValueError):
    """The areas cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Region:
    """One area, in WGS-84."""

    code: str
    name: str
    polygon: shapely.Geometry


class Places:
    """The areas of a run and the points of its trips that lie in them."""

    def __init__(self, regions: Sequence[Region], points: Points) -> None:
        if not regions:
            raise AreasError("no areas")
        self.regions = tuple(regions)
        whole = shapely.union_all([region.polygon for region in regions])
        shapely.prepare(whole)
        self.points = points[shapely.intersects_xy(whole, points)] if len(points) else points

    def code_at(self, point: Point) -> str | None:
        """The area of a point; on a common border the lowest code."""
        codes = (region.code for region in self.regions if region.polygon.covers(shapely.Point(point)))
        return min(codes, default=None)

    def codes(self) -> list[str]:
        """Areas with at least one real point, most points first."""
        counts = {
            region.code: int(shapely.intersects_xy(region.polygon, self.points).sum()) for region in self.regions
        }
        return sorted((code for code, count in counts.items() if count), key=lambda code: (-counts[code], code))

    def random_point(self, codes: frozenset[str], chance: random.Random) -> Point:
        """A real point in one of these areas. Raises AreasError when they have none."""
        inside = [region.polygon for region in self.regions if region.code in codes]
        held = self.points[shapely.intersects_xy(shapely.union_all(inside), self.points)]
        if not len(held):
            raise AreasError("no trip comes through the areas that are open")
        return Point(*held[chance.randrange(len(held))].tolist())

    def near(self, place: Point, radius_m: float, chance: random.Random) -> Point | None:
        """A random real point within `radius_m`; the nearest real one when there is none; None without points."""
        if not len(self.points):
            return None
        scale = np.array([math.cos(math.radians(place.lat)), 1.0]) * _METRES_PER_DEGREE
        distances = np.hypot(*((self.points - np.array(place)) * scale).T)
        close = np.flatnonzero(distances <= radius_m)
        index = int(chance.choice(close)) if len(close) else int(distances.argmin())
        return Point(*self.points[index].tolist())


def read_areas(path: Path | str, crs: Crs = "gcj02") -> list[Region]:
    """Areas of a GeoJSON file. Raises AreasError, OSError."""
    try:
        document = orjson.loads(Path(path).read_bytes())
    except orjson.JSONDecodeError as problem:
        raise AreasError(f"{path}: not JSON: {problem}") from problem
    return areas_of(document, crs, where=str(path))


def areas_of(document: Mapping[str, Any], crs: Crs, *, where: str) -> list[Region]:
    """Areas of a GeoJSON document with `adcode` (or `code`) and `name`. Raises AreasError."""
    regions = []
    for number, feature in enumerate(document.get("features") or ()):
        properties = feature.get("properties") or {}
        code = str(properties.get("adcode") or properties.get("code") or "")
        try:
            polygon = _faces(shapely.make_valid(shape(feature["geometry"])))
        except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as problem:
            raise AreasError(f"{where}: feature {number} ({code}): {problem}") from problem
        if crs == "gcj02":
            polygon = shapely.transform(polygon, gcj02_to_wgs84_many)
        regions.append(Region(code, str(properties.get("name") or code), polygon))
    if not regions:
        raise AreasError(f"{where}: holds no features")
    return regions


def _faces(geometry: shapely.Geometry) -> shapely.Geometry:
    """Only what has an area: mending a polygon can leave loose lines."""
    faces = [part for part in shapely.get_parts(geometry) if part.area > 0]
    return shapely.union_all(faces)


def square_around(points: Points, *, margin_m: float = 2_000.0) -> Region:
    """One area that holds all the points, for trips that came without areas."""
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    up = margin_m / _METRES_PER_DEGREE
    across = up / math.cos(math.radians((south + north) / 2))
    return Region("990199", "Replay", box(west - across, south - up, east + across, north + up))


def largest_whole(regions: Sequence[Region]) -> shapely.Geometry:
    """The largest connected part of all the areas together."""
    return max(shapely.get_parts(shapely.union_all([region.polygon for region in regions])), key=shapely.area)


def geojson_of(regions: Sequence[Region]) -> dict[str, Any]:
    """The areas as a document the importer takes (WGS-84)."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {
                    "adcode": region.code, "name": region.name, "level": "district", "parent": f"{region.code[:4]}00",
                },
                "geometry": mapping(region.polygon),
            }
            for region in regions
        ],
    }  # fmt: skip


def points_of(trips: Sequence[Trip]) -> Points:
    """All points of all trips as rows."""
    return np.array([point for trip in trips for point in trip.points], dtype=np.float64).reshape(-1, 2)


def brought_inside(trips: Sequence[Trip], regions: Sequence[Region]) -> tuple[tuple[Trip, ...], str]:
    """The trips, moved into the areas where they lie elsewhere; and a sentence about it, or nothing."""
    whole = shapely.union_all([region.polygon for region in regions])
    shapely.prepare(whole)
    points = points_of(trips)
    share = float(shapely.intersects_xy(whole, points).mean())
    if share >= INSIDE_SHARE_MIN:
        return tuple(trips), ""
    middle = Point(*np.median(points, axis=0).tolist())
    target = Point(*largest_whole(regions).representative_point().coords[0])
    move = mover(middle, target)
    note = f"{share:.0%} of the points lie in the areas: trips moved {haversine_m(middle, target) / 1000:.0f} km"
    return tuple(trip.mapped(move) for trip in trips), note


def mover(source: Point, target: Point) -> Callable[[Point], Point]:
    """Carries points by the way from `source` to `target`, keeping metres: longitudes widen away from the equator."""
    widen = math.cos(math.radians(source.lat)) / math.cos(math.radians(target.lat))

    def move(point: Point) -> Point:
        return Point(target.lon + (point.lon - source.lon) * widen, target.lat + point.lat - source.lat)

    return move
