"""A technician under way from whom no position comes: support is warned, once for each silence (HS-208).

Each order under way has one deadline row, `<order>:silence`: due when his last position, or his departure, is
`silent_s` old. It then either finds a newer position and moves to when that one will be old, or opens the case and
looks again every LOOK_S. The first new position it finds closes the case. Leaving `departed` takes the row away, and
the case with it (`casework.types`). So nothing looks at orders whose positions come, and a stopped program misses
nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from chat import cases
from chat.cases import CaseFilter
from rest.lines.homeservice import candidates
from rest.lines.homeservice.casework.effects import SUBJECT, open_case
from rest.lines.homeservice.line import HOMESERVICE, listen_until
from rest.lines.homeservice.model import DEPARTED, Job
from rest.trade import orders
from rest.trade.orders import SYSTEM
from storage.tx import Tx

KIND = "position_lost"

LOOK_S = 30
"""How long a position that comes again may go unnoticed, and how late a look may be before it is believed."""


async def look(tx: Tx, payload: dict[str, Any]) -> None:
    """The last position of the order's technician may be old by now."""
    job = await orders.lock_for_system(tx, HOMESERVICE, payload["order_id"])
    if job.order.status != DEPARTED or job.order.provider_id is None:
        return
    heard_at = await _heard_at(tx, job)
    old_at = heard_at + timedelta(seconds=job.rules.silent_s)
    if tx.now < old_at:
        await cases.resolve_cases(tx, SUBJECT, job.order.id, [KIND])
        listen_until(tx, job.order.id, old_at)
        return
    listen_until(tx, job.order.id, tx.now + timedelta(seconds=LOOK_S))
    # After an outage the positions of that time are still on their way into the record.
    is_late = tx.now > datetime.fromisoformat(payload["due_at"]) + timedelta(seconds=LOOK_S)
    if not is_late and not await _was_asked(tx, job, heard_at):
        await open_case(tx, job, KIND, SYSTEM)


async def _heard_at(tx: Tx, job: Job) -> datetime:
    """The last sign of him on this trip."""
    departed_at = job.visit.departed_at
    assert departed_at is not None  # noqa: S101 - he has departed
    position = await candidates.last_position(tx, job.order.provider_id or "")
    return departed_at if position is None else max(departed_at, position.at)


async def _was_asked(tx: Tx, job: Job, heard_at: datetime) -> bool:
    """Whether this silence has its case: open, or already settled by a person."""
    wanted = CaseFilter(types=(KIND,), subject_id=job.order.id)
    last = await cases.newest_cases(tx, wanted, limit=1)
    return bool(last) and last[0].opened_at > heard_at
