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
    """News of a wrong amount, a second success, a strange number and the like, that nobody has seen to."""
    return await tx.fetch(
        """
        SELECT n.id AS key, a.payment_id, a.order_id, n.channel, n.amount_fen, n.outcome AS what, n.received_at AS since
          FROM channel_news AS n LEFT JOIN channel_attempts AS a ON a.payment_id = n.out_trade_no
         WHERE n.outcome IN ('unknown_order', 'wrong_amount', 'second_money', 'wrong_merchant', 'wrong_currency',
                             'wrong_refund')
           AND n.handled_at IS NULL AND n.id < $1
         ORDER BY n.id DESC LIMIT $2
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
