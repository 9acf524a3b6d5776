"""Service areas: a code, a name and a polygon. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from geo.datum import Crs
from storage.base.errors import Invalid

Polygonal = Any
"""A shapely Polygon or MultiPolygon in WGS-84 degrees; shapely has no types."""

COUNTRY_PREFIX = "156"
"""ISO 3166 number of China; some registers put it before the six digits (HS-038)."""

CODE_LENGTH_MAX = 32
_DIGITS = re.compile(r"[1-9][0-9]{5}")
_OWN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class RegionCodeInvalid(Invalid):
    """A region code has six digits, with or without 156 before them."""

    code = "region_code"
    status = 400  # HS-038


def normalize_code(text: str) -> str:
    """`370602` and `156370602` are the same district: the six digits. Raises RegionCodeInvalid."""
    code = text.strip()
    if len(code) == len(COUNTRY_PREFIX) + 6:
        code = code.removeprefix(COUNTRY_PREFIX)
    if not (code.isascii() and _DIGITS.fullmatch(code)):
        raise RegionCodeInvalid
    return code


def area_code(text: str) -> str:
    """The code of an area in a file: a region code, or a name of one's own for a drawn area (`airport_north`).

    Raises RegionCodeInvalid.
    """
    if len(text) <= CODE_LENGTH_MAX and text.isascii() and _OWN.fullmatch(text):
        return text
    return normalize_code(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """An area work can be offered in. `parent` is the code of the area around it, which may be unknown to us."""

    code: str
    name: str
    level: str
    parent: str | None
    polygon: Polygonal
    source_crs: Crs


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What had to be mended in a polygon of a file, for the person who brought it."""

    code: str
    name: str
    reason: str
    area_change: float
    """By what part the area changed: 0.01 is one percent."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The areas of one file, fit to be stored, and what was mended on the way."""

    areas: tuple[Area, ...]
    repairs: tuple[Repair, ...]


def by_precedence(areas: Iterable[Area]) -> list[Area]:
    """The order in which areas claim a point: the inner before the outer, then the lowest code.

    A district is inside its city when the city is its `parent`; areas of the same depth go by code alone.
    """
    known = {area.code: area for area in areas}

    def depth(area: Area) -> int:
        seen = {area.code}
        while area.parent in known and area.parent not in seen:
            seen.add(area.parent)
            area = known[area.parent]
        return len(seen)

    return sorted(known.values(), key=lambda area: (-depth(area), area.code))
