"""One-time codes that prove the customer is there: six digits shown on his phone, valid once and for minutes.

Only a keyed hash is kept, and a code dies after TRIES_MAX wrong tries, so six digits are enough (HS-104).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from rest.lines.homeservice.errors import CodeInvalid, CodeUsed, StartCodeExpired
from storage.tx import Tx

TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class ServiceCode:
    """A code as shown to the customer."""

    code: str
    expires_at: datetime


async def issue(tx: Tx, order_id: str, ttl_s: int) -> ServiceCode:
    """A fresh code; the one before is void."""
    issued = ServiceCode(f"{secrets.randbelow(10**6):06d}", tx.now + timedelta(seconds=ttl_s))
    await tx.execute(
        """
        INSERT INTO service_codes (order_id, code_hash, issued_at, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (order_id) DO UPDATE
           SET code_hash = EXCLUDED.code_hash, issued_at = EXCLUDED.issued_at, expires_at = EXCLUDED.expires_at,
               used_at = NULL, tries = 0
        """,
        order_id,
        _hash(order_id, issued.code),
        tx.now,
        issued.expires_at,
    )
    return issued


async def use(tx: Tx, order_id: str, code: str) -> None:
    """Use the order's code up. Raises CodeInvalid, StartCodeExpired, CodeUsed."""
    row = await tx.fetchrow(
        "SELECT code_hash, expires_at, used_at, tries FROM service_codes WHERE order_id = $1 FOR UPDATE", order_id
    )
    if row is None or not hmac.compare_digest(row["code_hash"], _hash(order_id, code)):
        raise CodeInvalid
    if row["used_at"] is not None:
        raise CodeUsed
    if row["expires_at"] <= tx.now or row["tries"] >= TRIES_MAX:
        raise StartCodeExpired
    await tx.execute("UPDATE service_codes SET used_at = $2 WHERE order_id = $1", order_id, tx.now)


async def count_wrong_try(tx: Tx, order_id: str) -> None:
    """Remember a wrong try; in a transaction of its own, for the one that tried is undone."""
    await tx.execute("UPDATE service_codes SET tries = tries + 1 WHERE order_id = $1", order_id)


def _hash(order_id: str, code: str) -> bytes:
    return sha256(f"start code {order_id} {code}".encode()).digest()
