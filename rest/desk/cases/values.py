"""What requests and answers about cases look like. Notes are for staff; the sides see how their own case stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chat.cases import Case, CaseEvent
from rest.desk.cases.sides import Code, DecisionParams, Moved, Option
from rest.edge.values import Body, Id, Line, Money, Note, PageQuery, Query

CaseStateName = Literal["open", "taken", "closed"]


class CaseQuery(PageQuery, frozen=True, kw_only=True):
    """Lists are comma-separated. `newest`: last opened first; `urgency`: highest priority first, then first due.

    `mine`: what the caller is on; `taken_by`: what a colleague is on. `overdue`: not closed, and late.
    """

    state: Annotated[list[CaseStateName], Meta(min_length=1, max_length=3)] | None = None
    type: Annotated[list[Code], Meta(min_length=1, max_length=20)] | None = None
    line: Code | None = None
    subject_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)] | None = None
    taken_by: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)] | None = None
    priority_min: Annotated[int, Meta(ge=1, le=9)] | None = None
    mine: bool = False
    overdue: bool = False
    sort: Literal["newest", "urgency"] = "newest"


class OwnCaseQuery(PageQuery, frozen=True, kw_only=True):
    """Last opened first."""

    state: Annotated[list[CaseStateName], Meta(min_length=1, max_length=3)] | None = None
    subject_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)] | None = None


class DecideQuery(Query, frozen=True, kw_only=True):
    """`dry_run`: only say what would be; nothing is done."""

    dry_run: bool = False


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A case as staff see it. `stage` says who has been called: queue, all, lead."""

    id: str
    type: str
    line: str
    subject_kind: str
    subject_id: str
    title: str
    state: CaseStateName
    stage: Literal["queue", "all", "lead"]
    priority: int
    due_at: datetime
    opened_at: datetime
    taken_by: str | None
    taken_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
    outcome: str | None
    note: str | None
    version: int

    @classmethod
    def of(cls, case: Case) -> CaseView:
        return cls(**{name: getattr(case, name) for name in cls.__struct_fields__})


class OptionView(msgspec.Struct, frozen=True, kw_only=True):
    """What may be decided now. `needs` must and `takes` may stand in `params`; a note is always needed.

    `moves_money`: try a dry run first.
    """

    outcome: str
    needs: Sequence[str]
    takes: Sequence[str]
    moves_money: bool

    @classmethod
    def of(cls, option: Option) -> OptionView:
        return cls(**{name: getattr(option, name) for name in cls.__struct_fields__})


class CaseDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A case with what the caller may decide in it as its order stands now."""

    case: CaseView
    allowed: list[OptionView]

    @classmethod
    def of(cls, case: Case, options: Sequence[Option]) -> CaseDetail:
        return cls(case=CaseView.of(case), allowed=[OptionView.of(option) for option in options])


class CaseStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done to a case. `by` null: it happened by itself."""

    n: int
    at: datetime
    by: str | None
    verb: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, event: CaseEvent) -> CaseStep:
        return cls(n=event.n, at=event.at, by=event.actor, verb=event.verb, data=event.data)


class OwnCase(msgspec.Struct, frozen=True, kw_only=True):
    """How one's own case stands (HS-196); nothing of what staff say among themselves."""

    id: str
    type: str
    line: str
    subject_kind: str
    subject_id: str
    state: CaseStateName
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None

    @classmethod
    def of(cls, case: Case) -> OwnCase:
        return cls(**{name: getattr(case, name) for name in cls.__struct_fields__})


class CaseOpening(Body, frozen=True, kw_only=True):
    """A case by hand, about an order of this line."""

    line: Code
    subject_id: Id
    note: Note


class CaseNote(Body, frozen=True, kw_only=True):
    note: Note


class CaseRelease(Body, frozen=True, kw_only=True):
    """Why, if there is something to say."""

    note: Note | None = None


class CaseTransfer(Body, frozen=True, kw_only=True):
    """To which colleague, by account, and what he should know."""

    to: Id
    note: Note


class CaseContact(Body, frozen=True, kw_only=True):
    """Whom to turn to, and how. `worker`: without the customer; `both`: the worker joins the customer's chat."""

    party: Literal["customer", "worker", "both"]
    way: Literal["chat", "call"] = "chat"


class CaseReached(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go on. `call`: `no_provider`: the wish is written down, and nobody is there who could put it through."""

    conversation_id: str | None
    call: Literal["no_provider"] | None


class CaseDecision(Body, frozen=True, kw_only=True):
    """What is decided, and why. `preview_hash`: the amounts that were looked at in a dry run."""

    outcome: Code
    note: Note
    params: DecisionParams = DecisionParams()
    preview_hash: Line | None = None


class MovedView(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision does to the order and to money. A worker's penalty below nothing is given back to him.

    `refund_asked` waits for finance; `house_pays` is what another worker's way costs more.
    """

    status_before: str
    status: str
    customer_refund: Money
    customer_penalty: Money
    worker_penalty: Money
    refund_asked: Money
    house_pays: Money
    preview_hash: str

    @classmethod
    def of(cls, case_id: str, outcome: str, moved: Moved) -> MovedView:
        return cls(
            status_before=moved.status_before,
            status=moved.status,
            customer_refund=Money(moved.customer_refund_fen),
            customer_penalty=Money(moved.customer_penalty_fen),
            worker_penalty=Money(moved.worker_penalty_fen),
            refund_asked=Money(moved.refund_asked_fen),
            house_pays=Money(moved.house_pays_fen),
            preview_hash=moved.hash(case_id, outcome),
        )


class CaseDecided(msgspec.Struct, frozen=True, kw_only=True):
    """The closed case and what was done; of a dry run the case is as it was."""

    case: CaseView
    moved: MovedView
