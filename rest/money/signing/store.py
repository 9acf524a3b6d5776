"""SQL of signing devices and challenges: one function per statement."""

from __future__ import annotations

from typing import Any

from rest.money.signing.model import Action, Algorithm, Challenge, Device
from storage.tx import Tx

_DEVICE = "d.id, d.account_id, d.name, d.algorithm, d.public_key, d.password_salt, d.created_at, d.used_at"
_CHALLENGE = "id, account_id, device_id, action, subject, amount_fen, nonce, created_at, expires_at, used_at"


def _device(row: Any) -> Device:  # noqa: ANN401 - a row
    return Device(**{**row, "algorithm": Algorithm(row["algorithm"])})


def _challenge(row: Any) -> Challenge:  # noqa: ANN401 - a row
    return Challenge(**{**row, "action": Action(row["action"])})


async def devices(tx: Tx, account_id: str) -> list[Device]:
    """Those that may sign now, oldest first; there are few."""
    rows = await tx.fetch(
        f"""
        SELECT {_DEVICE} FROM wallet_devices d
          JOIN wallet_passwords p ON p.account_id = d.account_id AND p.salt = d.password_salt
         WHERE d.account_id = $1 ORDER BY d.created_at, d.id
        """,
        account_id,
    )
    return [_device(row) for row in rows]


async def device(tx: Tx, device_id: str, account_id: str) -> Device | None:
    """If it may sign now."""
    row = await tx.fetchrow(
        f"""
        SELECT {_DEVICE} FROM wallet_devices d
          JOIN wallet_passwords p ON p.account_id = d.account_id AND p.salt = d.password_salt
         WHERE d.id = $1 AND d.account_id = $2
        """,
        device_id,
        account_id,
    )
    return None if row is None else _device(row)


async def forget_old(tx: Tx, account_id: str, salt: bytes) -> None:
    """Devices that were let in with another password."""
    await tx.execute("DELETE FROM wallet_devices WHERE account_id = $1 AND password_salt <> $2", account_id, salt)


async def add(tx: Tx, new: Device) -> bool:
    """False when this account has this key already."""
    written = await tx.execute(
        """
        INSERT INTO wallet_devices (id, account_id, name, algorithm, public_key, password_salt, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, public_key) DO NOTHING
        """,
        new.id,
        new.account_id,
        new.name,
        new.algorithm.value,
        new.public_key,
        new.password_salt,
        new.created_at,
    )
    return written == 1


async def remove(tx: Tx, device_id: str, account_id: str) -> bool:
    """With its challenges."""
    return await tx.execute("DELETE FROM wallet_devices WHERE id = $1 AND account_id = $2", device_id, account_id) == 1


async def add_challenge(tx: Tx, new: Challenge) -> None:
    """Those of this account that are over are forgotten."""
    await tx.execute(
        "DELETE FROM wallet_challenges WHERE account_id = $1 AND expires_at <= $2", new.account_id, new.created_at
    )
    await tx.execute(
        """
        INSERT INTO wallet_challenges (id, account_id, device_id, action, subject, amount_fen, nonce, created_at,
                                       expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        new.id,
        new.account_id,
        new.device_id,
        new.action.value,
        new.subject,
        new.amount_fen,
        new.nonce,
        new.created_at,
        new.expires_at,
    )


async def challenge(tx: Tx, challenge_id: str, account_id: str) -> Challenge | None:
    row = await tx.fetchrow(
        f"SELECT {_CHALLENGE} FROM wallet_challenges WHERE id = $1 AND account_id = $2", challenge_id, account_id
    )
    return None if row is None else _challenge(row)


async def use(tx: Tx, challenge_id: str, account_id: str) -> Challenge | None:
    """The challenge, used up now; None when it was before, its time is over, or its device may not sign any more.

    The one statement decides between two payments that want it.
    """
    row = await tx.fetchrow(
        f"""
        UPDATE wallet_challenges c SET used_at = $3
          FROM wallet_devices d JOIN wallet_passwords p ON p.account_id = d.account_id AND p.salt = d.password_salt
         WHERE c.id = $1 AND c.account_id = $2 AND c.used_at IS NULL AND $3 < c.expires_at AND d.id = c.device_id
        RETURNING {", ".join(f"c.{name}" for name in _CHALLENGE.split(", "))}
        """,
        challenge_id,
        account_id,
        tx.now,
    )
    return None if row is None else _challenge(row)


async def note_use(tx: Tx, device_id: str) -> None:
    await tx.execute("UPDATE wallet_devices SET used_at = $2 WHERE id = $1", device_id, tx.now)
