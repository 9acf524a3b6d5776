"""Stored files: bytes with an owner and a purpose, in PostgreSQL, so that every process finds them and none keeps them.

A file begins with an end (`expires_at`). A domain that needs it for good attaches it to its own subject (`attach`) in
the transaction that needs it; one that stops needing it lets it go (`release`). A file belongs to one subject.
Bytes are trusted here: whoever takes them from outside has looked at them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from storage.base.errors import Conflict, NotFound, TooMany
from storage.tx import Tx

DAY = timedelta(hours=24)
RELEASED_KEPT = timedelta(hours=24)
"""A file let go stays this long: somebody may be looking at it."""

_COLUMNS = "id, owner_id, purpose, name, media_type, size, sha256, subject_id, created_at, expires_at"


class FileQuota(TooMany):
    """You have stored as much as one may in a day."""

    code = "file_quota"


class FileTaken(Conflict):
    """This file belongs to something else already."""

    code = "file_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file without its bytes. `subject_id`: what it belongs to; until then it goes at `expires_at`."""

    id: str
    owner_id: str
    purpose: str
    name: str
    media_type: str
    size: int
    sha256: bytes
    subject_id: str | None
    created_at: datetime
    expires_at: datetime | None


async def keep(
    tx: Tx,
    content: bytes,
    *,
    owner_id: str,
    purpose: str,
    media_type: str,
    name: str,
    expires_at: datetime | None = None,
    subject_id: str | None = None,
    day_bytes_max: int | None = None,
) -> StoredFile:
    """Store these bytes, for a subject or until an instant (one of the two).

    With `day_bytes_max` the owner may not have stored more than that in 24 hours; two at once wait for each other.
    Raises FileQuota.
    """
    if day_bytes_max is not None:
        await _check_day(tx, owner_id, len(content), day_bytes_max)
    row = await tx.fetchrow(
        f"""
        INSERT INTO files (id, owner_id, purpose, name, media_type, size, sha256, content, subject_id, created_at,
                           expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        RETURNING {_COLUMNS}
        """,
        tx.new_id("fil"),
        owner_id,
        purpose,
        name,
        media_type,
        len(content),
        sha256(content).digest(),
        content,
        subject_id,
        tx.now,
        expires_at,
    )
    return _file(row)


async def _check_day(tx: Tx, owner_id: str, size: int, day_bytes_max: int) -> None:
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('files'), hashtext($1))", owner_id)
    stored = await tx.fetchval(
        "SELECT coalesce(sum(size), 0)::bigint FROM files WHERE owner_id = $1 AND created_at > $2",
        owner_id,
        tx.now - DAY,
    )
    if stored + size > day_bytes_max:
        raise FileQuota(bytes_max=day_bytes_max, bytes_stored=stored)


async def read(tx: Tx, file_id: str) -> StoredFile:
    """Whoever asks must have been let in by the domain that asks. Raises NotFound, also when it has expired."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM files WHERE id = $1 AND (expires_at IS NULL OR expires_at > $2)", file_id, tx.now
    )
    if row is None:
        raise NotFound
    return _file(row)


async def names_of(tx: Tx, file_ids: Sequence[str]) -> dict[str, str]:
    """What those of them that are still there are called."""
    rows = await tx.fetch("SELECT id, name FROM files WHERE id = ANY ($1::text[])", list(file_ids))
    return {row["id"]: row["name"] for row in rows}


async def read_for_owner(tx: Tx, file_id: str, account_id: str, *, purpose: str | None = None) -> StoredFile:
    """The file if it is this account's (and of this purpose). Raises NotFound."""
    found = await read(tx, file_id)
    if found.owner_id != account_id or (purpose is not None and found.purpose != purpose):
        raise NotFound
    return found


async def content(tx: Tx, file_id: str) -> bytes:
    """The bytes of a file that `read` has given in this transaction. Raises NotFound."""
    found: bytes | None = await tx.fetchval("SELECT content FROM files WHERE id = $1", file_id)
    if found is None:
        raise NotFound
    return found


async def attach(tx: Tx, file_id: str, *, owner_id: str, purpose: str, subject_id: str) -> StoredFile:
    """The file is this subject's from now on and does not expire; again, it stays so.

    Locks: the file. Raises NotFound when it is not this owner's, of another purpose or gone; FileTaken.
    """
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM files
         WHERE id = $1 AND owner_id = $2 AND purpose = $3 AND (expires_at IS NULL OR expires_at > $4)
           FOR NO KEY UPDATE
        """,
        file_id,
        owner_id,
        purpose,
        tx.now,
    )
    if row is None:
        raise NotFound
    if row["subject_id"] not in {None, subject_id}:
        raise FileTaken
    row = await tx.fetchrow(
        f"UPDATE files SET subject_id = $2, expires_at = NULL WHERE id = $1 RETURNING {_COLUMNS}", file_id, subject_id
    )
    return _file(row)


async def release(tx: Tx, file_id: str, *, subject_id: str) -> None:
    """The subject needs the file no longer; it goes after a while. Nothing happens when it is another's."""
    await tx.execute(
        "UPDATE files SET subject_id = NULL, expires_at = $3 WHERE id = $1 AND subject_id = $2",
        file_id,
        subject_id,
        tx.now + RELEASED_KEPT,
    )


async def purge(tx: Tx, *, limit: int) -> int:
    """Forget up to `limit` files whose time is over; the number forgotten."""
    return await tx.execute(
        """
        DELETE FROM files WHERE id IN
               (SELECT id FROM files WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        tx.now,
        limit,
    )


def _file(row: Any) -> StoredFile:  # noqa: ANN401 - a row
    return StoredFile(**dict(row))
