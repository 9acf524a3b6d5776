"""Pictures of the pages as people see them: `python -m tests.pages.shots DIR [NAME…]`.

The real program on real engines, a small desk with people in it, in Chinese; nothing is drawn that did not happen.
Names and texts are always the same, ids and times are those of the run.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page, async_playwright, expect

from rest.lines.homeservice import demo
from tests.live import Live
from tests.pages.conftest import CHROMIUM, FLAGS, OPS, SETTINGS, Town
from tests.pages.floor import Asker, Floor
from tests.replay.api import Api, Person

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PROMISES = {"first_reply_s": 60, "next_reply_s": 600, "resolve_s": 14_400, "in_hours": False}
TICKETS = (
    ("吴昊", "refund", "high", "退款三天还没到账"), ("郑洁", "invoice", "normal", "发票抬头需要修改"),
    ("冯涛", "complaint", "high", "技师迟到了四十分钟"), ("褚欣", "coupon", "low", "优惠券不能叠加使用"),
    ("卫东", "payment", "normal", "重复扣款，请核对"), ("蒋雯", "refund", "normal", "取消后违约金怎么算"),
)  # fmt: skip
WAITING = ("沈阳", "韩梅", "杨帆", "朱琳", "秦川", "尤佳", "许诺")


@dataclass
class Studio:
    """The desk of the pictures: `page = await studio.sit("林静")`, `await studio.shoot(page, "inbox")`."""

    live: Live
    browser: Browser
    floor: Floor
    town: Town
    out: Path
    wanted: frozenset[str]
    askers: dict[str, Asker] = field(default_factory=dict)

    async def open(self, size: dict[str, int] = WIDE, **options: Any) -> Page:
        place = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "color_scheme": "light"}
        context = await self.browser.new_context(**{"viewport": size, **place, **options})
        context.set_default_timeout(15_000)
        return await context.new_page()

    async def sit(self, name: str, where: str = "", size: dict[str, int] = WIDE, **options: Any) -> Page:
        page = await self.open(size, **options)
        await sign_in(page, f"{self.live.url}/desk{where}", self.floor.phones[name])
        await expect(page.locator(".link.is-live")).to_be_visible()
        return page

    async def ask(self, name: str, category: str, *texts: str, **more: Any) -> Asker:
        phone = more.pop("phone", None)
        asker = self.askers[name] = await self.floor.customer(name, phone)
        await asker.ask(category, **more)
        for text in texts:
            await asker.say(text)
        return asker

    async def accept(self, agent: str, asker: Asker) -> None:
        """As soon as it is offered to this agent."""
        me = self.floor.agents[agent]
        for _ in range(100):
            offers = (await self.floor.api.get(me, "/v1/desk/floor"))["offers"]
            for offer in offers:
                if offer["conversation_id"] == asker.conversation_id:
                    await self.floor.act(me, f"/v1/desk/assignments/{offer['assignment_id']}/accept")
                    return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{agent} was not asked")

    async def present(self, *names: str) -> None:
        """A sign of life of those who have no page open, as good as for fifteen seconds."""
        for name in names:
            await self.floor.put(self.floor.agents[name], "/v1/desk/me/presence", None)
            await self.floor.set_state(name, "online")

    async def shoot(self, page: Page, name: str) -> None:
        if self.wanted and name not in self.wanted:
            return
        await page.wait_for_timeout(700)  # what moves into place has moved
        await page.screenshot(path=self.out / f"{name}.png")
        print(name, flush=True)


async def sign_in(page: Page, url: str, phone: str) -> None:
    await page.goto(url)
    await page.locator("input[type=tel]").fill(phone)
    await page.keyboard.press("Enter")
    await expect(page.locator("input.code")).to_have_value(re.compile(r"^\d{6}$"))
    await page.keyboard.press("Enter")


async def people(studio: Studio) -> None:
    """A queue with promises, three agents and who leads them, hours of day and night."""
    floor = studio.floor
    await floor.open("优先服务", sla=PROMISES, idle_warn_s=3_600, idle_close_s=7_200, reply_s=3_600, accept_s=120)
    day = await floor.calendar("白班", [[[540, 1080]]] * 5 + [[[600, 960]]] * 2, {})
    night = await floor.calendar("夜班", [[[1320, 1800]]] * 7, {f"{date.today()}": [[540, 720]]})  # noqa: DTZ011
    await floor.agent("林静", chats_max=5)
    await floor.agent("周凯", chats_max=4)
    await floor.agent("陈敏", chats_max=4, calendar_id=night)
    await floor.agent("何宇", chats_max=4, calendar_id=day)
    await floor.agent("王芳", chats_max=3, roles=("support", "supervisor"), is_supervisor=True)


async def talking(studio: Studio) -> Page:
    """Three live chats of 林静's, one about an order whose technician is on the way; 王芳 looks at one of them."""
    technician = await studio.town.technician(1, lon=demo.CENTRE.lon + 0.005, lat=demo.CENTRE.lat + 0.003)
    order = await studio.town.order(1, contact="赵敏", detail="春熙路 18 号 3 单元 501")
    await technician.grab(order)
    await studio.town.choose(order)
    await studio.floor.act(order["person"], f"/v1/orders/{order['id']}/pay", {"method": "wallet"})
    for verb in ("accept", "depart"):
        await technician.ask(verb, {"order_id": order["id"]})
    await technician.move(demo.CENTRE.lon + 0.00501, demo.CENTRE.lat + 0.003)
    page = await studio.sit("林静")
    await page.locator(".agent-state select").select_option("online")
    asked = {"phone": demo.customer_phone(1), "order_id": order["id"]}
    zhao = await studio.ask("赵敏", "order", "你好，技师什么时候到？", "我七点半要出门。", **asked)
    await studio.accept("林静", zhao)
    for name, category, text in (("孙立", "refund", "退款要多久到账？"), ("李娜", "coupon", "优惠券为什么用不了？")):
        await studio.accept("林静", await studio.ask(name, category, text))
    await studio.floor.say("林静", zhao.conversation_id, "您好，我先帮您看一下技师的位置。")
    note = {"client_id": "shots-note-000001", "text": "老客户，七点半要出门，请优先。", "kind": "note"}
    await studio.floor.act(studio.floor.agents["林静"], f"/v1/conversations/{zhao.conversation_id}/messages", note)
    await zhao.say("好的，谢谢！")
    await page.goto(f"{studio.live.url}/desk?c={zhao.conversation_id}")
    await expect(page.locator(".said").filter(has_text="好的，谢谢！")).to_be_visible()
    return page


async def inbox(studio: Studio, page: Page) -> None:
    zhao = studio.askers["赵敏"]
    lead = await studio.sit("王芳", f"?list=all&c={zhao.conversation_id}")
    await expect(page.locator(".seen")).to_contain_text("王芳")
    await studio.askers["孙立"].say("已经等了三天了。")
    await expect(page.locator(".row.is-unread").first).to_be_visible()
    late = await studio.ask("何雨", "invoice", "发票什么时候能开？")
    await expect(page.locator(".offer")).to_be_visible()
    await studio.shoot(page, "inbox")
    await page.locator(".offer").get_by_role("button", name="拒绝").click()
    await studio.floor.act(late.person, f"/v1/support/{late.conversation_id}/withdraw")
    await lead.context.close()


async def keyboard(studio: Studio, page: Page) -> None:
    await page.locator(".log").focus()
    await page.keyboard.press("?")
    await studio.shoot(page, "keys")
    await page.keyboard.press("Escape")
    await page.locator(".log").focus()
    await page.keyboard.press("s")
    await studio.shoot(page, "snooze")
    await page.keyboard.press("Escape")


async def offline_and_collision(studio: Studio, page: Page) -> None:
    li = studio.askers["李娜"]
    await page.goto(f"{studio.live.url}/desk?c={li.conversation_id}")
    field_ = page.locator(".composer textarea")
    await expect(field_).to_be_visible()
    await page.context.set_offline(True)
    await expect(page.locator(".link:visible")).to_contain_text("离线")
    await field_.fill("这张券满 200 元可用，您的订单还差一点。")
    await field_.press("Enter")
    await expect(page.locator(".said.is-pending")).to_have_count(1)
    await studio.shoot(page, "offline")
    await page.context.set_offline(False)
    await expect(page.locator(".said.is-pending")).to_have_count(0)
    await expect(page.locator(".link.is-live:visible")).to_be_visible()
    await page.wait_for_timeout(2_000)  # promises are read again a moment after
    await studio.shoot(page, "caught_up")
    await page.context.set_offline(True)
    await expect(page.locator(".link:visible")).to_contain_text("离线")
    await field_.fill("暂时无法补发优惠券。")
    await field_.press("Enter")
    await studio.floor.say("王芳", li.conversation_id, "已为您补发一张 20 元券，请查收。")
    await page.context.set_offline(False)
    await expect(page.get_by_role("dialog")).to_contain_text("已为您补发")
    await studio.shoot(page, "collision")
    await page.get_by_role("dialog").get_by_role("button", name="丢弃").click()


async def supervisor(studio: Studio) -> None:
    """Tickets with a bulk action, the wall under load, hours, a dry run, and the numbers with how many they are of."""
    floor = studio.floor
    for name, category, severity, text in TICKETS:
        await studio.ask(name, category, text, kind="ticket", severity=severity)
    for name in WAITING:
        await studio.ask(name, "order", "有人在吗？")
    await studio.present("周凯")
    await asyncio.sleep(1)
    lead, ada = floor.agents["王芳"], floor.agents["林静"]
    done = f"/v1/desk/threads/{studio.askers['冯涛'].conversation_id}/resolve"
    await floor.act(ada, done, {"resolution": "已致歉并补偿。"})
    views = (("今日投诉", True, {"state": "open", "severity": "high"}), ("我的待办", False, {"who": "me"}))
    for name, shared, wanted in views:
        await floor.act(lead, "/v1/desk/views", {"name": name, "filter": wanted, "is_shared": shared})
    page = await studio.sit("王芳", "?view=tickets")
    await page.locator(".tickets tbody tr").nth(5).wait_for()
    for n in (0, 2, 3):
        await page.locator(".tickets tbody input").nth(n).check()
    await page.get_by_role("button", name="关闭", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="执行").click()
    await expect(page.locator(".bulk-told")).to_be_visible()
    await studio.shoot(page, "tickets")
    await studio.present("周凯")
    await page.goto(f"{studio.live.url}/desk?view=wall")
    await expect(page.locator(".tile").first).to_be_visible()
    await studio.shoot(page, "wall")
    await page.goto(f"{studio.live.url}/desk?view=queue")
    await expect(page.locator(".board table").first).to_be_visible()
    await studio.shoot(page, "queue")
    ops = await studio.open()
    await sign_in(ops, f"{studio.live.url}/desk?view=shifts", OPS)
    await expect(ops.locator(".week").first).to_be_visible()
    await ops.get_by_text("特殊日期").click()
    await studio.shoot(ops, "shifts")
    await ops.goto(f"{studio.live.url}/desk?view=rules")
    await ops.get_by_role("button", name="试算").click()
    await expect(ops.locator(".verdict")).to_be_visible()
    await studio.shoot(ops, "dry_run")
    await closed(studio)
    await ops.goto(f"{studio.live.url}/desk?view=numbers&days=1")
    await expect(ops.locator(".tile").first).to_be_visible()
    await studio.shoot(ops, "numbers")


async def closed(studio: Studio) -> None:
    """What 林静 has is answered, and rated."""
    for name, score in (("孙立", 5), ("李娜", 4), ("赵敏", 5)):
        asker = studio.askers[name]
        where = f"/v1/desk/threads/{asker.conversation_id}/resolve"
        await studio.floor.act(studio.floor.agents["林静"], where, {"resolution": "已处理"})
        await asker.rate(score)


async def dark_and_large(studio: Studio) -> None:
    zhao = studio.askers["赵敏"]
    options: dict[str, Any] = {"color_scheme": "dark", "device_scale_factor": 2}
    page = await studio.sit("林静", f"?c={zhao.conversation_id}", {"width": 720, "height": 450}, **options)
    await expect(page.locator(".said").first).to_be_visible()
    await studio.shoot(page, "dark_200")
    await page.context.close()
    dark = await studio.sit("林静", f"?c={zhao.conversation_id}", color_scheme="dark")
    await expect(dark.locator(".said").first).to_be_visible()
    await studio.shoot(dark, "dark")
    await dark.context.close()


async def phone(studio: Studio) -> None:
    """The page of a customer: in the line, and with an agent."""
    page = await studio.open(PHONE, has_touch=True, device_scale_factor=2)
    qian = studio.askers["沈阳"]
    await sign_in(page, f"{studio.live.url}/help?c={qian.conversation_id}", await phone_of(studio, qian.person))
    await expect(page.locator(".said").first).to_be_visible()
    await studio.shoot(page, "help_line")
    zhao = await studio.open(PHONE, has_touch=True, device_scale_factor=2)
    where = f"{studio.live.url}/help?c={studio.askers['赵敏'].conversation_id}"
    await sign_in(zhao, where, demo.customer_phone(1))
    await expect(zhao.locator(".said").first).to_be_visible()
    await studio.shoot(zhao, "help_talk")
    await zhao.goto(f"{studio.live.url}/help")
    await expect(zhao.locator(".bones")).to_have_count(0)
    await studio.shoot(zhao, "help_home")


async def phone_of(studio: Studio, person: Person) -> str:
    """The number somebody of the pictures signed in with."""
    return studio.floor.numbers[person.account_id]


async def town_map(studio: Studio) -> None:
    for n, (east, north) in enumerate(((0.004, 0.003), (-0.006, 0.002), (0.001, -0.005), (0.009, -0.002)), 3):
        await studio.town.technician(n, lon=demo.CENTRE.lon + east, lat=demo.CENTRE.lat + north)
    await studio.town.order(2, lon=demo.CENTRE.lon + 0.003, lat=demo.CENTRE.lat - 0.001)
    page = await studio.open()
    await sign_in(page, f"{studio.live.url}/map", OPS)
    await page.wait_for_selector(".connection.live")
    await studio.shoot(page, "map")


async def everything(studio: Studio) -> None:
    await people(studio)
    page = await talking(studio)
    await inbox(studio, page)
    await keyboard(studio, page)
    await dark_and_large(studio)
    await offline_and_collision(studio, page)
    await town_map(studio)
    await supervisor(studio)
    await phone(studio)


@asynccontextmanager
async def studio_at(out: Path, wanted: frozenset[str]) -> AsyncIterator[Studio]:
    with tempfile.TemporaryDirectory() as place, Live(Path(place), **SETTINGS) as live:
        async with aiohttp.ClientSession() as http, AsyncExitStack() as closing, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            api = Api(http, live.url)
            floor = Floor(live, api, admin=Person.of(live.tokens("admin", 1)[0]), ops=await Floor.signed_in(api, OPS))
            yield Studio(live, browser, floor, Town(live, api, closing), out, wanted)
            await browser.close()


async def shoot(out: Path, wanted: frozenset[str], scenes: Callable[[Studio], Awaitable[None]] = everything) -> None:
    out.mkdir(parents=True, exist_ok=True)
    async with studio_at(out, wanted) as studio:
        await scenes(studio)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pictures of the pages as people see them.")
    parser.add_argument("out", type=Path, help="where the pictures go")
    parser.add_argument("names", nargs="*", help="only these")
    given = parser.parse_args()
    asyncio.run(shoot(given.out, frozenset(given.names)))
