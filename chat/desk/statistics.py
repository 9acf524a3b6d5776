"""What the desk did, twice: counted from its rows, and folded from the log of what happened. Pure.

The log is the definition; the rows are how it is read fast. A test runs a desk for long and compares the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chat.desk.model import percentile

AUTOMATIC = ("known", "balanced", "round_robin")
"""Why somebody was given a thread by the line, not by a person: only these waits are the line's."""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the log."""

    at: datetime
    conversation_id: str
    verb: str
    agent_id: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """(metric, agent or '') → how many; how long people waited, in order; the scores given, by 1 … 5."""

    counts: Mapping[tuple[str, str], int]
    waits_s: tuple[float, ...]
    scores: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Summary:
    """A period in numbers. A mean never comes without how many it is of."""

    counts: Mapping[str, int]
    by_agent: Mapping[str, Mapping[str, int]]
    wait_p50_s: int | None
    wait_p90_s: int | None
    waited: int
    score_mean_milli: int | None
    rated: int
    asked: int


@dataclass(slots=True)
class _Fold:
    since: datetime
    until: datetime
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)
    queued_at: dict[str, datetime] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    scores: dict[str, tuple[datetime, int]] = field(default_factory=dict)

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until

    def count(self, at: datetime, metric: str, agent_id: str | None = None) -> None:
        if self.holds(at):
            self.counts[(metric, agent_id or "")] += 1

    def accepted(self, event: Event) -> None:
        self.count(event.at, "accepted", event.agent_id)
        if self.holds(event.at) and self.reasons[event.conversation_id] in AUTOMATIC:
            self.waits_s.append((event.at - self.queued_at[event.conversation_id]).total_seconds())


def fold(events: Iterable[Event], since: datetime, until: datetime) -> Counts:
    """The counts of `[since, until)` from the whole log, in its order."""
    folded = _Fold(since, until)
    for event in events:
        _add(folded, event)
    scores = Counter(score for at, score in folded.scores.values() if folded.holds(at))
    return Counts(dict(folded.counts), tuple(sorted(folded.waits_s)), dict(scores))


def _add(folded: _Fold, event: Event) -> None:
    verb, reason = event.verb, event.detail.get("reason")
    if verb in ("submit", "reopen"):
        folded.queued_at[event.conversation_id] = event.at
        if verb == "submit":
            folded.count(event.at, "submitted")
    elif verb in ("offer", "assign"):
        folded.reasons[event.conversation_id] = str(reason)
        folded.count(event.at, "offered", event.agent_id)
        if verb == "assign":
            folded.accepted(event)
    elif verb == "accept":
        folded.accepted(event)
    elif verb == "breach":
        folded.count(datetime.fromisoformat(event.detail["due_at"]), "breached")
    elif verb == "rate":
        at, _ = folded.scores.get(event.detail["rating_id"], (event.at, 0))
        folded.scores[event.detail["rating_id"]] = (at, event.detail["score"])
    _add_end(folded, event)


def _add_end(folded: _Fold, event: Event) -> None:
    """Of verbs that end somebody's assignment, by what reason."""
    reason = {"resolve": "resolved", "withdraw": "withdrawn"}.get(event.verb, str(event.detail.get("reason")))
    if event.verb == "resolve":
        folded.count(event.at, "asked")
    if event.verb in ("return", "move", "hand", "take", "resolve", "withdraw") and event.agent_id is not None:
        folded.count(event.at, f"ended_{reason}", event.agent_id)


def summary_of(counted: Counts) -> Summary:
    """The same numbers as people read them."""
    totals: Counter[str] = Counter()
    by_agent: dict[str, dict[str, int]] = {}
    for (metric, agent_id), count in counted.counts.items():
        totals[metric] += count
        if agent_id:
            by_agent.setdefault(agent_id, {})[metric] = count
    rated = sum(counted.scores.values())
    mean = 1000 * sum(score * count for score, count in counted.scores.items()) // rated if rated else None
    waits = counted.waits_s
    return Summary(
        dict(totals),
        by_agent,
        round(percentile(waits, 50)) if waits else None,
        round(percentile(waits, 90)) if waits else None,
        len(waits),
        mean,
        rated,
        totals["asked"],
    )
