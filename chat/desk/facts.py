"""What the desk tells. Staff hear of threads by id; the customer hears how it stands, never who declined or why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from chat.conversations import agent_audience, circle_audience, desk_audience, leads_audience
from chat.desk.model import Queue, Thread
from storage.base.facts import Fact

DESK = desk_audience(None)
"""All of the platform's support."""


class ThreadFact(Fact, frozen=True, kw_only=True):
    """A row of the console's list."""

    conversation_id: str
    kind: str
    state: str
    queue_id: str
    tenant_id: str | None
    severity: str
    priority: int
    number: str | None
    epoch: int
    assignee_id: str | None
    queued_at: datetime
    snoozed_until: datetime | None
    version: int


class ThreadQueued(ThreadFact, frozen=True, kw_only=True):
    """It waits in the line: new, given back, moved or opened again."""

    topic: ClassVar[str] = "thread.queued"

    reason: str


class ThreadOffered(ThreadFact, frozen=True, kw_only=True):
    """One agent is asked, until `expires_at`."""

    topic: ClassVar[str] = "thread.offered"

    assignment_id: str
    reason: str
    expires_at: datetime


class ThreadAssigned(ThreadFact, frozen=True, kw_only=True):
    """Somebody has it. Whoever had it before writes no more in it: the epoch is another."""

    topic: ClassVar[str] = "thread.assigned"

    assignment_id: str
    reason: str


class ThreadChanged(ThreadFact, frozen=True, kw_only=True):
    """Its turn, kind or severity changed, or it was put aside (`snoozed_until`) or came back."""

    topic: ClassVar[str] = "thread.changed"


class ThreadResolved(ThreadFact, frozen=True, kw_only=True):
    """It is answered."""

    topic: ClassVar[str] = "thread.resolved"


class ThreadClosed(ThreadFact, frozen=True, kw_only=True):
    """It is over; `reason`: rated, withdrawn, idle, in time."""

    topic: ClassVar[str] = "thread.closed"

    reason: str


class ThreadHidden(Fact, frozen=True, kw_only=True):
    """It went to a queue of members only; who still hears of it, it is still for."""

    topic: ClassVar[str] = "thread.hidden"

    conversation_id: str


class QueueAccess(Fact, frozen=True, kw_only=True):
    """Who may see the threads of a queue has changed, for you: read your lists again."""

    topic: ClassVar[str] = "queue.access_changed"

    queue_id: str
    members_only: bool


class SupportChanged(Fact, frozen=True, kw_only=True):
    """For the customer: how it stands. `notice` is what to say, `agent_name` who serves, once somebody does."""

    topic: ClassVar[str] = "support.changed"

    conversation_id: str
    kind: str
    state: str
    notice: str | None
    number: str | None
    agent_name: str | None


class AgentChanged(Fact, frozen=True, kw_only=True):
    """An agent's state or load, for boards."""

    topic: ClassVar[str] = "agent.changed"

    agent_id: str
    state: str
    source: str


class PromiseWarned(Fact, frozen=True, kw_only=True):
    """Half, or four fifths, of the time promised is gone."""

    topic: ClassVar[str] = "promise.warned"

    conversation_id: str
    kind: str
    percent: int
    due_at: datetime | None
    assignee_id: str | None


class PromiseBroken(Fact, frozen=True, kw_only=True):
    """The time promised is over."""

    topic: ClassVar[str] = "promise.broken"

    conversation_id: str
    kind: str
    due_at: datetime
    assignee_id: str | None


class RatingAsked(Fact, frozen=True, kw_only=True):
    """For the customer: how was it? The link is read over REST."""

    topic: ClassVar[str] = "rating.asked"

    conversation_id: str
    rating_id: str
    closure_no: int


class RatingGiven(Fact, frozen=True, kw_only=True):
    """For the desk: a score, without the words."""

    topic: ClassVar[str] = "rating.given"

    conversation_id: str
    rating_id: str
    score: int
    owner_id: str | None


def staff_of(thread: Thread, *agent_ids: str | None) -> list[str]:
    """The platform's desk hears everything (FR-113), a tenant's its own, and the agents concerned wherever they are.

    Of what a queue keeps to its members they alone hear, and who leads these desks.
    """
    concerned = [one for one in dict.fromkeys(agent_ids) if one]
    if thread.circle is None:
        return [*_desks(thread.tenant_id), *(agent_audience(one) for one in concerned)]
    leads = [leads_audience(side) for side in dict.fromkeys((None, thread.tenant_id))]
    kept_to = [circle_audience(one) for one in thread.circle]
    return [*leads, *kept_to, *(agent_audience(one) for one in concerned if one in thread.circle)]


def _desks(tenant_id: str | None) -> list[str]:
    """The platform's, and a tenant's own."""
    return [desk_audience(side) for side in dict.fromkeys((None, tenant_id))]


def desks_of(queue: Queue) -> list[str]:
    """Everybody whom a queue may concern."""
    return _desks(queue.tenant_id)


def fields_of(thread: Thread) -> dict[str, Any]:
    """The thread's own values for any fact about it."""
    return {name: getattr(thread, name) for name in ThreadFact.__struct_fields__}


def for_customer(thread: Thread, *, notice: str | None = None, agent_name: str | None = None) -> SupportChanged:
    return SupportChanged(
        conversation_id=thread.conversation_id,
        kind=thread.kind.value,
        state=thread.state.value,
        notice=notice,
        number=thread.number,
        agent_name=agent_name,
    )


def audience_of(thread: Thread) -> Sequence[str]:
    """Where the customer is heard at."""
    return thread.audience
