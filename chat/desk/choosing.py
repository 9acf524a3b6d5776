"""Who would get a thread, and why not each of the others. Pure: the same rules as `desk_next` in SQL, in words.

The function in the database decides; this one explains, and tests compare the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chat.desk.model import Agent, AgentState, Queue

STICKY_WAIT = timedelta(seconds=60)
_LONG_AGO = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What of a thread matters here. `known_agent_id`: named by its rule, or who served this customer last."""

    units: int
    queued_at: datetime
    required_skills: tuple[str, ...] = ()
    optional_skills: tuple[str, ...] = ()
    declined_by: tuple[str, ...] = ()
    declined_until: datetime | None = None
    known_agent_id: str | None = None

    def wanted(self, queue: Queue, now: datetime) -> tuple[str, ...]:
        """Optional skills count only for a while."""
        is_patient = now < self.queued_at + timedelta(seconds=queue.relax_s)
        return self.required_skills + (self.optional_skills if is_patient else ())


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent, whether he works in the queue, and his skills by level."""

    agent: Agent
    is_member: bool
    skills: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`place` is 1 for whoever would get it; None when `why_not` says something."""

    agent_id: str
    name: str
    place: int | None
    why_not: tuple[str, ...]
    is_known: bool
    load_share: float
    levels: int


def judge(waiting: Waiting, queue: Queue, candidates: Sequence[Candidate], now: datetime) -> list[Verdict]:
    """Everybody, those who can take it first and in order, the others by id."""
    wanted = waiting.wanted(queue, now)
    able = sorted(
        (one for one in candidates if not why_not(waiting, queue, one, now)),
        key=lambda one: _order(waiting, queue, one, wanted, now),
    )
    places = {one.agent.id: place for place, one in enumerate(able, 1)}
    rest = sorted((one for one in candidates if one.agent.id not in places), key=lambda one: one.agent.id)
    return [
        Verdict(
            one.agent.id,
            one.agent.name,
            places.get(one.agent.id),
            tuple(why_not(waiting, queue, one, now)),
            _is_known(waiting, one, now),
            one.agent.load / one.agent.cap,
            _levels(one, wanted),
        )
        for one in [*able, *rest]
    ]


def why_not(waiting: Waiting, queue: Queue, one: Candidate, now: datetime) -> list[str]:
    """Every reason, not only the first: whoever reads it wants to know what would have to change."""
    agent = one.agent
    has_declined = agent.id in waiting.declined_by and waiting.declined_until is not None
    reasons = {
        "queue_off": not queue.is_active,
        "not_in_queue": not one.is_member,
        f"state_{agent.state.value}": agent.state is not AgentState.ONLINE,
        "not_present": not agent.is_present(now),
        "off_duty": not agent.is_on_duty(now),
        "no_room": agent.load + waiting.units > agent.cap,
        "declined": has_declined and waiting.declined_until is not None and now < waiting.declined_until,
    }
    missing = [f"lacks_{skill}" for skill in waiting.wanted(queue, now) if skill not in one.skills]
    return [*(name for name, holds in reasons.items() if holds), *missing]


def _order(
    waiting: Waiting, queue: Queue, one: Candidate, wanted: Sequence[str], now: datetime
) -> tuple[bool, float, int, float, str]:
    agent = one.agent
    is_balanced = queue.strategy == "balanced"
    last = agent.last_assigned_at
    return (
        not _is_known(waiting, one, now),
        agent.load / agent.cap if is_balanced else 0,
        -_levels(one, wanted) if is_balanced else 0,
        _LONG_AGO if last is None else last.timestamp(),
        agent.id,
    )


def _is_known(waiting: Waiting, one: Candidate, now: datetime) -> bool:
    return one.agent.id == waiting.known_agent_id and now <= waiting.queued_at + STICKY_WAIT


def _levels(one: Candidate, wanted: Sequence[str]) -> int:
    return sum(one.skills.get(skill, 0) for skill in wanted)
