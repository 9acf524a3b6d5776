"""Tiles: which slots stand near a place.

A grid of squares of equal degrees over the whole earth. Columns wrap at the antimeridian; a circle over a
pole takes all columns of its rows. A tile keeps its slots in a set and the same as an array, which is made
again only when somebody asks after a change: searches are many, crossings are few.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import degrees

import numpy as np
from numpy.typing import NDArray

from geo.distance import EARTH_RADIUS_M, longitude_reach_deg
from geo.point import Point

Slots = NDArray[np.intp]

_NOBODY: Slots = np.empty(0, dtype=np.intp)
_SLACK_DEG = 1e-9
"""A tile border missed by rounding would lose a worker; a tile too many costs a microsecond."""


class Grid:
    """Numbers of tiles: row by row from the south pole, each row eastwards from the antimeridian."""

    __slots__ = ("_columns", "_rows", "_tile_deg")

    def __init__(self, tile_deg: float) -> None:
        self._tile_deg = tile_deg
        self._columns = round(360.0 / tile_deg)
        self._rows = round(180.0 / tile_deg)

    def tile_of(self, point: Point) -> int:
        """The tile a point stands in."""
        return self._row(point.lat) * self._columns + self._column(point.lon) % self._columns

    def touched(self, point: Point, reach_m: float, *, limit: int) -> list[int] | None:
        """The tiles a circle can touch, or None when they are more than `limit`."""
        lat_reach = degrees(reach_m / EARTH_RADIUS_M) + _SLACK_DEG
        lon_reach = longitude_reach_deg(point.lat, reach_m) + _SLACK_DEG
        bottom = self._row(max(point.lat - lat_reach, -90.0))
        top = self._row(min(point.lat + lat_reach, 90.0))
        west, east = self._column(point.lon - lon_reach), self._column(point.lon + lon_reach)
        width = min(east - west + 1, self._columns)
        if (top - bottom + 1) * width > limit:
            return None
        columns = [column % self._columns for column in range(west, west + width)]
        return [row * self._columns + column for row in range(bottom, top + 1) for column in columns]

    def _row(self, lat: float) -> int:
        return min(int((lat + 90.0) // self._tile_deg), self._rows - 1)

    def _column(self, lon: float) -> int:
        return int((lon + 180.0) // self._tile_deg)


class _Tile:
    __slots__ = ("packed", "slots")

    def __init__(self) -> None:
        self.slots: set[int] = set()
        self.packed: Slots | None = None

    def array(self) -> Slots:
        if self.packed is None:
            self.packed = np.fromiter(self.slots, dtype=np.intp, count=len(self.slots))
        return self.packed


class Tiles:
    """The occupied tiles of one service."""

    __slots__ = ("_grid", "_tiles")

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._tiles: dict[int, _Tile] = {}

    def __bool__(self) -> bool:
        return bool(self._tiles)

    def add(self, tile: int, slot: int) -> None:
        """Put the slot into this tile."""
        there = self._tiles.get(tile)
        if there is None:
            there = self._tiles[tile] = _Tile()
        there.slots.add(slot)
        there.packed = None

    def discard(self, tile: int, slot: int) -> None:
        """Take the slot out of this tile, where it must be."""
        there = self._tiles[tile]
        there.slots.remove(slot)
        there.packed = None
        if not there.slots:
            del self._tiles[tile]

    def around(self, point: Point, reach_m: float) -> Slots:
        """All slots a circle can hold, and others of the tiles it touches."""
        tiles = self._tiles
        touched = self._grid.touched(point, reach_m, limit=len(tiles))
        near: Iterable[_Tile] = tiles.values() if touched is None else [tiles[key] for key in touched if key in tiles]
        found = [tile.array() for tile in near]
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else _NOBODY
