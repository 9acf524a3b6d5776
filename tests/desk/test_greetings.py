"""What a queue says by itself (FR-149): set over REST, said once to who opens a chat, in his language, by nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat import conversations, desk
from chat.conversations import Content, Reader, Staff
from chat.desk import Rule
from chat.desk.errors import ReopenTooLate
from rest.desk.conversations.routes import ROUTES as TALK
from rest.desk.support import ROUTES as SUPPORT
from storage.base.settings import Settings
from storage.postgres import Database
from tests.desk.conftest import Desk
from tests.desk.test_routes import Calls
from tests.money.serving import serve

GREETING = {
    "zh-CN": "您好 {{customer_name}}，这里是{{queue_name}}。",
    "en": "Hello {{customer_name}}, {{queue_name}} here.",
}
CLOSED = {"zh-CN": "现在休息，工单 {{ticket_no}}。", "en": "We are closed, {{ customer_name }}: ticket {{ticket_no}}."}
QUEUE = {"name": "help", "greeting": GREETING, "closed_notice": CLOSED}
ENGLISH = {"Accept-Language": "en-GB,en;q=0.8"}


@pytest.fixture
async def call(place: Desk, settings: Settings) -> AsyncIterator[Calls]:
    people: dict[str, list[str]] = {"ann": [], "bob": [], "cat": [], "sue": ["support"], "oli": ["ops"]}
    async with place.db.begin() as tx:
        await tx.execute(
            """INSERT INTO accounts (id, phone, nickname, roles, created_at, updated_at)
               VALUES ('acc_ann', '+8613800000001', 'Ann {{queue_name}}', '{user}', $1, $1),
                      ('acc_bob', '+8613800000002', '', '{user}', $1, $1)""",
            tx.now,
        )  # fmt: skip
    async with serve(place.db, settings, [*TALK, *SUPPORT], people) as client:
        yield Calls(client, place.db, settings)


async def opened(call: Calls, place: Desk, **more: Any) -> dict[str, Any]:
    status, queue = await call("oli", "POST", "/v1/admin/desk/queues", QUEUE | more)
    assert status == 201, queue
    await place.rules(Rule(name="all", queue_id=queue["id"]))
    found: dict[str, Any] = queue
    return found


async def asked(call: Calls, who: str, category: str = "order", kind: str = "chat", **headers: str) -> str:
    status, answer = await call(who, "POST", "/v1/support", {"category": category, "kind": kind}, **headers)
    assert status == 201, answer
    return str(answer["conversation_id"])


async def said(call: Calls, who: str, where: str) -> list[dict[str, Any]]:
    found = (await call(who, "GET", f"/v1/conversations/{where}/messages?sort=oldest"))[1]["data"]
    return [one for one in found if one["kind"] == "system"]


async def test_who_opens_a_chat_is_greeted_once_in_his_language(call: Calls, place: Desk) -> None:
    queue = await opened(call, place)
    assert (queue["greeting"], queue["closed_notice"]) == (GREETING, CLOSED)
    ann = await asked(call, "ann", **ENGLISH)
    assert await asked(call, "ann", **ENGLISH) == ann, "asking again is the same chat"
    (hello,) = await said(call, "ann", ann)
    assert hello["text"] == "Hello Ann {{queue_name}}, help here.", "a name is never read as a variable"
    assert (hello["message_seq"], hello["sender_role"], hello["is_internal"]) == (1, "system", False)
    assert hello["data"] == {"event": "greeting", "queue_id": queue["id"]}
    (nameless,) = await said(call, "bob", await asked(call, "bob"))
    assert nameless["text"] == "您好 客户，这里是help。"
    assert await said(call, "cat", await asked(call, "cat", kind="ticket")) == []


async def test_a_greeting_is_no_answer(call: Calls, place: Desk) -> None:
    """The first reply is still owed, the customer still waits, and it is the agent's first message that ends that."""
    queue = await opened(call, place)
    where = await asked(call, "ann")
    await place.agent("sue", queues=[queue["id"]])
    ann = Reader("acc_ann")
    await place.db.run(conversations.say, ann, where, Content(text="hello?"), client_id="client-01")
    await place.settle()
    async with place.db.begin() as tx:
        kinds = {one.kind.value: one.state.value for one in await desk.promises_of(tx, where)}
        conversation = await conversations.find_conversation(tx, where)
    assert kinds["first_reply"] == "running"
    assert conversation.waiting_since is not None
    await place.serve(await place.thread(where))
    await place.db.run(conversations.say, Reader("acc_sue", Staff()), where, Content(text="hi"), client_id="client-02")
    await place.settle()
    async with place.db.begin() as tx:
        assert "first_reply" not in {one.kind.value for one in await desk.promises_of(tx, where)}


async def test_out_of_hours_it_says_so_and_names_the_ticket(call: Calls, place: Desk, db: Database) -> None:
    hours = await place.hours(week=((),) * 7)
    await opened(call, place, calendar_id=hours)
    where = await asked(call, "ann", **ENGLISH)
    thread = await place.thread(where)
    (notice,) = await said(call, "ann", where)
    assert notice["text"] == f"We are closed, Ann {{{{queue_name}}}}: ticket {thread.number}."
    assert notice["data"]["event"] == "closed_notice"


async def test_texts_that_cannot_be_and_numbers_out_of_range_are_refused(call: Calls, place: Desk) -> None:
    queue = await opened(call, place)
    where, fresh = f"/v1/admin/desk/queues/{queue['id']}", {"If-Match": '"v1"'}
    for wrong, code in (
        ({"greeting": GREETING | {"en": "x" * 501}}, "reply_template_invalid"),
        ({"greeting": GREETING | {"en": " "}}, "reply_template_invalid"),
        ({"greeting": GREETING | {"en": "{{agent_name}}"}}, "reply_template_invalid"),
        ({"greeting": GREETING | {"en": "{{ticket_no}}"}}, "reply_template_invalid"),
        ({"closed_notice": CLOSED | {"zh-CN": "{{nobody}}"}}, "reply_template_invalid"),
        ({"closed_notice": CLOSED | {"zh-CN": "{{queue_name"}}, "reply_template_invalid"),
        ({"auto_close_s": 3_599}, "queue_invalid"),
        ({"auto_close_s": 2_592_001}, "queue_invalid"),
        ({"reopen_days": 91}, "queue_invalid"),
    ):
        status, problem = await call("oli", "PUT", where, QUEUE | wrong, **fresh)
        assert (status, problem["code"]) == (422, code), wrong
    for wrong in ({"greeting": {"en": "only one"}}, {"greeting": GREETING | {"fr": "salut"}}):
        assert (await call("oli", "PUT", where, QUEUE | wrong, **fresh))[0] == 400, wrong
    assert (await call("oli", "PUT", where, QUEUE | {"greeting": None}, **fresh))[1]["greeting"] is None
    assert await said(call, "ann", await asked(call, "ann")) == []


async def test_how_long_it_waits_for_its_rating_and_may_be_opened_again_is_the_queue_s(
    call: Calls, place: Desk
) -> None:
    await opened(call, place, auto_close_s=7_200, reopen_days=1)
    where = await asked(call, "ann")
    queue_id = (await place.thread(where)).queue_id
    await place.agent("sue", queues=[queue_id])
    await place.serve(await place.thread(where))
    await place.db.run(desk.resolve, where, by_id="acc_sue")
    await place.stay(seconds=7_190)
    assert (await place.thread(where)).state.value == "resolved"
    await place.stay(seconds=20)
    assert (await place.thread(where)).state.value == "closed"
    place.clock.advance(hours=25)
    with pytest.raises(ReopenTooLate):
        await place.db.run(desk.reopen, where, by_id="acc_ann")
