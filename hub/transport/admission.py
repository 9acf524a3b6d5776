"""How many sessions there may be, in all and from one address.

Counts are of this process. A refusal says when to come back, spread over some seconds: a crowd that is sent away
together must not come back together.
"""

from __future__ import annotations

import random

from hub import metrics
from hub.transport.options import EngineOptions

RETRY_AFTER_S = (1, 10)


def spread_ms() -> int:
    """When to come back, somewhere in the next seconds."""
    return random.randint(RETRY_AFTER_S[0] * 1000, RETRY_AFTER_S[1] * 1000)  # noqa: S311 - spreads load, guards nothing


class Full(Exception):
    """No room for another session."""

    def __init__(self) -> None:
        super().__init__("full")
        self.retry_after_s = max(1, spread_ms() // 1000)


class Admission:
    """The sessions of this process, counted."""

    def __init__(self, options: EngineOptions) -> None:
        self._total_max = options.sessions_max
        self._address_max = options.sessions_per_address_max
        self._total = 0
        self._of_address: dict[str, int] = {}

    def limit_reached(self, address: str) -> str | None:
        """Which limit keeps one more from there out, if any."""
        if self._total >= self._total_max:
            return "total"
        return "address" if self._of_address.get(address, 0) >= self._address_max else None

    def enter(self, address: str) -> None:
        """Count one more. Raises Full."""
        limit = self.limit_reached(address)
        if limit is not None:
            metrics.TURNED_AWAY.labels(limit).inc()
            raise Full
        self._total += 1
        self._of_address[address] = self._of_address.get(address, 0) + 1

    def left(self, address: str) -> None:
        """One less; called once for each that entered."""
        self._total -= 1
        count = self._of_address[address] - 1
        if count:
            self._of_address[address] = count
        else:
            del self._of_address[address]
