"""What the page's modules decide, asked in the browser they run in."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from rest.pages.assets import load_assets
from tests.live import Live
from tests.pages.conftest import needs_browser

pytestmark = [needs_browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(live: Live, browser: Browser) -> Any:
    context = await browser.new_context(locale="en-GB", viewport={"width": 900, "height": 700})
    page = await context.new_page()
    await page.goto(f"{live.url}/map")
    yield page
    await context.close()


async def run(page: Page, module: str, body: str, value: Any = None) -> Any:
    """The result of `body` with the module as `it` and the argument as `value`."""
    address = load_assets().address(module)
    return await page.evaluate(f"async (value) => {{ const it = await import('{address}'); {body} }}", value)


NOW = 1_767_578_400_000

WORLD = """
const world = it.makeWorld();
const now = value.now ?? 0;
const seen = (id) => {
  const worker = world.workers.get(id);
  return worker ? [it.shownState(world, worker, now), worker.lat, worker.lon, worker.at] : null;
};
"""


def row(worker: str = "wrk_1", lat: float = 30.0, lon: float = 104.0, at: int = NOW, state: str = "free") -> list[Any]:
    return [worker, lat, lon, 90, at, state]


@pytest.mark.parametrize(
    ("age_ms", "shown"), [(0, "free"), (15_000, "free"), (15_001, "stale"), (60_000, "stale"), (60_001, "lost")]
)
async def test_an_old_position_is_called_old(page: Page, age_ms: int, shown: str) -> None:
    body = WORLD + "it.applyPositions(world, value.rows, 0, now); return seen('wrk_1')[0];"
    assert await run(page, "map/world.js", body, {"now": NOW + age_ms, "rows": [row()]}) == shown


async def test_an_older_fix_that_comes_late_changes_nothing(page: Page) -> None:
    body = WORLD + "it.applyPositions(world, value.rows, 0, now); return seen('wrk_1');"
    rows = [row(lat=30.2, at=NOW), row(lat=30.1, at=NOW - 1)]
    assert await run(page, "map/world.js", body, {"now": NOW, "rows": rows}) == ["free", 30.2, 104.0, NOW]


async def test_a_hub_that_knows_only_the_position_does_not_change_what_is_known(page: Page) -> None:
    body = (
        WORLD
        + """
        it.applyPositions(world, [value.rows[0]], 0, now);
        const first = seen('wrk_1')[0];
        it.applyFact(world, 'worker.changed', {seq: 1, at: '2026-01-05T02:00:00Z', worker_id: 'wrk_1', online: true,
          state: 'booked'}, now);
        it.applyPositions(world, [value.rows[0]], 0, now);
        return [first, seen('wrk_1')[0]];"""
    )
    found = await run(page, "map/world.js", body, {"now": NOW, "rows": [row(state="online")]})
    assert found == ["offline", "booked"]


async def test_who_is_not_in_the_field_is_offline_and_forgotten_in_time(page: Page) -> None:
    body = (
        WORLD
        + """
        it.applyPositions(world, value.rows, 0, now);
        it.replaceWorkers(world, [{id: 'wrk_1', display_name: 'Li', state: 'free', position: null,
          order: {id: 'ord_1', line: 'x', status: 'departed'}}], 0, now);
        const before = [seen('wrk_1')[0], seen('wrk_2')[0], world.workers.get('wrk_1').name];
        it.applyPositions(world, [], 0, now + 600_001);
        return [before, seen('wrk_2')];"""
    )
    rows = [row("wrk_1"), row("wrk_2")]
    found = await run(page, "map/world.js", body, {"now": NOW, "rows": rows})
    assert found == [["on_the_way", "offline", "Li"], None]


async def test_orders_say_where_a_worker_is_until_they_say_otherwise(page: Page) -> None:
    body = (
        WORLD
        + """
        it.applyPositions(world, value.rows, 0, now);
        const states = [];
        for (const status of value.statuses) {
          it.applyFact(world, 'order.changed', {seq: 1, at: '2026-01-05T02:00:00Z', order_id: 'ord_1', status,
            worker_id: 'wrk_1'}, now);
          states.push(seen('wrk_1')[0]);
        }
        return states;"""
    )
    statuses = ["accepted", "departed", "arrived", "in_service", "service_ended"]
    found = await run(page, "map/world.js", body, {"now": NOW, "rows": [row(state="booked")], "statuses": statuses})
    assert found == ["booked", "on_the_way", "on_the_way", "in_service", "booked"]


async def test_a_call_is_counted_while_it_is_on_the_map_and_kept_a_while_after(page: Page) -> None:
    body = (
        WORLD
        + """
        const out = [];
        for (const status of ['open', 'locked', 'open', 'won']) {
          it.applyFact(world, 'call.changed', {seq: 1, at: new Date(now).toISOString(), call_id: 'cal_1', status,
            lon: 104, lat: 30, wave: 1, ring_m: 900, epoch: 1, worker_id: null}, now);
          const {open, locked} = it.countWorld(world, now);
          out.push([open, locked]);
        }
        it.detailCalls(world, [{id: 'cal_1', status: 'open', service: 'itm_1', created_at: 'then'}]);
        const {status, service, created_at} = world.calls.get('cal_1');
        it.applyPositions(world, [], 0, now + 600_001);
        return [out, [status, service, created_at], world.calls.size];"""
    )
    found = await run(page, "map/world.js", body, {"now": NOW})
    assert found == [[[1, 0], [0, 1], [1, 0], [0, 0]], ["won", "itm_1", "then"], 0]


async def test_only_the_last_fifty_facts_are_kept(page: Page) -> None:
    body = (
        WORLD
        + """
        for (let seq = 1; seq <= 60; seq++) it.applyFact(world, 'x.y', {seq, at: '2026-01-05T02:00:00Z'}, now);
        return [world.events.length, world.events[0].seq, world.events.at(-1).seq];"""
    )
    assert await run(page, "map/world.js", body, {"now": NOW}) == [50, 60, 11]


async def test_a_marker_glides_to_the_next_fix_but_never_across_a_jump(page: Page) -> None:
    body = (
        WORLD
        + """
        const steps = [];
        it.applyPositions(world, [value.rows[0]], 1000, now);
        it.applyPositions(world, [value.rows[1]], 2000, now);
        const worker = world.workers.get('wrk_1');
        for (const at of [2000, 2500, 3000, 9000]) steps.push(it.placeOf(worker, at)[0]);
        it.applyPositions(world, [value.rows[2]], 3500, now);
        return [...steps, it.placeOf(worker, 3500)[0]];"""
    )
    rows = [row(lat=30.000, at=NOW), row(lat=30.002, at=NOW + 1), row(lat=31.0, at=NOW + 2)]
    found = await run(page, "map/world.js", body, {"now": NOW, "rows": rows})
    assert found == pytest.approx([30.000, 30.001, 30.002, 30.002, 31.0])


async def test_a_point_belongs_to_the_area_around_it_and_not_to_its_hole(page: Page) -> None:
    def box(west: float, south: float, side: float) -> list[list[float]]:
        east, north = west + side, south + side
        return [[west, south], [east, south], [east, north], [west, north], [west, south]]

    with_hole = {"type": "Polygon", "coordinates": [box(0, 0, 10), box(4, 4, 2)]}
    parts = {"type": "MultiPolygon", "coordinates": [[box(20, 0, 1)], [box(30, 0, 5)]]}
    features = [
        {"type": "Feature", "properties": {"code": code, "name": code}, "geometry": geometry}
        for code, geometry in (("hole", with_hole), ("parts", parts), ("none", None))
    ]
    body = """
        const areas = it.readAreas({features: value.features});
        const label = areas[0].label;
        return [value.points.map(([lon, lat]) => it.areaAt(areas, lon, lat)), areas.map((area) => area.code),
          it.areaAt(areas, areas[1].label.lon, areas[1].label.lat)];"""
    points = [[1, 1], [5, 5], [20.5, 0.5], [25, 0.5], [34, 4], [-1, 5]]
    found = await run(page, "map/areas.js", body, {"features": features, "points": points})
    assert found == [["hole", None, "parts", None, "parts", None], ["hole", "parts"], "parts"]


async def test_lengths_are_told_as_people_say_them(page: Page) -> None:
    body = """
        const [seconds, metres] = [[0.4, 59, 99.6, 3_000, 9_000], [0, 340, 2_440, 24_400]];
        const told = () => [...seconds.map(it.formatSeconds), ...metres.map(it.formatMetres)];
        it.setLanguage('en');
        const en = told();
        it.setLanguage('zh');
        const zh = told();
        it.setLanguage('en');
        return [en, zh];"""
    en, zh = await run(page, "core/words.js", body)
    assert en == ["0 s", "59 s", "2 min", "50 min", "3 h", "0 m", "340 m", "2.4 km", "24 km"]
    assert zh[:5] == ["0 秒", "59 秒", "2 分钟", "50 分钟", "3 小时"]


async def test_a_wrong_clock_of_the_desk_does_not_make_people_look_lost(page: Page) -> None:
    body = """
        const ahead = 3_600_000;
        it.learnClock(Date.now() + ahead, 40);
        const near = Math.abs(it.serverNow() - Date.now() - ahead) < 200;
        it.learnClock(Date.now(), 900);
        const kept = Math.abs(it.serverNow() - Date.now() - ahead) < 200;
        it.learnClock(Date.now(), 1);
        return [near, kept, Math.abs(it.serverNow() - Date.now()) < 200];"""
    assert await run(page, "core/clock.js", body) == [True, True, True]


DRAWN = """
    const { map } = await import(value.leaflet);
    const { makeWorld, applyPositions } = await import(value.world);
    const { COLOURS } = await import(value.pictures);
    const holder = document.createElement('div');
    holder.style.cssText = 'position: fixed; inset: 0; z-index: 9999; background: #000';
    document.body.append(holder);
    const shown = map(holder, { zoomControl: false, attributionControl: false });
    shown.setView([30, 104], value.zoom, { animate: false });
    shown.createPane('markers');
    const world = makeWorld();
    const now = 1_767_578_400_000;
    applyPositions(world, value.rows, 0, now);
    const hidden = new Set(value.hidden);
    const source = { world, now: () => now, isStill: true, hidden, chosen: null, candidates: [], look: 0 };
    const layer = new it.Markers(source).addTo(shown);
    const started = performance.now();
    layer.draw(started);
    const ms = performance.now() - started;
    const at = ([, lat, lon]) => {
      const point = shown.latLngToLayerPoint([lat, lon]);
      const hit = layer.hit(point);
      const [x, y] = [point.x - layer.origin.x, point.y - layer.origin.y];
      const [r, g, b] = layer.pen.getImageData(Math.round(x), Math.round(y), 1, 1).data;
      return [hit?.id ?? null, '#' + [r, g, b].map((part) => part.toString(16).padStart(2, '0')).join('')];
    };
    const found = value.rows.map(at);
    const drawn = layer.drawn.length;
    shown.remove();
    holder.remove();
    return { found, drawn, ms, colours: COLOURS };
"""


async def draw(page: Page, rows: list[list[Any]], *, zoom: float, hidden: tuple[str, ...] = ()) -> Any:
    assets = load_assets()
    value = {
        "rows": rows,
        "zoom": zoom,
        "hidden": hidden,
        "leaflet": assets.address("lib/leaflet.js"),
        "world": assets.address("map/world.js"),
        "pictures": assets.address("map/pictures.js"),
    }
    return await run(page, "map/markers.js", DRAWN, value)


@pytest.mark.parametrize("zoom", [9, 11, 14])
async def test_each_state_has_its_colour_at_its_place_and_can_be_hit(page: Page, zoom: float) -> None:
    step = 0.5 / 2 ** (zoom - 9)
    rows = [
        row(f"wrk_{n}", 30, 104 + n * step, NOW, state)
        for n, state in enumerate(("free", "locked", "booked", "offline"))
    ]
    drawn = await draw(page, rows, zoom=zoom)
    expected = [[f"wrk_{n}", drawn["colours"][state]] for n, (*_, state) in enumerate(rows)]
    assert drawn["found"] == expected


async def test_hidden_states_are_neither_drawn_nor_hit(page: Page) -> None:
    rows = [row("wrk_1", 30, 104), row("wrk_2", 30, 104.02, NOW, "locked")]
    drawn = await draw(page, rows, zoom=14, hidden=("free",))
    assert [hit for hit, _ in drawn["found"]] == [None, "wrk_2"]


async def test_five_thousand_technicians_are_one_quick_picture(page: Page) -> None:
    rows = [row(f"wrk_{n}", 29.9 + 0.2 * (n // 100) / 50, 103.9 + 0.2 * (n % 100) / 100) for n in range(5_000)]
    drawn = await draw(page, rows, zoom=11)
    assert drawn["drawn"] == 5_000
    # A frame of 30 a second is 33 ms; ten times that still means something is very wrong.
    assert drawn["ms"] < 330
