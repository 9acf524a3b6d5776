"""Words between processes over Redis pub/sub: "the feed has grown" and live positions.

Nothing here is needed for correctness: facts are in the feed, positions are replaced by the next one. Words are queued
and sent by one task, so nobody ever waits for Redis; while it is down, words are dropped and counted by nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from hub.loops import forever, leave_if_cancelled
from storage.base.clock import Clock
from storage.base.ids import new_id
from storage.base.log import log
from storage.redis import FEED_CHANNEL, LIVE_CHANNEL

HEAR_S = 1.0
FLUSH_S = 0.1
"""Positions are sent in batches this far apart: at most a tenth of the rate at which watchers see them."""

QUEUE_MAX = 10_000
DAY_MS = 86_400_000


class Moved(msgspec.Struct, frozen=True, array_like=True):
    """An accepted fix of a worker, as it travels between hubs. WGS-84; `at_ms` since 1970."""

    worker_id: str
    at_ms: int
    lon: float
    lat: float
    accuracy_m: float | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None


class _Batch(msgspec.Struct, frozen=True, array_like=True):
    sender: str
    moves: list[Moved]


class Bus:
    """This process's end."""

    def __init__(self, redis: Any, clock: Clock) -> None:  # noqa: ANN401 - redis-py's generics differ by release
        self._redis = redis
        self._clock = clock
        self._name = new_id("hub", clock.now())
        self._moves: list[Moved] = []
        self._seq: int | None = None
        self._due = asyncio.Event()
        self._decode = msgspec.msgpack.Decoder(_Batch).decode
        self.on_feed: Callable[[], None] = lambda: None
        self.on_moves: Callable[[list[Moved]], None] = lambda _moves: None

    def feed_grew(self, seq: int) -> None:
        """Wake the hubs of other processes."""
        self._seq = seq
        self._due.set()

    def moved(self, move: Moved) -> None:
        """Let other hubs show this to their watchers."""
        if len(self._moves) < QUEUE_MAX:
            self._moves.append(move)

    async def run(self) -> None:
        """Send and hear until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(forever("bus.send_failed", self._send))
            tasks.create_task(forever("bus.hear_failed", self._hear))

    async def _send(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self._due.wait()
        self._due.clear()
        seq, self._seq = self._seq, None
        moves, self._moves = self._moves, []
        if seq is not None:
            await self._redis.publish(FEED_CHANNEL, str(seq))
        if moves:
            await self._redis.publish(LIVE_CHANNEL, msgspec.msgpack.encode(_Batch(self._name, moves)))

    async def _hear(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(FEED_CHANNEL, LIVE_CHANNEL)
            self.on_feed()  # whatever was said while we were deaf
            while True:
                leave_if_cancelled()
                message = await pubsub.get_message(timeout=HEAR_S)
                if message is not None:
                    self._heard(message["channel"], message["data"])

    def _heard(self, channel: bytes, data: bytes) -> None:
        if channel == FEED_CHANNEL.encode():
            self.on_feed()
            return
        try:
            batch = self._decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError):
            log("bus.word_unreadable", level="warning", size=len(data))
            return
        if batch.sender != self._name:
            now_ms = self._clock.now().timestamp() * 1000
            self.on_moves([move for move in batch.moves if _is_possible(move, now_ms)])


def _is_possible(move: Moved, now_ms: float) -> bool:
    """One fix from the far future would hide all that follow; whoever can write to Redis can say anything."""
    return -180 <= move.lon <= 180 and -90 <= move.lat <= 90 and abs(move.at_ms - now_ms) < DAY_MS
