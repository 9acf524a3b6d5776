"""SQL of queues, routing tables and quick replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chat.conversations import Circle, circle_of
from chat.desk.model import Queue
from chat.desk.replies import QuickReply
from chat.desk.routing import Rule
from chat.desk.sla import Policy
from storage.base import codec
from storage.tx import Tx

_COLUMNS = """id, tenant_id, name, is_active, calendar_id, strategy, accept_s, reply_s, relax_s, offer_ticket_s,
    idle_warn_s, idle_close_s, overflow_queue_id, overflow_s, sla, members_only,
    auto_close_s, reopen_days, greeting, closed_notice, version"""


def _queue(row: Any) -> Queue:  # noqa: ANN401 - a row
    values = dict(row)
    values["sla"] = Policy(**codec.loads(values["sla"]))
    values |= {name: codec.loads(values[name]) for name in ("greeting", "closed_notice")}
    return Queue(**values)


def _sla(queue: Queue) -> str:
    return codec.dumps({name: getattr(queue.sla, name) for name in Policy.__dataclass_fields__}).decode()


async def insert(tx: Tx, queue: Queue) -> None:
    await tx.execute(
        """
        INSERT INTO desk_queues (id, tenant_id, name, is_active, calendar_id, strategy, accept_s, reply_s, relax_s,
                                 offer_ticket_s, idle_warn_s, idle_close_s, overflow_queue_id, overflow_s, sla,
                                 members_only, auto_close_s, reopen_days, greeting, closed_notice, created_at,
                                 changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::jsonb, $16, $17, $18, $19::jsonb,
                $20::jsonb, $21, $21)
        """,
        queue.id,
        queue.tenant_id,
        *_settable(queue),
        tx.now,
    )


async def update(tx: Tx, queue: Queue) -> bool:
    """Over exactly the version before."""
    written = await tx.execute(
        """
        UPDATE desk_queues
           SET name = $3, is_active = $4, calendar_id = $5, strategy = $6, accept_s = $7, reply_s = $8, relax_s = $9,
               offer_ticket_s = $10, idle_warn_s = $11, idle_close_s = $12, overflow_queue_id = $13, overflow_s = $14,
               sla = $15::jsonb, members_only = $16, auto_close_s = $17, reopen_days = $18, greeting = $19::jsonb,
               closed_notice = $20::jsonb, version = $2, changed_at = $21
         WHERE id = $1 AND version = $2 - 1
        """,
        queue.id,
        queue.version,
        *_settable(queue),
        tx.now,
    )
    return written == 1


def _settable(queue: Queue) -> tuple[Any, ...]:
    return (
        queue.name,
        queue.is_active,
        queue.calendar_id,
        queue.strategy,
        queue.accept_s,
        queue.reply_s,
        queue.relax_s,
        queue.offer_ticket_s,
        queue.idle_warn_s,
        queue.idle_close_s,
        queue.overflow_queue_id,
        queue.overflow_s,
        _sla(queue),
        queue.members_only,
        queue.auto_close_s,
        queue.reopen_days,
        codec.dumps(dict(queue.greeting)).decode(),
        codec.dumps(dict(queue.closed_notice)).decode(),
    )


async def find(tx: Tx, queue_id: str) -> Queue | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM desk_queues WHERE id = $1", queue_id)
    return None if row is None else _queue(row)


async def lock(tx: Tx, queue_id: str) -> Queue | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM desk_queues WHERE id = $1 FOR NO KEY UPDATE", queue_id)
    return None if row is None else _queue(row)


async def circle(tx: Tx, queue: Queue, tenant_id: str | None) -> Circle | None:
    """Those the queue keeps threads to that are this tenant's, or the platform's own."""
    if not queue.members_only:
        return None
    return circle_of(await tx.fetchval("SELECT queue_circle($1, $2)", queue.id, tenant_id))


async def page(tx: Tx, *, tenant_id: str | None, after: str, limit: int) -> list[Queue]:
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM desk_queues
         WHERE id > $1 AND ($3::text IS NULL OR tenant_id = $3) ORDER BY id LIMIT $2
        """,
        after,
        limit,
        tenant_id,
    )
    return [_queue(row) for row in rows]


async def members_only_ids(tx: Tx) -> list[str]:
    """Of all desks, also of queues that are switched off."""
    return [row["id"] for row in await tx.fetch("SELECT id FROM desk_queues WHERE members_only ORDER BY id")]


async def ids_of_tenant(tx: Tx, tenant_id: str) -> list[str]:
    """Also of queues that are switched off."""
    rows = await tx.fetch("SELECT id FROM desk_queues WHERE tenant_id = $1 ORDER BY id", tenant_id)
    return [row["id"] for row in rows]


async def names_of_threads(tx: Tx, conversation_ids: Sequence[str]) -> dict[str, str]:
    """Conversation → the name of the queue its thread is in."""
    rows = await tx.fetch(
        """
        SELECT t.conversation_id, q.name FROM desk_threads t JOIN desk_queues q ON q.id = t.queue_id
         WHERE t.conversation_id = ANY ($1::text[])
        """,
        list(conversation_ids),
    )
    return {row["conversation_id"]: row["name"] for row in rows}


async def has_somebody(tx: Tx, queue_id: str) -> bool:
    """Whether anybody of the queue takes work now, busy or not."""
    return bool(
        await tx.fetchval(
            """
            SELECT EXISTS (SELECT FROM queue_members m JOIN agent_load l ON l.agent_id = m.agent_id
                            WHERE m.queue_id = $1 AND desk_is_ready(l, $2))
            """,
            queue_id,
            tx.now,
        )
    )


async def waiting_without_reason(tx: Tx) -> list[str]:
    """Queues where somebody waits whom somebody could serve, and no drain is on its way: there should be none."""
    rows = await tx.fetch(
        """
        SELECT q.id
          FROM desk_queues q
         WHERE q.is_active
           AND EXISTS (SELECT FROM desk_threads t WHERE t.queue_id = q.id AND t.state = 'queued')
           AND NOT EXISTS (SELECT FROM jobs j
                            WHERE j.key >= 'desk:drain:' || q.id || ':' AND j.key < 'desk:drain:' || q.id || ';')
           AND EXISTS (SELECT FROM desk_next(q.id, $1))
         ORDER BY q.id
        """,
        tx.now,
    )
    return [row["id"] for row in rows]


# Routing


async def rules(tx: Tx, scope: str = "") -> tuple[int, list[Rule]] | None:
    """The list in force at this desk ('': the platform's) and its version."""
    row = await tx.fetchrow(
        "SELECT version, rules FROM routing_tables WHERE scope = $1 ORDER BY version DESC LIMIT 1", scope
    )
    return None if row is None else (row["version"], msgspec.json.decode(row["rules"], type=list[Rule]))


async def insert_rules(tx: Tx, scope: str, version: int, rules: list[Rule], by_id: str) -> bool:
    """False when somebody else published this version."""
    written = await tx.execute(
        """
        INSERT INTO routing_tables (version, rules, by_id, created_at, scope) VALUES ($1, $2::jsonb, $3, $4, $5)
            ON CONFLICT (scope, version) DO NOTHING
        """,
        version,
        msgspec.json.encode(rules).decode(),
        by_id,
        tx.now,
        scope,
    )
    return written == 1


# Quick replies


async def insert_reply(tx: Tx, reply: QuickReply) -> bool:
    """False when the shortcut is taken."""
    written = await tx.execute(
        """
        INSERT INTO quick_replies (id, scope, owner_id, folder, shortcut, body, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (scope, owner_id, shortcut) DO NOTHING
        """,
        reply.id,
        reply.scope,
        reply.owner_id,
        reply.folder,
        reply.shortcut,
        reply.body,
        tx.now,
    )
    return written == 1


async def find_reply(tx: Tx, reply_id: str) -> QuickReply | None:
    row = await tx.fetchrow(
        "SELECT id, scope, owner_id, folder, shortcut, body, version FROM quick_replies WHERE id = $1", reply_id
    )
    return None if row is None else QuickReply(**dict(row))


async def delete_reply(tx: Tx, reply_id: str) -> bool:
    return await tx.execute("DELETE FROM quick_replies WHERE id = $1", reply_id) == 1


async def replies_for(tx: Tx, owners: dict[str, str], *, after: str, limit: int) -> list[QuickReply]:
    """Those of these (scope → owner), by id."""
    rows = await tx.fetch(
        """
        SELECT id, scope, owner_id, folder, shortcut, body, version
          FROM quick_replies
         WHERE id > $1 AND (scope, owner_id) IN (SELECT unnest($3::text[]), unnest($4::text[]))
         ORDER BY id
         LIMIT $2
        """,
        after,
        limit,
        list(owners),
        list(owners.values()),
    )
    return [QuickReply(**dict(row)) for row in rows]
