"""Which region holds a place: the areas' index of this process, renewed when the stored areas change."""

from __future__ import annotations

import asyncio

from aiohttp import web

from geo import Point, areas
from geo.areas import AreaIndex
from rest.lines.homeservice.catalogue import RegionNotServed
from storage.base.log import log
from storage.postgres import Database

LOOK_EVERY_S = 2.0
"""How old the knowledge of the areas may be before it is compared with the stored ones."""


class Regions:
    """One per process. Building an index of a country takes seconds, so it happens beside requests, in a thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._index: AreaIndex | None = None
        self._revision = ""
        self._looked_at = 0.0
        self._look: asyncio.Task[None] | None = None

    async def region_of(self, point: Point) -> str:
        """The code of the region that holds this point. Raises RegionNotServed where there is none."""
        await self._be_current()
        code = self._index.code_at(point) if self._index is not None else None
        if code is None:
            raise RegionNotServed
        return code

    async def _be_current(self) -> None:
        is_stale = asyncio.get_running_loop().time() - self._looked_at > LOOK_EVERY_S
        if is_stale and (self._look is None or self._look.done()):
            self._look = asyncio.create_task(self._refresh())
            self._look.add_done_callback(_note_failure)
        if self._index is None and self._look is not None:
            await asyncio.shield(self._look)

    async def _refresh(self) -> None:
        async with self._db.begin() as tx:
            revision = await areas.areas_revision(tx)
            stored = await areas.load_areas(tx) if revision != self._revision or self._index is None else None
        if stored is not None:
            self._index = await asyncio.to_thread(AreaIndex.build, stored)
            self._revision = revision
        self._looked_at = asyncio.get_running_loop().time()


def _note_failure(look: asyncio.Task[None]) -> None:
    """A look that failed beside requests is repeated by the next one."""
    if not look.cancelled() and (problem := look.exception()) is not None:
        log("regions.look_failed", level="warning", error=problem)


REGIONS = web.AppKey("homeservice_regions", Regions)


def wire(app: web.Application, db: Database) -> None:
    """Put the line's parts into the application."""
    app[REGIONS] = Regions(db)
