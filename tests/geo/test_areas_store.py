"""Areas in the database: imports are repeatable, told, and come back as they were."""

from __future__ import annotations

import asyncio

import pytest
import shapely

from geo.areas import (
    Area,
    AreaNotFound,
    Parsed,
    Repair,
    areas_revision,
    import_areas,
    list_areas,
    load_areas,
    load_index,
    remove_area,
)
from geo.point import Point
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.geo.data import needs_regions, real_areas


def area(code: str, west: float = 121.0, name: str = "芝罘区") -> Area:
    polygon = shapely.box(west, 37.0, west + 0.4, 37.4)
    return Area(code=code, name=name, level="district", parent="370600", polygon=polygon, source_crs="gcj02")


async def told(db: Database) -> list[str]:
    async with db.begin() as tx:
        rows = await tx.fetch(
            "SELECT body FROM outbox WHERE topic = 'areas.changed' AND 'ops' = ANY (audience) ORDER BY id"
        )
    return [row["body"] for row in rows]


async def test_an_import_is_stored_listed_and_told(db: Database, clock: ManualClock) -> None:
    repair = Repair(code="370602", name="芝罘区", reason="Ring not closed", area_change=0.0)
    report = await db.run(import_areas, Parsed((area("370611", 121.4), area("370602")), (repair,)))
    assert (report.added, report.changed, report.unchanged) == (("370602", "370611"), (), ())
    assert "mended 370602" in str(report)
    async with db.begin() as tx:
        first, second = await list_areas(tx)
        index = await load_index(tx)
    assert (first.code, first.name, first.level, first.parent) == ("370602", "芝罘区", "district", "370600")
    assert (first.west, first.south, first.east, first.north) == (121.0, 37.0, 121.4, 37.4)
    assert (first.source_crs, first.version, first.imported_at) == ("gcj02", 1, clock.now())
    assert second.code == "370611"
    assert index.code_at(Point(121.2, 37.2)) == "370602"
    assert await told(db) == ['{"codes":["370602","370611"],"count":2}']


async def test_importing_the_same_again_changes_and_tells_nothing(db: Database, clock: ManualClock) -> None:
    await db.run(import_areas, Parsed((area("370602"),), ()))
    async with db.begin() as tx:
        before = await list_areas(tx), await areas_revision(tx)
    clock.advance(hours=1)
    report = await db.run(import_areas, Parsed((area("370602"),), ()))
    assert (report.added, report.changed, report.unchanged) == ((), (), ("370602",))
    async with db.begin() as tx:
        assert (await list_areas(tx), await areas_revision(tx)) == before
    assert len(await told(db)) == 1


async def test_a_new_border_is_a_new_version(db: Database) -> None:
    await db.run(import_areas, Parsed((area("370602"), area("370611", 121.4)), ()))
    async with db.begin() as tx:
        before = await areas_revision(tx)
    report = await db.run(import_areas, Parsed((area("370602", 120.9),), ()))
    assert (report.changed, report.unchanged) == (("370602",), ())
    async with db.begin() as tx:
        assert [(one.code, one.version) for one in await list_areas(tx)] == [("370602", 2), ("370611", 1)]
        assert (await load_index(tx)).code_at(Point(120.95, 37.2)) == "370602"
        assert await areas_revision(tx) != before


async def test_a_removed_area_is_gone_and_told(db: Database) -> None:
    await db.run(import_areas, Parsed((area("370602"),), ()))
    await db.run(remove_area, "370602")
    async with db.begin() as tx:
        assert await list_areas(tx) == []
        assert (await load_index(tx)).code_at(Point(121.2, 37.2)) is None
    assert len(await told(db)) == 2
    with pytest.raises(AreaNotFound):
        await db.run(remove_area, "370602")


async def test_two_imports_at_once_do_not_get_in_each_others_way(db: Database) -> None:
    codes = [f"3706{number:02}" for number in range(40)]
    files = [
        Parsed(tuple(area(code, name=f"version {n}") for code in (codes if n % 2 else codes[::-1])), ())
        for n in range(8)
    ]
    await asyncio.gather(*[db.run(import_areas, file) for file in files])
    async with db.begin() as tx:
        assert {one.version for one in await list_areas(tx)} == {8}


@needs_regions
async def test_real_polygons_come_back_to_the_last_bit(db: Database) -> None:
    await db.run(import_areas, Parsed(real_areas(), ()))
    async with db.begin() as tx:
        loaded = {one.code: one for one in await load_areas(tx)}
    for given in real_areas():
        assert loaded[given.code].polygon.equals_exact(given.polygon, 0)
