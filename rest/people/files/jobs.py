"""Forgetting files that nothing has been made of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from storage import files
from storage.tx import Tx

PURGE = "files.purge"
PURGE_EVERY = timedelta(minutes=10)
PURGE_MAX = 200
"""Files forgotten in one transaction: at most a gigabyte; when there are more, the next round follows at once."""


async def purge(tx: Tx, _payload: dict[str, Any]) -> None:
    """Comes back by itself."""
    gone = await files.purge(tx, limit=PURGE_MAX)
    tx.schedule(PURGE, PURGE, tx.now if gone == PURGE_MAX else tx.now + PURGE_EVERY, {})


async def begin_purging(tx: Tx) -> None:
    """Schedule the first round; called at start, harmless when repeated."""
    tx.schedule(PURGE, PURGE, tx.now, {})


DEADLINES = {PURGE: purge}
