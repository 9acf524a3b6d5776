"""Positions of workers: from the wire through the pipeline of `geo.positions` to everybody who needs them.

A late fix is kept for history and shown to nobody. What is accepted goes, in the same step, to the sinks (live index,
last-known positions), to the watchers of this hub and to other hubs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from geo.datum import Crs
from geo.positions import Fix, Outcome, Track, advance, new_session, parse_fixes
from hub import metrics
from hub.bus import Moved
from hub.ports import HistorySink, PositionSink
from hub.registry import Done

FORGET_AFTER = timedelta(hours=1)
LOOK_EVERY = timedelta(minutes=1)
NEW_TRACK = Track()


class FixObject(msgspec.Struct, frozen=True):
    """One fix. `seq` counts up on the phone, `at` is the instant of the fix in ms since 1970 or RFC 3339; degrees in
    the coordinate system of the connection."""

    seq: int
    at: int | str
    lat: float
    lon: float
    accuracy_m: float | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None


FixRow = tuple[int, int, float, float, float | None, float | None, float | None]
"""[seq, at_ms, lat, lon, accuracy_m, speed_mps, heading_deg]."""

SHAPES = (FixObject, FixRow, list[FixObject], list[FixRow])
"""One fix or a batch, as objects or compact rows."""


class RejectedFix(msgspec.Struct, frozen=True):
    """A fix that was not used, and why."""

    seq: int
    reason: str


class PositionAck(Done, frozen=True, kw_only=True):
    """How many fixes were used; those that were not; the highest `seq` seen from this worker, to go on from."""

    accepted: int
    rejected: list[RejectedFix]
    last_seq: int


class Tracker:
    """The tracks of the workers of this hub."""

    def __init__(
        self, sinks: Sequence[PositionSink], history: HistorySink | None, tell: Callable[[Moved], None]
    ) -> None:
        self._sinks = sinks
        self._history = history
        self._tell = tell
        self._tracks: dict[str, Track] = {}
        self._last: dict[str, tuple[Moved, datetime]] = {}
        self._looked_at = datetime.min.replace(tzinfo=UTC)

    def arrived(self, worker_id: str) -> None:
        """A new connection: the phone may count its fixes from the start."""
        if worker_id in self._tracks:
            self._tracks[worker_id] = new_session(self._tracks[worker_id])

    def report(self, worker_id: str, payload: Any, crs: Crs, now: datetime) -> PositionAck:  # noqa: ANN401 - JSON
        """Run fixes through the pipeline. Raises FixInvalid, PositionInvalid when the message cannot be read."""
        track = self._tracks.get(worker_id) or NEW_TRACK
        live: list[Fix] = []
        rejected: list[RejectedFix] = []
        for fix in parse_fixes(payload, crs, now):
            track, outcome = advance(track, fix, now)
            metrics.FIXES.counts[outcome.verdict,] += 1
            if outcome.live:
                live.append(outcome.fix)
            else:
                rejected.append(RejectedFix(outcome.fix.seq, outcome.verdict))
            self._remember(worker_id, outcome)
        self._tracks[worker_id] = track
        if live:
            self._publish(worker_id, live, now)
        return PositionAck(accepted=len(live), rejected=rejected, last_seq=track.last_seq)

    def last(self, worker_id: str) -> Moved | None:
        """The last accepted fix this hub has seen."""
        known = self._last.get(worker_id)
        return known[0] if known else None

    def forget_idle(self, now: datetime) -> None:
        """Drop tracks nobody has added to for an hour; looks at all of them, but seldom."""
        if now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        for worker_id in [worker_id for worker_id, (_, at) in self._last.items() if now - at > FORGET_AFTER]:
            del self._last[worker_id]
            self._tracks.pop(worker_id, None)

    def _remember(self, worker_id: str, outcome: Outcome) -> None:
        """Where the worker has been: also what came too late to be shown, and what was doubted and then believed."""
        if self._history is None:
            return
        if outcome.released:
            self._history.accept(worker_id, outcome.released)
        if outcome.history:
            self._history.accept(worker_id, (outcome.fix,), is_late=not outcome.live)

    def _publish(self, worker_id: str, fixes: list[Fix], now: datetime) -> None:
        for sink in self._sinks:
            sink.accept(worker_id, fixes)
        move = move_of(worker_id, fixes[-1])
        self._last[worker_id] = (move, now)
        self._tell(move)


def move_of(worker_id: str, fix: Fix) -> Moved:
    return Moved(
        worker_id,
        round(fix.at.timestamp() * 1000),
        fix.point.lon,
        fix.point.lat,
        fix.accuracy_m,
        fix.speed_mps,
        fix.heading_deg,
    )
