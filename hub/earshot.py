"""Which positions of other hubs this one hears: those somebody here looks at.

A watched order makes its worker's channel heard, an open operations map everybody's. Whoever listens from now on has
missed the last word, so the last-known position is read from Redis as soon as the channel is open, and once more a
moment later: what was said just before may not have been written when we looked. The same happens after an outage.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.exceptions import RedisError

from geo.lastknown import load_position, load_positions
from hub.bus import Bus, Moved
from hub.loops import forever
from hub.opsmap import OpsMap
from hub.tracking import move_of
from hub.watching import Watching
from storage.base.log import log
from storage.redis import LIVE_CHANNEL, live_channel

LATE_S = 1.0
"""Longer than a position may be on its way into Redis."""


class Earshot:
    """Ties what is looked at here to the channels of the bus."""

    def __init__(self, bus: Bus, redis: Any, watching: Watching, opsmap: OpsMap) -> None:  # noqa: ANN401 - redis-py
        self._bus = bus
        self._redis = redis
        self._watching = watching
        self._map = opsmap
        self._opened: dict[str, None] = {}
        self._has_opened = asyncio.Event()
        self._looked_at: dict[str, None] = {}
        self._due_again: dict[str, None] = {}
        watching.on_worker = self._of_worker
        opsmap.on_viewed = self._of_all
        bus.on_moves = self._show
        bus.on_all_moves.append(opsmap.load)
        bus.on_listening = self._listening

    async def run(self) -> None:
        """Read last-known positions of channels that have opened. Runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(forever("hub.look_failed", self._look))
            tasks.create_task(forever("hub.look_failed", self._look_again))

    def _of_worker(self, worker_id: str, is_watched: bool) -> None:
        (self._bus.listen if is_watched else self._bus.leave)(live_channel(worker_id))

    def _of_all(self, is_viewed: bool) -> None:
        (self._bus.listen if is_viewed else self._bus.leave)(LIVE_CHANNEL)

    def _show(self, moves: list[Moved]) -> None:
        for move in moves:
            self._watching.moved(move)

    def _listening(self, channel: str) -> None:
        if channel.startswith(LIVE_CHANNEL):
            self._opened[channel] = None
            self._has_opened.set()

    async def _look(self) -> None:
        await self._has_opened.wait()
        self._has_opened.clear()
        opened, self._opened = self._opened, {}
        self._looked_at |= opened
        await self._read(opened)

    async def _look_again(self) -> None:
        await asyncio.sleep(LATE_S)
        due, self._due_again, self._looked_at = self._due_again, self._looked_at, {}
        await self._read(due)

    async def _read(self, channels: dict[str, None]) -> None:
        try:
            for channel in channels:
                if channel == LIVE_CHANNEL:
                    known = await load_positions(self._redis)
                    self._map.load(move_of(worker_id, fix) for worker_id, fix in known.items())
                    continue
                worker_id = channel.removeprefix(f"{LIVE_CHANNEL}:")
                fix = await load_position(self._redis, worker_id)
                if fix is not None:
                    self._watching.moved(move_of(worker_id, fix))
        except (RedisError, OSError) as problem:  # the channels open again when Redis is back
            log("hub.last_known_not_read", level="warning", error=problem)
