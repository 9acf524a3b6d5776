"""The live index answers as a scan over all workers would (I15), whatever happened before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from geo.distance import destination, haversine_m
from geo.index import RADIUS_MAX_M, Candidate, LiveIndex
from geo.point import Point
from geo.tiles import Grid

START = datetime(2026, 1, 5, tzinfo=UTC)
HOME = Point(121.4, 37.5)
SERVICES = ("massage", "rescue")

# Places where a grid could go wrong: a town, both sides of the antimeridian, the poles and tile corners.
ANCHORS = [
    HOME,
    Point(180.0, 10.0),
    Point(-180.0, 10.0),
    Point(0.0, 90.0),
    Point(77.0, -90.0),
    Point(0.1, 0.1),
]
near_an_anchor = st.builds(
    destination, st.sampled_from(ANCHORS), st.sampled_from([0.0, 45.0, 90.0, 200.0]), st.floats(0, 25_000)
)
points = st.one_of(st.sampled_from(ANCHORS), near_an_anchor, st.builds(Point, st.floats(-180, 180), st.floats(-90, 90)))
# The machine's town lies across the antimeridian and is so small that most questions find somebody.
TOWN = [destination(Point(179.99, 10.0), course, 1_500 * n) for n in range(3) for course in (0, 90, 180, 270)]
town = st.sampled_from(TOWN)
workers = st.sampled_from([f"wrk_{number}" for number in range(5)])
service_sets = st.frozensets(st.sampled_from(SERVICES))
own_radii = st.sampled_from([inf, 0.0, 3_000.0, 10_000.0])
instants = st.integers(0, 4).map(lambda seconds: START + timedelta(seconds=seconds))


@dataclass(frozen=True)
class Known:
    """What the oracle remembers of a worker."""

    services: frozenset[str]
    point: Point
    at: datetime
    radius_m: float
    online: bool
    eligible: bool


class IndexEqualsScan(RuleBasedStateMachine):
    """Any sequence of changes, then any question, against a plain scan."""

    def __init__(self) -> None:
        super().__init__()
        # Small tiles and a crowd in all of them: else a search may simply visit every tile.
        self.index = LiveIndex(capacity=2, tile_deg=0.02)
        self.known: dict[str, Known] = {}
        for number in range(30):
            crowd = Known(frozenset(SERVICES), Point(170.0 + number / 50, 10.0), START, inf, True, True)
            self.known[f"crowd_{number}"] = crowd
            self.index.upsert(f"crowd_{number}", crowd.services, crowd.point, crowd.at)

    @rule(
        worker=workers,
        services=service_sets,
        point=town,
        at=instants,
        radius_m=own_radii,
        online=st.booleans(),
        eligible=st.booleans(),
    )
    def upsert(self, worker: str, **attributes: object) -> None:
        self.known[worker] = Known(**attributes)  # type: ignore[arg-type]  # the strategies above give the types
        self.index.upsert(worker, **attributes)  # type: ignore[arg-type]

    @rule(worker=workers, point=town, at=instants)
    def move(self, worker: str, point: Point, at: datetime) -> None:
        known = self.known.get(worker)
        believed = known is not None and at >= known.at
        assert self.index.move(worker, point, at) is believed
        if known is not None and believed:
            self.known[worker] = replace(known, point=point, at=at)

    @rule(worker=workers)
    def remove(self, worker: str) -> None:
        assert self.index.remove(worker) is (self.known.pop(worker, None) is not None)

    @rule(worker=workers, services=service_sets)
    def change_services(self, worker: str, services: frozenset[str]) -> None:
        assert self.index.set_attributes(worker, services=services) is (worker in self.known)
        if worker in self.known:
            self.known[worker] = replace(self.known[worker], services=services)

    @rule(worker=workers, online=st.booleans(), eligible=st.booleans(), radius_m=own_radii)
    def change_state(self, worker: str, *, online: bool, eligible: bool, radius_m: float) -> None:
        self.index.set_attributes(worker, online=online, eligible=eligible, radius_m=radius_m)
        if worker in self.known:
            self.known[worker] = replace(self.known[worker], online=online, eligible=eligible, radius_m=radius_m)

    @rule(
        service=st.sampled_from(SERVICES),
        point=town,
        k=st.integers(0, 5),
        radius_m=st.sampled_from([0.0, 1_500.0, 5_000.0, RADIUS_MAX_M]),
        factor=st.sampled_from([0.5, 1.0, 3.0]),
        fresh_since=st.none() | instants,
        refused=st.frozensets(workers, max_size=3),
    )
    def ask(
        self,
        *,
        service: str,
        point: Point,
        k: int,
        radius_m: float,
        factor: float,
        fresh_since: datetime | None,
        refused: frozenset[str],
    ) -> None:
        expected = sorted(
            (haversine_m(point, known.point), worker)
            for worker, known in self.known.items()
            if service in known.services
            and known.online
            and known.eligible
            and (fresh_since is None or known.at >= fresh_since)
            and haversine_m(point, known.point) <= min(radius_m, known.radius_m * factor)
            and worker not in refused
        )[:k]
        question = {
            "accept": lambda worker: worker not in refused,
            "own_radius_factor": factor,
            "fresh_since": fresh_since,
        }
        found = self.index.nearest(service, point, k, radius_m, **question)  # type: ignore[arg-type]
        assert [(one.distance_m, one.worker_id) for one in found] == expected
        explained = self.index.explain(service, point, k=k, radius_m=radius_m, **question)  # type: ignore[arg-type]
        assert [(one.distance_m, one.worker_id) for one in explained if one.reason is None] == expected
        look_m = min(2 * radius_m, RADIUS_MAX_M)
        assert {one.worker_id for one in explained} == {
            worker for worker, known in self.known.items() if haversine_m(point, known.point) <= look_m
        }

    @invariant()
    def knows_exactly_these(self) -> None:
        assert {entry.worker_id: entry.point for entry in self.index} == {
            worker: known.point for worker, known in self.known.items()
        }
        assert len(self.index) == len(self.known)


IndexEqualsScan.TestCase.settings = settings(stateful_step_count=40)
TestIndexEqualsScan = IndexEqualsScan.TestCase


@given(points, st.lists(points, max_size=30), st.floats(0, 100_000), st.integers(1, 5))
def test_a_still_picture_equals_a_scan(centre: Point, places: list[Point], radius_m: float, k: int) -> None:
    index = LiveIndex()
    for number, place in enumerate(places):
        index.upsert(f"wrk_{number:02}", ["massage"], place, START)
    expected = sorted((haversine_m(centre, place), f"wrk_{number:02}") for number, place in enumerate(places))
    assert [(found.distance_m, found.worker_id) for found in index.nearest("massage", centre, k, radius_m)] == [
        pair for pair in expected if pair[0] <= radius_m
    ][:k]


@settings(max_examples=400)
@given(st.sampled_from(ANCHORS) | near_an_anchor, st.floats(0, 300_000), st.floats(0, 1), st.floats(0, 360))
def test_the_tiles_of_a_circle_hold_every_point_in_it(
    centre: Point, radius_m: float, part: float, course: float
) -> None:
    grid = Grid(0.5)
    inside = destination(centre, course, radius_m * part)
    touched = grid.touched(centre, radius_m, limit=10**9)
    assert touched is not None
    assert grid.tile_of(inside) in touched
    assert len(touched) == len(set(touched))
    assert 0 <= min(touched) <= max(touched) < 720 * 360


def test_both_names_of_the_antimeridian_are_one_tile() -> None:
    grid = Grid(0.5)
    assert grid.tile_of(Point(180.0, 10.2)) == grid.tile_of(Point(-180.0, 10.2))


def test_a_circle_over_too_many_tiles_says_so() -> None:
    assert Grid(0.5).touched(Point(0.0, 89.0), 200_000, limit=100) is None


def test_a_worker_exactly_on_the_radius_is_found() -> None:
    index = LiveIndex()
    place = destination(HOME, 70, 5_000)
    index.upsert("wrk_1", ["massage"], place, START)
    exactly = haversine_m(HOME, place)
    assert index.nearest("massage", HOME, 1, exactly) == [Candidate("wrk_1", exactly)]
    assert index.nearest("massage", HOME, 1, exactly - 1e-6) == []


def test_equal_distances_are_ordered_by_worker_id_even_beyond_k() -> None:
    index = LiveIndex()
    for worker in ("wrk_c", "wrk_a", "wrk_d", "wrk_b"):
        index.upsert(worker, ["massage"], destination(HOME, 10, 900), START)
    assert [found.worker_id for found in index.nearest("massage", HOME, 2, 5_000)] == ["wrk_a", "wrk_b"]


def test_accept_is_asked_from_near_to_far_and_no_more_than_needed() -> None:
    index, asked = LiveIndex(), list[str]()
    for number in range(10):
        index.upsert(f"wrk_{number}", ["massage"], destination(HOME, 36 * number, 100 * (number + 1)), START)

    def accept(worker: str) -> bool:
        asked.append(worker)
        return worker != "wrk_0"

    assert [one.worker_id for one in index.nearest("massage", HOME, 2, 5_000, accept)] == ["wrk_1", "wrk_2"]
    assert asked == ["wrk_0", "wrk_1", "wrk_2"]


def test_every_reason_is_told() -> None:
    index, late = LiveIndex(), START - timedelta(minutes=5)
    index.upsert("wrk_taken", ["massage"], destination(HOME, 0, 100), START)
    index.upsert("wrk_second", ["massage"], destination(HOME, 0, 200), START)
    index.upsert("wrk_declined", ["massage"], destination(HOME, 0, 50), START)
    index.upsert("wrk_off", ["massage"], destination(HOME, 0, 300), START, online=False)
    index.upsert("wrk_busy", ["massage"], destination(HOME, 0, 400), START, eligible=False)
    index.upsert("wrk_driver", ["rescue"], destination(HOME, 0, 500), START)
    index.upsert("wrk_silent", ["massage"], destination(HOME, 0, 600), late)
    index.upsert("wrk_homely", ["massage"], destination(HOME, 0, 700), START, radius_m=500)
    index.upsert("wrk_far", ["massage"], destination(HOME, 0, 1_500), START)
    index.upsert("wrk_gone", ["massage"], destination(HOME, 0, 2_500), START)
    explained = index.explain(
        "massage",
        HOME,
        k=1,
        radius_m=1_000,
        accept=lambda worker: worker != "wrk_declined",
        fresh_since=START - timedelta(seconds=90),
    )
    assert [(one.worker_id, one.reason) for one in explained] == [
        ("wrk_declined", "refused"),
        ("wrk_taken", None),
        ("wrk_second", "enough"),
        ("wrk_off", "offline"),
        ("wrk_busy", "ineligible"),
        ("wrk_driver", "service"),
        ("wrk_silent", "stale_fix"),
        ("wrk_homely", "own_radius"),
        ("wrk_far", "too_far"),
    ]


@pytest.mark.parametrize(("radius_m", "factor"), [(-1, 1), (RADIUS_MAX_M + 1, 1), (float("nan"), 1), (1, 0), (1, inf)])
def test_nonsense_limits_are_refused(radius_m: float, factor: float) -> None:
    with pytest.raises(ValueError, match="must"):
        LiveIndex().nearest("massage", HOME, 1, radius_m, own_radius_factor=factor)


def test_an_older_fix_does_not_move_a_worker_back() -> None:
    index = LiveIndex()
    index.upsert("wrk_1", ["massage"], HOME, START)
    assert not index.move("wrk_1", destination(HOME, 0, 500), START - timedelta(seconds=1))
    entry = index.get("wrk_1")
    assert entry is not None
    assert entry.point == HOME
    assert index.get("wrk_2") is None
    assert "wrk_2" not in index
