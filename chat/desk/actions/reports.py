"""What is asked about the desk: lists and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chat.desk.model import Agent, Queue, Thread
from chat.desk.statistics import Summary, summary_of
from chat.desk.store import agents as agent_store
from chat.desk.store import queues as queue_store
from chat.desk.store import statistics as store
from chat.desk.store import threads as thread_store
from storage.tx import Tx

AFTER_ALL = "~"
"""Greater than every id: where a list begins."""


async def statistics(tx: Tx, since: datetime, until: datetime, *, queue_id: str | None = None) -> Summary:
    """A period in numbers, of one queue or of all."""
    return summary_of(await store.counts(tx, since, until, queue_id))


async def threads_page(
    tx: Tx,
    *,
    customer_id: str | None = None,
    assignee_id: str | None = None,
    queue_id: str | None = None,
    kind: str | None = None,
    states: Sequence[str] | None = None,
    before: str = AFTER_ALL,
    limit: int = 20,
) -> list[Thread]:
    """Newest first, older than the conversation `before`."""
    return await thread_store.newest(
        tx,
        customer_id=customer_id,
        assignee_id=assignee_id,
        queue_id=queue_id,
        kind=kind,
        states=list(states) if states is not None else None,
        before=before,
        limit=limit,
    )


async def agents_page(tx: Tx, *, tenant_id: str | None = None, after: str = "", limit: int = 20) -> list[Agent]:
    """By id, after this one."""
    return await agent_store.page(tx, tenant_id=tenant_id, after=after, limit=limit)


async def queues_page(tx: Tx, *, after: str = "", limit: int = 20) -> list[Queue]:
    """By id, after this one."""
    return await queue_store.page(tx, after=after, limit=limit)
