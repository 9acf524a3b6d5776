"""SQL of the floor beside its boards: what is promised until when, who is asked what."""

from __future__ import annotations

from chat.desk.floor import Asked, Due
from chat.desk.store.threads import SEEN
from storage.tx import Tx


async def promises(tx: Tx, *, tenant_id: str | None, seen_by: str | None, limit: int) -> list[Due]:
    """Running ones of live threads, first due first; `seen_by`: of those this agent may see."""
    rows = await tx.fetch(
        f"""
        SELECT s.conversation_id, s.kind, s.due_at, s.warned, s.breached_at IS NOT NULL AS is_broken
          FROM sla_timers s JOIN desk_threads ON desk_threads.conversation_id = s.conversation_id
         WHERE s.state = 'running' AND s.due_at IS NOT NULL
           AND desk_threads.state IN ('queued', 'offered', 'open', 'pending')
           AND ($2::text IS NULL OR desk_threads.tenant_id = $2) AND {SEEN}
         ORDER BY s.due_at, s.conversation_id
         LIMIT $3
        """,
        seen_by,
        tenant_id,
        limit,
    )
    return [Due(**dict(row)) for row in rows]


async def offers_to(tx: Tx, agent_id: str) -> list[Asked]:
    """What an agent is asked and has not answered yet."""
    rows = await tx.fetch(
        """
        SELECT id AS assignment_id, conversation_id, reason, expires_at
          FROM assignments
         WHERE agent_id = $1 AND ended_at IS NULL AND accepted_at IS NULL AND $2 < expires_at
         ORDER BY expires_at, id
         LIMIT 100
        """,
        agent_id,
        tx.now,
    )
    return [Asked(**dict(row)) for row in rows]


async def customers_among(tx: Tx, account_ids: list[str], tenant_id: str) -> set[str]:
    rows = await tx.fetch(
        "SELECT DISTINCT customer_id FROM desk_threads WHERE tenant_id = $1 AND customer_id = ANY ($2::text[])",
        tenant_id,
        account_ids,
    )
    return {row["customer_id"] for row in rows}
