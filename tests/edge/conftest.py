"""The little shop on a real port."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession, web

from rest.edge import ProblemRunner
from storage.base import log
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge import shop


class Client:
    """Calls one server as one person; gives (status, headers, decoded body)."""

    def __init__(self, base: str, session: ClientSession, token: str | None) -> None:
        self.base, self.session, self.token = base, session, token

    def as_(self, token: str | None) -> Client:
        return Client(self.base, self.session, token)

    async def send(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        async with self.session.request(method, self.base + path, headers=headers, **options) as answer:
            raw = await answer.read()
            body: Any = raw
            if "json" in answer.headers.get("Content-Type", ""):
                body = await answer.json(content_type=None)
            return answer.status, answer.headers, body

    async def add(self, label: str = "plums", key: str = "key-0123456789abcdef", **more: Any) -> tuple[int, Any, Any]:
        return await self.send("POST", "/v1/jars", json={"label": label, **more}, headers={"Idempotency-Key": key})


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What was logged during the test."""
    stream = io.StringIO()
    log.direct_to(stream)
    yield stream
    log.direct_to(None)
    print(stream.getvalue())


@pytest.fixture
def shop_settings(settings: Settings) -> Settings:
    return replace(
        settings, requests_per_minute_max=500, trusted_proxies="127.0.0.1", allowed_origins="https://app.example"
    )


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The base URL of an application on a port of its own."""
    runner = ProblemRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def client(db: Database, shop_settings: Settings, logged: io.StringIO) -> AsyncIterator[Client]:
    async with db.pool.acquire() as connection:
        await connection.execute(shop.TABLE)
        await connection.execute("DELETE FROM test_jars")
    async with serving(shop.build(db, shop_settings)) as base, ClientSession() as session:
        yield Client(base, session, "ann-token")
