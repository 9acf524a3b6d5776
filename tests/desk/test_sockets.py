"""Agents at their sockets: offers, handing on, ending, and being there; over official clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.base.settings import Settings
from tests.desk.conftest import Desk
from tests.desk.invariants import violations
from tests.desk.sockets import at_desk, desk_phone
from tests.hub.test_relay import until
from tests.hub.world import World


@pytest.fixture
async def world(place: Desk, redis: Any, settings: Settings) -> AsyncIterator[World]:
    await place.open()
    async with at_desk(place, redis, settings) as made:
        yield made


async def offer_of(place: Desk, thread: Any) -> str:
    await place.settle()
    live = await place.live(thread)
    assert live is not None
    return str(live.id)


async def later(world: World, seconds: float) -> None:
    """Time passes, and the hub has told of everybody who is here."""
    world.clock.advance(seconds=seconds)
    now = world.clock.now()
    await until(lambda: world.hub.attendance.beat_at == now)


async def is_present(place: Desk, agent_id: str) -> bool:
    return (await place.load(agent_id)).is_present(place.clock.now())


async def test_a_chat_by_sockets_alone(place: Desk, world: World) -> None:
    """Online, offered, accepted, handed on, taken over, resolved, closed; each ack is the thread as it stands."""
    sue_id, boss_id = await place.agent("sue", online=False), await place.agent("boss", online=False)
    await place.db.run(_promote, boss_id)
    other = await place.queue(name="other")
    sue, boss = await desk_phone(world, "sue"), await desk_phone(world, "boss", "supervisor")
    answer = await sue.ask("set_state", {"state": "online"})
    assert (answer["ok"], answer["state"], answer["load"]) == (True, "online", 0)
    thread = await place.come()
    where = thread.conversation_id
    await place.settle()
    await sue.until(lambda: bool(sue.bodies("thread.offered")))
    offer = sue.bodies("thread.offered")[0]["assignment_id"]
    assert (await boss.ask("accept", {"assignment_id": offer}))["error"]["code"] == "not_found"
    taken = await sue.ask("accept", {"assignment_id": offer, "req_id": "once"})
    assert (taken["state"], taken["assignee_id"]) == ("open", sue_id)
    assert await sue.ask("accept", {"assignment_id": offer, "req_id": "once"}) == taken
    assert (await sue.ask("decline", {"assignment_id": offer, "req_id": "once"}))["error"]["code"] == "offer_gone"
    assert (await sue.ask("transfer", {"conversation_id": where, "note": "why"}))["error"]["code"] == "invalid_input"
    moved = await sue.ask("transfer", {"conversation_id": where, "note": "not ours", "queue_id": other.id})
    assert (moved["state"], moved["queue_id"], moved["assignee_id"]) == ("queued", other.id, None)
    refused = await sue.ask("resolve", {"conversation_id": where})
    assert refused["error"]["code"] == "not_assignee"
    assert (await sue.ask("take_over", {"conversation_id": where, "note": "me"}))["error"]["code"] == "forbidden"
    mine = await boss.ask("take_over", {"conversation_id": where, "note": "me"})
    assert (mine["state"], mine["assignee_id"]) == ("open", boss_id)
    assert (await boss.ask("snooze", {"conversation_id": where}))["error"]["code"] == "invalid_input"
    aside = await boss.ask("snooze", {"conversation_id": where, "later": "hour"})
    assert aside["snoozed_until"].startswith("2026-01-05T03:00:00"), aside
    assert (await boss.ask("wake", {"conversation_id": where}))["snoozed_until"] is None
    assert (await sue.ask("snooze", {"conversation_id": where, "later": "hour"}))["error"]["code"] == "not_assignee"
    assert (await boss.ask("convert", {"conversation_id": where, "kind": "ticket"}))["kind"] == "ticket"
    assert (await boss.ask("resolve", {"conversation_id": where}))["error"]["code"] == "resolution_required"
    assert (await boss.ask("close", {"conversation_id": where}))["error"]["code"] == "thread_state"
    assert (await boss.ask("resolve", {"conversation_id": where, "resolution": "done"}))["state"] == "resolved"
    assert (await sue.ask("close", {"conversation_id": where}))["error"]["code"] == "not_assignee"
    assert (await boss.ask("close", {"conversation_id": where}))["state"] == "closed"
    await place.settle()
    assert await violations(place.db, is_settled=True) == []
    async with place.db.begin() as tx:
        deeds = await tx.fetch("SELECT operation FROM audit WHERE subject_ids @> $1 ORDER BY operation", [where])
    done = [row["operation"].removeprefix("desk.") for row in deeds]
    assert done == ["close_thread", "convert", "resolve", "snooze", "take_over", "transfer", "wake"]


async def _promote(tx: Any, agent_id: str) -> None:
    await tx.execute("UPDATE desk_agents SET is_supervisor = true WHERE id = $1", agent_id)


async def test_only_agents_and_only_their_words(place: Desk, world: World) -> None:
    """Support without a desk is nobody there; words nobody knows, ids of nothing and finance are refused."""
    await place.agent("sue", online=False)
    sue, guest = await desk_phone(world, "sue"), await desk_phone(world, "guest")
    money = await desk_phone(world, "fin", "finance")
    assert (await guest.ask("set_state", {"state": "online"}))["error"]["code"] == "not_found"
    assert (await money.ask("set_state", {"state": "online"}))["error"]["code"] == "forbidden"
    assert (await sue.ask("set_state", {"state": "asleep"}))["error"]["code"] == "invalid_input"
    assert (await sue.ask("set_state", {"state": "away"}))["error"]["code"] == "agent_state"
    assert (await sue.ask("set_state", {"state": "online", "req_id": "same"}))["ok"]
    assert (await sue.ask("set_state", {"state": "busy", "req_id": "same"}))["error"]["code"] == "key_reused"
    assert (await sue.ask("accept", {"assignment_id": "asg_none"}))["error"]["code"] == "not_found"
    for name in ("resolve", "close"):
        assert (await sue.ask(name, {"conversation_id": "cnv_none"}))["error"]["code"] == "not_found"
    assert (await sue.ask("take_over", {"conversation_id": "cnv_none", "note": ""}))["error"]["code"] == "invalid_input"


async def test_one_offer_accepted_by_two_taps_and_declined_beside(place: Desk, world: World) -> None:
    await place.agent("sue")
    first, second = await desk_phone(world, "sue"), await desk_phone(world, "sue")
    for _ in range(4):
        await later(world, 20)
        offer = {"assignment_id": await offer_of(place, thread := await place.come())}
        answers = await asyncio.gather(
            first.ask("accept", offer), second.ask("accept", offer), second.ask("decline", offer)
        )
        codes = [answer.get("error", {}).get("code", "ok") for answer in answers]
        state = (await place.thread(thread)).state.value
        assert (codes, state) in (
            (["ok", "ok", "offer_gone"], "open"),
            (["offer_gone", "offer_gone", "ok"], "queued"),
        )
        await place.settle()
        assert await violations(place.db, is_settled=True) == []
        if state == "open":
            assert (await first.ask("resolve", {"conversation_id": thread.conversation_id}))["ok"]


async def test_handing_on_and_resolving_at_once_is_one_or_the_other(place: Desk, world: World) -> None:
    await place.agent("sue", chats=5)
    other = await place.queue(name="other")
    sue = await desk_phone(world, "sue")
    for n in range(4):
        await later(world, 20)
        thread = await place.come()
        await place.serve(thread)
        where = {"conversation_id": thread.conversation_id}
        asked = [
            sue.ask("transfer", {**where, "note": "there", "queue_id": other.id}),
            sue.ask("resolve", where),
        ]
        answers = await asyncio.gather(*(asked if n % 2 else reversed(asked)))
        assert sum("error" not in answer for answer in answers) == 1, answers
        assert (await place.thread(thread)).state.value in {"queued", "resolved"}
        await place.settle()
        assert await violations(place.db, is_settled=True) == []


async def test_an_open_socket_is_presence(place: Desk, world: World) -> None:
    """One statement for everybody here; nobody loses presence while a socket is open, however long."""
    agents = [await place.agent(name, online=False) for name in ("sue", "sam", "tom")]
    phones = [await desk_phone(world, name) for name in ("sue", "sam", "tom")]
    await desk_phone(world, "fin", "finance")
    for phone in phones:
        await phone.ask("set_state", {"state": "online"})
    for _ in range(6):
        await later(world, 6)
    assert [await is_present(place, agent) for agent in agents] == [True] * 3
    assert (await place.load("acc_sue")).state.value == "online"


async def test_a_closed_browser_gives_its_chats_back_and_a_reload_does_not(place: Desk, world: World) -> None:
    sue_id = await place.agent("sue", online=False)
    sue = await desk_phone(world, "sue")
    await sue.ask("set_state", {"state": "online"})
    thread = await place.come()
    await place.serve(thread)
    await sue.client.disconnect()
    again = await desk_phone(world, "sue")
    await beats(place, world, seconds=60)
    assert (await is_present(place, sue_id), (await place.thread(thread)).assignee_id) == (True, sue_id)
    await again.client.disconnect()
    await until(lambda: not world.hub.attendance.is_here(sue_id))
    await beats(place, world, seconds=6)
    assert not await is_present(place, sue_id), "five seconds after the last socket"
    assert (await place.thread(thread)).assignee_id == sue_id, "the grace runs"
    await beats(place, world, seconds=46)
    assert (await place.thread(thread)).state.value == "queued"
    assert (await place.load(sue_id)).state.value == "offline"
    assert await violations(place.db, is_settled=True) == []


async def beats(place: Desk, world: World, *, seconds: int) -> None:
    """Time passes, in steps the hub keeps up with."""
    for _ in range(seconds):
        world.clock.advance(seconds=1)
        looked = world.hub.attendance.looks
        await until(lambda looked=looked: world.hub.attendance.looks >= looked + 2)
        await place.settle()


async def test_a_hub_that_dies_loses_its_agents_and_another_keeps_its_own(
    place: Desk, world: World, redis: Any, settings: Settings
) -> None:
    """Sue is on both hubs, Tom on the one that dies without a word: his chat is given back, hers is not."""
    ids = {name: await place.agent(name, online=False, chats=1) for name in ("sue", "tom")}
    async with at_desk(place, redis, settings, beside=world) as doomed:
        sue = await desk_phone(world, "sue")
        for name in ("sue", "tom"):
            phone = await desk_phone(doomed, name)
            await phone.ask("set_state", {"state": "online"})
        threads = [await place.come(f"c{n}") for n in range(2)]
        served = {await place.serve(thread): thread for thread in threads}
        assert set(served) == set(ids.values())
        doomed.hub.attendance.left = lambda _account: None  # type: ignore[method-assign]  # it dies: nobody tells
    assert world.hub.attendance.is_here(ids["sue"])
    await beats(place, world, seconds=14 + 46)
    assert (await place.thread(served[ids["sue"]])).assignee_id == ids["sue"]
    assert (await place.thread(served[ids["tom"]])).state.value == "queued"
    assert (await place.load(ids["tom"])).state.value == "offline"
    await sue.close()
    assert await violations(place.db, is_settled=False) == []


async def test_lost_while_accepting_is_served_or_given_back(place: Desk, world: World) -> None:
    sue_id = await place.agent("sue", online=False)
    sue = await desk_phone(world, "sue")
    for _ in range(4):
        await sue.ask("set_state", {"state": "online"})
        offer = await offer_of(place, thread := await place.come())
        yes, _ = await asyncio.gather(
            sue.ask("accept", {"assignment_id": offer}), place.db.run(_vanish, sue_id), return_exceptions=True
        )
        assert isinstance(yes, dict)
        await place.settle()
        found = await place.thread(thread)
        assert found.assignee_id in (None, sue_id)
        assert await violations(place.db, is_settled=False) == []
        world.clock.advance(seconds=60)
        await beats(place, world, seconds=1)
        where = {"conversation_id": thread.conversation_id}
        if (await place.thread(thread)).assignee_id == sue_id:
            await sue.ask("resolve", where)


async def _vanish(tx: Any, agent_id: str) -> None:
    from chat import desk

    await desk.end_presence(tx, agent_id)
    await desk.set_state(tx, agent_id, "offline")
