"""`/desk`: what agents ask about threads, and of themselves: yes and no to offers, handing on, ending, their state."""

from __future__ import annotations

from datetime import datetime

from hub.handlers.verbs import verb_request
from hub.members import DESK
from hub.registry import Command, Done, Id, Request
from rest.desk.conversations.readers import STAFF
from rest.desk.support.values import KindWord, LaterWord, SeverityWord, StateName, StateWord
from rest.edge.values import Instant, Note


class OfferRef(Command, frozen=True, kw_only=True):
    """An offer, by the id in `thread.offered`."""

    assignment_id: Id


class ThreadRef(Command, frozen=True, kw_only=True):
    conversation_id: Id


class SetState(Command, frozen=True, kw_only=True):
    state: StateName


class TransferThread(Command, frozen=True, kw_only=True):
    """To an agent or to a queue: exactly one of them. `override` is for supervisors."""

    conversation_id: Id
    note: Note
    agent_id: Id | None = None
    queue_id: Id | None = None
    override: bool = False


class TakeOver(Command, frozen=True, kw_only=True):
    conversation_id: Id
    note: Note


class Resolve(Command, frozen=True, kw_only=True):
    """A ticket needs a text."""

    conversation_id: Id
    resolution: Note | None = None


class Convert(Command, frozen=True, kw_only=True):
    conversation_id: Id
    kind: KindWord


class Snooze(Command, frozen=True, kw_only=True):
    """Until an instant, or a word for one (in an hour, today at 18:00, tomorrow at 9:00): exactly one of them."""

    conversation_id: Id
    until: Instant | None = None
    later: LaterWord | None = None


class ThreadAck(Done, frozen=True, kw_only=True):
    """The thread as it stands now."""

    conversation_id: str
    kind: KindWord
    state: StateWord
    severity: SeverityWord
    queue_id: str
    assignee_id: str | None
    epoch: int
    number: str | None
    snoozed_until: datetime | None
    version: int


class AgentAck(Done, frozen=True, kw_only=True):
    """I as an agent. `cap`, `load`: units, four a chat and one a ticket. `present_until`: renewed while this socket is
    open."""

    id: str
    state: StateName
    cap: int
    load: int
    present_until: datetime
    version: int


AGENTS = (*STAFF, "ops")
"""Who is one is decided by the desk's own list of agents."""


def thread_requests() -> tuple[Request, ...]:
    return (
        verb_request(DESK, "accept", OfferRef, ThreadAck, "I take what I am offered.", roles=AGENTS),
        verb_request(DESK, "decline", OfferRef, ThreadAck, "Offer it to somebody else.", roles=AGENTS),
        verb_request(DESK, "set_state", SetState, AgentAck, "I am online, busy, away or offline.", roles=AGENTS),
        verb_request(DESK, "transfer", TransferThread, ThreadAck, "Hand it to an agent or a queue.", roles=AGENTS),
        verb_request(DESK, "take_over", TakeOver, ThreadAck, "It is mine now, as a supervisor.", roles=AGENTS),
        verb_request(DESK, "resolve", Resolve, ThreadAck, "It is answered.", roles=AGENTS),
        verb_request(DESK, "close", ThreadRef, ThreadAck, "It is over; no rating is waited for.", roles=AGENTS),
        verb_request(DESK, "snooze", Snooze, ThreadAck, "Put it aside for a while.", roles=AGENTS),
        verb_request(DESK, "wake", ThreadRef, ThreadAck, "Take it up again.", roles=AGENTS),
        verb_request(DESK, "convert", Convert, ThreadAck, "Look at it as a chat or as a ticket.", roles=AGENTS),
    )
