"""Reading a GeoJSON file of areas. Pure: bytes in, areas or a refusal that names every bad feature out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from geo.areas.model import Area, Parsed, RegionCodeInvalid, Repair, area_code
from geo.areas.polygons import PolygonRefused, area_m2, mend, read_polygon
from geo.datum import Crs
from storage.base.errors import Invalid

BYTES_MAX: Final = 128 * 1024 * 1024
"""All counties, cities and provinces of China together are 79 MB."""

FEATURES_MAX: Final = 10_000
PROBLEMS_SHOWN_MAX: Final = 20
NAME_LENGTH_MAX: Final = 100

# What files write when they mean one of our two systems. CGCS2000 is WGS-84 within a few centimetres.
_WGS84_NAMES: Final = ("crs84", "wgs84", "4326", "4490", "cgcs2000")
_GCJ02_NAMES: Final = ("gcj02",)


class AreaFileInvalid(Invalid):
    """The area file cannot be imported."""

    code = "area_file_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Which properties of a feature hold what."""

    code: str = "adcode"
    name: str = "name"
    level: str = "level"
    parent: str = "parent"


class _FeatureRefused(ValueError):
    """Why one feature cannot be imported."""


def parse_areas(raw: bytes, *, crs: Crs, code_field: str = "adcode") -> Parsed:
    """Read a FeatureCollection whose coordinates are in `crs`; polygons come out valid and in WGS-84.

    All or nothing: one bad feature refuses the file, with every problem found (up to a limit) in `problems`.
    Raises AreaFileInvalid.
    """
    fields = Fields(code=code_field)
    areas, repairs, problems, first_seen = list[Area](), list[Repair](), list[str](), dict[str, int]()
    for number, feature in enumerate(_features(raw, crs), start=1):
        try:
            area, repair = _area(feature, crs, fields)
            if area.code in first_seen:
                raise _FeatureRefused(f"has the code {area.code} of feature {first_seen[area.code]}")
        except (_FeatureRefused, PolygonRefused) as problem:
            problems.append(f"{_called(number, feature, fields)} {problem}")
            continue
        first_seen[area.code] = number
        areas.append(area)
        repairs += [repair] if repair else []
    if problems:
        shown = problems[:PROBLEMS_SHOWN_MAX]
        raise AreaFileInvalid(f"{len(problems)} bad features; {shown[0]}", problems=shown, count=len(problems))
    return Parsed(tuple(areas), tuple(repairs))


def _features(raw: bytes, crs: Crs) -> list[Any]:
    if len(raw) > BYTES_MAX:
        raise AreaFileInvalid(f"the file has {len(raw)} bytes, more than {BYTES_MAX}")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        raise AreaFileInvalid(f"the file is not JSON: {problem}") from None
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        kind = document.get("type", "an object without type") if isinstance(document, dict) else "not an object"
        raise AreaFileInvalid(f"the file must be a GeoJSON FeatureCollection, it is {kind!s:.40}")
    features = document.get("features")
    if not isinstance(features, list) or not features:
        raise AreaFileInvalid("the FeatureCollection has no features")
    if len(features) > FEATURES_MAX:
        raise AreaFileInvalid(f"the file has {len(features)} features, more than {FEATURES_MAX}")
    try:
        _check_declared(document.get("crs"), crs)
    except _FeatureRefused as problem:
        raise AreaFileInvalid(f"the file {problem}") from None
    return features


def _area(feature: object, crs: Crs, fields: Fields) -> tuple[Area, Repair | None]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise _FeatureRefused("is not a GeoJSON Feature")
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise _FeatureRefused("has properties that are not an object")
    for declared in (feature.get("crs"), properties.get("crs"), properties.get("datum")):
        _check_declared(declared, crs)
    code = _code(properties.get(fields.code), fields.code)
    rough, closed = read_polygon(feature.get("geometry"), crs)
    polygon, reason = mend(rough)
    area = Area(
        code=code,
        name=str(properties.get(fields.name) or code)[:NAME_LENGTH_MAX],
        level=str(properties.get(fields.level) or "area")[:NAME_LENGTH_MAX],
        parent=_parent(properties.get(fields.parent), fields),
        polygon=polygon,
        source_crs=crs,
    )
    reasons = [*([] if closed else ["Ring not closed"]), *([reason] if reason else [])]
    if not reasons:
        return area, None
    before_m2, after_m2 = area_m2(rough), area_m2(polygon)
    return area, Repair(
        code=code, name=area.name, reason="; ".join(reasons), area_change=round(abs(after_m2 - before_m2) / after_m2, 6)
    )


def _code(value: object, field: str) -> str:
    if value is None or value == "":
        raise _FeatureRefused(f"has no {field}")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _FeatureRefused(f"has a {field} that is neither text nor a whole number")
    try:
        return area_code(str(value))
    except RegionCodeInvalid:
        raise _FeatureRefused(f"has the {field} {value!r:.40}, which is no region code") from None


def _parent(value: object, fields: Fields) -> str | None:
    """Plain, or as an object that holds the code, as the map provider's own files have it."""
    if isinstance(value, dict):
        value = value.get(fields.code)
    return None if value is None or value == "" else _code(value, fields.parent)


def _check_declared(declared: object, crs: Crs) -> None:
    """Refuse when the file itself says another coordinate system than the person who imports it."""
    named = list(_texts(declared))
    if not named:
        return
    text = "".join(named).lower().replace("-", "").replace("_", "")
    meant = "gcj02" if _mentions(text, _GCJ02_NAMES) else "wgs84" if _mentions(text, _WGS84_NAMES) else None
    if meant != crs:
        raise _FeatureRefused(f"says its coordinates are {' '.join(named):.60}, but they were said to be {crs}")


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        properties = value.get("properties")
        value = properties.get("name") if isinstance(properties, dict) else value.get("name")
    if value is not None:
        yield str(value)


def _mentions(text: str, names: Iterable[str]) -> bool:
    return any(name in text for name in names)


def _called(number: int, feature: object, fields: Fields) -> str:
    """The feature as a person finds it again: its place in the file, its name and code."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        return f"feature {number}"
    words = [str(properties[key])[:40] for key in (fields.name, fields.code) if properties.get(key)]
    return f"feature {number} ({' '.join(words)})" if words else f"feature {number}"
