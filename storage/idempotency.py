"""Idempotency keys: the same key and body give the same answer and one effect.

The key row is inserted in the transaction of the effect, so there is no half-known request: a second sender waits at
the insert until the first has committed (and then gets its answer) or rolled back (and then does the work itself).
Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from storage.base.errors import Invalid
from storage.tx import KeptAnswer, Tx


class KeyReused(Invalid):
    """This Idempotency-Key was used with another request body."""

    code = "key_reused"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first request was answered; `headers` is a JSON text."""

    status: int
    headers: str
    body: bytes


async def claim(tx: Tx, scope: str, key: str, fingerprint: bytes) -> StoredAnswer | None:
    """Take the key for this transaction, or return the answer already given under it.

    Raises KeyReused when the key was used with another fingerprint. Waits while another transaction holds the key.
    """
    claimed = await tx.fetchval(
        """
        INSERT INTO idempotency_keys (scope, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (scope, key) DO NOTHING RETURNING true
        """,
        scope,
        key,
        fingerprint,
        tx.now,
    )
    if claimed:
        return None
    row = await tx.fetchrow(
        "SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE scope = $1 AND key = $2", scope, key
    )
    if row["fingerprint"] != fingerprint:
        raise KeyReused
    return StoredAnswer(row["status"], row["headers"], row["body"])


def store(tx: Tx, scope: str, key: str, answer: StoredAnswer, *, fingerprint: bytes | None = None) -> None:
    """Remember the answer; written with the facts and deadlines of the transaction, just before it commits.

    With `fingerprint` the key, not claimed before, is taken at that moment: the transaction fails (`is_taken`) when
    somebody has it, and the caller starts over with `claim`.
    """
    tx.pending.answer = KeptAnswer(scope, key, fingerprint, answer.status, answer.headers, answer.body)


def is_taken(problem: asyncpg.UniqueViolationError) -> bool:
    """Whether a transaction failed because its idempotency key was taken by another."""
    return bool(problem.constraint_name == "idempotency_keys_pkey")


async def purge(tx: Tx, before: datetime, *, limit: int) -> int:
    """Forget up to `limit` keys older than `before`; the number forgotten."""
    return await tx.execute(
        """
        DELETE FROM idempotency_keys WHERE (scope, key) IN
               (SELECT scope, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)
        """,
        before,
        limit,
    )
