"""Real engines and real processes, and everything that can be done to them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg

from rest.lines.homeservice.demo import operators_accounts
from storage import engines, migrate
from storage import redis as redis_store
from storage.base.settings import Settings
from storage.postgres import Database
from tests.live import Live

SECRET = "chaos-secret-chaos-secret-chaos-secret"
TOKENS_LIVE_S = 86_400
STOP_MAX_S = 10.0
"""From SIGTERM to exit; what balancers allow."""

STARTS_MAX = 10
WATCH_S = 0.1


class Part:
    """One process, held up: it must not end unless somebody here ends it."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.busy = asyncio.Lock()
        self.is_up = False
        self.starts = 0

    @property
    def pid(self) -> int:
        assert self.live.process is not None
        return self.live.process.pid

    def start(self) -> None:
        """Start, again when it gives up because an engine is away just then, as a supervisor does."""
        for attempt in range(STARTS_MAX):
            try:
                self.starts += 1
                self.live.start()
            except RuntimeError:
                if attempt == STARTS_MAX - 1:
                    raise
            else:
                self.is_up = True
                return

    def kill(self) -> None:
        self.is_up = False
        self.live.kill()

    def stop(self) -> int:
        self.is_up = False
        return self.live.stop(timeout_s=3 * STOP_MAX_S)


class Town:
    """PostgreSQL, Redis, hubs, a worker. Each verb that breaks something also mends it."""

    def __init__(self, data_dir: Path, *, hubs: int = 2, durable: bool = True, **settings: str) -> None:
        self._data_dir, self._durable = data_dir, durable
        self.broken: list[str] = []
        self.done: Counter[str] = Counter()
        self.stall_s = 0.0
        """The longest time in which this very process did nothing: what is heard late may be late because of that."""
        self._redis_busy, self._postgres_busy = asyncio.Lock(), asyncio.Lock()
        self.postgres = engines.start_postgres(data_dir, durable=durable)
        self.redis = engines.start_redis(data_dir)
        asyncio.run(migrate.migrate(self.postgres.url))
        common = {
            "database_url": self.postgres.url, "redis_url": self.redis.url, "secret": SECRET, "dev": "0",
            "sms_url": "http://127.0.0.1:9/", **settings,
        }  # fmt: skip
        self.hubs = [Part(Live(data_dir, part="hub", **common)) for _ in range(hubs)]
        self.worker = Part(Live(data_dir, part="worker", **common))
        self.parts = [self.worker, *self.hubs]

    def start(self) -> None:
        with ThreadPoolExecutor() as threads:
            list(threads.map(Part.start, self.parts))

    def close(self) -> None:
        for part in self.parts:
            if part.live.process is not None and part.live.process.poll() is None:
                part.kill()
        self.redis.stop()
        self.postgres.stop()

    @property
    def urls(self) -> list[str]:
        return [hub.live.url for hub in self.hubs]

    async def accounts(self, db: Database, role: str, count: int) -> list[dict[str, Any]]:
        return await operators_accounts(db, Settings(secret=SECRET), role, count, ttl_s=TOKENS_LIVE_S)

    async def watch(self) -> None:
        """Until cancelled: blame a process that ends by itself, and start it again."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(WATCH_S)
            self.stall_s = max(self.stall_s, time.monotonic() - began - WATCH_S)
            for part in self.parts:
                process = part.live.process
                if part.is_up and process is not None and process.poll() is not None:
                    part.is_up = False
                    self.broken.append(
                        f"{part.live.part} ended by itself, {process.returncode}:\n{part.live.log[-2_000:]}"
                    )
                    await asyncio.to_thread(part.start)

    # What can happen

    async def hub_killed(self, which: int, _seconds: float) -> None:
        await self._killed(self.hubs[which % len(self.hubs)])

    async def worker_killed(self, _which: int, _seconds: float) -> None:
        await self._killed(self.worker)

    async def _killed(self, part: Part) -> None:
        async with part.busy:
            part.kill()
            await asyncio.to_thread(part.start)

    async def hubs_rolled(self, _which: int, _seconds: float) -> None:
        """SIGTERM, wait, start: one hub after the other."""
        for hub in self.hubs:
            async with hub.busy:
                began = time.monotonic()
                status = await asyncio.to_thread(hub.stop)
                took = time.monotonic() - began
                if status != 0 or took > STOP_MAX_S:
                    self.broken.append(f"SIGTERM: exit {status} after {took:.1f} s")
                await asyncio.to_thread(hub.start)

    async def hub_paused(self, which: int, seconds: float) -> None:
        hub = self.hubs[which % len(self.hubs)]
        async with hub.busy:
            await _paused([hub.pid], seconds)

    async def worker_paused(self, _which: int, seconds: float) -> None:
        async with self.worker.busy:
            await _paused([self.worker.pid], seconds)

    async def redis_killed(self, _which: int, seconds: float) -> None:
        """Gone for a while, and empty when it comes back."""
        async with self._redis_busy:
            self.redis.process.kill()
            self.redis.process.wait()
            await asyncio.sleep(seconds)
            self.redis = await asyncio.to_thread(engines.start_redis, self._data_dir)

    async def redis_paused(self, _which: int, seconds: float) -> None:
        async with self._redis_busy:
            await _paused([self.redis.process.pid], seconds)

    async def redis_connections_cut(self, _which: int, _seconds: float) -> None:
        async with self._redis_busy:
            client = redis_store.connect(self.redis.url)
            for kind in ("pubsub", "normal"):
                await client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            await client.aclose()

    async def postgres_paused(self, _which: int, seconds: float) -> None:
        async with self._postgres_busy:
            await _paused(_family(self.postgres.process.pid), seconds)

    async def postgres_crashed(self, _which: int, seconds: float) -> None:
        """All of it at once; it recovers from its log."""
        async with self._postgres_busy:
            self.postgres.process.send_signal(signal.SIGQUIT)
            await asyncio.to_thread(self.postgres.process.wait)
            await asyncio.sleep(seconds)
            self.postgres = await asyncio.to_thread(engines.start_postgres, self._data_dir, durable=self._durable)

    async def postgres_connections_cut(self, _which: int, _seconds: float) -> None:
        async with self._postgres_busy:
            connection: Any = await asyncpg.connect(self.postgres.url, timeout=60)
            await connection.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                """
            )
            await connection.close()

    async def suffer(self, kind: str, which: int, seconds: float) -> None:
        """One of the above, by its name."""
        verb: Callable[[int, float], Any] = getattr(self, kind)
        await verb(which, seconds)
        self.done[kind] += 1


async def _paused(pids: list[int], seconds: float) -> None:
    _signal(pids, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _family(pid: int) -> list[int]:
    """A process, stopped, so that it makes no more children, and those it has."""
    _signal([pid], signal.SIGSTOP)
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
