"""Starting a service at an edge: a wrong code costs a try even though the transaction that tried is undone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from rest.lines.homeservice import actions, codes
from rest.lines.homeservice.errors import CodeInvalid
from rest.lines.homeservice.model import Job
from storage.postgres import Database

Given = TypeVar("Given")


async def start_with_code(db: Database, order_id: str, worker_id: str, code: str) -> Job:
    """Run `actions.start` and count a wrong try. Raises as `actions.start`."""
    return await with_tries(db, order_id, lambda: db.run(actions.start, order_id, worker_id, code))


async def with_tries(db: Database, order_id: str, start: Callable[[], Awaitable[Given]]) -> Given:
    """Start, and count a wrong code in a transaction of its own. Raises as `start`."""
    try:
        return await start()
    except CodeInvalid:
        await db.run(codes.count_wrong_try, order_id)
        raise
