"""Where orders stand, as one phone has heard it; and waiting for them to move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ENDED = frozenset({"completed", "cancelled", "closed_penalty", "terminated"})


@dataclass(frozen=True, slots=True)
class Standing:
    """An order at one version."""

    order_id: str
    status: str
    version: int
    worker_id: str | None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Standing:
        """From `order.changed`, or from an order over REST."""
        worker = body.get("worker")
        worker_id = body.get("worker_id") or (worker and (worker.get("worker_id") or worker.get("id")))
        return cls(str(body.get("order_id") or body["id"]), str(body["status"]), int(body["version"]), worker_id)

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED


class Board:
    """The latest standing of each order. Late news (a lower version) changes nothing."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def get(self, order_id: str) -> Standing | None:
        return self._standings.get(order_id)

    def note(self, standing: Standing) -> bool:
        """Take news in; whether it is news."""
        known = self._standings.get(standing.order_id)
        if known is not None and known.version >= standing.version:
            return False
        self._standings[standing.order_id] = standing
        self.poke(standing.order_id)
        return True

    def poke(self, order_id: str) -> None:
        """Wake who waits for this order: something else about it has changed."""
        for waiting in self._waiting.pop(order_id, ()):
            if not waiting.done():
                waiting.set_result(None)

    async def wait(self, order_id: str, until: Callable[[], bool], *, within_s: float) -> bool:
        """Whether `until` became true in time; looked at whenever the order is noted or poked."""
        try:
            async with asyncio.timeout(within_s):
                while not until():
                    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.setdefault(order_id, []).append(waiting)
                    await waiting
        except TimeoutError:
            return until()
        return True

    async def moved(self, seen: Standing, *, within_s: float) -> bool:
        """Whether the order went beyond this standing in time."""

        def is_newer() -> bool:
            now = self._standings.get(seen.order_id)
            return now is not None and now.version > seen.version

        return await self.wait(seen.order_id, is_newer, within_s=within_s)
