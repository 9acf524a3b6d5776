"""The desk over HTTP: set up, asked, served, rated; and who may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat import desk
from rest.desk.support import ROUTES
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve

PEOPLE: dict[str, list[str]] = {"ann": [], "bob": [], "sue": ["support"], "tom": ["support"], "oli": ["ops"]}


class Calls:
    """One server, by name and verb."""

    def __init__(self, client: Client, db: Database, settings: Settings) -> None:
        self.client, self.count = client, 0
        self.runner = JobRunner(db, settings, desk.DEADLINES, subscribers=desk.SUBSCRIBERS)

    async def __call__(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        self.count += 1
        if method == "POST":
            headers["Idempotency-Key"] = f"key-{self.count:016d}"
        options = {} if body is None else {"json": body}
        status, _, answer = await self.client.as_(who).send(method, path, headers=headers, **options)
        await self.runner.drain()
        return status, answer


@pytest.fixture
async def call(db: Database, settings: Settings) -> AsyncIterator[Calls]:
    async with serve(db, settings, ROUTES, PEOPLE) as client:
        yield Calls(client, db, settings)


async def test_a_chat_from_the_first_word_to_the_last(call: Calls, db: Database) -> None:
    status, queue = await call("oli", "POST", "/v1/admin/desk/queues", {"name": "help"})
    assert status == 201
    rules = {"over": 0, "rules": [{"name": "all", "queue_id": queue["id"]}]}
    assert (await call("oli", "PUT", "/v1/admin/desk/rules", rules))[0] == 200
    assert (await call("oli", "PUT", "/v1/admin/desk/rules", rules))[1]["code"] == "stale_version"
    for name in ("sue", "tom"):
        async with db.begin() as tx:
            await desk.add_agent(tx, f"acc_{name}", name=name, chats_max=1, is_supervisor=name == "tom")
            await desk.set_queues(tx, f"acc_{name}", [queue["id"]] if name == "sue" else [])

    status, asked = await call("ann", "POST", "/v1/support", {"category": "order"})
    assert (status, asked["state"], asked["position"]) == (201, "queued", 1)
    path = f"/v1/support/{asked['conversation_id']}"
    assert (await call("bob", "GET", path))[0] == 404
    dry = (await call("oli", "POST", "/v1/admin/desk/rules/dry_run", {"category": "order"}))[1]
    assert dry["agents"][0]["why_not"] == ["state_offline", "not_present"]

    assert (await call("sue", "PUT", "/v1/desk/me/state", {"state": "online"}))[1]["state"] == "online"
    offered = (await call("ann", "GET", path))[1]
    assert (offered["state"], offered["agent_name"]) == ("offered", None), "asked is not taken"
    async with db.begin() as tx:
        offer = await tx.fetchval("SELECT id FROM assignments WHERE ended_at IS NULL")
    assert (await call("tom", "POST", f"/v1/desk/assignments/{offer}/accept"))[0] == 404
    assert (await call("sue", "POST", f"/v1/desk/assignments/{offer}/accept"))[1]["state"] == "open"
    mine = (await call("sue", "GET", "/v1/desk/threads?mine=true&state=open"))[1]["data"]
    assert [one["conversation_id"] for one in mine] == [asked["conversation_id"]]
    thread = f"/v1/desk/threads/{asked['conversation_id']}"
    assert (await call("oli", "POST", thread + "/resolve", {}))[0] == 404, "who is no agent answers nobody"
    both = {"note": "x", "agent_id": None, "queue_id": None}
    assert (await call("sue", "POST", thread + "/transfer", both))[0] == 400
    assert (await call("tom", "POST", thread + "/take_over", {"note": "mine"}))[1]["assignee_id"] == "acc_tom"
    assert (await call("sue", "POST", thread + "/resolve", {}))[1]["code"] == "not_assignee"
    assert (await call("ann", "GET", path))[1]["agent_name"] == "tom"
    assert (await call("tom", "POST", thread + "/resolve", {}))[1]["state"] == "resolved"
    assert (await call("ann", "POST", path + "/rating", {"score": 6}))[0] == 400
    assert (await call("ann", "POST", path + "/rating", {"score": 5}))[1]["score"] == 5
    assert (await call("ann", "GET", path))[1]["state"] == "closed"
    period = "since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z"
    numbers = (await call("oli", "GET", f"/v1/admin/desk/statistics?{period}"))[1]
    assert (numbers["score_mean_milli"], numbers["rated"], numbers["counts"]["ended_taken_over"]) == (5000, 1, 1)


async def test_hours_and_quick_replies(call: Calls) -> None:
    day = [[540, 1080]]
    hours = {"name": "office", "week": [day] * 5 + [[], []], "overrides": [{"on": "2026-01-06", "day": []}]}
    status, made = await call("oli", "POST", "/v1/admin/desk/calendars", hours)
    assert (status, made["overrides"]) == (201, {"2026-01-06": []})
    where = f"/v1/admin/desk/calendars/{made['id']}"
    for wrong in (
        {"zone": "Mars/Base"},
        {"overrides": [{"on": "2026-02-30", "day": []}]},
        {"week": [[[600, 700], [650, 800]]] * 7},
    ):
        status, problem = await call("oli", "PUT", where, hours | wrong, **{"If-Match": '"v1"'})
        assert (status, problem["code"]) == (422, "calendar_invalid"), wrong
    assert (await call("oli", "PUT", where, hours | {"name": "o"}, **{"If-Match": '"v1"'}))[1]["version"] == 2
    assert (await call("oli", "PUT", where, hours, **{"If-Match": '"v1"'}))[0] == 412

    reply = {"shortcut": "hello", "body": "您好 {{customer_name}}"}
    status, kept = await call("sue", "POST", "/v1/desk/quick_replies", reply)
    assert status == 201
    assert (await call("sue", "POST", "/v1/desk/quick_replies", reply))[1]["code"] == "shortcut_used"
    assert (await call("sue", "POST", "/v1/desk/quick_replies", reply | {"scope": "platform"}))[0] == 403
    assert (await call("tom", "GET", "/v1/desk/quick_replies"))[1]["data"] == []
    assert (await call("tom", "DELETE", f"/v1/desk/quick_replies/{kept['id']}"))[0] == 404
    assert (await call("sue", "DELETE", f"/v1/desk/quick_replies/{kept['id']}"))[0] == 204


@pytest.mark.parametrize("path", ["/v1/desk/threads", "/v1/desk/me", "/v1/admin/desk/queues", "/v1/admin/desk/rules"])
async def test_the_desk_is_for_staff(call: Calls, path: str) -> None:
    assert (await call("ann", "GET", path))[0] == 403
