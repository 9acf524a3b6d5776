"""Verbs of cases. Lock order: the subject's own rows (held by the line) → cases by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chat.cases import store
from chat.cases.facts import CaseClosed, CaseFact, CaseOpened, CaseRaised, CaseTaken, fact_of
from chat.cases.model import (
    DESK,
    SELF_RESOLVED,
    AlreadyTaken,
    Case,
    CaseFilter,
    CaseNotOpen,
    CaseState,
    Priority,
    Stage,
)
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx

UNTOUCHED_KIND = "case.untouched"


async def open_case(
    tx: Tx,
    *,
    type: str,  # noqa: A002 - the word of the table, the wire and the spec
    line: str,
    subject_kind: str,
    subject_id: str,
    due_at: datetime,
    title: str,
    priority: int = Priority.NORMAL,
    stage: Stage = Stage.QUEUE,
    audience: Sequence[str] = DESK,
) -> Case:
    """Ask support: a new case, or the one already open for this subject and type, untouched (HS-190).

    Tells   case.opened, when it is new.
    Raises  RetryTx when that other case was closed at this very moment.
    """
    case = Case(
        id=tx.new_id("cas"),
        type=type,
        line=line,
        subject_kind=subject_kind,
        subject_id=subject_id,
        title=title,
        state=CaseState.OPEN,
        stage=stage,
        priority=priority,
        audience=tuple(audience),
        due_at=due_at,
        opened_at=tx.now,
        taken_by=None,
        taken_at=None,
        closed_by=None,
        closed_at=None,
        outcome=None,
        note=None,
        version=1,
    )
    if not await store.insert(tx, case):
        return await _the_open_one(tx, subject_kind, subject_id, type)
    watch(tx, case)
    _tell(tx, CaseOpened, case)
    return case


async def raise_case(
    tx: Tx,
    *,
    subject_kind: str,
    subject_id: str,
    type: str,  # noqa: A002 - see open_case
    stage: Stage,
) -> Case | None:
    """Call more people than have been called; None when the subject has no open case of this type.

    A stage already reached changes nothing and tells nothing. Tells case.raised.
    """
    found = await store.lock_open(tx, subject_kind, subject_id, [type])
    return await raise_to(tx, found[0], stage) if found else None


async def raise_to(tx: Tx, case: Case, stage: Stage) -> Case:
    """Raise a locked case; never lowers."""
    if stage.rank <= case.stage.rank:
        return case
    raised = replace(case.after("raise"), stage=stage)
    await store.save(tx, raised)
    watch(tx, raised)
    _tell(tx, CaseRaised, raised)
    return raised


async def take_case(tx: Tx, case_id: str, by: str) -> Case:
    """Make `by` the one assignee; taking one's own case again changes nothing (HS-191). Tells case.taken.

    Raises NotFound, AlreadyTaken, CaseNotOpen.
    """
    case = await store.lock(tx, case_id)
    if case is None:
        raise NotFound
    if case.state is CaseState.TAKEN:
        if case.taken_by != by:
            raise AlreadyTaken
        return case
    taken = replace(case.after("take"), taken_by=by, taken_at=tx.now)
    await store.save(tx, taken)
    watch(tx, taken)
    _tell(tx, CaseTaken, taken)
    return taken


async def close_case(
    tx: Tx,
    *,
    subject_kind: str,
    subject_id: str,
    type: str,  # noqa: A002 - see open_case
    outcome: str,
    by: str,
    note: str | None = None,
) -> Case:
    """Close the subject's open case of this type with somebody's decision (HS-192). Tells case.closed.

    Whether the outcome is allowed is the line's to know. Raises CaseNotOpen.
    """
    found = await store.lock_open(tx, subject_kind, subject_id, [type])
    if not found:
        raise CaseNotOpen
    return await _close(tx, found[0], outcome, by=by, note=note)


async def resolve_cases(
    tx: Tx,
    subject_kind: str,
    subject_id: str,
    types: Sequence[str] | None = None,
    outcome: str = SELF_RESOLVED,
) -> list[Case]:
    """Close the subject's open cases of these types (None: of all), because it moved on by itself (HS-194).

    Nothing open is nothing to do. Tells case.closed for each.
    """
    found = await store.lock_open(tx, subject_kind, subject_id, types)
    return [await _close(tx, case, outcome, by=None, note=None) for case in found]


async def find_case(tx: Tx, case_id: str) -> Case:
    """Raises NotFound."""
    case = await store.find(tx, case_id)
    if case is None:
        raise NotFound
    return case


async def newest_cases(tx: Tx, wanted: CaseFilter, *, before: str | None = None, limit: int = 20) -> list[Case]:
    """Last opened first, opened before the case with the id `before`."""
    return await store.newest(tx, wanted, before=before, limit=limit)


async def urgent_cases(
    tx: Tx, wanted: CaseFilter, *, after: tuple[int, datetime, str] | None = None, limit: int = 20
) -> list[Case]:
    """The queue: highest priority first, then what is due first; after this (priority, due_at, id)."""
    return await store.most_urgent(tx, wanted, after=after, limit=limit)


def watch(tx: Tx, case: Case) -> None:
    """Keep the one deadline of a case as its state says."""
    key = f"case:{case.id}:untouched"
    due_at = case.next_raise_at()
    if due_at is None:
        tx.unschedule(key)
    else:
        tx.schedule(UNTOUCHED_KIND, key, due_at, {"case_id": case.id})


async def _the_open_one(tx: Tx, subject_kind: str, subject_id: str, kind: str) -> Case:
    found = await store.lock_open(tx, subject_kind, subject_id, [kind])
    if not found:
        raise RetryTx
    return found[0]


async def _close(tx: Tx, case: Case, outcome: str, *, by: str | None, note: str | None) -> Case:
    closed = replace(case.after("close"), outcome=outcome, note=note, closed_by=by, closed_at=tx.now)
    await store.save(tx, closed)
    watch(tx, closed)
    _tell(tx, CaseClosed, closed)
    return closed


def _tell(tx: Tx, kind: type[CaseFact], case: Case) -> None:
    tx.tell(fact_of(kind, case), to=case.audience)
