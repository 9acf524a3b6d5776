"""Cases over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chat import cases
from rest.desk.cases.routes import case_routes
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve

PEOPLE = {"ann": [], "tom": ["technician"], "fay": ["finance"], "sue": ["support"], "oli": ["ops"], "adam": ["admin"]}


@pytest.fixture
async def client(db: Database, clock: ManualClock, settings: Settings) -> AsyncIterator[Client]:
    """Five cases: orders 0 to 4, priorities 3 9 1 3 9; the first one taken, the second one closed."""
    for n, priority in enumerate([3, 9, 1, 3, 9]):
        clock.advance(seconds=1)
        async with db.begin() as tx:
            case = await cases.open_case(
                tx, type="safety" if n == 4 else "no_grab", line="homeservice", subject_kind="order",
                subject_id=f"ord_{n}", title="?", priority=priority, due_at=tx.now + timedelta(minutes=10 - n),
            )  # fmt: skip
            if n == 0:
                await cases.take_case(tx, case.id, "acc_sue")
            if n == 1:
                await cases.resolve_cases(tx, "order", "ord_1")
    async with serve(db, settings, case_routes({}), PEOPLE) as client:
        yield client.as_("sue")


async def listed(client: Client, query: str = "") -> str:
    """The numbers of the orders, all pages."""
    found, cursor = "", ""
    while True:
        status, _, page = await client.send("GET", f"/v1/admin/cases?limit=2{query}{cursor}")
        assert status == 200
        found += "".join(case["subject_id"][-1] for case in page["data"])
        if not page["has_more"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "43210"),
        ("&sort=urgency", "41302"),
        ("&state=open,taken&sort=urgency", "4302"),
        ("&state=open", "432"),
        ("&state=closed", "1"),
        ("&type=safety", "4"),
        ("&type=no_grab,no_choice&state=open", "32"),
        ("&subject_id=ord_3", "3"),
        ("&subject_id=ord_9", ""),
    ],
)
async def test_lists(client: Client, query: str, expected: str) -> None:
    assert await listed(client, query) == expected


@pytest.mark.parametrize(
    "query",
    ["state=lost", "state=", "type=DROP%20TABLE", "sort=title", "subject_id=a%20b", "lines=x", "limit=0", "limit=101",
     "mine=2", "overdue=maybe", "priority_min=0"],
)
async def test_a_filter_that_does_not_exist_is_refused(client: Client, query: str) -> None:
    assert (await client.send("GET", f"/v1/admin/cases?{query}"))[0] == 400


async def test_a_cursor_belongs_to_its_filters(client: Client) -> None:
    _, _, page = await client.send("GET", "/v1/admin/cases?limit=1&state=open")
    status, _, problem = await client.send("GET", f"/v1/admin/cases?limit=1&state=closed&cursor={page['next_cursor']}")
    assert (status, problem["code"]) == (400, "cursor_invalid")


async def test_one_case(client: Client) -> None:
    _, _, page = await client.send("GET", "/v1/admin/cases?subject_id=ord_0")
    shown = page["data"][0]
    status, _, case = await client.send("GET", f"/v1/admin/cases/{shown['id']}")
    assert (status, case) == (200, {"case": shown, "allowed": []})  # nobody speaks for its line here
    assert (shown["state"], shown["taken_by"], shown["stage"], shown["due_at"]) == (
        "taken", "acc_sue", "queue", "2026-01-05T02:10:01.000Z",
    )  # fmt: skip


async def test_no_such_case(client: Client) -> None:
    assert (await client.send("GET", "/v1/admin/cases/cas_nothing"))[2]["code"] == "not_found"


@pytest.mark.parametrize(
    ("who", "status"),
    [("sue", 200), ("oli", 200), ("adam", 200), ("fay", 200), ("ann", 403), ("tom", 403), (None, 401)],
)
async def test_cases_are_for_staff(client: Client, who: str | None, status: int) -> None:
    assert (await client.as_(who).send("GET", "/v1/admin/cases"))[0] == status
