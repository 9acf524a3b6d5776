"""Starting a service at an edge: a wrong code costs a try even though the transaction that tried is undone."""

from __future__ import annotations

from rest.lines.homeservice import actions, codes
from rest.lines.homeservice.errors import CodeInvalid
from rest.lines.homeservice.model import Job
from storage.postgres import Database


async def start_with_code(db: Database, order_id: str, worker_id: str, code: str) -> Job:
    """Run `actions.start` and count a wrong try in a transaction of its own. Raises as `actions.start`."""
    try:
        return await db.run(actions.start, order_id, worker_id, code)
    except CodeInvalid:
        await db.run(codes.count_wrong_try, order_id)
        raise
