"""Rate limits: so many requests per window for each principal or address, spread evenly after a burst.

Generic cell rate algorithm: one number per key, the instant at which its bucket would be full again. Kept in
the process: with N processes a caller may get N times the limit, which is cheaper than a shared counter on
every request. Source: draft-ietf-httpapi-ratelimit-headers-10 (header fields).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rest.edge.errors import RateLimited
from storage.base.clock import Clock

KEYS_MAX = 100_000
"""Callers remembered at once: some 10 MB. Above it, those with a full bucket are forgotten."""


@dataclass(frozen=True, slots=True)
class Quota:
    """`amount` requests in any `window_s` seconds."""

    name: str
    amount: int
    window_s: int

    @property
    def policy(self) -> str:
        """RateLimit-Policy."""
        return f'"{self.name}";q={self.amount};w={self.window_s}'


class Limiter:
    """All buckets of a process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def take(self, quota: Quota, caller: str) -> str:
        """Spend one request; the value of the RateLimit header.

        Raises RateLimited with `retry_after_s`.
        """
        now = self._clock.now().timestamp()
        step = quota.window_s / quota.amount
        key = f"{quota.name} {caller}"
        full_at = max(self._full_at.get(key, now), now) + step
        wait = full_at - now - quota.window_s
        # Tolerance: adding many steps must not cost the last one to rounding.
        if wait > 1e-6:
            raise RateLimited(retry_after_s=math.ceil(wait), policy=quota.name)
        if len(self._full_at) >= KEYS_MAX:
            self._forget(now)
        self._full_at[key] = full_at
        left = int((now + quota.window_s - full_at + 1e-6) / step)
        return f'"{quota.name}";r={left};t={math.ceil(full_at - now)}'

    def _forget(self, now: float) -> None:
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        # A flood of live keys: those nearest to full lose their history, which at worst grants a burst.
        if len(self._full_at) >= KEYS_MAX:
            kept = sorted(self._full_at.items(), key=lambda item: item[1])[KEYS_MAX // 2 :]
            self._full_at = dict(kept)
