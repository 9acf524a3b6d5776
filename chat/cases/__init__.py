"""Cases: what a business line cannot decide by itself and asks a person (HS-190 … HS-197).

Tables    cases, case_events (its history: one row for each version, never changed)
States    open ⇄ taken → closed; open → closed
Stages    queue → all (untouched 5 min) → lead (untouched 15 min); a line may raise sooner
Calls     nothing below but storage
Tells     case.opened .taken .released .transferred .raised .closed, to the case's audience (`desk`), with all a
          console shows of it; case.progressed to its parties: how it stands, no more
Deadlines case.untouched (one row per open case, gone when it is taken or closed, there again when it is released)
Promises  one open case per subject and type, whoever opens it again gets that one; one assignee at a time; a closed
          case has an outcome, and by whom, or by nobody: then its subject moved on by itself

Allowed outcomes and what they do belong to the line that opened the case: it calls `close_case` in the transaction
of its decision, and `resolve_cases` when the subject moved on by itself.
"""

from chat.cases.actions import (
    close_case,
    find_case,
    history_of,
    last_contact,
    log_contact,
    newest_cases,
    open_case,
    raise_case,
    release_case,
    remark,
    resolve_cases,
    take_case,
    transfer_case,
    urgent_cases,
)
from chat.cases.deadlines import DEADLINES
from chat.cases.model import (
    SELF_RESOLVED,
    AlreadyTaken,
    Case,
    CaseEvent,
    CaseFilter,
    CaseNotOpen,
    CaseNotTaken,
    CaseState,
    Priority,
    Stage,
)

__all__ = [
    "DEADLINES",
    "SELF_RESOLVED",
    "AlreadyTaken",
    "Case",
    "CaseEvent",
    "CaseFilter",
    "CaseNotOpen",
    "CaseNotTaken",
    "CaseState",
    "Priority",
    "Stage",
    "close_case",
    "find_case",
    "history_of",
    "last_contact",
    "log_contact",
    "newest_cases",
    "open_case",
    "raise_case",
    "release_case",
    "remark",
    "resolve_cases",
    "take_case",
    "transfer_case",
    "urgent_cases",
]
