"""A fence says who came and left, does not flap, and cannot be skipped between two fixes."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geo.distance import bearing_deg, destination, haversine_m
from geo.fences import Fence, FenceEvent, FenceState, advance
from geo.fixes import Fix
from geo.point import Point
from geo.positions import Track
from geo.positions import advance as follow
from tests.geo.data import trajectory_file

START = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
DOOR = Point(121.4, 37.5)
FENCE = Fence(DOOR, 100.0)  # leaves at 130 m


def fix(seconds: float, point: Point, accuracy_m: float | None = None) -> Fix:
    return Fix(int(seconds * 1000), START + timedelta(seconds=seconds), point, accuracy_m)


def at(seconds: float, metres: float, accuracy_m: float | None = None, course: float = 40.0) -> Fix:
    """A fix so far from the door."""
    return fix(seconds, destination(DOOR, course, metres), accuracy_m)


def run(fixes: Iterable[Fix], fence: Fence = FENCE, state: FenceState | None = None) -> list[FenceEvent]:
    state, events = state or FenceState(), list[FenceEvent]()
    for one in fixes:
        state, event = advance(state, fence, one)
        events += [event] if event else []
    return events


def kinds(*fixes: Fix, state: FenceState | None = None) -> list[str]:
    return [event.kind for event in run(fixes, state=state)]


INSIDE = FenceState(inside=True)


def test_coming_takes_two_fixes_and_five_seconds() -> None:
    arrival = [at(0, 300), at(10, 90), at(12, 80), at(15, 70)]
    (event,) = run(arrival)
    assert (event.kind, event.at, event.fix) == ("entered", arrival[1].at, arrival[3])
    assert kinds(*arrival[:3]) == []


def test_leaving_takes_two_fixes_beyond_the_outer_circle() -> None:
    assert kinds(at(0, 135), at(5, 140), state=INSIDE) == ["left"]
    assert kinds(at(0, 135), at(4, 140), state=INSIDE) == []
    assert kinds(at(0, 125), at(5, 128), at(60, 129), state=INSIDE) == []


def test_one_stray_fix_decides_nothing() -> None:
    assert kinds(at(0, 50), at(10, 180), at(20, 50), at(30, 180), at(40, 50), state=INSIDE) == []


def test_who_starts_inside_has_come() -> None:
    assert kinds(at(0, 10), at(6, 10)) == ["entered"]


@pytest.mark.parametrize(
    ("metres", "accuracy_m", "came"), [(89, 20, True), (91, 20, False), (74, 50, True), (99, None, True)]
)
def test_half_the_accuracy_must_lie_inside_too(metres: float, accuracy_m: float | None, *, came: bool) -> None:
    assert bool(kinds(at(0, metres, accuracy_m), at(6, metres, accuracy_m))) is came


@pytest.mark.parametrize(("metres", "accuracy_m", "left"), [(141, 20, True), (139, 20, False)])
def test_and_half_of_it_outside(metres: float, accuracy_m: float, *, left: bool) -> None:
    assert bool(kinds(at(0, metres, accuracy_m), at(6, metres, accuracy_m), state=INSIDE)) is left


def test_the_edge_is_a_quarter_of_large_fences() -> None:
    assert FENCE.exit_m() == 130.0
    assert Fence(DOOR, 1_000.0).exit_m() == 1_250.0


def test_old_fixes_change_nothing() -> None:
    state, _ = advance(FenceState(), FENCE, at(60, 300))
    assert advance(state, FENCE, at(60, 10)) == (state, None)
    assert advance(state, FENCE, at(30, 10)) == (state, None)


@pytest.mark.parametrize(
    ("centre", "radius_m"), [(DOOR, 0.0), (DOOR, 50_001.0), (Point(0, 86), 100.0), (DOOR, float("nan"))]
)
def test_impossible_fences_are_refused(centre: Point, radius_m: float) -> None:
    with pytest.raises(ValueError, match="must"):
        Fence(centre, radius_m)


# Passing through


def test_driving_through_between_two_fixes_is_a_crossing_at_the_middle() -> None:
    (event,) = run([at(0, 400, course=270), at(30, 400, course=90)])
    assert event.kind == "crossed"
    assert abs(event.at - (START + timedelta(seconds=15))) < timedelta(seconds=0.1)


def test_a_crossing_is_told_once() -> None:
    assert kinds(at(0, 400, course=270), at(30, 400, course=90), at(60, 700, course=90)) == ["crossed"]


@pytest.mark.parametrize("away", [at(121, 400, course=90), at(30, 2_500, course=90)], ids=["long silence", "too fast"])
def test_a_way_nobody_can_know_is_not_believed(away: Fix) -> None:
    assert kinds(at(0, 400, course=270), away) == []


def test_who_goes_on_to_stay_has_come_and_not_crossed() -> None:
    assert kinds(at(0, 300), at(30, 60, course=220), at(40, 20), at(50, 10)) == ["entered"]


@given(st.floats(-99, 99), st.floats(0, 1), st.floats(3, 55), st.floats(0, 360), st.floats(1, 30))
def test_no_straight_drive_through_the_circle_goes_unnoticed(
    offset_m: float, phase: float, speed_mps: float, course: float, gap_s: float
) -> None:
    """Whatever the speed, the way and the gaps: entered and left, or crossed; and always just one of them."""
    assume(speed_mps * gap_s < 1_000)
    nearest = destination(DOOR, course + 90.0, offset_m)
    first_m = -1_500.0 - phase * speed_mps * gap_s
    drive = []
    for number in range(int(3_000 / (speed_mps * gap_s)) + 3):
        along = first_m + number * speed_mps * gap_s
        drive.append(fix(number * gap_s, destination(nearest, course if along > 0 else course + 180.0, abs(along))))
    assert [event.kind for event in run(drive)] in (["entered", "left"], ["crossed"])


@given(st.floats(0, 360), st.floats(131, 900), st.floats(0, 360), st.floats(131, 900))
def test_a_way_touches_the_circle_when_some_point_on_it_does(c1: float, m1: float, c2: float, m2: float) -> None:
    begin, end = destination(DOOR, c1, m1), destination(DOOR, c2, m2)
    length_m, course = haversine_m(begin, end), bearing_deg(begin, end)
    assume(length_m < 1_700)  # what can be driven in 30 s
    walked = [destination(begin, course, length_m * step / 2_000) for step in range(2_001)]
    nearest_m = min(haversine_m(DOOR, point) for point in walked)
    assume(abs(nearest_m - 100.0) > 0.5)
    assert bool(run([fix(0, begin), fix(30, end)])) is (nearest_m < 100.0)


# Flapping


gaps = st.lists(st.floats(0.5, 60), min_size=1, max_size=30)


@given(gaps, st.data())
def test_between_the_circles_nothing_happens(gap_list: list[float], data: st.DataObject) -> None:
    seconds, fixes = 0.0, []
    for gap in gap_list:
        seconds += gap
        metres = data.draw(st.floats(101, 129))
        # A worker on one side of the door: a straight way between two such places does not touch the circle.
        fixes.append(at(seconds, metres, course=data.draw(st.floats(0, 10))))
    assert kinds(*fixes) == []
    assert kinds(*fixes, state=INSIDE) == []


@given(st.lists(st.tuples(st.floats(0.5, 60), st.floats(0, 400), st.floats(0, 360)), max_size=40))
def test_coming_and_leaving_alternate_and_are_never_closer_than_the_confirmation(
    legs: list[tuple[float, float, float]],
) -> None:
    seconds, fixes = 0.0, []
    for gap, metres, course in legs:
        seconds += gap
        fixes.append(at(seconds, metres, course=course))
    events = run(fixes)
    stays = [event for event in events if event.kind != "crossed"]
    assert [event.kind for event in stays] == ["entered", "left"][: len(stays)] or all(
        a.kind != b.kind for a, b in pairwise(stays)
    )
    assert not stays or stays[0].kind == "entered"
    for event in stays:
        assert event.fix.at - event.at >= timedelta(seconds=5)
    for a, b in pairwise(stays):
        assert b.at > a.fix.at


@given(st.lists(st.booleans(), max_size=40))
def test_clear_fixes_give_what_a_plain_reading_gives(inside_list: list[bool]) -> None:
    """10 s apart, standing clearly inside or outside on one side: two alike in a row decide."""
    fixes = [at(10.0 * n, 20 if is_in else 600) for n, is_in in enumerate(inside_list)]
    expected, is_inside, passed = list[str](), False, False
    for n, is_in in enumerate(inside_list):
        twice = n > 0 and inside_list[n - 1] is is_in
        passed = passed or (is_in and not is_inside)
        if is_in and not is_inside and twice:
            is_inside, passed = True, False
            expected.append("entered")
        elif not is_in and is_inside and twice:
            is_inside = False
            expected.append("left")
        elif not is_in and not is_inside and passed:
            passed = False
            expected.append("crossed")
    assert kinds(*fixes) == expected


def tracks_of_real_vehicles() -> dict[str, list[Fix]]:
    """Real cars and buses with their real noise, as the pipeline believes them."""
    raw: dict[str, list[Fix]] = defaultdict(list)
    with gzip.open(trajectory_file("aracaju_gps.csv.gz"), "rt") as lines:
        for row in csv.DictReader(lines):
            moment = datetime.fromisoformat(row["time"]).replace(tzinfo=UTC)
            place = Point(float(row["longitude"]), float(row["latitude"]))
            raw[row["track_id"]].append(Fix(len(raw[row["track_id"]]), moment, place))
    believed: dict[str, list[Fix]] = {}
    for name, fixes in raw.items():
        track, kept = Track(), list[Fix]()
        for one in fixes:
            track, outcome = follow(track, one, one.at)
            kept += [outcome.fix] if outcome.fence and outcome.live else []
        believed[name] = kept
    return believed


def flips(moments: list[datetime]) -> int:
    """Changes that were taken back within half a minute."""
    return sum(later - earlier < timedelta(seconds=30) for earlier, later in pairwise(moments))


def test_real_vehicles_flap_less_than_by_comparing_single_fixes() -> None:
    plain, ours, missed = list[list[datetime]](), list[list[datetime]](), 0
    for fixes in tracks_of_real_vehicles().values():
        places = Counter((round(one.point.lon, 3), round(one.point.lat, 3)) for one in fixes)
        for (lon, lat), _ in places.most_common(5):
            fence = Fence(Point(lon, lat), 50.0)
            inside = [haversine_m(fence.centre, one.point) <= fence.radius_m for one in fixes]
            plain.append(
                [one.at for one, now, before in zip(fixes, inside, [False, *inside], strict=False) if now != before]
            )
            events = run(fixes, fence)
            ours.append([event.at for event in events if event.kind != "crossed"])
            is_gone = haversine_m(fence.centre, fixes[-1].point) > fence.exit_m()
            missed += any(inside) and is_gone and not events
    assert sum(map(flips, plain)) > 100
    assert sum(map(flips, ours)) < 0.4 * sum(map(flips, plain))
    assert sum(map(len, ours)) < 0.8 * sum(map(len, plain))
    assert missed == 0
