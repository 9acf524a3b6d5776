"""Follows the feed by seq and hands every fact to `deliver` exactly once, in order.

In the process of the relay batches come straight from it (`receive`). In other processes they come over Redis (`hear`),
without the facts nobody here wants. Both are only faster: what does not join on to our place is read from the feed, and
the feed is also read whenever it has been quiet for `poll_s`, so a Redis outage delays and loses nothing.

Unwanted facts are left out as the word arrives, not as it is handed out. That is sound for whoever joins in between:
such a fact is committed, so the snapshot they read after joining has it (`hub.resume`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.loops import forever
from hub.words import IsWanted, Told
from storage import outbox
from storage.base.log import log
from storage.outbox import FeedFact
from storage.postgres import Database

POLL_S = 0.25
CHECK_S = 5.0
"""A feed that is never quiet is still looked at this often: only there can be seen that it is another one."""

BATCH_MAX = 500
EARLY_MAX = 64
PAUSE_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the feed without holes; of its facts, those somebody here wants."""

    first_seq: int
    last_seq: int
    facts: Sequence[FeedFact]


class Follower:
    """The place of this hub in the feed."""

    def __init__(
        self,
        db: Database,
        deliver: Callable[[FeedFact], None],
        lost_place: Callable[[str], None],
        *,
        poll_s: float = POLL_S,
        is_wanted: IsWanted = lambda _topic, _audience: True,
    ) -> None:
        """`lost_place(reason)` is called when facts were skipped for good: everybody must read their state anew."""
        self._db = db
        self._deliver = deliver
        self._lost_place = lost_place
        self._poll_s = poll_s
        self._is_wanted = is_wanted
        self._woken = asyncio.Event()
        self._inbox: deque[Stretch] = deque()
        self._early: deque[Stretch] = deque(maxlen=EARLY_MAX)
        self._must_read = True
        self._read_at = 0.0
        self.epoch = ""
        self.seq = -1

    async def start(self) -> None:
        """Take the place at the head; before this nobody may connect."""
        async with self._db.look() as tx:
            head = await outbox.head(tx)
        self.seq, self.epoch = head.last_seq, head.epoch

    def receive(self, batch: Sequence[FeedFact]) -> None:
        """A batch straight from the relay."""
        if batch:
            self._take(Stretch(batch[0].seq, batch[-1].seq, batch))

    def hear(self, told: Told | None) -> None:
        """A batch from the relay of another process."""
        if told is None or told.epoch != self.epoch:
            self.wake()
        elif told.last_seq > self._tail:
            facts = told.facts(above=self._tail, is_wanted=self._is_wanted)
            if facts is None:
                self.wake()
            else:
                self._take(Stretch(told.first_seq, told.last_seq, facts))

    def wake(self) -> None:
        """The feed has grown; read it now."""
        self._must_read = True
        self._woken.set()

    @property
    def _tail(self) -> int:
        """Up to here facts are in hand."""
        return max(self._inbox[-1].last_seq, self.seq) if self._inbox else self.seq

    def _take(self, stretch: Stretch) -> None:
        """What joins on is handed out next; what comes after a gap waits until the gap has been read."""
        if stretch.first_seq <= self._tail + 1:
            self._inbox.append(stretch)
            self._woken.set()
        else:
            self._early.append(stretch)
            self.wake()

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
        now = asyncio.get_running_loop().time()
        if self._must_read or now - self._read_at > CHECK_S:
            self._must_read, self._read_at = False, now
            try:
                if await self.catch_up():
                    self.wake()
            except BaseException:
                self._must_read = True
                raise

    async def catch_up(self) -> bool:
        """Read and deliver one batch; whether there may be more."""
        known = self.seq
        async with self._db.look() as tx:
            head = await outbox.head(tx)
            batch = await outbox.after(tx, known, limit=BATCH_MAX) if head.last_seq > known else []
        if head.epoch != self.epoch or head.last_seq < known:
            log("feed.other_epoch", level="error", seq=known, head_seq=head.last_seq)
            self._inbox.clear()
            self._early.clear()
            self.seq, self.epoch = head.last_seq, head.epoch
            self._lost_place("epoch")
            return False
        if batch:
            if batch[0].seq > known + 1:
                log("feed.skipped", level="error", seq=known, first_seq=batch[0].seq)
                self._lost_place("too_old")
            self._inbox.appendleft(Stretch(batch[0].seq, batch[-1].seq, batch))
        await self._empty_inbox()
        self._join_early()
        return len(batch) == BATCH_MAX

    def _join_early(self) -> None:
        """Go on with what came after the gap. What still does not join on is forgotten, and read."""
        while self._early:
            stretch = self._early.popleft()
            if stretch.first_seq <= self._tail + 1:
                self._inbox.append(stretch)
                self._woken.set()
            else:
                self.wake()

    async def _empty_inbox(self) -> None:
        handed = 0
        while self._inbox:
            stretch = self._inbox[0]
            for fact in stretch.facts:
                if fact.seq <= self.seq:
                    continue
                self.seq = fact.seq
                self._deliver(fact)
                handed += len(fact.body)
                if handed >= PAUSE_BYTES:
                    # Let the writers write: else a long batch would fill the buffers of readers who are not slow.
                    handed = 0
                    await asyncio.sleep(0)
            self._inbox.popleft()
            self.seq = max(self.seq, stretch.last_seq)
