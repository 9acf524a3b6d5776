"""Settlements over HTTP, for finance."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from rest.money.settlement.routes import ROUTES
from rest.money.settlement.rule_routes import ROUTES as RULES
from storage.base.clock import ManualClock
from storage.base.codec import instant
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve
from tests.money.settling import Shop

PEOPLE = {"ann": [], "fay": ["finance"], "sue": ["support"], "tom": ["technician"]}


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    async with serve(db, settings, [*ROUTES, *RULES], PEOPLE) as client:
        yield client.as_("fay")


@pytest.fixture
def shop(db: Database) -> Shop:
    return Shop(db)


async def adjust(client: Client, view: Any, kind: str, fen: int | None, *, key: str = "adjust-key-00000001") -> Any:
    line = next(line["id"] for line in view["lines"] if line["kind"] == kind and line["reverses_id"] is None)
    amount = None if fen is None else {"amount": fen, "currency": "CNY"}
    return await client.send(
        "POST",
        f"/v1/admin/settlements/{view['id']}/adjustments",
        json={"line_id": line, "amount": amount, "reason": "agreed by phone"},
        headers={"Idempotency-Key": key, "If-Match": f'"v{view["version"]}"'},
    )


async def read(client: Client, shop: Shop) -> Any:
    status, headers, view = await client.send("GET", f"/v1/admin/orders/{shop.orders[-1]}/settlement")
    assert (status, headers["ETag"]) == (200, f'"v{view["version"]}"')
    return view


async def test_finance_reads_and_adjusts_once(client: Client, shop: Shop) -> None:
    """HS-164."""
    await shop.order(item=40_000, travel=3_000, kept=43_000)
    view = await read(client, shop)
    assert [(line["kind"], line["amount"]["amount"], line["state"]) for line in view["lines"]] == [
        ("technician", 27_000, "accrued"),
        ("platform", 16_000, "paid"),
    ]
    status, _, after = await adjust(client, view, "technician", 30_000)
    assert (status, after["version"], len(after["lines"])) == (201, 2, 6)
    assert {line["by"] for line in after["lines"] if line["cause"] == "adjusted"} == {"acc_fay"}
    assert (await adjust(client, view, "technician", 30_000))[2] == after
    stale = await adjust(client, view, "technician", 31_000, key="adjust-key-00000002")
    assert (stale[0], stale[2]["code"]) == (412, "stale_version")
    again = await adjust(client, after, "technician", 31_000, key="adjust-key-00000003")
    assert (again[0], again[2]["code"]) == (409, "already_reversed")
    last = await adjust(client, view | {"version": 2}, "platform", 1, key="adjust-key-00000004")
    assert (last[0], last[2]["code"]) == (422, "not_adjustable")
    assert await shop.faults() == []


async def test_a_line_may_be_taken_away_whole(client: Client, shop: Shop) -> None:
    await shop.order(item=40_000, kept=40_000)
    _, _, after = await adjust(client, await read(client, shop), "technician", None)
    assert {line["kind"]: line["net"]["amount"] for line in after["lines"] if line["net"]["amount"]} == {
        "platform": 40_000
    }
    assert await shop.faults() == []


@pytest.mark.parametrize("who", ["ann", "sue", "tom"])
async def test_only_finance_sees_them(client: Client, shop: Shop, who: str) -> None:
    await shop.order(item=40_000, kept=40_000)
    for path in (f"/v1/admin/orders/{shop.orders[0]}/settlement", "/v1/admin/settlements"):
        assert (await client.as_(who).send("GET", path))[0] == 403


async def test_the_list_filters_by_party_state_and_time(client: Client, shop: Shop, clock: ManualClock) -> None:
    await shop.bind()
    with_channel = await shop.order(item=40_000, kept=40_000)
    clock.advance(hours=1)
    noon = instant(clock.now())
    other = await shop.order(worker="wrk_li", item=20_000, kept=20_000)
    refunded = await shop.order(worker="wrk_li", item=30_000, kept=30_000)
    await shop.refund(refunded.order_id, 10_000)

    async def found(query: str) -> set[str]:
        status, _, page = await client.send("GET", f"/v1/admin/settlements?{query}")
        assert status == 200, page
        return {one["id"] for one in page["data"]}

    everything = {with_channel.id, other.id, refunded.id}
    assert await found("") == everything
    assert await found("party=worker:wrk_li") == {other.id, refunded.id}
    assert await found("party=customer:acc_carl") == {with_channel.id}
    assert await found("party=platform:homeservice") == everything
    assert await found("reversed=true") == {refunded.id}
    assert await found("reversed=false") == {with_channel.id, other.id}
    assert await found(f"since={noon}") == {other.id, refunded.id}
    assert await found(f"until={noon}") == {with_channel.id}
    assert (await client.send("GET", "/v1/admin/settlements?party=wrk_li"))[0] == 400


async def test_the_list_comes_in_pages(client: Client, shop: Shop) -> None:
    made = {(await shop.order(item=1_000, kept=1_000)).id for _ in range(5)}
    path, seen = "/v1/admin/settlements?limit=2", []
    while path:
        _, _, page = await client.send("GET", path)
        seen += [one["id"] for one in page["data"]]
        path = f"/v1/admin/settlements?limit=2&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert set(seen) == made
    assert len(seen) == 5


PARTS = [
    {"kind": "technician", "party": "worker", "bps": None, "of": ["item"], "whole": ["travel", "-voucher"]},
    {"kind": "platform", "party": "platform"},
]


async def publish(client: Client, version: int, parts: Any = PARTS) -> tuple[int, Any]:
    status, _, answer = await client.send(
        "POST",
        "/v1/admin/split_rules",
        json={"line": "homeservice", "version": version, "parts": parts, "note": "no channels"},
        headers={"Idempotency-Key": f"rule-key-{version:08}{len(parts)}"},
    )
    return status, answer


async def test_finance_publishes_versions_that_never_change(client: Client, shop: Shop) -> None:
    status, made = await publish(client, 2)
    assert (status, made["version"], made["by"]) == (201, 2, "acc_fay")
    assert made["parts"][0]["whole"] == ["travel", "-voucher"]
    taken = await publish(client, 2, [PARTS[-1]])
    assert (taken[0], taken[1]["code"]) == (409, "split_version_taken")
    backwards = await publish(client, 3, PARTS[::-1])
    assert (backwards[0], backwards[1]["code"]) == (422, "split_rule_invalid")
    _, _, page = await client.send("GET", "/v1/admin/split_rules?line=homeservice")
    assert [(one["version"], len(one["parts"])) for one in page["data"]] == [(2, 2), (1, 4)]
    _, _, first = await client.send("GET", "/v1/admin/split_rules?limit=1")
    _, _, second = await client.send("GET", f"/v1/admin/split_rules?limit=1&cursor={first['next_cursor']}")
    assert [one["version"] for one in (*first["data"], *second["data"])] == [2, 1]
    assert (await client.as_("sue").send("GET", "/v1/admin/split_rules"))[0] == 403
