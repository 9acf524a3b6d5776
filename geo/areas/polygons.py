"""From GeoJSON coordinates to a sound WGS-84 polygon. Pure; refuses with a sentence a person can act on."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.areas.model import Polygonal
from geo.datum import CHINA_EAST, CHINA_NORTH, CHINA_SOUTH, CHINA_WEST, Crs, gcj02_to_wgs84_many
from geo.distance import EARTH_RADIUS_M

VERTICES_MAX: Final = 500_000
"""In one area; the most detailed county polygon in public use has about 40,000."""

AREA_MIN_M2: Final = 100.0
AREA_MAX_M2: Final = 3e12
"""3 million km²: twice the largest province. Larger means a wrong unit, datum or ring."""

ARCTIC_LAT: Final = 73.0
"""Nothing served lies further north, but Chinese longitudes read as latitudes do."""

Floats = NDArray[np.float64]


class PolygonRefused(ValueError):
    """Why this geometry cannot be an area; the text is for the person who brought the file."""


def read_polygon(geometry: object, crs: Crs) -> tuple[Polygonal, bool]:
    """The WGS-84 polygon of a GeoJSON geometry, perhaps invalid, and whether every ring was closed.

    Raises PolygonRefused.
    """
    kind, coordinates = _polygonal(geometry)
    parts = coordinates if kind == "MultiPolygon" else [coordinates]
    if not parts or not all(isinstance(part, list) and part for part in parts):
        raise PolygonRefused("geometry is empty")
    rings = [[_ring(ring) for ring in part] for part in parts]
    everything = np.concatenate([ring for part in rings for ring in part])
    if len(everything) > VERTICES_MAX:
        raise PolygonRefused(f"has {len(everything)} vertices, more than {VERTICES_MAX}")
    _check_place(everything, crs)
    closed = all((ring[0] == ring[-1]).all() for part in rings for ring in part)
    polygons = [_polygon(part, crs) for part in rings]
    return (polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)), closed


def mend(polygon: Polygonal) -> tuple[Polygonal, str | None]:
    """A valid polygon of the same extent, and what was wrong with it (None: nothing). Raises PolygonRefused."""
    reason = None
    if not shapely.is_valid(polygon):
        reason = str(shapely.is_valid_reason(polygon))
        # "structure" keeps what a ring overlaps twice; the default would make a hole of it.
        polygon = _only_polygons(shapely.make_valid(polygon, method="structure", keep_collapsed=False))
    size_m2 = area_m2(polygon)
    if size_m2 < AREA_MIN_M2:
        raise PolygonRefused(f"covers {size_m2:.0f} m², less than {AREA_MIN_M2:.0f} m²")
    if size_m2 > AREA_MAX_M2:
        raise PolygonRefused(f"covers {size_m2 / 1e6:,.0f} km², more than {AREA_MAX_M2 / 1e6:,.0f} km²")
    return polygon, reason


def area_m2(polygon: Polygonal) -> float:
    """Area on the sphere; within 0.6 % of the ellipsoid, enough to tell a district from nonsense."""
    parts = shapely.get_parts(polygon)
    return float(
        sum(
            _ring_area_m2(shapely.get_exterior_ring(part)) - sum(map(_ring_area_m2, shapely.get_rings(part)[1:]))
            for part in parts
        )
    )


def _polygonal(geometry: object) -> tuple[str, list[Any]]:
    if not isinstance(geometry, dict):
        raise PolygonRefused("has no geometry")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in {"Polygon", "MultiPolygon"}:
        raise PolygonRefused(f"is a {kind}, not a Polygon or MultiPolygon")
    if not isinstance(coordinates, list) or not coordinates:
        raise PolygonRefused("geometry is empty")
    return kind, coordinates


def _ring(value: object) -> Floats:
    try:
        ring = np.asarray(value)
    except ValueError:
        raise PolygonRefused("has a ring whose positions differ in length") from None
    if ring.size == 0:
        raise PolygonRefused("has an empty ring")
    if ring.ndim != 2 or ring.shape[1] < 2 or ring.dtype.kind not in "iuf":
        raise PolygonRefused("has a ring that is not a list of [longitude, latitude] numbers")
    if len(ring) < 4:
        raise PolygonRefused(f"has a ring of {len(ring)} positions; a ring needs four, the last equal to the first")
    return ring[:, :2].astype(np.float64)


def _check_place(lonlat: Floats, crs: Crs) -> None:
    """Refuse coordinates that cannot be what the file says they are."""
    west, south = lonlat.min(axis=0)
    east, north = lonlat.max(axis=0)
    swapped = _within(south, west, north, east)  # what would be read with the two turned round
    if not np.isfinite(lonlat).all() or max(abs(west), east) > 180.0 or max(abs(south), north) > 90.0:
        hint = ""
        if max(abs(west), east, abs(south), north) > 360.0:
            hint = "; these look like metres of a projected system"
        elif max(abs(west), east) <= 90.0:
            hint = "; latitude and longitude look swapped"
        raise PolygonRefused(f"has coordinates out of range{hint}")
    if swapped and (crs == "gcj02" or south > ARCTIC_LAT):
        raise PolygonRefused("has latitude and longitude swapped: GeoJSON is [longitude, latitude]")
    if crs == "gcj02" and not _within(west, south, east, north):
        raise PolygonRefused("is said to be GCJ-02, which exists in China only, but lies at least partly outside")
    if east - west > 180.0:
        raise PolygonRefused("is wider than 180°; cut it at the antimeridian (RFC 7946 §3.1.9)")


def _within(west: float, south: float, east: float, north: float) -> bool:
    return bool(west >= CHINA_WEST and east <= CHINA_EAST and south >= CHINA_SOUTH and north <= CHINA_NORTH)


def _polygon(rings: list[Floats], crs: Crs) -> Polygonal:
    if crs == "gcj02":
        rings = [gcj02_to_wgs84_many(ring) for ring in rings]
    shell, *holes = (shapely.linearrings(ring) for ring in rings)
    return shapely.polygons(shell, holes=holes or None)


def _only_polygons(geometry: Polygonal) -> Polygonal:
    """make_valid may leave lines and points beside polygons; an area has no use for them."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"]
    if not parts:
        raise PolygonRefused("covers nothing once its rings are mended")
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def _ring_area_m2(ring: Polygonal) -> float:
    lon, lat = np.radians(shapely.get_coordinates(ring)).T
    strips = np.diff(lon) * (2.0 + np.sin(lat[:-1]) + np.sin(lat[1:]))
    return abs(float(strips.sum())) * EARTH_RADIUS_M**2 / 2.0
