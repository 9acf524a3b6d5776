"""The area index of this process, read again when areas were imported."""

from __future__ import annotations

import asyncio

from geo.areas.actions import areas_revision, load_index
from geo.areas.cells import AreaIndex
from geo.point import Point
from storage.base.log import log
from storage.postgres import Database

LOOK_EVERY_S = 5.0
"""An import is an operator's act; its areas may be a few seconds late on other machines."""


class LiveAreas:
    """Point → area code by the latest imported areas."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._index = AreaIndex.build([])
        self._revision = ""

    def code_at(self, point: Point) -> str | None:
        return self._index.code_at(point)

    async def load(self) -> None:
        """Read the areas if they have changed."""
        async with self._db.begin() as tx:
            revision = await areas_revision(tx)
            if revision == self._revision:
                return
            self._index, self._revision = await load_index(tx), revision
        log("areas.loaded", areas=len(self._index), revision=revision)

    async def run(self) -> None:
        """Look for newer areas until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.load()
            except asyncio.CancelledError:
                raise
            except Exception as problem:  # noqa: BLE001 - the relay loop: the areas known so far still hold
                log("areas.not_loaded", level="warning", error=problem)
