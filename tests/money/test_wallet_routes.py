"""Wallets over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rest.money import ledger, wallet
from rest.money.wallet.model import CREDIT_MAX_FEN
from rest.money.wallet.routes import ROUTES
from rest.people.store import find_or_add_account
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client
from tests.money.serving import serve

KEY = "credit-key-0000001"
PEOPLE = {"ann": [], "ben": [], "fay": ["finance"], "sue": ["support"], "adam": ["admin"]}


@pytest.fixture
async def client(db: Database, settings: Settings) -> AsyncIterator[Client]:
    async with db.begin() as tx:
        for n, name in enumerate(["ann", "ben"]):
            await find_or_add_account(tx, f"acc_{name}", f"+861390000000{n}")
    async with serve(db, settings, ROUTES, PEOPLE) as client:
        yield client


async def give(client: Client, fen: Any = 500, *, key: str = KEY, to: str = "acc_ann", **changed: Any) -> Any:
    body = {"amount": {"amount": fen, "currency": "CNY"}, "reason": "goodwill", **changed}
    return await client.send("POST", f"/v1/admin/wallets/{to}/credits", json=body, headers={"Idempotency-Key": key})


async def test_finance_gives_and_the_customer_sees_it(client: Client, db: Database) -> None:
    status, _, credit = await give(client.as_("fay"))
    assert status == 201
    assert (credit["balance"], credit["by"]) == ({"amount": 500, "currency": "CNY"}, "acc_fay")
    _, headers, mine = await client.as_("ann").send("GET", "/v1/wallet")
    assert mine == {
        "account_id": "acc_ann",
        "balance": {"amount": 500, "currency": "CNY"},
        "pending": {"amount": 0, "currency": "CNY"},
        "frozen": {"amount": 0, "currency": "CNY"},
        "prepaid": {"amount": 0, "currency": "CNY"},
        "bonus": {"amount": 0, "currency": "CNY"},
        "credits": [],
    }
    assert headers["Cache-Control"] == "no-store"
    _, _, his = await client.as_("ben").send("GET", "/v1/wallet")
    assert his["balance"]["amount"] == 0
    async with db.begin() as tx:
        kept = await tx.fetchrow("SELECT by_id, note FROM ledger_transfers WHERE id = $1", credit["transfer_id"])
    assert tuple(kept) == ("acc_fay", "goodwill")


async def test_the_same_key_gives_once(client: Client, db: Database) -> None:
    answers = await asyncio.gather(*(give(client.as_("fay")) for _ in range(8)))
    assert {status for status, _, _ in answers} == {201}
    assert len({str(body) for _, _, body in answers}) == 1
    assert (await give(client.as_("fay"), 501))[2]["code"] == "key_reused"
    assert (await give(client.as_("fay"), to="acc_ben"))[2]["code"] == "key_reused"
    assert (await give(client.as_("adam")))[0] == 201
    async with db.begin() as tx:
        assert await wallet.balance(tx, "acc_ann") == 1000
        assert await wallet.balance(tx, "acc_ben") == 0
        assert await ledger.verify(tx) == []


async def test_the_ledger_remembers_keys_the_edge_has_forgotten(client: Client, db: Database) -> None:
    first = (await give(client.as_("fay")))[2]
    async with db.begin() as tx:
        await tx.execute("DELETE FROM idempotency_keys")
    assert (await give(client.as_("fay")))[2] == first
    async with db.begin() as tx:
        await tx.execute("DELETE FROM idempotency_keys")
        assert await wallet.balance(tx, "acc_ann") == 500
    assert (await give(client.as_("fay"), 501))[2]["code"] == "ref_reused"


@pytest.mark.parametrize(("who", "status"), [("ann", 403), ("sue", 403), (None, 401), ("stranger", 401)])
async def test_only_finance_gives(client: Client, who: str | None, status: int) -> None:
    assert (await give(client.as_(who)))[0] == status


@pytest.mark.parametrize("fen", [0, -1, 1.5, "5", None, 10**12 + 1])
async def test_an_amount_that_is_none_is_refused(client: Client, fen: Any) -> None:
    status, _, problem = await give(client.as_("fay"), fen)
    assert (status, problem["code"]) == (400, "invalid_input")
    assert problem["errors"][0]["pointer"] == "/amount/amount"


@pytest.mark.parametrize(
    "body",
    [
        {"reason": ""},
        {"reason": "x" * 201},
        {"amount": {"amount": 5, "currency": "USD"}},
        {"amount": {"amount": 5}},
        {"amount": 5},
        {"note": "unknown"},
    ],
)
async def test_a_body_that_is_not_a_credit_is_refused(client: Client, body: dict[str, Any]) -> None:
    assert (await give(client.as_("fay"), **body))[0] == 400


async def test_a_slip_of_the_keyboard_is_refused(client: Client) -> None:
    status, _, problem = await give(client.as_("fay"), CREDIT_MAX_FEN + 1)
    assert (status, problem["code"]) == (422, "amount_range")
    assert (await give(client.as_("fay"), CREDIT_MAX_FEN, key="another-key-000002"))[0] == 201


async def test_nobody_gets_nothing(client: Client, db: Database) -> None:
    status, _, problem = await give(client.as_("fay"), to="acc_nobody")
    assert (status, problem["code"]) == (404, "not_found")
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ledger_accounts") == 0


async def test_entries_come_in_pages_that_sum_to_the_balance(client: Client) -> None:
    """HS-175."""
    for n in range(5):
        await give(client.as_("fay"), 10 + n, key=f"credit-key-{n:07}")
    ann, path, lines = client.as_("ann"), "/v1/wallet/entries?limit=2", []
    for _ in range(3):
        _, headers, page = await ann.send("GET", path)
        lines += page["data"]
        path = f"/v1/wallet/entries?limit=2&cursor={page['next_cursor']}"
        assert page["has_more"] == ("Link" in headers)
    assert page["next_cursor"] is None
    assert [line["amount"]["amount"] for line in lines] == [14, 13, 12, 11, 10]
    assert sum(line["amount"]["amount"] for line in lines) == lines[0]["balance_after"]["amount"]
    assert "goodwill" not in str(lines)


async def test_a_cursor_of_somebody_else_is_refused(client: Client) -> None:
    for n in range(2):
        await give(client.as_("fay"), key=f"credit-key-{n:07}")
    _, _, page = await client.as_("ann").send("GET", "/v1/wallet/entries?limit=1")
    status, _, problem = await client.as_("ben").send("GET", f"/v1/wallet/entries?limit=1&cursor={page['next_cursor']}")
    assert (status, problem["code"]) == (400, "cursor_invalid")
