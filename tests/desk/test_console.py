"""What a console does with many at once: bulk verbs, each for itself, and saved views with their bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat import desk
from chat.desk import Kind, State
from rest.desk.support import ROUTES as SUPPORT
from rest.desk.support.bulk_routes import THREADS_MAX
from rest.desk.views import ROUTES as VIEWS
from rest.desk.views.model import VIEWS_MAX
from storage.base.settings import Settings
from storage.postgres import Database
from tests.desk.conftest import Desk
from tests.edge.conftest import Client
from tests.money.serving import serve

BULK = "/v1/desk/bulk"
LEA, SUE = "lea".ljust(26, "0"), "sue".ljust(26, "0")
PEOPLE: dict[str, list[str]] = {LEA: ["support", "supervisor"], SUE: ["support"], "ann": []}
NOBODY = "con_" + "0" * 26


@pytest.fixture
async def client(place: Desk, db: Database, settings: Settings) -> AsyncIterator[Client]:
    await place.open()
    await place.agent(SUE, chats=10)
    await place.agent(LEA, chats=10, is_supervisor=True, queues=[], online=False)
    async with serve(db, settings, [*SUPPORT, *VIEWS], PEOPLE) as made:
        yield made


async def tickets(place: Desk, count: int) -> list[str]:
    made = [(await place.come(f"c{n}", kind=Kind.TICKET)).conversation_id for n in range(count)]
    await place.settle()
    return made


async def bulk(client: Client, who: str, ids: list[str], n: int, **body: Any) -> tuple[int, Any]:
    headers = {"Idempotency-Key": f"console-test-{n:08d}"}
    sent = {"conversation_ids": ids, **body}
    status, _, answer = await client.as_(who).send("POST", BULK, json=sent, headers=headers)
    return status, answer


def outcomes(answer: Any) -> list[str]:
    return ["done" if one["is_done"] else one["code"] for one in answer["data"]]


async def test_each_is_done_or_refused_for_itself_and_once(place: Desk, client: Client) -> None:
    one, two, three = await tickets(place, 3)
    await place.db.run(desk.resolve, two, by_id=f"acc_{SUE}", resolution="done")
    asked = [one, two, NOBODY, three, one]
    status, first = await bulk(client, SUE, asked, 1, verb="resolve", resolution="Refunded.")
    assert (status, outcomes(first)) == (200, ["done", "not_assignee", "not_found", "done"])
    assert [one["thread"] and one["thread"]["resolution"] for one in first["data"]][0] == "Refunded."
    assert all(one["detail"] for one in first["data"] if not one["is_done"])
    await place.db.run(desk.reopen, two, by_id="acc_c1")
    await place.settle()
    again = await bulk(client, SUE, asked, 1, verb="resolve", resolution="Refunded.")
    assert again == (200, first), "what was refused stays refused under this key"
    assert (await place.thread(two)).state is not State.RESOLVED
    assert (await place.events(await place.thread(one))).count("resolve") == 1
    other = await bulk(client, SUE, [two], 1, verb="resolve", resolution="Something else.")
    assert other[1]["code"] == "key_reused"
    assert (await bulk(client, SUE, [two], 2, verb="resolve"))[1]["data"][0]["code"] == "resolution_required"
    async with place.db.begin() as tx:
        deeds = await tx.fetch("SELECT subject_ids FROM audit WHERE operation = 'desk.bulk' ORDER BY id")
    assert sorted(row["subject_ids"][0] for row in deeds) == sorted([one, three]), "each deed is written down once"


async def test_the_same_key_twice_at_once_does_everything_once(place: Desk, client: Client) -> None:
    ids = await tickets(place, 5)
    sent = [bulk(client, SUE, ids, 1, verb="resolve", resolution="Done.") for _ in range(4)]
    answers = await asyncio.gather(*sent)
    assert {status for status, _ in answers} == {200}
    assert all(outcomes(answer) == ["done"] * 5 for _, answer in answers)
    for one in ids:
        assert (await place.thread(one)).closure_no == 1


async def test_assigning_closing_and_weighing(place: Desk, client: Client) -> None:
    ids = await tickets(place, 2)
    mine = {"verb": "assign", "agent_id": f"acc_{LEA}", "note": "I look at them."}
    assert outcomes((await bulk(client, SUE, ids, 1, **mine))[1]) == ["agent_off_duty"] * 2
    assert outcomes((await bulk(client, LEA, ids, 2, **mine))[1]) == ["done"] * 2
    assert {(await place.thread(one)).assignee_id for one in ids} == {f"acc_{LEA}"}
    assert outcomes((await bulk(client, SUE, ids, 3, verb="resolve", resolution="x"))[1]) == ["not_assignee"] * 2
    back = {"verb": "assign", "agent_id": f"acc_{SUE}", "note": "Yours."}
    assert outcomes((await bulk(client, LEA, ids[:1], 4, **back))[1]) == ["done"]
    assert outcomes((await bulk(client, LEA, ids, 5, verb="severity", severity="high"))[1]) == ["done"] * 2
    assert {(await place.thread(one)).severity.value for one in ids} == {"high"}
    assert outcomes((await bulk(client, LEA, ids, 6, verb="close"))[1]) == ["thread_state"] * 2
    assert outcomes((await bulk(client, LEA, ids, 7, verb="resolve", resolution="Done."))[1]) == ["done"] * 2
    assert outcomes((await bulk(client, LEA, ids, 8, verb="close"))[1]) == ["done"] * 2


async def test_what_is_malformed_does_nothing(place: Desk, client: Client) -> None:
    ids = await tickets(place, 1)
    assert (await bulk(client, LEA, ids, 1, verb="assign"))[0] == 400
    assert (await bulk(client, LEA, ids, 2, verb="severity"))[0] == 400
    assert (await bulk(client, LEA, [], 3, verb="close"))[0] == 400
    assert (await bulk(client, LEA, [NOBODY] * (THREADS_MAX + 1), 4, verb="close"))[0] == 400
    assert (await bulk(client, "ann", ids, 5, verb="close"))[0] == 403
    assert (await client.as_(LEA).send("POST", BULK, json={"conversation_ids": ids, "verb": "close"}))[0] == 400


# Views


async def save(client: Client, who: str, name: str, n: int, **more: Any) -> tuple[int, Any]:
    headers = {"Idempotency-Key": f"views-test-{n:010d}"}
    body = {"name": name, "filter": {"state": "open", "severity": "high"}, **more}
    status, _, answer = await client.as_(who).send("POST", "/v1/desk/views", json=body, headers=headers)
    return status, answer


async def names(client: Client, who: str) -> list[str]:
    found, cursor = [], ""
    while cursor is not None:
        page = (await client.as_(who).send("GET", f"/v1/desk/views?limit=7{cursor}"))[2]
        found += [one["name"] for one in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["has_more"] else None
    return found


async def test_views_are_ones_own_or_the_desk_s(place: Desk, client: Client) -> None:
    status, own = await save(client, SUE, "Mine", 1)
    wanted = {name: value for name, value in own["filter"].items() if value is not None}
    assert (status, wanted, own["is_shared"]) == (201, {"state": "open", "severity": "high"}, False)
    assert (await save(client, SUE, "All", 2, is_shared=True))[0] == 403
    place.clock.advance(seconds=1)
    status, shared = await save(client, LEA, "All", 3, is_shared=True)
    assert (await names(client, SUE), await names(client, LEA)) == (["Mine", "All"], ["All"])
    assert (await save(client, SUE, "Mine", 4))[1]["code"] == "view_name_used"
    assert (await save(client, SUE, "Odd", 5, filter={"colour": "red"}))[0] == 400
    for who, view in ((SUE, shared), (LEA, own)):
        assert (await client.as_(who).send("DELETE", f"/v1/desk/views/{view['id']}"))[0] == 404
    assert (await client.as_(LEA).send("DELETE", f"/v1/desk/views/{shared['id']}"))[0] == 204
    assert await names(client, SUE) == ["Mine"]


async def test_however_many_are_saved_at_once_there_are_never_too_many(place: Desk, client: Client) -> None:
    answers = await asyncio.gather(*(save(client, SUE, f"View {n}", n) for n in range(VIEWS_MAX + 5)))
    made = [answer for status, answer in answers if status == 201]
    refused = {answer["code"] for status, answer in answers if status != 201}
    assert refused <= {"too_many_views", "try_again"}
    n = 100
    while len(made) < VIEWS_MAX:
        n += 1
        status, answer = await save(client, SUE, f"View {n}", n)
        assert status == 201, answer
        made.append(answer)
    assert (await save(client, SUE, "One more", 999))[1]["code"] == "too_many_views"
    assert len(await names(client, SUE)) == VIEWS_MAX
