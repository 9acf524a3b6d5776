"""SQL of channels: one function per statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rest.money.channels.model import Attempt, AttemptState, Outcome, Refund, RefundState
from storage.base import codec
from storage.postgres import RetryTx
from storage.tx import Tx

_ATTEMPT = """payment_id, order_id, account_id, channel, amount_fen, state, payer, description, expires_at, params,
    trade_no, reason, version, created_at, is_shared"""
_REFUND = """id, payment_id, trade_no, channel, ref, amount_fen, total_fen, reason, state, failures, problem,
    channel_ref, version, requested_at, ended_at, slow_at"""
_READ_ATTEMPT = f"SELECT {_ATTEMPT} FROM channel_attempts WHERE payment_id = $1"
_READ_REFUND = f"SELECT {_REFUND} FROM channel_refunds WHERE id = $1"


def _attempt(row: Any) -> Attempt | None:  # noqa: ANN401 - a row
    if row is None:
        return None
    values = dict(row)
    values["state"] = AttemptState(values["state"])
    values["params"] = None if values["params"] is None else codec.loads(values["params"])
    return Attempt(**values)


def _refund(row: Any) -> Refund | None:  # noqa: ANN401 - a row
    return None if row is None else Refund(**{**row, "state": RefundState(row["state"])})


async def read_attempt(tx: Tx, payment_id: str) -> Attempt | None:
    return _attempt(await tx.fetchrow(_READ_ATTEMPT, payment_id))


async def read_attempts(tx: Tx, payment_ids: Sequence[str]) -> dict[str, Attempt]:
    """By payment; those without one are not there."""
    rows = await tx.fetch(f"SELECT {_ATTEMPT} FROM channel_attempts WHERE payment_id = ANY ($1)", list(payment_ids))
    return {row["payment_id"]: found for row in rows if (found := _attempt(row)) is not None}


async def lock_attempt(tx: Tx, payment_id: str) -> Attempt | None:
    return _attempt(await tx.fetchrow(_READ_ATTEMPT + " FOR UPDATE", payment_id))


async def insert_attempt(tx: Tx, attempt: Attempt) -> None:
    await tx.execute(
        """
        INSERT INTO channel_attempts
               (payment_id, order_id, account_id, channel, amount_fen, state, payer, description, expires_at,
                created_at, is_shared)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        attempt.payment_id,
        attempt.order_id,
        attempt.account_id,
        attempt.channel,
        attempt.amount_fen,
        attempt.state.value,
        attempt.payer,
        attempt.description,
        attempt.expires_at,
        attempt.created_at,
        attempt.is_shared,
    )


async def save_attempt(tx: Tx, attempt: Attempt) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE channel_attempts SET state = $3, params = $4, trade_no = $5, reason = $6, version = $2
         WHERE payment_id = $1 AND version = $2 - 1
        """,
        attempt.payment_id,
        attempt.version,
        attempt.state.value,
        None if attempt.params is None else codec.dumps(attempt.params).decode(),
        attempt.trade_no,
        attempt.reason,
    )
    if written == 0:
        raise RetryTx


# News


async def take_nonce(tx: Tx, channel: str, nonce: str) -> bool:
    """Whether nobody has used this nonce before."""
    taken: bool | None = await tx.fetchval(
        """
        INSERT INTO channel_nonces (channel, nonce, seen_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        channel,
        nonce,
        tx.now,
    )
    return bool(taken)


async def purge_nonces(tx: Tx, before: datetime, *, limit: int) -> int:
    return await tx.execute(
        """
        DELETE FROM channel_nonces
         WHERE (channel, nonce) IN (SELECT channel, nonce FROM channel_nonces WHERE seen_at < $1
                                     ORDER BY seen_at LIMIT $2)
        """,
        before,
        limit,
    )


async def insert_news(
    tx: Tx,
    *,
    channel: str,
    notify_id: str,
    body: bytes,
    out_trade_no: str | None,
    trade_no: str | None,
    amount_fen: int | None,
) -> str | None:
    """The id of the new row; None when this news is known. A twin waits here for the first to commit."""
    news_id: str | None = await tx.fetchval(
        """
        INSERT INTO channel_news
               (id, channel, notify_id, body, outcome, out_trade_no, trade_no, amount_fen, received_at)
        VALUES ($1, $2, $3, $4, 'noted', $5, $6, $7, $8)
        ON CONFLICT (channel, notify_id) DO NOTHING RETURNING id
        """,
        tx.new_id("cnw"),
        channel,
        notify_id,
        body,
        out_trade_no,
        trade_no,
        amount_fen,
        tx.now,
    )
    return news_id


async def save_outcome(tx: Tx, news_id: str, outcome: Outcome) -> None:
    await tx.execute("UPDATE channel_news SET outcome = $2 WHERE id = $1", news_id, outcome.value)


async def alarms(tx: Tx, *, before_id: str, limit: int) -> list[Any]:
    """News that wants a person's eye, newest first. The condition is the index's."""
    return await tx.fetch(
        """
        SELECT id, channel, notify_id, outcome, out_trade_no, trade_no, amount_fen, received_at
          FROM channel_news
         WHERE outcome IN ('unknown_order', 'wrong_amount', 'second_money', 'wrong_merchant', 'wrong_currency',
                           'wrong_refund')
           AND id < $1
         ORDER BY id DESC LIMIT $2
        """,
        before_id,
        limit,
    )


# Refunds


async def insert_refund(tx: Tx, refund: Refund) -> bool:
    """False when the transfer `ref` is on its way back already."""
    return bool(
        await tx.execute(
            """
            INSERT INTO channel_refunds
                   (id, payment_id, trade_no, channel, ref, amount_fen, total_fen, reason, state, requested_at, problem)
            VALUES ($1, $2, $11, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (ref) DO NOTHING
            """,
            refund.id,
            refund.payment_id,
            refund.channel,
            refund.ref,
            refund.amount_fen,
            refund.total_fen,
            refund.reason,
            refund.state.value,
            refund.requested_at,
            refund.problem,
            refund.trade_no,
        )
    )


async def read_refund(tx: Tx, refund_id: str) -> Refund | None:
    return _refund(await tx.fetchrow(_READ_REFUND, refund_id))


async def lock_refund(tx: Tx, refund_id: str) -> Refund | None:
    return _refund(await tx.fetchrow(_READ_REFUND + " FOR UPDATE", refund_id))


async def save_refund(tx: Tx, refund: Refund) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE channel_refunds
           SET state = $3, failures = $4, problem = $5, channel_ref = $6, ended_at = $7, version = $2
         WHERE id = $1 AND version = $2 - 1
        """,
        refund.id,
        refund.version,
        refund.state.value,
        refund.failures,
        refund.problem,
        refund.channel_ref,
        refund.ended_at,
    )
    if written == 0:
        raise RetryTx


async def save_slow(tx: Tx, refund_id: str) -> None:
    """Needs the lock; what the refund itself does is not touched."""
    await tx.execute("UPDATE channel_refunds SET slow_at = $2 WHERE id = $1", refund_id, tx.now)


async def refunds_to_look_at(tx: Tx, *, before_id: str, limit: int) -> list[Refund]:
    """Refunds that wait for a person or take too long, newest first. The condition is the index's."""
    rows = await tx.fetch(
        f"""
        SELECT {_REFUND} FROM channel_refunds
         WHERE state <> 'done' AND (state = 'manual' OR slow_at IS NOT NULL) AND id < $1 ORDER BY id DESC LIMIT $2
        """,
        before_id,
        limit,
    )
    return [refund for row in rows if (refund := _refund(row)) is not None]
