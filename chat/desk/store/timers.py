"""SQL of promises of time and of ratings."""

from __future__ import annotations

from typing import Any

from chat.desk.ratings import Rating
from chat.desk.sla import Promise, Timer, TimerState
from storage.base import codec
from storage.postgres import RetryTx
from storage.tx import Tx

_COLUMNS = """conversation_id, kind, no, state, target, consumed, calendar_id, started_at, running_since, due_at,
    warned, breached_at, ended_at, version"""


def _timer(row: Any) -> Timer:  # noqa: ANN401 - a row
    values = dict(row)
    values["kind"], values["state"] = Promise(values["kind"]), TimerState(values["state"])
    return Timer(**values)


def _values(timer: Timer) -> tuple[Any, ...]:
    return (
        timer.conversation_id,
        timer.kind.value,
        timer.no,
        timer.version,
        timer.state.value,
        timer.consumed,
        timer.calendar_id,
        timer.running_since,
        timer.due_at,
        timer.warned,
        timer.breached_at,
        timer.ended_at,
    )


async def insert(tx: Tx, timer: Timer) -> None:
    await tx.execute(
        """
        INSERT INTO sla_timers (conversation_id, kind, no, version, state, consumed, calendar_id, running_since, due_at,
                                warned, breached_at, ended_at, target, started_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        *_values(timer),
        timer.target,
        timer.started_at,
    )


async def save(tx: Tx, timer: Timer, *, over: int) -> None:
    """Write it over exactly version `over`. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE sla_timers
           SET version = $4, state = $5, consumed = $6, calendar_id = $7, running_since = $8, due_at = $9, warned = $10,
               breached_at = $11, ended_at = $12
         WHERE conversation_id = $1 AND kind = $2 AND no = $3 AND version = $13
        """,
        *_values(timer),
        over,
    )
    if written == 0:
        raise RetryTx


async def shown(tx: Tx, conversation_id: str) -> list[Timer]:
    """The same for reading."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM sla_timers
         WHERE conversation_id = $1 AND state IN ('running', 'paused') ORDER BY kind
        """,
        conversation_id,
    )
    return [_timer(row) for row in rows]


async def live(tx: Tx, conversation_id: str) -> list[Timer]:
    """Those of a locked thread that run or are paused, by kind."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM sla_timers
         WHERE conversation_id = $1 AND state IN ('running', 'paused') ORDER BY kind FOR NO KEY UPDATE
        """,
        conversation_id,
    )
    return [_timer(row) for row in rows]


async def last_no(tx: Tx, conversation_id: str, kind: Promise) -> int:
    return int(
        await tx.fetchval(
            "SELECT coalesce(max(no), 0) FROM sla_timers WHERE conversation_id = $1 AND kind = $2",
            conversation_id,
            kind.value,
        )
    )


async def conversations_of_calendar(tx: Tx, calendar_id: str, *, after: str, limit: int) -> list[str]:
    """Threads with a timer that runs by this calendar."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT conversation_id FROM sla_timers
         WHERE calendar_id = $1 AND state = 'running' AND conversation_id > $2 ORDER BY conversation_id LIMIT $3
        """,
        calendar_id,
        after,
        limit,
    )
    return [row["conversation_id"] for row in rows]


# Ratings

_RATING = """id, conversation_id, closure_no, queue_id, customer_id, owner_id, shares, asked_at, score, tags, comment,
    rated_at, edited_until"""


def _rating(row: Any) -> Rating:  # noqa: ANN401 - a row
    values = dict(row)
    values["shares"], values["tags"] = codec.loads(values["shares"]), tuple(values["tags"])
    return Rating(**values)


async def ask_rating(tx: Tx, rating: Rating) -> bool:
    """False when this closure was asked about already."""
    written = await tx.execute(
        """
        INSERT INTO desk_ratings (id, conversation_id, closure_no, queue_id, customer_id, owner_id, shares, asked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8)
            ON CONFLICT (conversation_id, closure_no) DO NOTHING
        """,
        rating.id,
        rating.conversation_id,
        rating.closure_no,
        rating.queue_id,
        rating.customer_id,
        rating.owner_id,
        codec.dumps(dict(rating.shares)).decode(),
        rating.asked_at,
    )
    return written == 1


async def find_rating(tx: Tx, rating_id: str) -> Rating | None:
    row = await tx.fetchrow(f"SELECT {_RATING} FROM desk_ratings WHERE id = $1", rating_id)
    return None if row is None else _rating(row)


async def rating_of(tx: Tx, conversation_id: str, closure_no: int) -> Rating | None:
    row = await tx.fetchrow(
        f"SELECT {_RATING} FROM desk_ratings WHERE conversation_id = $1 AND closure_no = $2",
        conversation_id,
        closure_no,
    )
    return None if row is None else _rating(row)


async def write_rating(tx: Tx, rating: Rating) -> bool:
    """False when its time is over."""
    written = await tx.execute(
        """
        UPDATE desk_ratings
           SET score = $2, tags = $3, comment = $4, rated_at = $5, edited_until = $6
         WHERE id = $1 AND (rated_at IS NULL OR $7 < edited_until)
        """,
        rating.id,
        rating.score,
        list(rating.tags),
        rating.comment,
        rating.rated_at,
        rating.edited_until,
        tx.now,
    )
    return written == 1


async def replies_since_closure(tx: Tx, conversation_id: str) -> list[tuple[str, int]]:
    """Who answered how often in the service that ends now, first come first: from the log."""
    rows = await tx.fetch(
        """
        SELECT agent_id, count(*)::int AS replies
          FROM desk_events
         WHERE conversation_id = $1 AND verb = 'reply'
           AND no > coalesce((SELECT max(no) FROM desk_events WHERE conversation_id = $1 AND verb = 'resolve'), 0)
         GROUP BY agent_id
         ORDER BY min(no)
        """,
        conversation_id,
    )
    return [(row["agent_id"], row["replies"]) for row in rows]
