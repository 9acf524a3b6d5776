"""Follows the feed by seq and hands every fact to `deliver` exactly once, in order.

In the process of the relay batches come straight from it (`receive`). In other processes Redis says that the feed has
grown (`wake`). Both are only faster: the feed is also read every `poll_s`, so a Redis outage delays and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from hub.loops import forever
from storage import outbox
from storage.base.log import log
from storage.outbox import FeedFact
from storage.postgres import Database

POLL_S = 0.25
BATCH_MAX = 500
PAUSE_BYTES = 16_384


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
        self._inbox: deque[FeedFact] = deque()
        self._must_read = True
        self.epoch = ""
        self.seq = -1

    async def start(self) -> None:
        """Take the place at the head; before this nobody may connect."""
        async with self._db.look() as tx:
            head = await outbox.head(tx)
        self.seq, self.epoch = head.last_seq, head.epoch

    def receive(self, batch: Sequence[FeedFact]) -> None:
        """A batch straight from the relay. One that does not join on is left to be read from the feed."""
        tail = self._inbox[-1].seq if self._inbox else self.seq
        if batch and batch[0].seq <= tail + 1:
            self._inbox.extend(batch)
            self._woken.set()
        else:
            self.wake()

    def wake(self) -> None:
        """The feed has grown; read it now."""
        self._must_read = True
        self._woken.set()

    async def run(self) -> None:
        """Follow until cancelled. A database outage is waited out."""
        await forever("feed.follow_failed", self._follow)

    async def _follow(self) -> None:
        try:
            async with asyncio.timeout(self._poll_s):
                await self._woken.wait()
        except TimeoutError:
            self._must_read = True
        self._woken.clear()
        await self._empty_inbox()
        if self._must_read:
            self._must_read = await self.catch_up()
            if self._must_read:
                self._woken.set()

    async def catch_up(self) -> bool:
        """Read and deliver one batch; whether there may be more."""
        known = self.seq
        async with self._db.look() as tx:
            head = await outbox.head(tx)
            batch = await outbox.after(tx, known, limit=BATCH_MAX) if head.last_seq > known else []
        if head.epoch != self.epoch or head.last_seq < known:
            log("feed.other_epoch", level="error", seq=known, head_seq=head.last_seq)
            self.seq, self.epoch = head.last_seq, head.epoch
            self._lost_place("epoch")
            return False
        if batch and batch[0].seq > known + 1:
            log("feed.skipped", level="error", seq=known, first_seq=batch[0].seq)
            self._lost_place("too_old")
        self._inbox.extendleft(reversed(batch))
        await self._empty_inbox()
        return len(batch) == BATCH_MAX

    async def _empty_inbox(self) -> None:
        handed = 0
        while self._inbox:
            fact = self._inbox[0]
            if fact.seq > self.seq:
                self.seq = fact.seq
                self._deliver(fact)
                handed += len(fact.body)
            self._inbox.popleft()
            if handed >= PAUSE_BYTES:
                # Let the writers write: else a long batch would fill the buffers of readers who are not slow at all.
                handed = 0
                await asyncio.sleep(0)
