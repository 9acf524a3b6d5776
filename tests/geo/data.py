"""Real data, read from beside the repository; tests that need it skip with a reason where it is missing."""

from __future__ import annotations

import gzip
import os
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from geo.areas import Area, parse_areas

_BESIDE = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("FIELDHUB_TEST_DATA", _BESIDE))

REGION_FILES = sorted((DATA / "regions").glob("*.geojson"))
needs_regions = pytest.mark.skipif(not REGION_FILES, reason=f"no region files under {DATA} (FIELDHUB_TEST_DATA)")


@cache
def real_areas() -> tuple[Area, ...]:
    """All areas of the region files; these are in GCJ-02."""
    parsed = [parse_areas(path.read_bytes(), crs="gcj02") for path in REGION_FILES]
    return tuple(area for file in parsed for area in file.areas)


def trajectory_file(name: str) -> Path:
    """A file of trajectories. Skips the calling test where it is missing."""
    path = DATA / "trajectories" / name
    if not path.exists():
        pytest.skip(f"no {name} under {DATA} (FIELDHUB_TEST_DATA)")
    return path


@cache
def taxi_trips() -> tuple[dict[str, Any], ...]:
    """Real taxi trips: lats, lngs, time_gap (seconds since start), states (occupied), driverID."""
    with gzip.open(trajectory_file("chengdu_taxi_trips.jsonl.gz")) as lines:
        return tuple(orjson.loads(line) for line in lines)
