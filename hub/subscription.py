"""The channels this process hears, and whether it hears at all.

A subscriber can go deaf without a word: its connection is killed, its Redis is away, or TCP still waits for an answer
that never comes. So the process pings itself through Redis, by the way its words go and the way others' words come.
While no ping comes back it is deaf: `is_deaf` turns it away from balancers, and the connection is built anew until it
hears again. One log line for each turn.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from hub.loops import forever, leave_if_cancelled
from storage.base.log import log
from storage.redis import Ear

PING_S = 1.0
DEAF_S = 4.0
"""Three pings lost and the fourth not back."""

RETRY_S = 0.5
LINGER_S = 3.0
"""A channel nobody needs is heard this much longer: watchers that reconnect come back within it."""


class Subscription:
    """Kept alive by `run`. `on_word(channel, word)` must not wait."""

    def __init__(self, redis: Any, own_channel: str, ping: Callable[[], None]) -> None:  # noqa: ANN401 - redis-py
        """`ping` says something in `own_channel`."""
        self._redis = redis
        self._own_channel = own_channel
        self._ping = ping
        self._needed: Counter[str] = Counter()
        self._unneeded_since: dict[str, float] = {}
        self._pending: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._heard_at = -DEAF_S
        self._limit: asyncio.Timeout | None = None
        self.is_deaf = True
        self.on_word: Callable[[str, bytes], None] = lambda _channel, _word: None
        self.on_listening: Callable[[str], None] = lambda _channel: None
        self.on_deaf: Callable[[], None] = lambda: None

    def listen(self, channel: str) -> None:
        """Hear this channel; as often as it is asked for it must be left."""
        self._needed[channel] += 1
        self._unneeded_since.pop(channel, None)
        self._look_at(channel)

    def leave(self, channel: str) -> None:
        self._needed[channel] -= 1
        if self._needed[channel] == 0:
            self._unneeded_since[channel] = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Hear until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(forever("bus.hear_failed", self._hear))
            tasks.create_task(forever("bus.watch_failed", self._watch))

    async def _watch(self) -> None:
        self._ping()
        await asyncio.sleep(PING_S)
        now = asyncio.get_running_loop().time()
        if not self.is_deaf and now - self._heard_at > DEAF_S:
            self.is_deaf = True
            log("bus.deaf", level="error", silent_s=round(now - self._heard_at, 1))
        if self.is_deaf:
            self.on_deaf()
        for channel in [channel for channel, since in self._unneeded_since.items() if now - since > LINGER_S]:
            del self._unneeded_since[channel], self._needed[channel]
            self._look_at(channel)

    def _look_at(self, channel: str) -> None:
        self._pending[channel] = None
        self._changed.set()

    async def _hear(self) -> None:
        """One connection, until it breaks or has been deaf for too long. That Redis is away is not worth a line."""
        ear = Ear(self._redis)
        try:
            async with asyncio.timeout(DEAF_S) as self._limit, asyncio.TaskGroup() as tasks:
                await ear.open()
                leave_if_cancelled()
                changing = tasks.create_task(self._change(ear))
                try:
                    while True:
                        self._take(*await ear.read())
                finally:
                    changing.cancel()
        except* (RedisError, OSError, TimeoutError):
            await asyncio.sleep(RETRY_S)
        finally:
            await ear.close()

    async def _change(self, ear: Ear) -> None:
        """Subscribe to what is needed and unsubscribe from what is not, as that changes."""
        heard: set[str] = set()
        self._pending = dict.fromkeys((self._own_channel, *self._needed))
        while True:
            self._changed.clear()
            pending, self._pending = self._pending, {}
            needed = {channel for channel in pending if channel in self._needed or channel == self._own_channel}
            if fresh := needed - heard:
                await ear.subscribe(fresh)
            if stale := heard & (pending.keys() - needed):
                await ear.unsubscribe(stale)
            heard |= fresh
            heard -= stale
            leave_if_cancelled()
            await self._changed.wait()

    def _take(self, kind: bytes, channel: bytes, word: Any) -> None:  # noqa: ANN401 - bytes or a count
        name = channel.decode()
        if kind == b"subscribe" and name == self._own_channel:
            self._ping()
        elif kind == b"subscribe":
            self.on_listening(name)
        elif kind == b"message" and name == self._own_channel:
            self._hear_myself()
        elif kind == b"message":
            self.on_word(name, word)

    def _hear_myself(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(now + DEAF_S)
        if self.is_deaf and self._heard_at >= 0:
            log("bus.hears_again", deaf_s=round(now - self._heard_at, 1))
        self.is_deaf, self._heard_at = False, now
