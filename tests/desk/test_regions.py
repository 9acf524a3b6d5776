"""Desks apart by region, by configuration alone: three houses, two kinds of questions each, six queues (EB-060, EB-069
to EB-073); and what reports of breakdowns and accidents need of the desk (RV-119 to RV-131)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from chat import cases, conversations, desk
from chat.desk import Kind, Newcomer, Request, Rule, Severity, When
from rest.desk.conversations.desk_routes import ROUTES as DESK_TALK
from rest.desk.conversations.routes import ROUTES as TALK
from rest.desk.support import ROUTES as SUPPORT
from rest.people.tenants.routes import ROUTES as TENANTS
from storage.base.settings import Settings
from storage.postgres import Database
from tests.desk.conftest import Desk
from tests.desk.invariants import violations
from tests.desk.test_routes import Calls
from tests.money.serving import serve

REGIONS = ("a", "b", "c")
KINDS = ("consult", "repair")
HOUSES = {region: f"ten_{region * 26}" for region in REGIONS}
AGENTS = {f"{region}_{kind}": (region, kind) for region in REGIONS for kind in KINDS}
PEOPLE: dict[str, list[str]] = {
    "ann": [], "oli": ["ops"], "lead": ["supervisor"], "sue": ["support"],
    **{name: ["tenant_agent", f"@{HOUSES[region]}"] for name, (region, _) in AGENTS.items()},
    **{f"head_{region}": ["tenant_admin", f"@{HOUSES[region]}"] for region in REGIONS},
}  # fmt: skip
ALWAYS, NEVER = [[[0, 1440]]] * 7, [[]] * 7


@dataclass
class Regions:
    call: Calls
    queues: dict[tuple[str, str], str]

    async def ask(self, region: str, kind: str) -> dict[str, Any]:
        """As the line of a region's customer asks: at its house, of this kind."""
        body = {"category": kind, "tenant_id": HOUSES[region], "line": "ebike", "region": region}
        status, answer = await self.call("ann", "POST", "/v1/support", body)
        assert status == 201, answer
        return dict(answer)

    async def offer(self, place: Desk, where: str) -> tuple[str, str]:
        live = await place.live(await place.thread(where))
        assert live is not None
        return live.id, live.agent_id.removeprefix("acc_")


@pytest.fixture
async def regions(place: Desk, db: Database, settings: Settings) -> AsyncIterator[Regions]:
    """Set up over HTTP by each house's own administrator; region c is closed today."""
    async with db.begin() as tx:
        for n, tenant_id in enumerate(HOUSES.values()):
            await tx.execute("INSERT INTO tenants (id, name, created_at, changed_at) VALUES ($1, $2, $3, $3)",
                             tenant_id, f"Region {n}", tx.now)  # fmt: skip
        for n, (who, words) in enumerate(PEOPLE.items()):
            tenant_id = next((word[1:] for word in words if word.startswith("@")), None)
            roles = ["user", *(word for word in words if not word.startswith("@"))]
            await tx.execute(
                """INSERT INTO accounts (id, phone, roles, created_at, updated_at, tenant_id)
                   VALUES ($1, $2, $3, $4, $4, $5)""",
                f"acc_{who}", f"+86138100000{n:02}", roles, tx.now, tenant_id,
            )  # fmt: skip
    async with serve(db, settings, [*TALK, *DESK_TALK, *SUPPORT, *TENANTS], PEOPLE) as client:
        call, queues = Calls(client, db, settings), {}
        for region in REGIONS:
            head = f"head_{region}"
            week = NEVER if region == "c" else ALWAYS
            hours = (await call(head, "POST", "/v1/admin/desk/calendars", {"name": "hours", "week": week}))[1]["id"]
            for kind in KINDS:
                made = await call(head, "POST", "/v1/admin/desk/queues", {"name": kind, "calendar_id": hours})
                queues[region, kind] = made[1]["id"]
                agent = {"name": f"{region} {kind}", "queue_ids": [queues[region, kind]]}
                assert (await call(head, "PUT", f"/v1/admin/desk/agents/acc_{region}_{kind}", agent))[0] == 200
                assert (await call(f"{region}_{kind}", "PUT", "/v1/desk/me/state", {"state": "online"}))[0] == 200
            rules = [
                {"name": "repair", "queue_id": queues[region, "repair"], "when": {"categories": ["repair"]}},
                {"name": "the rest", "queue_id": queues[region, "consult"]},
            ]
            assert (await call(head, "PUT", "/v1/admin/desk/rules", {"over": 0, "rules": rules}))[0] == 200
        yield Regions(call, queues)


async def test_six_queues_each_hear_their_own(regions: Regions, place: Desk) -> None:
    for (region, kind), queue_id in regions.queues.items():
        asked = await regions.ask(region, kind)
        thread = await place.thread(asked["conversation_id"])
        assert thread.queue_id == queue_id, (region, kind)
        if region != "c":
            assert (await regions.offer(place, thread.conversation_id))[1] == f"{region}_{kind}"
        # A second question of the same customer at the same desk goes on in the first; he is done with it.
        await place.db.run(desk.withdraw, thread.conversation_id, by_id="acc_ann")
    assert await violations(place.db, is_settled=False) == []


async def test_a_repair_of_region_b_is_that_region_s_from_the_question_to_the_rating(
    regions: Regions, place: Desk
) -> None:
    call = regions.call
    asked = await regions.ask("b", "repair")
    where = asked["conversation_id"]
    said = {"client_id": "client-0001", "kind": "text", "text": "the brake"}
    await call("ann", "POST", f"/v1/conversations/{where}/messages", said)
    sees = {who: await _sees(call, who, where) for who in PEOPLE if who != "ann"}
    others = {who: seen for who, seen in sees.items() if who.startswith(("a_", "c_", "head_a", "head_c"))}
    assert len(others) == 6
    assert all(seen == (False, False, False) for seen in others.values()), others
    assert sees["sue"][1] is False, "the platform's agents read it when it is handed over"
    assert [sees[who] for who in ("b_repair", "b_consult", "head_b")] == [(True, True, True)] * 3
    offer, agent = await regions.offer(place, where)
    assert agent == "b_repair"
    refused = await call("b_consult", "POST", f"/v1/desk/assignments/{offer}/accept")
    assert refused[0] == 404, "it was not offered to him"
    assert (await call("b_repair", "POST", f"/v1/desk/assignments/{offer}/accept"))[1]["state"] == "open"
    meddling = {"client_id": "client-0002", "kind": "text", "text": "let me"}
    answer = await call("b_consult", "POST", f"/v1/conversations/{where}/messages", meddling)
    assert answer[1]["code"] == "stale_assignment", "who consults does not answer what is under repair"
    thread = f"/v1/desk/threads/{where}"
    handing = {"note": "only a question", "queue_id": regions.queues["b", "consult"]}
    assert (await call("b_consult", "POST", thread + "/transfer", handing))[1]["code"] == "not_assignee"
    elsewhere = {"note": "x", "queue_id": regions.queues["a", "repair"]}
    assert (await call("b_repair", "POST", thread + "/transfer", elsewhere))[1]["code"] == "queue_invalid"
    assert (await call("b_repair", "POST", thread + "/transfer", handing))[1]["queue_id"] == handing["queue_id"]
    offer, agent = await regions.offer(place, where)
    assert agent == "b_consult"
    await call("b_consult", "POST", f"/v1/desk/assignments/{offer}/accept")
    history = (await call("b_consult", "GET", f"/v1/conversations/{where}/messages"))[1]["data"]
    assert "the brake" in str(history)
    assert "only a question" in str(history), "the next one reads why"
    assert (await call("b_consult", "POST", thread + "/resolve", {}))[1]["state"] == "resolved"
    assert (await call("ann", "POST", f"/v1/support/{where}/rating", {"score": 4}))[1]["score"] == 4
    period = "since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z"
    for region, rated in (("a", 0), ("b", 1), ("c", 0)):
        path = f"/v1/admin/desk/statistics?{period}&queue_id={regions.queues[region, 'consult']}"
        assert (await call(f"head_{region}", "GET", path))[1]["rated"] == rated, region


async def _sees(call: Calls, who: str, where: str) -> tuple[bool, bool, bool]:
    """The thread, what was said, and the thread in the list."""
    return (
        (await call(who, "GET", f"/v1/desk/threads/{where}"))[0] == 200,
        (await call(who, "GET", f"/v1/conversations/{where}/messages"))[0] == 200,
        where in str((await call(who, "GET", "/v1/desk/threads?limit=50"))[1]),
    )


async def test_out_of_hours_is_said_and_kept_as_a_ticket(regions: Regions, place: Desk) -> None:
    asked = await regions.ask("c", "consult")
    assert (asked["kind"], asked["number"] is not None) == ("ticket", True)
    assert [fact["notice"] for fact in await place.told("support.changed")][:1] == ["out_of_hours"]


async def test_a_report_of_an_accident_goes_first_to_its_store_with_its_conversation_and_a_case(place: Desk) -> None:
    """What a line brings: severity, what it is about, whom else to call. The desk needs to know no vehicle."""
    store, other = [await place.queue(name=name) for name in ("store 12", "other")]
    await place.rules(
        Rule(name="store 12", queue_id=store.id, when=When(lines=("rv",), regions=("store_12",))),
        Rule(name="all", queue_id=other.id),
    )
    before = [await place.come(f"c{n}", line="rv", region="store_12") for n in range(2)]
    report = await place.db.run(_report)
    await place.agent("sue", chats=1, queues=[store.id])
    await place.settle()
    served = await place.thread(report)
    assert (served.queue_id, served.assignee_id) == (store.id, "acc_sue"), "before those who came earlier"
    assert {(await place.thread(one)).state.value for one in before} == {"queued"}
    async with place.db.begin() as tx:
        assert await desk.is_about(tx, "incident", "inc_1", tenant_id=None)
    [told] = await place.told("case.opened")
    assert (told["to"], told["stage"], told["priority"]) == (["desk", "support:ten_store12"], "all", 9)


async def _report(tx: Any) -> str:
    about = ("incident", "inc_1")
    talk, _ = await conversations.open_conversation(tx, customer_id="acc_ann", subject=about)
    request = Request(
        kind=Kind.CHAT, category="accident", severity=Severity.EMERGENCY, line="rv", region="store_12_hall"
    )
    await desk.submit(
        tx,
        Newcomer(
            conversation_id=talk.id, customer_id="acc_ann", request=request, subject_kind=about[0], subject_id=about[1]
        ),
    )
    await cases.open_case(
        tx, type="accident", line="rv", subject_kind=about[0], subject_id=about[1], title="An accident",
        due_at=tx.now + timedelta(minutes=10), priority=cases.Priority.TOP, stage=cases.Stage.ALL,
        audience=("desk", "support:ten_store12"), parties=("customer:acc_ann",), by="acc_ann",
    )  # fmt: skip
    return talk.id
