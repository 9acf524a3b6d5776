"""Verbs of cases. Lock order: the subject's own rows (held by the line) → cases by id.

Every step is a row of the case's history, written in the same statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chat.cases import store
from chat.cases.facts import (
    CaseClosed,
    CaseFact,
    CaseOpened,
    CaseRaised,
    CaseReleased,
    CaseTaken,
    CaseTransferred,
    fact_of,
    progress_of,
)
from chat.cases.model import (
    DESK,
    SELF_RESOLVED,
    Case,
    CaseEvent,
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
    parties: Sequence[str] = (),
    by: str | None = None,
    note: str | None = None,
) -> Case:
    """Ask support: a new case, or the one already open for this subject and type, untouched (HS-190).

    `parties`: who may read how it stands (HS-196). `by`: who has opened it by hand, and with what remark (HS-197).
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
        parties=tuple(parties),
    )
    if not await store.insert(tx, case, actor=by, data={"note": note} if note else {}):
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
    return await _step(tx, raised, "raise", CaseRaised, actor=None, stage=stage.value)


async def take_case(tx: Tx, case_id: str, by: str) -> Case:
    """Make `by` the one assignee; taking one's own case again changes nothing (HS-191). Tells case.taken.

    Raises NotFound, AlreadyTaken, CaseNotOpen.
    """
    case = await _lock(tx, case_id)
    case.check_holder(by)
    if case.state is CaseState.TAKEN:
        return case
    return await _step(tx, _held(tx, case.after("take"), by), "take", CaseTaken, actor=by)


async def release_case(tx: Tx, case_id: str, by: str, *, leads: bool = False, note: str | None = None) -> Case:
    """Nobody is on it any more; it is raised as if nobody ever had been. Tells case.released.

    Raises NotFound, AlreadyTaken (of somebody else's, unless one leads), CaseNotOpen, CaseNotTaken.
    """
    case = await _lock(tx, case_id)
    case.check_holder(by, leads=leads)
    loose = replace(case.after("release"), taken_by=None, taken_at=None)
    return await _step(tx, loose, "release", CaseReleased, actor=by, note=note, was=case.taken_by)


async def transfer_case(tx: Tx, case_id: str, by: str, to: str, *, note: str, leads: bool = False) -> Case:
    """Put it into a colleague's hands, who is the one assignee from now on (HS-191). Tells case.transferred.

    Whether he may work cases is the caller's to know. To who has it already nothing changes. Raises NotFound,
    AlreadyTaken (somebody else's, unless one leads), CaseNotOpen.
    """
    case = await _lock(tx, case_id)
    case.check_holder(by, leads=leads)
    if case.taken_by == to:
        return case
    given = _held(tx, case.after("transfer"), to)
    await _save(tx, given, "transfer", actor=by, note=note, was=case.taken_by, to=to)
    tx.tell(fact_of(CaseTransferred, given, by=by), to=given.audience)
    _tell_parties(tx, given)
    return given


async def remark(tx: Tx, case_id: str, by: str, note: str) -> Case:
    """Write something down for colleagues. Raises NotFound, CaseNotOpen."""
    return await _save(tx, (await _lock(tx, case_id)).after("remark"), "remark", actor=by, note=note)


async def log_contact(tx: Tx, case_id: str, by: str, *, party: str, way: str, conversation_id: str | None) -> Case:
    """Write down that support turns to one of the sides (HS-193). Raises NotFound, CaseNotOpen."""
    reached = (await _lock(tx, case_id)).after("contact")
    return await _save(tx, reached, "contact", actor=by, party=party, way=way, conversation_id=conversation_id)


async def close_case(
    tx: Tx,
    *,
    subject_kind: str,
    subject_id: str,
    types: Sequence[str],
    outcome: str,
    by: str,
    note: str | None = None,
    case_id: str | None = None,
) -> list[Case]:
    """Close the subject's open cases of these types with somebody's decision (HS-192). Tells case.closed for each.

    `case_id`: one of the subject's that has to be among them, whatever its type. Whether the outcome is allowed is the
    line's to know. Raises CaseNotOpen.
    """
    found = await store.lock_open(tx, subject_kind, subject_id, None)
    settled = [case for case in found if case.id == case_id or case.type in types]
    if not settled or (case_id is not None and case_id not in {case.id for case in settled}):
        raise CaseNotOpen
    return [await _close(tx, case, outcome, by=by, note=note) for case in settled]


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


async def history_of(tx: Tx, case_id: str, *, after_n: int = 0, limit: int = 100) -> list[CaseEvent]:
    """What was done to a case, oldest first."""
    return await store.events(tx, case_id, after_n=after_n, limit=limit)


async def last_contact(tx: Tx, case: Case, party: str) -> str | None:
    """The conversation in which support last turned to this side about the case's subject."""
    return await store.last_contact(tx, case.subject_kind, case.subject_id, party)


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


def _held(tx: Tx, case: Case, by: str) -> Case:
    return replace(case, taken_by=by, taken_at=tx.now)


async def _lock(tx: Tx, case_id: str) -> Case:
    case = await store.lock(tx, case_id)
    if case is None:
        raise NotFound
    return case


async def _the_open_one(tx: Tx, subject_kind: str, subject_id: str, kind: str) -> Case:
    found = await store.lock_open(tx, subject_kind, subject_id, [kind])
    if not found:
        raise RetryTx
    return found[0]


async def _close(tx: Tx, case: Case, outcome: str, *, by: str | None, note: str | None) -> Case:
    closed = replace(case.after("close"), outcome=outcome, note=note, closed_by=by, closed_at=tx.now)
    return await _step(tx, closed, "close", CaseClosed, actor=by, outcome=outcome, note=note)


async def _step(tx: Tx, case: Case, verb: str, kind: type[CaseFact], *, actor: str | None, **data: Any) -> Case:  # noqa: ANN401 - of a history
    """Write a step, tell it, and keep the deadline."""
    await _save(tx, case, verb, actor=actor, **data)
    _tell(tx, kind, case)
    return case


async def _save(tx: Tx, case: Case, verb: str, *, actor: str | None, **data: Any) -> Case:  # noqa: ANN401 - of a history
    said = {name: value for name, value in data.items() if value is not None}
    await store.save(tx, case, verb, actor=actor, data=said)
    watch(tx, case)
    return case


def _tell(tx: Tx, kind: type[CaseFact], case: Case) -> None:
    tx.tell(fact_of(kind, case), to=case.audience)
    if kind is not CaseRaised:
        _tell_parties(tx, case)


def _tell_parties(tx: Tx, case: Case) -> None:
    if case.parties:
        tx.tell(progress_of(case), to=case.parties)
