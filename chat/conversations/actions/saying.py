"""Saying something, and changing what one has said.

The story of one message: `stand` reads the conversation and who is in it; `may_write` decides; `say_message` locks the
conversation, looks whether this was said before, and writes it if nothing that was decided upon has changed since
(else everything is looked at anew); the fact goes to those who are in it. A sender repeats a message under its
`client_id` until it is acknowledged: it exists once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from chat.conversations.facts import hearers, said_fact
from chat.conversations.model import (
    CHANGE_WITHIN,
    EVENTS,
    AnsweredMeanwhile,
    Content,
    Conversation,
    Kind,
    MessageEmpty,
    MessageFixed,
    Reader,
    ReplyUnknown,
    Role,
    Said,
    Sight,
    StaleAssignment,
    Standing,
    may_read,
    may_write,
    refusal_of,
)
from chat.conversations.store import messages, threads
from chat.conversations.words import words_of
from storage import files
from storage.base.errors import HubError, NotFound
from storage.postgres import RetryTx
from storage.tx import Tx

SYSTEM = "system"
"""The sender of what nobody in particular says."""

FILE_PURPOSE = "chat"


async def say(
    tx: Tx,
    reader: Reader,
    conversation_id: str,
    content: Content,
    *,
    client_id: str,
    base_seq: int | None = None,
    assign_epoch: int | None = None,
) -> Said:
    """Say something, once: the same `client_id` again gives the same place, whatever has happened since.

    `base_seq`, of staff: the last message they had seen. `assign_epoch`: the one under which it is theirs.
    Locks    the conversation. Tells message.said or message.noted.
    Raises   NotFound, ReadOnly, ConversationClosed, AnsweredMeanwhile, StaleAssignment, ReplyUnknown, MessageTooLong,
             MessageEmpty, FileTaken.
    """
    content = replace(content, is_internal=content.is_internal or content.kind is Kind.NOTE).checked()
    if content.kind is Kind.SYSTEM:
        raise MessageEmpty
    standing, sight = await stand(tx, reader, conversation_id)
    try:
        role = _role_of(reader, standing, content.is_internal, assign_epoch)
    except HubError as refusal:
        return await _said_before(tx, standing, reader.account_id, client_id, refusal)
    await _check_reply(tx, conversation_id, sight, content)
    if content.file_id is not None:
        file = await files.attach(
            tx, content.file_id, owner_id=reader.account_id, purpose=FILE_PURPOSE, subject_id=conversation_id
        )
        if content.kind is not Kind.FILE and not file.media_type.startswith("image/"):
            raise MessageEmpty  # it would be shown as a picture
    if role in {Role.CUSTOMER, Role.WORKER} or content.is_internal:
        base_seq = None
    values = _values(reader.account_id, role, client_id, content)
    return await _write(tx, standing, values, words_of(content.text), base_seq=base_seq)


async def say_system(
    tx: Tx,
    conversation_id: str,
    text: str,
    *,
    client_id: str | None = None,
    data: dict[str, Any] | None = None,
    internal: bool = False,
) -> Said:
    """Say something in nobody's name, also in a closed conversation; once, if it has a `client_id`.

    `data` names what happened for programs that say it in their own words. Raises NotFound, MessageTooLong,
    MessageEmpty.
    """
    content = Content(kind=Kind.SYSTEM, text=text, data=data, is_internal=internal).checked()
    standing = await threads.stand(tx, conversation_id, "")
    if standing is None:
        raise NotFound
    values = _values(SYSTEM, Role.SYSTEM, client_id or tx.new_id("msg"), content)
    return await _write(tx, standing, values, words_of(text))


async def edit_message(tx: Tx, reader: Reader, conversation_id: str, seq: int, text: str, *, client_id: str) -> Said:
    """Let one's own message read differently, within two minutes. Tells message.edited.

    Raises NotFound, ReadOnly, ConversationClosed, StaleAssignment, MessageFixed, MessageTooLong, MessageEmpty.
    """
    Content(text=text).checked()
    return await _change(tx, reader, conversation_id, seq, kind=Kind.EDIT, text=text, client_id=client_id)


async def recall_message(tx: Tx, reader: Reader, conversation_id: str, seq: int, *, client_id: str) -> Said:
    """Take one's own message back, within two minutes: its place stays, empty. Tells message.recalled.

    Raises NotFound, ReadOnly, ConversationClosed, StaleAssignment, MessageFixed.
    """
    return await _change(tx, reader, conversation_id, seq, kind=Kind.RECALL, text="", client_id=client_id)


async def stand(tx: Tx, reader: Reader, conversation_id: str) -> tuple[Standing, Sight]:
    """The conversation and what this reader sees of it. Raises NotFound, MembersOnly."""
    standing = await threads.stand(tx, conversation_id, reader.account_id)
    if standing is None:
        raise NotFound
    sight = may_read(reader, standing.conversation, standing.member)
    if sight is None:
        raise refusal_of(reader, standing.conversation, standing.member)
    return standing, sight


async def _change(
    tx: Tx, reader: Reader, conversation_id: str, seq: int, *, kind: Kind, text: str, client_id: str
) -> Said:
    standing, sight = await stand(tx, reader, conversation_id)
    target = await messages.find(tx, conversation_id, seq)
    if target is None or not sight.covers(target.seq, is_internal=target.is_internal):
        raise NotFound
    try:
        role = may_write(reader, standing.conversation, standing.member, internal=target.is_internal)
    except HubError as refusal:
        return await _said_before(tx, standing, reader.account_id, client_id, refusal)
    content = Content(kind=kind, text=text, is_internal=target.is_internal)
    values = _values(reader.account_id, role, client_id, content) | {"target_seq": seq}
    words = words_of(text) if kind is Kind.EDIT else []
    said = await _write(tx, standing, values, words, changes_from=tx.now - CHANGE_WITHIN)
    if kind is Kind.RECALL and target.file_id is not None:
        await files.release(tx, target.file_id, subject_id=conversation_id)
    return said


def _role_of(reader: Reader, standing: Standing, is_internal: bool, assign_epoch: int | None) -> Role:
    """As what he says it. Raises ReadOnly, ConversationClosed, StaleAssignment."""
    role = may_write(reader, standing.conversation, standing.member, internal=is_internal)
    is_stale = assign_epoch is not None and assign_epoch != standing.conversation.assign_epoch
    if is_stale and role is Role.AGENT and not is_internal:
        raise StaleAssignment(assign_epoch=standing.conversation.assign_epoch)
    return role


async def _said_before(tx: Tx, standing: Standing, sender_id: str, client_id: str, refusal: HubError) -> Said:
    """What a message was answered that its sender repeats when he may write no longer. Raises the refusal."""
    found = await messages.by_client_id(tx, standing.conversation.id, sender_id, client_id)
    if found is None:
        raise refusal
    return Said(found.seq, found.prev_seq, found.at, is_dup=True)


async def _check_reply(tx: Tx, conversation_id: str, sight: Sight, content: Content) -> None:
    """What all may read must not answer what some may not. Raises ReplyUnknown."""
    if content.reply_to is None:
        return
    target = await messages.find(tx, conversation_id, content.reply_to)
    if (
        target is None
        or target.kind in EVENTS
        or not sight.covers(target.seq, is_internal=target.is_internal)
        or (target.is_internal and not content.is_internal)
    ):
        raise ReplyUnknown


async def _write(
    tx: Tx,
    standing: Standing,
    values: dict[str, Any],
    words: list[str],
    *,
    base_seq: int | None = None,
    changes_from: datetime | None = None,
) -> Said:
    conversation = standing.conversation
    outcome, place = await messages.say(
        tx, conversation, values, changes_from=changes_from, base_seq=base_seq, words=words,
        fact=said_fact(conversation.id, values, tx.now),
        to=hearers(conversation, standing.active, internal=values["is_internal"]),
    )  # fmt: skip
    if outcome == "moved":
        raise RetryTx
    if outcome == "fixed":
        raise MessageFixed
    if outcome == "answered":
        raise await _answered(tx, conversation, place["message_seq"])
    at = datetime.fromisoformat(place["said_at"])
    return Said(place["message_seq"], place["prev_seq"], at, is_dup=outcome == "dup")


async def _answered(tx: Tx, conversation: Conversation, seq: int) -> AnsweredMeanwhile:
    """The refusal, with the answer one had not seen."""
    answer = await messages.find(tx, conversation.id, seq)
    assert answer is not None  # noqa: S101 - it was there under the lock
    return AnsweredMeanwhile(
        message={
            "message_seq": answer.seq,
            "sender_id": answer.sender_id,
            "kind": answer.kind.value,
            "text": answer.body,
            "at": answer.at.isoformat(),
        }
    )


def _values(sender_id: str, role: Role, client_id: str, content: Content) -> dict[str, Any]:
    return {
        "sender_id": sender_id,
        "sender_role": role,
        "client_id": client_id,
        "kind": content.kind,
        "is_internal": content.is_internal,
        "body": content.text,
        "data": content.data,
        "file_id": content.file_id,
        "reply_to": content.reply_to,
        "target_seq": None,
    }
