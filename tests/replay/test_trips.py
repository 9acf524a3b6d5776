"""Trips are read from three kinds of files, and nonsense is named by line and field."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from geo.datum import gcj02_to_wgs84
from geo.point import Point
from tests.replay.trips import ORIGIN, Trip, TripsError, read

SHARED = Path(__file__).parents[3] / "shared"
DATA = Path(os.environ.get("FIELDHUB_TEST_DATA", SHARED / "data")) / "trajectories"

TAXI = '{"lats":[30.1,30.2],"lngs":[104.1,104.2],"time_gap":[0,30],"driverID":7}\n'
CARS = ",vehicle_id,time,longitude,latitude\n0,1.0,13,95.77,0\n1,1.0,10,0,0\n2,2.0,10,5,110.852\n"
TRACKS = """latitude,longitude,track_id,time
-10.9,-37.1,1,2014-09-13 07:24:32
-10.8,-37.0,1,2014-09-13 07:24:42
"""


def write(tmp_path: Path, text: str, *, packed: bool = False) -> Path:
    path = tmp_path / "trips"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("text", "kind", "trips", "fixes"), [(TAXI, "taxi", 1, 2), (CARS, "cars", 2, 3), (TRACKS, "tracks", 1, 2)]
)
def test_the_kind_is_found_by_content(
    tmp_path: Path, *, text: str, kind: str, trips: int, fixes: int, packed: bool
) -> None:
    found = read(write(tmp_path, text, packed=packed))
    assert (found.kind, len(found.trips), found.fixes) == (kind, trips, fixes)


def test_cars_are_in_metres_and_put_in_order_of_time(tmp_path: Path) -> None:
    first, second = read(write(tmp_path, CARS), "wgs84").trips
    assert first.times_s == (0.0, 3.0)
    assert first.points[0] == ORIGIN
    assert first.points[1].lon == pytest.approx(ORIGIN.lon + 0.001, abs=1e-6)
    assert second.points[0].lat == pytest.approx(ORIGIN.lat + 0.001, abs=1e-6)


def test_points_come_out_in_wgs84(tmp_path: Path) -> None:
    path = write(tmp_path, TAXI)
    assert read(path).trips[0].points[0] == gcj02_to_wgs84(Point(104.1, 30.1))
    assert read(path, "wgs84").trips[0].points[0] == Point(104.1, 30.1)


def test_instants_become_seconds_since_the_first(tmp_path: Path) -> None:
    assert read(write(tmp_path, TRACKS)).trips[0].times_s == (0.0, 10.0)


def test_a_trip_is_somewhere_at_any_time() -> None:
    trip = Trip("t", (0.0, 10.0), (Point(104.0, 30.0), Point(105.0, 31.0)))
    assert trip.at(-1) == Point(104.0, 30.0)
    assert trip.at(5) == Point(104.5, 30.5)
    assert trip.at(11) == Point(105.0, 31.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: neither"),
        ("a,b\n1,2\n", "line 1: neither"),
        ("time,longitude,latitude\n1,2,3\n", "line 1: no field vehicle_id or track_id"),
        (CARS.splitlines()[0], "holds no trips"),
        (TAXI + "{", "line 2: not JSON"),
        (TAXI + "\n[1]", "line 3: not a JSON object"),
        ('{"lats":[1],"lngs":[1]}', "line 1: time_gap must be a list"),
        ('{"lats":[1,2],"lngs":[1],"time_gap":[0]}', "line 1: lats, lngs and time_gap have 2, 1 and 1"),
        ('{"lats":[1],"lngs":["x"],"time_gap":[0]}', "line 1: lngs holds 'x'"),
        ('{"lats":[91],"lngs":[1],"time_gap":[0]}', "line 1: lats is 91, outside ±90"),
        (CARS + "3,,1,2,3\n", "line 5: vehicle_id is empty"),
        (CARS + "3,2,soon,2,3\n", "line 5: time is 'soon'"),
        (CARS + "3,2,1,nan,3\n", "line 5: longitude is 'nan'"),
        (CARS + "3,2,1,9e9,3\n", "line 5: longitude is 9e\\+09, outside ±200000"),
        (TRACKS + "1,2,3,2014-13-13 07:24:32\n", "line 4: time is '2014-13-13 07:24:32'"),
        (TRACKS + "1,2\n", "line 4: track_id is empty"),
    ],
)
def test_nonsense_is_named_by_line_and_field(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(TripsError, match=complaint):
        read(write(tmp_path, text))


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trips.gz"
    path.write_bytes(gzip.compress(TAXI.encode() * 100)[:-20])
    with pytest.raises(TripsError, match="damaged gzip"):
        read(path)


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real data is not on this machine")
@pytest.mark.parametrize("path", sorted(DATA.glob("*.gz")), ids=lambda path: path.name)
def test_every_real_file_can_be_read(path: Path) -> None:
    found = read(path)
    assert found.fixes > 10_000
    assert all(len(trip.times_s) == len(trip.points) > 0 for trip in found.trips)
