"""The whole application on a real port, and people who sign in to it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import ClientSession

from rest.app import build_app
from rest.people.auth import Keys
from storage.base import log
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database
from tests.conftest import SECRET
from tests.edge.conftest import serving

PHONE = "13800138000"


@dataclass
class Phone:
    """One device: calls the server, keeps its tokens."""

    base: str
    session: ClientSession
    access: str | None = None
    refresh: str | None = None
    session_id: str = ""
    account: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.access:
            sent.setdefault("Authorization", f"Bearer {self.access}")
        async with self.session.request(method, self.base + path, json=body, headers=sent) as answer:
            self.answered = answer.headers
            return answer.status, await answer.json(content_type=None) if await answer.read() else None

    async def code(self, phone: str = PHONE) -> str:
        status, body = await self.send("POST", "/v1/auth/codes", {"phone": phone})
        assert status == 201, body
        return str(body["dev_code"])

    async def sign_in(self, phone: str = PHONE, code: str | None = None) -> tuple[int, Any]:
        code = code or await self.code(phone)
        status, body = await self.send("POST", "/v1/auth/sessions", {"phone": phone, "code": code})
        if status == 201:
            self.keep(body)
        return status, body

    async def refreshed(self, token: str | None = None) -> tuple[int, Any]:
        status, body = await self.send("POST", "/v1/auth/refresh", {"refresh_token": token or self.refresh})
        if status == 200:
            self.keep(body)
        return status, body

    def keep(self, body: dict[str, Any]) -> None:
        self.access, self.refresh = body["access_token"], body["refresh_token"]
        self.session_id, self.account = body["session_id"], body["account"]

    def twin(self) -> Phone:
        """Another device at the same server, signed out."""
        return Phone(self.base, self.session)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.direct_to(stream)
    yield stream
    log.direct_to(None)
    print(stream.getvalue())


@pytest.fixture
def keys() -> Keys:
    return Keys(SECRET)


@pytest.fixture
async def phone(db: Database, settings: Settings, clock: ManualClock, logged: io.StringIO) -> AsyncIterator[Phone]:
    app = build_app(db, replace(settings, requests_per_minute_max=100_000))
    async with serving(app) as base, ClientSession() as session:
        yield Phone(base, session)


async def facts(db: Database, topic: str) -> list[tuple[dict[str, Any], list[str]]]:
    """(fact, audience) of all told so far, in order."""
    from storage.base import codec

    async with db.begin() as tx:
        rows = await tx.fetch("SELECT body, audience FROM outbox WHERE topic = $1 ORDER BY id", topic)
    return [(codec.loads(row["body"]), row["audience"]) for row in rows]
