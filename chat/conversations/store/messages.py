"""SQL of messages. What somebody sees of a conversation is given as a `Sight`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chat.conversations.model import Conversation, Kind, Message, Role, Sight
from storage.base import codec
from storage.base.facts import Fact
from storage.tx import Tx

COLUMNS = """m.conversation_id, m.seq, m.prev_seq, m.sender_id, m.sender_role, m.client_id, m.kind, m.is_internal,
    m.body, m.data, m.file_id, m.reply_to, m.target_seq, m.at, m.edited_at, m.recalled_at"""

_NAMES = tuple(name.strip().removeprefix("m.") for name in COLUMNS.split(","))
_VISIBLE = "m.seq >= $2 AND ($3::bigint IS NULL OR m.seq <= $3) AND ($4::boolean OR NOT m.is_internal)"


def message_of(row: Any) -> Message:  # noqa: ANN401 - a row
    values = {name: row[name] for name in _NAMES}
    values["sender_role"] = Role(values["sender_role"])
    values["kind"] = Kind(values["kind"])
    if values["data"] is not None:
        values["data"] = codec.loads(values["data"])
    return Message(**values)


async def say(
    tx: Tx,
    conversation: Conversation,
    message: Mapping[str, Any],
    *,
    changes_from: datetime | None,
    base_seq: int | None,
    words: Sequence[str],
    fact: Fact,
    to: Sequence[str],
) -> tuple[str, dict[str, Any]]:
    """One more message of a conversation whose version is this one. Locks: the conversation, until the commit.

    Returns what came of it (see `say_message` in the migrations) and the place it got, in the fields of its fact.
    """
    return await tx.call_and_tell(
        "say_message",
        conversation.id,
        conversation.version,
        message["sender_id"],
        message["sender_role"].value,
        message["client_id"],
        message["kind"].value,
        message["is_internal"],
        message["body"],
        None if message["data"] is None else codec.dumps(message["data"]).decode(),
        message["file_id"],
        message["reply_to"],
        message["target_seq"],
        changes_from,
        base_seq,
        "\n".join(words),
        tx.now,
        fact=fact,
        to=to,
    )


async def find(tx: Tx, conversation_id: str, seq: int) -> Message | None:
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM messages m WHERE conversation_id = $1 AND seq = $2", conversation_id, seq
    )
    return None if row is None else message_of(row)


async def latest(tx: Tx, conversation_id: str, sight: Sight, *, limit: int) -> list[Message]:
    """The last ones within sight, newest first."""
    return await _within(tx, conversation_id, sight, "seq DESC", limit)


async def earliest(tx: Tx, conversation_id: str, sight: Sight, *, limit: int) -> list[Message]:
    """The first ones within sight, oldest first."""
    return await _within(tx, conversation_id, sight, "seq", limit)


async def _within(tx: Tx, conversation_id: str, sight: Sight, order: str, limit: int) -> list[Message]:
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM messages m WHERE conversation_id = $1 AND {_VISIBLE} ORDER BY {order} LIMIT $5",
        conversation_id,
        sight.first,
        sight.last,
        sight.internal,
        limit,
    )
    return [message_of(row) for row in rows]


async def of_file(tx: Tx, conversation_id: str, file_id: str) -> Message | None:
    """The message that shows this file; none when it was recalled."""
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM messages m WHERE file_id = $2 AND conversation_id = $1 ORDER BY seq LIMIT 1",
        conversation_id,
        file_id,
    )
    return None if row is None else message_of(row)


async def by_client_id(tx: Tx, conversation_id: str, sender_id: str, client_id: str) -> Message | None:
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM messages m WHERE conversation_id = $1 AND sender_id = $2 AND client_id = $3",
        conversation_id,
        sender_id,
        client_id,
    )
    return None if row is None else message_of(row)
