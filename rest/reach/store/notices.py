"""SQL of notices, wishes and the place in the feed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from rest.reach.kinds import SILENT
from rest.reach.model import Notice, Wishes
from storage.base import codec
from storage.tx import Tx

UNREAD_MAX = 1_000
"""Counted no further: an inbox with more is not read one by one."""

COLUMNS = """id, account_id, kind, fact_id, about, subject_kind, subject_id, collapse_key, created_at, expires_at,
             read_at"""
READ = COLUMNS + ", no"


def _notice(row: Any) -> Notice:  # noqa: ANN401 - a row
    return Notice(**{**dict(row.items()), "about": codec.loads(row["about"])})


async def add(tx: Tx, notices: Sequence[Notice]) -> list[Notice]:
    """Those of them that nobody has been told yet."""
    if not notices:
        return []
    rows = await tx.fetch(
        f"""
        INSERT INTO notices ({COLUMNS})
        SELECT id, account_id, kind, fact_id, about::jsonb, subject_kind, subject_id, collapse_key, $9, expires_at,
               read_at
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                      $10::timestamptz[], $11::timestamptz[]) WITH ORDINALITY
               AS new (id, account_id, kind, fact_id, about, subject_kind, subject_id, collapse_key, expires_at,
                       read_at, nth)
         ORDER BY nth
        ON CONFLICT (fact_id, account_id, kind) DO NOTHING
        RETURNING id, no
        """,
        [one.id for one in notices],
        [one.account_id for one in notices],
        [one.kind for one in notices],
        [one.fact_id for one in notices],
        [codec.dumps(one.about).decode() for one in notices],
        [one.subject_kind for one in notices],
        [one.subject_id for one in notices],
        [one.collapse_key for one in notices],
        tx.now,
        [one.expires_at for one in notices],
        [one.read_at for one in notices],
    )
    fresh = {row["id"]: row["no"] for row in rows}
    return [replace(one, no=fresh[one.id]) for one in notices if one.id in fresh]


async def supersede(tx: Tx, notices: Sequence[Notice]) -> None:
    """Unread notices that say less than one of these are read."""
    keyed = [one for one in notices if one.collapse_key is not None]
    if not keyed:
        return
    await tx.execute(
        """
        UPDATE notices n SET read_at = $4
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS new (no, account_id, collapse_key)
         WHERE n.collapse_key = new.collapse_key AND n.account_id = new.account_id AND n.read_at IS NULL
           AND n.no < new.no
        """,
        [one.no for one in keyed],
        [one.account_id for one in keyed],
        [one.collapse_key for one in keyed],
        tx.now,
    )


async def end(tx: Tx, collapse_keys: Sequence[str]) -> list[str]:
    """Read what these keys name, of everybody; whose bell counts fewer now."""
    if not collapse_keys:
        return []
    rows = await tx.fetch(
        """
        UPDATE notices SET read_at = $2 WHERE collapse_key = ANY($1) AND read_at IS NULL RETURNING account_id, kind
        """,
        list(collapse_keys),
        tx.now,
    )
    return sorted({row["account_id"] for row in rows if row["kind"] not in SILENT})


async def end_chat(tx: Tx, account_id: str, collapse_key: str, *, read_seq: int) -> bool:
    """Read what was said of messages this person has now read where they are."""
    ended = await tx.execute(
        """
        UPDATE notices SET read_at = $4
         WHERE collapse_key = $2 AND account_id = $1 AND read_at IS NULL AND (about ->> 'seq')::bigint <= $3
        """,
        account_id,
        collapse_key,
        read_seq,
        tx.now,
    )
    return ended > 0


async def read(tx: Tx, account_id: str, *, upto: int, since: int = 1) -> int:
    """Mark these read, by their place in the order; how many were not yet."""
    return await tx.execute(
        "UPDATE notices SET read_at = $4 WHERE account_id = $1 AND no BETWEEN $2 AND $3 AND read_at IS NULL",
        account_id,
        since,
        upto,
        tx.now,
    )


async def find(tx: Tx, notice_id: str, *, account_id: str | None = None) -> Notice | None:
    row = await tx.fetchrow(
        f"SELECT {READ} FROM notices WHERE id = $1 AND ($2::text IS NULL OR account_id = $2)", notice_id, account_id
    )
    return None if row is None else _notice(row)


async def many(tx: Tx, ids: Collection[str]) -> dict[str, Notice]:
    rows = await tx.fetch(f"SELECT {READ} FROM notices WHERE id = ANY($1)", list(ids))
    return {row["id"]: _notice(row) for row in rows}


async def page(
    tx: Tx, account_id: str, *, unread: bool, kind: str | None, before: int | None, limit: int
) -> list[Notice]:
    """Newest first. What is over by time is not shown."""
    rows = await tx.fetch(
        f"""
        SELECT {READ} FROM notices
         WHERE account_id = $1 AND ($2::bigint IS NULL OR no < $2) AND (NOT $3 OR read_at IS NULL)
           AND ($4::text IS NULL OR kind = $4) AND (expires_at IS NULL OR expires_at > $5)
         ORDER BY no DESC LIMIT $6
        """,
        account_id,
        before,
        unread,
        kind,
        tx.now,
        limit,
    )
    return [_notice(row) for row in rows]


async def unread(tx: Tx, account_ids: Sequence[str]) -> dict[str, int]:
    """How many each has not read and should, of those a bell counts."""
    rows = await tx.fetch(
        """
        SELECT who.id, fresh.n
          FROM unnest($1::text[]) AS who (id)
         CROSS JOIN LATERAL (SELECT count(*)::int AS n FROM (
               SELECT FROM notices n
                WHERE n.account_id = who.id AND n.read_at IS NULL AND (n.expires_at IS NULL OR n.expires_at > $2)
                  AND n.kind <> ALL ($4)
                LIMIT $3) AS found) AS fresh
        """,
        list(account_ids),
        tx.now,
        UNREAD_MAX,
        list(SILENT),
    )
    return {row["id"]: row["n"] for row in rows}


async def prune(tx: Tx, before: datetime, *, limit: int) -> int:
    """Forget notices made before this instant, with their deliveries."""
    return await tx.execute(
        "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        before,
        limit,
    )


# What people want


WISHES = "account_id, language, quiet_from_min, quiet_to_min, muted, version"


def _wishes(row: Any) -> Wishes:  # noqa: ANN401 - a row
    return Wishes(**{**dict(row.items()), "muted": frozenset(row["muted"])})


async def wishes(tx: Tx, account_ids: Collection[str]) -> dict[str, Wishes]:
    """Of each; whoever has said nothing has the usual ones."""
    rows = await tx.fetch(f"SELECT {WISHES} FROM notice_settings WHERE account_id = ANY($1)", list(account_ids))
    said = {row["account_id"]: _wishes(row) for row in rows}
    return {account_id: said.get(account_id, Wishes(account_id=account_id)) for account_id in account_ids}


async def save_wishes(tx: Tx, wanted: Wishes) -> Wishes:
    row = await tx.fetchrow(
        f"""
        INSERT INTO notice_settings (account_id, language, quiet_from_min, quiet_to_min, muted, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (account_id) DO UPDATE
           SET language = $2, quiet_from_min = $3, quiet_to_min = $4, muted = $5, changed_at = $6,
               version = notice_settings.version + 1
        RETURNING {WISHES}
        """,
        wanted.account_id,
        wanted.language,
        wanted.quiet_from_min,
        wanted.quiet_to_min,
        sorted(wanted.muted),
        tx.now,
    )
    return _wishes(row)


# The place in the feed


async def lock_place(tx: Tx) -> tuple[str, int] | None:
    """(epoch, seq) for whoever listens now; None while another process does. The first listener begins at the head."""
    await tx.execute(
        "INSERT INTO notice_place (epoch, seq) SELECT epoch, last_seq FROM relay_state ON CONFLICT DO NOTHING"
    )
    row = await tx.fetchrow("SELECT epoch, seq FROM notice_place FOR UPDATE SKIP LOCKED")
    return None if row is None else (row["epoch"], row["seq"])


async def move_place(tx: Tx, epoch: str, seq: int) -> None:
    """The place is locked by the caller."""
    await tx.execute("UPDATE notice_place SET epoch = $1, seq = $2", epoch, seq)


async def take_count(tx: Tx, day: date, channel: str, scope: str, *, limit: int) -> bool:
    """Count one more of the day, unless that would be one too many."""
    row = await tx.fetchrow(
        """
        INSERT INTO delivery_counts AS c (day, channel, scope, n) VALUES ($1, $2, $3, 1)
        ON CONFLICT (day, channel, scope) DO UPDATE SET n = c.n + 1 WHERE c.n < $4
        RETURNING n
        """,
        day,
        channel,
        scope,
        limit,
    )
    return row is not None


async def prune_counts(tx: Tx, before: date) -> None:
    await tx.execute("DELETE FROM delivery_counts WHERE day < $1", before)
