"""One Idempotency-Key: one effect, one answer, whatever the interleaving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from rest.edge import idempotency
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge import shop
from tests.edge.conftest import Client, serving

KEY = "key-0123456789abcdef"


@pytest.fixture
async def twins(client: Client, db: Database, shop_settings: Settings) -> AsyncIterator[list[Client]]:
    """The same shop served twice, as by two processes: they share nothing but the database."""
    async with serving(shop.build(db, shop_settings)) as base, ClientSession() as session:
        yield [client, Client(base, session, client.token)]


async def raw(client: Client, label: str, key: str, path: str = "/v1/jars") -> tuple[int, bytes, str | None]:
    headers = {"Authorization": f"Bearer {client.token}", "Idempotency-Key": key}
    async with client.session.post(client.base + path, json={"label": label}, headers=headers) as answer:
        return answer.status, await answer.read(), answer.headers.get("Location")


async def jars(db: Database) -> int:
    async with db.begin() as tx:
        return await tx.fetchval("SELECT count(*) FROM test_jars")


async def test_a_repeat_gets_the_stored_answer(client: Client, db: Database) -> None:
    first, headers, jar = await client.add()
    again, repeated, same = await client.add()
    assert (first, again, jar) == (201, 201, same)
    assert headers["Location"] == repeated["Location"] == f"/v1/jars/{jar['id']}"
    assert headers["ETag"] == repeated["ETag"] == '"v1"'
    assert ("Idempotency-Replayed" in headers, repeated["Idempotency-Replayed"]) == (False, "true")
    assert await jars(db) == 1


both = pytest.mark.parametrize("path", ["/v1/jars", "/v1/light-jars"], ids=["key first", "key last"])


@both
@pytest.mark.parametrize("round_", range(3))
async def test_racing_twins_have_one_effect_and_hear_the_same_bytes(
    twins: list[Client], db: Database, round_: int, path: str
) -> None:
    answers = await asyncio.gather(*(raw(twins[n % 2], "plums", KEY, path) for n in range(40)))
    assert len(set(answers)) == 1
    assert answers[0][0] == 201
    assert await jars(db) == 1


@both
async def test_racing_twins_hear_the_same_refusal(twins: list[Client], db: Database, path: str) -> None:
    answers = await asyncio.gather(*(raw(twins[n % 2], "broken", KEY, path) for n in range(20)))
    assert len(set(answers)) == 1
    assert answers[0][0] == 409
    assert await jars(db) == 0


async def test_a_key_with_another_body_is_refused_without_effect(client: Client, db: Database) -> None:
    await client.add("plums")
    status, _, problem = await client.add("pears")
    assert (status, problem["code"]) == (422, "key_reused")
    assert await jars(db) == 1


@both
async def test_racing_bodies_under_one_key_have_one_winner(twins: list[Client], db: Database, path: str) -> None:
    answers = await asyncio.gather(*(raw(twins[n % 2], f"label-{n % 4}", KEY, path) for n in range(20)))
    assert sorted({status for status, *_ in answers}) == [201, 422]
    assert len({body for status, body, _ in answers if status == 201}) == 1
    assert await jars(db) == 1


async def test_a_repeat_of_what_can_no_longer_be_done_gets_the_answer_of_when_it_could(
    client: Client, db: Database
) -> None:
    """The key of a light transaction is looked at last: its refusal must not hide the success before."""
    first = await raw(client, "only", KEY, "/v1/light-jars")
    assert (await raw(client, "only", KEY + "0", "/v1/light-jars"))[0] == 409
    assert await raw(client, "only", KEY, "/v1/light-jars") == first
    assert first[0] == 201
    assert await jars(db) == 1


async def test_a_key_belongs_to_its_caller_route_and_thing(client: Client, db: Database) -> None:
    _, _, mine = await client.add()
    _, _, yours = await client.as_("bob-token").add()
    assert mine["id"] != yours["id"]
    status, _, _ = await client.send("POST", f"/v1/jars/{mine['id']}/coin", headers={"Idempotency-Key": KEY})
    assert status == 200
    status, _, problem = await client.send("POST", f"/v1/jars/{yours['id']}/coin", headers={"Idempotency-Key": KEY})
    assert (status, problem["code"]) == (422, "key_reused")


async def test_a_refusal_is_kept_but_trouble_is_not(client: Client, db: Database) -> None:
    _, _, refusal = await client.add("broken", key="broken-key-123456")
    _, headers, again = await client.add("broken", key="broken-key-123456")
    assert (refusal, headers["Idempotency-Replayed"]) == (again, "true")
    assert headers["Content-Type"] == "application/problem+json"
    for label in ("later", "crash"):
        for _ in range(2):
            _, headers, _ = await client.add(label, key=f"trouble-key-{label}")
            assert "Idempotency-Replayed" not in headers
    async with db.begin() as tx:
        assert await tx.fetchval("SELECT count(*) FROM idempotency_keys") == 1


@pytest.mark.parametrize("key", ["short", "x" * 65, "with spaces in it 1", "ключ-ключ-ключ-ключ"])
async def test_a_bad_key_is_refused(client: Client, key: str, db: Database) -> None:
    status, _, problem = await client.add(key=key)
    assert (status, problem["code"]) == (400, "idempotency_key_invalid")
    assert await jars(db) == 0


async def test_a_key_is_required_where_value_is_made(client: Client) -> None:
    status, _, problem = await client.send("POST", "/v1/jars", json={"label": "a"})
    assert (status, problem["code"]) == (400, "idempotency_key_required")


async def test_where_the_key_is_optional_each_request_without_it_acts(client: Client) -> None:
    _, _, jar = await client.add()
    for _ in range(2):
        await client.send("POST", f"/v1/jars/{jar['id']}/coin")
    for _ in range(2):
        headers = {"Idempotency-Key": "coin-key-12345678"}
        _, _, seen = await client.send("POST", f"/v1/jars/{jar['id']}/coin", headers=headers)
    assert seen["coins"] == 3


async def test_a_handler_that_ignores_the_key_is_found_out(client: Client) -> None:
    headers = {"Idempotency-Key": KEY}
    status, _, _ = await client.send("POST", "/v1/forgetful", headers=headers)
    assert status == 500
    status, _, _ = await client.send("POST", "/v1/forgetful")
    assert status == 200


async def test_a_twin_that_waits_too_long_is_told_to_come_back(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MAX_S", 0.05)
    waiting = idempotency.Twins()
    await waiting.enter(("scope", "key"))
    with pytest.raises(idempotency.KeyInProgress) as refused:
        await waiting.enter(("scope", "key"))
    assert refused.value.fields == {"retry_after_s": 1}
    waiting.leave(("scope", "key"))
    await waiting.enter(("scope", "key"))
