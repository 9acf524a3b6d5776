"""Who sees a worker move: the customer of the order and whoever holds its share link, only while the trip is on.

A small table of the watched orders. It learns of departures and ends from `order.changed` and `tracking.ended`, and
from one read when a watcher comes; versions decide which of the two is newer. The table is switched before sockets hear
the fact, in the same step, so a client never gets a position before it hears of the departure or after
`tracking.ended`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any

import msgspec

from geo.datum import Crs, from_wgs84
from geo.distance import haversine_m
from geo.eta import eta_s
from geo.point import Point
from hub.bus import Moved
from hub.members import Member
from hub.ports import OrderView
from hub.transport.packets import Frame, event_frame
from storage.base import codec
from storage.base.clock import Clock
from storage.outbox import FeedFact

EVERY = timedelta(seconds=1)
"""A watcher gets at most one position a second; the latest wins."""

OLD = timedelta(seconds=60)
"""HS-208: so long without a fix, and watchers are told that what they see is old."""

TRACKED_STATUSES = frozenset({"departed"})
"""HS-205, HS-206: shown from departure until arrival."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """`position`: where the worker of your order is. Degrees in your coordinate system; straight-line metres; `age_ms`
    is how old the fix was when this was sent."""

    order_id: str
    worker_id: str
    lat: float
    lon: float
    heading_deg: float | None
    speed_mps: float | None
    accuracy_m: float | None
    at: str
    age_ms: int
    distance_m: int | None
    eta_s: int | None


class PositionOld(msgspec.Struct, frozen=True, kw_only=True):
    """`position.old`: no fix of your order's worker has come since then; the next `position` ends it."""

    order_id: str
    since: str


@dataclass(slots=True, eq=False)
class Trip:
    """One watched order. `tracked_since` is set while its worker may be seen."""

    order_id: str
    version: int = -1
    worker_id: str | None = None
    tracked_since: datetime | None = None
    destination: Point | None = None
    watchers: dict[Member, None] = field(default_factory=dict)
    expected: int = 0  # watchers on their way: the row must outlive the read
    last: Moved | None = None
    sent_at: datetime | None = None
    is_old: bool = False
    listened_at: datetime | None = None  # when it is looked at next whether it is old

    @property
    def key(self) -> str:
        return f"position {self.order_id}"


class Watching:
    """The watched orders of this hub."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trips: dict[str, Trip] = {}
        self._of_worker: dict[str, dict[Trip, None]] = {}
        self._unsent: dict[Trip, None] = {}
        self._listened: list[tuple[datetime, int, Trip]] = []  # a heap; one entry for each trip that is on
        self._entries = 0
        self.on_worker: Callable[[str, bool], None] = lambda _worker_id, _is_watched: None

    async def watch(self, member: Member, order_id: str, read: Callable[[], Any]) -> Trip:
        """Show the order to this member. `read` gives the OrderView or raises: not yours, not there.

        The row exists before the read, so that a fact told meanwhile is not lost.
        """
        trip = self._trips.setdefault(order_id, Trip(order_id))
        trip.expected += 1
        try:
            view: OrderView = await read()
            trip.watchers[member] = None
        finally:
            trip.expected -= 1
            self._forget_unwatched(trip)
        trip.destination = view.destination
        if view.version >= trip.version:
            self._set(trip, view.version, view.worker_id, view.tracked_since)
        elif trip.is_old:  # who comes now is told too
            self._listen(trip)
        return trip

    def unwatch(self, member: Member, order_id: str) -> None:
        trip = self._trips.get(order_id)
        if trip is not None:
            trip.watchers.pop(member, None)
            self._forget_unwatched(trip)

    def order_changed(self, fact: FeedFact, body: dict[str, Any]) -> None:
        """An order took a step."""
        trip = self._trips.get(body["order_id"])
        if trip is None or body["version"] <= trip.version:
            return
        tracked_since = fact.at if body["status"] in TRACKED_STATUSES else None
        if tracked_since and trip.tracked_since and trip.worker_id == body["worker_id"]:
            tracked_since = trip.tracked_since  # a step within the trip
        self._set(trip, body["version"], body["worker_id"], tracked_since)

    def tracking_ended(self, _fact: FeedFact, body: dict[str, Any]) -> None:
        """The trip is over, whatever else happens to the order."""
        trip = self._trips.get(body["order_id"])
        if trip is not None:
            self._set(trip, trip.version, trip.worker_id, None)

    def moved(self, move: Moved) -> None:
        """A worker moved: show it to whoever may see it now."""
        trips = self._of_worker.get(move.worker_id)
        if trips is None:
            return
        for trip in trips:
            if self.remember(trip, move):
                self._unsent[trip] = None
        self.flush()

    def remember(self, trip: Trip, move: Moved) -> bool:
        """Keep the move as the trip's latest; False when known, or not of this trip: too early, too old, not on."""
        if trip.tracked_since is None or move.at_ms < trip.tracked_since.timestamp() * 1000:
            return False
        if trip.last is not None and (move.at_ms < trip.last.at_ms or move == trip.last):
            return False
        trip.last = move
        if trip.is_old:
            trip.is_old = False
            self._listen(trip)
        return True

    def flush(self) -> None:
        """Send what is due; the rest waits for its second. Who has been silent for long is told of."""
        now = self._clock.now()
        while self._listened and self._listened[0][0] <= now:
            at, _, trip = heappop(self._listened)
            if trip.listened_at == at:
                self._look(trip, now)
        for trip in [trip for trip in self._unsent if trip.sent_at is None or now - trip.sent_at >= EVERY]:
            del self._unsent[trip]
            trip.sent_at = now
            self._send(trip, trip.watchers)

    def position(self, trip: Trip, crs: Crs) -> Position | None:
        """What a watcher may see of this trip now."""
        move = trip.last
        if move is None or trip.tracked_since is None:
            return None
        here = Point(move.lon, move.lat)
        shown = from_wgs84(here, crs)
        distance_m = None if trip.destination is None else haversine_m(here, trip.destination)
        at = datetime.fromtimestamp(move.at_ms / 1000, UTC)
        return Position(
            order_id=trip.order_id,
            worker_id=move.worker_id,
            lat=round(shown.lat, 6),
            lon=round(shown.lon, 6),
            heading_deg=move.heading_deg,
            speed_mps=move.speed_mps,
            accuracy_m=move.accuracy_m,
            at=codec.instant(at),
            age_ms=max(0, round((self._clock.now() - at).total_seconds() * 1000)),
            distance_m=None if distance_m is None else round(distance_m),
            eta_s=None if distance_m is None else round(eta_s(distance_m, move.speed_mps)),
        )

    def _listen(self, trip: Trip) -> None:
        """Look at the trip again when its last fix, or its beginning, is old: one entry however many fixes come."""
        assert trip.tracked_since is not None  # noqa: S101 - of trips that are on
        trip.listened_at = heard_at(trip, trip.tracked_since) + OLD
        self._entries += 1
        heappush(self._listened, (trip.listened_at, self._entries, trip))

    def _look(self, trip: Trip, now: datetime) -> None:
        trip.listened_at = None
        if trip.tracked_since is None or not (trip.watchers or trip.expected):
            return
        since = heard_at(trip, trip.tracked_since)
        if since + OLD > now:
            self._listen(trip)
            return
        trip.is_old = True
        raw = codec.dumps(PositionOld(order_id=trip.order_id, since=codec.instant(since)))
        for member in trip.watchers:
            if member.buffered is None:
                member.send_live(trip.key, event_frame(member.namespace, "position.old", raw))

    def _send(self, trip: Trip, members: dict[Member, None]) -> None:
        frames: dict[tuple[str, Crs], Frame] = {}
        for member in members:
            if member.buffered is not None:
                continue  # not ready yet; the next one reaches it
            key = (member.namespace, member.principal.crs)
            if key not in frames:
                frames[key] = event_frame(key[0], "position", codec.dumps(self.position(trip, key[1])))
            member.send_live(trip.key, frames[key])

    def _set(self, trip: Trip, version: int, worker_id: str | None, tracked_since: datetime | None) -> None:
        trip.version = version
        if trip.worker_id != worker_id or tracked_since is None:
            trip.last = trip.sent_at = None
            self._unsent.pop(trip, None)
            for member in trip.watchers:
                member.link.forget_live(trip.key)
        trip.tracked_since = tracked_since
        trip.is_old = False
        if tracked_since is None:
            trip.listened_at = None
        else:
            self._listen(trip)
        if trip.worker_id != worker_id:
            self._unlink(trip)
            trip.worker_id = worker_id
        if worker_id is not None:
            if worker_id not in self._of_worker:
                self._of_worker[worker_id] = {}
                self.on_worker(worker_id, True)
            self._of_worker[worker_id][trip] = None

    def _unlink(self, trip: Trip) -> None:
        trips = self._of_worker.get(trip.worker_id or "")
        if trips is not None:
            trips.pop(trip, None)
            if not trips:
                del self._of_worker[trip.worker_id or ""]
                self.on_worker(trip.worker_id or "", False)

    def _forget_unwatched(self, trip: Trip) -> None:
        if not trip.watchers and not trip.expected:
            self._trips.pop(trip.order_id, None)
            self._unsent.pop(trip, None)
            self._unlink(trip)


def heard_at(trip: Trip, tracked_since: datetime) -> datetime:
    """The last sign of its worker on this trip; before the first fix the departure."""
    return tracked_since if trip.last is None else datetime.fromtimestamp(trip.last.at_ms / 1000, UTC)
