"""Walls between the queues of one house (EB-070): one table says who sees, and every way there is is asked.

Two queues, repair and consult; repair is for its members only. Of each person the table says whether he sees what is in
it; over REST, sockets, search, synchronising and files the answer is that one, and 403 `members_only` names the wall.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from chat import conversations, desk
from chat.conversations import Content, Kind, Reader, Staff
from chat.desk import Queue, Request, Rule, Thread, When, errors
from hub.ports import OrderView
from rest.desk.conversations.desk_routes import ROUTES as DESK_TALK
from rest.desk.conversations.routes import ROUTES as TALK
from rest.desk.support import ROUTES as SUPPORT
from storage.base.settings import Settings
from tests.conversations.test_talking import picture
from tests.desk.conftest import Desk
from tests.desk.invariants import violations
from tests.desk.sockets import at_desk, customer_phone
from tests.edge.conftest import Client
from tests.hub.test_relay import until
from tests.hub.world import Phone, World
from tests.money.serving import serve

TEN = "ten_" + "a" * 26
HOUSES = (None, TEN)

SEES: dict[str, tuple[bool, bool]] = {
    "rex support": (True, False),  # a member of the platform's repair
    "con support": (False, False),  # answers its consulting
    "row support": (True, False),  # an agent who watches over, by his row
    "lead supervisor": (True, True),
    "adam admin": (True, True),
    "tia tenant_agent @": (False, True),  # a member of the tenant's repair
    "tom tenant_agent @": (False, False),  # answers its consulting
    "tsu tenant_supervisor @": (False, True),
}
"""Who → whether he sees what was said in repair of the platform, of the tenant."""

PEOPLE = {who.split()[0]: [f"@{TEN}" if word == "@" else word for word in who.split()[1:]] for who in SEES}
MEMBERS = {"rex": "repair", "con": "consult", "row": "consult", "tia": "repair", "tom": "consult"}
SECRET = "broken fork"


@dataclass
class House:
    """A desk with two queues, and what is in the one for members only."""

    repair: Queue
    consult: Queue
    thread: Thread
    file_id: str

    @property
    def where(self) -> str:
        return self.thread.conversation_id


@pytest.fixture
async def houses(place: Desk) -> dict[str | None, House]:
    async with place.db.begin() as tx:
        await tx.execute("INSERT INTO tenants (id, name, created_at, changed_at) VALUES ($1, $1, $2, $2)", TEN, tx.now)
    lines = {
        side: {name: await place.queue(name=name, tenant_id=side, members_only=name == "repair")
               for name in ("repair", "consult")}
        for side in HOUSES
    }  # fmt: skip
    await place.rules(
        Rule(name="t", queue_id=lines[TEN]["repair"].id, when=When(tenant_ids=(TEN,), categories=("repair",))),
        Rule(name="tc", queue_id=lines[TEN]["consult"].id, when=When(tenant_ids=(TEN,))),
        Rule(name="p", queue_id=lines[None]["repair"].id, when=When(categories=("repair",))),
        Rule(name="all", queue_id=lines[None]["consult"].id),
    )
    for who, name in MEMBERS.items():
        side = TEN if who in ("tia", "tom") else None
        await place.agent(who, queues=[lines[side][name].id], tenant_id=side, online=False, is_supervisor=who == "row")
    return {side: await _house(place, side, lines[side]) for side in HOUSES}


async def asks(place: Desk, who: str, *, category: str = "repair", tenant_id: str | None = None) -> Thread:
    """As customers do it: about an order, in one transaction with its conversation."""
    place.clock.advance(seconds=1)
    request = Request(kind=desk.Kind.CHAT, category=category, tenant_id=tenant_id)
    subject = ("order", "ord_1" if tenant_id is None else "ord_2")
    return await place.db.run(desk.ask, f"acc_{who}", request, subject=subject)


async def _house(place: Desk, side: str | None, queues: dict[str, Queue]) -> House:
    thread = await asks(place, "ann", tenant_id=side)
    ann, where = Reader("acc_ann"), thread.conversation_id
    file_id = await picture(place.db, ann)
    boss = Reader("acc_boss", Staff(side, is_supervisor=True))
    for n, (who, content) in enumerate((
        (ann, Content(text=SECRET)),
        (ann, Content(kind=Kind.IMAGE, file_id=file_id)),
        (boss, Content(kind=Kind.NOTE, text=f"{SECRET} note")),
    )):  # fmt: skip
        await place.db.run(conversations.say, who, where, content, client_id=f"client-{n}")
    return House(queues["repair"], queues["consult"], thread, file_id)


@pytest.fixture
async def client(place: Desk, settings: Settings) -> AsyncIterator[Client]:
    async with serve(place.db, settings, [*TALK, *DESK_TALK, *SUPPORT], PEOPLE) as made:
        yield made


def sees(who: str, side: str | None) -> bool:
    row = next(cells for name, cells in SEES.items() if name.split()[0] == who)
    return row[HOUSES.index(side)]


def is_colleague(who: str, side: str | None) -> bool:
    """Whether he works in this house, so that he is told of the wall and not that there is nothing."""
    return (f"@{TEN}" in PEOPLE[who]) is (side == TEN)


@pytest.mark.parametrize("who", PEOPLE)
async def test_over_http_members_and_leads_see_and_nobody_else(
    houses: dict[str | None, House], client: Client, who: str
) -> None:
    me = client.as_(who)
    for side, house in houses.items():
        direct = await _direct(me, house)
        wrong = {name: found for name, found in direct.items() if (found[0] == 200) is not sees(who, side)}
        assert not wrong, (who, side)
        if is_colleague(who, side) and not sees(who, side):
            assert {(status, body["code"]) for status, body in direct.values()} == {(403, "queue_members_only")}
        lists = await _lists(me, house)
        assert lists == dict.fromkeys(lists, sees(who, side)), (who, side)


async def _direct(me: Client, house: House) -> dict[str, tuple[int, Any]]:
    at, talk = f"/v1/desk/threads/{house.where}", f"/v1/conversations/{house.where}"
    asked = {path: await me.send("GET", path) for path in (
        talk, f"{talk}/messages", f"{talk}/members", f"{talk}/files/{house.file_id}",
    )}  # fmt: skip
    # The rows of a tenant's threads the platform's supervisors see as everything else; its agents only when members.
    if me.token not in ("row",):
        asked |= {path: await me.send("GET", path) for path in (at, f"{at}/candidates", f"{at}/context")}
    return {path: (status, body) for path, (status, _, body) in asked.items()}


async def _lists(me: Client, house: House) -> dict[str, bool]:
    found = (await me.send("GET", f"/v1/conversations/search?q={SECRET.split(maxsplit=1)[0]}"))[2]["data"]
    here = [one["text"] for one in found if one["conversation_id"] == house.where]
    seen = {
        "search": SECRET in here,
        "notes": f"{SECRET} note" in here,
        "conversations": house.where in str((await me.send("GET", "/v1/desk/conversations?limit=50"))[2]),
    }
    if me.token != "row":
        seen["threads"] = house.where in str((await me.send("GET", "/v1/desk/threads?limit=50"))[2])
        seen["of_queue"] = house.where in str(
            (await me.send("GET", f"/v1/desk/threads?limit=50&queue_id={house.repair.id}"))[2]
        )
        promises = (await me.send("GET", "/v1/desk/floor"))[2]["promises"]
        seen["promises"] = house.where in {one["conversation_id"] for one in promises}
    return seen


async def test_everything_that_is_done_to_it_is_refused_to_others(
    houses: dict[str | None, House], client: Client
) -> None:
    house, con, n = houses[None], client.as_("con"), 0
    talk, at = f"/v1/conversations/{house.where}", f"/v1/desk/threads/{house.where}"
    said = {"client_id": "by-con-0001", "text": "hello"}
    desk_at = f"/v1/desk/conversations/{house.where}"
    for method, path, body in (
        ("POST", f"{talk}/messages", said),
        ("POST", f"{talk}/messages", said | {"kind": "note"}),
        ("POST", f"{talk}/messages/1/edit", said),
        ("POST", f"{talk}/messages/1/recall", {"client_id": "by-con-0002"}),
        ("PUT", f"{talk}/draft", {"text": "x"}),
        ("GET", f"{talk}/draft", None),
        ("PUT", f"{talk}/read", {"read_seq": 1}),
        ("POST", f"{desk_at}/worker", {}),
        ("DELETE", f"{desk_at}/members/acc_ann", None),
        ("POST", f"{desk_at}/close", None),
        ("POST", f"{desk_at}/reopen", None),
        ("POST", f"{at}/transfer", {"note": "x", "queue_id": house.consult.id}),
        ("POST", f"{at}/take_over", {"note": "x"}),
        ("POST", f"{at}/resolve", {}),
        ("POST", f"{at}/close", None),
        ("POST", f"{at}/convert", {"kind": "ticket"}),
        ("PUT", f"{at}/snooze", {"later": "hour"}),
        ("DELETE", f"{at}/snooze", None),
        ("PUT", f"{at}/severity", {"severity": "high"}),
    ):  # fmt: skip
        n += 1
        more = {} if body is None else {"json": body}
        status, _, answer = await con.send(method, path, headers={"Idempotency-Key": f"key-{n:016}"}, **more)
        assert (status, answer["code"]) == (403, "queue_members_only"), (method, path, answer)
    for verb in ({"verb": "resolve"}, {"verb": "severity", "severity": "high"}, {"verb": "close"}):
        body = {"conversation_ids": [house.where], **verb}
        _, _, answer = await con.send(
            "POST", "/v1/desk/bulk", json=body, headers={"Idempotency-Key": f"bulk-{verb['verb']:_>12}"}
        )
        assert [one["code"] for one in answer["data"]] == ["queue_members_only"], verb


async def test_only_members_are_given_it_until_it_is_handed_to_a_queue_of_others(
    place: Desk, houses: dict[str | None, House], client: Client
) -> None:
    """The line, a named agent, who served the customer last, transfers: none leads over the wall (EB-073)."""
    house, where = houses[None], houses[None].where
    for who in ("con", "rex"):
        await place.db.run(desk.renew_presence, f"acc_{who}")
        await place.db.run(desk.set_state, f"acc_{who}", "online")
    async with place.db.begin() as tx:
        await tx.execute("UPDATE desk_threads SET preferred_agent_id = 'acc_con' WHERE conversation_id = $1", where)
        await tx.execute(
            "INSERT INTO last_served (customer_id, scope, agent_id, at) VALUES ('acc_ann', '', 'acc_con', $1)", tx.now
        )
    assert await place.serve(house.thread) == "acc_rex"
    with pytest.raises(errors.AgentNotMember):
        await place.db.run(desk.transfer_to_agent, where, "acc_con", by_id="acc_rex", note="yours")
    con, rex = client.as_("con"), client.as_("rex")
    body = {"note": "a question only", "queue_id": house.consult.id}
    sent = await rex.send(
        "POST", f"/v1/desk/threads/{where}/transfer", json=body, headers={"Idempotency-Key": "k" * 16}
    )
    assert sent[0] == 200
    history = (await con.send("GET", f"/v1/conversations/{where}/messages"))[2]["data"]
    assert {SECRET, f"{SECRET} note", "a question only"} <= {one["text"] for one in history}
    await place.stay("acc_con", "acc_rex", seconds=10)
    offer = await place.live(house.thread)
    assert offer.agent_id == "acc_con"
    assert await violations(place.db, is_settled=False) == []


async def _phone(world: World, who: str) -> Phone:
    side = TEN if f"@{TEN}" in PEOPLE[who] else None
    roles = [word for word in PEOPLE[who] if not word.startswith("@")]
    return await world.phone("/desk", {"token": world.truth.token(who, *roles, tenant_id=side)})


async def test_over_sockets_members_and_leads_hear_and_nobody_else(
    place: Desk, houses: dict[str | None, House], redis: Any, settings: Settings
) -> None:
    async with at_desk(place, redis, settings) as world:
        phones = {who: await _phone(world, who) for who in PEOPLE}
        ann = await customer_phone(world, "ann")
        for n, house in enumerate(houses.values()):
            said = {"conversation_id": house.where, "client_id": f"live-{n:04}", "text": "hear me"}
            assert (await ann.ask("say", said))["ok"]
            await place.db.run(desk.raise_severity, house.where, desk.Severity.HIGH, "acc_adam")
        fresh = await asks(place, "bob")
        await phones["adam"].until(lambda: fresh.conversation_id in str(phones["adam"].bodies("thread.queued")))
        for who, phone in phones.items():
            await _check_ears(who, phone, houses, fresh)


async def _check_ears(who: str, phone: Phone, houses: dict[str | None, House], fresh: Thread) -> None:
    missed = await phone.ask("sync", {"have": {house.where: 0 for house in houses.values()}})
    synced = {one["conversation_id"] for one in missed["conversations"]}
    everything = str(phone.heard)
    for side, house in houses.items():
        allowed = sees(who, side)
        assert (house.where in synced) is allowed, (who, side, "sync")
        typed = await phone.ask("typing", {"conversation_id": house.where})
        assert ("ok" in typed) is allowed, (who, side, typed)
        followed = await phone.ask("follow", {"conversation_id": house.where})
        assert ("ok" in followed) is allowed, (who, side, followed)
        if not allowed and who != "row":
            assert house.where not in everything, (who, side)
        if allowed and is_colleague(who, side):
            assert house.where in str(phone.bodies("message.said")), (who, side)
            assert house.where in str(phone.bodies("thread.changed")), (who, side)
    if not sees(who, None):
        assert fresh.conversation_id not in everything, (who, "a new one")
    elif who != "adam":
        assert fresh.conversation_id in str(phone.bodies("thread.queued")), who


async def test_a_wall_that_goes_up_or_a_member_who_leaves_is_felt_at_once(
    place: Desk, houses: dict[str | None, House], client: Client, redis: Any, settings: Settings
) -> None:
    """He has it open, reads along, watches its trip and holds it: all of that ends with the commit."""
    house, where = houses[None], houses[None].where
    await _let(place, "con", house.repair.id, house.consult.id)
    async with at_desk(place, redis, settings) as world:
        con, lead = await _phone(world, "con"), await _phone(world, "lead")
        assert (await con.ask("set_state", {"state": "online"}))["ok"]
        offer = await _offer_to(place, house, "acc_con")
        assert (await con.ask("accept", {"assignment_id": offer}))["assignee_id"] == "acc_con"
        assert (await lead.ask("follow", {"conversation_id": where}))["ok"]
        _trip(world, place)
        assert (await con.ask("watch", {"what": "order", "order_id": "ord_1"}))["ok"]
        await _let(place, "con", house.consult.id)
        talk = f"/v1/conversations/{where}"
        assert (await client.as_("con").send("GET", talk))[2]["code"] == "queue_members_only"
        assert (await con.ask("say", _words(where, 1)))["error"]["code"] == "queue_members_only"
        assert (await con.ask("note", {**_words(where, 2)}))["error"]["code"] == "queue_members_only"
        before = len(con.bodies("message.said"))
        ann = await customer_phone(world, "ann")
        assert (await ann.ask("say", _words(where, 3)))["ok"]
        await lead.until(lambda: bool(lead.bodies("message.said")))
        assert len(con.bodies("message.said")) == before
        here = next(one for one in world.hub.members.values() if one.principal.account_id == "acc_con")
        await until(lambda: not here.watching)
        await con.until(lambda: bool(con.bodies("queue.access_changed")))
    await place.settle()
    back = await place.thread(where)
    assert (back.state.value, back.assignee_id) == ("queued", None)
    assert await violations(place.db, is_settled=True) == []


def _words(where: str, n: int) -> dict[str, Any]:
    return {"conversation_id": where, "client_id": f"words-{n:04}", "text": "words"}


async def _let(place: Desk, who: str, *queue_ids: str) -> None:
    await place.db.run(desk.set_queues, f"acc_{who}", list(queue_ids))


async def _offer_to(place: Desk, house: House, agent_id: str) -> str:
    await place.settle()
    live = await place.live(house.thread)
    assert live is not None
    assert live.agent_id == agent_id
    return str(live.id)


def _trip(world: World, place: Desk) -> None:
    world.truth.orders["ord_1"] = OrderView(
        order_id="ord_1", customer_id="acc_ann", worker_id="wrk_1", version=1,
        tracked_since=place.clock.now() - timedelta(minutes=1), destination=None,
    )  # fmt: skip


async def test_a_queue_becomes_one_for_members_over_rest(
    place: Desk, houses: dict[str | None, House], client: Client
) -> None:
    """What was everybody's is given back by who is no member, and told away; open again, everybody sees it."""
    consult = houses[None].consult
    thread = await asks(place, "cat", category="question")
    for who in ("rex", "con"):
        await _let(place, who, consult.id)
        await place.db.run(desk.renew_presence, f"acc_{who}")
    await place.db.run(desk.set_state, "acc_rex", "online")
    assert await place.serve(thread) == "acc_rex"
    await _let(place, "rex", houses[None].repair.id)
    at, adam, rex = f"/v1/desk/threads/{thread.conversation_id}", client.as_("adam"), client.as_("rex")
    assert (await rex.send("GET", at))[0] == 200
    for is_closed, version in ((True, 1), (False, 2)):
        status, _, answer = await adam.send(
            "PUT", f"/v1/admin/desk/queues/{consult.id}", json={"name": "consult", "members_only": is_closed},
            headers={"If-Match": f'"v{version}"'},
        )  # fmt: skip
        assert (status, answer["members_only"]) == (200, is_closed), answer
        assert (await rex.send("GET", at))[0] == (403 if is_closed else 200)
        await place.settle()
        assert (await place.thread(thread)).assignee_id is None
    told = await place.told("queue.access_changed")
    assert [(one["members_only"], one["to"]) for one in told[-2:]] == [(True, ["support"]), (False, ["support"])]


async def test_who_watches_over_by_his_row_is_told_when_that_ends_and_begins(
    place: Desk, houses: dict[str | None, House]
) -> None:
    for watches_over in (False, True):
        before = len(await place.told("queue.access_changed"))
        row = await place.load("acc_row")
        await place.db.run(
            desk.change_agent, row, name="Row", chats_max=2, calendar_id=None, is_supervisor=watches_over
        )
        told = (await place.told("queue.access_changed"))[before:]
        assert {one["queue_id"] for one in told} == {house.repair.id for house in houses.values()}
        assert all(one["to"] == ["agent:acc_row"] for one in told)


async def test_what_moves_behind_a_wall_is_told_away_to_others(place: Desk, houses: dict[str | None, House]) -> None:
    thread = await asks(place, "cat", category="question")
    await place.db.run(
        desk.transfer_to_queue, thread.conversation_id, houses[None].repair.id, by_id="acc_row", note="a repair"
    )
    hidden = await place.told("thread.hidden")
    assert [(one["conversation_id"], one["to"]) for one in hidden] == [(thread.conversation_id, ["support"])]
    after = [one for one in await place.told("thread.queued") if one["queue_id"] == houses[None].repair.id]
    assert set(after[-1]["to"]) == {"leads", "member:acc_rex", "member:acc_row"}
