"""SQL of withdrawals, their events and payouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import asyncpg

from rest.money.withdrawals.model import BankRefUsed, Event, Owner, Payee, PayoutMethod, Withdrawal, WithdrawalState
from storage.tx import Tx

_COLUMNS = """id, owner_kind, owner_id, account_id, method, payee, payee_no, amount_fen, state, reason, version, day,
    requested_at, changed_at"""


class Payout(NamedTuple):
    """What was handed to the outside: by which adapter, and the outside's number."""

    adapter: str
    ref: str | None


def _withdrawal(row: Any) -> Withdrawal:  # noqa: ANN401 - a row
    values = dict(row)
    values["owner"] = Owner(values.pop("owner_kind"), values.pop("owner_id"))
    values["payee"] = Payee(
        method=PayoutMethod(values.pop("method")), name=values.pop("payee"), number=values.pop("payee_no")
    )
    values["state"] = WithdrawalState(values["state"])
    return Withdrawal(**values)


async def insert(tx: Tx, new: Withdrawal) -> None:
    await tx.execute(
        f"""
        INSERT INTO withdrawals ({_COLUMNS})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        new.id,
        new.owner.kind,
        new.owner.id,
        new.account_id,
        new.payee.method.value,
        new.payee.name,
        new.payee.number,
        new.amount_fen,
        new.state.value,
        new.reason,
        new.version,
        new.day,
        new.requested_at,
        new.changed_at,
    )


async def asked_on(tx: Tx, owner: Owner, day: date) -> tuple[int, int]:
    """How many withdrawals of this day are open or gone, and their sum, fen."""
    row = await tx.fetchrow(
        """
        SELECT count(*) AS times, coalesce(sum(amount_fen), 0)::bigint AS total
          FROM withdrawals
         WHERE owner_kind = $1 AND owner_id = $2 AND day = $3 AND state NOT IN ('rejected', 'failed')
        """,
        owner.kind,
        owner.id,
        day,
    )
    return row["times"], row["total"]


async def lock(tx: Tx, withdrawal_id: str) -> Withdrawal | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM withdrawals WHERE id = $1 FOR NO KEY UPDATE", withdrawal_id)
    return None if row is None else _withdrawal(row)


async def read(tx: Tx, withdrawal_id: str) -> Withdrawal | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM withdrawals WHERE id = $1", withdrawal_id)
    return None if row is None else _withdrawal(row)


async def save(tx: Tx, moved: Withdrawal) -> None:
    """Needs the lock."""
    await tx.execute(
        "UPDATE withdrawals SET state = $2, reason = $3, version = $4, changed_at = $5 WHERE id = $1",
        moved.id,
        moved.state.value,
        moved.reason,
        moved.version,
        moved.changed_at,
    )


async def page(
    tx: Tx, *, before_id: str, limit: int, owner: Owner | None = None, states: Sequence[WithdrawalState] | None = None
) -> list[Withdrawal]:
    """Newest first, older than `before_id`; of one owner, in these states."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM withdrawals
         WHERE id < $1 AND ($3::text IS NULL OR (owner_kind = $3 AND owner_id = $4))
           AND ($5::text[] IS NULL OR state = ANY($5))
         ORDER BY id DESC
         LIMIT $2
        """,
        before_id,
        limit,
        None if owner is None else owner.kind,
        None if owner is None else owner.id,
        None if states is None else [state.value for state in states],
    )
    return [_withdrawal(row) for row in rows]


async def insert_event(tx: Tx, event: Event) -> None:
    await tx.execute(
        """
        INSERT INTO withdrawal_events (withdrawal_id, n, at, actor, verb, from_state, to_state, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        event.withdrawal_id,
        event.n,
        event.at,
        event.actor,
        event.verb,
        event.from_state,
        event.to_state,
        event.detail,
    )


async def events(tx: Tx, withdrawal_id: str) -> list[Event]:
    """Oldest first; a withdrawal has five at most."""
    rows = await tx.fetch(
        """
        SELECT withdrawal_id, n, at, actor, verb, from_state, to_state, detail
          FROM withdrawal_events WHERE withdrawal_id = $1 ORDER BY n
        """,
        withdrawal_id,
    )
    return [Event(**dict(row)) for row in rows]


# Payouts


async def begin_payout(tx: Tx, withdrawal_id: str, adapter: str) -> None:
    """The first adapter that was given a withdrawal keeps it."""
    await tx.execute(
        "INSERT INTO payouts (withdrawal_id, adapter, begun_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        withdrawal_id,
        adapter,
        tx.now,
    )


async def payout(tx: Tx, withdrawal_id: str) -> Payout | None:
    row = await tx.fetchrow("SELECT adapter, ref FROM payouts WHERE withdrawal_id = $1", withdrawal_id)
    return None if row is None else Payout(row["adapter"], row["ref"])


async def save_ref(tx: Tx, withdrawal_id: str, ref: str) -> None:
    """Raises BankRefUsed; nothing else may be done in the transaction then."""
    try:
        await tx.execute("UPDATE payouts SET ref = $2 WHERE withdrawal_id = $1", withdrawal_id, ref)
    except asyncpg.UniqueViolationError:
        raise BankRefUsed from None
