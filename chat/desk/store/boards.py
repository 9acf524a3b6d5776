"""SQL of boards: `desk_board` counts a queue, once for whoever and however many look at it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chat.desk.boards import Board, Line, Queuer
from chat.desk.model import Kind
from storage.base.clock import BUSINESS_ZONE
from storage.tx import Tx

_BOARD = """q.id AS queue_id, q.name, q.tenant_id, q.is_active, q.calendar_id, coalesce(c.zone, $2) AS zone, q.accept_s,
    b.waiting, b.offered, b.serving, b.oldest_at, b.members, b.online, b.free, b.at_risk, b.broken"""

_QUEUES = """desk_queues q LEFT JOIN calendars c ON c.id = q.calendar_id
    CROSS JOIN LATERAL desk_board(q.id, $1, $3) b"""


async def boards(tx: Tx, *, tenant_id: str | None, only_active: bool, limit: int) -> list[Board]:
    """Queues by id, in numbers as of one instant: a tenant's, or all of them."""
    rows = await tx.fetch(
        f"""
        SELECT {_BOARD} FROM {_QUEUES}
         WHERE ($4::text IS NULL OR q.tenant_id = $4) AND (q.is_active OR NOT $5) ORDER BY q.id LIMIT $6
        """,
        tx.now,
        BUSINESS_ZONE.key,
        Kind.CHAT.units,
        tenant_id,
        only_active,
        limit,
    )
    return [_board(row) for row in rows]


async def line(tx: Tx, queue_id: str, since: datetime, *, waiting_max: int, samples_max: int) -> Line | None:
    """A queue as of one instant; None when there is none. Of a longer line the first `waiting_max` are shown."""
    row = await tx.fetchrow(
        f"""
        WITH waiting AS MATERIALIZED (
            SELECT conversation_id, array_to_string(audience, E'\\n') AS audience, queued_at, priority
              FROM desk_threads WHERE queue_id = $4 AND state = 'queued'
             ORDER BY priority DESC, queued_at, conversation_id LIMIT $6),
        lately AS MATERIALIZED (
            SELECT extract(epoch FROM accepted_at - queued_at)::float8 AS wait_s FROM assignments
             WHERE queue_id = $4 AND accepted_at >= $5 AND reason IN ('known', 'balanced', 'round_robin')
             ORDER BY accepted_at DESC LIMIT $7)
        SELECT {_BOARD},
               ARRAY(SELECT conversation_id FROM waiting ORDER BY priority DESC, queued_at, conversation_id) AS ids,
               ARRAY(SELECT audience FROM waiting ORDER BY priority DESC, queued_at, conversation_id) AS audiences,
               ARRAY(SELECT queued_at FROM waiting ORDER BY priority DESC, queued_at, conversation_id) AS since,
               ARRAY(SELECT wait_s FROM lately) AS waits_s
          FROM {_QUEUES} WHERE q.id = $4
        """,
        tx.now,
        BUSINESS_ZONE.key,
        Kind.CHAT.units,
        queue_id,
        since,
        waiting_max,
        samples_max,
    )
    return None if row is None else _line(row)


def _line(row: Any) -> Line:  # noqa: ANN401 - a row
    waiting = zip(row["ids"], row["audiences"], row["since"], strict=True)
    return Line(
        board=_board(row),
        waiting=tuple(Queuer(which, tuple(where.split("\n")), at) for which, where, at in waiting),
        waits_s=tuple(row["waits_s"]),
    )


def _board(row: Any) -> Board:  # noqa: ANN401 - a row
    return Board(**{name: row[name] for name in Board.__dataclass_fields__})
