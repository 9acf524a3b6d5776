"""Cases of real orders over HTTP: what may be decided now, who is on it, whom it is told, whose own it is."""

from __future__ import annotations

from typing import Any

import pytest

from chat import cases
from storage import outbox
from storage.base import codec
from storage.base.clock import ManualClock
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.homeservice.test_http import case_of, decided, key, ok, paid
from tests.homeservice.test_http import client as client  # noqa: PLC0414 - a fixture


async def code(client: Client, who: str | None, method: str, path: str, body: Any = None) -> tuple[int, str]:
    status, _, answer = await client.as_(who).send(method, path, json=body, headers=key())
    return status, answer["code"]


async def rejected(client: Client, clock: ManualClock) -> tuple[str, str]:
    """A rejected order and its case."""
    order = await paid(client, clock)
    await ok(client, "tom", "POST", f"/v1/partner/orders/{order['id']}/reject", {"reason": "flat tyre"})
    return order["id"], f"/v1/admin/cases/{await case_of(client, order['id'], 'rejected')}"


async def staff(db: Database, *names: str) -> None:
    """Accounts of people the gate of the tests knows by their tokens."""
    async with db.begin() as tx:
        for n, name in enumerate(names):
            await tx.execute(
                "INSERT INTO accounts (id, phone, roles, created_at, updated_at) VALUES ($1, $2, $3, now(), now())",
                name, f"+86139000000{n:02}", ["user", "support"] if name.startswith("acc_0") else ["user"],
            )  # fmt: skip


async def test_a_case_says_what_may_be_decided_now(client: Client, clock: ManualClock) -> None:
    order_id, path = await rejected(client, clock)
    shown = await ok(client, "sue", "GET", path)
    assert (shown["case"]["type"], shown["case"]["state"]) == ("rejected", "open")
    assert {one["outcome"]: (one["needs"], one["moves_money"]) for one in shown["allowed"]} == {
        "technician_accepts": ([], False),
        "change_technician": (["worker_id", "consent"], True),
        "customer_refuses": ([], False),
    }
    assert (await ok(client, "fay", "GET", path))["allowed"] == []  # finance reads
    await decided(client, "sue", order_id, "rejected", "customer_refuses")
    assert (await ok(client, "sue", "GET", path))["allowed"] == []
    saved = f"/v1/admin/cases/{await case_of(client, order_id, 'cancel_confirm')}"
    assert [one["outcome"] for one in (await ok(client, "sue", "GET", saved))["allowed"]] == ["saved", "not_saved"]


async def test_one_at_a_time_is_on_it_and_its_history_says_who(
    client: Client, clock: ManualClock, db: Database
) -> None:
    """HS-191."""
    colleague, customer = "acc_0000000000000000000000000a", "acc_9000000000000000000000000b"
    await staff(db, colleague, customer)
    _, path = await rejected(client, clock)
    taken = await ok(client, "sue", "POST", f"{path}/take", **key())
    assert (taken["state"], taken["taken_by"]) == ("taken", "acc_sue")
    assert await code(client, "sam", "POST", f"{path}/take") == (409, "already_taken")
    assert (await ok(client, "sue", "GET", "/v1/admin/cases?mine=true"))["data"] == [taken]
    assert (await ok(client, "sam", "GET", "/v1/admin/cases?mine=true"))["data"] == []
    await ok(client, "sue", "POST", f"{path}/notes", {"note": "no answer yet"})
    to = {"to": customer, "note": "please"}
    assert await code(client, "sue", "POST", f"{path}/transfer", to) == (400, "invalid_input")
    given = await ok(client, "sue", "POST", f"{path}/transfer", {"to": colleague, "note": "my shift ends"})
    assert given["taken_by"] == colleague
    assert await code(client, "sue", "POST", f"{path}/release", {}) == (409, "already_taken")
    assert (await ok(client, "sam", "POST", f"{path}/release", {"note": "she is ill"}))["state"] == "open"
    assert await code(client, "sam", "POST", f"{path}/release", {}) == (409, "case_not_taken")
    steps = (await ok(client, "sue", "GET", f"{path}/history"))["data"]
    assert [(step["n"], step["verb"], step["by"]) for step in steps] == [
        (1, "open", None), (2, "take", "acc_sue"), (3, "remark", "acc_sue"), (4, "transfer", "acc_sue"),
        (5, "release", "acc_sam"),
    ]  # fmt: skip
    assert steps[3]["data"] == {"note": "my shift ends", "was": "acc_sue", "to": colleague}
    first = await ok(client, "sue", "GET", f"{path}/history?limit=2")
    assert (first["data"], first["has_more"]) == (steps[:2], True)


async def test_late_cases_and_urgent_ones(client: Client, clock: ManualClock) -> None:
    order_id, path = await rejected(client, clock)
    assert (await ok(client, "sue", "GET", "/v1/admin/cases?overdue=true"))["data"] == []
    clock.advance(minutes=6)
    for query in ("overdue=true", "overdue=true&sort=urgency", "line=homeservice", "priority_min=6"):
        (late,) = (await ok(client, "sue", "GET", f"/v1/admin/cases?{query}"))["data"]
        assert late["subject_id"] == order_id
    for query in ("priority_min=7", "line=rv", "taken_by=acc_sue"):
        assert (await ok(client, "sue", "GET", f"/v1/admin/cases?{query}"))["data"] == []
    assert path.endswith(late["id"])


async def test_support_talks_to_both_sides_and_it_is_written_down(client: Client, clock: ManualClock) -> None:
    """HS-193."""
    _, path = await rejected(client, clock)

    async def reach(**body: str) -> Any:
        return await ok(client, "sue", "POST", f"{path}/contact", body)

    with_customer = (await reach(party="customer"))["conversation_id"]
    with_technician = (await reach(party="worker"))["conversation_id"]
    assert with_customer != with_technician
    assert (await reach(party="customer"))["conversation_id"] == with_customer
    assert (await reach(party="worker"))["conversation_id"] == with_technician
    hello = {"client_id": "00000000-0000-4000-8000-000000000001", "kind": "text", "text": "hello"}
    for who, where, stranger in (("ann", with_customer, "tom"), ("tom", with_technician, "ann")):
        await ok(client, who, "POST", f"/v1/conversations/{where}/messages", hello)
        assert (await code(client, stranger, "POST", f"/v1/conversations/{where}/messages", hello))[0] == 404
    assert (await reach(party="both"))["conversation_id"] == with_customer
    assert (await client.as_("tom").send("GET", f"/v1/conversations/{with_customer}"))[0] == 200
    before = await ok(client, "tom", "GET", f"/v1/conversations/{with_customer}/messages")
    assert "hello" not in str(before)  # what she said before he came is not for him
    assert await reach(party="customer", way="call") == {"conversation_id": None, "call": "no_provider"}
    steps = (await ok(client, "sue", "GET", f"{path}/history"))["data"]
    assert [step["data"]["way"] for step in steps if step["verb"] == "contact"] == ["chat"] * 5 + ["call"]


async def test_nobody_is_there_to_talk_to(client: Client, clock: ManualClock, db: Database) -> None:
    async with db.begin() as tx:
        case = await cases.open_case(
            tx, type="manual", line="homeservice", subject_kind="order", subject_id="ord_none", title="?", due_at=tx.now
        )
    body = {"party": "customer"}
    assert await code(client, "sue", "POST", f"/v1/admin/cases/{case.id}/contact", body) == (404, "not_found")


async def test_a_case_by_hand(client: Client, clock: ManualClock) -> None:
    """HS-197."""
    order = await paid(client, clock)
    body = {"line": "homeservice", "subject_id": order["id"], "note": "called twice"}
    opened = await ok(client, "sue", "POST", "/v1/admin/cases", body)
    assert (opened["type"], opened["state"]) == ("manual", "open")
    assert await ok(client, "sam", "POST", "/v1/admin/cases", body) == opened
    allowed = (await ok(client, "sue", "GET", f"/v1/admin/cases/{opened['id']}"))["allowed"]
    assert [one["outcome"] for one in allowed] == [
        "reached_technician", "change_technician", "cancel_with_refund", "convert_to_pool", "coupon", "nothing_to_do",
    ]  # fmt: skip
    _, done = await decided(client, "sue", order["id"], "manual", "nothing_to_do")
    assert (done["case"]["outcome"], done["moved"]["status"]) == ("nothing_to_do", "paid")
    for wrong, answer in ((body | {"line": "rv"}, 400), (body | {"subject_id": opened["id"]}, 404)):
        assert (await code(client, "sue", "POST", "/v1/admin/cases", wrong))[0] == answer


async def test_a_complaint_is_between_its_side_and_support(client: Client, clock: ManualClock, db: Database) -> None:
    """HS-196."""
    order = await paid(client, clock)
    path = f"/v1/orders/{order['id']}"
    mine = await ok(client, "ann", "POST", f"{path}/complaint", {"text": "he was rude"})
    assert (mine["type"], mine["state"], mine["outcome"]) == ("complaint", "open", None)
    assert await ok(client, "ann", "GET", f"/v1/cases/{mine['id']}") == mine
    assert await code(client, "ben", "POST", f"{path}/complaint", {"text": "x"}) == (404, "not_found")
    assert await code(client, "ben", "GET", f"/v1/cases/{mine['id']}") == (404, "not_found")
    assert await code(client, "tom", "GET", f"/v1/partner/cases/{mine['id']}") == (404, "not_found")
    assert (await ok(client, "tom", "GET", "/v1/partner/cases"))["data"] == []
    (step,) = (await ok(client, "sue", "GET", f"/v1/admin/cases/{mine['id']}/history"))["data"]
    assert step["data"] == {"note": "he was rude"}
    await decided(client, "sue", order["id"], "complaint", "nothing_to_do", note="she exaggerates")
    (closed,) = (await ok(client, "ann", "GET", "/v1/cases?state=closed"))["data"]
    assert closed["outcome"] == "nothing_to_do"
    assert "exaggerates" not in str(closed) + str(await ok(client, "ann", "GET", f"{path}/events"))
    facts = await heard(db, "customer:acc_ann")
    assert [(fact["state"], fact["outcome"]) for fact in facts] == [("open", None), ("closed", "nothing_to_do")]
    assert await heard(db, f"worker:{await worker_of(db)}") == []


async def test_a_technician_complains_too(client: Client, clock: ManualClock) -> None:
    order = await paid(client, clock)
    path = f"/v1/partner/orders/{order['id']}/complaint"
    mine = await ok(client, "tom", "POST", path, {"text": "the dog bites"})
    assert (await ok(client, "tom", "GET", "/v1/partner/cases"))["data"] == [mine]
    assert (await ok(client, "ann", "GET", "/v1/cases"))["data"] == []
    assert await code(client, "tim", "POST", path, {"text": "x"}) == (404, "not_found")


async def heard(db: Database, listener: str) -> list[dict[str, Any]]:
    async with db.begin() as tx:
        while await outbox.number(tx, limit=1000):
            pass
        facts = await outbox.gap(tx, [listener], since=0, upto=10**9, limit=10_000)
    return [codec.loads(fact.body) for fact in facts if fact.topic == "case.progressed"]


async def worker_of(db: Database) -> str:
    async with db.begin() as tx:
        return str(await tx.fetchval("SELECT worker_id FROM technicians WHERE account_id = 'acc_tom'"))


async def test_a_console_hears_all_it_shows(client: Client, clock: ManualClock, db: Database) -> None:
    order_id, path = await rejected(client, clock)
    await ok(client, "sue", "POST", f"{path}/take", **key())
    await decided(client, "sue", order_id, "rejected", "technician_accepts")
    case = (await ok(client, "sue", "GET", path))["case"]
    async with db.begin() as tx:
        rows = await tx.fetch(
            "SELECT topic, body FROM outbox WHERE topic LIKE 'case.%' AND audience = '{desk}' ORDER BY id"
        )
    assert [row["topic"] for row in rows] == ["case.opened", "case.taken", "case.closed"]
    last = codec.loads(rows[-1]["body"])
    assert {name: last[name] for name in last if name in case} == {name: case[name] for name in last if name in case}
    assert {"due_at", "priority", "taken_by", "state", "outcome", "version", "title"} <= last.keys() & case.keys()


@pytest.mark.parametrize("who", ["ann", "tom", "fay"])
async def test_only_support_works_cases(client: Client, clock: ManualClock, who: str) -> None:
    order_id, path = await rejected(client, clock)
    asked = {
        "take": None, "release": {}, "notes": {"note": "x"}, "contact": {"party": "customer"},
        "transfer": {"to": "acc_0000000000000000000000000a", "note": "x"},
        "decide": {"outcome": "technician_accepts", "note": "x"},
    }  # fmt: skip
    for verb, body in asked.items():
        assert await code(client, who, "POST", f"{path}/{verb}", body) == (403, "forbidden")
    body = {"line": "homeservice", "subject_id": order_id, "note": "x"}
    assert await code(client, who, "POST", "/v1/admin/cases", body) == (403, "forbidden")


async def test_a_decision_needs_its_note_and_its_key(client: Client, clock: ManualClock) -> None:
    _, path = await rejected(client, clock)
    for note in ({}, {"note": ""}):
        answer = await code(client, "sue", "POST", f"{path}/decide", {"outcome": "technician_accepts", **note})
        assert answer == (400, "invalid_input")
    status, _, _ = await client.as_("sue").send(
        "POST", f"{path}/decide", json={"outcome": "technician_accepts", "note": "x"}
    )
    assert status == 400
