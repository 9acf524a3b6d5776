"""Routes on a real port, with people known by their tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import ClientSession, web

from rest.edge import MACHINE, Actor, Machine, ProblemRunner, Route
from rest.edge.errors import TokenInvalid
from rest.edge.serve import around, mount
from storage.base.settings import Settings
from storage.postgres import Database
from tests.edge.conftest import Client


class KnownPeople:
    """A gate where the token `ann` is the account acc_ann; roles by name, `@ten_1` for who works at a tenant."""

    def __init__(self, db: Database, roles: dict[str, list[str]]) -> None:
        self._db, self._roles = db, roles

    async def admit(self, token: str) -> Actor:
        if token not in self._roles:
            raise TokenInvalid
        now = self._db.clock.now()
        given = self._roles[token]
        tenant_id = next((word[1:] for word in given if word.startswith("@")), None)
        roles = frozenset(["user", *(word for word in given if not word.startswith("@"))])
        return Actor(f"acc_{token}", f"ses_{token}", roles, now, now + timedelta(hours=1), tenant_id)


@asynccontextmanager
async def serve(
    db: Database,
    settings: Settings,
    routes: Sequence[Route],
    people: dict[str, list[str]],
    wire: Callable[[web.Application], None] | None = None,
) -> AsyncIterator[Client]:
    """A client of these routes that is nobody yet: `client.as_("ann")`."""
    app = web.Application(middlewares=[around], client_max_size=settings.request_bytes_max)
    app[MACHINE] = Machine(db, settings, KnownPeople(db, people))
    if wire is not None:
        wire(app)
    mount(app, routes)
    runner = ProblemRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with ClientSession() as session:
            yield Client(f"http://127.0.0.1:{runner.addresses[0][1]}", session, None)
    finally:
        await runner.cleanup()
