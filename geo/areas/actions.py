"""Verbs on service areas."""

from __future__ import annotations

from dataclasses import dataclass

from geo.areas import store
from geo.areas.cells import AreaIndex
from geo.areas.facts import AreasChanged
from geo.areas.model import Area, Parsed, Repair
from geo.areas.store import AreaSummary
from storage.base.errors import NotFound
from storage.tx import Tx

CODES_TOLD_MAX = 100


class AreaNotFound(NotFound):
    """There is no area with this code."""

    code = "area_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, by code; `repairs` are polygons that were mended on the way."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    repairs: tuple[Repair, ...]

    def __str__(self) -> str:
        counts = f"{len(self.added)} added, {len(self.changed)} changed, {len(self.unchanged)} unchanged"
        mended = [
            f"mended {repair.code} {repair.name}: {repair.reason} (area changed by {repair.area_change:.2%})"
            for repair in self.repairs
        ]
        return "\n".join([counts, *mended])


async def import_areas(tx: Tx, parsed: Parsed) -> ImportReport:
    """Store the areas of a file; areas that are not in it stay as they are. Importing again changes nothing.

    Locks   the rows of the areas, by code.
    Tells   areas.changed to ops, when anything changed.
    """
    given = sorted(parsed.areas, key=lambda area: area.code)
    written = await store.upsert(tx, given)
    touched = {code for code, _ in written}
    if touched:
        _tell(tx, sorted(touched))
    return ImportReport(
        added=tuple(sorted(code for code, is_new in written if is_new)),
        changed=tuple(sorted(code for code, is_new in written if not is_new)),
        unchanged=tuple(area.code for area in given if area.code not in touched),
        repairs=parsed.repairs,
    )


async def remove_area(tx: Tx, code: str) -> None:
    """Forget an area. Raises AreaNotFound. Tells areas.changed to ops."""
    if not await store.delete(tx, code):
        raise AreaNotFound
    _tell(tx, [code])


async def list_areas(tx: Tx) -> list[AreaSummary]:
    """All areas by code, without their polygons."""
    return await store.summaries(tx)


async def load_areas(tx: Tx) -> list[Area]:
    """All areas by code, with their polygons; the whole country is 1.9 million vertices, so not per request."""
    return await store.areas(tx)


async def load_index(tx: Tx) -> AreaIndex:
    """The look-up of points in all stored areas."""
    return AreaIndex.build(await store.areas(tx))


async def areas_revision(tx: Tx) -> str:
    """A word that changes with the areas: what a process compares to know that its index is still good."""
    return await store.revision(tx)


def _tell(tx: Tx, codes: list[str]) -> None:
    tx.tell(AreasChanged(codes=tuple(codes[:CODES_TOLD_MAX]), count=len(codes)), to=["ops"])
