"""Metres between places.

`haversine_m` is what the whole product means by distance: candidates, fences, speed checks. It treats the
earth as a sphere and is within 0.56 % of the truth. `geodesic_m` is exact and about a hundred times slower:
only for money.

The live index compares *chords*: the straight line through the earth between two unit vectors. A chord needs
no trigonometry per candidate, has no seam at the antimeridian or the poles, and orders candidates as the arc
does, because `chord = 2 R sin(arc / 2R)` grows with the arc. It is never longer than the arc, so
"chord ≤ limit" keeps every candidate with "arc ≤ limit" and at most a few more, which the exact
`haversine_m` then drops.
"""

from __future__ import annotations

from math import asin, atan2, cos, degrees, radians, sin, sqrt

from geopy.distance import geodesic

from geo.point import Point

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius (IUGG R1)."""

DEGREE_M = EARTH_RADIUS_M * 3.141592653589793 / 180.0
"""A degree of latitude, or of longitude at the equator."""

HALF_TURN_M = EARTH_RADIUS_M * 3.141592653589793
"""No two places are further apart than this."""


def haversine_m(a: Point, b: Point) -> float:
    """Great-circle distance in metres; symmetric, 0 for equal points."""
    lat_a, lat_b = radians(a[1]), radians(b[1])
    up = sin((lat_b - lat_a) / 2.0)
    across = sin(radians(b[0] - a[0]) / 2.0)
    half_chord2 = up * up + cos(lat_a) * cos(lat_b) * across * across
    return 2.0 * EARTH_RADIUS_M * asin(min(1.0, sqrt(half_chord2)))


def at_most_m(a: Point, b: Point) -> float:
    """Metres that `haversine_m` does not exceed, without trigonometry: along the meridian, then along the equator."""
    return (abs(a[1] - b[1]) + abs(a[0] - b[0])) * DEGREE_M


def geodesic_m(a: Point, b: Point) -> float:
    """Distance in metres on the WGS-84 ellipsoid; what a fee is computed from."""
    metres: float = geodesic((a.lat, a.lon), (b.lat, b.lon)).meters
    return metres


def bearing_deg(a: Point, b: Point) -> float:
    """Initial course from `a` to `b`, degrees clockwise from north in [0, 360); 0 for equal points."""
    lat_a, lat_b, across = radians(a.lat), radians(b.lat), radians(b.lon - a.lon)
    east = sin(across) * cos(lat_b)
    north = cos(lat_a) * sin(lat_b) - sin(lat_a) * cos(lat_b) * cos(across)
    return degrees(atan2(east, north)) % 360.0


def destination(start: Point, course_deg: float, distance_m: float) -> Point:
    """Where one arrives from `start` going straight on `course_deg` for `distance_m`."""
    lat, course, arc = radians(start.lat), radians(course_deg), distance_m / EARTH_RADIUS_M
    end_lat = asin(max(-1.0, min(1.0, sin(lat) * cos(arc) + cos(lat) * sin(arc) * cos(course))))
    turn = atan2(sin(course) * sin(arc) * cos(lat), cos(arc) - sin(lat) * sin(end_lat))
    return Point((start.lon + degrees(turn) + 540.0) % 360.0 - 180.0, degrees(end_lat))


def unit_vector(point: Point) -> tuple[float, float, float]:
    """The point on a sphere of radius 1, for chords."""
    lon, lat = radians(point[0]), radians(point[1])
    flat = cos(lat)
    return flat * cos(lon), flat * sin(lon), sin(lat)


def longitude_reach_deg(lat: float, distance_m: float) -> float:
    """Half the width, in degrees of longitude, of a circle around a place at `lat`; 180 over a pole."""
    arc = distance_m / EARTH_RADIUS_M
    if abs(radians(lat)) + arc >= 1.5707963:
        return 180.0
    return degrees(asin(min(1.0, sin(arc) / cos(radians(lat)))))
