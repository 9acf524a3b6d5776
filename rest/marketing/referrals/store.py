"""SQL of referrals: one function per statement."""

from __future__ import annotations

from typing import Any

from rest.marketing.referrals.model import Referral, Side
from storage.tx import Tx

ONE_AT_A_TIME = 5_120_167
"""Advisory lock of whoever binds: two who name each other at once would make a circle."""


async def hold_bindings(tx: Tx) -> None:
    """Wait for others who bind; they are few."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", ONE_AT_A_TIME)


async def add_code(tx: Tx, account_id: str, code: str) -> None:
    """Nothing where the account has one, or somebody else has this."""
    await tx.execute(
        "INSERT INTO referral_codes (account_id, code, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        account_id,
        code,
        tx.now,
    )


async def code_of(tx: Tx, account_id: str) -> str | None:
    found: str | None = await tx.fetchval("SELECT code FROM referral_codes WHERE account_id = $1", account_id)
    return found


async def owner_of(tx: Tx, code: str) -> str | None:
    found: str | None = await tx.fetchval("SELECT account_id FROM referral_codes WHERE code = $1", code)
    return found


async def stands_above(tx: Tx, account_id: str, below_id: str) -> bool:
    """Whether the first account brought the second, or brought whoever did, by either side of theirs."""
    found: bool = await tx.fetchval(
        """
        WITH RECURSIVE above AS (
            SELECT referrer_id FROM referrals WHERE account_id = $2
            UNION
            SELECT r.referrer_id FROM above JOIN referrals r ON r.account_id = above.referrer_id
        )
        SELECT EXISTS (SELECT FROM above WHERE referrer_id = $1)
        """,
        account_id,
        below_id,
    )
    return found


async def insert(tx: Tx, referral: Referral) -> bool:
    """False when this side of the account has a referrer."""
    written = await tx.execute(
        """
        INSERT INTO referrals (id, account_id, side, worker_id, referrer_id, name, since)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        referral.id,
        referral.account_id,
        referral.side.value,
        referral.worker_id,
        referral.referrer_id,
        referral.name,
        referral.since,
    )
    return written == 1


async def brought(tx: Tx, referrer_id: str, *, side: Side | None, before_id: str, limit: int) -> list[Referral]:
    """Whom this account brought, newest first."""
    rows = await tx.fetch(
        """
        SELECT id, account_id, side, worker_id, referrer_id, name, since FROM referrals
         WHERE referrer_id = $1 AND id < $2 AND ($3::text IS NULL OR side = $3)
         ORDER BY id DESC LIMIT $4
        """,
        referrer_id,
        before_id,
        None if side is None else side.value,
        limit,
    )
    return [_referral(row) for row in rows]


def _referral(row: Any) -> Referral:  # noqa: ANN401 - a row
    return Referral(**{**row, "side": Side(row["side"])})
