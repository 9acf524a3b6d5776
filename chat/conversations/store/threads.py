"""SQL of conversations, who is in them, and drafts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chat.conversations.model import Conversation, Draft, Member, Role, Standing, Status, circle_of
from storage.postgres import RetryTx
from storage.tx import Tx

_OWN_COLUMNS = """c.id, c.kind, c.tenant_id, c.customer_id, c.subject_kind, c.subject_id, c.status, c.is_handed,
    c.assignee_id, c.assign_epoch, c.last_seq, c.public_seq, c.opened_at, c.last_at, c.waiting_since,
    c.closed_at, c.version"""
# Whom it is kept to is not a conversation's to say: the desk says it, in a view (migration 0043).
COLUMNS = f"{_OWN_COLUMNS}, (SELECT w.circle FROM conversation_circles w WHERE w.conversation_id = c.id) AS circle"
MEMBER_COLUMNS = "p.account_id, p.role, p.audience, p.joined_seq, p.left_seq, p.read_seq, p.delivered_seq"

_NAMES = tuple(name.strip().removeprefix("c.") for name in _OWN_COLUMNS.split(","))
_MEMBER_NAMES = tuple(name.strip().removeprefix("p.") for name in MEMBER_COLUMNS.split(","))


def conversation_of(row: Any) -> Conversation:  # noqa: ANN401 - a row
    values = {name: row[name] for name in _NAMES}
    values["status"] = Status(values["status"])
    return Conversation(**values, circle=circle_of(row["circle"]))


def member_of(row: Any) -> Member | None:  # noqa: ANN401 - a row
    """None where an outer join found nobody."""
    values = {name: row[name] for name in _MEMBER_NAMES}
    if values["account_id"] is None:
        return None
    values["role"] = Role(values["role"])
    return Member(**values)


async def insert(tx: Tx, conversation: Conversation) -> bool:
    """False when the customer has an open one of this kind about this subject with this side."""
    written = await tx.execute(
        """
        INSERT INTO conversations (id, kind, tenant_id, customer_id, subject_kind, subject_id, status, opened_at,
                                   last_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $7)
            ON CONFLICT (customer_id, kind, tenant_id, subject_kind, subject_id)
                  WHERE status = 'open' AND customer_id IS NOT NULL DO NOTHING
        """,
        conversation.id,
        conversation.kind,
        conversation.tenant_id,
        conversation.customer_id,
        conversation.subject_kind,
        conversation.subject_id,
        conversation.opened_at,
    )
    return written == 1


async def the_open_one(tx: Tx, like: Conversation) -> Conversation | None:
    row = await tx.fetchrow(
        f"""
        SELECT {COLUMNS} FROM conversations c
         WHERE customer_id = $1 AND kind = $2 AND tenant_id IS NOT DISTINCT FROM $3
           AND subject_kind IS NOT DISTINCT FROM $4 AND subject_id IS NOT DISTINCT FROM $5 AND status = 'open'
        """,
        like.customer_id,
        like.kind,
        like.tenant_id,
        like.subject_kind,
        like.subject_id,
    )
    return None if row is None else conversation_of(row)


async def lock(tx: Tx, conversation_id: str) -> Conversation | None:
    row = await tx.fetchrow(f"SELECT {COLUMNS} FROM conversations c WHERE id = $1 FOR NO KEY UPDATE", conversation_id)
    return None if row is None else conversation_of(row)


async def save(tx: Tx, conversation: Conversation) -> None:
    """Write what decides who may write, over exactly the version before. Raises RetryTx."""
    written = await tx.execute(
        """
        UPDATE conversations
           SET status = $3, is_handed = $4, assignee_id = $5, assign_epoch = $6, closed_at = $7, version = $2,
               waiting_since = CASE $3 WHEN 'closed' THEN NULL ELSE waiting_since END
         WHERE id = $1 AND version = $2 - 1
        """,
        conversation.id,
        conversation.version,
        conversation.status.value,
        conversation.is_handed,
        conversation.assignee_id,
        conversation.assign_epoch,
        conversation.closed_at,
    )
    if written == 0:
        raise RetryTx


async def stand(tx: Tx, conversation_id: str, account_id: str) -> Standing | None:
    """The conversation, this account in it, and everybody who is in it, as of one instant."""
    row = await tx.fetchrow(
        f"""
        SELECT {COLUMNS}, {MEMBER_COLUMNS},
               (SELECT array_agg(a.account_id || E'\\n' || a.role || E'\\n' || a.audience
                                 ORDER BY a.joined_at, a.account_id)
                  FROM participants a WHERE a.conversation_id = c.id AND a.left_seq IS NULL) AS active
          FROM conversations c
          LEFT JOIN participants p ON p.conversation_id = c.id AND p.account_id = $2
         WHERE c.id = $1
        """,
        conversation_id,
        account_id,
    )
    if row is None:
        return None
    active = [one.split("\n") for one in row["active"] or ()]
    return Standing(
        conversation=conversation_of(row),
        member=member_of(row),
        active=tuple(Member(account_id=who, role=Role(role), audience=where) for who, role, where in active),
    )


async def join(tx: Tx, conversation_id: str, member: Member) -> None:
    """Take part, or take part again: as what he comes now, seeing from where he comes now."""
    await tx.execute(
        """
        INSERT INTO participants (conversation_id, account_id, role, audience, joined_seq, joined_at)
        VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (conversation_id, account_id)
            DO UPDATE SET role = $3, audience = $4, joined_seq = $5, left_seq = NULL
        """,
        conversation_id,
        member.account_id,
        member.role.value,
        member.audience,
        member.joined_seq,
        tx.now,
    )


async def leave(tx: Tx, conversation_id: str, account_id: str, last_seq: int) -> bool:
    written = await tx.execute(
        "UPDATE participants SET left_seq = $3 WHERE conversation_id = $1 AND account_id = $2 AND left_seq IS NULL",
        conversation_id,
        account_id,
        last_seq,
    )
    return written == 1


async def mark(tx: Tx, conversation_id: str, account_id: str, *, read_seq: int, delivered_seq: int) -> Member | None:
    """Move his marks forward, never past the end or what he sees of it; None when they stand there already.

    Marks only grow, so two at once may wait for each other but cannot undo each other.
    """
    row = await tx.fetchrow(
        f"""
        UPDATE participants p
           SET read_seq = greatest(p.read_seq, least($3, coalesce(p.left_seq, c.last_seq))),
               delivered_seq = greatest(p.delivered_seq, least(greatest($3, $4), coalesce(p.left_seq, c.last_seq)))
          FROM conversations c
         WHERE c.id = $1 AND p.conversation_id = $1 AND p.account_id = $2
           AND (p.read_seq < least($3, coalesce(p.left_seq, c.last_seq))
                OR p.delivered_seq < least(greatest($3, $4), coalesce(p.left_seq, c.last_seq)))
        RETURNING {MEMBER_COLUMNS}
        """,
        conversation_id,
        account_id,
        read_seq,
        delivered_seq,
    )
    return None if row is None else member_of(row)


async def members(tx: Tx, conversation_id: str) -> list[Member]:
    """Everybody who is or was in it, first come first."""
    rows = await tx.fetch(
        f"SELECT {MEMBER_COLUMNS} FROM participants p WHERE conversation_id = $1 ORDER BY joined_at, account_id",
        conversation_id,
    )
    return [found for row in rows if (found := member_of(row)) is not None]


async def save_draft(tx: Tx, agent_id: str, draft: Draft) -> None:
    await tx.execute(
        """
        INSERT INTO drafts (agent_id, conversation_id, body, base_seq, saved_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (agent_id, conversation_id) DO UPDATE SET body = $3, base_seq = $4, saved_at = $5
        """,
        agent_id,
        draft.conversation_id,
        draft.body,
        draft.base_seq,
        draft.saved_at,
    )


async def drop_draft(tx: Tx, agent_id: str, conversation_id: str) -> None:
    await tx.execute("DELETE FROM drafts WHERE agent_id = $1 AND conversation_id = $2", agent_id, conversation_id)


async def draft(tx: Tx, agent_id: str, conversation_id: str) -> Draft | None:
    row = await tx.fetchrow(
        """
        SELECT conversation_id, body, base_seq, saved_at FROM drafts WHERE agent_id = $1 AND conversation_id = $2
        """,
        agent_id,
        conversation_id,
    )
    return None if row is None else Draft(**dict(row))


async def drafts(tx: Tx, agent_id: str, limit: int) -> Sequence[Draft]:
    """Last saved first."""
    rows = await tx.fetch(
        """
        SELECT conversation_id, body, base_seq, saved_at FROM drafts
         WHERE agent_id = $1 ORDER BY saved_at DESC, conversation_id LIMIT $2
        """,
        agent_id,
        limit,
    )
    return [Draft(**dict(row)) for row in rows]
