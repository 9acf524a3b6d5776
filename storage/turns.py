"""Turns: requests of one process for the same thing wait here, not on a connection.

Two hundred technicians grab one order at once. Its row lock lets one through at a time anyway; without turns the others
would each hold a connection of the pool while they wait, and requests for other orders would find none. This is only
about waiting well: what is right is decided by the row locks, across all processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A fair queue per key; keys nobody waits for take no memory."""

    def __init__(self) -> None:
        self._queues: dict[str, tuple[asyncio.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    @asynccontextmanager
    async def take(self, key: str) -> AsyncIterator[None]:
        """Wait until it is this caller's turn for `key`."""
        lock, waiting = self._queues.get(key, (asyncio.Lock(), 0))
        self._queues[key] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._queues[key]
            if waiting == 1:
                del self._queues[key]
            else:
                self._queues[key] = (lock, waiting - 1)
