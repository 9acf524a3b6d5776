"""A small domain with one table, mounted on the real edge: every feature of the registry is used once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from rest.edge import MACHINE, PUBLIC, Actor, Body, Ctx, Machine, PageQuery, Query, Reply, Route
from rest.edge.errors import TokenInvalid
from rest.edge.serve import around, mount
from rest.edge.values import Instant, Note, Page
from storage.base.errors import Busy, Conflict, NotFound
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx

TABLE = """
CREATE TABLE IF NOT EXISTS test_jars (
    id text PRIMARY KEY, label text NOT NULL, coins int NOT NULL DEFAULT 0, opens_at timestamptz,
    made_at timestamptz NOT NULL, version int NOT NULL DEFAULT 1);
CREATE OR REPLACE FUNCTION test_jar_add(p_id text, p_label text, p_coins int, p_opens_at timestamptz, p_at timestamptz)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO test_jars (id, label, coins, opens_at, made_at) VALUES (p_id, p_label, p_coins, p_opens_at, p_at)
$$
"""


class JarBroken(Conflict):
    """The jar is broken."""

    code = "test_jar_broken"


class NotNow(Busy):
    """The shop is closed for a moment."""

    code = "test_not_now"


class Lid(Body, frozen=True, kw_only=True):
    colour: Annotated[str, Meta(min_length=1, max_length=20)]
    opens_at: Instant | None = None


class JarBody(Body, frozen=True, kw_only=True):
    label: Annotated[str, Meta(min_length=1, max_length=40)]
    coins: Annotated[int, Meta(ge=0, le=1000)] = 0
    lids: Annotated[list[Lid], Meta(max_length=5)] = []
    opens_at: Instant | None = None


class NoteBody(Body, frozen=True, kw_only=True):
    note: Note | None = None


class JarQuery(PageQuery, frozen=True, kw_only=True):
    label: Annotated[list[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(max_length=10)] | None = None
    coins_min: Annotated[int, Meta(ge=0, le=1000)] = 0
    full: bool = False
    since: Instant | None = None


class NameQuery(Query, frozen=True, kw_only=True):
    name: Annotated[str, Meta(max_length=40)]


class Jar(msgspec.Struct, frozen=True):
    id: str
    label: str
    coins: int
    opens_at: datetime | None
    made_at: datetime
    version: int


class Greeting(msgspec.Struct, frozen=True):
    text: str


class TokenTable:
    """A gate that knows its tokens by heart."""

    def __init__(self, now: datetime) -> None:
        self.actors: dict[str, Actor] = {}
        for name, roles in {"ann": ["user"], "bob": ["user"], "joe": ["user", "support"]}.items():
            self.actors[f"{name}-token"] = Actor(
                f"acc_{name}", f"ses_{name}", frozenset(roles), now, now + timedelta(hours=1)
            )

    async def admit(self, token: str) -> Actor:
        if token not in self.actors:
            raise TokenInvalid
        return self.actors[token]


def _jar(row: Any) -> Jar:
    return Jar(row["id"], row["label"], row["coins"], row["opens_at"], row["made_at"], row["version"])


COLUMNS = "id, label, coins, opens_at, made_at, version"


async def add(ctx: Ctx) -> Reply:
    wanted: JarBody = ctx.body

    async def act(tx: Tx) -> Reply:
        row = await tx.fetchrow(
            "INSERT INTO test_jars (id, label, coins, opens_at, made_at) VALUES ($1, $2, $3, $4, $5)"
            f" RETURNING {COLUMNS}",
            tx.new_id("jar"), wanted.label, wanted.coins, wanted.opens_at, tx.now,
        )  # fmt: skip
        _spoil(wanted.label)
        return Reply(_jar(row), etag=1, location=f"/v1/jars/{row['id']}")

    return await ctx.transact(act)


async def add_light(ctx: Ctx) -> Reply:
    """As `add`, with everything written at the end of the transaction."""
    wanted: JarBody = ctx.body

    async def act(tx: Tx) -> Reply:
        if wanted.label == "only" and await tx.fetchval("SELECT count(*) FROM test_jars"):
            raise JarBroken(shards=3)
        jar = Jar(tx.new_id("jar"), wanted.label, wanted.coins, wanted.opens_at, tx.now, 1)
        tx.execute_last("test_jar_add", jar.id, jar.label, jar.coins, jar.opens_at, jar.made_at)
        _spoil(wanted.label)
        return Reply(jar, etag=1, location=f"/v1/jars/{jar.id}")

    return await ctx.transact(act, light=True)


def _spoil(label: str) -> None:
    if label == "broken":
        raise JarBroken(shards=3)
    if label == "later":
        raise NotNow(retry_after_s=7)
    if label == "crash":
        raise ZeroDivisionError("secret inside")


async def read(ctx: Ctx) -> Reply:
    async with ctx.db.begin() as tx:
        row = await tx.fetchrow(f"SELECT {COLUMNS} FROM test_jars WHERE id = $1", ctx.path["jar_id"])
    if row is None:
        raise NotFound
    return Reply(_jar(row), etag=row["version"])


async def change(ctx: Ctx) -> Reply:
    wanted: JarBody = ctx.body

    async def act(tx: Tx) -> Reply:
        row = await tx.fetchrow(f"SELECT {COLUMNS} FROM test_jars WHERE id = $1 FOR UPDATE", ctx.path["jar_id"])
        if row is None:
            raise NotFound
        ctx.expect(row["version"])
        row = await tx.fetchrow(
            f"UPDATE test_jars SET label = $2, coins = $3, version = version + 1 WHERE id = $1 RETURNING {COLUMNS}",
            row["id"], wanted.label, wanted.coins,
        )  # fmt: skip
        return Reply(_jar(row), etag=row["version"])

    return await ctx.transact(act)


async def drop(ctx: Ctx) -> Reply:
    async def act(tx: Tx) -> Reply:
        if not await tx.execute("DELETE FROM test_jars WHERE id = $1", ctx.path["jar_id"]):
            raise NotFound
        return Reply()

    return await ctx.transact(act)


async def put_coin(ctx: Ctx) -> Reply:
    async def act(tx: Tx) -> Reply:
        row = await tx.fetchrow(
            f"UPDATE test_jars SET coins = coins + 1, version = version + 1 WHERE id = $1 RETURNING {COLUMNS}",
            ctx.path["jar_id"],
        )
        if row is None:
            raise NotFound
        return Reply(_jar(row), etag=row["version"])

    return await ctx.transact(act)


async def listing(ctx: Ctx) -> Reply:
    asked: JarQuery = ctx.query
    after = ctx.after
    async with ctx.db.begin() as tx:
        rows = await tx.fetch(
            f"""
            SELECT {COLUMNS} FROM test_jars
             WHERE coins >= $1 AND ($2::text[] IS NULL OR label = ANY($2))
               AND ($3::timestamptz IS NULL OR (made_at, id) > ($3, $4))
             ORDER BY made_at, id LIMIT $5
            """,
            asked.coins_min, asked.label, after[0] if after else None, after[1] if after else None, asked.limit + 1,
        )  # fmt: skip
    return ctx.page(rows, view=_jar, key=lambda row: (row["made_at"], row["id"]))


async def greet(ctx: Ctx) -> Greeting:
    asked: NameQuery = ctx.query
    return Greeting(f"hello {asked.name}")


async def surprises(ctx: Ctx) -> Greeting:
    raise JarBroken


async def forgets_its_key(ctx: Ctx) -> Greeting:
    return Greeting("done, perhaps twice")


ROUTES = [
    Route("GET", "/v1/jars", listing, "jars.list", "List jars", query=JarQuery, response=Page[Jar], tags=("jars",)),
    Route(
        "POST", "/v1/jars", add, "jars.add", "Add a jar", request=JarBody, response=Jar, status=201,
        errors=(JarBroken, NotNow), idempotent="required", tags=("jars",),
    ),
    Route(
        "POST", "/v1/light-jars", add_light, "light_jars.add", "Add a jar at the end", request=JarBody, response=Jar,
        status=201, errors=(JarBroken, NotNow), idempotent="required", tags=("jars",),
    ),
    Route("GET", "/v1/jars/{jar_id}", read, "jars.read", "Read a jar", response=Jar, has_etag=True, tags=("jars",)),
    Route(
        "PUT", "/v1/jars/{jar_id}", change, "jars.change", "Change a jar", request=JarBody, response=Jar,
        if_match=True, tags=("jars",),
    ),
    Route(
        "DELETE", "/v1/jars/{jar_id}", drop, "jars.drop", "Drop a jar", status=204, roles=("support",), tags=("jars",),
    ),
    Route(
        "POST", "/v1/jars/{jar_id}/coin", put_coin, "jars.put_coin", "Put a coin in", request=NoteBody, response=Jar,
        idempotent="optional", tags=("jars",),
    ),
    Route("GET", "/v1/greeting", greet, "greeting.read", "Greet", query=NameQuery, response=Greeting, roles=PUBLIC,
          cache="public, max-age=60", tags=("other",)),
    Route("POST", "/v1/undocumented", surprises, "undocumented.run", "Refuse unexpectedly", response=Greeting,
          tags=("other",)),
    Route("POST", "/v1/forgetful", forgets_its_key, "forgetful.run", "Forget the key", response=Greeting,
          idempotent="optional", tags=("other",)),
]  # fmt: skip


def build(db: Database, settings: Settings) -> web.Application:
    app = web.Application(middlewares=[around], client_max_size=settings.request_bytes_max)
    app[MACHINE] = Machine(db, settings, TokenTable(db.clock.now()))
    mount(app, ROUTES)
    return app
