"""How fast points find their area: the cell cache, cold and warm, and an STRtree beside it.

`python -m tests.bench.bench_areas [--quick]`. Uses the real region files where they are; else a made-up province
of districts with ragged borders. Rates are per second of one core's CPU time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely

from geo.areas import Area, AreaIndex
from geo.point import Point
from tests.geo.data import real_areas


def run(quick: bool) -> dict[str, float]:
    """Figures by name: look-ups per second, times in seconds."""
    areas = real_areas() or _made_up()
    points = _points(areas, 50_000 if quick else 500_000)
    build_s, index = _timed(lambda: AreaIndex.build(areas))
    cold_s, first = _timed(lambda: [index.code_at(point) for point in points])
    warm_s, again = _timed(lambda: [index.code_at(point) for point in points])
    some = points[: len(points) // 20]
    tree_s, scanned = _timed(lambda: _with_tree(areas, some))
    if first != again or first[: len(some)] != scanned:
        raise AssertionError("the cell cache and the tree disagree")
    return {
        "areas": len(areas),
        "vertices": float(sum(shapely.get_num_coordinates([area.polygon for area in areas]))),
        "build_s": build_s,
        "first_look_ups_per_s": len(points) / cold_s,
        "look_ups_per_s": len(points) / warm_s,
        "strtree_look_ups_per_s": len(some) / tree_s,
        "cells_over_strtree": len(points) / warm_s / (len(some) / tree_s),
    }


def _with_tree(areas: Sequence[Area], points: Sequence[Point]) -> list[str | None]:
    ordered = sorted(areas, key=lambda area: area.code)
    tree = shapely.STRtree([area.polygon for area in ordered])
    return [
        ordered[min(found)].code if len(found := tree.query(shapely.Point(point), predicate="intersects")) else None
        for point in points
    ]


def _points(areas: Sequence[Area], count: int) -> list[Point]:
    rng = np.random.default_rng(20260105)
    each = [rng.uniform(area.polygon.bounds[:2], area.polygon.bounds[2:], (count // len(areas), 2)) for area in areas]
    together = np.concatenate(each)
    rng.shuffle(together)
    return [Point(lon, lat) for lon, lat in together.tolist()]


def _made_up() -> list[Area]:
    """Districts of 0.3° whose borders wander like real ones: 36 of them, 400 vertices each."""
    rng, found = np.random.default_rng(7), list[Area]()
    turn = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
    for number in range(36):
        reach = 0.15 + 0.02 * rng.standard_normal(8) @ np.sin(np.outer(np.arange(1, 9), turn)) / 3.0
        centre = np.array([116.0 + number % 6 * 0.3, 36.0 + number // 6 * 0.3])
        ring = centre + np.column_stack((reach * np.cos(turn), reach * np.sin(turn)))
        polygon = shapely.make_valid(shapely.polygons(ring))
        code = f"3701{number + 1:02}"
        found.append(Area(code=code, name=code, level="district", parent=None, polygon=polygon, source_crs="wgs84"))
    return found


def _timed(do: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = do()
    return time.process_time() - begun, result


def table(figures: dict[str, float]) -> str:
    """Two columns: name and figure."""
    return "\n".join(f"{name:<24}{value:>14,.3f}" for name, value in figures.items())


if __name__ == "__main__":
    print(table(run("--quick" in sys.argv)))
