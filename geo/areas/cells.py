"""Which area holds a point, at the cost of two dictionary look-ups for most points.

The earth is cut into cells of 0.02° (about 2 km). A cell that lies fully inside one area and is not touched by
an area that goes before it needs no geometry at all; a cell on a border keeps the few areas that touch it, in
order, and asks their prepared polygons. Cells are made on first use, a block of 16 by 16 at a time, so that the
start costs nothing and memory follows the places actually asked for. Blocks exist only within the bounds of the
areas and empty ones are shared, so nobody can grow the cache by asking for the sea.

Exact     the answer is that of `shapely.covers` over all areas in their order of precedence, borders and
          vertices included: a cell counts as inside only with a margin above the rounding of its edges, and on
          border cells the polygon itself is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import shapely

from geo.areas.model import Area, Polygonal, by_precedence
from geo.point import Point

CELL_DEG: Final = 0.02
_BLOCK: Final = 16
_BLOCK_SHIFT: Final = 4
_BLOCK_MASK: Final = _BLOCK - 1
_STRIDE: Final = 1 << 16  # more than the blocks in a row
_MARGIN_DEG: Final = 1e-9
"""Cell edges are rounded at about 1e-14°."""

Claims = tuple[tuple[str, Polygonal | None], ...]
"""Areas that touch a cell, by precedence; None for the polygon of one that covers the whole cell (the last)."""
Cell = str | Claims | None
Block = list[Cell]


_NOWHERE: Final[Block] = [None] * (_BLOCK * _BLOCK)


class AreaIndex:
    """A fixed set of areas. Not changed after it is built: a new set is a new index."""

    def __init__(self, areas: Iterable[Area]) -> None:
        self.areas: tuple[Area, ...] = tuple(by_precedence(areas))
        self._polygons = [area.polygon for area in self.areas]
        for polygon in self._polygons:
            shapely.prepare(polygon)
        self._tree = shapely.STRtree(self._polygons)
        self._blocks: dict[int, Block] = {}
        bounds = shapely.total_bounds(self._polygons) if self._polygons else np.full(4, np.nan)
        self._west, self._south, self._east, self._north = bounds.tolist()

    @classmethod
    def build(cls, areas: Iterable[Area]) -> AreaIndex:
        """The index of these areas."""
        return cls(areas)

    def __len__(self) -> int:
        return len(self.areas)

    def code_at(self, point: Point) -> str | None:
        """The code of the area that holds this point, its border included; None where there is none."""
        lon, lat = point
        if not (self._west <= lon <= self._east and self._south <= lat <= self._north):
            return None
        column, row = int((lon + 180.0) / CELL_DEG), int((lat + 90.0) / CELL_DEG)
        key = (row >> _BLOCK_SHIFT) * _STRIDE + (column >> _BLOCK_SHIFT)
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = self._make_block(column >> _BLOCK_SHIFT, row >> _BLOCK_SHIFT)
        cell = block[((row & _BLOCK_MASK) << _BLOCK_SHIFT) | (column & _BLOCK_MASK)]
        if cell is None or isinstance(cell, str):
            return cell
        for code, polygon in cell:
            if polygon is None or shapely.intersects_xy(polygon, lon, lat):
                return code
        return None

    def _make_block(self, block_column: int, block_row: int) -> Block:
        columns = np.arange(block_column * _BLOCK, (block_column + 1) * _BLOCK)
        rows = np.arange(block_row * _BLOCK, (block_row + 1) * _BLOCK)
        west = np.tile(columns * CELL_DEG - 180.0, _BLOCK)
        south = np.repeat(rows * CELL_DEG - 90.0, _BLOCK)
        boxes = shapely.box(
            west - _MARGIN_DEG,
            south - _MARGIN_DEG,
            west + CELL_DEG + _MARGIN_DEG,
            south + CELL_DEG + _MARGIN_DEG,
        )
        whole = shapely.box(*shapely.total_bounds(boxes))
        near: list[int] = sorted(self._tree.query(whole, predicate="intersects").tolist())
        if not near:
            return _NOWHERE
        claims: list[list[tuple[str, Polygonal | None]]] = [[] for _ in boxes]
        settled = np.zeros(len(boxes), dtype=bool)
        for number in near:
            area, polygon = self.areas[number], self._polygons[number]
            touched = shapely.intersects(polygon, boxes) & ~settled
            covered = touched & shapely.covers(polygon, boxes)
            for cell in touched.nonzero()[0].tolist():
                claims[cell].append((area.code, None if covered[cell] else polygon))
            settled |= covered
        return [_cell(claim) for claim in claims]


def _cell(claims: list[tuple[str, Polygonal | None]]) -> Cell:
    if not claims:
        return None
    code, polygon = claims[0]
    return code if polygon is None else tuple(claims)
