"""The position pipeline: which fixes of a worker are believed, shown, fenced and kept. Pure.

    valid → in time → in order → accurate → no jump → hold still

Each step takes the track so far and an outcome, and gives both back; the first step whose verdict is not
`accepted` ends the road. Nothing is thrown away in silence: every fix gets a verdict, and a track that was led
astray finds back by itself (three consistent fixes move the anchor).

A track belongs to one worker. `seq` and the instant must both grow. A phone that counts from the start again is
believed at once after `new_session` (it has connected anew), else from its second fix on.

Source    HS-033 (impossible speed, old time), HS-102, HS-205; reference: 0.08 to 0.29 % of real fixes are jumps
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from geo.distance import at_most_m, haversine_m
from geo.fixes import FIXES_MAX, Fix, FixInvalid, parse_fixes
from geo.point import Point

__all__ = [
    "FIXES_MAX",
    "PIPELINE",
    "RULES",
    "Fix",
    "FixInvalid",
    "Outcome",
    "Rules",
    "Track",
    "Verdict",
    "advance",
    "new_session",
    "parse_fixes",
]

Verdict = Literal["accepted", "late", "duplicate", "inaccurate", "jump", "future", "invalid"]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of the pipeline."""

    future: timedelta = timedelta(seconds=60)  # phones' clocks are right to a second; more is a wrong clock
    shown_accuracy_m: float = 150.0  # worse says only that the phone is alive
    fence_accuracy_m: float = 50.0  # worse would open and close fences by itself
    speed_max_mps: float = 200.0 / 3.6  # HS-033: 200 km/h
    jump_slack_m: float = 60.0  # two honest fixes of 30 m accuracy, one second apart
    reanchor_fixes: int = 3  # so many that agree with each other are believed against the past
    reanchor_gap_s: float = 120.0  # and no further apart than this
    hold_m: float = 15.0  # a phone lying still wanders this far
    hold_speed_mps: float = 1.0  # slower than walking


RULES: Final = Rules()


class Track(msgspec.Struct, frozen=True):
    """What is remembered of a worker between fixes.

    `anchor` is the newest believed fix as measured, `pin` where the worker is drawn; they differ while it stands
    still. `last_seq` and `last_at` are the highest in order, whether believed or not. `suspects` are fixes that
    could not be reached from the anchor but agree with each other. `recount` is a fix that was newer but counted
    lower: the phone may count from the start again.
    """

    anchor: Fix | None = None
    pin: Point | None = None
    last_seq: int = -1
    last_at: datetime | None = None
    seen_at: datetime | None = None  # our clock at the newest fix in order: the phone is alive
    suspects: tuple[Fix, ...] = ()
    recount: Fix | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What became of a fix.

    `fix`       as believed: where the worker stands still, its point is the pin.
    `live`      goes to the index and the watchers. `fence`: good enough for fences. `history`: worth a row.
    `moved`     False: the worker is still where it was, only the instant is new.
    `released`  fixes held back as jumps and believed now; rows of history, nothing else.
    """

    verdict: Verdict
    fix: Fix
    live: bool = True
    fence: bool = True
    history: bool = True
    moved: bool = True
    released: tuple[Fix, ...] = ()


Step = Callable[[Track, Outcome, datetime, Rules], tuple[Track, Outcome]]


def advance(track: Track, fix: Fix, now: datetime, rules: Rules = RULES) -> tuple[Track, Outcome]:
    """Judge one fix and remember it."""
    outcome = Outcome("accepted", fix)
    for step in PIPELINE:
        track, outcome = step(track, outcome, now, rules)
        if outcome.verdict != "accepted":
            break
    return track, outcome


def new_session(track: Track) -> Track:
    """The worker's phone has connected anew and may count from the start; instants must still grow."""
    return replace(track, last_seq=-1, recount=None)


def valid(track: Track, outcome: Outcome, _now: datetime, _rules: Rules) -> tuple[Track, Outcome]:
    """A phone without a position says so by an accuracy below zero, or by 0° 0°."""
    fix = outcome.fix
    nowhere = abs(fix.point.lon) < 1e-6 and abs(fix.point.lat) < 1e-6
    if nowhere or (fix.accuracy_m is not None and fix.accuracy_m < 0.0):
        return track, _ended(outcome, "invalid")
    return track, outcome


def in_time(track: Track, outcome: Outcome, now: datetime, rules: Rules) -> tuple[Track, Outcome]:
    """A fix from the future would make every true one after it late."""
    if outcome.fix.at - now > rules.future:
        return track, _ended(outcome, "future")
    return track, outcome


def in_order(track: Track, outcome: Outcome, now: datetime, _rules: Rules) -> tuple[Track, Outcome]:
    """Only a fix newer by `seq` and by instant says where the worker is; an older one is history."""
    fix = outcome.fix
    if track.last_at is not None:
        if fix.seq == track.last_seq or fix.at == track.last_at:
            return track, _ended(outcome, "duplicate")
        if fix.at < track.last_at:
            return track, _ended(outcome, "late", history=True)
        if fix.seq < track.last_seq and not _counts_anew(track.recount, fix):
            return replace(track, recount=fix), _ended(outcome, "late", history=True)
    return replace(track, last_seq=fix.seq, last_at=fix.at, seen_at=now, recount=None), outcome


def accurate(track: Track, outcome: Outcome, _now: datetime, rules: Rules) -> tuple[Track, Outcome]:
    """An accuracy nobody stated is taken as good: units without that field have nothing but a satellite receiver."""
    accuracy_m = outcome.fix.accuracy_m or 0.0
    if accuracy_m <= rules.fence_accuracy_m:
        return track, outcome
    if accuracy_m > rules.shown_accuracy_m:
        return track, _ended(outcome, "inaccurate")
    return track, replace(outcome, fence=False)


def no_jump(track: Track, outcome: Outcome, _now: datetime, rules: Rules) -> tuple[Track, Outcome]:
    """Hold back what the worker cannot have driven, until enough fixes agree that it is there all the same."""
    fix = outcome.fix
    if track.anchor is None or _reachable(track.anchor, fix, rules):
        return replace(track, suspects=()) if track.suspects else track, outcome
    agreeing = _agreeing(track.suspects, fix, rules)
    if len(agreeing) + 1 < rules.reanchor_fixes:
        return replace(track, suspects=(*agreeing, fix)), _ended(outcome, "jump")
    return replace(track, suspects=(), anchor=None, pin=None), replace(outcome, released=agreeing)


def hold_still(track: Track, outcome: Outcome, _now: datetime, rules: Rules) -> tuple[Track, Outcome]:
    """Noise around a standing worker does not move the pin and fills no history."""
    fix = outcome.fix
    if track.pin is not None and track.anchor is not None and _stands(track.anchor, track.pin, fix, rules):
        held = replace(fix, point=track.pin)
        return replace(track, anchor=fix), replace(outcome, fix=held, moved=False, history=False)
    return replace(track, anchor=fix, pin=fix.point), outcome


PIPELINE: Final[tuple[Step, ...]] = (valid, in_time, in_order, accurate, no_jump, hold_still)


def _ended(outcome: Outcome, verdict: Verdict, *, history: bool = False) -> Outcome:
    return replace(outcome, verdict=verdict, live=False, fence=False, history=history, moved=False)


def _counts_anew(recount: Fix | None, fix: Fix) -> bool:
    """Two fixes in a row, newer than all before and counted lower, are a new count and no delayed message."""
    return recount is not None and fix.seq > recount.seq and fix.at > recount.at


def _reachable(earlier: Fix, later: Fix, rules: Rules) -> bool:
    elapsed_s = (later.at - earlier.at).total_seconds()
    reach_m = rules.jump_slack_m + rules.speed_max_mps * elapsed_s
    return at_most_m(earlier.point, later.point) <= reach_m or haversine_m(earlier.point, later.point) <= reach_m


def _agreeing(suspects: tuple[Fix, ...], fix: Fix, rules: Rules) -> tuple[Fix, ...]:
    """The suspects, when the newest of them and `fix` tell one story; else none."""
    if not suspects:
        return ()
    soon = (fix.at - suspects[-1].at).total_seconds() <= rules.reanchor_gap_s
    return suspects if soon and _reachable(suspects[-1], fix, rules) else ()


def _stands(anchor: Fix, pin: Point, fix: Fix, rules: Rules) -> bool:
    speed_mps = fix.speed_mps
    if fix.point == pin:
        return True
    if speed_mps is None:
        speed_mps = haversine_m(anchor.point, fix.point) / (fix.at - anchor.at).total_seconds()
    return speed_mps < rules.hold_speed_mps and haversine_m(pin, fix.point) < max(fix.accuracy_m or 0.0, rules.hold_m)
