"""Which agents are at the desk: whoever has a socket in `/desk` here.

Presence is a lease in the database (`chat.desk`), renewed for everybody here in one statement every few seconds. When
the last socket of an account has been gone for one beat, the lease is ended, unless somebody else has renewed it since:
another hub, or the agent over HTTP. A hub that dies renews nothing, and its agents' leases run out by themselves. What
follows from that (no new work, then the chats are given back) is decided below.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from storage.base.clock import Clock

BEAT_S = 5.0
"""A third of the lease: two beats may fail before anybody is missed."""

Renew = Callable[[Sequence[str]], Awaitable[datetime | None]]
End = Callable[[str, datetime], Awaitable[None]]


class Attendance:
    """The agents with a socket in this hub."""

    def __init__(self, clock: Clock, *, renew: Renew, end: End) -> None:
        self._clock = clock
        self._renew = renew
        self._end = end
        self._sockets: dict[str, int] = {}
        self._new: set[str] = set()
        self._gone: dict[str, tuple[datetime, datetime | None]] = {}
        self.beat_at: datetime | None = None
        self.looks = 0  # how often it has looked at the clock
        self._renewed_until: datetime | None = None

    def arrived(self, account_id: str) -> None:
        """One more socket."""
        self._sockets[account_id] = self._sockets.get(account_id, 0) + 1
        self._new.add(account_id)
        self._gone.pop(account_id, None)

    def left(self, account_id: str) -> None:
        """One socket less."""
        count = self._sockets.get(account_id, 0) - 1
        if count > 0:
            self._sockets[account_id] = count
            return
        self._sockets.pop(account_id, None)
        self._new.discard(account_id)
        self._gone[account_id] = (self._clock.now(), self._renewed_until)

    def is_here(self, account_id: str) -> bool:
        return account_id in self._sockets

    async def tick(self) -> None:
        """Renew for who has come, for everybody at each beat, and end the leases of who has been gone for one."""
        now = self._clock.now()
        here, beat, is_beat = self._new, timedelta(seconds=BEAT_S), False
        if self.beat_at is None or now - self.beat_at >= beat:
            here, is_beat = set(self._sockets), True
        self._new = set()
        if here:
            try:
                until = await self._renew(sorted(here))
            except BaseException:
                self._new |= here & self._sockets.keys()
                raise
            self._renewed_until = until or self._renewed_until
        if is_beat:
            self.beat_at = now
        for account_id, (since, renewed_until) in list(self._gone.items()):
            if now - since < beat:
                continue
            if renewed_until is not None:
                await self._end(account_id, renewed_until)
            self._gone.pop(account_id, None)
        self.looks += 1
