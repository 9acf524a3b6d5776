"""Migrations: plain SQL files applied in order, forward only, each in a transaction under a lock timeout.

`schema.sql` is the generated picture of the whole database; a test compares it with the migrated one.
A database newer than this code is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from storage.base.log import log

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_ID = 4_839_201  # advisory lock: one migrator at a time
LOCK_TIMEOUT_MS = 5_000  # rather fail than queue every request behind a waiting ALTER


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str


class DatabaseTooNew(Exception):
    """The database was migrated by a newer version of this program."""


def migrations() -> list[Migration]:
    """All migrations, in order. Raises ValueError when two files share a number."""
    found = []
    for path in sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        number, name = re.fullmatch(r"(\d{4})_(\w+)", path.stem).groups()  # type: ignore[union-attr]  # glob matched
        found.append(Migration(int(number), name, path.read_text()))
    versions = [migration.version for migration in found]
    if len(set(versions)) != len(versions):
        raise ValueError("two migrations share a number")
    return found


async def migrate(url: str) -> list[str]:
    """Bring the database up to date and refresh the planner's statistics; the names applied.

    Statistics matter: plans made on empty tables stay bad in long-lived connections.
    """
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK_ID)
        applied = await _apply_missing(connection)
        if applied:
            await connection.execute("ANALYZE")
        return applied
    finally:
        await connection.close()


async def _apply_missing(connection: Any) -> list[str]:  # noqa: ANN401 - asyncpg has no types
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    known = migrations()
    done = {row["version"] for row in await connection.fetch("SELECT version FROM schema_migrations")}
    if done and max(done) > max(migration.version for migration in known):
        raise DatabaseTooNew(f"database is at {max(done)}, this program knows {known[-1].version}")
    applied = []
    for migration in known:
        if migration.version in done:
            continue
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", migration.version, migration.name
            )
        applied.append(f"{migration.version:04d}_{migration.name}")
        log("migration.applied", name=applied[-1])
    return applied
