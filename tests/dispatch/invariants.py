"""What is true of the pool at every moment, asked of the database itself."""

# ruff: noqa: E501 - SQL reads better unbroken

from __future__ import annotations

from storage.postgres import Database

CHECKS = {
    "I1 a call has at most one winner and one live booking": """
        SELECT call_id FROM grabs WHERE state IN ('locked', 'won') GROUP BY call_id HAVING count(*) > 1
        UNION ALL SELECT call_id FROM bookings WHERE state IN ('held', 'firm') GROUP BY call_id HAVING count(*) > 1""",
    "I1 the winner of a call is its worker": """
        SELECT c.id FROM calls c WHERE c.status IN ('locked', 'won') AND NOT EXISTS
               (SELECT FROM bookings b WHERE b.call_id = c.id AND b.worker_id = c.worker_id AND b.state IN ('held', 'firm'))
        UNION ALL SELECT b.call_id FROM bookings b JOIN calls c ON c.id = b.call_id
         WHERE b.state IN ('held', 'firm') AND (c.status NOT IN ('locked', 'won') OR c.worker_id <> b.worker_id)
        UNION ALL SELECT g.call_id FROM grabs g JOIN calls c ON c.id = g.call_id
         WHERE g.state IN ('locked', 'won') AND c.status NOT IN ('locked', 'won', 'done')""",
    "I2 no two live bookings of one worker overlap": """
        SELECT a.id FROM bookings a JOIN bookings b ON a.worker_id = b.worker_id AND a.id < b.id AND a.during && b.during
         WHERE a.state IN ('held', 'firm') AND b.state IN ('held', 'firm')""",
    "I3 every grab rests on an offer to that worker made before it and unexpired then": """
        SELECT g.id FROM grabs g JOIN offers o ON o.id = g.offer_id
         WHERE o.worker_id <> g.worker_id OR o.call_id <> g.call_id OR (g.state <> 'locked' AND o.made_at > g.at)""",
    "I5 a closed call has no open offer and no live grab": """
        SELECT o.id FROM offers o JOIN calls c ON c.id = o.call_id
         WHERE c.status NOT IN ('open', 'paused', 'locked') AND o.state = 'open'
        UNION ALL SELECT g.id FROM grabs g JOIN calls c ON c.id = g.call_id
         WHERE c.status IN ('cancelled', 'expired') AND g.state IN ('offered', 'locked', 'won')""",
    "I5 the offer behind a live grab is grabbed, behind an ended one is ended": """
        SELECT g.id FROM grabs g JOIN offers o ON o.id = g.offer_id
         WHERE (g.state = 'offered' AND o.state <> 'grabbed') OR (g.state IN ('lost', 'withdrawn') AND o.state IN ('open', 'grabbed'))""",
    "I5 each ended offer was told exactly once, each live one never": """
        WITH told AS (SELECT body::json->>'offer_id' AS id, count(*) AS times FROM (
                SELECT topic, body FROM feed UNION ALL SELECT topic, body FROM outbox) AS facts
               WHERE topic = 'offer.closed' GROUP BY 1)
        SELECT o.id FROM offers o LEFT JOIN told ON told.id = o.id
         WHERE (o.state IN ('open', 'grabbed')) <> (coalesce(times, 0) = 0) OR coalesce(times, 0) > 1""",
    "I8 no worker is offered a call twice in an epoch": """
        SELECT call_id FROM offers GROUP BY call_id, worker_id, epoch HAVING count(*) > 1""",
    "I9 open offers stay below the cap": """
        SELECT o.worker_id FROM offers o WHERE o.state = 'open' GROUP BY o.worker_id HAVING count(*) > 31""",
    "I10 a call in the pool has its next wave on record": """
        SELECT c.id FROM calls c WHERE c.status = 'open'
           AND NOT EXISTS (SELECT FROM jobs WHERE key = 'wave:' || c.id AND parked_at IS NULL)""",
}


async def violations(db: Database) -> list[str]:
    """The invariants that do not hold now, with the first offender."""
    found = []
    async with db.begin() as tx:
        for name, sql in CHECKS.items():
            rows = await tx.fetch(sql)
            if rows:
                found.append(f"{name}: {rows[0][0]} (+{len(rows) - 1})")
    return found
