"""What staff change is written down with the change, once, and never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import asyncpg
import pytest
from msgspec import Meta

from rest.edge.context import Ctx
from rest.edge.registry import Route
from rest.edge.reply import Answer, Reply
from rest.edge.values import Body
from rest.people.audit import ROUTES as AUDIT
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx
from tests.edge.conftest import Client
from tests.money.serving import serve


class Wanted(Body, frozen=True, kw_only=True):
    """What the test's own route takes."""

    reason: Annotated[str, Meta(max_length=10_000)]
    phone: str = ""
    fail: bool = False


async def change(ctx: Ctx) -> Answer:
    async def act(tx: Tx) -> Answer:
        await tx.execute("SELECT 1")
        if ctx.body.fail:
            raise asyncpg.CheckViolationError
        return Reply(Wanted(reason="done"), etag=7)

    return await ctx.transact(act)


async def forget(_ctx: Ctx) -> Answer:
    return Wanted(reason="done")


def route(path: str, handler: Any, *roles: str) -> Route:
    return Route(
        "POST", path, handler, f"things.{path.rsplit('/', 1)[1]}", "Change a thing",
        request=Wanted, response=Wanted, idempotent="optional", roles=roles, has_etag=True,
    )  # fmt: skip


ROUTES = [
    route("/v1/admin/things/{thing_id}/change", change, "finance", "admin"),
    route("/v1/admin/things/{thing_id}/forget", forget, "finance"),
    route("/v1/things/{thing_id}/own", change, "user"),
    *AUDIT,
]


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    people = {"fay": ["finance"], "opal": ["ops"], "ann": []}
    async with serve(db, settings, ROUTES, people) as running:
        yield running.as_("fay")


async def post(client: Client, path: str, key: str = "key-000000000001", **body: Any) -> int:
    status, _, _ = await client.send("POST", path, json={"reason": "asked"} | body, headers={"Idempotency-Key": key})
    return int(status)


async def deeds(client: Client, query: str = "") -> list[Any]:
    status, _, page = await client.as_("opal").send("GET", f"/v1/admin/audit?{query}")
    assert status == 200, page
    return list(page["data"])


async def test_a_change_is_written_down_once_without_secrets(client: Client) -> None:
    path = "/v1/admin/things/thg_1/change"
    for _ in range(2):  # the second is answered from the key
        assert await post(client, path, phone="13800138000") == 200
    (deed,) = await deeds(client)
    assert (deed["actor_id"], deed["operation"], deed["subject"]) == ("acc_fay", "things.change", {"thing_id": "thg_1"})
    assert deed["body"] == {"reason": "asked", "phone": "138****00", "fail": False}
    assert (deed["status"], deed["outcome_version"], deed["address"]) == (200, '"v7"', "127.0.0.1")
    assert deed["request_id"]


async def test_what_fails_and_what_people_do_for_themselves_is_no_deed(client: Client) -> None:
    assert await post(client, "/v1/admin/things/thg_1/change", fail=True) == 500
    assert await post(client.as_("ann"), "/v1/admin/things/thg_1/change") == 403
    assert await post(client, "/v1/things/thg_1/own", key="key-000000000002") == 200
    assert await deeds(client) == []


async def test_a_route_of_staff_that_writes_nothing_down_does_not_answer(client: Client) -> None:
    status, _, _ = await client.send("POST", "/v1/admin/things/thg_1/forget", json={"reason": "x"})
    assert status == 500


async def test_a_long_body_is_not_kept(client: Client) -> None:
    assert await post(client, "/v1/admin/things/thg_1/change", reason="x" * 5_000) == 200
    assert (await deeds(client))[0]["body"] is None


async def test_deeds_are_found_by_whom_what_and_when_in_pages(client: Client, clock: ManualClock) -> None:
    for n in range(3):
        clock.advance(seconds=1)
        assert await post(client, f"/v1/admin/things/thg_{n}/change", key=f"key-00000000000{n}") == 200
    subjects = [deed["subject"]["thing_id"] for deed in await deeds(client, "actor_id=acc_" + "0" * 26)]
    assert subjects == []
    assert [deed["subject"]["thing_id"] for deed in await deeds(client, "subject_id=thg_1")] == ["thg_1"]
    assert len(await deeds(client, "operation=things.change")) == 3
    _, _, first = await client.as_("opal").send("GET", "/v1/admin/audit?limit=2")
    _, _, rest = await client.as_("opal").send("GET", f"/v1/admin/audit?limit=2&cursor={first['next_cursor']}")
    assert [deed["subject"]["thing_id"] for deed in (*first["data"], *rest["data"])] == ["thg_2", "thg_1", "thg_0"]
    assert (await client.send("GET", "/v1/admin/audit"))[0] == 403


async def test_rows_never_change(client: Client, db: Database) -> None:
    assert await post(client, "/v1/admin/things/thg_1/change") == 200
    for statement in ("UPDATE audit SET status = 500", "DELETE FROM audit"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with db.begin() as tx:
                await tx.execute(statement)
