"""Token buckets: how often one principal may ask for one thing.

A bucket belongs to (who, event), not to a socket, so that opening more sockets buys nothing. It lives in the memory of
one hub; with N hubs a client that spreads its sockets gets at most N times the rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import msgspec

from storage.base.errors import TooMany


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, then `per_s` each second."""

    burst: int
    per_s: float

    def __post_init__(self) -> None:
        if self.burst < 1 or self.per_s <= 0:
            raise ValueError("a rate lets at least one request through and refills")


ROUNDING = 1e-9
"""Who has waited as long as told must not be sent away for the last bit of a float."""


class Bucket(msgspec.Struct, frozen=True):
    """`tokens` left at the instant `at`."""

    tokens: float
    at: datetime


def take(bucket: Bucket | None, rate: Rate, now: datetime) -> tuple[Bucket, int]:
    """Take one token: the bucket afterwards and 0, or the bucket and the milliseconds until there is one.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    >>> empty, wait_ms = take(Bucket(0.5, noon), Rate(burst=2, per_s=1), noon)
    >>> wait_ms
    500
    """
    if bucket is None:
        return Bucket(rate.burst - 1, now), 0
    refilled = min(float(rate.burst), bucket.tokens + (now - bucket.at).total_seconds() * rate.per_s)
    if refilled >= 1.0:
        return Bucket(refilled - 1.0, now), 0
    if refilled > 1 - ROUNDING:
        return Bucket(0.0, now), 0
    return Bucket(refilled, now), math.ceil((1 - refilled) / rate.per_s * 1000)


class Limiter:
    """The buckets of this hub."""

    def __init__(self, *, kept_max: int = 50_000) -> None:
        """`kept_max`: buckets kept before full ones are forgotten; 50,000 are about 10 MB."""
        self._kept_max = kept_max
        self._buckets: dict[tuple[str, str, str], tuple[Bucket, Rate]] = {}

    def check(self, who: str, event: str, rate: Rate, now: datetime, *, app: str = "") -> None:
        """Raises TooMany with `retry_after_ms` when `who` asks too often for this event of this app."""
        key = (who, app, event)
        known = self._buckets.get(key)
        if known is None and len(self._buckets) >= self._kept_max:
            self._forget_full(now)
        bucket, wait_ms = take(known[0] if known else None, rate, now)
        self._buckets[key] = (bucket, rate)
        if wait_ms:
            raise TooMany(retry_after_ms=wait_ms, event=event)

    def _forget_full(self, now: datetime) -> None:
        """A bucket that is full again says nothing; when none is, the older half goes."""
        for key, (bucket, rate) in list(self._buckets.items()):
            if bucket.tokens + (now - bucket.at).total_seconds() * rate.per_s >= rate.burst:
                del self._buckets[key]
        if len(self._buckets) >= self._kept_max:
            for key in list(self._buckets)[: self._kept_max // 2]:
                del self._buckets[key]
