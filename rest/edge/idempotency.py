"""Idempotency-Key: one effect and one answer per key, whatever the network does.

1. Twins in this process wait for the first one without a database connection of their own.
2. The key is claimed in the transaction of the effect (`storage.idempotency`), so twins elsewhere wait there; at its
   beginning, or, where the effect writes only at the end of its transaction, with these writes.
3. Success is stored in that transaction. A refusal rolls it back and is then stored in a transaction of its
   own; if a twin elsewhere got in between, *its* answer is given: all senders of a key hear the same bytes.
4. Not stored: what may go well later (`retry`), stale versions, and crashes. Such a key is free again.

Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256

import asyncpg
from aiohttp import web

from rest.edge.errors import KeyInProgress, KeyInvalid, KeyRequired
from rest.edge.problems import refuse
from rest.edge.registry import Route
from rest.edge.reply import Answer, Finished, finish
from storage import idempotency
from storage.base import codec
from storage.base.errors import HubError
from storage.idempotency import KeyReused, StoredAnswer
from storage.postgres import Database
from storage.tx import Tx

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
WAIT_MAX_S = 5.0
"""A twin waits this long for the first request before it is told to come back."""

_KEY = re.compile(r"[A-Za-z0-9_.:-]{16,64}")
_NOT_KEPT = frozenset({401, 408, 412, 425, 428, 429})
"""Refusals that say nothing about the effect: the same request may be sent again with the same key."""

Act = Callable[[Tx], Awaitable[Answer]]


class Twins:
    """Keys under way in this process."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def enter(self, key: tuple[str, str]) -> None:
        """Wait until nobody else is working on this key, and take it. Raises KeyInProgress."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_MAX_S
        while (other := self._running.get(key)) is not None:
            done, _ = await asyncio.wait([other], timeout=max(deadline - loop.time(), 0))
            if not done:
                raise KeyInProgress(retry_after_s=1)
        self._running[key] = loop.create_future()

    def leave(self, key: tuple[str, str]) -> None:
        self._running.pop(key).set_result(None)


@dataclass(frozen=True, slots=True)
class Claim:
    """The key of one request: whose it is, for which route, and what was asked."""

    scope: str
    key: str
    fingerprint: bytes
    request: web.Request
    route: Route

    @classmethod
    def of(cls, request: web.Request, route: Route, caller: str, raw: bytes) -> Claim | None:
        """None when the route takes no key or the caller sent none. Raises KeyRequired, KeyInvalid."""
        if route.idempotent is None:
            return None
        key = request.headers.get(HEADER)
        if key is None:
            if route.idempotent == "required":
                raise KeyRequired
            return None
        if not _KEY.fullmatch(key):
            raise KeyInvalid
        # The template is part of the scope; the path's variables are part of what was asked.
        asked = "\n".join(request.match_info.values()).encode() + b"\n" + raw
        if request.rel_url.raw_query_string:  # a dry run is not what it only looks at
            asked += b"\n" + request.rel_url.raw_query_string.encode()
        return cls(f"{caller} {route.method} {route.path}", key, sha256(asked).digest(), request, route)

    def part(self, name: str) -> Claim:
        """The key of one of several effects of the request, each in a transaction of its own."""
        return replace(self, scope=f"{self.scope} {name}")

    async def run(self, db: Database, twins: Twins, act: Act, *, light: bool = False) -> Finished:
        """The answer of this key: stored, or made now. `light`: see `Ctx.transact`."""
        await twins.enter((self.scope, self.key))
        try:
            return await self._answer(db, act, light=light)
        finally:
            twins.leave((self.scope, self.key))

    async def _answer(self, db: Database, act: Act, *, light: bool) -> Finished:
        async def execute(tx: Tx) -> Finished:
            return finish(await act(tx), self.route.status)

        try:
            if light:
                with contextlib.suppress(_Taken):
                    return await self._take_at_end(db, execute)
            return await db.run(self._once, execute)
        except KeyReused:
            raise
        except HubError as refusal:
            if refusal.retry or refusal.status in _NOT_KEPT or refusal.status >= 500:
                raise
            problem = refuse(self.request, refusal)

        async def give_refusal(_: Tx) -> Finished:
            return problem

        return await db.run(self._once, give_refusal)

    async def _take_at_end(self, db: Database, act: Callable[[Tx], Awaitable[Finished]]) -> Finished:
        """Take the key with the effect's own writes. Raises _Taken, and then nothing has been done."""

        async def act_and_take(tx: Tx) -> Finished:
            answer = await act(tx)
            idempotency.store(tx, self.scope, self.key, _kept(answer), fingerprint=self.fingerprint)
            return answer

        try:
            return await db.run_light(act_and_take)
        except asyncpg.UniqueViolationError as problem:
            if idempotency.is_taken(problem):
                raise _Taken from problem
            raise

    async def _once(self, tx: Tx, act: Callable[[Tx], Awaitable[Finished]]) -> Finished:
        stored = await idempotency.claim(tx, self.scope, self.key, self.fingerprint)
        if stored is not None:
            return Finished(stored.status, {**codec.loads(stored.headers), REPLAYED: "true"}, stored.body)
        answer = await act(tx)
        idempotency.store(tx, self.scope, self.key, _kept(answer))
        return answer


class _Taken(Exception):
    """Somebody has this key."""


def _kept(answer: Finished) -> StoredAnswer:
    return StoredAnswer(answer.status, codec.dumps(answer.headers).decode(), answer.raw)
