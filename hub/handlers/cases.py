"""`/desk`: what staff ask about cases: who is on one, talking to the sides, and deciding."""

from __future__ import annotations

from typing import Literal

from hub.handlers.verbs import verb_request
from hub.members import DESK
from hub.registry import Command, Done, Id, Request
from rest.desk.cases.acts import WORKERS
from rest.desk.cases.sides import Code, DecisionParams
from rest.desk.cases.values import CaseView, MovedView
from rest.edge.values import Line, Note


class CaseRef(Command, frozen=True, kw_only=True):
    """A case, by the id in `case.opened`."""

    case_id: Id


class ReleaseCase(Command, frozen=True, kw_only=True):
    case_id: Id
    note: Note | None = None


class TransferCase(Command, frozen=True, kw_only=True):
    """To which colleague, by account, and what he should know."""

    case_id: Id
    to: Id
    note: Note


class RemarkCase(Command, frozen=True, kw_only=True):
    case_id: Id
    note: Note


class ContactSide(Command, frozen=True, kw_only=True):
    """Whom to turn to, and how. `worker`: without the customer; `both`: the worker joins the customer's chat."""

    case_id: Id
    party: Literal["customer", "worker", "both"]
    way: Literal["chat", "call"] = "chat"


class OpenCase(Command, frozen=True, kw_only=True):
    """A case by hand, about an order of this line."""

    line: Code
    subject_id: Id
    note: Note


class DecideCase(Command, frozen=True, kw_only=True):
    """What is decided, and why. `dry_run`: only say what would be. `preview_hash`: the amounts that were looked at.

    It moves money, so it has to have a `req_id`.
    """

    req_id: Id
    case_id: Id
    outcome: Code
    note: Note
    params: DecisionParams = DecisionParams()
    preview_hash: Line | None = None
    dry_run: bool = False


class CaseAck(Done, frozen=True, kw_only=True):
    """The case as it stands now."""

    case: CaseView


class ContactAck(Done, frozen=True, kw_only=True):
    """Where to go on. `call`: `no_provider`: the wish is written down, and nobody is there who could put it through."""

    conversation_id: str | None
    call: Literal["no_provider"] | None


class DecidedAck(Done, frozen=True, kw_only=True):
    """The closed case and what was done; of a dry run the case is as it was."""

    case: CaseView
    moved: MovedView


def case_requests() -> tuple[Request, ...]:
    """Which of them the caller may is asked below, as over HTTP; here only who works cases at all."""
    return (
        verb_request(DESK, "case.open", OpenCase, CaseAck, "Open a case by hand.", roles=WORKERS),
        verb_request(DESK, "case.take", CaseRef, CaseAck, "I am on this case.", roles=WORKERS),
        verb_request(DESK, "case.release", ReleaseCase, CaseAck, "Nobody is on it any more.", roles=WORKERS),
        verb_request(DESK, "case.transfer", TransferCase, CaseAck, "Give it to a colleague.", roles=WORKERS),
        verb_request(DESK, "case.remark", RemarkCase, CaseAck, "Write something down for colleagues.", roles=WORKERS),
        verb_request(DESK, "case.contact", ContactSide, ContactAck, "Turn to one side or both.", roles=WORKERS),
        verb_request(DESK, "case.decide", DecideCase, DecidedAck, "Decide it, or see what would be.", roles=WORKERS),
    )
