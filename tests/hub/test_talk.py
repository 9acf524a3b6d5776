"""Talking over real sockets, official clients on both sides: all of it, once, in order, and nothing to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from chat import conversations
from chat.conversations import Role
from hub.ports import Ports
from rest.desk.conversations import verbs
from rest.people.auth import Keys
from rest.people.facts import RolesChanged, session_audience
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.hub.js import JsPhone, needs_node
from tests.hub.world import FAST, Phone, Truth, World, running


class Talking(Truth):
    """The truth below the hub, with the real conversations in it."""

    db: Database

    def ports(self) -> Ports:
        from dataclasses import replace

        ports = super().ports()
        return replace(ports, verbs={**ports.verbs, **verbs.VERBS}, digests=partial(verbs.digests, self.db))


def truth(db: Database, settings: Settings, clock: ManualClock) -> Talking:
    made = Talking(Keys(settings.secret), clock)
    made.db = db
    return made


@pytest.fixture
async def world(db: Database, redis: Any, settings: Settings, clock: ManualClock) -> AsyncIterator[World]:
    async with running(db, redis, settings, clock, truth=truth(db, settings, clock)) as made:
        yield made


async def opened(world: World, *, agent: str = "sue") -> str:
    conversation, _ = await world.db.run(conversations.open_conversation, customer_id="acc_ann")
    await world.db.run(conversations.set_assignee, conversation.id, f"acc_{agent}", 1)
    return conversation.id


async def customer(world: World, who: str = "ann", **auth: Any) -> Phone:
    return await world.phone("/customer", {"token": world.truth.token(who), **auth})


async def desk(world: World, who: str = "sue", role: str = "support", **auth: Any) -> Phone:
    return await world.phone("/desk", {"token": world.truth.token(who, role), **auth})


def message(where: str, n: int, who: str = "ann", **more: Any) -> dict[str, Any]:
    return {"conversation_id": where, "client_id": f"client-{who}-{n}", "text": f"{who} {n}", **more}


def heard(phone: Any) -> list[tuple[int, str]]:
    return [(body["message_seq"], body["text"]) for body in phone.bodies("message.said")]


async def test_they_talk(world: World) -> None:
    where = await opened(world)
    ann, sue = await customer(world), await desk(world)
    answer = await ann.ask("say", message(where, 1))
    assert answer | {"said_at": ""} == {
        "ok": True, "conversation_id": where, "client_id": "client-ann-1", "message_seq": 1, "prev_seq": 0,
        "said_at": "", "is_dup": False,
    }  # fmt: skip
    assert (await ann.ask("say", message(where, 1)))["is_dup"] is True
    assert (await sue.ask("say", message(where, 1, "sue", base_seq=1, assign_epoch=1)))["message_seq"] == 2
    assert (await sue.ask("note", {"conversation_id": where, "client_id": "note-0001", "text": "kind"}))[
        "message_seq"
    ] == 3
    assert (await ann.ask("read", {"conversation_id": where, "read_seq": 2}))["read_seq"] == 2
    await sue.until(lambda: bool(sue.bodies("message.read")))
    assert heard(ann) == heard(sue) == [(1, "ann 1"), (2, "sue 1")]
    assert [body["text"] for body in sue.bodies("message.noted")] == ["kind"]
    assert ann.bodies("message.noted") == []
    assert sue.bodies("message.read")[-1]["read_seq"] == 2


async def test_nobody_else_hears_or_says_anything(world: World) -> None:
    """C5, C7: strangers, other agents, operations and a visitor with a share link; each asks for everything."""
    where = await opened(world)
    world.truth.shares["link"] = "ord_1"
    others = [
        await customer(world, "bob"),
        await customer(world, "sue"),  # the agent herself, in the customers' app
        await desk(world, "oli", "ops"),
        await world.phone("/customer", {"share": "link"}),
        await world.worker_phone(),
    ]
    sam = await desk(world, "sam")  # may read, does not take part
    ann, sue = await customer(world), await desk(world)
    await ann.ask("say", message(where, 1))
    await sue.ask("note", {"conversation_id": where, "client_id": "note-0001", "text": "kind"})
    await sue.ask("typing", {"conversation_id": where, "is_internal": True})
    await sue.ask("typing", {"conversation_id": where})
    await ann.until(lambda: bool(ann.bodies("typing")))
    for phone in others:
        for name, body in (
            ("say", message(where, 9)),
            ("read", {"conversation_id": where, "read_seq": 1}),
            ("typing", {"conversation_id": where}),
            ("recall", {"conversation_id": where, "client_id": "recall-01", "target_seq": 1}),
        ):
            assert (await phone.ask(name, body))["error"]["code"] in {"not_found", "forbidden"}, name
        answer = await phone.ask("sync", {"have": {where: 0}})
        assert answer.get("conversations", []) == [], answer
        told = [name for name, _ in phone.heard if name.startswith(("message.", "conversation.", "typing"))]
        assert told == []
    assert [name for name, _ in sam.heard if name.startswith("message.")] == []
    assert [m["text"] for m in (await sam.ask("sync", {"have": {where: 0}}))["conversations"][0]["messages"]] == [
        "ann 1",
        "kind",
    ]
    assert [m["text"] for m in (await ann.ask("sync", {"have": {where: 0}}))["conversations"][0]["messages"]] == [
        "ann 1"
    ]
    assert len(ann.bodies("typing")) == 1


async def test_live_signals_name_nobody_to_who_is_served(world: World) -> None:
    where = await opened(world)
    ann, sue, sam = await customer(world), await desk(world), await desk(world, "sam")
    await sue.ask("typing", {"conversation_id": where})
    await ann.ask("typing", {"conversation_id": where})
    await sam.ask("viewing", {"conversation_id": where})
    await sue.until(lambda: bool(sue.bodies("typing")) and bool(sue.bodies("viewing")))
    await ann.until(lambda: bool(ann.bodies("typing")))
    assert ann.bodies("typing") == [{"conversation_id": where, "role": "agent", "is_on": True, "account_id": None}]
    assert sue.bodies("typing") == [
        {"conversation_id": where, "role": "customer", "is_on": True, "account_id": "acc_ann"}
    ]
    assert sue.bodies("viewing")[0]["account_id"] == "acc_sam"
    assert ann.bodies("viewing") == sam.bodies("viewing") == []
    async with world.db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM feed WHERE topic LIKE '%typing%'") == 0


async def test_limits_of_people_and_of_the_desk(world: World) -> None:
    where = await opened(world)
    ann, sue = await customer(world), await desk(world)
    assert [(await ann.ask("say", message(where, n))).get("ok") for n in range(6)] == [True] * 5 + [None]
    refused = await ann.ask("say", message(where, 9))
    assert (refused["error"]["code"], refused["error"]["retry_after_ms"]) == ("rate_limited", 2000)
    assert [(await sue.ask("say", message(where, n, "sue"))).get("ok") for n in range(21)] == [True] * 20 + [None]
    world.clock.advance(seconds=2)
    assert (await ann.ask("say", message(where, 9)))["ok"] is True
    world.clock.advance(seconds=60)
    long = await ann.ask("say", message(where, 10) | {"text": "门" * 4_001})
    assert long["error"] | {"detail": ""} == {
        "code": "message_too_long", "detail": "", "retry": False, "characters_max": 4_000,
    }  # fmt: skip


async def test_a_digest_finds_what_was_lost(world: World) -> None:
    where = await opened(world)
    ann, sue = await customer(world), await desk(world)
    await ann.ask("say", message(where, 1))
    await sue.ask("note", {"conversation_id": where, "client_id": "note-0001", "text": "kind"})
    await world.hub.digests.tell_all()
    await ann.until(lambda: bool(ann.bodies("digest")))
    await sue.until(lambda: bool(sue.bodies("digest")))
    assert ann.bodies("digest") == [{"conversations": {where: 1}}]
    assert sue.bodies("digest") == [{"conversations": {where: 2}}]
    answer = await sue.ask("sync", {"have": {where: 1}})
    assert [m["text"] for m in answer["conversations"][0]["messages"]] == ["kind"]
    assert answer["digest"] == {where: 2}


async def test_a_large_gap_comes_in_parts_that_fit(world: World) -> None:
    """The longest texts of the longest encoding: no answer is larger than a send buffer has room for."""
    where = await opened(world)
    ann, sue = await customer(world), await desk(world)
    await sue.ask("say", message(where, 0, "sue"))
    async with world.db.begin() as tx:
        await tx.execute(
            """INSERT INTO messages (conversation_id, seq, prev_seq, sender_id, sender_role, client_id, kind,
                                     is_internal, body, words, at)
               SELECT $1, n, n - 1, 'acc_sue', 'agent', 'many' || n, 'text', false, repeat('𝄞', 4000), '{}', $2
                 FROM generate_series(2, 60) AS n""",
            where,
            tx.now,
        )
        await tx.execute("UPDATE conversations SET last_seq = 60, public_seq = 60 WHERE id = $1", where)
    have, rounds = 0, 0
    while True:
        world.clock.advance(seconds=10)
        (part,) = (await ann.ask("sync", {"have": {where: have}}))["conversations"]
        assert [m["message_seq"] for m in part["messages"]] == list(range(have + 1, have + 1 + len(part["messages"])))
        have, rounds = part["messages"][-1]["message_seq"], rounds + 1
        if not part["more"]:
            break
    assert have == part["last_seq"] == 60
    assert rounds > 3
    assert not ann.is_gone.is_set()


async def test_who_comes_back_has_everything_once_and_in_order(world: World) -> None:
    """Both talk while one after the other is away; each message is also sent twice."""
    where = await opened(world)
    ann, sue = await customer(world), await desk(world)
    history: dict[str, list[tuple[int, str]]] = {"ann": [], "sue": []}
    since = {"ann": 0, "sue": 0}

    async def both_say(start: int) -> None:
        world.clock.advance(seconds=30)
        twice = [n for n in range(start, start + 4) for _ in range(2)]
        for n in twice:
            world.clock.advance(seconds=3)
            tries = [(phone, who) for phone, who in ((ann, "ann"), (sue, "sue")) if phone.client.connected]
            for answer in await asyncio.gather(*(phone.ask("say", message(where, n, who)) for phone, who in tries)):
                assert answer["ok"], answer

    async def leave(phone: Phone, who: str) -> None:
        await phone.client.disconnect()
        history[who] += heard(phone)
        since[who] = max(phone.last_seq(), since[who])

    await both_say(0)
    await leave(ann, "ann")
    await both_say(10)
    ann = await customer(world, since=since["ann"], epoch=world.hub.follower.epoch)
    await both_say(20)
    await leave(sue, "sue")
    await both_say(30)
    sue = await desk(world, since=since["sue"], epoch=world.hub.follower.epoch)
    await both_say(40)
    total = 4 * (2 + 1 + 2 + 1 + 2)
    await ann.until(lambda: len(history["ann"]) + len(heard(ann)) >= total)
    await sue.until(lambda: len(history["sue"]) + len(heard(sue)) >= total)
    anns, sues = history["ann"] + heard(ann), history["sue"] + heard(sue)
    assert [seq for seq, _ in anns] == list(range(1, total + 1))
    assert anns == sues
    assert len({text for _, text in anns}) == total


async def test_roles_taken_away_end_the_hearing(world: World) -> None:
    where = await opened(world)
    await world.db.run(conversations.join, where, "acc_lead", Role.OBSERVER)
    lead, ann = await desk(world, "lead", "supervisor"), await customer(world)
    await ann.ask("say", message(where, 1))
    await lead.until(lambda: heard(lead) == [(1, "ann 1")])
    changed = RolesChanged(account_id="acc_lead", roles=["ops", "user"], version=2, by="acc_adam", reason="moved")
    await world.tell(changed, session_audience("ses_lead"))
    await lead.until(lambda: bool(lead.bodies("account.roles_changed")))
    await ann.ask("say", message(where, 2))
    await ann.until(lambda: len(heard(ann)) == 2)
    assert heard(lead) == [(1, "ann 1")]
    assert (await lead.ask("sync", {"have": {where: 0}}))["error"]["code"] == "forbidden"


async def test_signals_reach_the_next_hub(
    world: World, db: Database, redis: Any, settings: Settings, clock: ManualClock
) -> None:
    where = await opened(world)
    async with running(db, redis, settings, clock, options=FAST, truth=world.truth) as second:
        ann = await customer(world)
        sue = await second.phone("/desk", {"token": world.truth.token("sue", "support")})
        async with asyncio.timeout(5):
            while not sue.bodies("typing"):  # the second hub may not be listening yet
                clock.advance(seconds=3)
                assert (await ann.ask("typing", {"conversation_id": where}))["ok"]
                await asyncio.sleep(0.05)
        assert sue.bodies("typing")[0]["account_id"] == "acc_ann"
        await sue.ask("say", message(where, 1, "sue"))
        await ann.until(lambda: heard(ann) == [(1, "sue 1")])


@needs_node
async def test_the_official_javascript_client_loses_nothing(world: World) -> None:
    """Its connection is cut while the desk goes on talking; what it hears is whole when it is back."""
    where = await opened(world)
    sue = await desk(world)
    ann = await JsPhone.start(world.url, "/customer", {"token": world.truth.token("ann")})
    try:
        await ann.until(lambda: bool(ann.bodies("ready")))
        assert (await ann.ask("say", message(where, 1)))["message_seq"] == 1
        for n in range(5):
            await sue.ask("say", message(where, n, "sue"))
        await ann.until(lambda: len(heard(ann)) == 6)
        ann.tell("drop")
        for n in range(5, 15):
            await sue.ask("say", message(where, n, "sue"))
        await ann.until(lambda: len(heard(ann)) == 16)
        assert [seq for seq, _ in heard(ann)] == list(range(1, 17))
        assert (await ann.ask("say", message(where, 1)))["is_dup"] is True
    finally:
        await ann.close()
