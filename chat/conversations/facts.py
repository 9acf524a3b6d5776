"""What conversations tell, and to whom.

A message is told to everybody in its conversation, each at an audience of his own, so that whoever comes back finds
all of it in his feed and nothing of others'. While nobody is assigned its desk hears it too: those who could answer.
What is internal is told to staff alone. Facts have a `seq` of the feed, so the place of a message is `message_seq`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from chat.conversations.model import PEOPLE, Conversation, Kind, Member, Role
from storage.base.facts import Fact


def agent_audience(account_id: str) -> str:
    """Where somebody who works at a desk hears what is meant for him."""
    return f"agent:{account_id}"


def circle_audience(account_id: str) -> str:
    """Where an agent hears of what his queues keep to their members, beside what is his own."""
    return f"member:{account_id}"


def lead_audience(account_id: str) -> str:
    """Where somebody hears what is meant for him only while his role lets him see everything of his desk."""
    return f"lead:{account_id}"


def desk_audience(tenant_id: str | None) -> str:
    """Where everybody hears who works at a tenant's desk, or (None) the platform's."""
    return "support" if tenant_id is None else f"support:{tenant_id}"


def leads_audience(tenant_id: str | None) -> str:
    """Where those hear who lead this desk by their role."""
    return "leads" if tenant_id is None else f"leads:{tenant_id}"


def desk_hearers(conversation: Conversation, tenant_id: str | None) -> list[str]:
    """Who of a desk hears of it: everybody, or those it is kept to."""
    if conversation.circle is None:
        return [desk_audience(tenant_id)]
    kept_to = [circle_audience(agent_id) for agent_id, side in conversation.circle.items() if side == tenant_id]
    return [leads_audience(tenant_id), *kept_to]


def member_audience(conversation: Conversation, member: Member) -> str:
    """Where somebody in it hears it; staff it is not kept to only as long as they lead."""
    is_let_in = member.role in PEOPLE or conversation.admits(member.account_id)
    return member.audience if is_let_in else lead_audience(member.account_id)


def hearers(conversation: Conversation, active: Iterable[Member], *, internal: bool) -> list[str]:
    """The audiences of something said in it."""
    heard = [member_audience(conversation, one) for one in active if not (internal and one.role in PEOPLE)]
    if conversation.assignee_id is not None:
        return heard
    return [*heard, *desk_hearers(conversation, conversation.tenant_id)]


def staff_hearers(conversation: Conversation, active: Iterable[Member]) -> list[str]:
    """The audiences of news for those who serve: staff in it, and its desk."""
    staff = [member_audience(conversation, one) for one in active if one.role not in PEOPLE]
    return [*staff, *desk_hearers(conversation, conversation.tenant_id)]


class MessageFact(Fact, frozen=True, kw_only=True):
    """`prev_seq`: the last public message before it; who sees internal ones counts one by one instead."""

    conversation_id: str
    message_seq: int
    prev_seq: int
    sender_id: str
    sender_role: str
    client_id: str
    said_at: datetime


class SaidFact(MessageFact, frozen=True, kw_only=True):
    """What a message holds. `data` is a place, a card, or what a system message names."""

    kind: str
    text: str
    data: dict[str, Any] | None
    file_id: str | None
    reply_to: int | None


class MessageSaid(SaidFact, frozen=True, kw_only=True):
    """Somebody said something."""

    topic: ClassVar[str] = "message.said"


class MessageNoted(SaidFact, frozen=True, kw_only=True):
    """Staff said something among themselves."""

    topic: ClassVar[str] = "message.noted"


class MessageEdited(MessageFact, frozen=True, kw_only=True):
    """`target_seq` now reads as this."""

    topic: ClassVar[str] = "message.edited"

    target_seq: int
    text: str


class MessageRecalled(MessageFact, frozen=True, kw_only=True):
    """`target_seq` was taken back; its place stays."""

    topic: ClassVar[str] = "message.recalled"

    target_seq: int


class MessageRead(Fact, frozen=True, kw_only=True):
    """Somebody has read, or his device has got, everything up to there."""

    topic: ClassVar[str] = "message.read"

    conversation_id: str
    reader_id: str
    reader_role: str
    read_seq: int
    delivered_seq: int


class ConversationFact(Fact, frozen=True, kw_only=True):
    """Which conversation, and how it stands."""

    conversation_id: str
    kind: str
    tenant_id: str | None
    customer_id: str | None
    subject_kind: str | None
    subject_id: str | None
    status: str
    version: int


class ConversationOpened(ConversationFact, frozen=True, kw_only=True):
    """Somebody wants to talk."""

    topic: ClassVar[str] = "conversation.opened"


class ConversationClosed(ConversationFact, frozen=True, kw_only=True):
    """It is over; a new one can be opened."""

    topic: ClassVar[str] = "conversation.closed"


class ConversationReopened(ConversationFact, frozen=True, kw_only=True):
    """It goes on."""

    topic: ClassVar[str] = "conversation.reopened"


class ConversationHanded(ConversationFact, frozen=True, kw_only=True):
    """A tenant asks the platform to help, or no longer does."""

    topic: ClassVar[str] = "conversation.handed"

    is_handed: bool


class ConversationAssigned(ConversationFact, frozen=True, kw_only=True):
    """It is this agent's now, or nobody's; who answers by an older epoch is refused."""

    topic: ClassVar[str] = "conversation.assigned"

    assignee_id: str | None
    assign_epoch: int


class ConversationJoined(ConversationFact, frozen=True, kw_only=True):
    """Somebody takes part from `joined_seq` on."""

    topic: ClassVar[str] = "conversation.joined"

    account_id: str
    role: str
    joined_seq: int


class ConversationLeft(ConversationFact, frozen=True, kw_only=True):
    """Somebody takes part no longer."""

    topic: ClassVar[str] = "conversation.left"

    account_id: str
    role: str


def fact_of(kind: type[ConversationFact], conversation: Conversation, **more: Any) -> ConversationFact:  # noqa: ANN401 - the fields of `kind`
    """A fact of this kind with the conversation's own values."""
    values = {
        name: getattr(conversation, name) for name in ConversationFact.__struct_fields__ if name != "conversation_id"
    }
    return kind(conversation_id=conversation.id, **values, **more)


def said_fact(conversation_id: str, message: Mapping[str, Any], now: datetime) -> MessageFact:
    """The fact of a message that is about to be said. Its place is filled in where it is taken (`say_message`)."""
    head: dict[str, Any] = {
        "conversation_id": conversation_id,
        "message_seq": 0,
        "prev_seq": 0,
        "sender_id": message["sender_id"],
        "sender_role": message["sender_role"].value,
        "client_id": message["client_id"],
        "said_at": now,
    }
    if message["kind"] is Kind.EDIT:
        return MessageEdited(**head, target_seq=message["target_seq"], text=message["body"])
    if message["kind"] is Kind.RECALL:
        return MessageRecalled(**head, target_seq=message["target_seq"])
    kind = MessageNoted if message["is_internal"] else MessageSaid
    return kind(
        **head,
        kind=message["kind"].value,
        text=message["body"],
        data=message["data"],
        file_id=message["file_id"],
        reply_to=message["reply_to"],
    )


UNSEEN = frozenset({Role.OBSERVER, Role.SUPERVISOR})
"""Those whose coming, going and reading is told to staff alone."""
