"""Follows the feed by seq and hands every fact to `deliver` exactly once, in order.

In the process of the relay batches come straight from it (`receive`). In other processes Redis says that the feed has
grown (`wake`). Both are only faster: the feed is also read every `poll_s`, so a Redis outage delays and loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from hub.loops import forever
from storage import outbox
from storage.base.log import log
from storage.outbox import FeedFact
from storage.postgres import Database

POLL_S = 0.25
BATCH_MAX = 500


class Follower:
    """The place of this hub in the feed."""

    def __init__(
        self,
        db: Database,
        deliver: Callable[[FeedFact], None],
        lost_place: Callable[[str], None],
        *,
        poll_s: float = POLL_S,
    ) -> None:
        """`lost_place(reason)` is called when facts were skipped for good: everybody must read their state anew."""
        self._db = db
        self._deliver = deliver
        self._lost_place = lost_place
        self._poll_s = poll_s
        self._woken = asyncio.Event()
        self.epoch = ""
        self.seq = -1

    async def start(self) -> None:
        """Take the place at the head; before this nobody may connect."""
        async with self._db.begin() as tx:
            head = await outbox.head(tx)
        self.seq, self.epoch = head.last_seq, head.epoch

    def receive(self, batch: Sequence[FeedFact]) -> None:
        """A batch straight from the relay. One that does not join on is left to be read from the feed."""
        if batch and batch[0].seq > self.seq + 1:
            self.wake()
            return
        self._take(batch)

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Follow until cancelled. A database outage is waited out."""
        await forever("feed.follow_failed", self._follow)

    async def _follow(self) -> None:
        if not await self.catch_up():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._woken.wait()

    async def catch_up(self) -> bool:
        """Read and deliver one batch; whether there may be more."""
        self._woken.clear()
        known = self.seq
        async with self._db.begin() as tx:
            head = await outbox.head(tx)
            batch = await outbox.after(tx, known, limit=BATCH_MAX) if head.last_seq > known else []
        # What came directly while we read is done already.
        fresh = [fact for fact in batch if fact.seq > self.seq]
        if head.epoch != self.epoch or head.last_seq < known:
            log("feed.other_epoch", level="error", seq=known, head_seq=head.last_seq)
            self.seq, self.epoch = head.last_seq, head.epoch
            self._lost_place("epoch")
            return False
        if fresh and fresh[0].seq > self.seq + 1:
            log("feed.skipped", level="error", seq=self.seq, first_seq=fresh[0].seq)
            self._lost_place("too_old")
        self._take(fresh)
        return len(batch) == BATCH_MAX

    def _take(self, batch: Sequence[FeedFact]) -> None:
        for fact in batch:
            if fact.seq > self.seq:
                self.seq = fact.seq
                self._deliver(fact)
