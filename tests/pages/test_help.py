"""The help page in real browsers over the real program: customers at the page, agents at their sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import socketio
from playwright.async_api import Browser, BrowserContext, expect

from rest.lines.homeservice import demo
from tests.live import Live
from tests.pages.conftest import Town, _note, needs_browser
from tests.pages.floor import AXE, Asker, Floor, Seat, key

pytestmark = [needs_browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
WEIGHT_MAX = 150_000
"""Bytes on the wire until the page works, with an empty cache."""


@dataclass
class Agent:
    """Somebody of the desk at a socket: `thread = await ada.accept()`."""

    name: str
    socket: socketio.AsyncClient
    offers: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    async def ask(self, verb: str, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.socket.call(verb, body, namespace="/desk", timeout=10)
        assert "error" not in answer, answer
        return answer

    async def accept(self) -> str:
        """Take the next offer; its conversation."""
        offer = await asyncio.wait_for(self.offers.get(), 10)
        await self.ask("accept", assignment_id=offer["assignment_id"])
        return str(offer["conversation_id"])

    async def say(self, conversation_id: str, text: str) -> None:
        await self.ask("say", conversation_id=conversation_id, client_id=key(), text=text)


@dataclass
class Visitor(Seat):
    """Somebody at the help page."""

    async def sign_in(self, phone: str, where: str = "") -> None:
        await self.page.goto(f"{self.url}/help{where}")
        await self.page.locator("input[type=tel]").fill(phone)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("input.code")).to_have_value(re.compile(r"^\d{6}$"))
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator(".link:visible")).to_contain_text(re.compile("Live|实时"))

    @property
    def standing(self) -> Any:
        return self.page.locator(".standing")

    @property
    def conversation_id(self) -> str:
        found = re.search(r"[?&]c=(\w+)", self.page.url)
        assert found, self.page.url
        return found[1]

    async def ask(self, topic: str, text: str, button: str = "Start chat") -> str:
        """From home into the conversation; its id."""
        await self.page.get_by_role("button", name="Contact support").click()
        await self.page.get_by_label(topic, exact=True).check()
        await self.page.get_by_label("Describe your question").fill(text)
        await self.page.get_by_role("button", name=button).click()
        await expect(self.said(text).locator(".reach")).to_be_visible()
        return self.conversation_id


Visit = Callable[..., Awaitable[Visitor]]
Come = Callable[[str], Awaitable[Agent]]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def people(floor: Floor) -> None:
    await floor.agent("Amy")
    await floor.agent("Tom")
    await floor.agent("Sue", roles=("support", "supervisor"), is_supervisor=True)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def nobody_left(floor: Floor) -> None:
    """Each test begins with an empty desk: what others left is resolved, and nobody is online."""
    sue = floor.agents["Sue"]
    for name in ("Amy", "Tom", "Sue"):
        await floor.set_state(name, "offline")
    threads = await floor.api.get(sue, "/v1/desk/threads", state="queued,offered,open,pending", limit=100)
    for thread in threads["data"]:
        where = f"/v1/desk/threads/{thread['conversation_id']}"
        await floor.act(sue, f"{where}/take_over", {"note": "over"})
        await floor.act(sue, f"{where}/resolve", {"resolution": "over"})


@pytest_asyncio.fixture(loop_scope="session")
async def visit(live: Live, browser: Browser) -> AsyncIterator[Visit]:
    """`ann = await visit(phone, "?ask=new")`: at the page; nothing is wrong in any console."""
    open_now: list[tuple[BrowserContext, list[str]]] = []

    async def make(phone: str | None, where: str = "", **options: Any) -> Visitor:
        context = await browser.new_context(**{**PHONE, "locale": "en-GB", **options})
        context.set_default_timeout(10_000)
        page = await context.new_page()
        faults: list[str] = []
        page.on("console", lambda message: _note(faults, message))
        page.on("pageerror", lambda error: faults.append(str(error)))
        open_now.append((context, faults))
        visitor = Visitor(live.url, page, faults)
        if phone is None:
            await page.goto(f"{live.url}/help{where}")
        else:
            await visitor.sign_in(phone, where)
        return visitor

    yield make
    for context, _ in open_now:
        await context.close()
    assert [fault for _, faults in open_now for fault in faults] == []


@pytest_asyncio.fixture(loop_scope="session")
async def come(floor: Floor) -> AsyncIterator[Come]:
    """`amy = await come("Amy")`: present at a socket and online."""
    async with AsyncExitStack() as leaving:

        async def make(name: str) -> Agent:
            agent = Agent(name, socketio.AsyncClient())
            agent.socket.on("thread.offered", agent.offers.put, namespace="/desk")
            await agent.socket.connect(
                floor.live.url, namespaces=["/desk"], auth={"token": floor.agents[name].access_token},
                transports=["websocket"],
            )  # fmt: skip
            leaving.push_async_callback(agent.socket.disconnect)
            await agent.ask("set_state", state="online")
            return agent

        yield make


_PHONES = iter(range(60_000, 61_000))


def somebody() -> str:
    """The phone of a customer nobody knows yet."""
    return f"+86136000{next(_PHONES):05d}"


async def test_a_question_from_the_line_to_the_stars(floor: Floor, visit: Visit, come: Come) -> None:
    bob = await floor.customer("Bob")
    await bob.ask()
    ann = await visit(phone := somebody())
    where = await ann.ask("Refund", "Where is my money?")
    await expect(ann.standing).to_contain_text("You are number 2 in line")
    await expect(ann.standing.get_by_role("status")).to_contain_text("cannot tell yet")
    reading = f"{ann.url}/v1/support/{where}"
    await ann.page.route(reading, lambda route: route.abort())
    await floor.act(bob.person, f"/v1/support/{bob.conversation_id}/withdraw")
    await expect(ann.standing).to_contain_text("You are next")  # told live: it cannot be read
    await ann.page.unroute(reading)

    amy = await come("Amy")
    assert await amy.accept() == where
    await expect(ann.standing).to_contain_text("Amy of support is with you")
    await amy.ask("typing", conversation_id=where)
    await expect(ann.page.locator(".typing")).to_contain_text("Agent is writing")
    await amy.say(where, "It comes tomorrow.")
    await expect(ann.said("It comes tomorrow.")).to_contain_text("Agent Amy")
    await expect(ann.page.locator(".typing")).to_have_text("")
    await amy.ask("read", conversation_id=where, read_seq=1, delivered_seq=1)
    await expect(ann.said("Where is my money?").locator(".reach")).to_contain_text("Read")

    await amy.ask("resolve", conversation_id=where)
    await ann.page.get_by_label("4 stars, Good").check()
    await ann.page.get_by_label("Friendly").check()
    await ann.page.get_by_label("Anything else?").fill("A little slow")
    await ann.page.get_by_role("button", name="Send", exact=True).first.click()
    await expect(ann.page.locator(".survey")).to_contain_text("Thank you!")
    given = await floor.api.get(await floor.sign_in(phone), f"/v1/support/{where}/rating")
    assert (given["score"], given["tags"], given["comment"]) == (4, ["kind"], "A little slow")
    await expect(ann.standing).to_contain_text("This conversation is over")
    await expect(ann.page.locator(".composer")).to_contain_text("Reopen it")
    await ann.page.get_by_role("button", name="Reopen").click()
    await expect(ann.field).to_be_visible()
    await expect(ann.standing).to_contain_text(re.compile("You are next|Passing you on|Connecting"))


async def test_what_is_written_offline_arrives_once_and_what_was_missed_is_seen(
    floor: Floor, visit: Visit, come: Come
) -> None:
    amy = await come("Amy")
    ann = await visit(phone := somebody())
    where = await ann.ask("Order and service", "Hello?")
    await amy.accept()
    await ann.go_offline()
    await expect(ann.page.locator(".away")).to_contain_text("kept and sent")
    await ann.say("From the lift.")
    pending = ann.page.locator(".said.is-pending")
    await expect(pending).to_contain_text("Waiting to be sent")
    await amy.say(where, "Are you there?")
    await ann.go_online()
    await expect(pending).to_have_count(0)
    await expect(ann.said("Are you there?")).to_be_visible()
    await expect(ann.said("From the lift.")).to_have_count(1)
    told = Asker(floor.api, await floor.sign_in(phone), where)
    assert await told.hears() == ["Hello?", "Are you there?", "From the lift."]
    await expect(ann.field).to_be_focused()


async def test_who_is_back_is_connected_at_once_however_long_he_was_away(visit: Visit) -> None:
    """The client's next try may be seconds away by then."""
    ann = await visit(somebody())
    await ann.ask("Something else", "hello")
    await ann.go_offline()
    async with asyncio.timeout(60):
        while sum("WebSocket connection" in fault for fault in ann.faults) < 5:
            await asyncio.sleep(0.05)
    ann.faults.clear()  # from the last try on there are seconds of waiting
    await ann.page.context.set_offline(False)
    await expect(ann.page.locator(".link:visible")).to_contain_text("Live", timeout=2_000)


async def test_a_document_is_sent_under_its_name_and_comes_back_as_it_was(visit: Visit) -> None:
    ann = await visit(somebody())
    await ann.ask("Something else", "hello")
    content = b"%PDF-1.7 a receipt"
    receipt: Any = {"name": "发票 1.pdf", "mimeType": "application/pdf", "buffer": content}
    await ann.page.locator(".composer input[type=file]").set_input_files(receipt)
    await expect(ann.page.locator(".files .name")).to_have_text("发票 1.pdf")
    await ann.field.press("Enter")
    link = ann.page.locator(".said a.file[href]")
    await expect(link).to_contain_text("发票 1.pdf")
    async with ann.page.expect_download() as coming:
        await link.click()
    download = await coming.value
    assert download.suggested_filename == "发票 1.pdf"
    assert (await download.path()).read_bytes() == content


async def test_enter_picks_a_word_of_the_input_method_and_sends_nothing(visit: Visit) -> None:
    ann = await visit(somebody())
    await ann.ask("Something else", "hello")
    await ann.field.focus()
    browser = await ann.page.context.new_cdp_session(ann.page)
    await browser.send("Input.imeSetComposition", {"text": "zai", "selectionStart": 3, "selectionEnd": 3})
    for code in (229, 13):
        pressed = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": code}
        await browser.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **pressed})
        await browser.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})
        assert "zai" in await ann.field.input_value(), "still being composed"
    await browser.send("Input.insertText", {"text": "在的"})
    await expect(ann.page.locator(".said.is-mine")).to_have_count(1)
    await ann.field.press("Enter")
    await expect(ann.page.locator(".said.is-mine")).to_have_count(2)


async def test_who_takes_over_is_named_and_so_are_both_writers(floor: Floor, visit: Visit, come: Come) -> None:
    amy = await come("Amy")
    ann = await visit(somebody())
    where = await ann.ask("Complaint or idea", "This is not right")
    await amy.accept()
    await amy.say(where, "I pass you on.")
    await expect(ann.said("I pass you on.")).to_contain_text("Agent Amy")
    tom = await come("Tom")
    await amy.ask("transfer", conversation_id=where, note="secret", agent_id=floor.agents["Tom"].account_id)
    await tom.accept()
    await expect(ann.standing).to_contain_text("Tom of support has taken over")
    await tom.say(where, "Tom here.")
    await expect(ann.said("Tom here.")).to_contain_text("Agent Tom")
    await expect(ann.said("I pass you on.")).to_contain_text("Agent Amy")
    await expect(ann.page.locator("body")).not_to_contain_text("secret")


async def test_a_chat_becomes_a_ticket_and_is_taken_back(visit: Visit) -> None:
    ann = await visit(somebody())
    where = await ann.ask("Coupon", "It does not work")
    await ann.page.get_by_role("button", name="Leave a message").click()
    await expect(ann.standing).to_contain_text(re.compile(r"Ticket TK\d+"))
    await ann.page.get_by_role("button", name="No longer needed").click()
    dialog = ann.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(ann.page.get_by_role("button", name="No longer needed")).to_be_focused()
    await ann.page.get_by_role("button", name="No longer needed").click()
    await dialog.get_by_role("button", name="End it").click()
    await expect(ann.standing).to_contain_text("This conversation is over")
    await ann.page.go_back()
    row = ann.page.locator(f"#row-{where}")
    await expect(row).to_contain_text("Over")
    await expect(row).to_be_focused()
    await ann.page.go_forward()
    await expect(ann.page.get_by_role("heading", name="Coupon")).to_be_visible()
    await ann.page.reload()
    await expect(ann.said("It does not work")).to_be_visible()


async def test_out_of_hours_it_says_when_people_are_back(floor: Floor, visit: Visit) -> None:
    opens = (datetime.now(UTC) + timedelta(days=2)).date()
    shut = await floor.calendar("Shut", [[]] * 7, {opens.isoformat(): [[540, 1080]]})
    night = (await floor.act(floor.ops, "/v1/admin/desk/queues", {"name": "night", "calendar_id": shut}))["id"]
    everything = {"name": "all", "queue_id": floor.queue_id}
    await floor.rules([{"name": "night", "queue_id": night, "when": {"categories": ["account"]}}, everything])
    try:
        ann = await visit(somebody(), timezone_id="Asia/Shanghai")
        await ann.ask("Account", "I cannot sign in")
    finally:
        await floor.rules([everything])
    await expect(ann.standing).to_contain_text("We are closed now")
    await expect(ann.standing).to_contain_text(re.compile(rf"{opens:%B} {opens.day}\b|\b{opens.day} {opens:%B}"))
    await expect(ann.standing).to_contain_text("09:00")


async def test_an_order_is_picked_shown_and_help_is_called_for_it(floor: Floor, visit: Visit, town: Town) -> None:
    technician = await town.technician(3)
    order = await town.order(3)
    await technician.grab(order)
    await town.choose(order)
    await town.api.post(order["person"], f"/v1/orders/{order['id']}/pay", {"method": "wallet"}, key=key())
    ann = await visit(demo.customer_phone(3))
    await ann.page.get_by_role("button", name="Contact support").click()
    await ann.page.locator(".picks label").nth(1).get_by_role("radio").check()
    await ann.page.get_by_label("Describe your question").fill("Is he coming?")
    await ann.page.get_by_role("button", name="Start chat").click()
    await expect(ann.page.locator(".said .order-card")).to_contain_text(order["no"])
    await expect(ann.said("Is he coming?").locator(".reach")).to_be_visible()
    assert await ann.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "its name is long"
    thread = await floor.api.get(floor.agents["Sue"], f"/v1/desk/threads/{ann.conversation_id}")
    assert (thread["subject_kind"], thread["subject_id"]) == ("order", order["id"])

    await ann.page.get_by_role("button", name="Back", exact=True).click()
    await ann.page.get_by_role("button", name="Call for help").click()
    dialog = ann.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Call for help").click()
    await expect(ann.page.locator(".urgent")).to_contain_text("All of support has been told")
    cases = await floor.api.get(floor.agents["Sue"], "/v1/admin/cases", limit=50)
    assert ("safety", order["id"]) in [(case["type"], case["subject_id"]) for case in cases["data"]]


async def test_a_link_lets_one_rate_without_signing_in(floor: Floor, visit: Visit, come: Come) -> None:
    amy = await come("Amy")
    bob = await floor.customer("Bob")
    await bob.ask()
    await amy.accept()
    await amy.ask("resolve", conversation_id=bob.conversation_id)
    asked = await floor.api.get(bob.person, f"/v1/support/{bob.conversation_id}/rating")
    ann = await visit(None, f"?rate={asked['token']}")
    await ann.page.get_by_label("2 stars, Poor").check()
    await ann.page.get_by_label("Too slow").check()
    await ann.page.get_by_role("button", name="Send", exact=True).click()
    await expect(ann.page.locator(".survey")).to_contain_text("Thank you!")
    given = await floor.api.get(bob.person, f"/v1/support/{bob.conversation_id}/rating")
    assert (given["score"], given["tags"]) == (2, ["slow"])
    await ann.page.goto(f"{ann.url}/help?rate={asked['token'][:-3]}abc")
    await ann.page.get_by_label("5 stars").check()
    await ann.page.get_by_role("button", name="Send", exact=True).click()
    await expect(ann.page.get_by_role("alert")).to_contain_text("This link is not valid")


async def test_a_page_without_a_server_says_so_and_comes_back(visit: Visit) -> None:
    ann = await visit(somebody(), "?c=cnv_of_somebody_else")
    await expect(ann.page.locator(".thread").get_by_role("alert")).to_contain_text("Could not be read")
    await ann.page.get_by_role("button", name="Back", exact=True).click()
    await expect(ann.page.locator(".mine")).to_contain_text("No conversations yet")
    await ann.go_offline()
    await ann.page.get_by_role("button", name="Contact support").click()
    await ann.page.get_by_role("button", name="Start chat").click()
    await expect(ann.page.locator(".ask").get_by_role("alert")).to_contain_text("write down your question")
    await ann.page.get_by_label("Describe your question").fill("Hello?")
    await ann.page.get_by_role("button", name="Start chat").click()
    await expect(ann.page.locator(".ask").get_by_role("alert")).to_contain_text("cannot be reached")
    await ann.go_online()
    await ann.page.get_by_role("button", name="Start chat").click()
    await expect(ann.said("Hello?").locator(".reach")).to_be_visible()


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core (npm ci)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_keeps_anybody_out(visit: Visit, come: Come, scheme: str) -> None:
    amy = await come("Amy")
    found = {}
    ann = await visit(None, color_scheme=scheme)
    await expect(ann.page.locator(".signin")).to_be_visible()
    await ann.page.evaluate(AXE.read_text())
    found["signin"] = await faults_of(ann)
    await ann.sign_in(somebody())
    await ann.page.evaluate(AXE.read_text())
    found["empty"] = await faults_of(ann)
    await ann.page.get_by_role("button", name="Contact support").click()
    found["ask"] = await faults_of(ann)
    await ann.page.go_back()
    where = await ann.ask("Refund", "See https://example.com/a?b=1")
    found["waiting"] = await faults_of(ann)
    await amy.accept()
    await amy.say(where, "I see.")
    await expect(ann.said("I see.")).to_be_visible()
    found["thread"] = await faults_of(ann)
    await amy.ask("resolve", conversation_id=where)
    await ann.page.get_by_label("5 stars").check()
    found["rating"] = await faults_of(ann)
    await ann.page.go_back()
    await expect(ann.page.locator(".help-row")).to_be_visible()
    found["home"] = await faults_of(ann)
    assert {view: faults for view, faults in found.items() if faults} == {}


async def faults_of(visitor: Visitor) -> list[str]:
    """What axe-core calls serious or critical, and what is pressed on a phone but smaller than a fingertip."""
    small = """[...document.querySelectorAll('button, .help-row, .view-head a, .stars label')]
      .filter((one) => one.checkVisibility() && !one.closest('.said-actions'))
      .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
      .filter(([, {width, height}]) => width < 44 || height < 44)
      .map(([html, {width, height}]) => `small: ${html} ${width}×${height}`)"""
    return [*await visitor.axe_faults(), *await visitor.page.evaluate(small)]


@pytest.mark.parametrize("size", [(320, 640), (640, 400)], ids=["phone", "zoom200"])
async def test_nothing_has_to_be_scrolled_sideways(floor: Floor, visit: Visit, size: tuple[int, int]) -> None:
    asker = await floor.customer("Kim", phone := somebody())
    await asker.ask("complaint")
    await asker.say("averyveryverylongwordthatdoesnotendanywhere" * 3)
    viewport = {"width": size[0], "height": size[1]}
    ann = await visit(phone, f"?c={asker.conversation_id}", viewport=viewport, locale="zh-CN")
    wide = {}
    for view, sign in (
        (ann.page.url, ".said"),
        (f"{ann.url}/help", ".help-row"),
        (f"{ann.url}/help?ask=new", ".words"),
    ):
        await ann.page.goto(view)
        await expect(ann.page.locator(sign).first).to_be_visible()
        wide[sign] = await ann.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert {sign: over for sign, over in wide.items() if over > 0} == {}


async def test_the_page_is_light(visit: Visit) -> None:
    ann = await visit(None)
    await expect(ann.page.locator(".signin")).to_be_visible()
    weigh = """performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
      .map(({name, transferSize}) => [name, transferSize])"""
    weights = dict(await ann.page.evaluate(weigh))
    assert not [name for name in weights if "leaflet" in name]
    assert sum(weights.values()) <= WEIGHT_MAX, weights
    assert len(weights) > 20


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100"
    "c9fe92ef0000000049454e44ae426082"
)
"""A picture of one point."""


async def test_help_is_read_and_searched_and_feedback_is_answered(floor: Floor, visit: Visit) -> None:
    now = datetime.now(UTC)
    announced = {
        "title": {"zh-CN": "今晚维护", "en": "We rest tonight"},
        "body": {"zh-CN": "两点", "en": "At two.\n\nBack at three."},
        "audiences": ["customers"], "begins_at": (now - timedelta(hours=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    await floor.act(floor.ops, "/v1/admin/announcements", announced)
    for zh, en in (("退款", "How do I get a refund?"), ("发票", "Where is my invoice?")):
        document = {"category": "money", "title": {"zh-CN": zh, "en": en}, "body": {"zh-CN": zh, "en": f"{en} Here."}}
        await floor.act(floor.ops, "/v1/admin/help_documents", document)
    ann = await visit(somebody())
    await expect(ann.page.locator(".news")).to_contain_text("Back at three.")
    questions = ann.page.locator(".guide summary")
    await expect(questions).to_have_count(2)
    await ann.page.get_by_label("Search the help").fill("REFUND")
    await expect(questions).to_have_text(["How do I get a refund?"])
    await questions.click()
    await expect(ann.page.locator(".guide details p")).to_be_visible()
    await ann.page.get_by_label("Search the help").fill("nothing like this")
    await expect(ann.page.locator(".guide")).to_contain_text("Nothing found")
    await ann.page.evaluate(AXE.read_text())
    assert await faults_of(ann) == []

    await ann.page.get_by_role("button", name="Give feedback").click()
    await ann.page.get_by_role("button", name="Send feedback").click()
    await expect(ann.page.get_by_role("alert").filter(has_text="write something")).to_be_visible()
    await ann.page.get_by_label("Praise").check()
    await ann.page.get_by_label("Tell us").fill("Very kind people.")
    file: Any = {"name": "a.png", "mimeType": "image/png", "buffer": PIXEL}
    await ann.page.get_by_label("Pictures").set_input_files([file])
    await ann.page.get_by_role("button", name="Send feedback").click()
    before = ann.page.locator(".said-before li")
    await expect(before).to_contain_text("Very kind people.")
    await expect(before).to_contain_text("Received")
    assert await faults_of(ann) == []

    (said,) = (await floor.api.get(floor.ops, "/v1/admin/feedback", kind="praise"))["data"]
    assert len(said["file_ids"]) == 1
    headers = {"Authorization": f"Bearer {await floor.api.token(floor.ops)}", "If-Match": '"v1"'}
    handled, answered = f"/v1/admin/feedback/{said['id']}/handle", {"verb": "answer", "reply": "Thank you."}
    async with floor.api.http.post(floor.live.url + handled, json=answered, headers=headers) as answer:
        assert answer.status == 200
    await ann.page.reload()
    await expect(before).to_contain_text("Thank you.")
    await expect(before).to_contain_text("Answered")
