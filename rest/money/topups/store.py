"""SQL of top-ups, tiers and offers: one function per statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from rest.money.topups.model import Kind, Offer, Past, Tier, TierExists, Topup, TopupState
from storage.base import codec
from storage.postgres import RetryTx
from storage.tx import Tx

_TOPUP = """id, account_id, kind, worker_id, amount_fen, tier_id, offer_id, bonus_fen, bonus_points, bonus_coupon,
    method, state, reason, version, created_at, expires_at, paid_at, closed_at"""
_TIER = "id, kind, amount_fen, place, active, version, changed_by, created_at, updated_at"
_OFFER = """id, name, kind, tier_ids, bonus_fen, bonus_points, bonus_coupon, first_time_only, valid_from, valid_until,
    per_account_max, place, active, version, changed_by, created_at, updated_at"""


def _topup(row: Any) -> Topup:  # noqa: ANN401 - a row
    return Topup(**{**row, "kind": Kind(row["kind"]), "state": TopupState(row["state"])})


def _tier(row: Any) -> Tier:  # noqa: ANN401 - a row
    return Tier(**{**row, "kind": Kind(row["kind"])})


def _offer(row: Any) -> Offer:  # noqa: ANN401 - a row
    values = {"kind": Kind(row["kind"]), "name": codec.loads(row["name"]), "tier_ids": tuple(row["tier_ids"])}
    return Offer(**{**row, **values})


async def add(tx: Tx, new: Topup) -> None:
    await tx.execute(
        """
        INSERT INTO topups (id, account_id, kind, worker_id, amount_fen, tier_id, offer_id, bonus_fen, bonus_points,
                            bonus_coupon, method, state, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        new.id,
        new.account_id,
        new.kind.value,
        new.worker_id,
        new.amount_fen,
        new.tier_id,
        new.offer_id,
        new.bonus_fen,
        new.bonus_points,
        new.bonus_coupon,
        new.method,
        new.state.value,
        new.created_at,
        new.expires_at,
    )


async def lock(tx: Tx, topup_id: str) -> Topup | None:
    row = await tx.fetchrow(f"SELECT {_TOPUP} FROM topups WHERE id = $1 FOR NO KEY UPDATE", topup_id)
    return None if row is None else _topup(row)


async def find(tx: Tx, topup_id: str, account_id: str) -> Topup | None:
    row = await tx.fetchrow(f"SELECT {_TOPUP} FROM topups WHERE id = $1 AND account_id = $2", topup_id, account_id)
    return None if row is None else _topup(row)


async def save(tx: Tx, before: Topup, after: Topup) -> bool:
    """Under the state and version it was read with."""
    written = await tx.execute(
        """
        UPDATE topups SET state = $4, reason = $5, paid_at = $6, closed_at = $7, version = $8, offer_id = $9,
                          bonus_fen = $10, bonus_points = $11, bonus_coupon = $12
         WHERE id = $1 AND state = $2 AND version = $3
        """,
        before.id,
        before.state.value,
        before.version,
        after.state.value,
        after.reason,
        after.paid_at,
        after.closed_at,
        after.version,
        after.offer_id,
        after.bonus_fen,
        after.bonus_points,
        after.bonus_coupon,
    )
    return written == 1


async def of_account(
    tx: Tx, account_id: str | None, *, kinds: Sequence[str], state: str | None, before_id: str, limit: int
) -> list[Topup]:
    """Newest first; all accounts' for None."""
    rows = await tx.fetch(
        f"""
        SELECT {_TOPUP} FROM topups
         WHERE ($1::text IS NULL OR account_id = $1) AND kind = ANY($2) AND ($3::text IS NULL OR state = $3) AND id < $4
         ORDER BY id DESC LIMIT $5
        """,
        account_id,
        list(kinds),
        state,
        before_id,
        limit,
    )
    return [_topup(row) for row in rows]


async def hold_account(tx: Tx, account_id: str) -> None:
    """Others who count this account's top-ups wait for this transaction."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('topups ' || $1, 0))", account_id)


async def past(tx: Tx, account_id: str, kind: Kind) -> Past:
    """What is paid or waits for its money; what was closed counts for nothing."""
    rows = await tx.fetch(
        """
        SELECT offer_id, count(*) AS times FROM topups
         WHERE account_id = $1 AND kind = $2 AND state <> 'closed' GROUP BY offer_id
        """,
        account_id,
        kind.value,
    )
    return Past(is_first=not rows, taken={row["offer_id"]: row["times"] for row in rows if row["offer_id"]})


# Tiers


async def add_tier(tx: Tx, new: Tier) -> None:
    """Raises TierExists."""
    try:
        await tx.execute(
            f"INSERT INTO topup_tiers ({_TIER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            new.id,
            new.kind.value,
            new.amount_fen,
            new.place,
            new.active,
            new.version,
            new.changed_by,
            new.created_at,
            new.updated_at,
        )
    except asyncpg.UniqueViolationError:
        raise TierExists from None


async def save_tier(tx: Tx, after: Tier) -> None:
    """Raises TierExists; RetryTx when it moved."""
    try:
        written = await tx.execute(
            """
            UPDATE topup_tiers SET place = $3, active = $4, version = $2, changed_by = $5, updated_at = $6
             WHERE id = $1 AND version = $2 - 1
            """,
            after.id,
            after.version,
            after.place,
            after.active,
            after.changed_by,
            after.updated_at,
        )
    except asyncpg.UniqueViolationError:
        raise TierExists from None
    if written == 0:
        raise RetryTx


async def tier(tx: Tx, tier_id: str, *, lock: bool = False) -> Tier | None:
    row = await tx.fetchrow(
        f"SELECT {_TIER} FROM topup_tiers WHERE id = $1 {'FOR NO KEY UPDATE' if lock else ''}", tier_id
    )
    return None if row is None else _tier(row)


async def tiers(tx: Tx, *, before_id: str, limit: int) -> list[Tier]:
    """Newest first."""
    rows = await tx.fetch(f"SELECT {_TIER} FROM topup_tiers WHERE id < $1 ORDER BY id DESC LIMIT $2", before_id, limit)
    return [_tier(row) for row in rows]


async def open_tiers(tx: Tx, kind: Kind, limit: int) -> list[Tier]:
    rows = await tx.fetch(
        f"SELECT {_TIER} FROM topup_tiers WHERE kind = $1 AND active ORDER BY place, amount_fen LIMIT $2",
        kind.value,
        limit,
    )
    return [_tier(row) for row in rows]


# Offers


async def add_offer(tx: Tx, new: Offer) -> None:
    await tx.execute(
        f"""
        INSERT INTO topup_offers ({_OFFER})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        """,
        *_offer_values(new),
    )


async def save_offer(tx: Tx, after: Offer) -> None:
    """Raises RetryTx when it moved."""
    written = await tx.execute(
        """
        UPDATE topup_offers
           SET name = $2, kind = $3, tier_ids = $4, bonus_fen = $5, bonus_points = $6, bonus_coupon = $7,
               first_time_only = $8, valid_from = $9, valid_until = $10, per_account_max = $11, place = $12,
               active = $13, version = $14, changed_by = $15, created_at = $16, updated_at = $17
         WHERE id = $1 AND version = $14 - 1
        """,
        *_offer_values(after),
    )
    if written == 0:
        raise RetryTx


def _offer_values(offer: Offer) -> tuple[Any, ...]:
    return (
        offer.id,
        codec.dumps(dict(offer.name)).decode(),
        offer.kind.value,
        list(offer.tier_ids),
        offer.bonus_fen,
        offer.bonus_points,
        offer.bonus_coupon,
        offer.first_time_only,
        offer.valid_from,
        offer.valid_until,
        offer.per_account_max,
        offer.place,
        offer.active,
        offer.version,
        offer.changed_by,
        offer.created_at,
        offer.updated_at,
    )


async def offer(tx: Tx, offer_id: str, *, lock: bool = False) -> Offer | None:
    row = await tx.fetchrow(
        f"SELECT {_OFFER} FROM topup_offers WHERE id = $1 {'FOR NO KEY UPDATE' if lock else ''}", offer_id
    )
    return None if row is None else _offer(row)


async def offers(tx: Tx, *, before_id: str, limit: int) -> list[Offer]:
    """Newest first."""
    rows = await tx.fetch(
        f"SELECT {_OFFER} FROM topup_offers WHERE id < $1 ORDER BY id DESC LIMIT $2", before_id, limit
    )
    return [_offer(row) for row in rows]


async def offers_of_kind(tx: Tx, kind: Kind) -> list[Offer]:
    """Active ones; ops keep few, and the first of them are looked at."""
    rows = await tx.fetch(
        f"SELECT {_OFFER} FROM topup_offers WHERE kind = $1 AND active ORDER BY place, id LIMIT 200", kind.value
    )
    return [_offer(row) for row in rows]
