"""The log of a conversation, asked in the browser it runs in: whatever order messages come in, it reads the same."""

from __future__ import annotations

import random
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from rest.pages.assets import load_assets
from tests.live import Live
from tests.pages.conftest import needs_browser
from tests.pages.test_modules import run

pytestmark = [needs_browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(live: Live, browser: Browser) -> Any:
    context = await browser.new_context(locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{live.url}/desk")
    yield page
    await context.close()


def said(seq: int, prev_seq: int, **more: Any) -> dict[str, Any]:
    """A message as the server tells it."""
    head = {"conversation_id": "con_1", "message_seq": seq, "prev_seq": prev_seq, "sender_id": "acc_1"}
    rest = {"sender_role": "customer", "client_id": f"c-{seq:08d}", "said_at": "2026-01-05T02:00:00Z"}
    return {**head, **rest, **({"kind": "text", "text": f"m{seq}"} | more)}


HEARD = """
const log = it.makeLog('con_1', { countsAll: value.countsAll });
it.beginLog(log, [], false);
const holes = [];
for (const given of value.told) holes.push(it.addHeard(log, it.shapeMessage(given)));
const shown = log.order.map((seq) => log.messages.get(seq).text);
"""


@pytest.mark.parametrize("seed", range(4))
async def test_messages_in_any_order_and_twice_are_one_log_without_holes(page: Page, seed: int) -> None:
    told = [said(seq, seq - 1) for seq in range(1, 21)]
    told += [{**said(21, 20), "kind": None, "target_seq": 3, "text": "better"}]
    told = [{name: value for name, value in one.items() if value is not None} for one in told]
    mixed = told + told[:7]
    random.Random(seed).shuffle(mixed)
    body = HEARD + "return [shown, log.have, it.hasHole(log)];"
    shown, have, has_hole = await run(page, "chat/log.js", body, {"told": mixed, "countsAll": True})
    assert shown == ["m1", "m2", "better", *(f"m{seq}" for seq in range(4, 21))]
    assert (have, has_hole) == (21, False)


async def test_what_comes_behind_a_hole_waits_until_it_is_filled(page: Page) -> None:
    body = (
        HEARD
        + """
        const before = [shown, it.hasHole(log)];
        it.addMissed(log, value.missed.map(it.shapeMessage), 4);
        return [before, log.order.map((seq) => log.messages.get(seq).text), it.hasHole(log)];"""
    )
    value = {"told": [said(1, 0), said(4, 3)], "missed": [said(2, 1), said(3, 2)], "countsAll": True}
    before, after, has_hole = await run(page, "chat/log.js", body, value)
    assert before == [["m1"], True]
    assert (after, has_hole) == (["m1", "m2", "m3", "m4"], False)


async def test_who_never_sees_notes_misses_nothing_when_they_take_a_place(page: Page) -> None:
    """Places 2 and 3 were notes: for a customer message 4 follows message 1."""
    told = [said(1, 0), said(4, 1)]
    body = HEARD + "return [shown, holes];"
    assert await run(page, "chat/log.js", body, {"told": told, "countsAll": False}) == [["m1", "m4"], [False, False]]
    assert await run(page, "chat/log.js", body, {"told": told, "countsAll": True}) == [["m1"], [False, True]]


async def test_a_recalled_message_is_empty_and_stays_so(page: Page) -> None:
    recall = {**said(2, 1), "kind": "recall", "target_seq": 1, "text": ""}
    edit = {**said(3, 2), "kind": "edit", "target_seq": 1, "text": "again"}
    body = HEARD + "return [shown, Boolean(log.messages.get(1).recalled_at)];"
    told = {"told": [said(1, 0), recall, edit], "countsAll": True}
    assert await run(page, "chat/log.js", body, told) == [[""], True]


async def test_only_so_many_messages_are_drawn_however_long_it_is(page: Page) -> None:
    body = """
        const { html, render } = await import(value.ui);
        const { Thread } = await import(value.thread);
        const log = it.makeLog('con_1', { countsAll: true });
        it.beginLog(log, value.told.map(it.shapeMessage), true);
        const talks = { me: 'acc_2', log: () => log, row: () => null, pending: () => [], who: () => [], read() {},
          isFresh: () => false, older: () => Promise.resolve(), outbox: {} };
        const holder = document.body.appendChild(document.createElement('div'));
        render(html`<${Thread} talks=${talks} id="con_1" />`, holder);
        const drawn = [...holder.querySelectorAll('[data-seq]')].map((one) => Number(one.dataset.seq));
        render(null, holder);
        return [drawn.length, drawn[0], drawn.at(-1)];"""
    assets = load_assets()
    told = [said(seq, seq - 1) for seq in range(1_000, 0, -1)]
    value = {"told": told, "ui": assets.address("core/ui.js"), "thread": assets.address("chat/thread.js")}
    assert await run(page, "chat/log.js", body, value) == [400, 601, 1_000]


async def test_text_of_people_is_text_and_only_web_addresses_are_links(page: Page) -> None:
    body = """
        const { html, render } = await import(value.ui);
        const holder = document.createElement('div');
        render(html`<p>${it.withLinks(value.text)}</p>`, holder);
        const links = [...holder.querySelectorAll('a')].map((a) => [a.getAttribute('href'), a.rel]);
        return [links, holder.querySelectorAll('img, script').length, holder.textContent];"""
    text = "<img src=x onerror=alert(1)> javascript:alert(1) 看 https://a.example/x?y=1。 http://b.example/, bye"
    value = {"ui": load_assets().address("core/ui.js"), "text": text}
    links, elements, shown = await run(page, "chat/message.js", body, value)
    rel = "noopener noreferrer nofollow"
    assert links == [["https://a.example/x?y=1", rel], ["http://b.example/", rel]]
    assert (elements, shown) == (0, text)
