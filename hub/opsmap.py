"""The live map of operations: every worker's latest position, sent as batches of what changed, at most one a second.

A batch is encoded once for each (area, coordinate system). A member who has just come, or whose socket lost a batch,
is behind: it gets its own batches of what it lacks until it has caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from dispatch.model import covers
from geo.datum import Crs, from_wgs84
from geo.point import Point
from hub.bus import Moved
from hub.members import DESK, Member
from hub.ports import Ports
from hub.transport.outbound import Put
from hub.transport.packets import Frame, event_frame
from storage.base import codec
from storage.base.clock import Clock
from storage.outbox import FeedFact

EVERY = timedelta(seconds=1)
ROWS_MAX = 400
"""Rows in one batch: about 30 kB, so that two fit into the live share of a send buffer."""

KEPT = timedelta(hours=12)
"""A worker not seen for a shift leaves the map."""


class Positions(msgspec.Struct, frozen=True):
    """`positions`: rows of [worker_id, lat, lon, heading_deg or null, at_ms, state] that changed."""

    workers: list[tuple[str, float, float, float | None, int, str]]


@dataclass(slots=True)
class Row:
    """One worker on the map."""

    move: Moved
    state: str
    area_code: str | None = None  # looked up when somebody looks at one area; "" is nowhere


@dataclass(slots=True, eq=False)
class Viewer:
    """One member's view. `lacking` None: in step with its room."""

    area_code: str
    lacking: dict[str, None] | None = field(default_factory=dict)
    lost: int = 0


class OpsMap:
    """The map of this hub."""

    def __init__(self, ports: Ports, clock: Clock) -> None:
        self._ports = ports
        self._clock = clock
        self._rows: dict[str, Row] = {}
        self._states: dict[str, str] = {}
        self._viewers: dict[Member, Viewer] = {}
        self._changed: dict[str, None] = {}
        self._flushed_at: datetime | None = None
        self._batch = 0
        self.on_viewed: Callable[[bool], None] = lambda _is_viewed: None

    def load(self, moves: Iterable[Moved]) -> None:
        """Take positions of other hubs and last-known ones."""
        for move in moves:
            self.moved(move)

    def watch(self, member: Member, area_code: str) -> None:
        if not self._viewers:
            self.on_viewed(True)
        self._viewers[member] = Viewer(area_code, dict.fromkeys(self._rows), member.link.live_lost)

    def area_of(self, member: Member) -> str | None:
        """Which area the member looks at, if it has the map open."""
        viewer = self._viewers.get(member)
        return None if viewer is None else viewer.area_code

    def unwatch(self, member: Member) -> None:
        if self._viewers.pop(member, None) is not None and not self._viewers:
            self.on_viewed(False)

    def moved(self, move: Moved) -> None:
        row = self._rows.get(move.worker_id)
        if row is not None and move.at_ms < row.move.at_ms:
            return
        if row is None:
            self._rows[move.worker_id] = Row(move, self._states.get(move.worker_id, "online"))
        else:
            row.move, row.area_code = move, None
        if self._viewers:
            self._changed[move.worker_id] = None

    def worker_changed(self, _fact: FeedFact, body: dict[str, Any]) -> None:
        self._states[body["worker_id"]] = body["state"]  # also of a worker whose positions nobody here looks at yet
        row = self._rows.get(body["worker_id"])
        if row is not None:
            row.state = body["state"]
            self._changed[body["worker_id"]] = None

    def flush(self) -> None:
        """Once a second, tell every viewer what changed."""
        now = self._clock.now()
        if self._flushed_at is not None and now - self._flushed_at < EVERY:
            return
        self._flushed_at = now
        changed, self._changed = self._changed, {}
        self._forget(now)
        frames: dict[tuple[str, Crs], list[Frame]] = {}
        for member, viewer in self._viewers.items():
            if member.buffered is None:
                self._show(member, viewer, changed, frames)

    def _show(
        self, member: Member, viewer: Viewer, changed: dict[str, None], frames: dict[tuple[str, Crs], list[Frame]]
    ) -> None:
        if viewer.lacking is None and viewer.lost != member.link.live_lost:
            viewer.lacking = dict.fromkeys(self._rows)  # something was lost: nobody knows what, so all of it again
        viewer.lost = member.link.live_lost
        crs = member.principal.crs
        if viewer.lacking is not None:
            viewer.lacking |= changed
            self._catch_up(member, viewer, crs)
        elif changed:
            key = (viewer.area_code, crs)
            if key not in frames:
                frames[key] = [self._frame(rows, crs) for rows in self._batches(changed, viewer.area_code)]
            for frame in frames[key]:
                self._send(member, frame)

    def _catch_up(self, member: Member, viewer: Viewer, crs: Crs) -> None:
        lacking, viewer.lacking = viewer.lacking or {}, None
        for rows in self._batches(tuple(lacking), viewer.area_code):
            if self._send(member, self._frame(rows, crs)) is not Put.QUEUED:
                viewer.lacking = lacking  # a full buffer: the rest in a second
                break
            for worker_id in rows:
                lacking.pop(worker_id)
        viewer.lost = member.link.live_lost

    def _batches(self, workers: Iterable[str], area_code: str) -> Iterator[tuple[str, ...]]:
        shown = tuple(worker_id for worker_id in workers if self._is_in(worker_id, area_code))
        return (shown[start : start + ROWS_MAX] for start in range(0, len(shown), ROWS_MAX))

    def _is_in(self, worker_id: str, area_code: str) -> bool:
        row = self._rows.get(worker_id)
        if row is None or not area_code:
            return row is not None
        if row.area_code is None:
            row.area_code = self._ports.area_of(Point(row.move.lon, row.move.lat)) or ""
        return covers(area_code, row.area_code)

    def _frame(self, workers: Iterable[str], crs: Crs) -> Frame:
        return event_frame(
            DESK, "positions", codec.dumps(Positions([self._wire(worker_id, crs) for worker_id in workers]))
        )

    def _wire(self, worker_id: str, crs: Crs) -> tuple[str, float, float, float | None, int, str]:
        row = self._rows[worker_id]
        lon, lat = from_wgs84(Point(row.move.lon, row.move.lat), crs)
        return (worker_id, round(lat, 6), round(lon, 6), row.move.heading_deg, row.move.at_ms, row.state)

    def _send(self, member: Member, frame: Frame) -> Put:
        # Batches are differences, so one may not replace another: each has a key of its own.
        self._batch += 1
        return member.send_live(f"positions {self._batch}", frame)

    def _forget(self, now: datetime) -> None:
        oldest_ms = (now - KEPT).timestamp() * 1000
        for worker_id in [worker_id for worker_id, row in self._rows.items() if row.move.at_ms < oldest_ms]:
            del self._rows[worker_id]
