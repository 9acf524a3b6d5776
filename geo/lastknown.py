"""Last-known positions in Redis: what a process that starts again reads to know where everybody is.

One key a worker, `fieldhub:pos:<worker>`, written in batches and forgotten by itself. Losing Redis loses nothing but
speed: the next fix of each worker writes its key again, and until then fewer positions are known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from redis.exceptions import RedisError

from geo.fixes import Fix
from geo.flushing import flush_until
from geo.point import Point
from storage.base import codec
from storage.base.log import log
from storage.redis import position_key

BATCH: Final = 1_000
"""Keys in one round trip: enough to make the trip cheap, few enough not to hold up other clients."""


_SAVE = """
for n, key in ipairs(KEYS) do redis.call('SET', key, ARGV[n + 1], 'EX', ARGV[1]) end
"""
"""KEYS positions; ARGV seconds to live, then a value for each key: one command instead of a thousand."""


async def save_positions(redis: Any, fixes: Mapping[str, Fix], *, ttl_s: int) -> None:  # noqa: ANN401 - redis-py
    """Write the position of each worker, to be forgotten after `ttl_s`. Raises RedisError, OSError."""
    rest = iter(fixes.items())
    while batch := list(islice(rest, BATCH)):
        keys = [position_key(worker_id) for worker_id, _ in batch]
        await redis.eval(_SAVE, len(keys), *keys, ttl_s, *(_packed(fix) for _, fix in batch))


async def load_positions(redis: Any) -> dict[str, Fix]:  # noqa: ANN401 - redis-py
    """All positions Redis still knows, by worker. Raises RedisError, OSError."""
    prefix, found, names = position_key(""), dict[str, Fix](), list[str]()
    async for key in redis.scan_iter(match=prefix + "*", count=BATCH):
        names.append(key.decode().removeprefix(prefix))
        if len(names) == BATCH:
            found |= await _read(redis, names)
            names = []
    return found | await _read(redis, names)


async def load_position(redis: Any, worker_id: str) -> Fix | None:  # noqa: ANN401 - redis-py
    """Where Redis last saw this worker. Raises RedisError, OSError."""
    return (await _read(redis, [worker_id])).get(worker_id)


class LastKnown:
    """Gathers accepted fixes and writes the newest of each worker every `flush_ms`."""

    def __init__(self, redis: Any, *, ttl_s: int, flush_ms: int) -> None:  # noqa: ANN401 - redis-py
        self._redis = redis
        self._ttl_s = ttl_s
        self._flush_s = flush_ms / 1000
        self._waiting: dict[str, Fix] = {}

    def accept(self, worker_id: str, fixes: Sequence[Fix]) -> None:
        """Take accepted fixes of one worker; only the newest of all counts."""
        newest = fixes[0] if len(fixes) == 1 else max(fixes, key=lambda fix: fix.at)
        held = self._waiting.get(worker_id)
        if held is None or held.at <= newest.at:
            self._waiting[worker_id] = newest

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop` is set, and once more after."""
        await flush_until(stop, self._flush_s, self.flush)

    async def flush(self) -> None:
        """Write what is waiting; what cannot be written now waits on, unless newer fixes come."""
        batch, self._waiting = self._waiting, {}
        if not batch:
            return
        try:
            await save_positions(self._redis, batch, ttl_s=self._ttl_s)
        except (RedisError, OSError) as problem:
            log("last_known.not_written", level="warning", error=problem, count=len(batch))
            self._waiting = batch | self._waiting


async def _read(redis: Any, worker_ids: Sequence[str]) -> dict[str, Fix]:  # noqa: ANN401 - redis-py
    if not worker_ids:
        return {}
    # One command for all of them; on a cluster the keys live on several nodes and its client splits the question.
    ask = getattr(redis, "mget_nonatomic", redis.mget)
    packed = zip(worker_ids, await ask([position_key(worker_id) for worker_id in worker_ids]), strict=True)
    read = [(worker_id, _unpacked(value)) for worker_id, value in packed if value is not None]
    return {worker_id: fix for worker_id, fix in read if fix is not None}


def _packed(fix: Fix) -> bytes:
    at_ms = round(fix.at.timestamp() * 1000)
    return codec.dumps([fix.seq, at_ms, fix.point.lon, fix.point.lat, fix.accuracy_m, fix.speed_mps, fix.heading_deg])


def _unpacked(value: bytes) -> Fix | None:
    """None for what another version wrote: not knowing a position heals, refusing to start does not."""
    try:
        seq, at_ms, lon, lat, accuracy_m, speed_mps, heading_deg = codec.loads(value)
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (ValueError, TypeError):
        return None
    return Fix(seq, at, Point(lon, lat), accuracy_m, speed_mps, heading_deg)
