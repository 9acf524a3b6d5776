"""Books of their own for tests that change how the ledger works."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from storage import migrate
from tests.conftest import database_url

STEP = 5
"""Entries under a checkpoint, here."""

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def small_steps(pg_server: str) -> str:
    """A migrated database with many checkpoints, to make others from; nobody stays connected to it."""

    async def make() -> None:
        await run_sql(pg_server, "CREATE DATABASE small_steps")
        url = database_url(pg_server, "small_steps")
        await migrate.migrate(url)
        await run_sql(
            url,
            "CREATE OR REPLACE FUNCTION ledger_step() RETURNS bigint LANGUAGE sql IMMUTABLE "
            f"AS 'SELECT {STEP}::bigint'",
        )

    asyncio.run(make())
    return "small_steps"


@pytest.fixture
async def book_url(pg_server: str, small_steps: str) -> AsyncIterator[str]:
    """A database of its own with a checkpoint for every few entries."""
    url = await _make_book(pg_server, small_steps)
    yield url
    await _drop_book(pg_server, url)


@pytest.fixture
def looped_book_url(pg_server: str, small_steps: str) -> Iterator[str]:
    """The same for a test that runs a loop of its own."""
    url = asyncio.run(_make_book(pg_server, small_steps))
    yield url
    asyncio.run(_drop_book(pg_server, url))


async def _make_book(pg_server: str, small_steps: str) -> str:
    name = f"book_{next(numbers)}"
    await run_sql(pg_server, f"CREATE DATABASE {name} TEMPLATE {small_steps}")
    await run_sql(pg_server, f"ALTER DATABASE {name} SET deadlock_timeout = '30ms'")  # so that one is seen soon
    return database_url(pg_server, name)


async def _drop_book(pg_server: str, url: str) -> None:
    await run_sql(pg_server, f"DROP DATABASE {url.partition('?')[0].rpartition('/')[2]} WITH (FORCE)")


async def run_sql(url: str, sql: str) -> None:
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
