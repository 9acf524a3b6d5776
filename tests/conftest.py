"""One PostgreSQL and one Redis per run; a clean migrated database for each test; a clock the test moves."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from storage import engines, migrate
from storage.base.clock import ManualClock
from storage.base.settings import Settings
from storage.postgres import Database

MONDAY = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Shanghai."""

SECRET = "test-secret-test-secret-test-secret"

hypothesis_settings.register_profile(
    "fieldhub", deadline=None, max_examples=int(os.environ.get("FIELDHUB_TEST_EXAMPLES", "25")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
hypothesis_settings.load_profile("fieldhub")


@pytest.fixture(scope="session")
def engine_dir() -> Iterator[Path]:
    """Outside pytest's own folder: every run that starts closes that to other users, and the server is another user."""
    with tempfile.TemporaryDirectory(prefix="fieldhub-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def pg_server(engine_dir: Path) -> Iterator[str]:
    """URL of a throw-away PostgreSQL server."""
    engine = engines.start_postgres(engine_dir, durable=False)
    yield engine.url
    engine.stop()


@pytest.fixture(scope="session")
def redis_url(engine_dir: Path) -> Iterator[str]:
    """URL of a throw-away Redis server."""
    engine = engines.start_redis(engine_dir)
    yield engine.url
    engine.stop()


@pytest.fixture(scope="session")
def pg_url(pg_server: str) -> str:
    """URL of a migrated database."""
    asyncio.run(_create(pg_server, "fieldhub"))
    url = database_url(pg_server, "fieldhub")
    asyncio.run(migrate.migrate(url))
    return url


def database_url(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{name}?")


async def _create(server: str, name: str) -> None:
    connection: Any = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MONDAY)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(secret=SECRET, data_dir=str(tmp_path))


@pytest.fixture(scope="session")
def sweep(pg_url: str) -> Iterator[Callable[[], Future[None]]]:
    """Empties the database, over one connection for all tests: a new one first learns of a hundred tables."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    connection: Any = asyncio.run_coroutine_threadsafe(asyncpg.connect(pg_url), loop).result()
    yield lambda: asyncio.run_coroutine_threadsafe(_empty(connection), loop)
    asyncio.run_coroutine_threadsafe(connection.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
async def db(pg_url: str, sweep: Callable[[], Future[None]], clock: ManualClock) -> AsyncIterator[Database]:
    """A database with every table empty (but for the relay's one row)."""
    await asyncio.wrap_future(sweep())
    database = await Database.connect(pg_url, clock=clock, pool_size=24)
    yield database
    await database.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    """An empty Redis."""
    from storage import redis as store

    client = store.connect(redis_url)
    await client.flushall()
    yield client
    await client.aclose()


async def wipe(database: Database) -> None:
    """Empty every table."""
    async with database.pool.acquire() as connection:
        await _empty(connection)


async def _empty(connection: Any) -> None:
    """Empty every table that has rows; replica mode skips foreign keys and the triggers that keep entries."""
    names = [row["name"] for row in await connection.fetch(TABLES)]
    looks = (f"SELECT '{name}' AS name WHERE EXISTS (SELECT FROM {name})" for name in names)
    filled = [row["name"] for row in await connection.fetch(" UNION ALL ".join(looks))]
    await connection.execute(
        "BEGIN; SET LOCAL session_replication_role = replica; "
        + "".join(f"DELETE FROM {name}; " for name in filled)
        + "DELETE FROM split_rules WHERE version > 1; "  # the first versions come with the migration
        + "UPDATE relay_state SET last_seq = 0, told_seq = 0, floor_seq = 0, epoch = 'test'; COMMIT"
    )


TABLES = """
    SELECT quote_ident(relname) AS name FROM pg_class
     WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT relispartition
       AND relname NOT IN ('schema_migrations', 'relay_state', 'split_rules')
"""


@pytest.fixture
def clean(db: Database) -> Callable[[], Any]:
    """For property tests: empties the database between examples."""
    return lambda: wipe(db)
