"""Withdrawals over HTTP: the owner's side, and finance's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rest.money import wallet
from rest.money.wallet.routes import ROUTES as WALLET
from rest.money.withdrawals.routes import ROUTES
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve
from tests.money.settling import Shop

PEOPLE = {"ann": [], "ben": [], "fay": ["finance"], "finn": ["finance"], "sue": ["support"]}
NUMBER = "6222020200112233445"
PAYEE = {"method": "bank", "name": "安女士", "number": NUMBER}
ADMIN = "/v1/admin/withdrawals"


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    async with db.begin() as tx:
        for name in ("ann", "fay"):
            await wallet.credit(tx, f"acc_{name}", 1_000_000, f"gift:{name}", "test")
    async with serve(db, settings, [*ROUTES, *WALLET], PEOPLE) as client:
        yield client


async def ask(client: Client, fen: Any = 10_000, *, who: str = "ann", n: int = 1, **changed: Any) -> Any:
    body = {"amount": {"amount": fen, "currency": "CNY"}, "payee": PAYEE, **changed}
    headers = {"Idempotency-Key": f"withdrawal-key-{n:04}"}
    return await client.as_(who).send("POST", "/v1/wallet/withdrawals", json=body, headers=headers)


async def step(client: Client, one: str, verb: str, body: Any = None, *, who: str = "fay") -> Any:
    return await client.as_(who).send("POST", f"{ADMIN}/{one}/{verb}", json=body)


async def test_from_the_wallet_to_the_bank(client: Client, db: Database) -> None:
    status, headers, one = await ask(client, 300_000)
    assert (status, one["state"], headers["ETag"]) == (201, "review", '"v1"')
    assert headers["Location"] == f"/v1/wallet/withdrawals/{one['id']}"
    assert one["payee"] == {"method": "bank", "name": "安女士", "number": "*" * 15 + "3445"}
    mine = (await client.as_("ann").send("GET", "/v1/wallet"))[2]
    assert (mine["balance"]["amount"], mine["frozen"]["amount"]) == (700_000, 300_000)

    (listed,) = (await client.as_("fay").send("GET", f"{ADMIN}?state=review"))[2]["data"]
    assert (listed["id"], listed["payee"]["number"], listed["owner_id"]) == (one["id"], NUMBER, "acc_ann")
    assert (await step(client, one["id"], "approve", {"reason": "known"}))[2]["state"] == "sending"
    assert (await step(client, one["id"], "sent", {"ref": "20260105-77"}, who="finn"))[2]["state"] == "sent"
    done = (await step(client, one["id"], "confirm", who="finn"))[2]
    assert (done["state"], [event["verb"] for event in done["events"]]) == (
        "confirmed", ["request", "approve", "send", "confirm"],
    )  # fmt: skip
    seen = (await client.as_("ann").send("GET", f"/v1/wallet/withdrawals/{one['id']}"))[2]
    assert (seen["state"], seen["version"]) == ("confirmed", 4)
    mine = (await client.as_("ann").send("GET", "/v1/wallet"))[2]
    assert (mine["balance"]["amount"], mine["frozen"]["amount"]) == (700_000, 0)
    entries = (await client.as_("ann").send("GET", "/v1/wallet/entries"))[2]["data"]
    assert [entry["kind"] for entry in entries] == ["withdrawal", "credit"]
    assert await Shop(db).faults() == []


async def test_the_same_key_asks_once(client: Client, db: Database) -> None:
    answers = await asyncio.gather(*(ask(client) for _ in range(6)))
    assert {status for status, _, _ in answers} == {201}
    assert len({body["id"] for _, _, body in answers}) == 1
    assert (await ask(client, 10_001))[2]["code"] == "key_reused"
    assert len((await client.as_("ann").send("GET", "/v1/wallet/withdrawals"))[2]["data"]) == 1


async def test_what_is_somebody_else_s_is_not_there(client: Client) -> None:
    one = (await ask(client))[2]
    assert (await client.as_("ben").send("GET", f"/v1/wallet/withdrawals/{one['id']}"))[0] == 404
    assert (await client.as_("ben").send("GET", "/v1/wallet/withdrawals"))[2]["data"] == []
    for who in ("ann", "sue"):
        assert (await client.as_(who).send("GET", f"{ADMIN}/{one['id']}"))[0] == 403
        assert (await step(client, one["id"], "approve", {"reason": "x"}, who=who))[0] == 403


async def test_finance_does_not_decide_about_its_own_money(client: Client) -> None:
    one = (await ask(client, 300_000, who="fay"))[2]
    status, _, problem = await step(client, one["id"], "approve", {"reason": "mine"})
    assert (status, problem["code"]) == (403, "own_withdrawal")
    assert (await step(client, one["id"], "reject", {"reason": "not yours alone"}, who="finn"))[0] == 200


@pytest.mark.parametrize("verb", ["approve", "reject", "fail"])
@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 201}, None])
async def test_a_decision_has_a_reason(client: Client, verb: str, body: Any) -> None:
    """HS-181."""
    one = (await ask(client, 300_000))[2]
    assert (await step(client, one["id"], verb, body))[0] == 400


@pytest.mark.parametrize(
    ("fen", "status", "code"),
    [
        (0, 400, "invalid_input"),
        (99, 422, "below_minimum"),
        (2_000_001, 422, "insufficient_balance"),
        (1_000_001, 422, "insufficient_balance"),
    ],
)
async def test_amounts_that_cannot_be_paid_out(client: Client, fen: int, status: int, code: str) -> None:
    found, _, problem = await ask(client, fen)
    assert (found, problem["code"]) == (status, code)


@pytest.mark.parametrize(
    "payee", [{"number": "12"}, {"number": "12 34"}, {"name": ""}, {"method": "cash"}, {"number": "4" * 65}]
)
async def test_a_payee_that_is_none_is_refused(client: Client, payee: dict[str, str]) -> None:
    assert (await ask(client, payee=PAYEE | payee))[0] == 400


async def test_lists_come_in_pages(client: Client) -> None:
    ids = [(await ask(client, 1_000 + n, n=n))[2]["id"] for n in range(5)]
    path, seen = "/v1/wallet/withdrawals?limit=2", []
    while path:
        _, _, page = await client.as_("ann").send("GET", path)
        seen += [one["id"] for one in page["data"]]
        path = f"/v1/wallet/withdrawals?limit=2&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert sorted(seen) == sorted(ids)
    assert len(seen) == 5
    listed = (await client.as_("fay").send("GET", f"{ADMIN}?state=sending&limit=3"))[2]
    assert (len(listed["data"]), listed["has_more"]) == (3, True)
