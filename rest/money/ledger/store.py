"""SQL of the ledger: one function per statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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
    """Call `ledger_post`; the answer row has the columns listed here.

    Arrays go as their text: asyncpg looks at each element of a list for some time, and nothing here needs quoting.
    """
    accounts = [account for account, _ in moves]
    fresh = tx.new_id("lac")
    return await tx.fetchrow(
        """
        SELECT outcome, posted_id, posted_at, posted_codes, posted_amounts, posted_balances
          FROM ledger_post($1, $2, $3, $4, $5, $6, $7, $8, $9::text::text[], $10::text::bigint[], $11::text::text[],
                           $12::text::text[], $13::text::text[], $14::text::text[], $15::text::bigint[],
                           $16::text::boolean[])
        """,
        tx.new_id("trf"),
        ref,
        kind,
        order_id,
        tx.now,
        note,
        by_id,
        overdraw,
        _texts([account.code for account in accounts]),
        _numbers([amount for _, amount in moves]),
        _texts([f"{fresh}_{n}" for n in range(len(accounts))]),
        _texts([account.kind for account in accounts]),
        _texts([account.owner_id for account in accounts]),
        _texts([account.unit for account in accounts]),
        _numbers(["NULL" if account.floor_fen is None else account.floor_fen for account in accounts]),
        _numbers([account.may_overdraw for account in accounts]),
    )


def _texts(values: list[str]) -> str:
    """An array of words made of letters, digits, colons and underscores, some of them empty."""
    return '{"' + '","'.join(values) + '"}'


def _numbers(values: Sequence[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


async def is_posted(tx: Tx, ref: str) -> bool:
    found: bool = await tx.fetchval("SELECT EXISTS (SELECT 1 FROM ledger_transfers WHERE ref = $1)", ref)
    return found


async def balance(tx: Tx, code: str) -> int:
    """The running balance, else the last checkpoint and what came after; 0 for an account never used."""
    total: int | None = await tx.fetchval(
        """
        SELECT coalesce(a.balance_fen, coalesce(c.balance_fen, 0) + (
                   SELECT coalesce(sum(e.amount_fen), 0)::bigint
                     FROM ledger_entries AS e
                    WHERE e.account_id = a.id AND e.place > coalesce(c.upto_place, 0)))
          FROM ledger_accounts AS a
          LEFT JOIN LATERAL (
               SELECT balance_fen, upto_place
                 FROM ledger_checkpoints
                WHERE account_id = a.id AND a.floor_fen IS NULL
                ORDER BY upto_place DESC LIMIT 1) AS c ON true
         WHERE a.code = $1
        """,
        code,
    )
    return total or 0


async def balances(tx: Tx, codes: Sequence[str]) -> dict[str, int]:
    """Running balances of accounts with a floor; those never used are not there."""
    rows = await tx.fetch(
        "SELECT code, balance_fen FROM ledger_accounts WHERE code = ANY ($1) AND floor_fen IS NOT NULL", list(codes)
    )
    return {row["code"]: row["balance_fen"] for row in rows}


async def balance_at(tx: Tx, code: str, at: datetime) -> int:
    """The sum of the entries of transfers of `at` or before.

    Whole stretches by what their checkpoints say; entries are read of those that have younger ones too (one or two, as
    clocks are), and of what no checkpoint covers yet.
    """
    total: int | None = await tx.fetchval(
        """
        WITH account AS MATERIALIZED (
            SELECT id FROM ledger_accounts WHERE code = $1
        ), stretches AS MATERIALIZED (
            SELECT c.from_place, c.upto_place, c.sum_fen, c.last_at
              FROM account JOIN ledger_checkpoints AS c ON c.account_id = account.id
             WHERE c.first_at <= $2
        ), parts AS (
            SELECT from_place, upto_place FROM stretches WHERE last_at > $2
            UNION ALL
            SELECT coalesce((SELECT max(upto_place) FROM ledger_checkpoints WHERE account_id = account.id), 0),
                   9223372036854775807
              FROM account
        )
        SELECT coalesce((SELECT sum(sum_fen) FROM stretches WHERE last_at <= $2), 0)::bigint
               + coalesce(sum(found.total), 0)::bigint
          FROM account CROSS JOIN parts AS p CROSS JOIN LATERAL (
               SELECT sum(e.amount_fen) AS total
                 FROM ledger_entries AS e
                WHERE e.account_id = account.id AND e.place > p.from_place AND e.place <= p.upto_place
                  AND e.at <= $2) AS found
        """,
        code,
        at,
    )
    return total or 0


async def roll_up(tx: Tx, upto: int | None, number: int | None) -> tuple[int, int | None, int | None]:
    """Cover what is final, or note what will be: (written, place noted, number to wait for)."""
    row = await tx.fetchrow("SELECT written, upto, xid FROM ledger_roll_up($1, $2)", upto, number)
    return row["written"], row["upto"], row["xid"]


async def entries(tx: Tx, code: str, *, before_version: int | None, limit: int) -> list[Statement]:
    """Newest first; only accounts with a floor have a list."""
    rows = await tx.fetch(
        """
        SELECT t.id, t.kind, t.order_id, t.note, t.at, e.amount_fen, e.balance_after_fen, e.account_version
          FROM ledger_entries AS e
          JOIN ledger_transfers AS t ON t.id = e.transfer_id
         WHERE e.account_id = (SELECT id FROM ledger_accounts WHERE code = $1)
           AND e.account_version IS NOT NULL
           AND ($2::bigint IS NULL OR e.place < $2)
         ORDER BY e.place DESC
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


async def size(tx: Tx) -> dict[str, int]:
    """How many rows the book has."""
    row = await tx.fetchrow(
        """
        SELECT (SELECT count(*) FROM ledger_accounts) AS accounts,
               (SELECT count(*) FROM ledger_transfers) AS transfers,
               (SELECT count(*) FROM ledger_entries) AS entries,
               (SELECT count(*) FROM ledger_checkpoints) AS checkpoints
        """
    )
    return dict(row)


async def credits_of(tx: Tx, owner_id: str, limit: int) -> list[tuple[str, int]]:
    """Codes and balances of what a customer may spend on single workers, the largest first."""
    rows = await tx.fetch(
        """
        SELECT code, balance_fen FROM ledger_accounts
         WHERE owner_id = $1 AND kind = 'customer_credit' AND balance_fen > 0 ORDER BY balance_fen DESC, code LIMIT $2
        """,
        owner_id,
        limit,
    )
    return [(row["code"], row["balance_fen"]) for row in rows]
