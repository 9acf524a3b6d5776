"""The desk of one process: it knows the kinds, takes exports from the job, and makes them one after another.

A job only hands an export over and ends, so that deadlines never wait behind a long document. The claim on the row
outlives the process: whoever finds it has run out begins again.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from aiohttp import web

from rest.papers.exports import actions
from rest.papers.exports.model import Export, Kind, KindUnknown
from rest.papers.press import Press
from rest.papers.sheet import Head, Row, period_note
from storage.base.clock import wall_time
from storage.base.errors import HubError
from storage.base.log import log
from storage.base.settings import Settings
from storage.jobs import OutsideHandler
from storage.postgres import Database

HELD_MAX = 4
"""Exports one process holds, the one being made included; the rest stay in the table for whoever has room."""
LOOK_AGAIN_S = 5.0
SPARE_S = 60.0
"""Reading rows comes before printing and is not in its bound."""


class ExportDesk:
    """Kinds by name, and the exports this process is making."""

    def __init__(self, db: Database, settings: Settings, press: Press, kinds: Iterable[Kind]) -> None:
        self._db, self.press = db, press
        self._keep_s = settings.export_keep_s
        self._takes_s = HELD_MAX * settings.export_timeout_s + SPARE_S
        self._kinds = {kind.name: kind for kind in kinds}
        self._making: set[asyncio.Task[None]] = set()

    @property
    def kinds(self) -> list[Kind]:
        return list(self._kinds.values())

    def kind(self, name: str) -> Kind:
        """Raises KindUnknown."""
        found = self._kinds.get(name)
        if found is None:
            raise KindUnknown(kinds=sorted(self._kinds))
        return found

    def outside_jobs(self) -> dict[str, OutsideHandler]:
        """Kind to job, for the runner's `outside`."""
        return {actions.MAKE: self.take}

    async def take(self, payload: dict[str, Any]) -> None:
        """The job: begin to make it if there is room."""
        export_id = payload["export_id"]
        export = await self._db.run(actions.begin, export_id, takes_s=self._takes_s)
        if export is None:
            return
        if len(self._making) >= HELD_MAX:
            await self._db.run(actions.put_off, export_id, wait_s=LOOK_AGAIN_S)
            return
        task = asyncio.create_task(self._make(export), name=export_id)
        self._making.add(task)
        task.add_done_callback(self._making.discard)

    @property
    def is_busy(self) -> bool:
        return bool(self._making)

    async def idle(self) -> None:
        """Until nothing is being made."""
        while self._making:
            await asyncio.wait(self._making)

    async def close(self) -> None:
        """Let go of what is being made; another process takes it when the claim runs out."""
        for task in self._making:
            task.cancel()
        await asyncio.gather(*self._making, return_exceptions=True)

    async def _make(self, export: Export) -> None:
        try:
            row_count, content = await self._printed(export)
            await self._db.run(actions.finish, export.id, content, row_count, keep_s=self._keep_s)
            log("export.done", export_id=export.id, kind=export.kind, rows=row_count, bytes=len(content))
        except HubError as refusal:
            log("export.failed", level="warning", export_id=export.id, kind=export.kind, reason=refusal.code)
            await self._db.run(actions.give_up, export.id, refusal.code)
        except Exception as problem:  # noqa: BLE001 - a loop of its own: the claim runs out and it is begun again
            log("export.broke_off", level="error", error=problem, export_id=export.id, kind=export.kind)

    async def _printed(self, export: Export) -> tuple[int, bytes]:
        kind = self.kind(export.kind)
        self.press.check(export.format)
        head = Head(
            format=export.format,
            language=export.language,
            title=kind.title[export.language],
            notes=_notes(export),
            columns=kind.columns,
        )
        with tempfile.TemporaryFile() as lines:
            row_count, _totals = await self.press.spool(head, self._pages(kind, export), lines)
            return row_count, await self.press.make(lines)

    async def _pages(self, kind: Kind, export: Export) -> AsyncIterator[Sequence[Row]]:
        """All pages in one snapshot, whatever is written meanwhile."""
        async with self._db.begin() as tx:
            await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            async for page in kind.source(tx, export.wanted):
                yield page


def _notes(export: Export) -> tuple[str, ...]:
    """What a reader must know to read the table: which rows, and as of when."""
    filters = export.filters
    others = sorted(filters.named - {"since", "until"})
    notes = [period_note(filters.since, filters.until, export.language)]
    notes += [f"{name}: {getattr(filters, name)}" for name in others]
    made = "申请时间" if export.language == "zh" else "Asked for"
    return (*notes, f"{made}: {wall_time(export.created_at)}  {export.id}")


EXPORTS = web.AppKey("exports", ExportDesk)
