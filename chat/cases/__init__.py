"""Cases: what a business line cannot decide by itself and asks a person (HS-190 … HS-195).

Tables    cases
States    open → taken → closed; open → closed
Stages    queue → all (untouched 5 min) → lead (untouched 15 min); a line may raise sooner
Calls     nothing below but storage
Tells     case.opened  case.taken  case.raised  case.closed, to the case's audience (`desk`)
Deadlines case.untouched (one row per open case, gone when it is taken or closed)
Promises  one open case per subject and type; whoever opens it again gets that one

Allowed outcomes and what they do belong to the line that opened the case: it calls `close_case` in the transaction
of its decision, and `resolve_cases` when the subject moved on by itself.
"""

from chat.cases.actions import (
    close_case,
    find_case,
    newest_cases,
    open_case,
    raise_case,
    resolve_cases,
    take_case,
    urgent_cases,
)
from chat.cases.deadlines import DEADLINES
from chat.cases.model import AlreadyTaken, Case, CaseFilter, CaseNotOpen, CaseState, Priority, Stage

__all__ = [
    "DEADLINES",
    "AlreadyTaken",
    "Case",
    "CaseFilter",
    "CaseNotOpen",
    "CaseState",
    "Priority",
    "Stage",
    "close_case",
    "find_case",
    "newest_cases",
    "open_case",
    "raise_case",
    "resolve_cases",
    "take_case",
    "urgent_cases",
]
