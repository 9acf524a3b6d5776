"""SQL of broadcasts: one statement per function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rest.reach.broadcasts.model import Broadcast, BroadcastState, Counts
from rest.reach.kinds import BROADCAST
from storage.base import codec
from storage.tx import Tx

COLUMNS = """id, title, body, link, audience, tenant_id, account_ids, state, send_at, created_by, created_at, begun_at,
             ended_at, place, told, sent, delivered, failed, opened, counted_at, version"""

BEST_FIRST = ("delivered", "sent", "queued", "held", "failed", "given_up", "dropped")
"""Of several devices of one person the best counts."""
REACHED, ARRIVED, LOST = 2, 1, (5, 6)
"""Places in it: taken by a provider or better, confirmed by the device, and neither now nor later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One who was told. `push`: how the best of his deliveries stands; None: the inbox alone."""

    no: int
    account_id: str
    notice_id: str
    told_at: datetime
    opened_at: datetime | None
    push: str | None


def _broadcast(row: Any) -> Broadcast:  # noqa: ANN401 - a row
    fields = dict(row.items())
    counts = Counts(*(fields.pop(name) for name in ("told", "sent", "delivered", "failed", "opened")))
    fields |= {"title": codec.loads(row["title"]), "body": codec.loads(row["body"]), "counts": counts}
    return Broadcast(
        **{**fields, "state": BroadcastState(row["state"]), "account_ids": tuple(row["account_ids"] or ())}
    )


async def add(tx: Tx, one: Broadcast) -> None:
    await tx.execute(
        """
        INSERT INTO broadcasts (id, title, body, link, audience, tenant_id, account_ids, state, send_at, created_by,
                                created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        one.id,
        codec.dumps(dict(one.title)).decode(),
        codec.dumps(dict(one.body)).decode(),
        one.link,
        one.audience,
        one.tenant_id,
        list(one.account_ids) or None,
        one.state.value,
        one.send_at,
        one.created_by,
        one.created_at,
    )


async def find(tx: Tx, broadcast_id: str, *, lock: bool = False) -> Broadcast | None:
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM broadcasts WHERE id = $1 {'FOR NO KEY UPDATE' if lock else ''}", broadcast_id
    )
    return None if row is None else _broadcast(row)


async def page(tx: Tx, *, state: str | None, before_id: str, limit: int) -> list[Broadcast]:
    """Newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM broadcasts WHERE id < $1 AND ($2::text IS NULL OR state = $2) ORDER BY id DESC LIMIT $3
        """,
        before_id,
        state,
        limit,
    )
    return [_broadcast(row) for row in rows]


async def save(tx: Tx, after: Broadcast) -> None:
    """The row is locked by the caller."""
    await tx.execute(
        """
        UPDATE broadcasts SET state = $2, begun_at = $3, ended_at = $4, place = $5, told = $6, version = $7
         WHERE id = $1 AND version = $7 - 1
        """,
        after.id,
        after.state.value,
        after.begun_at,
        after.ended_at,
        after.place,
        after.counts.told,
        after.version,
    )


async def save_counts(tx: Tx, broadcast_id: str, counts: Counts) -> None:
    await tx.execute(
        """
        UPDATE broadcasts SET sent = $2, delivered = $3, failed = $4, opened = $5, counted_at = $6 WHERE id = $1
        """,
        broadcast_id,
        counts.sent,
        counts.delivered,
        counts.failed,
        counts.opened,
        tx.now,
    )


_BEST = f"""
    (SELECT min(array_position(ARRAY[{", ".join(f"'{state}'" for state in BEST_FIRST)}], d.state))
       FROM deliveries d WHERE d.notice_id = n.id)
"""


async def count(tx: Tx, broadcast_id: str) -> Counts:
    """As it stands now; reads as many rows as there are recipients."""
    row = await tx.fetchrow(
        f"""
        SELECT count(*)::int AS told, count(*) FILTER (WHERE best <= $3)::int AS sent,
               count(*) FILTER (WHERE best <= $4)::int AS delivered,
               count(*) FILTER (WHERE best = ANY ($5::int[]))::int AS failed,
               count(read_at)::int AS opened
          FROM (SELECT n.read_at, {_BEST} AS best FROM notices n WHERE n.fact_id = $1 AND n.kind = $2) AS told
        """,
        broadcast_id,
        BROADCAST.kind,
        REACHED,
        ARRIVED,
        list(LOST),
    )
    return Counts(**dict(row.items()))


async def recipients(tx: Tx, broadcast_id: str, *, after: str, limit: int) -> list[Recipient]:
    """In the order of their accounts, as long as the inbox keeps what they were told."""
    rows = await tx.fetch(
        f"""
        SELECT n.no, n.account_id, n.id AS notice_id, n.created_at AS told_at, n.read_at AS opened_at, {_BEST} AS best
          FROM notices n WHERE n.fact_id = $1 AND n.kind = $2 AND n.account_id > $3
         ORDER BY n.account_id LIMIT $4
        """,
        broadcast_id,
        BROADCAST.kind,
        after,
        limit,
    )
    return [_recipient(dict(row.items())) for row in rows]


def _recipient(row: dict[str, Any]) -> Recipient:
    best = row.pop("best")
    return Recipient(**row, push=None if best is None else BEST_FIRST[best - 1])


async def waiting(tx: Tx, *, limit: int) -> int:
    """How many pushes of broadcasts are due and not sent, counted no further than this."""
    found: int = await tx.fetchval(
        """
        SELECT count(*)::int FROM (
               SELECT FROM deliveries WHERE state = 'queued' AND is_bulk AND due_at <= $1 LIMIT $2) AS due
        """,
        tx.now,
        limit,
    )
    return found
