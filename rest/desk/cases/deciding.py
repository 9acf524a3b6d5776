"""Deciding a case: what may be decided, the decision, and its preview. The line does it; here stands who may."""

from __future__ import annotations

from chat import cases
from chat.cases import Case, CaseNotOpen, CaseState
from rest.desk.cases.sides import CaseSide, Moved, Option, OutcomeNotAllowed, Sides, Word
from rest.edge.values import Money
from rest.money.refunds import PreviewChanged
from storage.tx import Tx

LEADS = frozenset({"supervisor", "admin"})
"""Who may decide, hand on or release what somebody else is on."""


class Undone(Exception):
    """A preview has seen what would be: nothing of it stays."""

    def __init__(self, moved: Moved) -> None:
        super().__init__()
        self.moved = moved


def leads(roles: frozenset[str]) -> bool:
    return not roles.isdisjoint(LEADS)


async def options(tx: Tx, sides: Sides, case: Case, roles: frozenset[str]) -> list[Option]:
    """What these people may decide in this case now; nothing once it is closed, or of a line nobody speaks for."""
    side = sides.get(case.line)
    return [] if case.state is CaseState.CLOSED or side is None else await side.options(tx, case, roles)


async def decide(tx: Tx, sides: Sides, case_id: str, word: Word, *, shown: str | None = None) -> tuple[Case, Moved]:
    """Do what was decided and close the case, or nothing (HS-192). `shown` names the preview that was looked at.

    The case is read before its subject is locked, so who is on it is looked at again when it is closed: whoever took
    it in between keeps it. Raises NotFound, CaseNotOpen, AlreadyTaken, OutcomeNotAllowed, PreviewChanged, and what the
    line refuses with.
    """
    case = await cases.find_case(tx, case_id)
    case.check_holder(word.by, leads=leads(word.roles))
    moved = await _side(sides, case).decide(tx, case, word)
    closed = await cases.find_case(tx, case_id)
    if (closed.state, closed.closed_by, closed.outcome) != (CaseState.CLOSED, word.by, word.outcome):
        raise CaseNotOpen
    if closed.taken_by is not None and closed.taken_by != word.by and not leads(word.roles):
        raise cases.AlreadyTaken
    name = moved.hash(case_id, word.outcome)
    if shown is not None and shown != name:
        amounts = {
            "customer_refund": Money(moved.customer_refund_fen),
            "customer_penalty": Money(moved.customer_penalty_fen),
            "worker_penalty": Money(moved.worker_penalty_fen),
        }
        raise PreviewChanged(preview={**amounts, "preview_hash": name})
    return closed, moved


async def preview(tx: Tx, sides: Sides, case_id: str, word: Word) -> None:
    """Do it all the same, and undo it: always raises. Raises Undone, and whatever deciding raises."""
    _, moved = await decide(tx, sides, case_id, word)
    raise Undone(moved)


def _side(sides: Sides, case: Case) -> CaseSide:
    side = sides.get(case.line)
    if side is None:
        raise OutcomeNotAllowed(allowed=[])
    return side
