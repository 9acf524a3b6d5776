"""The rhythm of the two position stores: gather, and write what has gathered every so often."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


async def flush_until(stop: asyncio.Event, every_s: float, flush: Callable[[], Awaitable[object]]) -> None:
    """Call `flush` every `every_s` seconds until `stop` is set, and once more after. `flush` raises nothing."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
        await flush()
    await flush()  # what came while the last flush was under way
