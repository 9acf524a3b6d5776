"""The live index: which workers of a service are nearest to a point, while positions stream in.

Every worker has a slot. Numbers that change with each fix (a vector on the sphere, the instant) stand in
NumPy columns under that slot; which slots a search must look at stands in tiles, one set of tiles per
service, so that a search never meets a worker of another service or one that is offline. A fix inside the
same tile therefore writes five numbers and touches no tile; crossing into the next one is rare.

A search gathers the tiles its circle can reach, compares squared chords in one vector operation, and walks
the survivors from near to far with the exact distance until `k` are found.

Exact     the answer equals a scan over all workers with `haversine_m`, ordered by (distance, worker id):
          tiles cover the circle, chords never drop a worker the arc would keep (see `geo.distance`), and
          the walk goes on for `_TIE_M` beyond the last one so that rounding cannot reorder near ties.
Seams     none: see `geo.tiles`. Any longitude and latitude, poles and antimeridian included.
Bounds    radius up to `RADIUS_MAX_M`; one thread (an event loop); about 0.6 kB a worker.
Source    invariant I15; HS-033, HS-039
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from math import inf, isfinite
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from geo.distance import EARTH_RADIUS_M, haversine_m, unit_vector
from geo.point import Point
from geo.tiles import Grid, Slots, Tiles

RADIUS_MAX_M: Final = 5_000_000.0
"""Beyond a quarter of the way to the antipode "nearest" means nothing to us and rounding begins to matter."""

TILE_DEG: Final = 0.1
"""About 10 km: a 5 km search meets four to six tiles, and a car crosses a border every few minutes."""

_TIE_M: Final = 0.001
"""Chords and arcs of equal points differ by rounding of about 1e-8 m; this is far above it."""

Accept = Callable[[str], bool]
Reason = Literal["offline", "ineligible", "service", "stale_fix", "too_far", "own_radius", "refused", "enough"]


class Candidate(NamedTuple):
    """A worker found, and how far away it is."""

    worker_id: str
    distance_m: float


class Explained(NamedTuple):
    """A worker of the neighbourhood and the first reason it would not be returned; None when it would be."""

    worker_id: str
    distance_m: float
    reason: Reason | None


class Entry(msgspec.Struct, frozen=True):
    """What the index knows of one worker.

    `radius_m` is the worker's own limit (inf: none). `online` and `eligible` are decided above; only workers
    with both are found. `at` is the instant of the fix at `point`.
    """

    worker_id: str
    services: frozenset[str]
    point: Point
    at: datetime
    radius_m: float = inf
    online: bool = True
    eligible: bool = True

    @property
    def listed(self) -> frozenset[str]:
        """The services a search finds this worker under."""
        return self.services if self.online and self.eligible else _UNLISTED


_UNLISTED: Final[frozenset[str]] = frozenset()


class _Limits(NamedTuple):
    """What a search asks of every worker, beside its service."""

    radius_m: float
    own_radius_factor: float
    fresh_since: datetime | None


class LiveIndex:
    """Exact k nearest workers of a service."""

    def __init__(self, *, tile_deg: float = TILE_DEG, capacity: int = 1024) -> None:
        self._grid = Grid(tile_deg)
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._entries: list[Entry] = []  # by slot, as are all columns; a free slot keeps its last values
        self._tiles: list[int] = []
        self._vectors = np.zeros((3, capacity))  # metres from the centre of the earth
        self._own_m = np.zeros(capacity)
        self._at = np.zeros(capacity)  # seconds since 1970
        self._everybody = Tiles(self._grid)
        self._by_service: dict[str, Tiles] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, worker_id: object) -> bool:
        return worker_id in self._slots

    def __iter__(self) -> Iterator[Entry]:
        return (self._entries[slot] for slot in self._slots.values())

    def get(self, worker_id: str) -> Entry | None:
        """What is known of this worker."""
        slot = self._slots.get(worker_id)
        return None if slot is None else self._entries[slot]

    # Changes

    def upsert(
        self,
        worker_id: str,
        services: Iterable[str],
        point: Point,
        at: datetime,
        *,
        radius_m: float = inf,
        online: bool = True,
        eligible: bool = True,
    ) -> None:
        """Know this worker from now on, exactly as given."""
        entry = Entry(worker_id, frozenset(services), point, at, radius_m, online, eligible)
        slot = self._slots.get(worker_id)
        if slot is None:
            self._settle(entry)
        else:
            self._change(slot, entry)

    def move(self, worker_id: str, point: Point, at: datetime) -> bool:
        """A new fix; False when the worker is unknown or the fix is older than the one held."""
        slot = self._slots.get(worker_id)
        if slot is None or at < self._entries[slot].at:
            return False
        self._change(slot, replace(self._entries[slot], point=point, at=at))
        return True

    def set_attributes(
        self,
        worker_id: str,
        *,
        services: Iterable[str] | None = None,
        radius_m: float | None = None,
        online: bool | None = None,
        eligible: bool | None = None,
    ) -> bool:
        """Change what is given and leave the rest; False when the worker is unknown."""
        slot = self._slots.get(worker_id)
        if slot is None:
            return False
        now = self._entries[slot]
        entry = replace(
            now,
            services=now.services if services is None else frozenset(services),
            radius_m=now.radius_m if radius_m is None else radius_m,
            online=now.online if online is None else online,
            eligible=now.eligible if eligible is None else eligible,
        )
        self._change(slot, entry)
        return True

    def remove(self, worker_id: str) -> bool:
        """Forget this worker; False when it is unknown."""
        slot = self._slots.pop(worker_id, None)
        if slot is None:
            return False
        self._unlist(slot, self._entries[slot].listed)
        self._everybody.discard(self._tiles[slot], slot)
        self._free.append(slot)
        return True

    def _settle(self, entry: Entry) -> None:
        slot = self._free.pop() if self._free else self._new_slot(entry)
        self._slots[entry.worker_id] = slot
        self._entries[slot] = entry
        self._tiles[slot] = self._grid.tile_of(entry.point)
        self._everybody.add(self._tiles[slot], slot)
        self._list(slot, entry.listed)
        self._write(slot)

    def _change(self, slot: int, entry: Entry) -> None:
        before, after, tile = self._entries[slot].listed, entry.listed, self._grid.tile_of(entry.point)
        self._entries[slot] = entry
        if tile != self._tiles[slot]:
            self._unlist(slot, before)
            self._everybody.discard(self._tiles[slot], slot)
            self._tiles[slot] = tile
            self._everybody.add(tile, slot)
            self._list(slot, after)
        elif before is not after:
            self._unlist(slot, before - after)
            self._list(slot, after - before)
        self._write(slot)

    def _write(self, slot: int) -> None:
        entry, vectors = self._entries[slot], self._vectors
        x, y, z = unit_vector(entry.point)
        vectors[0, slot] = x * EARTH_RADIUS_M
        vectors[1, slot] = y * EARTH_RADIUS_M
        vectors[2, slot] = z * EARTH_RADIUS_M
        self._own_m[slot] = entry.radius_m
        self._at[slot] = entry.at.timestamp()

    def _new_slot(self, entry: Entry) -> int:
        slot = len(self._entries)
        self._entries.append(entry)
        self._tiles.append(0)
        if slot == len(self._at):
            self._vectors = np.concatenate((self._vectors, np.zeros_like(self._vectors)), axis=1)
            self._own_m = np.concatenate((self._own_m, np.zeros_like(self._own_m)))
            self._at = np.concatenate((self._at, np.zeros_like(self._at)))
        return slot

    def _list(self, slot: int, services: Iterable[str]) -> None:
        for service in services:
            tiles = self._by_service.get(service)
            if tiles is None:
                tiles = self._by_service[service] = Tiles(self._grid)
            tiles.add(self._tiles[slot], slot)

    def _unlist(self, slot: int, services: Iterable[str]) -> None:
        for service in services:
            tiles = self._by_service[service]
            tiles.discard(self._tiles[slot], slot)
            if not tiles:
                del self._by_service[service]

    # Searches

    def nearest(
        self,
        service: str,
        point: Point,
        k: int,
        radius_m: float,
        accept: Accept | None = None,
        *,
        own_radius_factor: float = 1.0,
        fresh_since: datetime | None = None,
    ) -> list[Candidate]:
        """Up to `k` workers of this service by (distance, id), each within `radius_m` and its own radius.

        Filters   `accept` is asked from near to far, and no more often than needed; `own_radius_factor`
                  stretches every worker's own radius; fixes older than `fresh_since` do not count.
        Raises    ValueError for a radius or factor out of bounds.
        """
        limits = _limits(radius_m, own_radius_factor, fresh_since)
        tiles = self._by_service.get(service)
        if tiles is None or k <= 0:
            return []
        entries, found, last_m = self._entries, list[Candidate](), inf
        for slot, chord_m in self._near_to_far(tiles.around(point, radius_m), point, limits):
            if chord_m > last_m:
                break
            entry = entries[slot]
            distance_m = haversine_m(point, entry.point)
            if distance_m > radius_m or distance_m > entry.radius_m * own_radius_factor:
                continue
            if accept is not None and not accept(entry.worker_id):
                continue
            found.append(Candidate(entry.worker_id, distance_m))
            if len(found) == k:
                last_m = chord_m + _TIE_M
        found.sort(key=_by_distance)
        return found[:k]

    def explain(
        self,
        service: str,
        point: Point,
        *,
        k: int,
        radius_m: float,
        accept: Accept | None = None,
        own_radius_factor: float = 1.0,
        fresh_since: datetime | None = None,
        look_m: float | None = None,
    ) -> list[Explained]:
        """Every known worker within `look_m` (default: twice the radius), near to far, and why not that one.

        The workers without a reason are exactly what `nearest` returns for the same arguments.
        """
        limits = _limits(radius_m, own_radius_factor, fresh_since)
        chosen = {
            worker_id
            for worker_id, _ in self.nearest(
                service,
                point,
                k,
                radius_m,
                accept,
                own_radius_factor=own_radius_factor,
                fresh_since=fresh_since,
            )
        }
        look_m = max(radius_m, min(2.0 * radius_m if look_m is None else look_m, RADIUS_MAX_M))
        explained = []
        for slot in self._everybody.around(point, look_m).tolist():
            entry = self._entries[slot]
            distance_m = haversine_m(point, entry.point)
            if distance_m > look_m:
                continue
            reason: Reason | None = None
            if entry.worker_id not in chosen:
                reason = _why_not(entry, distance_m, service, limits)
                if reason is None:
                    taken = accept is None or accept(entry.worker_id)
                    reason = "enough" if taken else "refused"
            explained.append(Explained(entry.worker_id, distance_m, reason))
        return sorted(explained, key=lambda one: (one.distance_m, one.worker_id))

    def _near_to_far(self, slots: Slots, point: Point, limits: _Limits) -> Iterator[tuple[int, float]]:
        """Slots within the limits, and perhaps a few beyond by rounding, with their chords in metres."""
        limit_m = np.minimum(self._own_m.take(slots) * limits.own_radius_factor, limits.radius_m) + _TIE_M
        chord2 = self._chord2(slots, point)
        keep = chord2 <= limit_m * limit_m
        if limits.fresh_since is not None:
            keep &= self._at[slots] >= limits.fresh_since.timestamp()
        slots, chord2 = slots[keep], chord2[keep]
        order = chord2.argsort()
        return zip(slots[order].tolist(), np.sqrt(chord2[order]).tolist(), strict=True)

    def _chord2(self, slots: Slots, point: Point) -> NDArray[np.float64]:
        apart = self._vectors.take(slots, axis=1)
        for axis, centre in enumerate(unit_vector(point)):
            apart[axis] -= centre * EARTH_RADIUS_M
        apart *= apart
        chord2: NDArray[np.float64] = apart.sum(axis=0)
        return chord2


def _limits(radius_m: float, own_radius_factor: float, fresh_since: datetime | None) -> _Limits:
    if not 0.0 <= radius_m <= RADIUS_MAX_M:
        raise ValueError(f"radius_m must lie between 0 and {RADIUS_MAX_M:.0f}")
    if not (isfinite(own_radius_factor) and own_radius_factor > 0.0):
        raise ValueError("own_radius_factor must be positive")
    return _Limits(radius_m, own_radius_factor, fresh_since)


def _why_not(entry: Entry, distance_m: float, service: str, limits: _Limits) -> Reason | None:
    """The first reason in the order a person asks: at work, able, does this, heard of lately, near."""
    if not entry.online:
        return "offline"
    if not entry.eligible:
        return "ineligible"
    if service not in entry.services:
        return "service"
    if limits.fresh_since is not None and entry.at < limits.fresh_since:
        return "stale_fix"
    if distance_m > limits.radius_m:
        return "too_far"
    return "own_radius" if distance_m > entry.radius_m * limits.own_radius_factor else None


def _by_distance(found: Candidate) -> tuple[float, str]:
    return found.distance_m, found.worker_id
