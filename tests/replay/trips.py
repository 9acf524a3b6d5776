"""Trips of real vehicles, read from three kinds of files (plain or gzip) and told apart by their content.

| kind   | content                                                                                          |
|--------|--------------------------------------------------------------------------------------------------|
| taxi   | JSON lines: `lats[]`, `lngs[]`, `time_gap[]` (seconds since the start of the trip)               |
| cars   | CSV with `vehicle_id`, `time` (s), `longitude`, `latitude` in metres east and north of an origin |
| tracks | CSV with `track_id`, `time` (s or an instant), `longitude`, `latitude` in degrees                |

Each trip is one technician: the trips of one taxi driver overlap in time, so joining them would invent jumps.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from geo.datum import Crs, to_wgs84
from geo.point import Point

Kind = Literal["taxi", "cars", "tracks"]

ORIGIN = Point(104.04566, 30.65461)
"""What the metres of `cars` files count from."""

METRES_MAX = 200_000.0
"""Beyond this a local plane of metres means nothing; such a number is a mistake in the file."""

DATUMS: Mapping[Kind, Crs] = {"taxi": "gcj02", "cars": "gcj02", "tracks": "wgs84"}
"""Datum of each kind. Measured: taxi and car points lie on the same roads as they are (median 5 m apart; 46 m and
more when one of them is shifted), and district borders of GCJ-02 maps, many of which run along roads, meet three
times as many of these points when nothing is shifted."""

_METRES_PER_DEGREE_LAT = 110_852.0
_METRES_PER_DEGREE_LON = 111_320.0 * math.cos(math.radians(ORIGIN.lat))
_BYTES_MAX = 1 << 30


class TripsError(ValueError):
    """The file is not what it should be; the text names file, line and field."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One vehicle's way: `times_s` rise strictly from 0."""

    name: str
    times_s: tuple[float, ...]
    points: tuple[Point, ...]

    @property
    def duration_s(self) -> float:
        return self.times_s[-1]

    def at(self, seconds: float) -> Point:
        """Where it is after `seconds`; on the straight line between two fixes, at an end outside the trip."""
        index = bisect_right(self.times_s, seconds)
        if index == 0:
            return self.points[0]
        if index == len(self.times_s):
            return self.points[-1]
        start, end = self.times_s[index - 1], self.times_s[index]
        share = (seconds - start) / (end - start)
        a, b = self.points[index - 1], self.points[index]
        return Point(a.lon + (b.lon - a.lon) * share, a.lat + (b.lat - a.lat) * share)

    def mapped(self, place: Callable[[Point], Point]) -> Trip:
        """The same way elsewhere."""
        return Trip(self.name, self.times_s, tuple(map(place, self.points)))


@dataclass(frozen=True, slots=True)
class Trips:
    """All trips of one file."""

    kind: Kind
    trips: tuple[Trip, ...]

    @property
    def fixes(self) -> int:
        return sum(len(trip.times_s) for trip in self.trips)


def read(path: Path | str, crs: Crs | None = None) -> Trips:
    """Read a file of any of the three kinds. `crs`: its datum, if not the usual one of its kind.

    Raises TripsError, OSError.
    """
    found = _read(Path(path))
    datum = crs or DATUMS[found.kind]
    return Trips(found.kind, tuple(trip.mapped(lambda point: to_wgs84(point, datum)) for trip in found.trips))


def _read(path: Path) -> Trips:
    lines = _text(path).splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("{"):
        return Trips("taxi", _some(path, tuple(_taxi(path, lines))))
    header = [name.strip() for name in next(csv.reader([first]), [])]
    kind: Kind
    if {"longitude", "latitude", "time"} <= set(header):
        if "vehicle_id" in header:
            kind = "cars"
        elif "track_id" in header:
            kind = "tracks"
        else:
            raise TripsError(f"{path}: line 1: no field vehicle_id or track_id among {', '.join(header)}")
        return Trips(kind, _some(path, tuple(_table(path, lines, kind))))
    raise TripsError(f"{path}: line 1: neither a JSON object nor a CSV header with longitude, latitude, time")


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(_BYTES_MAX)
        except (OSError, EOFError) as problem:
            raise TripsError(f"{path}: damaged gzip file: {problem}") from problem
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise TripsError(f"{path}: not UTF-8 text: {problem}") from problem


def _some(path: Path, trips: tuple[Trip, ...]) -> tuple[Trip, ...]:
    if not trips:
        raise TripsError(f"{path}: holds no trips")
    return trips


def _taxi(path: Path, lines: list[str]) -> Iterator[Trip]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as problem:
            raise TripsError(f"{where}: not JSON: {problem}") from problem
        if not isinstance(record, dict):
            raise TripsError(f"{where}: not a JSON object")
        lats, lngs, gaps = (_numbers(record, name, where) for name in ("lats", "lngs", "time_gap"))
        if not len(lats) == len(lngs) == len(gaps):
            raise TripsError(
                f"{where}: lats, lngs and time_gap have {len(lats)}, {len(lngs)} and {len(gaps)} values"
            )
        for name, values, limit in (("lats", lats, 90.0), ("lngs", lngs, 180.0)):
            for value in values:
                _within(value, limit, name, where)
        yield _trip(f"{number}", zip(gaps, map(Point, lngs, lats), strict=True))


def _numbers(record: Mapping[str, Any], name: str, where: str) -> list[float]:
    values = record.get(name)
    if not isinstance(values, list) or not values:
        raise TripsError(f"{where}: {name} must be a list of numbers, and not empty")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TripsError(f"{where}: {name} holds {value!r}, which is not a finite number")
    return [float(value) for value in values]


def _table(path: Path, lines: list[str], kind: Kind) -> Iterator[Trip]:
    who, limit = ("vehicle_id", None) if kind == "cars" else ("track_id", (180.0, 90.0))
    ways: dict[str, list[tuple[float, Point]]] = {}
    table = csv.DictReader(line for line in lines if line.strip())
    table.fieldnames = [name.strip() for name in table.fieldnames or ()]
    for row in table:
        where = f"{path}: line {table.line_num}"
        name = (row.get(who) or "").strip()
        if not name:
            raise TripsError(f"{where}: {who} is empty")
        at = _seconds(row.get("time"), where)
        x, y = (_number(row.get(field), field, where) for field in ("longitude", "latitude"))
        for value, field, index in ((x, "longitude", 0), (y, "latitude", 1)):
            _within(value, limit[index] if limit else METRES_MAX, field, where)
        ways.setdefault(name, []).append((at, _from_metres(x, y) if kind == "cars" else Point(x, y)))
    for name, fixes in ways.items():
        yield _trip(name, fixes)


def _number(raw: str | None, field: str, where: str) -> float:
    try:
        value = float(raw or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TripsError(f"{where}: {field} is {raw!r}, which is not a finite number")
    return value


def _seconds(raw: str | None, where: str) -> float:
    """A number of seconds, or an instant like 2014-09-13 07:24:32."""
    text = (raw or "").strip()
    try:
        if "-" not in text[1:] or ":" not in text:
            return _number(text, "time", where)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except ValueError as problem:
        raise TripsError(f"{where}: time is {raw!r}, which is neither seconds nor an instant") from problem


def _within(value: float, limit: float, field: str, where: str) -> None:
    if not -limit <= value <= limit:
        raise TripsError(f"{where}: {field} is {value:g}, outside ±{limit:g}")


def _from_metres(east: float, north: float) -> Point:
    return Point(ORIGIN.lon + east / _METRES_PER_DEGREE_LON, ORIGIN.lat + north / _METRES_PER_DEGREE_LAT)


def _trip(name: str, fixes: Iterable[tuple[float, Point]]) -> Trip:
    """In order of time, from 0; of two fixes at one instant the first counts."""
    kept: dict[float, Point] = {}
    for at, point in sorted(fixes, key=lambda fix: fix[0]):
        kept.setdefault(at, point)
    start = next(iter(kept))
    return Trip(name, tuple(at - start for at in kept), tuple(kept.values()))
