"""The operations map in a real browser, over the real program, while real clients move and work."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from rest.lines.homeservice import demo
from rest.pages.assets import load_assets
from tests.live import Live
from tests.pages.conftest import OPS, Desk, Town, needs_browser

pytestmark = [needs_browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

LON, LAT = demo.CENTRE


async def open_worker(page: Page, name: str) -> None:
    await page.get_by_role("tab", name="Technicians").click()
    await page.get_by_role("searchbox").fill(name)
    await page.get_by_role("button", name=name).click()


# Signing in


async def test_in_dev_mode_the_code_is_filled_in_and_the_map_opens(desk: Desk) -> None:
    page = await desk.watch()
    await expect(page.locator(".connection")).to_contain_text("Live")
    await expect(page.locator(".area-label").filter(has_text="北区").first).to_be_visible()
    kept = await page.evaluate("[Object.keys(sessionStorage), Object.keys(localStorage)]")
    assert kept == [["fieldhub.session"], []]


async def test_a_wrong_code_is_refused_in_words(desk: Desk) -> None:
    page = await desk.open()
    await page.get_by_role("textbox").fill(OPS)
    await page.get_by_role("button", name="Send code").click()
    code = page.locator("input.code")
    await expect(code).not_to_have_value("")
    right = await code.input_value()
    await code.fill("000000" if right != "000000" else "111111")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text(re.compile("code", re.IGNORECASE))
    await code.fill(right)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".connection.live")


async def test_a_phone_that_is_none_is_not_sent(desk: Desk) -> None:
    page = await desk.open()
    await page.get_by_role("textbox").fill("hello")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("Enter a valid phone number.")


async def test_a_reload_stays_signed_in_and_signing_out_does_not(desk: Desk) -> None:
    page = await desk.watch()
    await page.reload()
    await page.wait_for_selector(".connection.live")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_an_account_without_the_role_is_told_so(desk: Desk) -> None:
    page = await desk.sign_in(demo.customer_phone(2))
    await expect(page.get_by_role("heading", name="No access")).to_be_visible()
    await expect(page.locator(".n-online dd")).to_have_text("–")


async def test_a_session_ended_elsewhere_leads_back_to_the_sign_in(desk: Desk, town: Town) -> None:
    page = await desk.watch()
    token = await page.evaluate("JSON.parse(sessionStorage['fieldhub.session']).access_token")
    ended = await town.api.http.delete(
        f"{desk.live.url}/v1/auth/sessions/current", headers={"Authorization": f"Bearer {token}"}
    )
    assert ended.status == 204
    await expect(page.get_by_role("alert")).to_contain_text("ended elsewhere")


async def test_a_duplicated_tab_does_not_end_the_session_when_both_refresh(desk: Desk) -> None:
    """A copied refresh token used twice would look like theft."""
    page = await desk.watch()
    async with desk.context.expect_page() as opened:
        await page.evaluate("void window.open('/map')")
    twin = await opened.value
    await twin.wait_for_selector(".connection.live")
    session = load_assets().address("core/session.js")
    force = f"import('{session}').then((it) => it.freshToken({{ force: true }}))"
    for _ in range(3):
        await asyncio.gather(page.evaluate(force), twin.evaluate(force))
    read = f"import('{session}').then((it) => it.askAsMe('GET', '/v1/pulse')).then((pulse) => pulse.offers >= 0)"
    assert await asyncio.gather(page.evaluate(read), twin.evaluate(read)) == [True, True]


# What moves


async def test_a_technician_who_comes_online_appears_moves_and_leaves(desk: Desk, town: Town) -> None:
    page = await desk.watch()
    before = await desk.number("online")
    technician = await town.technician(1, lon=LON, lat=LAT)
    await expect(page.locator(".n-online dd")).to_have_text(str(before + 1))
    await open_worker(page, technician.name)
    await expect(page.locator("#details-title")).to_have_text(technician.name)
    await expect(page.locator(".details .pills")).to_contain_text("Free")
    await expect(page.locator(".facts")).to_contain_text("5.0 km")
    await expect(page.locator(".facts")).to_contain_text(f"{LAT:.5f}, {LON:.5f}")
    await technician.move(LON + 0.0002, LAT + 0.0002)
    await expect(page.locator(".facts")).to_contain_text(f"{LAT + 0.0002:.5f}, {LON + 0.0002:.5f}")
    await expect(page.locator(".details .pills")).to_contain_text(re.compile(r"position [0-4] s old"))
    await technician.ask("offline", {})
    await expect(page.locator(".n-online dd")).to_have_text(str(before))
    await expect(page.locator(".details .pills")).to_contain_text("Offline")


async def test_a_technician_can_be_found_with_the_pointer(desk: Desk, town: Town) -> None:
    page = await desk.watch()
    technician = await town.technician(2, lon=LON - 0.05, lat=LAT - 0.03)
    await open_worker(page, technician.name)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("tab", name="Technicians")).to_be_visible()
    box = await page.locator(".map").bounding_box()
    assert box is not None
    await page.wait_for_timeout(600)  # the map comes to rest over him
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.mouse.move(*middle)
    await expect(page.locator(".map-hint")).to_contain_text(technician.name)
    await page.mouse.click(*middle)
    await expect(page.locator("#details-title")).to_have_text(technician.name)


# Calls


async def test_a_call_is_followed_from_the_pool_to_the_lock(desk: Desk, town: Town, shots: Path) -> None:
    page = await desk.watch()
    near = await town.technician(3, lon=LON + 0.004, lat=LAT)
    far = await town.technician(4, lon=LON + 0.07, lat=LAT + 0.05)
    order = await town.order(lon=LON, lat=LAT)
    row = page.locator(".rows .item", has_text=order["call_id"][-6:])
    await expect(row).to_contain_text("Open")
    await expect(row).to_contain_text("wave")
    assert await desk.number("open_calls") >= 1
    await row.click()
    candidates = page.locator(".candidates")
    await expect(candidates.locator("li", has_text=near.name)).to_contain_text("offered, no answer yet")
    await expect(candidates.locator("li", has_text=far.name)).to_contain_text("beyond the radius")
    await expect(candidates).to_contain_text("offline")
    await near.ask("grab", {"call_id": order["call_id"]})
    await expect(candidates.locator("li", has_text=near.name)).to_contain_text("grabbed, customer chooses")
    await page.screenshot(path=shots / "call.png")
    await town.choose(order)
    await expect(candidates.locator("li", has_text=near.name)).to_contain_text("chosen, waiting for payment")
    await expect(page.locator(".details .pills")).to_contain_text("Locked")
    await expect(page.locator(".n-locked_calls dd")).to_have_text("1")
    await page.keyboard.press("Escape")
    await page.get_by_role("tab", name="Events").click()
    events = page.locator(".events")
    await expect(events).to_contain_text(f"Call …{order['call_id'][-6:]}: Locked, {near.name}")
    await expect(events).to_contain_text(f"Order …{order['id'][-6:]}: payment pending (customer)")


async def test_the_pulse_counts_offers_and_grabs(desk: Desk, town: Town) -> None:
    page = await desk.watch()
    technician = await town.technician(5, lon=LON, lat=LAT)
    order = await town.order(2)
    await expect(page.locator(".rows .item", has_text=order["call_id"][-6:])).to_contain_text("wave 1")
    await technician.ask("grab", {"call_id": order["call_id"]})
    await expect(page.locator(".n-grabs_min dd")).not_to_have_text(re.compile("^[0–]$"))
    await expect(page.locator(".n-offers_min dd")).not_to_have_text(re.compile("^[0–]$"))


async def test_what_facts_made_of_the_page_is_what_a_reload_reads(desk: Desk, town: Town) -> None:
    page = await desk.watch()
    technicians = [await town.technician(n, lon=LON + 0.002 * n, lat=LAT) for n in (6, 7, 8)]
    orders = [await town.order(n, lon=LON, lat=LAT - 0.002) for n in (1, 3)]
    for order in orders:
        await expect(page.locator(".rows .item", has_text=order["call_id"][-6:])).to_contain_text("wave")
    await technicians[0].ask("grab", {"call_id": orders[0]["call_id"]})
    await town.choose(orders[0])
    await technicians[1].ask("offline", {})
    await expect(page.locator(".n-locked_calls dd")).to_have_text("1")
    names = ("online", "free", "in_service", "open_calls", "locked_calls")
    await expect(page.locator(".n-online dd")).to_have_text("2")
    folded = [await desk.number(name) for name in names]
    await page.reload()
    await page.wait_for_selector(".n-open_calls dd:not(:text-is('–'))")
    assert [await desk.number(name) for name in names] == folded == [2, 1, 0, 1, 1]


# The page itself


async def test_every_word_changes_with_the_language_and_stays_changed(desk: Desk) -> None:
    page = await desk.watch()
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("tab", name="技师")).to_be_visible()
    await expect(page.locator(".connection")).to_contain_text("实时")
    assert await page.evaluate("[document.documentElement.lang, document.title]") == ["zh-CN", "运营地图 · fieldhub"]
    await page.reload()
    await expect(page.get_by_role("tab", name="技师")).to_be_visible()


async def test_everything_can_be_reached_with_the_keyboard(desk: Desk, town: Town) -> None:
    page = await desk.watch()
    order = await town.order()
    row = page.locator(".rows .item", has_text=order["call_id"][-6:])
    await expect(row).to_be_visible()
    await page.get_by_role("tab", name="Calls").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="Technicians")).to_be_focused()
    await expect(page.get_by_role("tab", name="Technicians")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowLeft")
    await row.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#details-title")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("tablist")).to_be_visible()
    unnamed = await page.evaluate(
        "[...document.querySelectorAll('button, input, select')]"
        ".filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert unnamed == []


async def test_a_colour_of_the_legend_hides_its_technicians(desk: Desk, town: Town) -> None:
    page = await desk.watch()
    technician = await town.technician(9, lon=LON + 0.08, lat=LAT - 0.05)
    await open_worker(page, technician.name)
    await page.keyboard.press("Escape")
    await page.wait_for_timeout(600)
    box = await page.locator(".map").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.mouse.move(*middle)
    await expect(page.locator(".map-hint")).to_be_visible()
    for state in ("Free", "Late position"):
        await page.locator(".legend label").filter(has_text=re.compile(f"^{state}\\d")).click()
    await page.wait_for_timeout(200)
    await page.mouse.move(middle[0] + 1, middle[1])
    await expect(page.locator(".map-hint")).to_be_hidden()


async def test_an_area_can_be_looked_at_closely(desk: Desk) -> None:
    page = await desk.watch()
    label = page.locator(".area-label").filter(has_text="东南区").first
    await page.get_by_role("combobox", name="Area").select_option(label="东南区")
    box = await page.locator(".map").bounding_box()
    assert box is not None
    await page.wait_for_timeout(600)
    place = await label.bounding_box()
    assert place is not None
    assert abs(place["x"] + place["width"] / 2 - box["x"] - box["width"] / 2) < box["width"] / 5


async def test_on_a_phone_the_lists_are_a_sheet_over_the_map(small_desk: Desk, town: Town, shots: Path) -> None:
    page = await small_desk.watch()
    technician = await town.technician(10, lon=LON, lat=LAT)
    order = await town.order(4)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    panel = page.locator(".panel")
    low = await panel.bounding_box()
    await page.get_by_role("button", name="展开或收起列表").click()
    high = await panel.bounding_box()
    assert low is not None
    assert high is not None
    assert high["height"] > 2 * low["height"]
    await page.locator(".rows .item", has_text=order["call_id"][-6:]).click()
    await expect(page.locator(".candidates")).to_contain_text(technician.name)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.screenshot(path=shots / "phone.png")


async def test_a_page_that_cannot_read_says_so_and_tries_again(desk: Desk) -> None:
    page = await desk.open()
    await page.route("**/v1/calls?*", lambda route: route.abort())
    await desk.sign_in()
    await expect(page.get_by_role("alert")).to_contain_text("the server cannot be reached")
    await expect(page.locator(".n-open_calls dd")).to_have_text("–")
    await page.unroute("**/v1/calls?*")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".n-open_calls dd")).not_to_have_text("–")


async def test_a_lost_server_is_said_and_the_map_goes_on_when_it_is_back(
    desk: Desk, town: Town, live: Live, shots: Path
) -> None:
    page = await desk.watch()
    order = await town.order()
    await expect(page.locator(".rows .item", has_text=order["call_id"][-6:])).to_be_visible()
    live.kill()
    await expect(page.locator(".connection")).to_contain_text("Reconnecting")
    await expect(page.locator(".frozen")).to_contain_text("the map stands still since")
    await page.screenshot(path=shots / "frozen.png")
    live.start()
    await page.wait_for_selector(".connection.live", timeout=30_000)
    await expect(page.locator(".frozen")).to_have_count(0)
    technician = await town.technician(11)
    await expect(page.locator(".n-online dd")).not_to_have_text("0")
    await open_worker(page, technician.name)
    desk.faults[:] = [fault for fault in desk.faults if "WebSocket connection" not in fault]
