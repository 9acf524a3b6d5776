"""SQL of what finance has to look at: one function per statement. Newest first, each by its own key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from storage.tx import Tx


async def late(tx: Tx, *, before_id: str, limit: int) -> list[Any]:
    """Money that came when nobody waited and that no line has decided on."""
    return await tx.fetch(
        """
        SELECT id AS key, id AS payment_id, order_id, method AS channel, paid_fen AS amount_fen, state AS what,
               paid_at AS since
          FROM payments WHERE state = 'paid_late' AND id < $1 ORDER BY id DESC LIMIT $2
        """,
        before_id,
        limit,
    )


async def stray(tx: Tx, *, before_id: str, limit: int) -> list[Any]:
    """Money in suspense: of a wrong amount, a second success, a strange number and the like."""
    return await tx.fetch(
        """
        SELECT i.id AS key, a.payment_id, a.order_id, i.channel, i.amount_fen, i.cause AS what, i.parked_at AS since
          FROM suspense_items AS i LEFT JOIN channel_attempts AS a ON a.payment_id = i.out_trade_no
         WHERE i.state = 'open' AND i.id < $1
         ORDER BY i.id DESC LIMIT $2
        """,
        before_id,
        limit,
    )


async def silent(tx: Tx, *, ended_before: datetime, before_id: str, limit: int) -> list[Any]:
    """Attempts whose time is long over, and whose channel has not said what became of them."""
    return await tx.fetch(
        """
        SELECT payment_id AS key, payment_id, order_id, channel, amount_fen, state AS what, expires_at AS since
          FROM channel_attempts
         WHERE state IN ('asking', 'ready', 'closing') AND expires_at < $1 AND payment_id < $2
         ORDER BY payment_id DESC LIMIT $3
        """,
        ended_before,
        before_id,
        limit,
    )
