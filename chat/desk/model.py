"""The desk as values: states of a thread and of an agent, order of the line, waiting times. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chat.conversations import Circle
from chat.desk.errors import AgentStateInvalid, ThreadState
from chat.desk.sla import Policy

FOREVER = timedelta(days=3650)

PRESENCE_LEASE_S = 15
"""How long a sign of life counts; the hub gives one every five seconds."""

LOST_S = 45
"""After the lease: how long a lost agent may come back before the chats are given to others (FR-134)."""

MISSES_MAX = 2
"""Offers an agent lets pass before he counts as away."""

DECLINE_S = 60
"""How long whoever declined or missed a thread is not asked for it again; after that better him than nobody."""

STICKY_DAYS = 7
EDIT_S = 600
ASK_AGAIN_S = 4 * 3600
"""Ten minutes to change a rating; and for how long a new question about the same is the old one, not answered after
all: longer than a visit, shorter than a night."""

AUTO_CLOSE_S = (3_600, 30 * 86_400)
REOPEN_DAYS = (0, 90)
"""What a queue may say of them (FR-149)."""


class Kind(StrEnum):
    """How a thread is looked at. The units are what it takes of an agent's cap."""

    CHAT = "chat"
    TICKET = "ticket"

    @property
    def units(self) -> int:
        return 4 if self is Kind.CHAT else 1


class State(StrEnum):
    """Whose turn it is: the line's, the one asked, ours, the customer's, nobody's."""

    QUEUED = "queued"
    OFFERED = "offered"
    OPEN = "open"
    PENDING = "pending"
    RESOLVED = "resolved"
    CLOSED = "closed"


SERVED = (State.OFFERED, State.OPEN, State.PENDING)
LIVE = (State.QUEUED, *SERVED)

TRANSITIONS: Mapping[tuple[State, str], State] = {
    (State.QUEUED, "hear"): State.QUEUED,
    (State.QUEUED, "move"): State.QUEUED,
    (State.QUEUED, "convert"): State.QUEUED,
    (State.QUEUED, "hand"): State.OFFERED,
    (State.QUEUED, "take"): State.OPEN,
    (State.QUEUED, "withdraw"): State.CLOSED,
    (State.OFFERED, "hear"): State.OFFERED,
    (State.OFFERED, "accept"): State.OPEN,
    (State.OFFERED, "return"): State.QUEUED,
    (State.OFFERED, "move"): State.QUEUED,
    (State.OFFERED, "convert"): State.OFFERED,
    (State.OFFERED, "hand"): State.OFFERED,
    (State.OFFERED, "take"): State.OPEN,
    (State.OFFERED, "withdraw"): State.CLOSED,
    (State.OPEN, "hear"): State.OPEN,
    (State.OPEN, "reply"): State.PENDING,
    (State.OPEN, "return"): State.QUEUED,
    (State.OPEN, "move"): State.QUEUED,
    (State.OPEN, "convert"): State.OPEN,
    (State.OPEN, "hand"): State.OFFERED,
    (State.OPEN, "take"): State.OPEN,
    (State.OPEN, "resolve"): State.RESOLVED,
    (State.OPEN, "withdraw"): State.CLOSED,
    (State.OPEN, "snooze"): State.OPEN,
    (State.OPEN, "wake"): State.OPEN,
    (State.PENDING, "hear"): State.OPEN,
    (State.PENDING, "reply"): State.PENDING,
    (State.PENDING, "return"): State.QUEUED,
    (State.PENDING, "move"): State.QUEUED,
    (State.PENDING, "convert"): State.PENDING,
    (State.PENDING, "hand"): State.OFFERED,
    (State.PENDING, "take"): State.OPEN,
    (State.PENDING, "resolve"): State.RESOLVED,
    (State.PENDING, "withdraw"): State.CLOSED,
    (State.PENDING, "snooze"): State.PENDING,
    (State.PENDING, "wake"): State.PENDING,
    (State.RESOLVED, "reopen"): State.QUEUED,
    (State.RESOLVED, "close"): State.CLOSED,
    (State.CLOSED, "reopen"): State.QUEUED,
}
"""(state, verb) → state. What is not listed is refused. Assignment from the line is `desk_assign` in SQL."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))

ASIDE = frozenset({"snooze", "reply", "convert"})
"""Verbs after which what was put aside stays so. Every other one brings it back, whoever's it is then."""


class Severity(StrEnum):
    """How bad it is. An emergency goes before everybody else."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    EMERGENCY = "emergency"


_STEP = {Severity.LOW: 0, Severity.NORMAL: 100, Severity.HIGH: 200, Severity.EMERGENCY: 900}
MEMBER_RANK = 50
"""What lines give paying members, who go before others of the same severity (RV-274, RV-355)."""


def priority_of(severity: Severity, rank: int) -> int:
    """Severity first, then the rank (0 … 99) the caller gives the customer."""
    return _STEP[severity] + rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The desk's side of one conversation. `queued_at` stays when it is given back: nobody queues twice.

    `circle`: those its queue keeps it to, as of when it was read; None: the whole desk.
    """

    conversation_id: str
    kind: Kind
    state: State
    tenant_id: str | None
    customer_id: str
    audience: tuple[str, ...]
    subject_kind: str | None
    subject_id: str | None
    number: str | None
    category: str
    severity: Severity
    rank: int
    priority: int
    queue_id: str
    required_skills: tuple[str, ...]
    optional_skills: tuple[str, ...]
    preferred_agent_id: str | None
    declined_by: tuple[str, ...]
    declined_until: datetime | None
    units: int
    epoch: int
    assignee_id: str | None
    closure_no: int
    resolution: str | None
    opened_at: datetime
    queued_at: datetime
    state_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    version: int
    former_id: str | None = None
    snoozed_until: datetime | None = None
    circle: Circle | None = None

    def after(self, verb: str, now: datetime) -> Thread:
        """The thread after this verb; served states keep their assignee, others lose him. Raises ThreadState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise ThreadState(state=self.state.value)
        return replace(
            self,
            state=state,
            state_at=now if state is not self.state else self.state_at,
            assignee_id=self.assignee_id if state in SERVED else None,
            closed_at=now if state is State.CLOSED else None,
            snoozed_until=self.snoozed_until if verb in ASIDE else None,
            version=self.version + 1,
        )

    @property
    def scope(self) -> str:
        """Whose desk it is: '' for the platform's."""
        return self.tenant_id or ""

    def admits(self, agent_id: str) -> bool:
        """Whether its queue lets this agent see it, his role apart."""
        return self.circle is None or agent_id in self.circle


def is_same_matter(thread: Thread, category: str, now: datetime) -> bool:
    """Whether a question of this category is a thread's own that was answered only a short while ago."""
    is_recent = thread.resolved_at is not None and now - thread.resolved_at <= timedelta(seconds=ASK_AGAIN_S)
    return is_recent and thread.category == category


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One agent asked, and perhaps serving. `accepted_at` is None while it is an offer."""

    id: str
    conversation_id: str
    queue_id: str
    agent_id: str
    epoch: int
    units: int
    is_over_cap: bool
    reason: str
    queued_at: datetime
    offered_at: datetime
    expires_at: datetime | None
    accepted_at: datetime | None
    replies: int
    ended_at: datetime | None
    end_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A line and its rules. `relax_s`: how long optional skills are waited for.

    `members_only`: of its house only its members, and who leads, see and do what is in it (EB-070). `auto_close_s`: how
    long what is resolved waits for its rating (FR-123), `reopen_days`: how long it may be opened again (FR-122).
    `greeting`, `closed_notice`: what it says by itself in and out of hours, by language tag; {}: nothing (FR-149).
    """

    id: str
    tenant_id: str | None
    name: str
    is_active: bool = True
    calendar_id: str | None = None
    strategy: str = "balanced"
    accept_s: int = 25
    reply_s: int = 180
    relax_s: int = 60
    offer_ticket_s: int = 120
    idle_warn_s: int = 600
    idle_close_s: int = 900
    overflow_queue_id: str | None = None
    overflow_s: int = 60
    sla: Policy = field(default_factory=Policy)
    members_only: bool = False
    auto_close_s: int = 72 * 3600
    reopen_days: int = 7
    greeting: Mapping[str, str] = field(default_factory=dict)
    closed_notice: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


class AgentState(StrEnum):
    """What an agent says of himself; whether he is there is a lease, whether on duty a shift."""

    ONLINE = "online"
    BUSY = "busy"
    AWAY = "away"
    OFFLINE = "offline"


AGENT_TRANSITIONS: Mapping[tuple[AgentState, str], AgentState] = {
    **{(state, "online"): AgentState.ONLINE for state in AgentState},
    **{(state, "busy"): AgentState.BUSY for state in AgentState},
    **{(state, "away"): AgentState.AWAY for state in AgentState if state is not AgentState.OFFLINE},
    **{(state, "offline"): AgentState.OFFLINE for state in AgentState},
    (AgentState.ONLINE, "miss"): AgentState.AWAY,
    (AgentState.BUSY, "miss"): AgentState.AWAY,
    (AgentState.AWAY, "miss"): AgentState.AWAY,
    (AgentState.OFFLINE, "miss"): AgentState.OFFLINE,
}
"""(state, verb) → state; `miss` is the second offer let pass."""


def agent_after(state: AgentState, verb: str) -> AgentState:
    """Raises AgentStateInvalid."""
    found = AGENT_TRANSITIONS.get((state, verb))
    if found is None:
        raise AgentStateInvalid(state=state.value)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who answers. `cap` and `load` are units: four a chat, one a ticket; `over_units` was taken beyond the cap."""

    id: str
    unit_no: int
    tenant_id: str | None
    name: str
    is_supervisor: bool
    calendar_id: str | None
    version: int
    cap: int
    load: int
    over_units: int
    state: AgentState
    present_until: datetime
    duty_from: datetime
    duty_until: datetime
    misses: int
    last_assigned_at: datetime | None

    def is_present(self, now: datetime) -> bool:
        return now < self.present_until

    def is_on_duty(self, now: datetime) -> bool:
        return self.duty_from <= now < self.duty_until

    def is_ready(self, now: datetime) -> bool:
        """As `desk_is_ready` in SQL."""
        return self.state is AgentState.ONLINE and self.is_present(now) and self.is_on_duty(now)


@dataclass(frozen=True, slots=True)
class Expected:
    """How long it will take still, from `samples` of the recent past that waited at least as long."""

    p50_s: int | None
    p90_s: int | None
    samples: int


SAMPLES_MIN = 5


def expected_wait(recent_s: Sequence[float], waited_s: float) -> Expected:
    """Of those who waited as long as this one has: when half, and nine of ten, had been answered.

    Nothing is said from fewer than SAMPLES_MIN of them. Nearest-rank percentiles.
    """
    rest = sorted(wait - waited_s for wait in recent_s if wait >= waited_s)
    if len(rest) < SAMPLES_MIN:
        return Expected(None, None, len(rest))
    return Expected(round(percentile(rest, 50)), round(percentile(rest, 90)), len(rest))


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Nearest rank: the smallest value with at least `percent` of all at or below it."""
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]
