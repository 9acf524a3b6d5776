"""Service areas over HTTP: a list for programs, GeoJSON for maps."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from geo.areas.actions import areas_revision, list_areas, load_areas
from geo.areas.export import areas_geojson
from geo.areas.store import AreaSummary
from rest.edge.context import Ctx
from rest.edge.registry import PUBLIC, Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Page, PageQuery, Query
from storage.base import codec
from storage.postgres import Database


class AreaView(msgspec.Struct, frozen=True, kw_only=True):
    """A service area without its polygon; bounds in WGS-84 degrees."""

    code: str
    name: str
    level: str
    parent: str | None
    west: float
    south: float
    east: float
    north: float

    @classmethod
    def of(cls, area: AreaSummary) -> AreaView:
        return cls(
            code=area.code, name=area.name, level=area.level, parent=area.parent,
            west=area.west, south=area.south, east=area.east, north=area.north,
        )  # fmt: skip


class MapQuery(Query, frozen=True, kw_only=True):
    """The datum the map draws in."""

    crs: Literal["wgs84", "gcj02"] = "wgs84"


class Collection(msgspec.Struct, frozen=True):
    """A GeoJSON FeatureCollection (RFC 7946); properties are code, name, level, parent."""

    type: Literal["FeatureCollection"]
    features: list[dict[str, object]]


class Drawings:
    """The simplified polygons, drawn once for each revision and datum: it takes a second for a large region."""

    def __init__(self) -> None:
        self._drawn: dict[str, tuple[str, bytes]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def get(self, db: Database, crs: Literal["wgs84", "gcj02"]) -> bytes:
        async with self._one_at_a_time:
            async with db.begin() as tx:
                revision = await areas_revision(tx)
                known = self._drawn.get(crs)
                if known is not None and known[0] == revision:
                    return known[1]
                areas = await load_areas(tx)
            raw = await asyncio.to_thread(lambda: codec.dumps(areas_geojson(areas, crs=crs)))
            self._drawn[crs] = (revision, raw)
            return raw


_drawings = Drawings()


async def list_all(ctx: Ctx) -> Answer:
    wanted: PageQuery = ctx.query
    after = ctx.after
    areas = await ctx.db.run(list_areas)
    rows = [area for area in areas if after is None or area.code > str(after[0])]
    return ctx.page(rows[: wanted.limit + 1], view=AreaView.of, key=lambda area: (area.code,))


async def draw(ctx: Ctx) -> Answer:
    wanted: MapQuery = ctx.query
    return Reply(raw=await _drawings.get(ctx.db, wanted.crs), headers={"Content-Type": "application/geo+json"})


ROUTES = (
    Route(
        "GET", "/v1/areas", list_all, "areas.list", "Service areas by code",
        query=PageQuery, response=Page[AreaView], roles=PUBLIC, tags=("areas",),
    ),
    Route(
        "GET", "/v1/areas.geojson", draw, "areas.draw", "Service areas as simplified GeoJSON",
        query=MapQuery, response=Collection, roles=PUBLIC, media="application/geo+json", tags=("areas",),
    ),
)  # fmt: skip
