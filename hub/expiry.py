"""Tokens expire on the socket too: a warning 60 s before, then the end.

A heap of (instant, member): the next one due is on top, whatever the number of sockets. A refresh adds a new entry;
the old one finds another `expires_at` on its member and does nothing.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

from hub.members import Member

WARNING = timedelta(seconds=60)


class Expiries:
    """When sockets must be warned and closed."""

    def __init__(self, warn: Callable[[Member], None], end: Callable[[Member], None]) -> None:
        self._warn = warn
        self._end = end
        self._due: list[tuple[datetime, int, Member, datetime]] = []
        self._order = itertools.count()

    def watch(self, member: Member) -> None:
        """Watch the member's present `expires_at`."""
        until = member.principal.expires_at
        # A visitor with a share link has no token to refresh: only the end matters.
        for at in (until,) if member.share else (until - WARNING, until):
            heapq.heappush(self._due, (at, next(self._order), member, until))

    def sweep(self, now: datetime) -> None:
        """Warn and end whoever is due."""
        while self._due and self._due[0][0] <= now:
            at, _, member, until = heapq.heappop(self._due)
            if member.is_closing or member.principal.expires_at != until:
                continue
            if at >= until:
                self._end(member)
            elif until > now:
                self._warn(member)
