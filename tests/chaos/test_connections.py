"""A database connection that is told of its end before it sees it: what is used in between must not end a process.

PostgreSQL says why it closes a connection, then closes it. Whoever uses the connection in between gets an
`asyncpg.InternalClientError`, which is neither a PostgresError nor an InterfaceError. A gate before a real PostgreSQL
makes the moment long.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.base.settings import Settings
from storage.jobs import JobRunner
from storage.postgres import Database

PORT_FILE = ".s.PGSQL.5432"


class Gate:
    """A Unix socket before PostgreSQL that passes on every byte at once, and an end only after `holds_s`."""

    def __init__(self, behind: Path, holds_s: float) -> None:
        self._behind, self._holds_s = behind, holds_s
        self._passing: set[asyncio.Task[None]] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asks = await asyncio.open_unix_connection(str(self._behind))
        for source, sink, holds_s in ((reader, asks, 0.0), (answers, writer, self._holds_s)):
            task = asyncio.create_task(self._pass_on(source, sink, holds_s))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, holds_s: float) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()
            await asyncio.sleep(holds_s)
        finally:
            sink.close()
            with contextlib.suppress(OSError):
                await sink.wait_closed()

    async def close(self) -> None:
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)


@pytest.fixture
async def gated(db: Database, pg_url: str) -> AsyncIterator[Database]:
    """The test's database by way of a gate."""
    folder = pg_url.partition("host=")[2]
    gate = Gate(Path(folder) / PORT_FILE, holds_s=1.0)
    with tempfile.TemporaryDirectory(prefix="gate-") as front:
        server = await asyncio.start_unix_server(gate.take, str(Path(front) / PORT_FILE))
        database = await Database.connect(pg_url.replace(folder, front), clock=db.clock, pool_size=1)
        yield database
        await database.close()
        server.close()
        await gate.close()


async def test_a_connection_in_its_last_moment_does_not_end_the_job_runner(gated: Database, db: Database) -> None:
    runner = JobRunner(gated, Settings(secret="x" * 32), {})
    stop = asyncio.Event()
    async with gated.pool.acquire() as connection:
        pid = connection.get_server_pid()
    async with db.look() as tx:
        await tx.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    running = asyncio.create_task(runner.run(stop))
    ended, _ = await asyncio.wait([running], timeout=2.5)
    stop.set()
    await asyncio.wait([running], timeout=5)
    assert not ended, running.exception()
    running.result()
