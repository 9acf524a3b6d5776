"""What must hold at a desk whatever happened, as questions to the database. Each answers with what is wrong."""

from __future__ import annotations

import json
from typing import Any

from chat.desk.model import FOREVER
from chat.desk.statistics import fold
from chat.desk.store import statistics as statistics_store
from storage.postgres import Database
from tests.conftest import MONDAY

QUESTIONS = {
    "A1 more than one live assignment": """
        SELECT conversation_id FROM assignments WHERE ended_at IS NULL GROUP BY 1 HAVING count(*) > 1""",
    "A1 an assignment and its thread do not agree": """
        SELECT t.conversation_id FROM desk_threads t
          LEFT JOIN assignments a ON a.conversation_id = t.conversation_id AND a.ended_at IS NULL
         WHERE t.assignee_id IS DISTINCT FROM a.agent_id OR (a.id IS NOT NULL AND (a.epoch <> t.epoch
               OR a.units <> t.units OR (a.accepted_at IS NULL) <> (t.state = 'offered')))""",
    "A1 epochs do not rise with time": """
        SELECT a.id FROM assignments a JOIN assignments b ON a.conversation_id = b.conversation_id
         WHERE a.offered_at < b.offered_at AND a.epoch >= b.epoch""",
    "A2 load is not the sum of what is held": """
        SELECT l.agent_id FROM agent_load l
          LEFT JOIN (SELECT agent_id, sum(units) FILTER (WHERE NOT is_over_cap) AS held,
                            sum(units) FILTER (WHERE is_over_cap) AS over
                       FROM assignments WHERE ended_at IS NULL GROUP BY 1) h ON h.agent_id = l.agent_id
         WHERE l.load <> coalesce(h.held, 0) OR l.over_units <> coalesce(h.over, 0) OR l.load > l.cap""",
    "A4 a conversation is somebody else's": """
        SELECT c.id FROM conversations c JOIN desk_threads t ON t.conversation_id = c.id
         WHERE c.assignee_id IS DISTINCT FROM CASE WHEN t.state IN ('open', 'pending') THEN t.assignee_id END
            OR c.assign_epoch > t.epoch OR (c.status = 'closed') <> (t.state = 'closed')""",
    "Q1 a closure is not rated once": """
        SELECT t.conversation_id FROM desk_threads t
          LEFT JOIN (SELECT conversation_id, count(*)::int AS n, max(closure_no) AS last FROM desk_ratings GROUP BY 1) r
                 ON r.conversation_id = t.conversation_id
         WHERE t.closure_no <> coalesce(r.n, 0) OR t.closure_no <> coalesce(r.last, 0)""",
    "S1 a breach is not told once": """
        SELECT b.conversation_id FROM sla_timers b
          LEFT JOIN (SELECT conversation_id, detail->>'kind' AS kind, (detail->>'no')::int AS no, count(*) AS n
                       FROM desk_events WHERE verb = 'breach' GROUP BY 1, 2, 3) e
                 ON (e.conversation_id, e.kind, e.no) = (b.conversation_id, b.kind, b.no)
         WHERE (b.breached_at IS NOT NULL)::int <> coalesce(e.n, 0)""",
    "S1 promises of a thread that is over": """
        SELECT s.conversation_id FROM sla_timers s JOIN desk_threads t ON t.conversation_id = s.conversation_id
         WHERE t.state IN ('resolved', 'closed') AND s.state IN ('running', 'paused')""",
    "two spells of an agent at once, or none now": """
        SELECT a.id FROM desk_agents a
          LEFT JOIN agent_state_log g ON g.agent_id = a.id AND upper_inf(g.during)
          JOIN agent_load l ON l.agent_id = a.id
         WHERE g.state IS DISTINCT FROM l.state""",
    "put aside, and nothing brings it back in time": """
        SELECT t.conversation_id FROM desk_threads t
         WHERE t.snoozed_until IS NOT NULL AND NOT EXISTS (SELECT FROM jobs j
               WHERE j.key = 'desk:' || t.conversation_id || ':snooze' AND j.due_at = t.snoozed_until)""",
    "the sweeper found something": "SELECT queue_id FROM desk_events WHERE verb = 'sweep_found'",
    "a job was parked": "SELECT key FROM jobs WHERE parked_at IS NOT NULL OR attempts > 0",
}

W1 = """
    SELECT q.id FROM desk_queues q WHERE EXISTS (SELECT FROM desk_next(q.id, $1))"""


async def violations(db: Database, *, is_settled: bool) -> list[str]:
    """Everything wrong now. `is_settled`: all that is due has been done, so nobody may wait whom somebody can serve."""
    found = []
    async with db.begin() as tx:
        for name, question in QUESTIONS.items():
            found += [f"{name}: {row[0]}" for row in await tx.fetch(question)]
        if is_settled:
            found += [f"W1 somebody waits whom somebody can serve: {row[0]}" for row in await tx.fetch(W1, tx.now)]
        found += await _ratings(tx)
        found += await _statistics(tx)
    return found


async def _ratings(tx: Any) -> list[str]:
    """Q1: for whom a rating counts, recomputed from the messages themselves."""
    rows = await tx.fetch(
        """
        SELECT r.id, r.shares::text AS shares, r.conversation_id, r.asked_at,
               (SELECT max(b.asked_at) FROM desk_ratings b WHERE b.conversation_id = r.conversation_id
                   AND b.closure_no < r.closure_no) AS before
          FROM desk_ratings r
        """
    )
    wrong = []
    for row in rows:
        answered = await tx.fetch(
            """
            SELECT DISTINCT sender_id FROM messages
             WHERE conversation_id = $1 AND sender_role IN ('agent', 'supervisor') AND NOT is_internal
               AND at <= $2 AND ($3::timestamptz IS NULL OR at > $3)
            """,
            row["conversation_id"], row["asked_at"], row["before"],
        )  # fmt: skip
        if {one["sender_id"] for one in answered} != set(json.loads(row["shares"])):
            wrong.append(f"Q1 a rating counts for others than those who answered: {row['id']}")
    return wrong


async def _statistics(tx: Any) -> list[str]:
    """T1: what the rows say is what the log says."""
    log = []
    while page := await statistics_store.events(tx, after=log[-1][0] if log else 0):
        log += page
    middle = MONDAY + (tx.now - MONDAY) / 2
    for since, until in ((MONDAY, tx.now + FOREVER), (MONDAY, middle), (middle, tx.now + FOREVER)):
        rows = await statistics_store.counts(tx, since, until, None)
        folded = fold([event for _, event in log if event.verb != "sweep_found"], since, until)
        totals = {key: n for key, n in folded.counts.items() if n}
        if rows.counts != totals or rows.waits_s != folded.waits_s or rows.scores != folded.scores:
            return [f"T1 rows say {rows}, the log says {folded}"]
    return []
