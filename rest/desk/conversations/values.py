"""What is asked and shown of conversations, over HTTP and sockets alike."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chat.conversations import (
    Content,
    Conversation,
    Draft,
    Kind,
    Member,
    Message,
    MessageEmpty,
    Row,
    Said,
    Sought,
    last_seen,
)
from chat.conversations.model import Sight
from geo.datum import Crs, to_wgs84
from geo.point import Point
from rest.edge.values import Body, Id, Instant, Latitude, Longitude, PageQuery, exactly

ClientId = Annotated[
    str,
    Meta(
        pattern=exactly("[A-Za-z0-9_.:-]{8,64}"),
        description="Made by the sender for this message and kept until it is acknowledged: sent again it is the same.",
        examples=["8d3cfa42-1c5f-4a41-9c0e-6a2f0f5d8c11"],
    ),
]
Seq = Annotated[int, Meta(ge=0, le=2**53, description="A place in a conversation; the first message is 1.")]
Text = Annotated[str, Meta(max_length=20_000, description="Plain text, 4,000 characters at most.")]
Title = Annotated[str, Meta(max_length=120)]
SubjectKind = Annotated[str, Meta(pattern=exactly("[a-z][a-z_]{0,31}"), examples=["order"])]
Ref = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
KINDS = Literal["text", "image", "file", "location", "order_card", "note"]


class ShownPlace(Body, frozen=True, kw_only=True):
    """A place somebody shows, in his coordinate system."""

    lon: Longitude
    lat: Latitude
    title: Title = ""


class ShownCard(Body, frozen=True, kw_only=True):
    """A thing somebody points at; what is on the card each reader reads himself."""

    kind: SubjectKind
    id: Id


class Saying(Body, frozen=True, kw_only=True):
    """A message. `file_id` for image, file and note, `place` for location, `card` for order_card. Of staff: `base_seq`
    is the last message they had seen, `assign_epoch` the one under which the conversation is theirs."""

    client_id: ClientId
    kind: KINDS = "text"
    text: Text = ""
    file_id: Id | None = None
    place: ShownPlace | None = None
    card: ShownCard | None = None
    reply_to: Seq | None = None
    base_seq: Seq | None = None
    assign_epoch: Seq | None = None

    def content(self, crs: Crs) -> Content:
        """What is said, in WGS-84. Raises MessageEmpty when its parts do not belong to its kind."""
        if (self.place is not None) != (self.kind == "location") or (self.card is not None) != (
            self.kind == "order_card"
        ):
            raise MessageEmpty
        data: dict[str, Any] | None = None
        if self.place is not None:
            point = to_wgs84(Point(self.place.lon, self.place.lat), crs)
            data = {"lon": round(point.lon, 7), "lat": round(point.lat, 7), "title": self.place.title}
        if self.card is not None:
            data = {"kind": self.card.kind, "id": self.card.id}
        return Content(
            kind=Kind(self.kind), text=self.text, data=data, file_id=self.file_id, reply_to=self.reply_to,
            is_internal=self.kind == "note",
        )  # fmt: skip


class SaidView(msgspec.Struct, frozen=True, kw_only=True):
    """A message has its place. `is_dup`: it had it before."""

    conversation_id: str
    client_id: str
    message_seq: int
    prev_seq: int
    said_at: datetime
    is_dup: bool

    @classmethod
    def of(cls, conversation_id: str, client_id: str, said: Said) -> SaidView:
        return cls(
            conversation_id=conversation_id,
            client_id=client_id,
            message_seq=said.seq,
            prev_seq=said.prev_seq,
            said_at=said.at,
            is_dup=said.is_dup,
        )


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it reads now. An `edit` or `recall` points at `target_seq`. `prev_seq`: the public one before it."""

    conversation_id: str
    message_seq: int
    prev_seq: int
    sender_id: str
    sender_role: str
    client_id: str
    kind: str
    is_internal: bool
    text: str
    data: dict[str, Any] | None
    file_id: str | None
    reply_to: int | None
    target_seq: int | None
    said_at: datetime
    edited_at: datetime | None
    recalled_at: datetime | None

    @classmethod
    def of(cls, message: Message) -> MessageView:
        same = {"conversation_id", "prev_seq", "sender_id", "client_id", "is_internal", "file_id", "reply_to",
                "target_seq", "edited_at", "recalled_at"}  # fmt: skip
        return cls(
            **{name: getattr(message, name) for name in same},
            message_seq=message.seq,
            sender_role=message.sender_role.value,
            kind=message.kind.value,
            text=message.body,
            data=None if message.data is None else dict(message.data),
            said_at=message.at,
        )


class ConversationView(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as you see it: `last_seq` is the last message of it that you see, `unread` counts to 100."""

    id: str
    kind: str
    tenant_id: str | None
    customer_id: str | None
    subject_kind: str | None
    subject_id: str | None
    status: Literal["open", "closed"]
    is_handed: bool
    assignee_id: str | None
    assign_epoch: int
    last_seq: int
    opened_at: datetime
    last_at: datetime
    waiting_since: datetime | None
    closed_at: datetime | None
    version: int
    role: str | None
    read_seq: int
    delivered_seq: int
    unread: int | None
    last: MessageView | None

    @classmethod
    def of(
        cls,
        conversation: Conversation,
        member: Member | None,
        *,
        sight: Sight,
        unread: int | None = None,
        last: Message | None = None,
    ) -> ConversationView:
        same = [name for name in Conversation.__slots__ if name not in {"last_seq", "public_seq", "status", "circle"}]
        values = {name: getattr(conversation, name) for name in same}
        if not sight.internal:  # whom support has put on it is support's own
            values |= {"assignee_id": None}
        return cls(
            **values,
            status=conversation.status.value,
            last_seq=last_seen(conversation, sight),
            role=member.role.value if member else None,
            read_seq=member.read_seq if member else 0,
            delivered_seq=member.delivered_seq if member else 0,
            unread=unread,
            last=None if last is None else MessageView.of(last),
        )

    @classmethod
    def of_row(cls, row: Row, sight: Sight) -> ConversationView:
        return cls.of(row.conversation, row.member, sight=sight, unread=row.unread, last=row.last)


class ParticipantView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a conversation, and how far he has read."""

    account_id: str
    role: str
    joined_seq: int
    left_seq: int | None
    read_seq: int
    delivered_seq: int

    @classmethod
    def of(cls, member: Member) -> ParticipantView:
        return cls(
            account_id=member.account_id,
            role=member.role.value,
            joined_seq=member.joined_seq,
            left_seq=member.left_seq,
            read_seq=member.read_seq,
            delivered_seq=member.delivered_seq,
        )


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """How far one has read, and how far it has come to a device of one's."""

    conversation_id: str
    read_seq: int
    delivered_seq: int


class DraftView(msgspec.Struct, frozen=True, kw_only=True):
    """What you have begun to write. `base_seq`: the last message you had seen then."""

    conversation_id: str
    text: str
    base_seq: int
    saved_at: datetime

    @classmethod
    def of(cls, draft: Draft) -> DraftView:
        return cls(
            conversation_id=draft.conversation_id, text=draft.body, base_seq=draft.base_seq, saved_at=draft.saved_at
        )


class SearchQuery(PageQuery, frozen=True, kw_only=True):
    """`q`: whole words, and any two or more neighbouring characters of Chinese; all of them must be in the message.

    Or without words, of a conversation, customer, order, or of an agent who has or had the conversation. `since`,
    `until`: when it was said.
    """

    q: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    conversation_id: Ref | None = None
    customer_id: Ref | None = None
    agent_id: Ref | None = None
    order_id: Ref | None = None
    since: Instant | None = None
    until: Instant | None = None

    @property
    def of(self) -> Sought:
        return Sought(
            conversation_id=self.conversation_id,
            customer_id=self.customer_id,
            agent_id=self.agent_id,
            subject=None if self.order_id is None else ("order", self.order_id),
            since=self.since,
            until=self.until,
        )
