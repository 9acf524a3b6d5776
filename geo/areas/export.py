"""Areas as GeoJSON for a map: simplified together, so that neighbours keep sharing their border. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping

from geo.areas.model import Area, Polygonal
from geo.datum import Crs, wgs84_to_gcj02
from geo.point import Point

TOLERANCE_DEG: Final = 0.001
"""About 100 m: invisible at the zoom at which whole districts are shown, and a tenth of the bytes."""

DECIMALS: Final = 5  # one metre


def areas_geojson(areas: Iterable[Area], *, crs: Crs = "wgs84", tolerance_deg: float = TOLERANCE_DEG) -> dict[str, Any]:
    """A FeatureCollection with code, name, level and parent of each area, coordinates in `crs`."""
    by_level: dict[str, list[Area]] = defaultdict(list)
    for area in areas:
        by_level[area.level].append(area)
    features = []
    for same_level in by_level.values():
        # Areas of one level do not overlap, which is what simplifying a coverage asks for.
        polygons = shapely.coverage_simplify([area.polygon for area in same_level], tolerance_deg)
        features += [_feature(area, polygon, crs) for area, polygon in zip(same_level, polygons, strict=True)]
    features.sort(key=lambda feature: str(feature["properties"]["code"]))
    return {"type": "FeatureCollection", "features": features}


def _feature(area: Area, polygon: Polygonal, crs: Crs) -> dict[str, Any]:
    drawn = shapely.transform(polygon, _to_gcj02 if crs == "gcj02" else _rounded)
    return {
        "type": "Feature",
        "properties": {"code": area.code, "name": area.name, "level": area.level, "parent": area.parent},
        "geometry": mapping(drawn),
    }


def _rounded(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    return lonlat.round(DECIMALS)


def _to_gcj02(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = [wgs84_to_gcj02(Point(lon, lat)) for lon, lat in lonlat.tolist()]
    return np.array(shifted, dtype=np.float64).reshape(lonlat.shape).round(DECIMALS)
