"""SQL of bank transfers: one function per statement."""

from __future__ import annotations

from typing import Any

from rest.money.transfers.model import Transfer, TransferState
from storage.postgres import RetryTx
from storage.tx import Tx

_COLUMNS = """payment_id, order_id, account_id, amount_fen, file_id, state, bank_ref, reason, decided_by, version,
    sent_at, decided_at"""


def _transfer(row: Any) -> Transfer | None:  # noqa: ANN401 - a row
    return None if row is None else Transfer(**{**row, "state": TransferState(row["state"])})


async def insert(tx: Tx, one: Transfer) -> None:
    await tx.execute(
        """
        INSERT INTO transfers (payment_id, order_id, account_id, amount_fen, file_id, state, sent_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        one.payment_id,
        one.order_id,
        one.account_id,
        one.amount_fen,
        one.file_id,
        one.state.value,
        one.sent_at,
    )


async def read(tx: Tx, payment_id: str) -> Transfer | None:
    return _transfer(await tx.fetchrow(f"SELECT {_COLUMNS} FROM transfers WHERE payment_id = $1", payment_id))


async def lock(tx: Tx, payment_id: str) -> Transfer | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM transfers WHERE payment_id = $1 FOR UPDATE", payment_id)
    return _transfer(row)


async def save(tx: Tx, one: Transfer) -> None:
    """Write the decision over exactly the version before. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE transfers SET state = $3, bank_ref = $4, reason = $5, decided_by = $6, decided_at = $7, version = $2
         WHERE payment_id = $1 AND version = $2 - 1
        """,
        one.payment_id,
        one.version,
        one.state.value,
        one.bank_ref,
        one.reason,
        one.decided_by,
        one.decided_at,
    )
    if written == 0:
        raise RetryTx


async def take_ref(tx: Tx, bank_ref: str) -> bool:
    """Whether no transfer has this number; who asks for the same one at the same moment waits."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('transfers'), hashtext($1))", bank_ref)
    used: bool = await tx.fetchval("SELECT EXISTS (SELECT FROM transfers WHERE bank_ref = $1)", bank_ref)
    return not used


async def page(tx: Tx, *, state: str, before_id: str, limit: int) -> list[Transfer]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM transfers WHERE state = $1 AND payment_id < $2
         ORDER BY payment_id DESC LIMIT $3
        """,
        state,
        before_id,
        limit,
    )
    return [found for row in rows if (found := _transfer(row)) is not None]
