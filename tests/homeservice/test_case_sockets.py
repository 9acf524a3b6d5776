"""Cases at the desk's sockets: everybody hears each step, and what is asked is refused as over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hub.ports import Ports
from rest.desk.cases.verbs import case_verbs
from rest.lines.homeservice.case_side import CASES
from rest.people.auth import Keys
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.homeservice.invariants import violations
from tests.homeservice.test_case_routes import rejected, staff
from tests.homeservice.test_http import case_of, ok, paid
from tests.homeservice.test_http import client as client  # noqa: PLC0414 - a fixture
from tests.hub.world import Phone, Truth, World, running


class CaseTruth(Truth):
    """The truth below the hub, with real cases of real orders in it."""

    def ports(self) -> Ports:
        ports = super().ports()
        return replace(ports, verbs={**ports.verbs, **case_verbs({"homeservice": CASES})})


@pytest.fixture
async def world(
    client: Client, db: Database, redis: Any, settings: Settings, clock: ManualClock
) -> AsyncIterator[World]:
    truth = CaseTruth(Keys(settings.secret), clock)
    async with running(db, redis, settings, clock, truth=truth) as made:
        yield made


async def desk(world: World, who: str, *roles: str) -> Phone:
    return await world.phone("/desk", {"token": world.truth.token(who, *(roles or ("support",)))})


def code(answer: dict[str, Any]) -> str:
    return str(answer["error"]["code"]) if "error" in answer else "ok"


async def test_a_case_by_sockets_alone(client: Client, world: World, db: Database, clock: ManualClock) -> None:
    """Heard when it opens, taken, refused to a colleague, handed on, talked about, looked at, decided once."""
    await staff(db, "acc_0sam", "acc_ann")
    sue, sam, fay = await desk(world, "sue"), await desk(world, "0sam"), await desk(world, "fay", "finance")
    order_id, path = await rejected(client, clock)
    case = {"case_id": path.rsplit("/", 1)[1]}
    await fay.until(lambda: bool(fay.bodies("case.opened")))
    assert sue.bodies("case.opened")[-1]["case_id"] == case["case_id"]
    taken = await sue.ask("case.take", {**case, "req_id": "r1"})
    assert (taken["ok"], taken["case"]["state"], taken["case"]["taken_by"]) == (True, "taken", "acc_sue")
    assert await sue.ask("case.take", {**case, "req_id": "r1"}) == taken
    assert code(await sam.ask("case.take", case)) == "already_taken"
    assert code(await sam.ask("case.release", case)) == "already_taken"
    assert code(await fay.ask("case.take", case)) == "forbidden"
    assert code(await sue.ask("case.transfer", {**case, "to": "acc_ann", "note": "?"})) == "invalid_input"
    assert code(await sue.ask("case.transfer", {**case, "to": "acc_none", "note": "?"})) == "not_found"
    given = await sue.ask("case.transfer", {**case, "to": "acc_0sam", "note": "yours"})
    assert given["case"]["taken_by"] == "acc_0sam"
    await fay.until(lambda: bool(fay.bodies("case.transferred")))
    reached = await sam.ask("case.contact", {**case, "party": "customer"})
    assert reached["conversation_id"] is not None
    assert reached["call"] is None
    word = {**case, "outcome": "customer_refuses", "note": "asked her"}
    assert code(await sam.ask("case.decide", word)) == "invalid_input", "it moves money: no req_id, no deed"
    assert code(await sue.ask("case.decide", {**word, "req_id": "d0"})) == "already_taken"
    assert code(await sam.ask("case.decide", {**word, "outcome": "saved", "req_id": "d0"})) == "outcome_not_allowed"
    seen = await sam.ask("case.decide", {**word, "req_id": "d1", "dry_run": True})
    assert (seen["case"]["state"], seen["moved"]["status"]) == ("taken", "cancel_requested")
    stale = {**word, "preview_hash": "0" * 32, "req_id": "d2"}
    assert code(await sam.ask("case.decide", stale)) == "preview_changed"
    hashed = {**word, "preview_hash": seen["moved"]["preview_hash"], "req_id": "d3"}
    done = await sam.ask("case.decide", hashed)
    assert (done["case"]["state"], done["case"]["outcome"], done["moved"]) == (
        "closed", "customer_refuses", seen["moved"],
    )  # fmt: skip
    assert await sam.ask("case.decide", hashed) == done
    assert code(await sam.ask("case.decide", {**word, "req_id": "d4"})) == "case_not_open"
    await fay.until(lambda: bool(fay.bodies("case.closed")))
    assert (await ok(client, "ann", "GET", f"/v1/orders/{order_id}"))["status"] == "cancel_requested"
    assert await violations(db) == []
    async with db.begin() as tx:
        deeds = await tx.fetch(
            "SELECT operation FROM audit WHERE subject_ids @> $1 AND address = 'socket' ORDER BY operation",
            [case["case_id"]],
        )
    assert [row["operation"].removeprefix("cases.") for row in deeds] == ["contact", "decide", "take", "transfer"]


async def test_a_tap_and_a_request_at_once_are_one_decision(client: Client, world: World, clock: ManualClock) -> None:
    sue, lead = await desk(world, "sue"), await desk(world, "lea", "supervisor")
    _, path = await rejected(client, clock)
    word = {"outcome": "customer_refuses", "note": "so be it"}
    asked = {"case_id": path.rsplit("/", 1)[1], **word, "req_id": "once"}
    answers = await asyncio.gather(
        sue.ask("case.decide", asked), lead.ask("case.decide", asked),
        client.as_("sam").send("POST", f"{path}/decide", json=word, headers={"Idempotency-Key": "key-decide-0000001"}),
    )  # fmt: skip
    won = [code(answers[0]) == "ok", code(answers[1]) == "ok", answers[2][0] == 200]
    assert sum(won) == 1, answers


async def test_a_case_by_hand_and_what_is_not_there(client: Client, world: World, clock: ManualClock) -> None:
    sue = await desk(world, "sue")
    order = await paid(client, clock)
    by_hand = {"line": "homeservice", "subject_id": order["id"], "note": "called us"}
    opened = await sue.ask("case.open", by_hand)
    assert opened["case"]["type"] == "manual"
    assert (await sue.ask("case.open", by_hand))["case"]["id"] == opened["case"]["id"]
    assert await case_of(client, order["id"], "manual") == opened["case"]["id"]
    assert code(await sue.ask("case.open", {**by_hand, "line": "moon"})) == "invalid_input"
    assert code(await sue.ask("case.open", {**by_hand, "subject_id": "ord_none"})) == "not_found"
    noted = await sue.ask("case.remark", {"case_id": opened["case"]["id"], "note": "secret"})
    assert noted["case"]["version"] == 2
    assert code(await sue.ask("case.release", {"case_id": opened["case"]["id"]})) == "case_not_taken"
    for name, body in (("case.take", {}), ("case.remark", {"note": "x"}), ("case.contact", {"party": "worker"})):
        assert code(await sue.ask(name, {"case_id": "cas_none", **body})) == "not_found"
