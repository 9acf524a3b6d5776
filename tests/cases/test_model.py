"""Cases as values: every verb in every state, and when a case is raised."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chat.cases import AlreadyTaken, Case, CaseNotOpen, CaseNotTaken, CaseState, Stage
from chat.cases.model import TRANSITIONS, VERBS
from tests.conftest import MONDAY


def a_case(state: CaseState = CaseState.OPEN, stage: Stage = Stage.QUEUE) -> Case:
    return Case(
        id="cas_1", type="no_grab", line="homeservice", subject_kind="order", subject_id="ord_1", title="?",
        state=state, stage=stage, priority=3, audience=("desk",), due_at=MONDAY, opened_at=MONDAY,
        taken_by=None, taken_at=None, closed_by=None, closed_at=None, outcome=None, note=None, version=4,
    )  # fmt: skip


def minutes(count: float) -> datetime:
    return MONDAY + timedelta(minutes=count)


REFUSED = {CaseState.OPEN: CaseNotTaken, CaseState.TAKEN: AlreadyTaken, CaseState.CLOSED: CaseNotOpen}


@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_every_state(state: CaseState, verb: str) -> None:
    case = a_case(state)
    expected = TRANSITIONS.get((state, verb))
    if expected is None:
        with pytest.raises(REFUSED[state]):
            case.after(verb)
        return
    assert case.after(verb) == replace(case, state=expected, version=5)


@pytest.mark.parametrize(
    ("state", "by", "leads", "refusal"),
    [
        (CaseState.OPEN, "acc_tom", False, None),
        (CaseState.TAKEN, "acc_sue", False, None),
        (CaseState.TAKEN, "acc_tom", False, AlreadyTaken),
        (CaseState.TAKEN, "acc_tom", True, None),
        (CaseState.CLOSED, "acc_sue", True, CaseNotOpen),
    ],
)
def test_who_may_do_something_to_a_case(
    state: CaseState, by: str, leads: bool, refusal: type[Exception] | None
) -> None:
    """HS-191."""
    case = replace(a_case(state), taken_by=None if state is CaseState.OPEN else "acc_sue")
    if refusal is None:
        case.check_holder(by, leads=leads)
        return
    with pytest.raises(refusal):
        case.check_holder(by, leads=leads)


def test_closed_is_the_end() -> None:
    assert not any(state is CaseState.CLOSED for state, _ in TRANSITIONS)


@pytest.mark.parametrize(
    ("stage", "after_min", "due"),
    [
        (Stage.QUEUE, 0, Stage.QUEUE),
        (Stage.QUEUE, 4.999, Stage.QUEUE),
        (Stage.QUEUE, 5, Stage.ALL),
        (Stage.ALL, 14.999, Stage.ALL),
        (Stage.QUEUE, 15, Stage.LEAD),
        (Stage.ALL, 15, Stage.LEAD),
        (Stage.LEAD, 0, Stage.LEAD),
        (Stage.LEAD, 6, Stage.LEAD),
    ],
)
def test_the_stage_due_by_age(stage: Stage, after_min: float, due: Stage) -> None:
    assert a_case(stage=stage).stage_due(minutes(after_min)) is due


@pytest.mark.parametrize(
    ("state", "stage", "at"),
    [
        (CaseState.OPEN, Stage.QUEUE, minutes(5)),
        (CaseState.OPEN, Stage.ALL, minutes(15)),
        (CaseState.OPEN, Stage.LEAD, None),
        (CaseState.TAKEN, Stage.QUEUE, None),
        (CaseState.CLOSED, Stage.QUEUE, None),
    ],
)
def test_when_it_is_raised_next(state: CaseState, stage: Stage, at: datetime | None) -> None:
    assert a_case(state, stage).next_raise_at() == at
