"""The gate: whether the holder of an access token may still come in.

Verifying a token asks nobody. What it cannot know (sessions revoked, roles taken away since it was made) is read
twice a second by each process in one small indexed query, however many requests there are, and kept for as long as
any token may live. A request never acts on knowledge older than a second: then it waits for the next look.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from rest.edge.actors import Actor
from rest.edge.errors import SessionRevoked, TokenExpired
from rest.people import store
from rest.people.auth import ACCESS_TTL_MAX_S, Keys
from storage.postgres import Database

LOOK_EVERY_S = 0.4
"""After this a look is begun in the background."""
KNOWN_FOR_S = 0.9
"""After this a request waits for the look: revocation holds within a second."""
OVERLAP = timedelta(seconds=60)
"""An instant is that of the transaction's begin; it becomes visible at its commit, up to this much later."""
TOKENS_MAX = 50_000
"""Verified tokens remembered: some 30 MB."""


class SessionGate:
    """Admits actors; one per process."""

    def __init__(self, db: Database, keys: Keys) -> None:
        self._db = db
        self._keys = keys
        self._verified: dict[str, Actor] = {}
        self._ended: dict[str, datetime] = {}
        self._roles_changed: dict[str, datetime] = {}
        self._looked_at: float | None = None
        self._seen_until: datetime | None = None
        self._look: asyncio.Task[None] | None = None

    async def admit(self, token: str) -> Actor:
        """Raises TokenInvalid, TokenExpired, SessionRevoked."""
        actor = self._verify(token)
        if not self._is_current():
            await asyncio.shield(self._look_again())
        self.check(actor)
        return actor

    def admit_at_once(self, token: str) -> Actor | None:
        """As `admit`; None when that would have to wait for a look."""
        actor = self._verify(token)
        if not self._is_current():
            return None
        self.check(actor)
        return actor

    def _verify(self, token: str) -> Actor:
        now = self._db.clock.now()
        actor = self._verified.get(token)
        if actor is None:
            actor = self._keys.verify(token, now)
            if len(self._verified) >= TOKENS_MAX:
                self._verified.clear()
            self._verified[token] = actor
        if actor.expires_at <= now:
            raise TokenExpired
        return actor

    def check(self, actor: Actor) -> None:
        """What is known right now; for sockets, which hear of revocations by facts. Raises as `admit`."""
        if actor.session_id in self._ended:
            raise SessionRevoked
        changed_at = self._roles_changed.get(actor.account_id)
        if changed_at is not None and actor.issued_at < changed_at:
            raise TokenExpired

    def note_ended(self, session_ids: list[str]) -> None:
        """What this process has just committed holds at once."""
        now = self._db.clock.now()
        self._ended.update((session_id, now) for session_id in session_ids)

    def _is_current(self) -> bool:
        """Whether what is known may be acted on; when it gets old, a look is begun."""
        age = asyncio.get_running_loop().time() - (self._looked_at if self._looked_at is not None else -1e9)
        if age >= LOOK_EVERY_S:
            self._look_again()
        return age < KNOWN_FOR_S

    def _look_again(self) -> asyncio.Task[None]:
        """The look under way, or a new one."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._refresh())
            self._look.add_done_callback(_heard)
        return self._look

    async def _refresh(self) -> None:
        began = asyncio.get_running_loop().time()
        now = self._db.clock.now()
        keep_from = now - timedelta(seconds=ACCESS_TTL_MAX_S) - OVERLAP
        since = keep_from if self._seen_until is None else self._seen_until - OVERLAP
        async with self._db.look() as tx:
            ended, changed = await store.changed_since(tx, since)
        self._ended.update(ended)
        self._roles_changed.update(changed)
        if self._seen_until is None or now - self._seen_until > OVERLAP:
            self._forget(keep_from)
        self._seen_until, self._looked_at = now, began

    def _forget(self, before: datetime) -> None:
        self._ended = {session: at for session, at in self._ended.items() if at >= before}
        self._roles_changed = {account: at for account, at in self._roles_changed.items() if at >= before}


def _heard(look: asyncio.Task[None]) -> None:
    """A look that failed in the background is repeated by the next request, which then hears why."""
    if not look.cancelled():
        look.exception()
