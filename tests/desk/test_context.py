"""What agents have beside a conversation: the order's card, former threads, drafts, replies; and ratings by link."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from chat import conversations, desk
from rest.desk.conversations.desk_routes import ROUTES as DESK_TALK
from rest.desk.conversations.routes import ROUTES as TALK
from rest.desk.support import ROUTES
from rest.desk.support.subjects import SUBJECTS, SubjectCard
from storage.base.settings import Settings
from tests.desk.conftest import Desk
from tests.desk.invariants import violations
from tests.edge.conftest import Client
from tests.money.serving import serve

PEOPLE: dict[str, list[str]] = {"ann": [], "bob": [], "sue": ["support"], "oli": ["ops"]}


async def card(tx: Any, order_id: str) -> SubjectCard | None:
    """A line of the test's own: it has one order."""
    if order_id != "ord_1":
        return None
    return SubjectCard(
        kind="order", id=order_id, no="HS20260105", line="test", title={"en": "Drains"}, status="departed",
        customer_id="acc_ann", worker_id="wrk_1", starts_at=tx.now, total_fen=100, paid_fen=100, refunded_fen=0,
        created_at=tx.now, version=3,
    )  # fmt: skip


@pytest.fixture
async def client(place: Desk, settings: Settings) -> AsyncIterator[Client]:
    await place.open()
    async with place.db.begin() as tx:
        await tx.execute(
            """INSERT INTO accounts (id, phone, nickname, roles, created_at, updated_at)
               VALUES ('acc_ann', '+8613800000000', 'Ann', '{user}', $1, $1)""",
            tx.now,
        )

    def wire(app: web.Application) -> None:
        app[SUBJECTS] = {"order": card}

    async with serve(place.db, settings, [*TALK, *DESK_TALK, *ROUTES], PEOPLE, wire) as made:
        yield made


async def test_everything_beside_a_conversation_in_one_read(place: Desk, client: Client) -> None:
    await place.agent("sue")
    former = await place.come()
    await place.db.run(desk.withdraw, former.conversation_id, by_id="acc_ann")
    place.names = 0  # about the same order again
    thread = await place.come()
    async with place.db.begin() as tx:
        await desk.add_agent(tx, "acc_x", name="X", chats_max=1)
    status, _, seen = await client.as_("sue").send("GET", f"/v1/desk/threads/{thread.conversation_id}/context")
    assert status == 200, seen
    assert seen["customer"] == {"id": "acc_ann", "nickname": "Ann", "phone_masked": "138****00"}
    assert (seen["subject"]["no"], seen["subject"]["worker_id"]) == ("HS20260105", "wrk_1")
    assert [one["conversation_id"] for one in seen["former"]] == [former.conversation_id]
    assert {one["kind"] for one in seen["promises"]} == {"first_reply", "resolve"}
    assert seen["cases"] == []
    unknown = await place.come("bob")  # of nobody known, about an order no line has
    seen = (await client.as_("oli").send("GET", f"/v1/desk/threads/{unknown.conversation_id}/context"))[2]
    assert (seen["customer"], seen["subject"], seen["former"]) == (None, None, [])
    assert (await client.as_("ann").send("GET", f"/v1/desk/threads/{thread.conversation_id}/context"))[0] == 403
    assert (await client.as_("sue").send("GET", "/v1/desk/threads/con_none/context"))[0] == 404


async def test_a_quick_reply_with_what_is_known_and_what_is_not(place: Desk, client: Client) -> None:
    await place.agent("sue")
    thread, other = await place.come(), await place.come("bob")
    sue, key = client.as_("sue"), {"Idempotency-Key": "key-0000000000000001"}
    body = {"shortcut": "hi", "body": "{{customer_name}}: {{order_no}}, {{ticket_no}} {{agent_name}} {{queue_name}}"}
    reply = (await sue.send("POST", "/v1/desk/quick_replies", json=body, headers=key))[2]
    at, there = (f"/v1/desk/threads/{one.conversation_id}/quick_replies/{reply['id']}" for one in (thread, other))
    assert (await sue.send("GET", at))[2] == {
        "text": "Ann: HS20260105, {{ticket_no}} Sue help", "missing": ["ticket_no"],
    }  # fmt: skip
    assert (await sue.send("GET", there))[2]["missing"] == [
        "customer_name", "order_no", "ticket_no",
    ]  # fmt: skip
    assert (await client.as_("oli").send("GET", at))[0] == 404, "it is Sue's own"


async def test_a_rating_by_the_link_is_the_customer_s_and_once(place: Desk, client: Client, settings: Settings) -> None:
    await place.agent("sue")
    thread = await place.come()
    await place.serve(thread)
    at = f"/v1/support/{thread.conversation_id}/rating"
    assert (await client.as_("ann").send("GET", at))[0] == 404, "nothing is asked yet"
    await place.db.run(desk.resolve, thread.conversation_id, by_id="acc_sue")
    assert (await client.as_("bob").send("GET", at))[0] == 404
    asked = (await client.as_("ann").send("GET", at))[2]
    for token in (asked["id"], asked["token"][:-1], asked["token"].replace(asked["id"][-4:], "0000", 1), "."):
        given = await client.send("POST", "/v1/ratings", json={"token": token, "score": 1})
        assert (given[0], given[2]["code"]) == (403, "rating_token_invalid"), token
    given = (await client.send("POST", "/v1/ratings", json={"token": asked["token"], "score": 4, "tags": ["fast"]}))[2]
    assert (given["score"], given["tags"], "token" in given) == (4, ["fast"], False)
    assert (await place.thread(thread)).state.value == "closed"
    place.clock.advance(seconds=300)
    again = {"token": asked["token"], "score": 5}
    assert (await client.send("POST", "/v1/ratings", json=again))[2]["score"] == 5
    place.clock.advance(seconds=301)
    assert (await client.send("POST", "/v1/ratings", json=again))[2]["code"] == "rating_closed"
    assert await violations(place.db, is_settled=False) == []


async def test_links_are_not_tried_out(place: Desk, client: Client) -> None:
    codes = [(await client.send("POST", "/v1/ratings", json={"token": f"rtg_{n}", "score": 1}))[0] for n in range(31)]
    assert codes == [403] * 30 + [429]


async def test_drafts_one_by_one(place: Desk, client: Client) -> None:
    thread = await place.come()
    sue, at = client.as_("sue"), f"/v1/conversations/{thread.conversation_id}/draft"
    assert (await sue.send("GET", at))[0] == 404
    assert (await sue.send("PUT", at, json={"text": "Dear Ann", "base_seq": 0}))[0] == 204
    assert (await sue.send("GET", at))[2]["text"] == "Dear Ann"
    assert (await client.as_("ann").send("GET", at))[0] == 404
    assert (await client.as_("ann").send("DELETE", at))[2]["code"] == "read_only"
    assert (await sue.send("DELETE", at))[0] == 204
    assert (await sue.send("DELETE", at))[0] == 204
    assert (await sue.send("GET", at))[0] == 404


async def test_what_is_at_the_desk_is_not_closed_past_it(place: Desk, client: Client) -> None:
    """A conversation closed beside its thread would wait in the line for ever."""
    thread = await place.come()
    at = f"/v1/desk/conversations/{thread.conversation_id}"
    assert (await client.as_("sue").send("POST", at + "/close"))[2]["code"] == "conversation_state"
    assert (await client.as_("sue").send("POST", at + "/reopen"))[2]["code"] == "conversation_state"
    async with place.db.begin() as tx:
        alone, _ = await conversations.open_conversation(tx, customer_id="acc_ann")
    at = f"/v1/desk/conversations/{alone.id}"
    assert (await client.as_("sue").send("POST", at + "/close"))[2]["status"] == "closed"
    place.clock.advance(seconds=timedelta(minutes=1).total_seconds())
    assert (await client.as_("sue").send("POST", at + "/reopen"))[2]["status"] == "open"
