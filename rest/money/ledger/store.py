"""SQL of the ledger: one function per statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest.money.ledger.model import Account, Statement
from storage.tx import Tx


async def post(
    tx: Tx,
    *,
    ref: str,
    kind: str,
    order_id: str | None,
    note: str | None,
    by_id: str | None,
    overdraw: bool,
    moves: Sequence[tuple[Account, int]],
) -> Any:  # noqa: ANN401 - a row
    """Call `ledger_post`; the answer row has the columns listed here."""
    accounts = [account for account, _ in moves]
    return await tx.fetchrow(
        """
        SELECT outcome, posted_id, posted_at, posted_codes, posted_amounts, posted_balances
          FROM ledger_post($1, $2, $3, $4, $5, $6, $7, $8, $9::text[], $10::bigint[], $11::text[],
                           $12::text[], $13::text[], $14::text[], $15::bigint[], $16::boolean[])
        """,
        tx.new_id("trf"),
        ref,
        kind,
        order_id,
        tx.now,
        note,
        by_id,
        overdraw,
        [account.code for account in accounts],
        [amount for _, amount in moves],
        [tx.new_id("lac") for _ in accounts],
        [account.kind for account in accounts],
        [account.owner_id for account in accounts],
        [account.unit.value for account in accounts],
        [account.floor_fen for account in accounts],
        [account.may_overdraw for account in accounts],
    )


async def is_posted(tx: Tx, ref: str) -> bool:
    found: bool = await tx.fetchval("SELECT EXISTS (SELECT 1 FROM ledger_transfers WHERE ref = $1)", ref)
    return found


async def balance(tx: Tx, code: str) -> int:
    """The running balance where there is one, the sum of entries otherwise; 0 for an account never used."""
    total: int | None = await tx.fetchval(
        """
        SELECT coalesce(a.balance_fen, (
                   SELECT coalesce(sum(e.amount_fen), 0)::bigint
                     FROM ledger_entries AS e
                    WHERE e.account_id = a.id AND e.account_version IS NULL))
          FROM ledger_accounts AS a
         WHERE a.code = $1
        """,
        code,
    )
    return total or 0


async def entries(tx: Tx, code: str, *, before_version: int | None, limit: int) -> list[Statement]:
    """Newest first; only accounts with a floor have a list."""
    rows = await tx.fetch(
        """
        SELECT t.id, t.kind, t.order_id, t.note, t.at, e.amount_fen, e.balance_after_fen, e.account_version
          FROM ledger_entries AS e
          JOIN ledger_transfers AS t ON t.id = e.transfer_id
         WHERE e.account_id = (SELECT id FROM ledger_accounts WHERE code = $1)
           AND e.account_version IS NOT NULL
           AND ($2::bigint IS NULL OR e.account_version < $2)
         ORDER BY e.account_version DESC
         LIMIT $3
        """,
        code,
        before_version,
        limit,
    )
    return [Statement(*row) for row in rows]


async def faults(tx: Tx) -> list[str]:
    """What the database itself finds wrong with the book."""
    return [row[0] for row in await tx.fetch("SELECT fault FROM ledger_faults() AS fault")]


async def accounts(tx: Tx) -> list[Any]:
    """Every account as stored; for `verify` only."""
    return await tx.fetch("SELECT code, kind, owner_id, unit, floor_fen, may_overdraw FROM ledger_accounts ORDER BY id")
