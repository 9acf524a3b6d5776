"""A conversation as values: who may read and write it, what a message may hold. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from storage.base.errors import Conflict, Denied, HubError, Invalid, NotFound

TEXT_MAX = 4_000
"""Characters of one message."""

CHANGE_WITHIN = timedelta(minutes=2)
"""So long a message can be edited or recalled by who said it."""

DELTAS_MAX = 200
"""Messages of one conversation in one answer of `sync`; what is left is asked for again."""

SYNC_MAX = 100
"""Conversations in one `sync`."""

SYNC_ROWS = 2_000
"""Messages looked at for one `sync` of many conversations: each gets its part, at least ten."""

SYNC_BYTES = 200_000
"""Of one answer of `sync`; with one long message more it still fits into a phone's send buffer."""


class Status(StrEnum):
    """Whether it can be written in. Whose turn it is, the queue knows."""

    OPEN = "open"
    CLOSED = "closed"


TRANSITIONS: Mapping[tuple[Status, str], Status] = {
    (Status.OPEN, "close"): Status.CLOSED,
    (Status.CLOSED, "reopen"): Status.OPEN,
}
"""(status, verb) → status. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class Role(StrEnum):
    """As what somebody takes part. Observers are staff who read along unseen."""

    CUSTOMER = "customer"
    WORKER = "worker"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    OBSERVER = "observer"
    SYSTEM = "system"  # says things, takes no part


PEOPLE = frozenset({Role.CUSTOMER, Role.WORKER})
"""Those who are served. They never see what is internal, whatever else they are."""


class Kind(StrEnum):
    """What a message is. An edit or a recall is a message that points at another one."""

    TEXT = "text"
    IMAGE = "image"
    FILE = "file"
    LOCATION = "location"
    ORDER_CARD = "order_card"
    SYSTEM = "system"
    NOTE = "note"  # internal
    EDIT = "edit"
    RECALL = "recall"


EVENTS = frozenset({Kind.EDIT, Kind.RECALL})


class ConversationClosed(Conflict):
    """This conversation is closed."""

    code = "conversation_closed"


class ConversationState(Conflict):
    """The conversation's state does not allow this."""

    code = "conversation_state"


class AnsweredMeanwhile(Conflict):
    """Somebody else has answered since; look at it before you send yours."""

    code = "answered_meanwhile"


class StaleAssignment(Conflict):
    """This conversation has been given to somebody else."""

    code = "stale_assignment"


class MessageFixed(Conflict):
    """This message can no longer be changed."""

    code = "message_fixed"


class MessageTooLong(Invalid):
    """A message has 4,000 characters at most."""

    code = "message_too_long"


class MessageEmpty(Invalid):
    """This message says nothing, or not what its kind needs."""

    code = "message_empty"


class ReplyUnknown(Invalid):
    """What this replies to is not a message you can see."""

    code = "reply_unknown"


class NothingSought(Invalid):
    """There is nothing in this to search for: no word, and nobody's conversation."""

    code = "nothing_sought"


class ReadOnly(Denied):
    """You may read here, not write."""

    code = "read_only"


class MembersOnly(Denied):
    """This is in a queue that only its members see."""

    code = "queue_members_only"


@dataclass(frozen=True, slots=True)
class Staff:
    """A desk somebody works at: a tenant's, or the platform's (None)."""

    tenant_id: str | None = None
    is_supervisor: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever asks. `staff` is None for people who act for themselves."""

    account_id: str
    staff: Staff | None = None


Circle = Mapping[str, str | None]
"""Agents a conversation is kept to: account → whose desk he works at. Supervisors by role need not be in it."""


def circle_of(rows: Sequence[str] | None) -> Circle | None:
    """As the view `conversation_circles` says it; None: the whole desk."""
    if rows is None:
        return None
    return {account_id: side or None for account_id, _, side in (row.partition("\n") for row in rows)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One thread. `tenant_id` None is the platform's. `public_seq` is the last one that everybody sees.

    `circle`: the staff it is kept to (EB-070), as of when it was read; None: its whole desk.
    """

    id: str
    kind: str
    tenant_id: str | None
    customer_id: str | None
    subject_kind: str | None
    subject_id: str | None
    status: Status
    is_handed: bool
    assignee_id: str | None
    assign_epoch: int
    last_seq: int
    public_seq: int
    opened_at: datetime
    last_at: datetime
    waiting_since: datetime | None
    closed_at: datetime | None
    version: int
    circle: Circle | None = None

    def after(self, verb: str) -> Status:
        """Its status after this verb. Raises ConversationState."""
        status = TRANSITIONS.get((self.status, verb))
        if status is None:
            raise ConversationState
        return status

    def admits(self, account_id: str) -> bool:
        """Whether this agent is of those it is kept to."""
        return self.circle is None or account_id in self.circle


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in a conversation, who sees `joined_seq` to `left_seq` of it (None: to the end)."""

    account_id: str
    role: Role
    audience: str
    joined_seq: int = 1
    left_seq: int | None = None
    read_seq: int = 0
    delivered_seq: int = 0

    @property
    def is_active(self) -> bool:
        return self.left_seq is None


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody sees of a conversation: seqs `first` to `last` (None: to the end), internal ones or not."""

    first: int
    last: int | None
    internal: bool

    def covers(self, seq: int, *, is_internal: bool) -> bool:
        return seq >= self.first and (self.last is None or seq <= self.last) and (self.internal or not is_internal)


def may_read(reader: Reader, conversation: Conversation, member: Member | None) -> Sight | None:
    """What this reader sees of it; None: there is no such conversation for him.

    Who is served in it sees it as that, also when he works at a desk: notes about oneself are not for oneself (C7).
    A membership as staff opens nothing to who is not staff any more.
    """
    if member is not None and member.role in PEOPLE:
        return Sight(member.joined_seq, member.left_seq, internal=False)
    if reader.account_id == conversation.customer_id:
        return None
    if reader.staff is not None and _serves(reader.staff, conversation, member):
        is_let_in = reader.staff.is_supervisor or conversation.admits(reader.account_id)
        return Sight(1, None, internal=True) if is_let_in else None
    return None


def refusal_of(reader: Reader, conversation: Conversation, member: Member | None) -> HubError:
    """Why somebody does not see it: there is none for him, or his own desk keeps it to others."""
    is_of_desk = may_read(reader, replace(conversation, circle=None), member) is not None
    return MembersOnly() if is_of_desk else NotFound()


def _serves(staff: Staff, conversation: Conversation, member: Member | None) -> bool:
    """Own side; of the platform, supervisors see all (FR-114), agents what a tenant handed over and they were given."""
    if staff.tenant_id == conversation.tenant_id:
        return True
    if staff.tenant_id is not None:
        return False
    is_given = member is not None and member.is_active and member.role is Role.AGENT
    return staff.is_supervisor or (conversation.is_handed and is_given)


def _looks_over(reader: Reader, conversation: Conversation) -> bool:
    """Whether the reader's side is the platform's, and the customer talks to a tenant that has not asked for help."""
    staff = reader.staff
    is_theirs = conversation.tenant_id is not None and not conversation.is_handed
    return staff is not None and staff.tenant_id is None and is_theirs


def may_write(reader: Reader, conversation: Conversation, member: Member | None, *, internal: bool = False) -> Role:
    """As what this reader may say something now; `may_read` has let him in.

    Raises ReadOnly, ConversationClosed, StaleAssignment.
    """
    sight = may_read(reader, conversation, member)
    if sight is None or sight.last is not None or (internal and not sight.internal):
        raise ReadOnly
    if conversation.status is Status.CLOSED and not internal:
        raise ConversationClosed
    if member is not None and member.role in PEOPLE:
        return member.role
    if not internal and _looks_over(reader, conversation):
        raise ReadOnly
    if reader.staff is not None and reader.staff.is_supervisor:
        return Role.SUPERVISOR
    takes_part = member is not None and member.is_active and member.role is Role.AGENT
    if not (internal or takes_part or conversation.assignee_id in {None, reader.account_id}):
        raise StaleAssignment
    return Role.AGENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is said. `data`: a place (lon, lat in WGS-84, title), a card (kind, id), or what a system message names."""

    kind: Kind = Kind.TEXT
    text: str = ""
    data: Mapping[str, Any] | None = None
    file_id: str | None = None
    reply_to: int | None = None
    is_internal: bool = False

    def checked(self) -> Content:
        """Itself. Raises MessageTooLong, MessageEmpty."""
        if len(self.text) > TEXT_MAX:
            raise MessageTooLong(characters_max=TEXT_MAX)
        has = {
            Kind.TEXT: bool(self.text.strip()) and self.file_id is None and self.data is None,
            Kind.NOTE: bool(self.text.strip()) and self.data is None and self.is_internal,
            Kind.SYSTEM: bool(self.text.strip()) and self.file_id is None,
            Kind.IMAGE: self.file_id is not None and self.data is None,
            Kind.FILE: self.file_id is not None and self.data is None,
            Kind.LOCATION: self.data is not None and self.file_id is None,
            Kind.ORDER_CARD: self.data is not None and self.file_id is None,
        }
        if not has.get(self.kind, False):
            raise MessageEmpty
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it is now: an edited one has its new text, a recalled one none."""

    conversation_id: str
    seq: int
    prev_seq: int
    sender_id: str
    sender_role: Role
    client_id: str
    kind: Kind
    is_internal: bool
    body: str
    data: Mapping[str, Any] | None
    file_id: str | None
    reply_to: int | None
    target_seq: int | None
    at: datetime
    edited_at: datetime | None
    recalled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a message: its place, and whether it had been said before."""

    seq: int
    prev_seq: int
    at: datetime
    is_dup: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A conversation, the one who asks in it, and everybody in it now; true as long as its version."""

    conversation: Conversation
    member: Member | None
    active: tuple[Member, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Draft:
    """What an agent has begun to write. `base_seq`: the last message he had seen then."""

    conversation_id: str
    body: str
    base_seq: int
    saved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whose messages, and of when (FR-129); what is None is not asked. `agent_id`: of conversations he has or had."""

    conversation_id: str | None = None
    customer_id: str | None = None
    agent_id: str | None = None
    subject: tuple[str, str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_anybody_s(self) -> bool:
        """Whether it names nobody and nothing: only words or the caller's patience narrow it."""
        return all(one is None for one in (self.conversation_id, self.customer_id, self.agent_id, self.subject))


EVERYTHING = Sought()


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation in somebody's list: what of it is new to him (100: many), and its last message he sees."""

    conversation: Conversation
    member: Member | None
    unread: int
    last: Message | None


@dataclass(frozen=True, slots=True)
class Delta:
    """What one has missed of a conversation; `more`: ask again from the last one. `last_seq`: as far as one sees."""

    conversation_id: str
    messages: tuple[Message, ...]
    last_seq: int
    more: bool
