"""Moves committed facts from the outbox to the feed and tells the hubs. One at a time in the whole system.

The story of one batch, and what a crash on each line leaves behind:

1. `outbox.number` gives places and commits. Before it: facts wait in the outbox. After it: they are in the feed.
2. `hand_over(batch)` tells this process's hub directly and the others by Redis. Crash before: other hubs poll the feed,
   and the next relay starts with `outbox.untold`, the same facts with the same ids and seqs.
3. The next `outbox.number` marks the batch as told. Crash before: as in 2; followers have a place and skip what they
   had.

The advisory lock keeps relays from competing; it is not what makes numbering safe. That is the row lock inside
`outbox.number`, so a relay whose lock connection died unnoticed can still do no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub import metrics
from hub.loops import forever
from storage import outbox
from storage.base.settings import Settings
from storage.outbox import FeedFact
from storage.postgres import Database
from storage.tx import Tx

LOCK_KEY = 0x6669656C64687562
"""'fieldhub' in ASCII: the advisory lock of the relay, one for each database."""

STANDBY_S = 1.0
SWEEP_S = 60.0

HandOver = Callable[[Sequence[FeedFact]], None]
"""Must not wait for anybody: one slow hub or Redis may not hold up the feed."""


class Relay:
    """The one teller. Run it in every worker process; all but one stand by."""

    def __init__(self, db: Database, hand_over: HandOver, settings: Settings) -> None:
        self._db = db
        self._hand_over = hand_over
        self._settings = settings
        self._poked = asyncio.Event()
        self._swept_at: datetime | None = None
        self._told_seq: int | None = None
        db.on_commit(self._on_commit)

    def poke(self) -> None:
        """There may be facts; look now."""
        self._poked.set()

    def _on_commit(self, facts: bool, due_at: datetime | None) -> None:  # noqa: ARG002 - the listener's shape
        if facts:
            self._poked.set()

    async def run(self) -> None:
        """Relay until cancelled; stand by while another relay holds the lock."""
        await forever("relay.failed", self._serve)

    async def _serve(self) -> None:
        async with self._db.pool.acquire() as connection:
            if await self._lead(connection):
                return
        await asyncio.sleep(STANDBY_S)

    async def _lead(self, connection: Any) -> bool:  # noqa: ANN401 - asyncpg has no types
        """Hold the lock and relay; False when somebody else has it."""
        lock = Tx(connection, self._db.clock.now())
        if not await lock.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
            return False
        try:
            await self.repeat_untold()
            while not connection.is_closed():
                self._poked.clear()
                if not await self.relay_once():
                    await self._rest()
        finally:
            if not connection.is_closed():
                await lock.execute("SELECT pg_advisory_unlock($1)", LOCK_KEY)
        return True

    async def repeat_untold(self) -> int:
        """Tell again what a relay before us numbered but may not have handed over."""
        told = 0
        async with self._db.look() as tx:
            while batch := await outbox.untold(tx, limit=self._settings.relay_batch_max):
                self._hand_over(batch)
                await outbox.told(tx, batch[-1].seq)
                told += len(batch)
        return told

    async def relay_once(self) -> int:
        """Number one batch, marking the last one as told, and hand it over; how many facts it had."""
        async with self._db.look() as tx:
            batch = await outbox.number(tx, limit=self._settings.relay_batch_max, told_seq=self._told_seq)
        self._told_seq = None
        if batch:
            metrics.FACTS.inc(len(batch))
            self._hand_over(batch)
            self._told_seq = batch[-1].seq
        await self._sweep()
        return len(batch)

    async def _sweep(self) -> None:
        """Now and then, drop facts older than the window, a little at a time."""
        now = self._db.clock.now()
        if self._swept_at is not None and now - self._swept_at < timedelta(seconds=SWEEP_S):
            return
        async with self._db.begin() as tx:
            dropped = await outbox.drop_before(
                tx, now - timedelta(seconds=self._settings.feed_window_s), limit=self._settings.relay_batch_max * 10
            )
        if not dropped:
            self._swept_at = now

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.relay_poll_ms / 1000):
                await self._poked.wait()
