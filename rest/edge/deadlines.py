"""Forgetting answers kept for Idempotency-Keys once nobody may repeat their requests any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from storage import idempotency
from storage.tx import Tx

PURGE = "edge.purge"
PURGE_EVERY = timedelta(minutes=10)
PURGE_MAX = 5_000
"""Rows forgotten in one transaction; when there are more, the next round follows at once."""


async def purge(tx: Tx, payload: dict[str, Any]) -> None:
    """Forget keys older than `keep_s`; comes back by itself."""
    forgotten = await idempotency.purge(tx, tx.now - timedelta(seconds=payload["keep_s"]), limit=PURGE_MAX)
    tx.schedule(PURGE, PURGE, tx.now if forgotten == PURGE_MAX else tx.now + PURGE_EVERY, payload)


async def begin_purging(tx: Tx, keep_s: int) -> None:
    """Schedule the first round; called at start, harmless when repeated."""
    tx.schedule(PURGE, PURGE, tx.now, {"keep_s": keep_s})


DEADLINES = {PURGE: purge}
