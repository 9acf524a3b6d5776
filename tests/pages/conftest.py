"""The real program, a real browser, and people of the demo town who do things while somebody watches the map."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import socketio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from rest.lines.homeservice import demo
from rest.pages.assets import NODE_MODULES
from tests.live import Live
from tests.pages.floor import Floor, Seat
from tests.replay.api import Api, Person

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)

needs_browser = pytest.mark.skipif(
    CHROMIUM is None or not (NODE_MODULES / "preact").exists(),
    reason="needs Chromium (apt-get install chromium) and the npm libraries (npm ci)",
)

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Chromium as root on a machine without a screen and without a way out."""

OPS, SUPPORT = (next(phone for phone, role in demo.STAFF.items() if role == name) for name in ("ops", "support"))
SETTINGS = {"code_resend_s": "0", "code_per_hour_max": "10000", "code_per_address_max": "10000"}
"""Tests sign in more often than people."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    with Live(tmp_path_factory.mktemp("pages"), **SETTINGS) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        await chromium.close()


@dataclass
class Technician:
    """One of the demo technicians with a phone in hand."""

    api: Api
    person: Person
    name: str
    phone: socketio.AsyncClient
    seq: int = field(default_factory=lambda: int(datetime.now(UTC).timestamp() * 100))

    @property
    def id(self) -> str:
        return str(self.person.worker_id)

    async def move(self, lon: float, lat: float, heading_deg: float = 90) -> None:
        self.seq += 1
        at_ms = int(datetime.now(UTC).timestamp() * 1000)
        answer = await self.ask("position", [self.seq, at_ms, lat, lon, 8, 5, heading_deg])
        assert answer["accepted"] == 1, answer

    async def grab(self, order: dict[str, Any]) -> None:
        """As soon as it has been offered."""
        for _ in range(100):
            answer = await self.phone.call("grab", {"call_id": order["call_id"]}, namespace="/worker", timeout=10)
            if "error" not in answer:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(answer)

    async def ask(self, verb: str, body: Any) -> Any:
        answer = await self.phone.call(verb, body, namespace="/worker", timeout=10)
        assert "error" not in answer, answer
        return answer


@dataclass
class Town:
    """What tests say: `tech = await town.technician(1)`, `order = await town.order()`, `await town.choose(order)`."""

    live: Live
    api: Api
    closing: AsyncExitStack

    async def person(self, phone: str) -> Person:
        code = await self.api.post(None, "/v1/auth/codes", {"phone": phone})
        return Person.of(await self.api.post(None, "/v1/auth/sessions", {"phone": phone, "code": code["dev_code"]}))

    async def technician(self, n: int, *, lon: float = demo.CENTRE.lon, lat: float = demo.CENTRE.lat) -> Technician:
        """Demo technician `n`, online at this place."""
        person = await self.person(demo.technician_phone(n))
        settings = {"radius_m": 5_000, "work_from_min": 0, "work_to_min": 1440}
        await self.api.patch(person, "/v1/partner/settings", settings)
        me = await self.api.get(person, "/v1/partner/me")
        phone = socketio.AsyncClient()
        await phone.connect(
            self.live.url, namespaces=["/worker"], auth={"token": person.access_token}, transports=["websocket"]
        )
        self.closing.push_async_callback(phone.disconnect)
        technician = Technician(self.api, person, me["display_name"], phone)
        await technician.move(lon, lat)
        await technician.ask("online", {})
        self.closing.push_async_callback(self.api.post, person, "/v1/partner/offline")
        return technician

    async def order(
        self, n: int = 1, *, lon: float = demo.CENTRE.lon, lat: float = demo.CENTRE.lat, contact: str = "Test",
        detail: str = "Room 101",
    ) -> dict[str, Any]:  # fmt: skip
        """Demo customer `n` posts an order to the pool; cancelled after the test."""
        person = await self.person(demo.customer_phone(n))
        start_at = datetime.now(UTC) + timedelta(hours=2)
        address = {"contact": contact, "phone": "13900000000", "detail": detail, "lon": lon, "lat": lat}
        body = {
            "line": "homeservice", "mode": "grab", "item_id": demo.ITEMS[0].id, "qty": 1,
            "start_at": start_at.isoformat(timespec="seconds"), "address": {**address, "crs": "wgs84"},
        }  # fmt: skip
        key = f"page-test-{start_at.timestamp():.6f}"
        order: dict[str, Any] = await self.api.post(person, "/v1/orders", body, key=key)
        self.closing.push_async_callback(self._cancel, person, order["id"])
        return {**order, "person": person}

    async def _cancel(self, person: Person, order_id: str) -> None:
        """The customer asks, and support agrees where it is asked; nothing where a test has done so."""
        if (await self.api.get(person, f"/v1/orders/{order_id}"))["status"] == "cancelled":
            return
        order = await self.api.post(person, f"/v1/orders/{order_id}/cancel", {"reason": "test"})
        if order["status"] == "cancel_requested":
            support = await self.person(SUPPORT)
            path = f"/v1/admin/cases?subject_id={order_id}&type=cancel_confirm&state=open,taken"
            case_id = (await self.api.get(support, path))["data"][0]["id"]
            decision = {"outcome": "not_saved", "note": "test"}
            await self.api.post(support, f"/v1/admin/cases/{case_id}/decide", decision, key=f"cancel-{order_id}")

    async def choose(self, order: dict[str, Any]) -> None:
        """The customer takes the first who grabbed."""
        grabs = await self.api.get(order["person"], f"/v1/orders/{order['id']}/grabs")
        grab_id = grabs["data"][0]["grab_id"]
        await self.api.post(order["person"], f"/v1/orders/{order['id']}/choose", {"grab_id": grab_id})


@pytest_asyncio.fixture(loop_scope="session")
async def town(live: Live) -> AsyncIterator[Town]:
    async with aiohttp.ClientSession() as http, AsyncExitStack() as closing:
        yield Town(live, Api(http, live.url), closing)


@dataclass
class Desk:
    """A person at the page."""

    live: Live
    context: BrowserContext
    page: Page
    faults: list[str]

    async def open(self) -> Page:
        await self.page.goto(f"{self.live.url}/map")
        return self.page

    async def sign_in(self, phone: str = OPS) -> Page:
        """By hand, as a person does: phone, Enter, the code is filled in, Enter."""
        page = await self.open()
        await page.get_by_role("textbox").fill(phone)
        await page.keyboard.press("Enter")
        await expect(page.locator("input.code")).to_have_value(re.compile(r"^\d{6}$"))
        await page.keyboard.press("Enter")
        return page

    async def watch(self) -> Page:
        """Signed in as operations, live, everything read."""
        page = await self.sign_in()
        await page.wait_for_selector(".connection.live")
        await page.wait_for_selector(".n-online dd:not(:text-is('–'))")
        return page

    async def number(self, name: str) -> int:
        text = await self.page.locator(f".n-{name} dd").inner_text()
        return -1 if text == "–" else int(text.replace(",", ""))


def _note(faults: list[str], message: ConsoleMessage) -> None:
    # Refusals of requests are the page's business and shown by it; anything else in the console is a mistake.
    if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
        faults.append(message.text)


async def _desk(live: Live, browser: Browser, **options: Any) -> AsyncIterator[Desk]:
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options})
    context.set_default_timeout(15_000)
    page = await context.new_page()
    desk = Desk(live, context, page, [])
    page.on("console", lambda message: _note(desk.faults, message))
    page.on("pageerror", lambda error: desk.faults.append(str(error)))
    yield desk
    await context.close()
    assert desk.faults == []


@pytest_asyncio.fixture(loop_scope="session")
async def desk(live: Live, browser: Browser) -> AsyncIterator[Desk]:
    async for one in _desk(live, browser):
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def small_desk(live: Live, browser: Browser) -> AsyncIterator[Desk]:
    async for one in _desk(live, browser, viewport={"width": 390, "height": 844}, has_touch=True, locale="zh-CN"):
        yield one


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def floor(live: Live) -> AsyncIterator[Floor]:
    """A desk with one queue, open all the time."""
    async with aiohttp.ClientSession() as http:
        api = Api(http, live.url)
        made = Floor(live, api, admin=Person.of(live.tokens("admin", 1)[0]), ops=await Floor.signed_in(api, OPS))
        await made.open()
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def sit(live: Live, browser: Browser) -> AsyncIterator[Callable[..., Awaitable[Seat]]]:
    """`ada = await sit(phone, "?view=queue")`: somebody at the page of the desk; nothing is wrong in any console."""
    seats: list[tuple[BrowserContext, list[str]]] = []

    async def make(phone: str, where: str = "", **options: Any) -> Seat:
        shape = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **options}
        context = await browser.new_context(**shape)
        context.set_default_timeout(10_000)
        page = await context.new_page()
        faults: list[str] = []
        page.on("console", lambda message: _note(faults, message))
        page.on("pageerror", lambda error: faults.append(str(error)))
        seats.append((context, faults))
        seat = Seat(live.url, page, faults)
        await seat.sign_in(phone, where)
        return seat

    yield make
    for context, _ in seats:
        await context.close()
    assert [fault for _, faults in seats for fault in faults] == []


SHOTS = Path(__file__).parents[2] / "build" / "shots"


@pytest.fixture
def shots() -> Path:
    """Where tests leave pictures for people to look at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS
