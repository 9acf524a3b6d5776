"""SQL of money in suspense: one function per statement."""

from __future__ import annotations

from typing import Any

from rest.money.channels.suspense_model import Cause, Item, ItemState
from storage.postgres import RetryTx
from storage.tx import Tx

_COLUMNS = """id, channel, ref, cause, out_trade_no, trade_no, amount_fen, total_fen, state, reason, by_id, version,
    parked_at, ended_at"""


def _item(row: Any) -> Item | None:  # noqa: ANN401 - a row
    if row is None:
        return None
    return Item(**{**row, "cause": Cause(row["cause"]), "state": ItemState(row["state"])})


async def insert(tx: Tx, item: Item) -> None:
    """Nothing happens when the transfer has its item."""
    await tx.execute(
        """
        INSERT INTO suspense_items
               (id, channel, ref, cause, out_trade_no, trade_no, amount_fen, total_fen, state, parked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (ref) DO NOTHING
        """,
        item.id,
        item.channel,
        item.ref,
        item.cause.value,
        item.out_trade_no,
        item.trade_no,
        item.amount_fen,
        item.total_fen,
        item.state.value,
        item.parked_at,
    )


async def lock(tx: Tx, item_id: str) -> Item | None:
    return _item(await tx.fetchrow(f"SELECT {_COLUMNS} FROM suspense_items WHERE id = $1 FOR UPDATE", item_id))


async def save(tx: Tx, item: Item) -> None:
    """Write what may change, over exactly the version before. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE suspense_items SET version = $2, state = $3, reason = $4, by_id = $5, ended_at = $6
         WHERE id = $1 AND version = $2 - 1
        """,
        item.id,
        item.version,
        item.state.value,
        item.reason,
        item.by_id,
        item.ended_at,
    )
    if written == 0:
        raise RetryTx


async def page(tx: Tx, *, before_id: str, limit: int, channel: str | None, state: ItemState) -> list[Item]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM suspense_items
         WHERE state = $3 AND id < $1 AND ($4::text IS NULL OR channel = $4) ORDER BY id DESC LIMIT $2
        """,
        before_id,
        limit,
        state.value,
        channel,
    )
    return [item for row in rows if (item := _item(row)) is not None]


async def faults(tx: Tx) -> list[str]:
    """Suspense accounts that are not the sum of their open items; for audits and tests."""
    rows = await tx.fetch(
        """
        SELECT format('account channel:%s:suspense holds %s fen, its open items are %s', i.channel, e.total, i.total)
          FROM (SELECT split_part(a.code, ':', 2) AS channel, coalesce(sum(e.amount_fen), 0) AS total
                  FROM ledger_accounts AS a LEFT JOIN ledger_entries AS e ON e.account_id = a.id
                 WHERE a.kind = 'channel_suspense' GROUP BY a.code) AS e
          FULL JOIN (SELECT channel, sum(amount_fen) FILTER (WHERE state = 'open') AS total
                       FROM suspense_items GROUP BY channel) AS i ON i.channel = e.channel
         WHERE coalesce(e.total, 0) <> coalesce(i.total, 0)
        """
    )
    return [row[0] for row in rows]
