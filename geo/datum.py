"""WGS-84 (phones, satellites, everything inside) and GCJ-02 (Chinese maps and their polygons).

GCJ-02 shifts points in China by 100 to 700 m, so a fence or an area compared in the wrong datum is simply
wrong. The shift is the published sum of polynomials and sines of the position. It has no closed inverse; the
inverse here iterates `wgs = gcj - shift(wgs)`, which contracts by about a hundred in each round (the shift
changes by about 1 % of the distance), so five rounds leave less than a millimetre.

Bounds    "China" is the rectangle map providers use; outside it both functions are the identity. Within
          1 km of its edge a point may have two pre-images or none; the inverse then answers the one inside.
Source    the formula as published with open map tools, compared there with AMap's own converter to about 1 m
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from geo.point import Point
from storage.base.errors import Invalid

Crs = Literal["wgs84", "gcj02"]

CHINA_WEST, CHINA_EAST = 72.004, 137.8347
CHINA_SOUTH, CHINA_NORTH = 0.8293, 55.8271

# Krasovsky 1940, the ellipsoid the shift is computed on.
_AXIS_M = 6_378_245.0
_ECCENTRICITY2 = 0.006_693_421_622_965_943
_ROUNDS = 5

Floats = NDArray[np.float64]


class UnknownCrs(Invalid):
    """The coordinate system must be wgs84 or gcj02."""

    code = "crs_unknown"
    status = 400


def check_crs(name: object) -> Crs:
    """A coordinate system named by a client. Raises UnknownCrs."""
    for known in get_args(Crs):
        if name == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped; these are the literal's own values
    raise UnknownCrs(allowed=list(get_args(Crs)))


def in_china(lon: float, lat: float) -> bool:
    """Whether the GCJ-02 shift applies here (a rectangle around the country, as map providers do it)."""
    return CHINA_WEST <= lon <= CHINA_EAST and CHINA_SOUTH <= lat <= CHINA_NORTH


def wgs84_to_gcj02(point: Point) -> Point:
    """Where a Chinese map draws this place."""
    lon, lat = point
    if not in_china(lon, lat):
        return point
    east, north = _shift(lon, lat, math.sin, math.cos, math.sqrt)
    return Point(lon + east, lat + north)


def gcj02_to_wgs84(point: Point) -> Point:
    """The place a Chinese map means; inverse of `wgs84_to_gcj02` to well below 0.1 m."""
    lon, lat = point
    for _ in range(_ROUNDS):
        east, north = _shift(lon, lat, math.sin, math.cos, math.sqrt)
        lon, lat = point.lon - east, point.lat - north
    return Point(lon, lat) if in_china(lon, lat) else point


def to_wgs84(point: Point, crs: Crs) -> Point:
    """From the datum of a client or file to the one used inside."""
    return gcj02_to_wgs84(point) if crs == "gcj02" else point


def from_wgs84(point: Point, crs: Crs) -> Point:
    """From the datum used inside to the one a client asked for."""
    return wgs84_to_gcj02(point) if crs == "gcj02" else point


def gcj02_to_wgs84_many(lonlat: Floats) -> Floats:
    """`gcj02_to_wgs84` for an array of shape (n, 2): polygons have tens of thousands of vertices."""
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    for _ in range(_ROUNDS):
        east, north = _shift(lon, lat, np.sin, np.cos, np.sqrt)
        lon, lat = lonlat[:, 0] - east, lonlat[:, 1] - north
    inside = (lon >= CHINA_WEST) & (lon <= CHINA_EAST) & (lat >= CHINA_SOUTH) & (lat <= CHINA_NORTH)
    return np.where(inside[:, None], np.column_stack((lon, lat)), lonlat)


def _shift(
    lon: Any,  # noqa: ANN401 - a float or an array of floats: one formula for both
    lat: Any,  # noqa: ANN401
    sin: Callable[[Any], Any],
    cos: Callable[[Any], Any],
    sqrt: Callable[[Any], Any],
) -> tuple[Any, Any]:
    """Degrees east and north by which GCJ-02 moves a WGS-84 place."""
    pi = math.pi
    x, y = lon - 105.0, lat - 35.0
    root, short = sqrt(abs(x)), 20.0 * sin(6.0 * pi * x) + 20.0 * sin(2.0 * pi * x)
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east_m = east_m + (short + 20.0 * sin(pi * x) + 40.0 * sin(pi * x / 3.0)) * 2.0 / 3.0
    east_m = east_m + (150.0 * sin(pi * x / 12.0) + 300.0 * sin(pi * x / 30.0)) * 2.0 / 3.0
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north_m = north_m + (short + 20.0 * sin(pi * y) + 40.0 * sin(pi * y / 3.0)) * 2.0 / 3.0
    north_m = north_m + (160.0 * sin(pi * y / 12.0) + 320.0 * sin(pi * y / 30.0)) * 2.0 / 3.0
    latitude = lat / 180.0 * pi
    flattening = 1.0 - _ECCENTRICITY2 * sin(latitude) ** 2
    east = east_m * 180.0 / (_AXIS_M / sqrt(flattening) * cos(latitude) * pi)
    north = north_m * 180.0 / (_AXIS_M * (1.0 - _ECCENTRICITY2) / (flattening * sqrt(flattening)) * pi)
    return east, north
