"""Trips that staff look at, seen anew when it has changed who may see the threads about their orders.

A queue that becomes one for its members only, an agent who leaves it and a thread that moves there end what somebody
may look at without any word of his own; facts about it reach every hub, which then asks for each order its staff watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hub.handlers.desk import hide_unseen
from hub.members import DESK, Member
from hub.services import Services
from storage.outbox import FeedFact

ACCESS_TOPICS = ("queue.access_changed", "thread.hidden")


class Access:
    """What staff here watch, as long as they may."""

    def __init__(self, members: Callable[[], Iterable[Member]], services: Services) -> None:
        self._members = members
        self._services = services
        self._has_changed = False

    def changed(self, _fact: FeedFact, _body: dict[str, Any]) -> None:
        self.look_again()

    def look_again(self) -> None:
        self._has_changed = True

    async def tick(self) -> None:
        if not self._has_changed:
            return
        self._has_changed = False
        try:
            for member in [one for one in self._members() if one.namespace == DESK and one.watching]:
                await hide_unseen(self._services, member)
        except BaseException:
            self.look_again()  # who could not be asked about is asked about again
            raise
