"""SQL of messages. What somebody sees of a conversation is given as a `Sight`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from chat.conversations.model import Conversation, Kind, Message, Role, Sight
from storage.base import codec
from storage.tx import Tx

COLUMNS = """m.conversation_id, m.seq, m.prev_seq, m.sender_id, m.sender_role, m.client_id, m.kind, m.is_internal,
    m.body, m.data, m.file_id, m.reply_to, m.target_seq, m.at, m.edited_at, m.recalled_at"""

_NAMES = tuple(name.strip().removeprefix("m.") for name in COLUMNS.split(","))
_VISIBLE = "m.seq >= $2 AND ($3::bigint IS NULL OR m.seq <= $3) AND ($4::boolean OR NOT m.is_internal)"


class Outcome(NamedTuple):
    """What `say_message` answers; see the migration."""

    outcome: str
    seq: int | None
    prev_seq: int | None
    at: datetime | None


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
) -> Outcome:
    """One more message of a conversation whose version is this one. Locks: the conversation, until the commit."""
    row = await tx.fetchrow(
        """
        SELECT outcome, seq, prev_seq, at
          FROM say_message($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """,
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
        list(words),
        tx.now,
    )
    return Outcome(*row)


async def find(tx: Tx, conversation_id: str, seq: int) -> Message | None:
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM messages m WHERE conversation_id = $1 AND seq = $2", conversation_id, seq
    )
    return None if row is None else message_of(row)


async def earlier(tx: Tx, conversation_id: str, sight: Sight, *, before: int | None, limit: int) -> list[Message]:
    """The last ones before a seq (None: the last ones), newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM messages m
         WHERE conversation_id = $1 AND {_VISIBLE} AND ($5::bigint IS NULL OR seq < $5)
         ORDER BY seq DESC LIMIT $6
        """,
        conversation_id,
        sight.first,
        sight.last,
        sight.internal,
        before,
        limit,
    )
    return [message_of(row) for row in rows]


async def later(tx: Tx, conversation_id: str, sight: Sight, *, after: int, limit: int) -> list[Message]:
    """The first ones after a seq, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM messages m
         WHERE conversation_id = $1 AND {_VISIBLE} AND seq > $5
         ORDER BY seq LIMIT $6
        """,
        conversation_id,
        sight.first,
        sight.last,
        sight.internal,
        after,
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
