"""A place on the earth: longitude and latitude in degrees, WGS-84, always in that order."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from storage.base.errors import Invalid


class Point(NamedTuple):
    """WGS-84 degrees. Other datums are converted at the edge (`geo.datum`) and never stored in a `Point`."""

    lon: float
    lat: float


class PositionInvalid(Invalid):
    """Longitude must lie between -180 and 180 and latitude between -90 and 90."""

    code: ClassVar[str] = "position_invalid"
    status: ClassVar[int] = 400  # HS-033, HS-039


def check_point(lon: object, lat: object) -> Point:
    """The point of two numbers from outside. Raises PositionInvalid naming the field that is wrong."""
    return Point(_degrees("lon", lon, 180.0), _degrees("lat", lat, 90.0))


def _degrees(name: str, value: object, bound: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PositionInvalid(f"{name} must be a number of degrees", field=name)
    if not -bound <= value <= bound:  # written as an acceptance, so that NaN fails it
        raise PositionInvalid(f"{name} must lie between -{bound:g} and {bound:g} degrees", field=name)
    return float(value)
