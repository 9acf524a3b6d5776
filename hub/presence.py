"""Who is there. A worker is present while a socket of theirs lives, and for one lease after the last beat.

The transitions are pure: every timer is an argument. Redis holds the leases so that all hubs see the same, and so that
the sockets of a crashed hub are missed by another one; every beat writes the lease anew, so an emptied Redis heals
within one beat. When a lease runs out and no fix has come either, `on_silent` is called once, by one hub.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.base.clock import Clock
from storage.base.log import log

LEASES_KEY = "fieldhub:presence"
"""Sorted set of worker ids by the instant (ms) their lease ends."""

SWEEP_S = 1.0
SWEEP_MAX = 200

CLAIM_S = 30
"""A hub that took it on itself to act on a silent worker has this long; if it dies, another one tries again."""

_SWAP = """
local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not held or tonumber(held) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
"""
"""KEYS leases; ARGV worker, the lease end it must have, the new one ('' removes it). A beat in between wins."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Present until `until`, unless a beat or a fix comes."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing for longer than the lease: take the worker off."""


def after_beat(now: datetime, *, lease_s: float) -> Lease:
    """A socket is alive."""
    return Lease(now + timedelta(seconds=lease_s))


def after_silence(lease: Lease, now: datetime, *, last_fix_at: datetime | None, fix_fresh_s: float) -> Lease | Silent:
    """No beat has come; is the worker gone? A fresh fix (over HTTP, say) is a sign of life as good as a socket."""
    if now < lease.until:
        return lease
    fresh_until = None if last_fix_at is None else last_fix_at + timedelta(seconds=fix_fresh_s)
    if fresh_until is not None and now < fresh_until:
        return Lease(fresh_until)
    return Silent()


class Presence:
    """The workers with a socket in this hub, and their leases in Redis."""

    def __init__(
        self,
        redis: Any,  # noqa: ANN401 - redis-py's generics differ by release
        clock: Clock,
        *,
        on_silent: Callable[[str], Awaitable[None]],
        last_fix_at: Callable[[str], Awaitable[datetime | None]],
        lease_s: float,
        fix_fresh_s: float,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._on_silent = on_silent
        self._last_fix_at = last_fix_at
        self._lease_s = lease_s
        self._fix_fresh_s = fix_fresh_s
        self._sockets: dict[str, int] = {}
        self._beat_at: datetime | None = None
        self._swept_at: datetime | None = None
        self._new: set[str] = set()

    def arrived(self, worker_id: str) -> None:
        """One more socket of this worker."""
        self._sockets[worker_id] = self._sockets.get(worker_id, 0) + 1
        self._new.add(worker_id)

    def left(self, worker_id: str) -> None:
        """One socket less; the lease runs from now."""
        count = self._sockets.get(worker_id, 0) - 1
        if count > 0:
            self._sockets[worker_id] = count
        else:
            self._sockets.pop(worker_id, None)
        self._new.add(worker_id)

    def is_here(self, worker_id: str) -> bool:
        return worker_id in self._sockets

    async def tick(self) -> None:
        """Beat for everybody who is here (a third of the lease apart), then look for leases that ran out."""
        now = self._clock.now()
        beating = set(self._new)
        if self._beat_at is None or now - self._beat_at >= timedelta(seconds=self._lease_s / 3):
            beating |= set(self._sockets)
            self._beat_at = now
        if beating:
            await self._write(beating, after_beat(now, lease_s=self._lease_s))
            self._new -= beating
        if self._swept_at is None or now - self._swept_at >= timedelta(seconds=SWEEP_S):
            self._swept_at = now
            await self._sweep(now)

    async def _write(self, workers: set[str], lease: Lease) -> None:
        await self._redis.zadd(LEASES_KEY, dict.fromkeys(workers, _ms(lease.until)))

    async def _sweep(self, now: datetime) -> None:
        ended = await self._redis.zrangebyscore(LEASES_KEY, "-inf", _ms(now), start=0, num=SWEEP_MAX, withscores=True)
        for raw, until_ms in ended:
            worker_id = raw.decode() if isinstance(raw, bytes) else raw
            await self._judge(worker_id, Lease(datetime.fromtimestamp(until_ms / 1000, UTC)), now)

    async def _judge(self, worker_id: str, lease: Lease, now: datetime) -> None:
        last_fix_at = await self._last_fix_at(worker_id)
        verdict = after_silence(lease, now, last_fix_at=last_fix_at, fix_fresh_s=self._fix_fresh_s)
        if isinstance(verdict, Lease):
            await self._swap(worker_id, lease, verdict)
            return
        claim = Lease(now + timedelta(seconds=CLAIM_S))
        if not await self._swap(worker_id, lease, claim):
            return  # another hub acts, or the worker is back
        log("worker.silent", worker_id=worker_id)
        await self._on_silent(worker_id)
        await self._swap(worker_id, claim, None)

    async def _swap(self, worker_id: str, held: Lease, new: Lease | None) -> bool:
        args = (worker_id, _ms(held.until), "" if new is None else _ms(new.until))
        return bool(await self._redis.eval(_SWAP, 1, LEASES_KEY, *args))


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
