"""Fixes on the wire: one or a batch, as objects or compact rows, in the datum of the sender. Pure.

A message that cannot be read is refused as a whole, with a JSON pointer to the first field that is wrong; what can
be read but not believed is for the pipeline (`geo.positions`) to judge, fix by fix.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf, isfinite
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta

from geo.datum import Crs, to_wgs84
from geo.point import Point, PositionInvalid, check_point
from storage.base.errors import Invalid

FIXES_MAX: Final = 100
"""In one message; a phone that was offline longer sends several."""

SEQ_MAX: Final = 2**53 - 1  # the largest whole number every client can count to

KEPT_DAYS: Final = 30
"""Older fixes are not kept, so a fix said to be older has a wrong instant."""

AT_MS_END: Final = 4_000_000_000_000  # in 2096

_KEPT: Final = timedelta(days=KEPT_DAYS)
_AHEAD: Final = timedelta(days=1)

FIELDS: Final = ("seq", "at", "lat", "lon", "accuracy_m", "speed_mps", "heading_deg")
_REQUIRED: Final = 4


class Fix(msgspec.Struct, frozen=True):
    """One measured position. `seq` counts up on the phone; the last three are None where the phone does not know."""

    seq: int
    at: datetime
    point: Point
    accuracy_m: float | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None


Where = Callable[[str], str]
"""The JSON pointer of a field of the fix at hand; asked only when something is wrong with it."""


class FixInvalid(Invalid):
    """A position message must be one fix or a list of fixes."""

    code: ClassVar[str] = "fix_invalid"
    status: ClassVar[int] = 400


def parse_fixes(payload: object, crs: Crs, now: datetime) -> list[Fix]:
    """The fixes of a message, in the order sent.

    Shapes    {"seq", "at", "lat", "lon", "accuracy_m"?, "speed_mps"?, "heading_deg"?}, or the same values as a row
              [seq, at, lat, lon, accuracy_m?, speed_mps?, heading_deg?], or a list of up to `FIXES_MAX` of either.
              `at` (or `at_ms`) is milliseconds since 1970, or RFC 3339 with an offset.
    Raises    FixInvalid, PositionInvalid; both carry `pointer`.
    """
    if isinstance(payload, list) and (not payload or isinstance(payload[0], list | dict)):
        if not payload:
            raise FixInvalid("there is no fix in this message", pointer="")
        if len(payload) > FIXES_MAX:
            raise FixInvalid(f"a message holds at most {FIXES_MAX} fixes, this one {len(payload)}", pointer="")
        return [_usual(value, crs, now) or _fix(value, f"/{number}", crs, now) for number, value in enumerate(payload)]
    return [_usual(payload, crs, now) or _fix(payload, "", crs, now)]


_Degrees = Annotated[float, Meta(ge=-180, le=180)]
_Measure = Annotated[float, Meta(ge=-1e9, lt=1e9)] | None


class _Row(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """A row as phones send it, checked in one go."""

    seq: Annotated[int, Meta(ge=0, le=SEQ_MAX)]
    at_ms: Annotated[int, Meta(ge=0, lt=AT_MS_END)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: _Degrees
    accuracy_m: _Measure = None
    speed_mps: _Measure = None
    heading_deg: _Measure = None


def _usual(value: object, crs: Crs, now: datetime) -> Fix | None:
    """The fix of a row without fault; None for anything else, which `_fix` reads, and says what is wrong."""
    if type(value) is not list:
        return None
    try:
        row = msgspec.convert(value, _Row)
    except (msgspec.ValidationError, OverflowError):
        return None
    at = datetime.fromtimestamp(row.at_ms / 1000.0, UTC)
    if not -_AHEAD <= now - at <= _KEPT:
        return None
    point = to_wgs84(Point(row.lon, row.lat), crs)
    return Fix(row.seq, at, point, row.accuracy_m, _speed(row.speed_mps), _heading(row.heading_deg))


def _speed(value: float | None) -> float | None:
    """Phones say -1 for a speed or a course they do not know."""
    return None if value is None or value < 0.0 else value


def _heading(value: float | None) -> float | None:
    return None if value is None or value < 0.0 else value % 360.0


def _fix(value: object, pointer: str, crs: Crs, now: datetime) -> Fix:
    where: Where
    if isinstance(value, dict):
        given, where = _named(value, pointer)
    elif isinstance(value, list):
        if not _REQUIRED <= len(value) <= len(FIELDS):
            raise FixInvalid(f"a row has {_REQUIRED} to {len(FIELDS)} values: {', '.join(FIELDS)}", pointer=pointer)
        given = dict(zip(FIELDS, value, strict=False))

        def where(name: str) -> str:
            return f"{pointer}/{FIELDS.index(name)}"
    else:
        raise FixInvalid("a fix is an object or a row", pointer=pointer)
    heading = _heading(_number(given, "heading_deg", where))
    speed = _speed(_number(given, "speed_mps", where))
    seq, at = _seq(given["seq"], where), _instant(given["at"], where, now)
    point = to_wgs84(_point(given, where), crs)
    return Fix(seq, at, point, _number(given, "accuracy_m", where), speed, heading)


def _named(value: dict[Any, Any], pointer: str) -> tuple[dict[str, Any], Where]:
    in_ms = "at_ms" in value and "at" not in value
    if in_ms:
        value = {("at" if name == "at_ms" else name): held for name, held in value.items()}

    def where(name: str) -> str:
        return f"{pointer}/{'at_ms' if name == 'at' and in_ms else name}"

    for name in value:
        if name not in FIELDS:
            raise FixInvalid(f"{name!s:.40} is not a field of a fix: {', '.join(FIELDS)}", pointer=pointer)
    for name in FIELDS[:_REQUIRED]:
        if name not in value:
            raise FixInvalid(f"{name} is missing", pointer=where(name))
    return value, where


def _seq(value: object, where: Where) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= SEQ_MAX:
        raise FixInvalid(f"seq must be a whole number from 0 to {SEQ_MAX}", pointer=where("seq"))
    return value


def _instant(value: object, where: Where, now: datetime) -> datetime:
    at = _from_text(value) if isinstance(value, str) else _from_ms(value)
    if at is None:
        raise FixInvalid("at must be milliseconds since 1970 or RFC 3339 with an offset", pointer=where("at"))
    if -_AHEAD <= now - at <= _KEPT:
        return at
    hint = " (milliseconds are wanted, these look like seconds)" if at.year == 1970 else ""
    raise FixInvalid(f"at must lie within the last {KEPT_DAYS} days{hint}", pointer=where("at"))


def _from_ms(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < AT_MS_END:
        return None
    return datetime.fromtimestamp(value / 1000.0, UTC)


def _from_text(value: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if at.tzinfo is None else at.astimezone(UTC)


def _point(given: dict[str, Any], where: Where) -> Point:
    try:
        return check_point(given["lon"], given["lat"])
    except PositionInvalid as problem:
        raise PositionInvalid(problem.detail, pointer=where(problem.fields["field"]), **problem.fields) from None


def _number(given: dict[str, Any], name: str, where: Where) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    # The first comparison keeps whole numbers too large for a float away from isfinite.
    if isinstance(value, bool) or not isinstance(value, int | float) or not (-inf < value < 1e9 and isfinite(value)):
        raise FixInvalid("must be a number or null", pointer=where(name))
    return float(value)
