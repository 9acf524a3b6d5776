"""What cases tell, to the audience of each case. Notes of staff are never told."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from chat.cases.model import Case
from storage.base.facts import Fact


class CaseFact(Fact, frozen=True, kw_only=True):
    """What every fact about a case says. `due_at` is when an answer is needed."""

    case_id: str
    type: str
    line: str
    subject_kind: str
    subject_id: str
    title: str
    state: str
    stage: str
    priority: int
    due_at: datetime
    opened_at: datetime


class CaseOpened(CaseFact, frozen=True, kw_only=True):
    """A line asks support something."""

    topic: ClassVar[str] = "case.opened"


class CaseTaken(CaseFact, frozen=True, kw_only=True):
    """Somebody of support is on it."""

    topic: ClassVar[str] = "case.taken"

    taken_by: str | None


class CaseRaised(CaseFact, frozen=True, kw_only=True):
    """More people are called: `stage` is `all` or `lead`."""

    topic: ClassVar[str] = "case.raised"


class CaseClosed(CaseFact, frozen=True, kw_only=True):
    """The case is settled; `closed_by` is None when its subject moved on by itself."""

    topic: ClassVar[str] = "case.closed"

    outcome: str | None
    closed_by: str | None


def fact_of(kind: type[CaseFact], case: Case) -> CaseFact:
    """A fact of this kind with the case's own values."""
    return kind(**{name: getattr(case, "id" if name == "case_id" else name) for name in kind.__struct_fields__})
