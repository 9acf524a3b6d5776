"""A conversation as values: who may read and write it, what a message may hold. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from storage.base.errors import Conflict, Denied, Invalid

TEXT_MAX = 4_000
"""Characters of one message."""

CHANGE_WITHIN = timedelta(minutes=2)
"""So long a message can be edited or recalled by who said it."""

DELTAS_MAX = 200
"""Messages of one conversation in one answer of `sync`; what is left is asked for again."""

SYNC_MAX = 100
"""Conversations in one `sync`."""


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
    """There is no word in this to search for."""

    code = "nothing_sought"


class ReadOnly(Denied):
    """You may read here, not write."""

    code = "read_only"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One thread. `tenant_id` None is the platform's. `public_seq` is the last one that everybody sees."""

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

    def after(self, verb: str) -> Status:
        """Its status after this verb. Raises ConversationState."""
        status = TRANSITIONS.get((self.status, verb))
        if status is None:
            raise ConversationState
        return status

    @property
    def desk(self) -> str:
        """The audience of the desk that serves it."""
        return "support" if self.tenant_id is None else f"support:{self.tenant_id}"


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
        return Sight(1, None, internal=True)
    return None


def _serves(staff: Staff, conversation: Conversation, member: Member | None) -> bool:
    """Own side; the platform also what a tenant handed it: agents what they were given, supervisors all of it."""
    if staff.tenant_id == conversation.tenant_id:
        return True
    if staff.tenant_id is not None or not conversation.is_handed:
        return False
    return staff.is_supervisor or (member is not None and member.is_active and member.role is Role.AGENT)


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
