"""Position messages are read or refused by field; the pipeline believes what a worker can have driven."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from geo import fixes
from geo.datum import wgs84_to_gcj02
from geo.distance import destination, haversine_m
from geo.point import Point, PositionInvalid
from geo.positions import FIXES_MAX, RULES, Fix, FixInvalid, Outcome, Track, advance, new_session, parse_fixes
from storage.base.errors import Invalid
from tests.geo.data import taxi_trips

NOW = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
HOME = Point(121.4, 37.5)


def fix(seconds: float, point: Point = HOME, *, seq: int | None = None, **more: Any) -> Fix:
    """A fix `seconds` after NOW; `seq` follows the seconds unless given."""
    return Fix(round(seconds * 10) if seq is None else seq, NOW + timedelta(seconds=seconds), point, **more)


def north(metres: float) -> Point:
    return destination(HOME, 0.0, metres)


def run(*fixes: Fix, track: Track | None = None) -> tuple[Track, list[Outcome]]:
    """The track after these fixes, heard at once each, and what became of them."""
    track, outcomes = track or Track(), []
    for one in fixes:
        track, outcome = advance(track, one, max(one.at, NOW))
        outcomes.append(outcome)
    return track, outcomes


def verdicts(*fixes: Fix, track: Track | None = None) -> list[str]:
    return [outcome.verdict for outcome in run(*fixes, track=track)[1]]


# Messages


OBJECT = {"seq": 7, "at": NOW_MS, "lat": 37.5, "lon": 121.4, "accuracy_m": 9, "speed_mps": 3.5, "heading_deg": 361}
ROW = [7, NOW_MS, 37.5, 121.4, 9, 3.5, 361]
READ = Fix(7, NOW, HOME, 9.0, 3.5, 1.0)


@pytest.mark.parametrize(
    "payload",
    [
        OBJECT,
        ROW,
        [OBJECT],
        [ROW],
        {**OBJECT, "at": "2026-01-05T10:00:00+08:00"},
        {**OBJECT, "at": "2026-01-05T02:00:00Z"},
    ],
    ids=["object", "row", "batch of objects", "batch of rows", "text with offset", "text with Z"],
)
def test_every_shape_means_the_same_fix(payload: object) -> None:
    assert parse_fixes(payload, "wgs84", NOW) == [READ]


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3), st.lists(st.integers(), max_size=1),
)  # fmt: skip
VALUES = [
    st.integers(0, 100), st.integers(NOW_MS - 40 * 86_400_000, NOW_MS + 2 * 86_400_000), st.floats(-91, 91),
    st.floats(-181, 181), *[st.one_of(st.none(), st.floats(-2, 400), st.integers(-2, 400))] * 3,
]  # fmt: skip


ROWS = st.tuples(*(st.one_of(value, value, value, ODD) for value in VALUES))


@given(ROWS, st.integers(3, 7), st.lists(ODD, max_size=1))
def test_the_short_way_reads_rows_as_the_long_way_does(values: tuple[Any, ...], length: int, more: list[Any]) -> None:
    row = [*values[:length], *more]
    quick = fixes._usual(row, "wgs84", NOW)
    try:
        careful = fixes._fix(row, "", "wgs84", NOW)
    except Invalid:
        assert quick is None
    else:
        assert quick in {None, careful}


def test_the_short_way_takes_what_phones_send() -> None:
    assert fixes._usual(ROW, "wgs84", NOW) == READ
    assert fixes._usual(ROW[:4], "gcj02", NOW) == parse_fixes([ROW[:4]], "gcj02", NOW)[0]


def test_a_batch_keeps_its_order_and_may_mix_shapes() -> None:
    at_ms = {name: value for name, value in OBJECT.items() if name != "at"} | {"at_ms": NOW_MS, "seq": 9}
    assert [one.seq for one in parse_fixes([[8, NOW_MS, 37.5, 121.4], OBJECT, at_ms], "wgs84", NOW)] == [8, 7, 9]


def test_unknown_speed_and_course_are_none() -> None:
    (one,) = parse_fixes([7, NOW_MS, 37.5, 121.4, None, -1, -1], "wgs84", NOW)
    assert (one.accuracy_m, one.speed_mps, one.heading_deg) == (None, None, None)


def test_the_datum_of_the_sender_is_converted() -> None:
    gcj = wgs84_to_gcj02(HOME)
    (one,) = parse_fixes([7, NOW_MS, gcj.lat, gcj.lon], "gcj02", NOW)
    assert haversine_m(one.point, HOME) < 0.001


def without(name: str) -> dict[str, object]:
    return {field: value for field, value in OBJECT.items() if field != name}


@pytest.mark.parametrize(
    ("payload", "pointer", "code"),
    [
        (None, "", "fix_invalid"),
        ("fix", "", "fix_invalid"),
        ([], "", "fix_invalid"),
        ([ROW] * (FIXES_MAX + 1), "", "fix_invalid"),
        ([ROW, None], "/1", "fix_invalid"),
        ([ROW, [7, NOW_MS]], "/1", "fix_invalid"),
        ([*ROW, 0], "", "fix_invalid"),
        (without("seq"), "/seq", "fix_invalid"),
        ([OBJECT, without("lat")], "/1/lat", "fix_invalid"),
        ({**OBJECT, "lng": 121.4}, "", "fix_invalid"),
        ({**OBJECT, "at_ms": NOW_MS}, "", "fix_invalid"),
        ({**OBJECT, "seq": -1}, "/seq", "fix_invalid"),
        ({**OBJECT, "seq": 1.5}, "/seq", "fix_invalid"),
        ({**OBJECT, "seq": True}, "/seq", "fix_invalid"),
        ({**OBJECT, "seq": 2**53}, "/seq", "fix_invalid"),
        ({**OBJECT, "at": "yesterday"}, "/at", "fix_invalid"),
        ({**OBJECT, "at": "2026-01-05T02:00:00"}, "/at", "fix_invalid"),
        ({**OBJECT, "at": None}, "/at", "fix_invalid"),
        ({**OBJECT, "at": 10**400}, "/at", "fix_invalid"),
        ({**OBJECT, "at": float("nan")}, "/at", "fix_invalid"),
        ({**OBJECT, "at": NOW_MS // 1000}, "/at", "fix_invalid"),
        ({**OBJECT, "at": NOW_MS + 2 * 86_400_000}, "/at", "fix_invalid"),
        ({**without("at"), "at_ms": "soon"}, "/at_ms", "fix_invalid"),
        ({**OBJECT, "lat": 91}, "/lat", "position_invalid"),
        ([ROW, [7, NOW_MS, 37.5, 181]], "/1/3", "position_invalid"),
        ([7, NOW_MS, "37.5", 121.4], "/2", "position_invalid"),
        ({**OBJECT, "accuracy_m": "good"}, "/accuracy_m", "fix_invalid"),
        ([7, NOW_MS, 37.5, 121.4, float("inf")], "/4", "fix_invalid"),
        ([7, NOW_MS, 37.5, 121.4, 9, 10**400], "/5", "fix_invalid"),
        ([7, NOW_MS, 37.5, 121.4, 9, 1, False], "/6", "fix_invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "payload",
)
def test_what_cannot_be_read_is_refused_by_field(payload: object, pointer: str, code: str) -> None:
    with pytest.raises((FixInvalid, PositionInvalid)) as refused:
        parse_fixes(payload, "wgs84", NOW)
    assert (refused.value.fields["pointer"], refused.value.code, refused.value.status) == (pointer, code, 400)


def test_seconds_instead_of_milliseconds_are_recognised() -> None:
    with pytest.raises(FixInvalid, match="look like seconds"):
        parse_fixes({**OBJECT, "at": NOW_MS // 1000}, "wgs84", NOW)


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(NOW_MS)
rows = st.lists(values, max_size=8)
objects = st.dictionaries(st.sampled_from([*OBJECT, "at_ms", "x"]), values, max_size=8)


@given(values | rows | objects | st.lists(rows | objects | values, max_size=3))
def test_no_message_fails_otherwise(payload: object) -> None:
    try:
        fixes = parse_fixes(payload, "gcj02", NOW)
    except Invalid as refused:
        assert "pointer" in refused.fields
    else:
        assert fixes


# The pipeline


def test_a_driving_worker_is_believed_all_the_way() -> None:
    drive = [fix(second * 5, north(60 * second), speed_mps=12.0) for second in range(10)]
    track, outcomes = run(*drive)
    assert {(one.verdict, one.live, one.fence, one.history, one.moved) for one in outcomes} == {
        ("accepted", True, True, True, True)
    }
    assert (track.pin, track.last_seq, track.seen_at) == (drive[-1].point, drive[-1].seq, drive[-1].at)


@pytest.mark.parametrize("late", [fix(4, seq=99), fix(6, seq=40)], ids=["by instant", "by seq"])
def test_a_late_fix_is_history_and_nothing_else(late: Fix) -> None:
    track, _ = run(fix(0), fix(5, north(40)))
    after, outcome = advance(track, late, NOW + timedelta(seconds=6))
    assert (outcome.verdict, outcome.live, outcome.fence, outcome.history) == ("late", False, False, True)
    assert replace(after, recount=None) == track


def test_a_phone_that_counts_from_the_start_again_is_believed_from_its_second_fix() -> None:
    track, _ = run(fix(0, seq=500), fix(5, north(40), seq=501))
    again = [fix(10 + n, north(50), seq=n) for n in range(3)]
    assert verdicts(*again, track=track) == ["late", "accepted", "accepted"]
    assert verdicts(again[0], fix(11, seq=502), fix(12, seq=1), track=track) == ["late", "accepted", "late"]
    assert verdicts(again[1], again[0], fix(13, seq=1), track=track) == ["late", "late", "accepted"]


@pytest.mark.parametrize("again", [fix(5), fix(7, seq=50), fix(5, seq=51)], ids=["whole", "seq", "instant"])
def test_a_repeated_fix_is_dropped(again: Fix) -> None:
    track, _ = run(fix(0), fix(5))
    after, outcome = advance(track, again, NOW + timedelta(seconds=8))
    assert (outcome.verdict, outcome.live, outcome.history) == ("duplicate", False, False)
    assert after == track


def test_a_new_session_may_count_from_the_start_but_not_go_back_in_time() -> None:
    track, _ = run(fix(0, seq=500), fix(5, north(40), seq=501))
    assert verdicts(fix(6, north(50), seq=0), track=track) == ["late"]
    assert verdicts(fix(6, north(50), seq=0), track=new_session(track)) == ["accepted"]
    assert verdicts(fix(5, north(40), seq=0), fix(4, seq=1), track=new_session(track)) == ["duplicate", "late"]


def test_a_fix_from_the_future_changes_nothing() -> None:
    track, _ = run(fix(0))
    ahead = fix(61)
    after, outcome = advance(track, ahead, NOW)
    assert (outcome.verdict, after) == ("future", track)
    assert advance(track, fix(60), NOW)[1].verdict == "accepted"


@pytest.mark.parametrize("nowhere", [fix(5, Point(0.0, 0.0)), fix(5, north(20), accuracy_m=-1.0)])
def test_a_phone_without_a_position_is_not_believed(nowhere: Fix) -> None:
    track, _ = run(fix(0))
    after, outcome = advance(track, nowhere, NOW)
    assert (outcome.verdict, after) == ("invalid", track)


@pytest.mark.parametrize(
    ("accuracy_m", "verdict", "shown", "fenced"),
    [(None, "accepted", True, True), (50, "accepted", True, True), (51, "accepted", True, False),
     (150, "accepted", True, False), (151, "inaccurate", False, False)],
)  # fmt: skip
def test_accuracy_decides_what_a_fix_is_good_for(
    accuracy_m: float | None, verdict: str, *, shown: bool, fenced: bool
) -> None:
    track, (_, outcome) = run(fix(0), fix(30, north(400), accuracy_m=accuracy_m))
    assert (outcome.verdict, outcome.live, outcome.fence) == (verdict, shown, fenced)
    assert track.seen_at == NOW + timedelta(seconds=30)
    assert track.pin == (north(400) if shown else HOME)


def test_200_kmh_is_driven_and_more_is_a_jump() -> None:
    just = RULES.jump_slack_m + 10 * RULES.speed_max_mps
    assert verdicts(fix(0), fix(10, north(just - 1))) == ["accepted", "accepted"]
    assert verdicts(fix(0), fix(10, north(just + 1))) == ["accepted", "jump"]


def test_one_jump_is_forgotten() -> None:
    track, outcomes = run(fix(0), fix(5, north(9_000)), fix(10, north(50)), fix(15, north(9_000)))
    assert [one.verdict for one in outcomes] == ["accepted", "jump", "accepted", "jump"]
    assert len(track.suspects) == 1


def test_three_agreeing_fixes_move_the_anchor_and_bring_the_held_ones_back() -> None:
    away = [fix(5 + 10 * n, north(9_000 + 50 * n)) for n in range(4)]
    track, outcomes = run(fix(0), *away)
    assert [one.verdict for one in outcomes] == ["accepted", "jump", "jump", "accepted", "accepted"]
    assert outcomes[3].released == (away[0], away[1])
    assert outcomes[3].moved
    assert track.suspects == ()
    assert track.pin == away[-1].point


@pytest.mark.parametrize(
    "third",
    [fix(200, north(20_000)), fix(25, north(40_000))],
    ids=["too long after", "elsewhere again"],
)
def test_suspects_that_do_not_agree_do_not_count(third: Fix) -> None:
    track, outcomes = run(fix(0), fix(5, north(30_000)), fix(15, north(30_050)), third)
    assert [one.verdict for one in outcomes] == ["accepted", "jump", "jump", "jump"]
    assert track.suspects == (third,)


def test_a_standing_worker_does_not_wander() -> None:
    noise = [fix(5 + 5 * n, destination(HOME, 90.0 * n, 8.0), speed_mps=0.2) for n in range(6)]
    track, outcomes = run(fix(0), *noise)
    assert {one.fix.point for one in outcomes} == {HOME}
    assert [one.moved for one in outcomes] == [True] + [False] * 6
    assert [one.history for one in outcomes] == [True] + [False] * 6
    assert all(one.live and one.fence for one in outcomes)
    assert outcomes[-1].fix.at == noise[-1].at
    assert (track.pin, track.anchor) == (HOME, noise[-1])


def test_slow_drift_does_move_the_pin_in_the_end() -> None:
    drift = [fix(20 * n, north(6.0 * n)) for n in range(6)]
    moved = [one.moved for one in run(*drift)[1]]
    assert moved == [True, False, False, True, False, False]


def test_a_worker_who_walks_off_is_followed_at_once() -> None:
    assert run(fix(0), fix(5, north(7), speed_mps=1.4))[1][1].moved
    assert run(fix(0), fix(5, north(7)))[1][1].moved  # 1.4 m/s as measured


def test_the_same_coordinates_are_a_heartbeat() -> None:
    _, outcomes = run(fix(0, speed_mps=4.0), fix(5, speed_mps=4.0))
    assert (outcomes[1].live, outcomes[1].moved, outcomes[1].history) == (True, False, False)


steps = st.tuples(
    st.integers(0, 60),  # seq
    st.integers(-30, 90),  # seconds
    st.sampled_from([0.0, 3.0, 40.0, 700.0, 4_000.0, 60_000.0]),
    st.sampled_from([None, 10.0, 100.0, 400.0, -1.0]),
)


@given(st.lists(steps, max_size=40))
def test_what_is_believed_moves_forward_and_could_have_been_driven(given_steps: list[Any]) -> None:
    track, believed = Track(), list[Fix]()
    for seq, seconds, metres, accuracy_m in given_steps:
        one = fix(seconds, north(metres), seq=seq, accuracy_m=accuracy_m)
        before = track
        track, outcome = advance(track, one, NOW)
        assert outcome.live == (outcome.verdict == "accepted")
        if not outcome.live:
            assert (track.anchor, track.pin) == (before.anchor, before.pin)
            continue
        assert replace(outcome.fix, point=one.point) == one
        if believed and not outcome.released:
            allowed = RULES.jump_slack_m + RULES.speed_max_mps * (one.at - believed[-1].at).total_seconds()
            assert haversine_m(believed[-1].point, one.point) <= allowed
        assert len(outcome.released) in {0, RULES.reanchor_fixes - 1}
        believed.append(one)
    assert all(earlier.at < later.at for earlier, later in pairwise(believed))


def test_real_trips_with_seeded_faults_keep_their_true_fixes_and_lose_the_false() -> None:
    rng, true_kept, true_all, false_shown, false_all = random.Random(20260105), 0, 0, 0, 0
    for trip in taxi_trips()[:200]:
        track = Track()
        for seq, (lon, lat, gap) in enumerate(zip(trip["lngs"], trip["lats"], trip["time_gap"], strict=True)):
            place, is_false = Point(lon, lat), rng.random() < 0.01
            if is_false:
                place = destination(place, rng.uniform(0, 360), rng.uniform(20_000, 80_000))
            one = fix(gap, place, seq=seq)
            track, outcome = advance(track, one, one.at)
            false_all, false_shown = false_all + is_false, false_shown + (is_false and outcome.live)
            true_all, true_kept = true_all + (not is_false), true_kept + (not is_false and outcome.live)
    assert false_all > 50
    # A false first fix is believed until three true ones agree, and the distance slowly becomes drivable.
    assert false_shown / false_all < 0.05
    assert true_kept / true_all > 0.995
