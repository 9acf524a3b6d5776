"""Conversations over HTTP: opening about one's own order, talking, lists, search, pictures, and the desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from zlib import crc32

import pytest

import dispatch
from rest.desk.conversations.desk_routes import ROUTES as DESK
from rest.desk.conversations.routes import ROUTES
from rest.people.files.routes import ROUTES as FILES
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.files.test_files import picture
from tests.money.serving import serve

PEOPLE = {"ann": [], "bob": [], "tom": ["technician"], "sue": ["support"], "sam": ["support"], "lead": ["supervisor"],
          "oli": ["ops"], "adam": ["admin"]}  # fmt: skip
ORDER = "ord_00000000000000000000000001"


@pytest.fixture
async def ann(db: Database, clock: ManualClock, settings: Settings) -> AsyncIterator[Client]:
    """Ann has an order, on which Tom works."""
    async with db.begin() as tx:
        tom = await dispatch.create_worker(tx, account_id="acc_tom", display_name="Tom", services=["repair"])
        await tx.execute(
            """INSERT INTO orders (id, no, line, kind, mode, customer_id, provider_id, status, version, total_fen,
                                   snapshot, created_at, updated_at)
               VALUES ($1, '1', 'homeservice', 'visit', 'pool', 'acc_ann', $2, 'accepted', 1, 100, '{}', $3, $3)""",
            ORDER,
            tom.id,
            tx.now,
        )
    async with serve(db, settings, [*ROUTES, *DESK, *FILES], PEOPLE) as client:
        yield client.as_("ann")


async def opened(client: Client, order: str | None = ORDER) -> str:
    body = {} if order is None else {"subject": {"kind": "order", "id": order}}
    status, _, answer = await client.send("POST", "/v1/conversations", json=body)
    assert status == 201, answer
    return str(answer["conversation"]["id"])


async def say(client: Client, where: str, text: str = "hello", **more: Any) -> tuple[int, Any]:
    body = {"client_id": f"{client.token}-{crc32(text.encode())}", "text": text, **more}
    status, _, answer = await client.send("POST", f"/v1/conversations/{where}/messages", json=body)
    return status, answer


async def history(client: Client, where: str, query: str = "sort=oldest") -> list[tuple[int, str]]:
    status, _, answer = await client.send("GET", f"/v1/conversations/{where}/messages?{query}")
    assert status == 200, answer
    return [(one["message_seq"], one["text"]) for one in answer["data"]]


async def test_one_opens_about_ones_own_order_or_none(ann: Client) -> None:
    where = await opened(ann)
    status, headers, again = await ann.send(
        "POST", "/v1/conversations", json={"subject": {"kind": "order", "id": ORDER}}
    )
    assert (status, again["conversation"]["id"], again["is_new"]) == (201, where, False)
    assert headers["Location"] == f"/v1/conversations/{where}"
    assert await opened(ann, None) != where
    for stranger in ("bob", "tom", "sue"):
        body = {"subject": {"kind": "order", "id": ORDER}}
        assert (await ann.as_(stranger).send("POST", "/v1/conversations", json=body))[0] == 404
    for wrong in ({"subject": {"kind": "trip", "id": ORDER}}, {"subject": {"kind": "order"}}, {"tenant_id": "ten_a"}):
        assert (await ann.send("POST", "/v1/conversations", json=wrong))[0] == 400


async def test_they_talk_and_everybody_sees_his_part(ann: Client) -> None:
    where, sue = await opened(ann), ann.as_("sue")
    status, said = await say(ann, where, "where is he?")
    assert (status, said["message_seq"], said["is_dup"]) == (201, 1, False)
    assert (await say(ann, where, "where is he?"))[1]["is_dup"] is True
    await say(sue, where, "she is impatient", kind="note")
    assert (await say(sue, where, "at the gate", base_seq=1))[0] == 201
    assert await history(ann, where) == [(1, "where is he?"), (3, "at the gate")]
    assert await history(sue, where) == [(1, "where is he?"), (2, "she is impatient"), (3, "at the gate")]
    assert await history(sue, where, "limit=2") == [(3, "at the gate"), (2, "she is impatient")]
    assert await history(sue, where, "before=2") == [(1, "where is he?")]
    _, held = await say(ann.as_("sam"), where, "ten minutes", base_seq=1)
    assert (held["code"], held["message"]["text"]) == ("answered_meanwhile", "at the gate")
    _, _, row = await ann.send("GET", f"/v1/conversations/{where}")
    assert (row["last_seq"], row["role"], row["read_seq"]) == (3, "customer", 0)
    status, _, marks = await ann.send("PUT", f"/v1/conversations/{where}/read", json={"read_seq": 3})
    assert (status, marks["read_seq"], marks["delivered_seq"]) == (200, 3, 3)
    assert (await ann.send("PUT", f"/v1/conversations/{where}/read", json={"read_seq": 1}))[2] == marks


@pytest.mark.parametrize("who", ["bob", "tom", "oli"])
async def test_to_others_there_is_no_such_conversation(ann: Client, who: str) -> None:
    where, other = await opened(ann), ann.as_(who)
    await say(ann, where)
    at = f"/v1/conversations/{where}"
    answers = [
        (await other.send("GET", at))[0],
        (await other.send("GET", f"{at}/messages"))[0],
        (await other.send("GET", f"{at}/members"))[0],
        (await other.send("PUT", f"{at}/read", json={"read_seq": 1}))[0],
        (await other.send("PUT", f"{at}/draft", json={"text": "x"}))[0],
        (await other.send("GET", f"{at}/files/fil_00000000000000000000000001"))[0],
        (await other.send("POST", f"{at}/messages/1/recall", json={"client_id": "recall-01"}))[0],
        (await say(other, where))[0],
    ]
    assert answers == [404] * len(answers)
    assert (await other.send("GET", "/v1/conversations"))[2]["data"] == []
    assert (await other.send("GET", "/v1/conversations/search?q=hello"))[2]["data"] == []


async def test_a_message_is_changed_and_taken_back(ann: Client, clock: ManualClock) -> None:
    where = await opened(ann)
    await say(ann, where, "room 12")
    at = f"/v1/conversations/{where}/messages/1"
    edited = await ann.send("POST", f"{at}/edit", json={"client_id": "edit-0001", "text": "room 21"})
    assert (edited[0], edited[2]["message_seq"]) == (201, 2)
    assert (await ann.send("POST", f"{at}/recall", json={"client_id": "recall-01"}))[2]["message_seq"] == 3
    assert await history(ann, where) == [(1, ""), (2, ""), (3, "")]
    assert (await ann.send("POST", f"{at}/recall", json={"client_id": "recall-02"}))[2]["code"] == "message_fixed"
    for seq in ("x", "-1", "9", "9" * 20, "١"):
        path = f"/v1/conversations/{where}/messages/{seq}/recall"
        assert (await ann.send("POST", path, json={"client_id": "recall-03"}))[0] == 404


async def test_a_picture_is_for_those_who_see_its_message(ann: Client) -> None:
    """HS-198; the owner alone has it until he shows it, and no longer once he takes it back."""
    where = await opened(ann)
    _, _, kept = await ann.send(
        "POST", "/v1/files?purpose=chat", data=picture(), headers={"Content-Type": "image/jpeg"}
    )
    at = f"/v1/conversations/{where}/files/{kept['id']}"
    assert (await ann.send("GET", at))[0] == 404
    assert (await say(ann, where, "look", kind="image", file_id=kept["id"]))[0] == 201
    status, headers, content = await ann.as_("sue").send("GET", at)
    assert (status, headers["Content-Type"], content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert (await ann.as_("bob").send("GET", at))[0] == 404
    await ann.send("POST", f"/v1/conversations/{where}/messages/1/recall", json={"client_id": "recall-01"})
    assert (await ann.as_("sue").send("GET", at))[0] == 404


async def test_a_document_is_downloaded_under_its_name_and_never_shown(ann: Client) -> None:
    """Kept as it is, so it is never opened by a page of ours; and nothing else than a chat takes one."""
    where, content = await opened(ann), b"%PDF-1.7\n<script>alert(1)</script>"
    as_pdf = {"data": content, "headers": {"Content-Type": "application/pdf"}}
    assert (await ann.send("POST", "/v1/files?purpose=voucher", **as_pdf))[2]["code"] == "file_type"
    assert (await ann.send("POST", "/v1/files?purpose=chat&name=a%2Fb.pdf", **as_pdf))[2]["code"] == "invalid_input"
    _, _, kept = await ann.send("POST", "/v1/files?purpose=chat&name=%E5%8F%91%E7%A5%A8.pdf", **as_pdf)
    assert (kept["name"], kept["media_type"], kept["size"]) == ("发票.pdf", "application/pdf", len(content))
    assert (await say(ann, where, "look", kind="image", file_id=kept["id"]))[1]["code"] == "message_empty"
    assert (await say(ann, where, "发票.pdf", kind="file", file_id=kept["id"]))[0] == 201
    status, headers, given = await ann.as_("sue").send("GET", f"/v1/conversations/{where}/files/{kept['id']}")
    assert (status, given) == (200, content)
    assert headers["Content-Disposition"].startswith("attachment; filename=")
    assert headers["Content-Disposition"].endswith("filename*=UTF-8''%E5%8F%91%E7%A5%A8.pdf")
    assert "sandbox" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"kind": "location", "place": {"lon": 121.4, "lat": 37.5, "title": "gate"}}, "ok"),
        ({"kind": "location", "place": {"lon": 121.4, "lat": 37.5}, "crs": "gcj02"}, "ok"),
        ({"kind": "order_card", "card": {"kind": "order", "id": ORDER}}, "ok"),
        ({"kind": "text", "text": "x" * 4_000}, "ok"),
        ({"kind": "text", "text": "x" * 4_001}, "message_too_long"),
        ({"kind": "text", "text": ""}, "message_empty"),
        ({"kind": "text", "text": "x", "place": {"lon": 1, "lat": 1}}, "message_empty"),
        ({"kind": "location"}, "message_empty"),
        ({"kind": "note", "text": "x"}, "read_only"),
        ({"kind": "system", "text": "x"}, "invalid_input"),
        ({"kind": "recall"}, "invalid_input"),
        ({"kind": "location", "place": {"lon": 181, "lat": 0}}, "invalid_input"),
        ({"text": "x", "client_id": "short"}, "invalid_input"),
        ({"text": "x", "reply_to": 7}, "reply_unknown"),
    ],
)
async def test_what_can_be_said(ann: Client, message: dict[str, Any], code: str) -> None:
    where = await opened(ann)
    body = {"client_id": "client-0001", **message}
    status, _, answer = await ann.send("POST", f"/v1/conversations/{where}/messages", json=body)
    assert (answer.get("code", "ok"), status == 201) == (code, code == "ok")
    if message.get("crs") == "gcj02":
        _, _, shown = await ann.send("GET", f"/v1/conversations/{where}/messages")
        assert shown["data"][0]["data"]["lon"] == pytest.approx(121.395, abs=0.004)


async def test_people_write_five_messages_in_ten_seconds(ann: Client, clock: ManualClock) -> None:
    where = await opened(ann)
    statuses = [(await say(ann, where, str(n)))[0] for n in range(6)]
    assert statuses == [201] * 5 + [429]
    assert [(await say(ann.as_("sue"), where, str(n)))[0] for n in range(21)] == [201] * 20 + [429]
    clock.advance(seconds=2)
    assert (await say(ann, where, "more"))[0] == 201


async def test_lists_and_search_are_paged(ann: Client, clock: ManualClock) -> None:
    places = [await opened(ann)]
    clock.advance(seconds=1)
    places.append(await opened(ann, None))
    await opened(ann.as_("bob"), None)
    for n in range(4):
        clock.advance(seconds=10)
        await say(ann, places[n % 2], f"the door {n} 请开门")
    _, _, page = await ann.send("GET", "/v1/conversations?limit=1")
    assert (page["data"][0]["id"], page["data"][0]["last"]["text"][:10], page["has_more"]) == (
        places[1],
        "the door 3",
        True,
    )
    _, _, page = await ann.send("GET", f"/v1/conversations?limit=1&cursor={page['next_cursor']}")
    assert ([row["id"] for row in page["data"]], page["has_more"]) == ([places[0]], False)
    found, cursor = [], ""
    while True:
        status, _, page = await ann.as_("sue").send("GET", f"/v1/conversations/search?q=开门&limit=3{cursor}")
        assert status == 200, page
        found += [one["text"][9] for one in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ["3", "2", "1", "0"]
    assert (await ann.send("GET", "/v1/conversations/search?q=…"))[2]["code"] == "nothing_sought"


async def test_the_desk_sees_what_it_serves(ann: Client) -> None:
    where, other = await opened(ann), await opened(ann.as_("bob"), None)
    sue = ann.as_("sue")

    async def listed(query: str = "", who: Client = sue) -> set[str]:
        status, _, page = await who.send("GET", f"/v1/desk/conversations?{query}")
        assert status == 200, page
        return {row["id"] for row in page["data"]}

    assert await listed() == {where, other}
    assert await listed(f"subject_id={ORDER}") == await listed("customer_id=acc_ann") == {where}
    assert await listed("assignee=none&status=open") == {where, other}
    assert await listed("assignee=me") == await listed("status=closed") == set()
    for who, status in (("ann", 403), ("oli", 403), ("tom", 403), ("lead", 200), ("adam", 200)):
        assert (await ann.as_(who).send("GET", "/v1/desk/conversations"))[0] == status


async def test_the_desk_brings_the_worker_in_and_out(ann: Client, db: Database) -> None:
    """HS-193: he sees what is said from then on; what support does is written down."""
    where, sue, tom = await opened(ann), ann.as_("sue"), ann.as_("tom")
    await say(ann, where, "between us")
    at = f"/v1/desk/conversations/{where}"
    assert (await tom.send("POST", f"{at}/worker", json={}))[0] == 403
    status, _, member = await sue.send("POST", f"{at}/worker", json={})
    assert (status, member["account_id"], member["joined_seq"]) == (201, "acc_tom", 2)
    await say(ann, where, "hello tom")
    assert (await say(tom, where, "hello ann"))[0] == 201
    assert await history(tom, where) == [(2, "hello tom"), (3, "hello ann")]
    for somebody in ("acc_ann", "acc_sue", "acc_bob"):
        assert (await sue.send("DELETE", f"{at}/members/{somebody}"))[0] == 404
    assert (await sue.send("DELETE", f"{at}/members/acc_tom"))[0] == 204
    assert (await say(tom, where, "wait"))[1]["code"] == "read_only"
    assert (await sue.send("POST", f"{at}/close"))[2]["status"] == "closed"
    assert (await say(ann, where, "one more"))[1]["code"] == "conversation_closed"
    assert (await sue.send("POST", f"{at}/reopen"))[2]["status"] == "open"
    async with db.begin() as tx:
        written = await tx.fetch("SELECT operation FROM audit ORDER BY id")
    assert sorted(row["operation"] for row in written) == [
        "desk.bring_worker", "desk.close", "desk.dismiss_worker", "desk.reopen",
    ]  # fmt: skip


async def test_support_opens_and_a_draft_waits_for_its_answer(ann: Client) -> None:
    sue = ann.as_("sue")
    status, _, made = await sue.send("POST", "/v1/desk/conversations", json={"order_id": ORDER})
    assert (status, made["customer_id"]) == (201, "acc_ann")
    assert await opened(ann) == made["id"]
    at = f"/v1/conversations/{made['id']}"
    assert (await sue.send("PUT", f"{at}/draft", json={"text": "Dear Ann"}))[0] == 204
    assert (await ann.send("PUT", f"{at}/draft", json={"text": "Dear Sue"}))[2]["code"] == "read_only"
    _, _, drafts = await sue.send("GET", "/v1/conversations/drafts")
    assert [(one["conversation_id"], one["text"]) for one in drafts["data"]] == [(made["id"], "Dear Ann")]
    await say(sue, made["id"], "Dear Ann, yes")
    assert (await sue.send("GET", "/v1/conversations/drafts"))[2]["data"] == []
