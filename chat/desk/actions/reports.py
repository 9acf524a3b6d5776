"""What is asked about the desk: lists and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from chat import conversations
from chat.desk.actions.queues import SAMPLE_DAYS, SAMPLES_MAX
from chat.desk.boards import Board, Line
from chat.desk.model import Agent, Queue, Thread
from chat.desk.sla import Timer
from chat.desk.statistics import Summary, summary_of
from chat.desk.store import agents as agent_store
from chat.desk.store import boards as board_store
from chat.desk.store import queues as queue_store
from chat.desk.store import statistics as store
from chat.desk.store import threads as thread_store
from chat.desk.store import timers as timer_store
from storage.base.errors import NotFound
from storage.base.ids import AFTER_ALL_IDS
from storage.tx import Tx


async def statistics(
    tx: Tx, since: datetime, until: datetime, *, queue_id: str | None = None, tenant_id: str | None = None
) -> Summary:
    """A period in numbers, of one queue or of all of them, or all of a tenant. Raises NotFound."""
    queue_ids = None if queue_id is None else [queue_id]
    if tenant_id is not None:
        own = await queue_store.ids_of_tenant(tx, tenant_id)
        if queue_id is not None and queue_id not in own:
            raise NotFound
        queue_ids = queue_ids or own
    return summary_of(await store.counts(tx, since, until, queue_ids))


async def threads_page(
    tx: Tx,
    *,
    customer_id: str | None = None,
    assignee_id: str | None = None,
    queue_id: str | None = None,
    kind: str | None = None,
    states: Sequence[str] | None = None,
    severity: str | None = None,
    tenant_id: str | None = None,
    seen_by: str | None = None,
    before: str = AFTER_ALL_IDS,
    limit: int = 20,
) -> list[Thread]:
    """Newest first, older than the conversation `before`; of one tenant, or of all.

    `seen_by`: an agent, of whose desk some queues may be kept to others; None: for who sees all of it.
    """
    return await thread_store.newest(
        tx,
        customer_id=customer_id,
        assignee_id=assignee_id,
        queue_id=queue_id,
        kind=kind,
        states=list(states) if states is not None else None,
        severity=severity,
        tenant_id=tenant_id,
        seen_by=seen_by,
        before=before,
        limit=limit,
    )


async def agents_page(tx: Tx, *, tenant_id: str | None = None, after: str = "", limit: int = 20) -> list[Agent]:
    """By id, after this one."""
    return await agent_store.page(tx, tenant_id=tenant_id, after=after, limit=limit)


async def on_duty(tx: Tx, *, limit: int) -> list[str]:
    """Agents of the platform whose shift it is, at the console or not, by id."""
    return await agent_store.on_duty(tx, limit)


async def queues_page(tx: Tx, *, tenant_id: str | None = None, after: str = "", limit: int = 20) -> list[Queue]:
    """By id, after this one; a tenant's, or all."""
    return await queue_store.page(tx, tenant_id=tenant_id, after=after, limit=limit)


async def queue_names_of(tx: Tx, conversation_ids: Sequence[str]) -> dict[str, str]:
    """Conversation → the name of the queue it is in; what has no thread is left out."""
    return await queue_store.names_of_threads(tx, conversation_ids)


async def agent_names_of(tx: Tx, account_ids: Sequence[str]) -> dict[str, str]:
    """What those of them who are agents are called at their desk."""
    return await agent_store.names_of(tx, account_ids)


async def promises_of(tx: Tx, conversation_id: str) -> list[Timer]:
    """Those that run or are paused, by kind."""
    return await timer_store.shown(tx, conversation_id)


async def subject_of(tx: Tx, thread: Thread) -> tuple[str | None, str | None]:
    """What the thread is about: what it was brought with, else what its conversation is about."""
    if thread.subject_id is not None:
        return thread.subject_kind, thread.subject_id
    conversation = await conversations.find_conversation(tx, thread.conversation_id)
    return conversation.subject_kind, conversation.subject_id


async def is_about(
    tx: Tx, subject_kind: str, subject_id: str, *, tenant_id: str | None, seen_by: str | None = None
) -> bool:
    """Whether the desk has a thread about this: a tenant's, or (None) any; one this agent may see, if he is named."""
    return await thread_store.is_about(tx, subject_kind, subject_id, tenant_id, seen_by=seen_by)


WAITING_MAX = 1_000
"""Of a longer line only the first are told their place; the others hear of it when they come nearer."""

BOARDS_MAX = 100
"""Queues one board shows."""


async def line_of(tx: Tx, queue_id: str) -> Line | None:
    """A queue as those see it who wait in it and who watch over it, in one statement."""
    since = tx.now - timedelta(days=SAMPLE_DAYS)
    return await board_store.line(tx, queue_id, since, waiting_max=WAITING_MAX, samples_max=SAMPLES_MAX)


async def boards_of(tx: Tx, tenant_id: str | None) -> list[Board]:
    """All queues that are open, or a tenant's, in numbers."""
    return await board_store.boards(tx, tenant_id=tenant_id, only_active=True, limit=BOARDS_MAX)
