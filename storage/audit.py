"""The audit of what staff do: one row in the transaction of each change. Rows never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.base import codec
from storage.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One change. `subject`: which things it was about, by the names of their ids; `body`: what was asked for."""

    id: str
    at: datetime
    actor_id: str
    operation: str
    subject: Mapping[str, str]
    body: Mapping[str, Any] | None
    status: int
    outcome_version: str | None
    request_id: str
    address: str


async def write(tx: Tx, deed: Deed) -> None:
    await tx.execute(
        """
        INSERT INTO audit (id, at, actor_id, operation, subject, subject_ids, body, status, outcome_version, request_id,
                           address)
        VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7::jsonb, $8, $9, $10, $11)
        """,
        deed.id,
        deed.at,
        deed.actor_id,
        deed.operation,
        codec.dumps(deed.subject).decode(),
        list(deed.subject.values()),
        None if deed.body is None else codec.dumps(deed.body).decode(),
        deed.status,
        deed.outcome_version,
        deed.request_id,
        deed.address,
    )


async def page(
    tx: Tx,
    *,
    before_id: str,
    limit: int,
    actor_id: str | None = None,
    operation: str | None = None,
    subject_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Deed]:
    """Newest first, older than `before_id`, in [since, until)."""
    rows = await tx.fetch(
        """
        SELECT id, at, actor_id, operation, subject, body, status, outcome_version, request_id, address
          FROM audit
         WHERE id < $1
           AND ($3::text IS NULL OR actor_id = $3)
           AND ($4::text IS NULL OR operation = $4)
           AND ($5::text IS NULL OR subject_ids @> ARRAY[$5])
           AND ($6::timestamptz IS NULL OR at >= $6)
           AND ($7::timestamptz IS NULL OR at < $7)
         ORDER BY id DESC
         LIMIT $2
        """,
        before_id,
        limit,
        actor_id,
        operation,
        subject_id,
        since,
        until,
    )
    return [_deed(row) for row in rows]


def _deed(row: Any) -> Deed:  # noqa: ANN401 - a row
    values = dict(row)
    values["subject"] = codec.loads(values["subject"])
    values["body"] = None if values["body"] is None else codec.loads(values["body"])
    return Deed(**values)
