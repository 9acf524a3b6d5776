"""Redis: what is true only now. Everything here may be lost at any moment and heals by itself.

Key families live here so that no two packages invent the same name; each has its time to live. So do the channels and
the two ends of one: a `Speaker` writes what needs no answer, an `Ear` reads what others say. redis-py's own publish and
pub/sub would do the same with an answer awaited for each word and a reconnection nobody is told of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

Redis = aioredis.Redis

FEED_CHANNEL = "fieldhub:feed"
"""Facts as they get their place in the feed; hubs also poll, so a lost word only delays."""

LIVE_CHANNEL = "fieldhub:live"
"""Accepted positions of all workers; latest wins, never replayed. Heard by dispatchers and open maps."""

TALK_CHANNEL = "fieldhub:talk"
"""Who writes or has a conversation open; latest wins, never replayed."""


def live_channel(worker_id: str) -> str:
    """Accepted positions of one worker; heard where an order of theirs is watched."""
    return f"{LIVE_CHANNEL}:{worker_id}"


def ping_channel(node: str) -> str:
    """What a process says to itself, to know that it hears."""
    return f"fieldhub:ping:{node}"


def recovery_key(pid: str) -> str:
    """What the private id of a recoverable connection stands for; lives as long as the feed's window."""
    return f"fieldhub:recovery:{pid}"


def position_key(worker_id: str) -> str:
    """Last known position; lives `position_ttl_s`."""
    return f"fieldhub:pos:{worker_id}"


def connect(url: str) -> Any:  # noqa: ANN401 - redis-py's generics differ by release
    """A client with a pool; connections are made on first use and again after an outage."""
    return aioredis.from_url(url, socket_connect_timeout=2, socket_timeout=5, health_check_interval=15)


def _own_connection(redis: Any) -> Any:  # noqa: ANN401 - redis-py's generics differ by release
    """A connection beside the pool that fails at once: whoever holds it decides when to try again.

    It speaks RESP2: from RESP3 redis-py makes a log line of every word it hears, written or not.
    """
    pool = redis.connection_pool
    connection = pool.connection_class(**pool.connection_kwargs | {"protocol": 2})
    connection.retry = Retry(NoBackoff(), 0)
    return connection


def publish(channel: str, word: bytes) -> bytes:
    """PUBLISH as it goes over the wire."""
    name = channel.encode()
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(word), word)


class Speaker:
    """A connection that asks Redis not to answer: thousands of words are one write and nothing to read.

    An error Redis would have answered is not seen here. Whoever must know listens for a word of its own.
    """

    def __init__(self, redis: Any) -> None:  # noqa: ANN401 - redis-py's generics differ by release
        self._redis = redis
        self._connection: Any = None

    async def say(self, packed: bytes) -> None:
        """Write packed commands; returns when the socket has room for more. Raises RedisError, OSError."""
        if self._connection is None:
            connection = _own_connection(self._redis)
            await connection.connect()
            await connection.send_command("CLIENT", "REPLY", "OFF", check_health=False)
            self._connection = connection
        try:
            await self._connection.send_packed_command(packed, check_health=False)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Hang up; the next word connects anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


class Ear:
    """A connection that hears channels until it breaks; it never comes back by itself."""

    def __init__(self, redis: Any) -> None:  # noqa: ANN401 - redis-py's generics differ by release
        self._connection = _own_connection(redis)

    async def open(self) -> None:
        """Connect. Raises RedisError, OSError."""
        await self._connection.connect()

    async def subscribe(self, channels: Iterable[str]) -> None:
        await self._connection.send_command("SUBSCRIBE", *channels, check_health=False)

    async def unsubscribe(self, channels: Iterable[str]) -> None:
        await self._connection.send_command("UNSUBSCRIBE", *channels, check_health=False)

    async def read(self) -> tuple[bytes, bytes, Any]:
        """The next of (b"message", channel, word), (b"subscribe", channel, count), (b"unsubscribe", channel, count)."""
        kind, channel, word = await self._connection.read_response(timeout=math.inf, push_request=True)
        return kind, channel, word

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)
