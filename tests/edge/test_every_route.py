"""What holds for each operation of the application, whatever it does: one table of bad requests, tried on all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from yarl import URL

from rest.app import OPERATIONS, build_app
from rest.edge import Route
from rest.people import Role
from rest.people.auth import Keys
from rest.people.operators import create_accounts
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.conftest import SECRET
from tests.edge.conftest import serving

KEY = "key-0123456789abcdef"
JSON = {"Content-Type": "application/json"}


@dataclass
class Caller:
    """Sends to any operation as anybody."""

    base: str
    session: ClientSession
    db: Database
    signed_in: dict[str, Any]

    def token(self, *roles: str) -> str:
        keys, who = Keys(SECRET), self.signed_in
        return keys.issue(who["session_id"], who["account_id"], frozenset(roles), self.db.clock.now(), 900).text

    async def send(self, route: Route, *, path: str | None = None, **options: Any) -> tuple[int, dict[str, Any]]:
        """(status, problem) as somebody who may, with key and version where the operation wants them."""
        headers = {"Authorization": f"Bearer {self.token(*route.roles)}"} if route.roles else {}
        if route.idempotent is not None:
            headers["Idempotency-Key"] = KEY
        if route.if_match:
            headers["If-Match"] = '"v1"'
        headers |= options.pop("headers", {})
        headers = {name: value for name, value in headers.items() if value}
        url = self.base + (path or self.path(route))
        async with self.session.request(route.method, url, headers=headers, **options) as answer:
            return answer.status, await answer.json(content_type=None) if await answer.read() else {}

    def path(self, route: Route, value: str = "abc_00000000000000000000000000") -> str:
        found = route.path
        for name in route.path_variables:
            found = found.replace("{" + name + "}", value)
        return found


@pytest.fixture
async def caller(db: Database, settings: Settings, clock: ManualClock) -> AsyncIterator[Caller]:
    made = (await create_accounts(db, settings, "user", 1))[0]
    app = build_app(db, replace(settings, requests_per_minute_max=10**6, code_per_address_max=10**6))
    async with serving(app) as base, ClientSession() as session:
        yield Caller(base, session, db, made)


def wrong(found: list[str], route: Route, answer: tuple[int, dict[str, Any]], status: int, *codes: str) -> None:
    if answer[0] != status or answer[1].get("code") not in codes:
        found.append(f"{route.operation_id}: {answer[0]} {answer[1].get('code')}, not {status} {codes}")


async def test_each_knows_its_callers(caller: Caller) -> None:
    found: list[str] = []
    for route in OPERATIONS:
        if route.is_public:
            continue
        wrong(found, route, await caller.send(route, headers={"Authorization": ""}), 401, "login_required")
        wrong(found, route, await caller.send(route, headers={"Authorization": "Bearer x"}), 401, "token_invalid")
        others = [role.value for role in Role if role.value not in route.roles]
        if others:
            token = {"Authorization": f"Bearer {caller.token(*others)}"}
            wrong(found, route, await caller.send(route, headers=token), 403, "forbidden")
    assert found == []


async def test_each_refuses_unknown_parameters(caller: Caller) -> None:
    found: list[str] = []
    for route in OPERATIONS:
        path = caller.path(route) + "?no_such_parameter=1"
        wrong(found, route, await caller.send(route, path=path), 400, "unknown_parameter")
    assert found == []


BODIES = [
    (b"{", 400, "malformed_json"),
    (b"\xff", 400, "malformed_json"),
    (b"[" * 50 + b"]" * 50, 400, "malformed_json"),
    (b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, 400, "malformed_json"),
    (b"[]", 400, "invalid_input"),
    (b"null", 400, "invalid_input"),
    (b"7", 400, "invalid_input"),
    (b'{"no_such_field": 1}', 400, "invalid_input"),
    (b'{"a\\u0000b": 1}', 400, "invalid_input"),
    (b'{"x": "\\u0000"}', 400, "invalid_input"),
]


async def test_each_refuses_bad_bodies(caller: Caller) -> None:
    found: list[str] = []
    for route in OPERATIONS:
        if route.request is None:
            continue
        for raw, status, code in BODIES:
            wrong(found, route, await caller.send(route, data=raw, headers=JSON), status, code)
        plain = {"Content-Type": "text/plain"}
        wrong(found, route, await caller.send(route, data=b"{}", headers=plain), 415, "unsupported_media_type")
    assert found == []


def needed_query(route: Route) -> str:
    """The parameters a route cannot do without, with a value they may have."""
    fields = [] if route.query is None else msgspec.structs.fields(route.query)
    return "&".join(f"?{field.name}={next(iter(field.type)).value}" for field in fields if field.required)


async def test_each_asks_for_its_headers(caller: Caller) -> None:
    found: list[str] = []
    for route in OPERATIONS:
        if route.idempotent == "required":
            answer = await caller.send(route, json={}, headers={"Idempotency-Key": ""})
            wrong(found, route, answer, 400, "idempotency_key_required")
        if route.idempotent is not None:
            path = caller.path(route) + needed_query(route)
            answer = await caller.send(route, path=path, json={}, headers={"Idempotency-Key": "short"})
            wrong(found, route, answer, 400, "idempotency_key_invalid")
        if route.if_match:
            wrong(found, route, await caller.send(route, json={}, headers={"If-Match": ""}), 428, "version_required")
    assert found == []


async def test_each_takes_only_ids_that_could_be_ours(caller: Caller) -> None:
    found: list[str] = []
    for route in OPERATIONS:
        if not route.path_variables:
            continue
        for value in ("a%00b", "x" * 65, "%F0%9F%92%A9", "a%20b", "%2e%2e%2f", "'%3B--"):
            headers = {"Authorization": f"Bearer {caller.token(*route.roles)}"} if route.roles else {}
            url = URL(caller.base + caller.path(route, value), encoded=True)
            async with caller.session.request(route.method, url, headers=headers) as answer:
                wrong(found, route, (answer.status, await answer.json(content_type=None)), 404, "not_found")
    assert found == []


async def test_each_thing_that_does_not_exist_is_not_found(caller: Caller) -> None:
    """And never somebody else's, a crash or a silent success."""
    found: list[str] = []
    for route in OPERATIONS:
        if route.path_variables and route.method in {"GET", "DELETE"}:
            status, problem = await caller.send(route)
            if status not in {403, 404}:
                found.append(f"{route.operation_id}: {status} {problem.get('code')}")
    assert found == []
