"""A customer and a tenant's desk: he opens it himself, by the tenant or by an order; walls hold all the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from chat import desk
from chat.desk import Rule, When
from rest.desk.conversations.routes import ROUTES as TALK
from rest.desk.support import ROUTES as SUPPORT
from rest.desk.support.subjects import SUBJECTS, SubjectCard
from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database
from storage.tx import Tx
from tests.desk.conftest import Desk
from tests.desk.sockets import at_desk, customer_phone
from tests.desk.test_routes import Calls
from tests.money.serving import serve

TEN_A, TEN_B = "ten_" + "a" * 26, "ten_" + "b" * 26
PEOPLE = {
    "ann": [], "bob": [], "sue": ["support"], "tia": ["tenant_agent", f"@{TEN_A}"],
    "bia": ["tenant_agent", f"@{TEN_B}"], "lead": ["supervisor"],
}  # fmt: skip
ORD_A, ORD_P = "ord_" + "a" * 26, "ord_" + "b" * 26
TENANT_OF: Mapping[str, str | None] = {ORD_A: TEN_A, ORD_P: None}
DAY = datetime(2026, 1, 5, tzinfo=UTC)


async def card(_tx: Tx, order_id: str) -> SubjectCard | None:
    """A line whose orders are served by tenants."""
    return SubjectCard(
        kind="order", id=order_id, no="1", line="test", title={}, status="paid", customer_id="acc_ann", worker_id=None,
        starts_at=None, total_fen=1, paid_fen=1, refunded_fen=0, created_at=DAY, version=1,
        tenant_id=TENANT_OF[order_id],
    )  # fmt: skip


@pytest.fixture
async def call(place: Desk, db: Database, settings: Settings) -> AsyncIterator[Calls]:
    """Three desks with a queue and an agent each; two orders of Ann's, one of them tenant a's."""
    queues = {}
    for tenant_id, agent in ((None, "sue"), (TEN_A, "tia"), (TEN_B, "bia")):
        if tenant_id is not None:
            async with db.begin() as tx:
                await tx.execute("INSERT INTO tenants (id, name, created_at, changed_at) VALUES ($1, $1, $2, $2)",
                                 tenant_id, tx.now)  # fmt: skip
        queues[tenant_id] = (await place.queue(name=f"of {tenant_id}", tenant_id=tenant_id)).id
        await place.agent(agent, queues=[queues[tenant_id]], tenant_id=tenant_id)
    tenants = [Rule(name=t, queue_id=queues[t], when=When(tenant_ids=(t,))) for t in (TEN_A, TEN_B)]
    await place.rules(*tenants, Rule(name="all", queue_id=queues[None]))
    async with db.begin() as tx:
        for order_id in TENANT_OF:
            await tx.execute(
                """INSERT INTO orders (id, no, line, kind, mode, customer_id, status, version, total_fen, snapshot,
                                       created_at, updated_at)
                   VALUES ($1, $1, 'test', 'visit', 'grab', 'acc_ann', 'paid', 1, 0, '{}', $2, $2)""",
                order_id, tx.now,
            )  # fmt: skip

    def wire(app: web.Application) -> None:
        app[SUBJECTS] = {"order": card}

    async with serve(db, settings, [*TALK, *SUPPORT], PEOPLE, wire) as client:
        calls = Calls(client, db, settings)
        calls.runner = JobRunner(db, settings, desk.DEADLINES, subscribers=desk.SUBSCRIBERS)
        yield calls


async def asked(call: Calls, **body: Any) -> tuple[int, Any]:
    return await call("ann", "POST", "/v1/support", {"category": "order", **body})


async def test_who_is_asked_is_said_by_the_tenant_or_by_the_order(call: Calls) -> None:
    where = {}
    for name, body, tenant_id in (
        ("platform", {}, None),
        ("a", {"tenant_id": TEN_A}, TEN_A),
        ("b", {"tenant_id": TEN_B}, TEN_B),
        ("order of a", {"order_id": ORD_A}, TEN_A),
        ("order of nobody", {"order_id": ORD_P}, None),
        ("order of a, at the platform", {"order_id": ORD_A, "at_platform": True}, None),
    ):
        status, answer = await asked(call, **body)
        assert (status, answer["tenant_id"]) == (201, tenant_id), name
        where[name] = answer["conversation_id"]
        assert (await asked(call, **body))[1]["conversation_id"] == where[name], "what is open goes on"
    assert len(set(where.values())) == 6
    for body, code in (
        ({"tenant_id": "ten_" + "c" * 26}, "not_found"),
        ({"tenant_id": TEN_B, "order_id": ORD_A}, "invalid_input"),
        ({"tenant_id": TEN_A, "order_id": ORD_P}, "invalid_input"),
        ({"tenant_id": TEN_A, "at_platform": True}, "invalid_input"),
        ({"order_id": "ord_" + "c" * 26}, "not_found"),
    ):
        assert (await asked(call, **body))[1]["code"] == code, body
    assert (await call("bob", "POST", "/v1/support", {"category": "x", "order_id": ORD_A}))[0] == 404
    mine = (await call("ann", "GET", "/v1/support?limit=50"))[1]["data"]
    assert {one["conversation_id"] for one in mine} == set(where.values())
    at_a = (await call("ann", "GET", f"/v1/support?tenant_id={TEN_A}&state=queued,offered"))[1]["data"]
    assert {one["conversation_id"] for one in at_a} == {where["a"], where["order of a"]}
    first = (await call("ann", "GET", "/v1/support?limit=4"))[1]
    rest = (await call("ann", "GET", f"/v1/support?limit=4&cursor={first['next_cursor']}"))[1]["data"]
    assert (len(first["data"]), len(rest)) == (4, 2)
    assert (await call("bob", "GET", "/v1/support"))[1]["data"] == []


async def test_the_walls_hold_from_the_customer_s_first_word_on(call: Calls) -> None:
    """Only the tenant's agents see it; supervisors of the platform read it and do not answer (decision 28)."""
    where = (await asked(call, tenant_id=TEN_A))[1]["conversation_id"]
    said = {"client_id": "client-0001", "kind": "text", "text": "alpha secret"}
    assert (await call("ann", "POST", f"/v1/conversations/{where}/messages", said))[0] == 201
    may_read = {who: (await call(who, "GET", f"/v1/conversations/{where}/messages"))[0] == 200 for who in PEOPLE}
    assert may_read == {"ann": True, "bob": False, "sue": False, "tia": True, "bia": False, "lead": True}
    answers = {}
    for who in ("tia", "bia", "sue", "lead"):
        answer = await call(who, "POST", f"/v1/conversations/{where}/messages", said | {"client_id": f"client-{who}"})
        answers[who] = answer[1].get("code", "ok")
    assert answers == {"tia": "ok", "bia": "not_found", "sue": "not_found", "lead": "read_only"}
    status, opened = await call("ann", "POST", "/v1/conversations", {"tenant_id": TEN_B})
    assert (status, opened["conversation"]["tenant_id"]) == (201, TEN_B)
    with_order = {"tenant_id": TEN_B, "subject": {"kind": "order", "id": ORD_A}}
    assert (await call("ann", "POST", "/v1/conversations", with_order))[1]["code"] == "invalid_input"


async def test_the_tenant_s_desk_hears_it_live_and_serves_it(
    call: Calls, place: Desk, redis: Any, settings: Settings
) -> None:
    async with at_desk(place, redis, settings) as world:
        phones = {}
        for who, role, tenant_id in (("tia", "tenant_agent", TEN_A), ("bia", "tenant_agent", TEN_B)):
            token = world.truth.token(who, role, tenant_id=tenant_id)
            phones[who] = await world.phone("/desk", {"token": token})
        phones["sue"] = await world.phone("/desk", {"token": world.truth.token("sue", "support")})
        ann = await customer_phone(world, "ann")
        where = (await asked(call, order_id=ORD_A))[1]["conversation_id"]
        tia = phones["tia"]
        await tia.until(lambda: bool(tia.bodies("thread.offered")))
        taken = await tia.ask("accept", {"assignment_id": tia.bodies("thread.offered")[0]["assignment_id"]})
        assert (taken["conversation_id"], taken["state"]) == (where, "open")
        said = {"conversation_id": where, "client_id": "client-tia1", "text": "we are at it"}
        assert (await tia.ask("say", said))["ok"]
        await ann.until(lambda: [body["text"] for body in ann.bodies("message.said")] == ["we are at it"])
        assert (await tia.ask("resolve", {"conversation_id": where}))["state"] == "resolved"
        await ann.until(lambda: bool(ann.bodies("rating.asked")))
        for who in ("bia", "sue"):
            assert where not in str(phones[who].bodies("message.said")), who
        assert where not in str(phones["bia"].heard)
