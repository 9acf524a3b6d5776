"""What goes in and out of the routes of the desk."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chat.desk import Agent, Place, QuickReply, Rating, Thread
from rest.edge.values import Body, Id, Instant, Line, Note, PageQuery, exactly

Word = Annotated[str, Meta(pattern=exactly("[a-z][a-z0-9_]*"), max_length=40)]
Code = Annotated[str, Meta(pattern=exactly("[A-Za-z0-9_-]+"), max_length=40)]
Score = Annotated[int, Meta(ge=1, le=5)]

KindWord = Literal["chat", "ticket"]
SeverityWord = Literal["low", "normal", "high", "emergency"]
StateName = Literal["online", "busy", "away", "offline"]
"""Of an agent."""
StateWord = Literal["queued", "offered", "open", "pending", "resolved", "closed"]


class AskBody(Body, frozen=True, kw_only=True):
    """Ask support, about an order of one's own or about none. `severity` above high is for the lines to give.

    `tenant_id`: at whose desk. An order that is a tenant's goes to that tenant's desk by itself; `at_platform` brings
    it to the platform's all the same.
    """

    kind: KindWord = "chat"
    category: Word
    severity: Literal["low", "normal", "high"] = "normal"
    line: Word | None = None
    region: Code | None = None
    order_id: Id | None = None
    tenant_id: Id | None = None
    at_platform: bool = False


class OwnThreadQuery(PageQuery, frozen=True, kw_only=True):
    """What one asked, newest first. `tenant_id`: at whose desk."""

    kind: KindWord | None = None
    state: Annotated[list[StateWord], Meta(min_length=1, max_length=6)] | None = None
    tenant_id: Id | None = None


class OwnThread(msgspec.Struct, frozen=True, kw_only=True):
    """What one asked, and how it stands. `tenant_id`: at whose desk, null: the platform's."""

    conversation_id: str
    kind: KindWord
    state: StateWord
    tenant_id: str | None
    subject_kind: str | None
    subject_id: str | None
    number: str | None
    category: str
    resolution: str | None
    opened_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    version: int

    @classmethod
    def of(cls, thread: Thread) -> OwnThread:
        return cls(**{name: getattr(thread, name) for name in cls.__struct_fields__})


class RateBody(Body, frozen=True, kw_only=True):
    score: Score
    tags: Annotated[list[Word], Meta(max_length=8)] = msgspec.field(default_factory=list)
    comment: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class RateByLinkBody(RateBody, frozen=True, kw_only=True):
    """`token`: what the link carries."""

    token: Annotated[str, Meta(min_length=1, max_length=100)]


class AskedView(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands, for the customer. `position` is 1 for the next; waits in seconds, of `samples` like this one.

    `agent_name`: who answers, once somebody does. `back_at`: when people are back, out of hours. `former_id`: the
    conversation in which the same was asked before, where it was over.
    """

    conversation_id: str
    kind: KindWord
    state: StateWord
    tenant_id: str | None
    number: str | None
    category: str
    resolution: str | None
    position: int | None
    wait_p50_s: int | None
    wait_p90_s: int | None
    samples: int | None
    agent_name: str | None
    back_at: datetime | None
    former_id: str | None
    opened_at: datetime
    version: int

    @classmethod
    def of(cls, thread: Thread, place: Place | None, *, agent_name: str | None, back_at: datetime | None) -> AskedView:
        values: dict[str, Any] = {name: getattr(thread, name, None) for name in cls.__struct_fields__}
        values |= {"agent_name": agent_name, "back_at": back_at}
        if place is not None:
            expected = place.expected
            values |= {"position": place.position, "wait_p50_s": expected.p50_s, "wait_p90_s": expected.p90_s}
            values["samples"] = expected.samples
        return cls(**values)


class RatingView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    conversation_id: str
    closure_no: int
    score: int | None
    tags: list[str]
    comment: str | None
    edited_until: datetime | None
    token: str | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, rating: Rating, *, token: str | msgspec.UnsetType = msgspec.UNSET) -> RatingView:
        values: dict[str, Any] = {name: getattr(rating, name, None) for name in cls.__struct_fields__}
        return cls(**{**values, "tags": list(rating.tags), "token": token})


class ThreadView(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as staff see it.

    `former_id`: the one it follows, about the same thing. `snoozed_until`: whoever has it has put it aside until then.
    """

    conversation_id: str
    kind: KindWord
    state: StateWord
    tenant_id: str | None
    customer_id: str
    subject_kind: str | None
    subject_id: str | None
    number: str | None
    category: str
    severity: SeverityWord
    priority: int
    queue_id: str
    epoch: int
    assignee_id: str | None
    resolution: str | None
    opened_at: datetime
    queued_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    former_id: str | None
    snoozed_until: datetime | None
    version: int

    @classmethod
    def of(cls, thread: Thread) -> ThreadView:
        return cls(**{name: getattr(thread, name) for name in cls.__struct_fields__})


class BoardView(msgspec.Struct, frozen=True, kw_only=True):
    """A queue in numbers; `online` of its `members` take work now, `free` of them have room for a chat; `zone`: that of
    its hours; `at_risk`: threads with four fifths of a promise gone, `broken`: with one not kept."""

    queue_id: str
    name: str
    tenant_id: str | None
    is_active: bool
    calendar_id: str | None
    zone: str
    accept_s: int
    waiting: int
    offered: int
    serving: int
    oldest_at: datetime | None
    members: int
    online: int
    free: int
    at_risk: int
    broken: int


class BoardsView(msgspec.Struct, frozen=True, kw_only=True):
    data: list[BoardView]


class ThreadQuery(PageQuery, frozen=True, kw_only=True):
    """`mine`: those I have. Newest first."""

    state: Annotated[list[StateWord], Meta(min_length=1, max_length=6)] | None = None
    kind: KindWord | None = None
    severity: SeverityWord | None = None
    queue_id: Id | None = None
    mine: bool = False


class StateBody(Body, frozen=True, kw_only=True):
    state: StateName


class TransferBody(Body, frozen=True, kw_only=True):
    """To an agent or to a queue: exactly one of them. `override` is for supervisors."""

    note: Note
    agent_id: Id | None = None
    queue_id: Id | None = None
    override: bool = False


class TakeOverBody(Body, frozen=True, kw_only=True):
    note: Note


class ResolveBody(Body, frozen=True, kw_only=True):
    """A ticket needs a text."""

    resolution: Note | None = None


class KindBody(Body, frozen=True, kw_only=True):
    kind: KindWord


LaterWord = Literal["hour", "evening", "tomorrow"]
"""In an hour, today at 18:00, tomorrow at 9:00, in the zone of the queue's hours."""


class SnoozeBody(Body, frozen=True, kw_only=True):
    """Until an instant, or a word for one (in an hour, today at 18:00, tomorrow at 9:00): exactly one of them."""

    until: Instant | None = None
    later: LaterWord | None = None


class SeverityBody(Body, frozen=True, kw_only=True):
    severity: SeverityWord


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """`cap`, `load`, `over_units`: four a chat, one a ticket."""

    id: str
    tenant_id: str | None
    name: str
    is_supervisor: bool
    calendar_id: str | None
    cap: int
    load: int
    over_units: int
    state: StateName
    present_until: datetime
    duty_from: datetime
    duty_until: datetime
    version: int

    @classmethod
    def of(cls, agent: Agent) -> AgentView:
        return cls(**{name: getattr(agent, name) for name in cls.__struct_fields__})


class VerdictView(msgspec.Struct, frozen=True, kw_only=True):
    """`place` 1 would get it; without a place, why not."""

    agent_id: str
    name: str
    place: int | None
    why_not: list[str]
    is_known: bool
    load_share: float
    levels: int


class VerdictsView(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody of the queue: who can take it first, in order."""

    agents: list[VerdictView]


class ReplyBody(Body, frozen=True, kw_only=True):
    """Variables in double braces: customer_name, agent_name, order_no, ticket_no, queue_name, due_at."""

    scope: Literal["platform", "tenant", "own"] = "own"
    folder: Line = "general"
    shortcut: Word
    body: Annotated[str, Meta(min_length=1, max_length=1000)]


class ReplyView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    scope: str
    folder: str
    shortcut: str
    body: str
    version: int

    @classmethod
    def of(cls, reply: QuickReply) -> ReplyView:
        return cls(**{name: getattr(reply, name) for name in cls.__struct_fields__})
