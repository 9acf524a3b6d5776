"""`schema.sql` is the picture of the migrated database, and a database made from it is the same."""

from __future__ import annotations

import asyncpg

from storage import migrate, schema
from tests.conftest import database_url


async def new_database(pg_server: str, name: str) -> str:
    connection = await asyncpg.connect(pg_server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return database_url(pg_server, name)


async def test_the_picture_equals_the_migrated_database(pg_server: str) -> None:
    url = await new_database(pg_server, "migrated")
    await migrate.migrate(url)
    assert schema.SCHEMA.read_text() == await schema.picture(url), "run `python run.py migrate --write-schema`"


async def test_a_database_made_from_the_picture_is_the_same(pg_server: str) -> None:
    url = await new_database(pg_server, "from_picture")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(schema.SCHEMA.read_text())
    finally:
        await connection.close()
    assert await schema.picture(url) == schema.SCHEMA.read_text()


async def test_migrating_twice_changes_nothing(pg_url: str) -> None:
    assert await migrate.migrate(pg_url) == []
