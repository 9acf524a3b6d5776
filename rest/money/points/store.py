"""SQL of points: one function per statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest.money.points.model import Lot, Totals, Use
from storage.postgres import RetryTx
from storage.tx import Tx

_TOTALS = "available, pending, held, owed, earned, used, expired, clawed, version"
_LOT = """id, account_id, ref, reason, earned, held, used, expired, clawed, repaid, undone, is_pending, available_at,
    expires_at, created_at, version"""
_USE = "holder_id, lot_id, account_id, held, used, returned, version"


def _lot(row: Any) -> Lot:  # noqa: ANN401 - a row
    return Lot(**row)


async def totals(tx: Tx, account_id: str) -> Totals | None:
    row = await tx.fetchrow(f"SELECT {_TOTALS} FROM points_purses WHERE account_id = $1", account_id)
    return None if row is None else Totals(**row)


async def lock_purse(tx: Tx, account_id: str) -> Totals | None:
    row = await tx.fetchrow(f"SELECT {_TOTALS} FROM points_purses WHERE account_id = $1 FOR NO KEY UPDATE", account_id)
    return None if row is None else Totals(**row)


async def add_purse(tx: Tx, account_id: str) -> None:
    """Waits for whoever makes the same purse now."""
    await tx.execute("INSERT INTO points_purses (account_id) VALUES ($1) ON CONFLICT DO NOTHING", account_id)


async def save_purse(tx: Tx, account_id: str, after: Totals) -> None:
    """Over exactly the version that was locked. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE points_purses
           SET available = $3, pending = $4, held = $5, owed = $6, earned = $7, used = $8, expired = $9, clawed = $10,
               version = $2 + 1
         WHERE account_id = $1 AND version = $2
        """,
        account_id,
        after.version,
        after.available,
        after.pending,
        after.held,
        after.owed,
        after.earned,
        after.used,
        after.expired,
        after.clawed,
    )
    if written == 0:
        raise RetryTx


async def lots(tx: Tx, account_id: str, also: Sequence[str]) -> list[Lot]:
    """Lots with something left, and these. Needs the purse's lock."""
    rows = await tx.fetch(
        f"""
        SELECT {_LOT} FROM points_lots WHERE account_id = $1 AND "left" > 0
         UNION SELECT {_LOT} FROM points_lots WHERE account_id = $1 AND id = ANY($2)
        """,
        account_id,
        list(also),
    )
    return [_lot(row) for row in rows]


async def lot_of_ref(tx: Tx, ref: str) -> Lot | None:
    row = await tx.fetchrow(f"SELECT {_LOT} FROM points_lots WHERE ref = $1", ref)
    return None if row is None else _lot(row)


async def lot(tx: Tx, lot_id: str) -> Lot | None:
    row = await tx.fetchrow(f"SELECT {_LOT} FROM points_lots WHERE id = $1", lot_id)
    return None if row is None else _lot(row)


async def lots_of_account(tx: Tx, account_id: str, *, before_id: str, limit: int) -> list[Lot]:
    """Newest first."""
    rows = await tx.fetch(
        f"SELECT {_LOT} FROM points_lots WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        account_id,
        before_id,
        limit,
    )
    return [_lot(row) for row in rows]


async def add_lot(tx: Tx, new: Lot) -> None:
    await tx.execute(
        """
        INSERT INTO points_lots (id, account_id, ref, reason, earned, repaid, is_pending, available_at, expires_at,
                                 created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        new.id,
        new.account_id,
        new.ref,
        new.reason,
        new.earned,
        new.repaid,
        new.is_pending,
        new.available_at,
        new.expires_at,
        new.created_at,
    )


async def save_lots(tx: Tx, changed: Sequence[Lot]) -> None:
    """Over exactly the versions that were read. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE points_lots l
           SET held = new.held, used = new.used, expired = new.expired, clawed = new.clawed, repaid = new.repaid,
               undone = new.undone, is_pending = new.is_pending, version = l.version + 1
          FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                      $8::bigint[], $9::bool[])
               AS new (id, version, held, used, expired, clawed, repaid, undone, is_pending)
         WHERE l.id = new.id AND l.version = new.version
        """,
        [lot.id for lot in changed],
        [lot.version for lot in changed],
        [lot.held for lot in changed],
        [lot.used for lot in changed],
        [lot.expired for lot in changed],
        [lot.clawed for lot in changed],
        [lot.repaid for lot in changed],
        [lot.undone for lot in changed],
        [lot.is_pending for lot in changed],
    )
    if written != len(changed):
        raise RetryTx


async def uses(tx: Tx, holder_id: str) -> list[Use]:
    rows = await tx.fetch(f"SELECT {_USE} FROM points_uses WHERE holder_id = $1 ORDER BY lot_id", holder_id)
    return [Use(**row) for row in rows]


async def holder_account(tx: Tx, holder_id: str) -> str | None:
    """Whose points this holder has."""
    account_id: str | None = await tx.fetchval(
        "SELECT account_id FROM points_uses WHERE holder_id = $1 LIMIT 1", holder_id
    )
    return account_id


async def save_uses(tx: Tx, changed: Sequence[Use]) -> None:
    """What each has now; `returned` of an earlier hold adds up. Needs the purse's lock."""
    await tx.execute(
        """
        INSERT INTO points_uses AS u (holder_id, lot_id, account_id, held, used, returned)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
            ON CONFLICT (holder_id, lot_id) DO UPDATE
           SET held = excluded.held, used = excluded.used, returned = greatest(u.returned, excluded.returned),
               version = u.version + 1
        """,
        [use.holder_id for use in changed],
        [use.lot_id for use in changed],
        [use.account_id for use in changed],
        [use.held for use in changed],
        [use.used for use in changed],
        [use.returned for use in changed],
    )


async def expiring(tx: Tx, account_id: str, before: Any) -> int:  # noqa: ANN401 - an instant
    """How many points end before this instant (FR-091)."""
    points: int = await tx.fetchval(
        """
        SELECT coalesce(sum("left"), 0)::bigint FROM points_lots
         WHERE account_id = $1 AND "left" > 0 AND expires_at < $2
        """,
        account_id,
        before,
    )
    return points


async def add_return(tx: Tx, ref: str, account_id: str, points: int) -> bool:
    """Whether this return is new. Needs the purse's lock."""
    written = await tx.execute(
        "INSERT INTO points_returns (ref, account_id, points, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        ref,
        account_id,
        points,
        tx.now,
    )
    return written == 1
