"""Rolling append-only accounts up, so that a balance of theirs never costs more than a few thousand entries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest.money.ledger import store
from storage.tx import Tx

ROLL_UP = "ledger.roll_up"
ROLL_UP_EVERY = timedelta(seconds=30)
"""An idle round is a few index look-ups; a busy book gets its next checkpoint in the second one."""


async def roll_up(tx: Tx, payload: dict[str, Any]) -> None:
    """One round; the next follows at once while there is more to cover. Comes back by itself."""
    written, upto, number = await store.roll_up(tx, payload["upto"], payload["number"])
    due_at = tx.now if written else tx.now + ROLL_UP_EVERY
    tx.schedule(ROLL_UP, ROLL_UP, due_at, {"upto": upto, "number": number})


async def begin_rolling(tx: Tx) -> None:
    """Schedule the first round; called at start, harmless when repeated."""
    tx.schedule(ROLL_UP, ROLL_UP, tx.now, {"upto": None, "number": None})


DEADLINES = {ROLL_UP: roll_up}
