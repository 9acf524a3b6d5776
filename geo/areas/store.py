"""SQL of the table `areas`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely

from geo.areas.model import Area
from geo.datum import Crs
from storage.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSummary:
    """A stored area without its polygon. The bounds are WGS-84 degrees."""

    code: str
    name: str
    level: str
    parent: str | None
    west: float
    south: float
    east: float
    north: float
    source_crs: Crs
    version: int
    imported_at: datetime


async def upsert(tx: Tx, areas: Sequence[Area]) -> list[tuple[str, bool]]:
    """Write areas sorted by code; the code of each that is new or differs, and whether it is new."""
    bounds = shapely.bounds([area.polygon for area in areas]).T.tolist()
    rows = await tx.fetch(
        """
        INSERT INTO areas (code, name, level, parent, polygon, west, south, east, north, source_crs, imported_at)
        SELECT code, name, level, parent, polygon, west, south, east, north, source_crs, $11
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::float8[], $7::float8[],
                      $8::float8[], $9::float8[], $10::text[])
               AS given (code, name, level, parent, polygon, west, south, east, north, source_crs)
         ORDER BY code
        ON CONFLICT (code) DO UPDATE
           SET name = EXCLUDED.name, level = EXCLUDED.level, parent = EXCLUDED.parent,
               polygon = EXCLUDED.polygon, west = EXCLUDED.west, south = EXCLUDED.south, east = EXCLUDED.east,
               north = EXCLUDED.north, source_crs = EXCLUDED.source_crs, imported_at = EXCLUDED.imported_at,
               version = areas.version + 1
         WHERE (areas.name, areas.level, areas.parent, areas.polygon, areas.source_crs)
               IS DISTINCT FROM
               (EXCLUDED.name, EXCLUDED.level, EXCLUDED.parent, EXCLUDED.polygon, EXCLUDED.source_crs)
        RETURNING code, version = 1 AS is_new
        """,
        [area.code for area in areas],
        [area.name for area in areas],
        [area.level for area in areas],
        [area.parent for area in areas],
        [shapely.to_wkb(area.polygon) for area in areas],
        *bounds,
        [area.source_crs for area in areas],
        tx.now,
    )
    return [(row["code"], row["is_new"]) for row in rows]


async def summaries(tx: Tx) -> list[AreaSummary]:
    """All areas without polygons, by code."""
    rows = await tx.fetch(
        """
        SELECT code, name, level, parent, west, south, east, north, source_crs, version, imported_at
          FROM areas ORDER BY code
        """
    )
    return [AreaSummary(**dict(row)) for row in rows]


async def areas(tx: Tx) -> list[Area]:
    """All areas with their polygons, by code."""
    rows = await tx.fetch("SELECT code, name, level, parent, polygon, source_crs FROM areas ORDER BY code")
    return [_area(row) for row in rows]


async def delete(tx: Tx, code: str) -> bool:
    return await tx.execute("DELETE FROM areas WHERE code = $1", code) == 1


async def revision(tx: Tx) -> str:
    """Differs after every import or removal that changed something."""
    row = await tx.fetchrow("SELECT count(*) AS areas, sum(version) AS versions, max(imported_at) AS at FROM areas")
    return f"{row['areas']}.{row['versions']}.{row['at']}"


def _area(row: Any) -> Area:  # noqa: ANN401 - asyncpg has no types
    return Area(
        code=row["code"],
        name=row["name"],
        level=row["level"],
        parent=row["parent"],
        polygon=shapely.from_wkb(row["polygon"]),
        source_crs=row["source_crs"],
    )
