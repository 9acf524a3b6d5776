"""The wall between desks: one table says who sees and does what, and every channel is asked for every cell of it.

Letters of the table, of what belongs to the platform, to tenant a, to tenant b:
    T  rows of threads                      C  what was said: history, search, files, lists, `sync`
    L  hears live what nobody has taken     F  hears live of threads
    S  reads how the desk is set up         W  changes it
    K  reads cases and hears of them        D  does something with them
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from chat import calendars, cases, conversations, desk
from chat.calendars import always
from chat.conversations import Content, Kind, Reader, Staff
from chat.desk import Newcomer, Queue, Request, Rule, Thread, When, errors
from rest.desk.cases.routes import case_routes
from rest.desk.conversations.desk_routes import ROUTES as DESK_TALK
from rest.desk.conversations.routes import ROUTES as TALK
from rest.desk.support import ROUTES as SUPPORT
from rest.people.tenants.routes import ROUTES as TENANTS
from storage.base.settings import Settings
from tests.conversations.test_talking import picture
from tests.desk.conftest import Desk
from tests.desk.sockets import at_desk
from tests.edge.conftest import Client
from tests.hub.world import Phone, World
from tests.money.serving import serve

TEN_A, TEN_B = "ten_" + "a" * 26, "ten_" + "b" * 26
SIDES = (None, TEN_A, TEN_B)

MAY: dict[str, tuple[str, str, str]] = {
    "adam admin": ("TCLFSWKD", "TCFSW", "TCFSW"),
    "lead supervisor": ("TCLFKD", "TCF", "TCF"),
    "sue support": ("TCLFKD", "TF", "TF"),
    "oli ops": ("TSWK", "TSW", "TSW"),
    "fin finance": ("K", "", ""),
    "tia tenant_agent @ten_a": ("", "TCLF", ""),
    "tsu tenant_supervisor @ten_a": ("", "TCLFS", ""),
    "tad tenant_admin @ten_a": ("", "TCLFSW", ""),
    "bia tenant_agent @ten_b": ("", "", "TCLF"),
    "bad tenant_admin @ten_b": ("", "", "TCLFSW"),
    "eve": ("", "", ""),
    "lost tenant_admin": ("", "", ""),  # a role without a house: as of a token somebody made up
    "odd support @ten_a": ("", "", ""),  # the platform's role at a tenant opens neither
}
"""Who → what he may of the platform's, of a's, of b's."""

PEOPLE = {
    who.split()[0]: [{"@ten_a": f"@{TEN_A}", "@ten_b": f"@{TEN_B}"}.get(word, word) for word in who.split()[1:]]
    for who in MAY
}
SECRETS = {None: "platform secret", TEN_A: "alpha secret", TEN_B: "bravo secret"}


@dataclass
class Side:
    """What one desk has."""

    tenant_id: str | None
    queue_id: str
    calendar_id: str
    thread: Thread
    file_id: str

    @property
    def where(self) -> str:
        return self.thread.conversation_id


@pytest.fixture
async def sides(place: Desk) -> dict[str | None, Side]:
    """Each desk with hours, a queue, an agent, a thread with a message, a note and a picture."""
    async with place.db.begin() as tx:
        for tenant_id in SIDES[1:]:
            await tx.execute("INSERT INTO tenants (id, name, created_at, changed_at) VALUES ($1, $1, $2, $2)",
                             tenant_id, tx.now)  # fmt: skip
        for number, (who, words) in enumerate(PEOPLE.items()):
            tenant_id = next((word[1:] for word in words if word.startswith("@")), None)
            roles = [word for word in words if not word.startswith("@")] if who not in ("lost", "odd") else []
            await tx.execute(
                """INSERT INTO accounts (id, phone, roles, created_at, updated_at, tenant_id)
                   VALUES ($1, $2, $3, $4, $4, $5)""",
                f"acc_{who}", f"+86138000000{number:02}", ["user", *roles], tx.now, tenant_id if roles else None,
            )  # fmt: skip
    queues = {}
    for tenant_id in SIDES:
        hours = await place.db.run(calendars.create_calendar, always(), name="all", tenant_id=tenant_id)
        name = f"line of {tenant_id}"
        queues[tenant_id] = await place.queue(name=name, tenant_id=tenant_id, calendar_id=hours.id)
    await place.rules(
        *(Rule(name=str(tenant_id), queue_id=queues[tenant_id].id, when=When(tenant_ids=(tenant_id,)))
          for tenant_id in SIDES if tenant_id is not None),
        Rule(name="all", queue_id=queues[None].id),
    )  # fmt: skip
    return {tenant_id: await _side(place, tenant_id, queues[tenant_id]) for tenant_id in SIDES}


async def _side(place: Desk, tenant_id: str | None, queue: Queue) -> Side:
    place.clock.advance(seconds=1)
    name = {None: "sue", TEN_A: "tia", TEN_B: "bia"}[tenant_id]
    await place.agent(name, online=False, queues=[queue.id], tenant_id=tenant_id)
    async with place.db.begin() as tx:
        talk, _ = await conversations.open_conversation(tx, customer_id="acc_ann", tenant_id=tenant_id)
        request = Request(kind=desk.Kind.CHAT, category="order", tenant_id=tenant_id)
        thread = await desk.submit(tx, Newcomer(conversation_id=talk.id, customer_id="acc_ann", request=request))
    file_id = await picture(place.db, Reader("acc_ann"))
    ann, boss = Reader("acc_ann"), Reader("acc_boss", Staff(tenant_id, is_supervisor=True))
    for n, (who, content) in enumerate((
        (ann, Content(text=SECRETS[tenant_id])),
        (ann, Content(kind=Kind.IMAGE, file_id=file_id)),
        (boss, Content(kind=Kind.NOTE, text=f"{SECRETS[tenant_id]} note")),
    )):  # fmt: skip
        await place.db.run(conversations.say, who, talk.id, content, client_id=f"client-{n}")
    assert queue.calendar_id is not None
    return Side(tenant_id, queue.id, queue.calendar_id, thread, file_id)


@pytest.fixture
async def client(place: Desk, settings: Settings) -> AsyncIterator[Client]:
    async with serve(place.db, settings, [*TALK, *DESK_TALK, *SUPPORT, *TENANTS, *case_routes({})], PEOPLE) as made:
        yield made


def may(who: str, side: Side) -> set[str]:
    row = next(cells for name, cells in MAY.items() if name.split()[0] == who)
    return set(row[SIDES.index(side.tenant_id)])


@pytest.mark.parametrize("who", PEOPLE)
async def test_over_http_everybody_sees_his_cells_and_no_others(
    sides: dict[str | None, Side], client: Client, who: str
) -> None:
    me = client.as_(who)
    for side in sides.values():
        for letter, asked in (("T", _rows), ("C", _talk), ("S", _setup), ("W", _changes)):
            answers = await asked(me, side)
            wrong = {name: seen for name, seen in answers.items() if seen is not (letter in may(who, side))}
            assert not wrong, (who, side.tenant_id, letter)


async def _rows(me: Client, side: Side) -> dict[str, bool]:
    at = f"/v1/desk/threads/{side.where}"
    one, many = await me.send("GET", at), await me.send("GET", "/v1/desk/threads?limit=50")
    return {
        "read": one[0] == 200,
        "candidates": (await me.send("GET", at + "/candidates"))[0] == 200,
        "list": side.where in str(many[2]),
    }


async def _talk(me: Client, side: Side) -> dict[str, bool]:
    at = f"/v1/conversations/{side.where}"
    secret = SECRETS[side.tenant_id]
    found = await me.send("GET", f"/v1/conversations/search?q={secret.split()[0]}")
    return {
        "read": (await me.send("GET", at))[0] == 200,
        "history": secret in str((await me.send("GET", at + "/messages"))[2]),
        "members": (await me.send("GET", at + "/members"))[0] == 200,
        "search": secret in str(found[2]),
        "notes": f"{secret} note" in str(found[2]),
        "file": (await me.send("GET", f"{at}/files/{side.file_id}"))[0] == 200,
        "list": side.where in str((await me.send("GET", "/v1/desk/conversations?limit=50"))[2]),
    }


async def _setup(me: Client, side: Side) -> dict[str, bool]:
    period = "since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z"
    agent = {None: "acc_sue", TEN_A: "acc_tia", TEN_B: "acc_bia"}[side.tenant_id]
    rules = "?tenant_id=" + side.tenant_id if side.tenant_id else ""
    read_rules = await me.send("GET", "/v1/admin/desk/rules" + rules)
    if me.token != "lead":  # who watches over a desk without setting it up
        boards = await me.send("GET", "/v1/desk/boards")
        assert (side.queue_id in str(boards[2])) is ("S" in may(me.token or "", side)), (me.token, side.tenant_id)
    answers = {
        "hours": (await me.send("GET", f"/v1/admin/desk/calendars/{side.calendar_id}"))[0] == 200,
        "queues": side.queue_id in str((await me.send("GET", "/v1/admin/desk/queues?limit=50"))[2]),
        "agents": agent in str((await me.send("GET", "/v1/admin/desk/agents?limit=50"))[2]),
        "statistics": (await me.send("GET", f"/v1/admin/desk/statistics?{period}&queue_id={side.queue_id}"))[0] == 200,
    }
    if side.tenant_id is not None:  # without a name one's own rules are read
        answers["rules"] = read_rules[0] == 409
    return answers


async def _changes(me: Client, side: Side) -> dict[str, bool]:
    """An old version is refused to who may; others do not learn that there is one."""
    old = {"If-Match": '"v99"'}
    hours = {"name": "x", "week": [[]] * 7}
    agent = {None: "acc_sue", TEN_A: "acc_tia", TEN_B: "acc_bia"}[side.tenant_id]
    set_agent = {"name": agent, "queue_ids": [side.queue_id]}
    return {
        "queue": (await me.send("PUT", f"/v1/admin/desk/queues/{side.queue_id}", json={"name": "x"}, headers=old))[0]
        == 412,
        "hours": (await me.send("PUT", f"/v1/admin/desk/calendars/{side.calendar_id}", json=hours, headers=old))[0]
        == 412,
        "agent": (await me.send("PUT", f"/v1/admin/desk/agents/{agent}", json=set_agent))[0] == 200,
    }


async def test_over_sockets_everybody_hears_his_cells_and_no_others(
    place: Desk, sides: dict[str | None, Side], redis: Any, settings: Settings
) -> None:
    async with at_desk(place, redis, settings) as world:
        phones = {who: await _desk_phone(world, who) for who in PEOPLE if who not in ("eve", "odd")}
        assert (await _desk_phone(world, "eve")).refused is not None
        ann = await world.phone("/customer", {"token": world.truth.token("ann")})
        for n, side in enumerate(sides.values()):
            said = {"conversation_id": side.where, "client_id": f"live-{n:04}", "text": SECRETS[side.tenant_id]}
            assert (await ann.ask("say", said))["ok"]
            await place.db.run(desk.raise_severity, side.where, desk.Severity.HIGH, "acc_adam")
        await ann.until(lambda: len(ann.bodies("message.said")) == len(sides))
        await phones["adam"].until(lambda: len(phones["adam"].bodies("thread.changed")) == len(sides))
        for who, phone in phones.items():
            await _check_ears(who, phone, sides)


async def test_cases_are_the_platform_s_over_http_and_over_sockets(
    place: Desk, sides: dict[str | None, Side], client: Client, redis: Any, settings: Settings
) -> None:
    """They are of business lines, which are the platform's; no tenant's staff finds, hears or does anything."""
    for who in PEOPLE:
        place.clock.advance(seconds=1)
        case, allowed = await _case(place, f"ord_{who}"), may(who, sides[None])
        at, me = f"/v1/admin/cases/{case.id}", client.as_(who)
        for path in (at, f"{at}/history", "/v1/admin/cases"):
            assert ((await me.send("GET", path))[0] == 200) is ("K" in allowed), (who, path)
        assert ((await me.send("POST", f"{at}/take"))[0] == 200) is ("D" in allowed), who
    async with at_desk(place, redis, settings) as world:
        phones = {who: await _desk_phone(world, who) for who in PEOPLE if who != "eve"}
        case = await _case(place, "ord_live")
        await phones["sue"].until(lambda: bool(phones["sue"].bodies("case.opened")))
        for who, phone in phones.items():
            allowed = may(who, sides[None])
            remark = {"case_id": case.id, "note": "hm"}
            asked = {
                "case.remark": remark, "case.take": {"case_id": case.id}, "case.release": {"case_id": case.id},
                "case.transfer": {**remark, "to": "acc_sue"}, "case.contact": {"case_id": case.id, "party": "customer"},
                "case.open": {"line": "homeservice", "subject_id": "ord_1", "note": "hm"},
                "case.decide": {**remark, "outcome": "goes_on", "req_id": f"r-{who}"},
            }  # fmt: skip
            for name, body in asked.items():
                refusal = (await phone.ask(name, body)).get("error", {}).get("code")
                assert (refusal != "forbidden") is ("D" in allowed), (who, name, refusal)
            assert bool(phone.bodies("case.opened")) is ("K" in allowed), who


async def _case(place: Desk, order_id: str) -> cases.Case:
    async with place.db.begin() as tx:
        return await cases.open_case(
            tx, type="complaint", line="homeservice", subject_kind="order", subject_id=order_id, title="?",
            due_at=tx.now + timedelta(hours=1),
        )  # fmt: skip


async def _desk_phone(world: World, who: str) -> Phone:
    words = PEOPLE[who]
    tenant_id = next((word[1:] for word in words if word.startswith("@")), None)
    roles = [word for word in words if not word.startswith("@")]
    return await world.phone("/desk", {"token": world.truth.token(who, *roles, tenant_id=tenant_id)})


async def _check_ears(who: str, phone: Phone, sides: dict[str | None, Side]) -> None:
    answer = await phone.ask("sync", {"have": {side.where: 0 for side in sides.values()}})
    missed = {one["conversation_id"] for one in answer.get("conversations", [])}
    boards = await phone.ask("watch", {"what": "board"})
    for side in sides.values():
        allowed, said = may(who, side), str(phone.bodies("message.said"))
        assert (side.where in missed) is ("C" in allowed), (who, side.tenant_id, "sync")
        assert (side.where in said) is ("L" in allowed), (who, side.tenant_id, "message.said")
        assert (side.where in str(phone.bodies("thread.changed"))) is ("F" in allowed), (who, side.tenant_id)
        typed = await phone.ask("typing", {"conversation_id": side.where})
        assert ("ok" in typed) is ("C" in allowed), (who, side.tenant_id, typed)
        seen = {board["queue_id"] for board in boards.get("boards") or []}
        may_look = ("S" in allowed) or (who == "lead")
        assert (side.queue_id in seen) is may_look, (who, side.tenant_id, "board")


async def test_a_tenant_s_administrator_names_nothing_of_others(
    sides: dict[str | None, Side], client: Client, place: Desk
) -> None:
    """What is refused is refused also as part of something of one's own."""
    tad = client.as_("tad")
    own, other = sides[TEN_A], sides[TEN_B]
    for n, (body, code) in enumerate((
        ({"name": "q", "tenant_id": TEN_B}, 404),
        ({"name": "q", "calendar_id": other.calendar_id}, 404),
        ({"name": "q", "overflow_queue_id": sides[None].queue_id}, 422),
    )):  # fmt: skip
        key = {"Idempotency-Key": f"key-{n:016}"}
        status, _, answer = await tad.send("POST", "/v1/admin/desk/queues", json=body, headers=key)
        assert status == code, (body, answer)
    for queue_id, agent_id, refusal in (
        (other.queue_id, None, errors.QueueInvalid),
        (own.queue_id, "acc_bia", errors.RulesInvalid),
    ):
        with pytest.raises(refusal):
            await place.db.run(
                desk.publish_rules, [Rule(name="r", queue_id=queue_id, agent_id=agent_id)], by_id="acc_tad", over=0,
                tenant_id=TEN_A,
            )  # fmt: skip
        body = {"over": 0, "rules": [{"name": "r", "queue_id": queue_id}]}
        assert (await tad.send("PUT", "/v1/admin/desk/rules", json=body | {"tenant_id": TEN_B}))[0] == 404
    published = {"over": 0, "rules": [{"name": "own", "queue_id": own.queue_id}]}
    assert (await tad.send("PUT", "/v1/admin/desk/rules", json=published))[2]["version"] == 1
    platform = (await client.as_("adam").send("GET", "/v1/admin/desk/rules"))[2]
    assert [rule["name"] for rule in platform["rules"]] == [TEN_A, TEN_B, "all"]
    ran = (await tad.send("POST", "/v1/admin/desk/rules/dry_run", json={"category": "order"}))[2]
    assert (ran["queue_id"], [one["rule"] for one in ran["tried"]]) == (own.queue_id, ["own"])
    put = {"name": "Bia", "queue_ids": [own.queue_id]}
    assert (await tad.send("PUT", "/v1/admin/desk/agents/acc_bia", json=put))[0] == 404
    put = {"name": "Tia", "queue_ids": [other.queue_id]}
    assert (await tad.send("PUT", "/v1/admin/desk/agents/acc_tia", json=put))[2]["code"] == "queue_invalid"


async def test_who_works_for_a_tenant_is_said_by_the_platform_and_changed_by_the_tenant(
    sides: dict[str | None, Side], client: Client, place: Desk
) -> None:
    adam, tad, bad = (client.as_(name) for name in ("adam", "tad", "bad"))
    at = f"/v1/admin/tenants/{TEN_A}/staff"
    job = {"role": "tenant_agent", "reason": "hired"}
    assert (await tad.send("PUT", f"{at}/acc_eve", json=job))[0] == 404, "a stranger is not theirs to take"
    assert (await bad.send("PUT", f"{at}/acc_tia", json=job))[0] == 404
    assert (await bad.send("GET", at))[0] == 404
    assert (await adam.send("PUT", f"{at}/acc_eve", json=job))[2]["roles"] == ["tenant_agent", "user"]
    assert (await adam.send("PUT", f"{at}/acc_sue", json=job))[2]["code"] == "works_for_tenant"
    assert (await adam.send("PUT", f"{at}/acc_bia", json=job))[2]["code"] == "works_for_tenant"
    assert (await adam.send("PUT", "/v1/admin/tenants/ten_none/staff/acc_eve", json=job))[0] == 404
    up = {"role": "tenant_supervisor", "reason": "good"}
    assert (await tad.send("PUT", f"{at}/acc_eve", json=up))[2]["roles"] == ["tenant_supervisor", "user"]
    assert (await tad.send("PUT", f"{at}/acc_tad", json=up))[2]["code"] == "own_admin_role"
    staff = {one["id"] for one in (await tad.send("GET", at))[2]["data"]}
    assert staff == {"acc_tia", "acc_tsu", "acc_tad", "acc_eve"}
    assert (await tad.send("DELETE", f"{at}/acc_eve"))[0] == 204
    assert (await tad.send("DELETE", f"{at}/acc_bia"))[0] == 404
    async with place.db.begin() as tx:
        eve = await tx.fetchrow("SELECT roles, tenant_id FROM accounts WHERE id = 'acc_eve'")
    assert (list(eve["roles"]), eve["tenant_id"]) == (["user"], None)


async def test_agents_of_one_tenant_do_nothing_with_threads_of_another(
    place: Desk, sides: dict[str | None, Side], redis: Any, settings: Settings
) -> None:
    await place.agent("tsu", tenant_id=TEN_A, queues=[], online=False, is_supervisor=True)
    async with at_desk(place, redis, settings) as world:
        tsu = await _desk_phone(world, "tsu")
        own = sides[TEN_A].where
        for side in (sides[None], sides[TEN_B]):
            at = {"conversation_id": side.where}
            for name, body in (
                ("take_over", at | {"note": "x"}),
                ("transfer", at | {"note": "x", "queue_id": sides[TEN_A].queue_id}),
                ("resolve", at),
                ("close", at),
                ("convert", at | {"kind": "ticket"}),
                ("snooze", at | {"later": "hour"}),
                ("wake", at),
            ):
                world.clock.advance(seconds=5)
                assert (await tsu.ask(name, body))["error"]["code"] == "not_found", (name, side.tenant_id)
        there = {"conversation_id": own, "note": "x", "queue_id": sides[TEN_B].queue_id}
        assert (await tsu.ask("transfer", there))["error"]["code"] == "queue_invalid"
        assert (await tsu.ask("take_over", {"conversation_id": own, "note": "x"}))["assignee_id"] == "acc_tsu"
        help_us = {"conversation_id": own, "note": "x", "queue_id": sides[None].queue_id}
        assert (await tsu.ask("transfer", help_us))["queue_id"] == sides[None].queue_id
    async with place.db.begin() as tx:
        assert (await conversations.find_conversation(tx, own)).is_handed, "who helps can read"
