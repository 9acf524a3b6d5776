"""What cases tell: all of it to the audience of each case, how it stands to its parties. Notes are never told."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import Any, ClassVar

from chat.cases.model import Case
from storage.base.facts import Fact


class CaseFact(Fact, frozen=True, kw_only=True):
    """What every fact about a case says: enough to show it in a queue. `due_at` is when an answer is needed."""

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
    taken_by: str | None
    outcome: str | None
    version: int


class CaseOpened(CaseFact, frozen=True, kw_only=True):
    """A line asks support something."""

    topic: ClassVar[str] = "case.opened"


class CaseTaken(CaseFact, frozen=True, kw_only=True):
    """Somebody of support is on it."""

    topic: ClassVar[str] = "case.taken"


class CaseReleased(CaseFact, frozen=True, kw_only=True):
    """Nobody is on it any more."""

    topic: ClassVar[str] = "case.released"


class CaseTransferred(CaseFact, frozen=True, kw_only=True):
    """It is in the hands of `taken_by` now; `by` has given it to him."""

    topic: ClassVar[str] = "case.transferred"

    by: str


class CaseRaised(CaseFact, frozen=True, kw_only=True):
    """More people are called: `stage` is `all` or `lead`."""

    topic: ClassVar[str] = "case.raised"


class CaseClosed(CaseFact, frozen=True, kw_only=True):
    """The case is settled; `closed_by` is None when its subject moved on by itself."""

    topic: ClassVar[str] = "case.closed"

    closed_by: str | None


class CaseProgressed(Fact, frozen=True, kw_only=True):
    """One's own case has moved: somebody is on it, or it is settled (HS-196)."""

    topic: ClassVar[str] = "case.progressed"

    case_id: str
    type: str
    subject_kind: str
    subject_id: str
    state: str
    outcome: str | None


def fact_of(kind: type[CaseFact], case: Case, **more: Any) -> CaseFact:  # noqa: ANN401 - the fields of `kind`
    """A fact of this kind with the case's own values, and what it says beside them."""
    return kind(**_own(kind, case, but=more), **more)


def progress_of(case: Case) -> CaseProgressed:
    """What its parties hear."""
    return CaseProgressed(**_own(CaseProgressed, case))


def _own(kind: type[Fact], case: Case, *, but: Container[str] = ()) -> dict[str, Any]:
    names = [name for name in kind.__struct_fields__ if name not in but]
    return {name: getattr(case, "id" if name == "case_id" else name) for name in names}
