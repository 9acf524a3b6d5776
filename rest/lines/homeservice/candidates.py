"""What the line needs to read of dispatch: a grab by its id, how many wait, where a technician last was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dispatch.model import Call, CallStatus, Grab
from dispatch.store import calls
from dispatch.store import workers as workers_store
from geo import Point
from storage.tx import Tx

SHOWN = ("offered", "locked", "won")
"""States of grabs a customer sees."""

LIST_MAX = 200


@dataclass(frozen=True, slots=True)
class LastPosition:
    """Where a worker last was, and when."""

    point: Point
    at: datetime


async def find_grab(tx: Tx, grab_id: str) -> Grab | None:
    return await calls.grab(tx, grab_id)


async def shown_grabs(tx: Tx, call_id: str) -> list[Grab]:
    """The candidates a customer may choose from, first come first."""
    return await calls.grabs_of_call(tx, call_id, states=SHOWN, limit=LIST_MAX)


async def grab_states(tx: Tx, worker_id: str, call_ids: Sequence[str]) -> dict[str, str]:
    """The state of this worker's live grab on each of these calls; nothing is locked."""
    rows = await tx.fetch(
        "SELECT call_id, state FROM grabs WHERE worker_id = $1 AND call_id = ANY($2) AND state = ANY($3)",
        worker_id,
        list(call_ids),
        list(SHOWN),
    )
    return {row["call_id"]: row["state"] for row in rows}


async def count_waiting(tx: Tx, call_id: str) -> int:
    """How many grabs wait to be chosen."""
    return await calls.count_offered(tx, call_id)


async def last_position(tx: Tx, worker_id: str) -> LastPosition | None:
    found = await workers_store.position(tx, worker_id)
    return None if found is None else LastPosition(*found)


async def is_free_for(tx: Tx, call: Call, worker_id: str) -> bool:
    """Whether this worker could win the open call now; needs his row lock and the call's."""
    worker = await workers_store.read(tx, worker_id)
    if worker is None or worker.status != "active" or call.status is not CallStatus.OPEN:
        return False
    return not await workers_store.is_booked(tx, worker_id, call.start_at, call.busy_until, but_call=call.id)
