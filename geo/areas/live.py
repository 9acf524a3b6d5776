"""The areas' index of this process, renewed when the stored areas change."""

from __future__ import annotations

import asyncio

from geo.areas.actions import areas_revision, load_areas
from geo.areas.cells import AreaIndex
from geo.point import Point
from storage.base.log import log
from storage.postgres import Database

LOOK_EVERY_S = 2.0
"""How old the knowledge of the areas may be before it is compared with the stored ones."""


class LiveAreas:
    """One per process. Building an index of a country takes seconds, so it happens beside requests, in a thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._index: AreaIndex | None = None
        self._revision = ""
        self._looked_at = 0.0
        self._look: asyncio.Task[None] | None = None

    def code_at(self, point: Point) -> str | None:
        """The code of the area that holds this point, as far as is known without asking the database."""
        self._look_if_stale()
        return None if self._index is None else self._index.code_at(point)

    async def current_code_at(self, point: Point) -> str | None:
        """As `code_at`, but waits for the first look."""
        self._look_if_stale()
        if self._index is None and self._look is not None:
            await asyncio.shield(self._look)
        return self.code_at(point)

    def _look_if_stale(self) -> None:
        is_stale = asyncio.get_running_loop().time() - self._looked_at > LOOK_EVERY_S
        if is_stale and (self._look is None or self._look.done()):
            self._look = asyncio.create_task(self._refresh())
            self._look.add_done_callback(_note_failure)

    async def _refresh(self) -> None:
        async with self._db.begin() as tx:
            revision = await areas_revision(tx)
            stored = await load_areas(tx) if revision != self._revision or self._index is None else None
        if stored is not None:
            self._index = await asyncio.to_thread(AreaIndex.build, stored)
            self._revision = revision
            log("areas.loaded", areas=len(stored), revision=revision)
        self._looked_at = asyncio.get_running_loop().time()


def _note_failure(look: asyncio.Task[None]) -> None:
    """A look that failed beside requests is repeated by the next one."""
    if not look.cancelled() and (problem := look.exception()) is not None:
        log("areas.not_loaded", level="warning", error=problem)
