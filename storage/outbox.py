"""The outbox and the feed: how a committed fact gets its place in the one global order.

A transaction writes facts to `outbox`. Ids taken at insert commit out of order, so "everything after id N" would skip a
fact whose transaction committed late. Therefore the relay gives each fact its `seq` when it *moves* it to `feed`:
whatever it can see is committed, and what commits later gets a higher place. The move and the new head are one
transaction; `told_seq` follows with the next one, after the hubs have the batch, so a relay that dies in between tells
the same facts again with the same id and seq.

Order: facts of one transaction keep their order, and so do facts of transactions that wait for each other's row locks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.tx import Tx


@dataclass(frozen=True, slots=True)
class FeedFact:
    """A fact with its place. `body` is the JSON text of the fact's own fields."""

    seq: int
    fact_id: str
    topic: str
    body: str
    audience: tuple[str, ...]
    at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> FeedFact:  # noqa: ANN401 - asyncpg record
        return cls(
            row["seq"], row["fact_id"], row["topic"], row["body"], tuple(row["audience"]), row["at"], row["expires_at"]
        )


@dataclass(frozen=True, slots=True)
class FeedHead:
    """Where the feed is. Facts at or below `floor_seq` have been dropped from the window."""

    epoch: str
    last_seq: int
    told_seq: int
    floor_seq: int


async def head(tx: Tx) -> FeedHead:
    row = await tx.fetchrow("SELECT epoch, last_seq, told_seq, floor_seq FROM relay_state")
    return FeedHead(row["epoch"], row["last_seq"], row["told_seq"], row["floor_seq"])


async def number(tx: Tx, *, limit: int, told_seq: int | None = None) -> list[FeedFact]:
    """Move up to `limit` waiting facts to the feed and return them in order, in one statement.

    `told_seq`: the hubs have everything up to there; remembered first. Locks the relay's row: of two relays one waits,
    so places are given by one at a time.
    """
    rows = await tx.fetch("SELECT * FROM feed_advance($1, $2)", limit, told_seq)
    return [FeedFact.of(row) for row in rows]


async def told(tx: Tx, seq: int) -> None:
    """Remember that the hubs have everything up to `seq`; for when no `number` follows."""
    await tx.execute("UPDATE relay_state SET told_seq = $1 WHERE told_seq < $1", seq)


async def untold(tx: Tx, *, limit: int) -> list[FeedFact]:
    """Numbered facts that a relay may not have handed over before it died, in order."""
    return await after(tx, (await head(tx)).told_seq, limit=limit)


async def after(tx: Tx, seq: int, *, limit: int) -> list[FeedFact]:
    """Facts above `seq` for everybody, in order; what a hub follows."""
    rows = await tx.fetch(
        """
        SELECT seq, fact_id, topic, body, audience, at, expires_at
          FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2
        """,
        seq,
        limit,
    )
    return [FeedFact.of(row) for row in rows]


async def after_of(tx: Tx, topics: Sequence[str], *, after: int, upto: int, limit: int) -> list[FeedFact]:
    """Facts of these topics with after < seq ≤ upto, in order, at most `limit`."""
    rows = await tx.fetch(
        """
        SELECT seq, fact_id, topic, body, audience, at, expires_at
          FROM feed WHERE seq > $1 AND seq <= $2 AND topic = ANY($3) ORDER BY seq LIMIT $4
        """,
        after,
        upto,
        list(topics),
        limit,
    )
    return [FeedFact.of(row) for row in rows]


async def gap(tx: Tx, audiences: Sequence[str], *, since: int, upto: int, limit: int) -> list[FeedFact]:
    """Unexpired facts for any of `audiences` with since < seq ≤ upto, in order, at most `limit`."""
    rows = await tx.fetch(
        """
        SELECT seq, fact_id, topic, body, audience, at, expires_at
          FROM feed
         WHERE seq IN (SELECT seq FROM feed_audience WHERE audience = ANY($1) AND seq > $2 AND seq <= $3)
           AND (expires_at IS NULL OR expires_at > $4)
         ORDER BY seq LIMIT $5
        """,
        list(audiences),
        since,
        upto,
        tx.now,
        limit,
    )
    return [FeedFact.of(row) for row in rows]


async def drop_before(tx: Tx, at: datetime, *, limit: int) -> int:
    """Drop up to `limit` facts told before `at` and raise the floor; the number dropped."""
    floor = await tx.fetchval(
        "SELECT max(seq) FROM (SELECT seq, at FROM feed ORDER BY seq LIMIT $2) AS oldest WHERE at < $1", at, limit
    )
    if floor is None:
        return 0
    await tx.execute("UPDATE relay_state SET floor_seq = greatest(floor_seq, $1)", floor)
    await tx.execute("DELETE FROM feed_audience WHERE seq <= $1", floor)
    return await tx.execute("DELETE FROM feed WHERE seq <= $1", floor)
