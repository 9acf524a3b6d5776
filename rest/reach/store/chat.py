"""SQL of messages that devices may not have taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from storage.tx import Tx


@dataclass(frozen=True, slots=True)
class Wait:
    """`fact_id`: the message that began it; `pushed_seq`: the last one this person was told of."""

    fact_id: str
    is_waiting: bool
    pushed_seq: int


async def begin(tx: Tx, conversation_id: str, account_id: str, fact_id: str) -> datetime | Literal[False] | None:
    """Wait for this message to be taken, unless one before it is waited for already: then False.

    Otherwise when this person was last told of the conversation.
    """
    row = await tx.fetchrow(
        """
        INSERT INTO chat_waits AS w (conversation_id, account_id, fact_id, is_waiting, changed_at)
        VALUES ($1, $2, $3, true, $4)
        ON CONFLICT (conversation_id, account_id) DO UPDATE
           SET fact_id = $3, is_waiting = true, changed_at = $4
         WHERE NOT w.is_waiting
        RETURNING pushed_at
        """,
        conversation_id,
        account_id,
        fact_id,
        tx.now,
    )
    if row is None:
        return False
    pushed_at: datetime | None = row["pushed_at"]
    return pushed_at


async def lock(tx: Tx, conversation_id: str, account_id: str) -> Wait | None:
    row: Any = await tx.fetchrow(
        """
        SELECT fact_id, is_waiting, pushed_seq FROM chat_waits
         WHERE conversation_id = $1 AND account_id = $2 FOR UPDATE
        """,
        conversation_id,
        account_id,
    )
    return None if row is None else Wait(row["fact_id"], row["is_waiting"], row["pushed_seq"])


async def end(tx: Tx, conversation_id: str, account_id: str, *, pushed_seq: int | None = None) -> None:
    """The row is locked by the caller."""
    await tx.execute(
        """
        UPDATE chat_waits SET is_waiting = false, changed_at = $4, pushed_seq = coalesce($3, pushed_seq),
                              pushed_at = CASE WHEN $3::bigint IS NULL THEN pushed_at ELSE $4 END
         WHERE conversation_id = $1 AND account_id = $2
        """,
        conversation_id,
        account_id,
        pushed_seq,
        tx.now,
    )


async def prune(tx: Tx, before: datetime, *, limit: int) -> int:
    """Forget waits that ended long ago."""
    return await tx.execute(
        """
        DELETE FROM chat_waits WHERE (conversation_id, account_id) IN
               (SELECT conversation_id, account_id FROM chat_waits
                 WHERE changed_at < $1 AND NOT is_waiting ORDER BY changed_at LIMIT $2)
        """,
        before,
        limit,
    )
