"""Talking, in every app: messages, marks, typing, and what was missed; at the desk also notes, drafts and who looks.

Messages and marks are facts: what a request says is heard by everybody in the conversation, also on one's other
devices, from the feed. Typing and viewing are live: told once, kept nowhere, and over after a while by themselves.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.asking import Ask
from hub.handlers.verbs import verb_key, verb_request
from hub.limits import Rate
from hub.members import DESK
from hub.registry import Done, Handler, Id, Request
from hub.signals import Signal
from rest.desk.conversations.readers import PEOPLE_SAY, STAFF, STAFF_SAY
from rest.desk.conversations.values import ClientId, MessageView, Saying, Seq, Text
from storage.base.errors import Denied


class Say(Saying, frozen=True, kw_only=True):
    """A message, in the coordinates of this socket."""

    conversation_id: Id


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Among staff; nobody else ever sees it."""

    conversation_id: Id
    client_id: ClientId
    text: Text
    file_id: Id | None = None
    reply_to: Seq | None = None

    def saying(self) -> Say:
        return Say(
            conversation_id=self.conversation_id, client_id=self.client_id, kind="note", text=self.text,
            file_id=self.file_id, reply_to=self.reply_to,
        )  # fmt: skip


class Edit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    conversation_id: Id
    client_id: ClientId
    target_seq: Seq
    text: Text


class Recall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    conversation_id: Id
    client_id: ClientId
    target_seq: Seq


class SaidAck(Done, frozen=True, kw_only=True):
    """The message is stored and has its place. `is_dup`: it had it before."""

    conversation_id: str
    client_id: str
    message_seq: int
    prev_seq: int
    said_at: str
    is_dup: bool


class Read(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Marks only move forward; what is read is delivered too."""

    conversation_id: Id
    read_seq: Seq = 0
    delivered_seq: Seq = 0


class ReadAck(Done, frozen=True, kw_only=True):
    conversation_id: str
    read_seq: int
    delivered_seq: int


class Sync(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conversation → the last message one has of it without a hole."""

    have: Annotated[dict[Id, Seq], Meta(max_length=100)] = {}


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """`more`: take these and ask again."""

    conversation_id: str
    messages: list[MessageView]
    last_seq: int
    more: bool


class SyncAck(Done, frozen=True, kw_only=True):
    """What is missing, and how far each open conversation is, also those not asked for."""

    conversations: list[Missed]
    digest: dict[str, int]


class Typing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say it again every few seconds while it goes on: it is over after five. Of staff: `is_internal` for a note."""

    conversation_id: Id
    is_on: bool = True
    is_internal: bool = False


class Viewing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say it again every ten seconds while it is open: it is over after fifteen."""

    conversation_id: Id
    is_on: bool = True


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing is no draft."""

    conversation_id: Id
    text: Text
    base_seq: Seq = 0


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    conversation_id: Id


LIVE = Rate(burst=5, per_s=0.5)
MARKS = Rate(burst=10, per_s=2)
SYNCS = Rate(burst=5, per_s=0.5)
DRAFTS = Rate(burst=10, per_s=1)


async def typing(ask: Ask, body: Typing) -> Done:
    """Tell the others in it. Internal: staff alone."""
    if body.is_internal and ask.member.namespace != DESK:
        raise Denied
    circle = await _circle(ask, body)
    to = circle["noted" if body.is_internal else "said"]
    _tell(ask, "typing", body.conversation_id, circle["role"], to, is_on=body.is_on)
    return Done()


async def viewing(ask: Ask, body: Viewing) -> Done:
    """Tell the whole desk that I have it open, so that nobody else begins."""
    circle = await _circle(ask, body)
    _tell(ask, "viewing", body.conversation_id, circle["role"], circle["desk"], is_on=body.is_on)
    return Done()


async def note(ask: Ask, body: Note) -> SaidAck:
    given = await ask.services.ports.verbs["desk.note"](ask.services.db, ask.principal, body.saying())
    return msgspec.convert(given, SaidAck)


async def _circle(ask: Ask, body: Any) -> Any:  # noqa: ANN401 - fields of the verb
    verb = ask.services.ports.verbs[verb_key(ask.member.namespace, "circle")]
    return await verb(ask.services.db, ask.principal, body)


def _tell(ask: Ask, event: str, conversation_id: str, role: str, to: list[str], *, is_on: bool) -> None:
    ask.services.talking.tell(
        Signal(
            event=event, conversation_id=conversation_id, account_id=ask.principal.account_id, role=role, is_on=is_on,
            to=to,
        )
    )  # fmt: skip


def talk_requests(namespace: str) -> tuple[Request, ...]:
    """The rows every app has."""
    is_desk = namespace == DESK
    amount, window_s = STAFF_SAY if is_desk else PEOPLE_SAY
    says = Rate(burst=amount, per_s=amount / window_s)
    # A share link opens an order, not its talk.
    roles = STAFF if is_desk else ("user", "technician")
    return (
        verb_request(namespace, "say", Say, SaidAck, "Say something.", roles=roles, rate=says),
        verb_request(namespace, "edit", Edit, SaidAck, "Change what I said.", roles=roles, rate=says),
        verb_request(namespace, "recall", Recall, SaidAck, "Take back what I said.", roles=roles, rate=says),
        verb_request(namespace, "read", Read, ReadAck, "I have read so far.", roles=roles, rate=MARKS),
        verb_request(namespace, "sync", Sync, SyncAck, "What have I missed?", roles=roles, rate=SYNCS),
        _live_row(namespace, "typing", Typing, typing, roles),
    )


def desk_requests() -> tuple[Request, ...]:
    """What only the desk has."""
    amount, window_s = STAFF_SAY
    return (
        Request(
            namespace=DESK, name="note", summary="Say something among staff.", request=Note, response=SaidAck,
            handler=note, roles=STAFF, rate=Rate(burst=amount, per_s=amount / window_s),
        ),
        verb_request(DESK, "draft", Draft, Done, "Keep what I have begun to write.", roles=STAFF, rate=DRAFTS),
        verb_request(DESK, "follow", Where, Done, "Let me read along.", roles=STAFF),
        verb_request(DESK, "unfollow", Where, Done, "Let me no longer read along.", roles=STAFF),
        _live_row(DESK, "viewing", Viewing, viewing, STAFF),
    )  # fmt: skip


def _live_row(
    namespace: str, name: str, request: type[msgspec.Struct], handler: Handler, roles: tuple[str, ...]
) -> Request:
    return Request(
        namespace=namespace, name=name, summary=_SUMMARIES[name], request=request, response=Done, handler=handler,
        roles=roles, rate=LIVE,
    )  # fmt: skip


_SUMMARIES = {"typing": "I am writing.", "viewing": "I have this conversation open."}
