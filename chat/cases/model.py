"""A case as a value: states, stages, whose it is, and when it is raised. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from storage.base.errors import Conflict

DESK = ("desk",)
"""Who hears of a case unless its line says otherwise: all of support."""

SELF_RESOLVED = "self_resolved"
"""Outcome of a case whose subject moved on by itself (HS-194)."""


class CaseState(StrEnum):
    """Whether anybody is on it."""

    OPEN = "open"
    TAKEN = "taken"
    CLOSED = "closed"


class Stage(StrEnum):
    """Who has been called, in rising order."""

    QUEUE = "queue"
    ALL = "all"
    LEAD = "lead"

    @property
    def rank(self) -> int:
        """0 for the queue."""
        return list(Stage).index(self)


class Priority(IntEnum):
    """A larger number is more urgent."""

    LOW = 1
    NORMAL = 3
    HIGH = 5
    TOP = 9


UNTOUCHED: tuple[tuple[Stage, timedelta], ...] = (
    (Stage.ALL, timedelta(minutes=5)),
    (Stage.LEAD, timedelta(minutes=15)),
)
"""Stage → how long after its opening a case nobody has taken is raised to it (HS-195)."""

TRANSITIONS: Mapping[tuple[CaseState, str], CaseState] = {
    (CaseState.OPEN, "take"): CaseState.TAKEN,
    (CaseState.OPEN, "raise"): CaseState.OPEN,
    (CaseState.TAKEN, "raise"): CaseState.TAKEN,
    (CaseState.OPEN, "transfer"): CaseState.TAKEN,
    (CaseState.TAKEN, "transfer"): CaseState.TAKEN,
    (CaseState.TAKEN, "release"): CaseState.OPEN,
    (CaseState.OPEN, "remark"): CaseState.OPEN,
    (CaseState.TAKEN, "remark"): CaseState.TAKEN,
    (CaseState.OPEN, "contact"): CaseState.OPEN,
    (CaseState.TAKEN, "contact"): CaseState.TAKEN,
    (CaseState.OPEN, "close"): CaseState.CLOSED,
    (CaseState.TAKEN, "close"): CaseState.CLOSED,
}
"""(state, verb) → state. What is not listed is refused. Each step is one more row of the case's history."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class CaseNotOpen(Conflict):
    """There is no open case of this kind."""

    code = "case_not_open"


class AlreadyTaken(Conflict):
    """Somebody else has taken this case."""

    code = "already_taken"


class CaseNotTaken(Conflict):
    """Nobody has taken this case."""

    code = "case_not_taken"


REFUSED: Mapping[CaseState, type[Conflict]] = {
    CaseState.OPEN: CaseNotTaken,
    CaseState.TAKEN: AlreadyTaken,
    CaseState.CLOSED: CaseNotOpen,
}
"""Why a verb does not fit a state."""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One thing that was done to a case; `n` is the version it made. Nobody did what happened by itself."""

    case_id: str
    n: int
    at: datetime
    actor: str | None
    verb: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """What a list of cases is limited to; None means any. `overdue_at`: not closed, and due before that.

    `party`: whose own cases. `[since, until)`: opened then.
    """

    states: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    subject_id: str | None = None
    line: str | None = None
    taken_by: str | None = None
    priority_min: int | None = None
    overdue_at: datetime | None = None
    party: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One question to a person. `due_at` is when an answer is needed; `note` is for staff only.

    `parties` may know how it stands (HS-196).
    """

    id: str
    type: str
    line: str
    subject_kind: str
    subject_id: str
    title: str
    state: CaseState
    stage: Stage
    priority: int
    audience: tuple[str, ...]
    due_at: datetime
    opened_at: datetime
    taken_by: str | None
    taken_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
    outcome: str | None
    note: str | None
    version: int
    parties: tuple[str, ...] = ()

    def after(self, verb: str) -> Case:
        """The case after this verb. Raises CaseNotOpen, CaseNotTaken, AlreadyTaken."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise REFUSED[self.state]
        return replace(self, state=state, version=self.version + 1)

    def check_holder(self, by: str, *, leads: bool = False) -> None:
        """One assignee at a time (HS-191): what somebody else is on is his, unless one leads.

        Raises AlreadyTaken, CaseNotOpen.
        """
        if self.state is CaseState.CLOSED:
            raise CaseNotOpen
        if self.state is CaseState.TAKEN and self.taken_by != by and not leads:
            raise AlreadyTaken

    def stage_due(self, now: datetime) -> Stage:
        """Who must have been called by now, if nobody took it."""
        due = [stage for stage, wait in UNTOUCHED if now >= self.opened_at + wait]
        return max([self.stage, *due], key=lambda stage: stage.rank)

    def next_raise_at(self) -> datetime | None:
        """When the case is raised next if nobody takes it; None when nobody is left to call."""
        ahead = (self.opened_at + wait for stage, wait in UNTOUCHED if stage.rank > self.stage.rank)
        return None if self.state is not CaseState.OPEN else next(ahead, None)
