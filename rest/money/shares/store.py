"""SQL of shares: one function per statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rest.money.shares.model import Part, Receiver, ReceiverState, Return, ReturnState, Split, SplitState
from storage.postgres import RetryTx
from storage.tx import Tx

_RECEIVER = "id, worker_id, channel, account, name, name_hash, state, reason, by_id, version, created_at, ended_at"
_SPLIT = """id, payment_id, settlement_id, order_id, channel, trade_no, state, reason, version, created_at, ended_at"""
_RETURN = "id, split_id, n, refund_id, amount_fen, state, reason, version, created_at, ended_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """What a channel took for an order: how much, and how much of it has gone back or is to go."""

    payment_id: str
    channel: str
    trade_no: str
    amount_fen: int
    refunded_fen: int
    is_shared: bool


async def trades(tx: Tx, order_id: str) -> list[Trade]:
    """Those of the order of which something is left."""
    rows = await tx.fetch(
        """
        SELECT a.payment_id, a.channel, a.trade_no, a.amount_fen, r.refunded_fen, a.is_shared
          FROM payments p
          JOIN channel_attempts a ON a.payment_id = p.id AND a.state = 'paid'
          JOIN payment_parts r ON r.payment_id = p.id AND r.tender = a.channel
         WHERE p.order_id = $1 AND r.refunded_fen < a.amount_fen
         ORDER BY a.payment_id
        """,
        order_id,
    )
    return [Trade(**row) for row in rows]


# Receivers


def _receiver(row: Any) -> Receiver | None:  # noqa: ANN401 - a row
    return None if row is None else Receiver(**{**row, "state": ReceiverState(row["state"])})


async def insert_receiver(tx: Tx, new: Receiver) -> bool:
    """False when the worker has one at this channel, or the account is another's."""
    written = await tx.execute(
        """
        INSERT INTO share_receivers (id, worker_id, channel, account, name, name_hash, state, by_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
        """,
        new.id,
        new.worker_id,
        new.channel,
        new.account,
        new.name,
        new.name_hash,
        new.state.value,
        new.by_id,
        new.created_at,
    )
    return written == 1


async def read_receiver(tx: Tx, receiver_id: str) -> Receiver | None:
    return _receiver(await tx.fetchrow(f"SELECT {_RECEIVER} FROM share_receivers WHERE id = $1", receiver_id))


async def lock_receiver(tx: Tx, receiver_id: str) -> Receiver | None:
    sql = f"SELECT {_RECEIVER} FROM share_receivers WHERE id = $1 FOR NO KEY UPDATE"
    return _receiver(await tx.fetchrow(sql, receiver_id))


async def save_receiver(tx: Tx, moved: Receiver) -> None:
    """Needs the lock."""
    await tx.execute(
        "UPDATE share_receivers SET state = $2, name = $3, reason = $4, ended_at = $5, version = $6 WHERE id = $1",
        moved.id,
        moved.state.value,
        moved.name,
        moved.reason,
        moved.ended_at,
        moved.version,
    )


async def bound(tx: Tx, channel: str, worker_ids: Sequence[str]) -> dict[str, str]:
    """Worker → account, of those who have one at this channel."""
    rows = await tx.fetch(
        "SELECT worker_id, account FROM share_receivers WHERE channel = $1 AND worker_id = ANY($2) AND state = 'bound'",
        channel,
        list(worker_ids),
    )
    return {row["worker_id"]: row["account"] for row in rows}


async def receivers(
    tx: Tx, *, before_id: str, limit: int, worker_id: str | None, state: ReceiverState | None
) -> list[Receiver]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_RECEIVER} FROM share_receivers
         WHERE id < $1 AND ($3::text IS NULL OR worker_id = $3) AND ($4::text IS NULL OR state = $4)
         ORDER BY id DESC LIMIT $2
        """,
        before_id,
        limit,
        worker_id,
        None if state is None else state.value,
    )
    return [found for row in rows if (found := _receiver(row)) is not None]


# Splits


async def insert_split(tx: Tx, new: Split) -> bool:
    """False when the trade has one."""
    written = await tx.execute(
        """
        INSERT INTO share_splits (id, payment_id, settlement_id, order_id, channel, trade_no, state, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (payment_id) DO NOTHING
        """,
        new.id,
        new.payment_id,
        new.settlement_id,
        new.order_id,
        new.channel,
        new.trade_no,
        new.state.value,
        new.created_at,
    )
    return written == 1


async def read_split(tx: Tx, split_id: str) -> Split | None:
    return await _first(tx, f"SELECT {_SPLIT} FROM share_splits WHERE id = $1", split_id)


async def lock_split(tx: Tx, split_id: str) -> Split | None:
    return await _first(tx, f"SELECT {_SPLIT} FROM share_splits WHERE id = $1 FOR NO KEY UPDATE", split_id)


async def split_of(tx: Tx, payment_id: str) -> Split | None:
    return await _first(tx, f"SELECT {_SPLIT} FROM share_splits WHERE payment_id = $1", payment_id)


async def save_split(tx: Tx, moved: Split) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE share_splits SET state = $3, reason = $4, ended_at = $5, version = $2
         WHERE id = $1 AND version = $2 - 1
        """,
        moved.id,
        moved.version,
        moved.state.value,
        moved.reason,
        moved.ended_at,
    )
    if written == 0:
        raise RetryTx


async def save_parts(tx: Tx, split_id: str, parts: Sequence[Part]) -> None:
    """New ones, or what has become of them; needs the split's lock."""
    await tx.execute(
        """
        INSERT INTO share_parts (split_id, n, worker_id, account, amount_fen, is_paid, returned_fen)
        SELECT $1, new.* FROM unnest($2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::boolean[], $7::bigint[])
               AS new (n, worker_id, account, amount_fen, is_paid, returned_fen)
        ON CONFLICT (split_id, n) DO UPDATE SET is_paid = excluded.is_paid, returned_fen = excluded.returned_fen
        """,
        split_id,
        [part.n for part in parts],
        [part.worker_id for part in parts],
        [part.account for part in parts],
        [part.amount_fen for part in parts],
        [part.is_paid for part in parts],
        [part.returned_fen for part in parts],
    )


async def splits(tx: Tx, *, before_id: str, limit: int, order_id: str | None, state: SplitState | None) -> list[Split]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_SPLIT} FROM share_splits
         WHERE id < $1 AND ($3::text IS NULL OR order_id = $3) AND ($4::text IS NULL OR state = $4)
         ORDER BY id DESC LIMIT $2
        """,
        before_id,
        limit,
        order_id,
        None if state is None else state.value,
    )
    return await _with_parts(tx, rows)


async def _first(tx: Tx, sql: str, key: str) -> Split | None:
    row = await tx.fetchrow(sql, key)
    return None if row is None else (await _with_parts(tx, [row]))[0]


async def _with_parts(tx: Tx, rows: Sequence[Any]) -> list[Split]:
    found = await tx.fetch(
        """
        SELECT split_id, n, worker_id, account, amount_fen, is_paid, returned_fen FROM share_parts
         WHERE split_id = ANY($1) ORDER BY split_id, n
        """,
        [row["id"] for row in rows],
    )
    parts: dict[str, list[Part]] = {row["id"]: [] for row in rows}
    for one in found:
        values = dict(one)
        parts[values.pop("split_id")].append(Part(**values))
    return [Split(**{**row, "state": SplitState(row["state"])}, parts=tuple(parts[row["id"]])) for row in rows]


# Returns


def _return(row: Any) -> Return | None:  # noqa: ANN401 - a row
    return None if row is None else Return(**{**row, "state": ReturnState(row["state"])})


async def insert_return(tx: Tx, new: Return) -> None:
    await tx.execute(
        """
        INSERT INTO share_returns (id, split_id, n, refund_id, amount_fen, state, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        new.id,
        new.split_id,
        new.n,
        new.refund_id,
        new.amount_fen,
        new.state.value,
        new.created_at,
    )


async def read_return(tx: Tx, return_id: str) -> Return | None:
    return _return(await tx.fetchrow(f"SELECT {_RETURN} FROM share_returns WHERE id = $1", return_id))


async def returns_of(tx: Tx, split_id: str) -> list[Return]:
    rows = await tx.fetch(f"SELECT {_RETURN} FROM share_returns WHERE split_id = $1 ORDER BY id", split_id)
    return [found for row in rows if (found := _return(row)) is not None]


async def save_return(tx: Tx, moved: Return) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE share_returns SET state = $3, reason = $4, ended_at = $5, version = $2
         WHERE id = $1 AND version = $2 - 1
        """,
        moved.id,
        moved.version,
        moved.state.value,
        moved.reason,
        moved.ended_at,
    )
    if written == 0:
        raise RetryTx
