"""Redis: what is true only now. Everything here may be lost at any moment and heals by itself.

Key families live here so that no two packages invent the same name; each has its time to live.
"""

from __future__ import annotations

from typing import Any

import redis.asyncio as aioredis

Redis = aioredis.Redis

FEED_CHANNEL = "fieldhub:feed"
"""Pub/sub channel on which the relay says "the feed has grown to seq N"; hubs also poll, so a lost word only delays."""

LIVE_CHANNEL = "fieldhub:live"
"""Pub/sub channel of accepted positions between processes; latest wins, never replayed."""


def position_key(worker_id: str) -> str:
    """Last known position; lives `position_ttl_s`."""
    return f"fieldhub:pos:{worker_id}"


def presence_key(worker_id: str) -> str:
    """Lease of a worker's presence; lives `presence_lease_s`."""
    return f"fieldhub:presence:{worker_id}"


def connect(url: str) -> Any:  # noqa: ANN401 - redis-py's generics differ by release
    """A client with a pool; connections are made on first use and again after an outage."""
    return aioredis.from_url(url, socket_connect_timeout=2, socket_timeout=5, health_check_interval=15)
