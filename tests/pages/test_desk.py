"""The support desk in real browsers over the real program: agents at the page, customers at their apps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from rest.lines.homeservice import demo
from tests.pages.conftest import OPS, Town, needs_browser
from tests.pages.floor import AXE, Asker, Floor, Seat

pytestmark = [needs_browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60, func_only=True)]

Sit = Callable[..., Awaitable[Seat]]

VIEWS = ("inbox", "queue", "tickets", "cases", "shifts", "numbers", "wall", "rules")


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def people(floor: Floor) -> None:
    """Ada answers, Lea leads; both are away until a test wants them."""
    await floor.agent("Ada")
    await floor.agent("Lea", roles=("support", "supervisor"), is_supervisor=True)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def nobody_left(floor: Floor) -> None:
    """Each test begins with an empty desk: what others left is resolved, and nobody is online."""
    lea = floor.agents["Lea"]
    for name in ("Ada", "Lea"):
        await floor.set_state(name, "offline")
    threads = await floor.api.get(lea, "/v1/desk/threads", state="queued,offered,open,pending", limit=100)
    for thread in threads["data"]:
        where = f"/v1/desk/threads/{thread['conversation_id']}"
        await floor.act(lea, f"{where}/take_over", {"note": "over"})
        await floor.act(lea, f"{where}/resolve", {"resolution": "over"})


async def serving(floor: Floor, sit: Sit, name: str, text: str) -> tuple[Seat, Asker]:
    """Ada at the page, with this customer's chat accepted and open."""
    asker = await floor.customer(name)
    seat = await sit(floor.phones["Ada"])
    await expect(seat.page.locator(".link")).to_contain_text("Live")
    await seat.page.get_by_label("My state").select_option("online")
    await asker.ask()
    await asker.say(text)
    await seat.accept(name)
    return seat, asker


async def test_a_chat_from_the_line_to_the_rating_through_two_hands(floor: Floor, sit: Sit) -> None:
    ada, ann = await serving(floor, sit, "Ann", "Where is my technician?")
    await expect(ada.said("Where is my technician?")).to_be_visible()
    await ada.say("I am looking.")
    await expect(ada.said("I am looking.").locator(".reach")).to_have_text("✓ Sent")
    assert await ann.hears() == ["Where is my technician?", "I am looking."]
    await ann.read()
    await expect(ada.said("I am looking.").locator(".reach")).to_contain_text("Read")

    lea = await sit(floor.phones["Lea"])
    await lea.page.get_by_label("My state").select_option("online")
    await ada.page.get_by_role("button", name="Transfer").click()
    dialog = ada.page.get_by_role("dialog")
    await dialog.get_by_label("To").select_option(label="Lea · Online · 0 / 5")
    await dialog.get_by_label("What the next one").fill("He has waited long.")
    await dialog.get_by_role("button", name="Transfer").click()
    await ada.do_now()
    await lea.accept("Ann")
    await expect(lea.page.locator(".said-note.is-internal")).to_contain_text("He has waited long.")
    await lea.say("Lea here, two minutes.")
    await expect(lea.said("Lea here, two minutes.").locator(".reach")).to_have_text("✓ Sent")
    assert (await ann.hears())[-1] == "Lea here, two minutes."
    assert "He has waited long." not in await ann.hears()

    await lea.page.locator(".log").focus()
    await lea.page.keyboard.press("e")
    await lea.page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    await expect(lea.page.locator(".talk-head")).to_contain_text("ending")
    assert (await ann.standing())["state"] == "pending", "until the time to take it back is over"
    await lea.do_now()
    await expect(lea.page.locator(".composer")).to_contain_text("It is resolved")
    await ann.rate(5)
    await expect(lea.page.locator(".talk-head")).to_contain_text("Closed")


async def test_what_is_written_offline_is_sent_once_when_the_link_is_back(floor: Floor, sit: Sit) -> None:
    ada, ann = await serving(floor, sit, "Ben", "Hello?")
    await ada.go_offline()
    await ada.say("First, from the lift.")
    await ada.say("Second, from the lift.")
    pending = ada.page.locator(".said.is-pending")
    await expect(pending).to_have_count(2)
    await expect(pending.first).to_contain_text("Waiting to be sent")
    await ann.say("Are you there?")
    await ada.go_online()
    await expect(pending).to_have_count(0)
    await expect(ada.said("Are you there?")).to_be_visible()
    assert (await ann.hears())[1:] == ["Are you there?", "First, from the lift.", "Second, from the lift."]
    await expect(ada.said("from the lift.")).to_have_count(2)


async def test_a_colleague_who_was_faster_is_seen_before_a_second_answer_goes_out(floor: Floor, sit: Sit) -> None:
    ada, cat = await serving(floor, sit, "Cat", "Can I get a refund?")
    await ada.go_offline()
    await ada.say("No, you cannot.")
    await floor.say("Lea", cat.conversation_id, "Yes, within a day.")
    await ada.go_online()
    dialog = ada.page.get_by_role("dialog", name="A colleague has answered")
    await expect(dialog).to_contain_text("Yes, within a day.")
    await expect(dialog).to_contain_text("No, you cannot.")
    assert await cat.hears() == ["Can I get a refund?", "Yes, within a day."]
    await dialog.get_by_role("button", name="Edit mine").click()
    await expect(ada.field).to_have_value("No, you cannot.")
    await ada.field.fill("As Lea says.")
    await ada.field.press("Enter")
    await expect(ada.said("As Lea says.").locator(".reach")).to_be_visible()
    assert await cat.hears() == ["Can I get a refund?", "Yes, within a day.", "As Lea says."]


async def test_enter_picks_a_word_of_the_input_method_and_sends_nothing(floor: Floor, sit: Sit) -> None:
    ada, dan = await serving(floor, sit, "Dan", "你好")
    await ada.field.focus()
    browser = await ada.page.context.new_cdp_session(ada.page)
    await browser.send("Input.imeSetComposition", {"text": "zai", "selectionStart": 3, "selectionEnd": 3})
    for code in (229, 13):
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": code}
        await browser.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
        await browser.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})
        assert "zai" in await ada.field.input_value(), "still being composed"
    await browser.send("Input.insertText", {"text": "在的"})
    await expect(ada.page.locator(".said.is-mine")).to_have_count(0)
    await ada.field.press("Enter")
    await expect(ada.page.locator(".said.is-mine")).to_have_count(1)
    assert (await dan.hears())[1:] == [await ada.said("在的").locator(".text").inner_text()]


async def test_the_desk_by_keys_alone(floor: Floor, sit: Sit) -> None:
    await floor.reply("greet", "Hello {{customer_name}}, {{agent_name}} here.")
    ada, eve = await serving(floor, sit, "Eve", "First of two")
    fay = await floor.customer("Fay")
    await fay.ask()
    await fay.say("Second of two")
    await ada.accept("Fay")
    page = ada.page
    title = page.locator(".talk-title h2")
    await page.locator(".log").focus()
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await expect(title).to_have_text("Fay")
    await expect(page.locator(".row.is-unread")).to_have_count(0)
    await eve.say("Something new")
    await expect(page.locator(".row.is-unread").filter(has_text="Something new")).to_be_visible()
    await page.keyboard.press("u")
    await expect(title).to_have_text("Eve")
    await expect(page.locator(".row.is-unread")).to_have_count(0)
    await page.keyboard.press("/")
    await expect(page.locator(".canned")).to_contain_text("/greet")
    await page.keyboard.type("/gre")
    await page.keyboard.press("Enter")
    await expect(ada.field).to_have_value("Hello Eve, Ada here.")
    await page.keyboard.press("j")
    await expect(ada.field).to_have_value("Hello Eve, Ada here.j")
    await ada.field.fill("")
    await page.locator(".log").focus()
    await page.keyboard.press("n")
    await expect(page.locator(".composer.is-note textarea")).to_be_focused()
    await page.keyboard.type("She is kind")
    await page.keyboard.press("Enter")
    await expect(ada.said("She is kind")).to_contain_text("hidden from the customer")
    assert "She is kind" not in await eve.hears()
    await page.locator(".log").focus()
    await page.keyboard.press("g")
    await page.keyboard.press("q")
    await expect(page.locator(".desk-bar h1")).to_have_text("Queues")
    await page.go_back()
    await expect(title).to_have_text("Eve")
    await page.keyboard.press("Control+k")
    await page.get_by_role("combobox", name="Customer, ticket").fill("Second of")
    await page.get_by_role("dialog").get_by_role("option").filter(has_text="Second of two").click()
    await expect(title).to_have_text("Fay")
    await page.keyboard.press("?")
    await page.get_by_label("Single keys are on").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("q")
    await expect(page.locator(".desk-bar h1")).to_have_text("Inbox")


async def test_what_is_put_aside_is_in_a_list_of_its_own_until_the_customer_writes(floor: Floor, sit: Sit) -> None:
    ada, sam = await serving(floor, sit, "Sam", "Is it done?")
    await ada.say("I ask the workshop.")
    await expect(ada.said("I ask the workshop.").locator(".reach")).to_have_text("✓ Sent")
    tablet = await sit(floor.phones["Ada"])
    row = tablet.page.locator(".row").filter(has_text="Sam")
    await expect(row).to_be_visible()
    await ada.page.locator(".log").focus()
    await ada.page.keyboard.press("s")
    dialog = ada.page.get_by_role("dialog", name="Later")
    await expect(dialog.get_by_label("In one hour")).to_be_checked()
    await dialog.get_by_label("Tomorrow, 9:00").check()
    await dialog.get_by_role("button", name="Later").click()
    await expect(dialog).to_have_count(0)
    await expect(row).to_have_count(0)
    await tablet.page.get_by_role("button", name="Later 1").click()
    await expect(row).to_contain_text("Aside until")
    await sam.say("And now?")
    await expect(row).to_have_count(0)
    await expect(ada.page.locator(".row").filter(has_text="And now?")).to_be_visible()
    await tablet.page.goto(f"{tablet.url}/desk?c={sam.conversation_id}")
    await tablet.page.get_by_role("button", name="Later", exact=True).click()
    soon = tablet.page.get_by_role("dialog")
    await expect(soon).to_contain_text("say a word first")
    await soon.get_by_label("At a chosen time").check()
    await expect(soon.get_by_role("button", name="Later")).to_be_disabled()
    await soon.get_by_label("Comes back at").fill("2031-01-01T09:00")
    await soon.get_by_role("button", name="Later").click()
    await expect(soon.get_by_role("alert")).to_contain_text("thirty days")


async def test_the_same_done_to_many_tickets_and_a_view_of_them_saved(floor: Floor, sit: Sit) -> None:
    askers = [await floor.customer(f"Tess {n}") for n in range(4)]
    for n, asker in enumerate(askers):
        await asker.ask("refund", kind="ticket", severity="high" if n else "normal")
        await asker.say("My money, please.")
    lea = await sit(floor.phones["Lea"], "?view=tickets&state=queued&kind=ticket")
    page = lea.page
    rows = page.locator(".tickets tbody tr")
    await expect(rows).to_have_count(4)
    await page.locator("#main").focus()
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("X")
    await expect(page.locator(".bulk-bar")).to_contain_text("3 selected")
    await rows.nth(3).get_by_role("checkbox").click(modifiers=["Shift"])
    await expect(page.locator(".bulk-bar")).to_contain_text("4 selected")
    await floor.act(floor.agents["Lea"], f"/v1/desk/threads/{askers[0].conversation_id}/take_over", {"note": "x"})
    await page.get_by_role("button", name="Resolve…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Resolution").fill("Refunded in full.")
    await dialog.get_by_role("button", name="Do it to 4").click()
    told = page.locator(".bulk-told")
    await expect(told).to_contain_text("1 done · 3 refused")
    await expect(told.locator("li").first).to_contain_text("TK")
    await expect(page.locator(".bulk-bar")).to_contain_text("3 selected")
    await page.get_by_role("button", name="Assign to me").click()
    await dialog.get_by_label("What the next one").fill("All mine.")
    await dialog.get_by_role("button", name="Do it to 3").click()
    await expect(told).to_contain_text("3 done")
    mine = await floor.api.get(floor.agents["Lea"], f"/v1/desk/threads/{askers[3].conversation_id}")
    assert (mine["state"], mine["assignee_id"]) == ("open", floor.agents["Lea"].account_id)
    assert (await askers[0].standing())["state"] == "resolved"

    await page.goto(f"{lea.url}/desk?view=tickets&state=open&severity=high")
    await page.get_by_role("button", name="Save this view").click()
    await dialog.get_by_label("Name").fill("Hot ones")
    await dialog.get_by_label("Share it").check()
    await dialog.get_by_role("button", name="Save").click()
    ada = await sit(floor.phones["Ada"], "?view=tickets")
    view = ada.page.get_by_role("button", name="Hot ones shared", exact=True)
    await view.click()
    await expect(view).to_have_attribute("aria-pressed", "true")
    await expect(ada.page).to_have_url(f"{ada.url}/desk?view=tickets&state=open&severity=high")
    await expect(ada.page.locator(".tickets tbody tr")).to_have_count(3)
    await expect(ada.page.get_by_role("button", name="Drop the view")).to_have_count(0)
    await page.get_by_role("button", name="Drop the view Hot ones").click()
    await expect(page.locator(".saved")).to_have_count(0)


async def test_boards_are_watched_again_after_a_cut(floor: Floor, sit: Sit) -> None:
    lea = await sit(floor.phones["Lea"], "?view=wall")
    waiting = lea.page.locator(".tile").filter(has_text="Waiting")
    await expect(waiting).to_contain_text("0")
    sent: list[str] = []
    lea.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    heard: list[str] = []
    lea.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(str(frame))))
    await lea.go_offline()
    await lea.go_online()
    asker = await floor.customer("Uma")
    await asker.ask()
    await expect(waiting).to_contain_text("1")
    for _ in range(50):
        if any("queue.board" in frame for frame in heard):
            break
        await asyncio.sleep(0.1)
    assert any('"watch"' in frame and '"board"' in frame for frame in sent)
    assert any("queue.board" in frame for frame in heard), "told by the hub, on the new connection"


LOOKS_AWAY = """
  window.rang = 0; window.noticed = []; window.isAway = false;
  Object.defineProperty(document, "hidden", {get: () => window.isAway});
  document.hasFocus = () => !window.isAway;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) { window.rang += 1; return start.call(this, at); };
  window.Notification = class { static permission = "default";
    static async requestPermission() { window.Notification.permission = "granted"; return "granted"; }
    constructor(title, options) { window.noticed.push([title, options.body]); } close() {} };
"""
"""A browser whose tab can be put out of sight, and that tells what it was asked to sound and show."""


async def noticed(page: Page, count: int) -> None:
    """Wait until the system was asked to show so many."""
    for _ in range(100):
        if await page.evaluate("noticed.length") == count:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(await page.evaluate("[rang, noticed]"))


async def test_who_looks_away_is_called_once_for_offers_and_messages(floor: Floor, sit: Sit) -> None:
    ada, vic = await serving(floor, sit, "Vic", "Hello")
    page = ada.page
    await page.add_init_script(LOOKS_AWAY)
    await page.reload()
    await expect(ada.said("Hello")).to_be_visible()
    await page.get_by_role("button", name="Alerts").click()
    dialog = page.get_by_role("dialog", name="Alerts")
    assert await page.evaluate("Notification.permission") == "default", "nobody has asked for it"
    await dialog.get_by_label("Desktop notifications").check()
    await page.keyboard.press("Escape")
    await vic.say("While you look")
    await expect(ada.said("While you look")).to_be_visible()
    assert await page.evaluate("[rang, noticed.length]") == [0, 0]

    await page.evaluate("isAway = true; localStorage.removeItem('fieldhub.desk.looked_at')")
    await vic.say("While you do not")
    await noticed(page, 1)
    assert await page.evaluate("noticed[0]") == ["Vic", "While you do not"]
    assert await page.evaluate("rang") == 2, "two tones"
    await expect(page).to_have_title(re.compile(r"^\(1\)"))
    await ada.page.get_by_label("My state").select_option("online")
    wes = await floor.customer("Wes")
    await wes.ask("refund")
    await noticed(page, 2)
    assert await page.evaluate("noticed[1]") == ["Wes asks for help", "Refund"]

    await page.evaluate("isAway = false")
    await page.get_by_role("button", name="Alerts").click()
    await dialog.get_by_label("Sound").uncheck()
    await dialog.get_by_label("Desktop notifications").uncheck()
    await page.keyboard.press("Escape")
    await page.evaluate("isAway = true; localStorage.removeItem('fieldhub.desk.looked_at')")
    await vic.say("Nobody hears this")
    await expect(page.locator(".row").filter(has_text="Nobody hears this")).to_be_visible()
    assert await page.evaluate("[rang, noticed.length]") == [4, 2]


async def test_a_draft_comes_back_after_a_reload_and_the_address_opens_the_same_thread(floor: Floor, sit: Sit) -> None:
    ada, gus = await serving(floor, sit, "Gus", "Hello")
    await ada.say("Hi Gus.")
    await ada.field.fill("I will check wh")
    await floor.until_draft("Ada", gus.conversation_id, "I will check wh")
    await ada.page.reload()
    await expect(ada.page.locator(".talk-title h2")).to_have_text("Gus")
    await expect(ada.field).to_have_value("I will check wh")


async def test_who_looks_and_who_writes_is_seen(floor: Floor, sit: Sit) -> None:
    ada, hal = await serving(floor, sit, "Hal", "Hello")
    lea = await sit(floor.phones["Lea"], f"?list=all&c={hal.conversation_id}")
    await expect(ada.page.locator(".seen")).to_contain_text("Lea looking")
    await expect(lea.page.locator(".composer")).to_be_visible()
    writing = asyncio.create_task(ada.field.press_sequentially("Let me have a look", delay=400))
    await expect(lea.page.locator(".typing")).to_contain_text("is writing")
    await writing
    await lea.page.get_by_role("button", name="Note", exact=True).click()
    await lea.say("Offer him a coupon.")
    await expect(ada.said("Offer him a coupon.")).to_contain_text("Lea")


async def test_pictures_are_shown_before_and_after_they_are_sent(floor: Floor, sit: Sit, tmp_path: Path) -> None:
    ada, ida = await serving(floor, sit, "Ida", "Show me")
    picture = await ada.page.locator(".desk-bar").screenshot(path=tmp_path / "bar.png")
    await ada.page.locator(".composer input[type=file]").set_input_files(
        {"name": "bar.png", "mimeType": "image/png", "buffer": picture}
    )
    await expect(ada.page.locator(".files img")).to_have_count(1)
    await ada.page.get_by_role("button", name="Send").click()
    shown = ada.page.locator(".said.is-mine .picture img")
    await expect(shown).to_be_visible()
    await expect(ada.page.locator(".said.is-pending")).to_have_count(0)
    await expect(shown).to_have_js_property("complete", True)
    assert await shown.evaluate("(image) => image.naturalWidth") > 100
    page = await floor.api.get(ida.person, f"/v1/conversations/{ida.conversation_id}/messages")
    assert page["data"][0]["kind"] == "image"


async def test_a_case_is_decided_after_its_amounts_were_looked_at(floor: Floor, sit: Sit, town: Town) -> None:
    technician = await town.technician(2)
    order = await town.order(1)
    await technician.grab(order)
    await town.choose(order)
    await floor.act(order["person"], f"/v1/orders/{order['id']}/pay", {"method": "wallet"})
    await floor.act(order["person"], f"/v1/orders/{order['id']}/cancel", {"reason": "I am ill."})
    ada = await sit(floor.phones["Ada"], "?view=cases")
    await ada.page.get_by_role("button", name="The customer wants to cancel").click()
    side = ada.page.get_by_role("complementary", name="Case")
    await side.get_by_role("button", name="Take it").click()
    await expect(side).to_contain_text("Me is on it")
    await side.get_by_role("button", name="Not kept").click()
    dialog = ada.page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill("Ill, with a certificate.")
    await dialog.get_by_role("button", name="Look at the amounts").click()
    paid = (await floor.api.get(order["person"], f"/v1/orders/{order['id']}"))["price"]["paid"]["amount"]
    await expect(dialog.locator(".preview")).to_contain_text(f"{paid / 100:,.2f}")
    assert (await floor.api.get(order["person"], f"/v1/orders/{order['id']}"))["status"] == "cancel_requested"
    await dialog.get_by_role("button", name="Confirm the amounts").click()
    await expect(side.get_by_role("button", name="Not kept")).to_have_count(0)
    await expect(side).to_contain_text("Not kept: cancel")
    after = await floor.api.get(order["person"], f"/v1/orders/{order['id']}")
    assert (after["status"], after["price"]["refunded"]["amount"]) == ("cancelled", paid)


async def test_a_dry_run_says_who_and_why_and_hours_say_when(floor: Floor, sit: Sit) -> None:
    await floor.set_state("Ada", "online")
    oli = await sit(OPS, "?view=rules")
    await oli.page.get_by_role("button", name="Try").click()
    await expect(oli.page.locator(".verdict")).to_have_text("Ada would get it")
    lea = oli.page.get_by_role("row").filter(has=oli.page.get_by_role("rowheader", name="Lea"))
    await expect(lea).to_contain_text("offline")
    night = await floor.calendar("Nights", [[[1320, 1800]]] * 7, {"2026-01-01": []})
    await floor.agent("Nat", calendar_id=night)
    await oli.page.goto(f"{oli.url}/desk?view=shifts")
    nights = oli.page.locator(".board").filter(has_text="Nights")
    await expect(nights).to_contain_text("22:00–06:00 next day")
    await expect(nights.locator(".week-bar i.is-over")).to_have_count(6)
    await nights.get_by_text("Days that differ").click()
    await expect(nights).to_contain_text("2026-01-01 closed")


async def test_numbers_stand_beside_how_many_they_are_of(floor: Floor, sit: Sit) -> None:
    oli = await sit(OPS, "?view=numbers&days=1")
    tiles = oli.page.locator(".tile")
    await expect(tiles.filter(has_text="Median wait")).to_contain_text("n =")
    await expect(tiles.filter(has_text="Score")).to_contain_text("n =")


async def test_who_may_not_is_told_so(floor: Floor, sit: Sit) -> None:
    nobody = await sit(demo.customer_phone(4))
    await expect(nobody.page.get_by_role("heading", name="No access")).to_be_visible()
    ada = await sit(floor.phones["Ada"], "?view=numbers")
    await expect(ada.page.get_by_role("heading", name="No access")).to_be_visible()


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core (npm ci)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_keeps_anybody_out(floor: Floor, sit: Sit, scheme: str) -> None:
    asker = await floor.customer("Jon")
    await asker.ask("complaint", severity="high")
    await asker.say("This is **bad** https://example.com/a?b=1")
    lea = await sit(floor.phones["Lea"], f"?list=all&c={asker.conversation_id}", color_scheme=scheme)
    await expect(lea.said("This is")).to_be_visible()
    await lea.page.evaluate(AXE.read_text())
    found = {}
    for view in VIEWS if scheme == "light" else ("inbox", "wall"):
        if view != "inbox":
            await lea.page.locator(f".rail a[href$='view={view}']").click()
            await expect(lea.page.locator(f".view-{view} > :not(.bones)").first).to_be_visible()
        found[view] = await lea.axe_faults()
    await lea.page.keyboard.press("?")
    found["help"] = await lea.axe_faults()
    await lea.page.keyboard.press("Escape")
    await lea.page.keyboard.press("Control+k")
    found["palette"] = await lea.axe_faults()
    await lea.page.keyboard.press("Escape")
    await lea.page.get_by_role("button", name="Alerts").click()
    found["alerts"] = await lea.axe_faults()
    await lea.page.keyboard.press("Escape")
    await lea.page.goto(f"{lea.url}/desk?view=tickets&kind=both")
    await lea.page.get_by_role("checkbox", name="Select all").check()
    await lea.page.evaluate(AXE.read_text())
    found["bulk"] = await lea.axe_faults()
    await lea.page.get_by_role("button", name="Assign to…").click()
    found["bulk dialog"] = await lea.axe_faults()
    assert {view: faults for view, faults in found.items() if faults} == {}


@pytest.mark.parametrize("size", [(320, 640), (720, 450)], ids=["phone", "zoom200"])
async def test_nothing_has_to_be_scrolled_sideways(floor: Floor, sit: Sit, size: tuple[int, int]) -> None:
    asker = await floor.customer("Kim")
    await asker.ask()
    await asker.say("averyveryverylongwordthatdoesnotendanywhere" * 3)
    viewport = {"width": size[0], "height": size[1]}
    lea = await sit(floor.phones["Lea"], f"?list=all&c={asker.conversation_id}", viewport=viewport, locale="zh-CN")
    await expect(lea.said("averyvery")).to_be_visible()
    wide = {}
    for view in VIEWS:
        if view != "inbox":
            await lea.page.goto(f"{lea.url}/desk?view={view}")
            await expect(lea.page.locator(f".view-{view} > :not(.bones)").first).to_be_visible()
        wide[view] = await lea.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert {view: over for view, over in wide.items() if over > 0} == {}


async def test_an_offer_shows_what_was_asked_also_when_it_is_asked_after_it(floor: Floor, sit: Sit) -> None:
    """Before he says yes an agent sees what he says yes to."""
    ada = await sit(floor.phones["Ada"])
    await expect(ada.page.locator(".link")).to_contain_text("Live")
    await ada.page.get_by_label("My state").select_option("online")
    eve = await floor.customer("Eve")
    await eve.ask()
    card = ada.page.locator(".offer").filter(has_text="Eve")
    await expect(card).to_be_visible()
    await eve.say("My shower drips")
    await expect(card).to_contain_text("My shower drips")
