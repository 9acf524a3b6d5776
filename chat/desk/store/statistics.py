"""SQL of statistics: the counts from rows, and the log itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chat.desk.statistics import AUTOMATIC, Counts, Event
from storage.base import codec
from storage.tx import Tx


async def counts(tx: Tx, since: datetime, until: datetime, queue_ids: Sequence[str] | None) -> Counts:
    """Of `[since, until)`, of these queues or of all."""
    rows = await tx.fetch(
        """
        WITH mine AS (SELECT a.agent_id, a.offered_at, a.accepted_at, a.ended_at, a.end_reason FROM assignments a
                       WHERE $3::text[] IS NULL OR a.queue_id = ANY ($3))
        SELECT 'submitted' AS metric, '' AS agent_id, count(*)::int AS n FROM desk_threads
         WHERE opened_at >= $1 AND opened_at < $2 AND ($3::text[] IS NULL OR queue_id = ANY ($3))
        UNION ALL
        SELECT 'offered', agent_id, count(*)::int FROM mine WHERE offered_at >= $1 AND offered_at < $2 GROUP BY agent_id
        UNION ALL
        SELECT 'accepted', agent_id, count(*)::int FROM mine WHERE accepted_at >= $1 AND accepted_at < $2
         GROUP BY agent_id
        UNION ALL
        SELECT 'ended_' || end_reason, agent_id, count(*)::int FROM mine WHERE ended_at >= $1 AND ended_at < $2
         GROUP BY end_reason, agent_id
        UNION ALL
        SELECT 'asked', '', count(*)::int FROM desk_ratings
         WHERE asked_at >= $1 AND asked_at < $2 AND ($3::text[] IS NULL OR queue_id = ANY ($3))
        UNION ALL
        SELECT 'breached', '', count(*)::int
          FROM sla_timers s JOIN desk_threads t ON t.conversation_id = s.conversation_id
         WHERE s.breached_at >= $1 AND s.breached_at < $2 AND ($3::text[] IS NULL OR t.queue_id = ANY ($3))
        """,
        since,
        until,
        queue_ids,
    )
    found = {(row["metric"], row["agent_id"]): row["n"] for row in rows if row["n"]}
    return Counts(found, await _waits_s(tx, since, until, queue_ids), await _scores(tx, since, until, queue_ids))


async def _waits_s(tx: Tx, since: datetime, until: datetime, queue_ids: Sequence[str] | None) -> tuple[float, ...]:
    rows = await tx.fetch(
        """
        SELECT extract(epoch FROM accepted_at - queued_at)::float8 AS wait_s
          FROM assignments
         WHERE accepted_at >= $1 AND accepted_at < $2 AND reason = ANY ($3)
           AND ($4::text[] IS NULL OR queue_id = ANY ($4))
         ORDER BY wait_s
        """,
        since,
        until,
        list(AUTOMATIC),
        queue_ids,
    )
    return tuple(row["wait_s"] for row in rows)


async def _scores(tx: Tx, since: datetime, until: datetime, queue_ids: Sequence[str] | None) -> dict[int, int]:
    rows = await tx.fetch(
        """
        SELECT score, count(*)::int AS n FROM desk_ratings
         WHERE rated_at >= $1 AND rated_at < $2 AND ($3::text[] IS NULL OR queue_id = ANY ($3)) GROUP BY score
        """,
        since,
        until,
        queue_ids,
    )
    return {row["score"]: row["n"] for row in rows}


async def events(tx: Tx, *, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
    """The log in its order, after a number."""
    rows = await tx.fetch(
        """
        SELECT no, at, conversation_id, verb, agent_id, detail FROM desk_events WHERE no > $1 ORDER BY no LIMIT $2
        """,
        after,
        limit,
    )
    return [
        (
            row["no"],
            Event(row["at"], row["conversation_id"], row["verb"], row["agent_id"], codec.loads(row["detail"] or "{}")),
        )
        for row in rows
    ]
