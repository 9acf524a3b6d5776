"""Letting the worker of an order take part."""

from __future__ import annotations

import dispatch
from chat import conversations
from chat.conversations import Member, Role
from storage.tx import Tx


async def join_worker(tx: Tx, conversation_id: str, worker_id: str, *, sees_history: bool = False) -> Member:
    """He reads from now on; what was said before only where staff say so (HS-193)."""
    worker = await dispatch.get_worker(tx, worker_id)
    return await conversations.join(
        tx, conversation_id, worker.account_id, Role.WORKER, audience=f"worker:{worker.id}", sees_history=sees_history
    )
