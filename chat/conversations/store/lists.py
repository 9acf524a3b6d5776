"""SQL of lists, synchronising and search: many conversations at once.

`_SERVED` is `model.may_read` for staff, `_OWN` for people, as conditions; a test compares them over every case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chat.conversations.model import Conversation, Member, Message, Reader, Row, Sight
from chat.conversations.store.messages import COLUMNS as MESSAGE_COLUMNS
from chat.conversations.store.messages import message_of
from chat.conversations.store.threads import COLUMNS, MEMBER_COLUMNS, conversation_of, member_of
from storage.tx import Tx

UNREAD_MAX = 100

_OWN = "p.role IN ('customer', 'worker')"
# $1 the reader, $2 the tenant whose desk it is (null: the platform's), $3 whether he is a supervisor.
_SERVED = """c.customer_id IS DISTINCT FROM $1 AND (p.role IS NULL OR p.role NOT IN ('customer', 'worker'))
    AND (c.tenant_id IS NOT DISTINCT FROM $2
         OR ($2 IS NULL AND c.is_handed AND ($3 OR (p.left_seq IS NULL AND p.role = 'agent'))))"""
_SEEN_BY_STAFF = "m.conversation_id = c.id"
_SEEN_BY_PEOPLE = """m.conversation_id = c.id AND NOT m.is_internal AND m.seq >= p.joined_seq
    AND (p.left_seq IS NULL OR m.seq <= p.left_seq)"""


def _rows_sql(seen: str, joined: str, scope: str) -> str:
    """Conversations of a scope with what of them is new and what was said last."""
    return f"""
        SELECT {COLUMNS}, {MEMBER_COLUMNS}, fresh.unread, said.*
          FROM {joined}
          LEFT JOIN LATERAL (SELECT count(*)::int AS unread FROM (
                    SELECT FROM messages m
                     WHERE {seen} AND m.seq > coalesce(p.read_seq, 0) AND m.sender_id <> $1 AND m.target_seq IS NULL
                     LIMIT {UNREAD_MAX}) AS others) AS fresh ON true
          LEFT JOIN LATERAL (SELECT {_ALIASED} FROM messages m
                     WHERE {seen} AND m.target_seq IS NULL ORDER BY m.seq DESC LIMIT 1) AS said ON true
         WHERE {scope}
    """


_MESSAGE_NAMES = tuple(name.strip().removeprefix("m.") for name in MESSAGE_COLUMNS.split(","))
_ALIASED = ", ".join(f"m.{name} AS said_{name}" for name in _MESSAGE_NAMES)
_JOINED_OWN = "participants p JOIN conversations c ON c.id = p.conversation_id"
_JOINED_ALL = "conversations c LEFT JOIN participants p ON p.conversation_id = c.id AND p.account_id = $1"


def _row(row: Any) -> Row:  # noqa: ANN401 - a row
    last = None
    if row["said_seq"] is not None:
        last = message_of({name: row[f"said_{name}"] for name in _MESSAGE_NAMES})
    return Row(conversation_of(row), member_of(row), row["unread"], last)


async def own(
    tx: Tx, account_id: str, *, status: str | None, subject_id: str | None, before: str | None, limit: int
) -> list[Row]:
    """Those this person is or was served in, last opened first."""
    rows = await tx.fetch(
        _rows_sql(_SEEN_BY_PEOPLE, _JOINED_OWN, f"p.account_id = $1 AND {_OWN}")
        + """AND ($2::text IS NULL OR c.status = $2) AND ($3::text IS NULL OR c.subject_id = $3)
             AND ($4::text IS NULL OR c.id < $4)
           ORDER BY c.id DESC LIMIT $5""",
        account_id,
        status,
        subject_id,
        before,
        limit,
    )
    return [_row(row) for row in rows]


async def served(
    tx: Tx,
    reader: Reader,
    *,
    status: str | None,
    assignee_id: str | None,
    is_unassigned: bool,
    subject_id: str | None,
    customer_id: str | None,
    before: str | None,
    limit: int,
) -> list[Row]:
    """Those this member of staff may read, last opened first."""
    assert reader.staff is not None  # noqa: S101 - a mistake of ours
    rows = await tx.fetch(
        _rows_sql(_SEEN_BY_STAFF, _JOINED_ALL, _SERVED)
        + """AND ($4::text IS NULL OR c.status = $4) AND ($5::text IS NULL OR c.assignee_id = $5)
             AND (NOT $6::boolean OR c.assignee_id IS NULL) AND ($7::text IS NULL OR c.subject_id = $7)
             AND ($8::text IS NULL OR c.customer_id = $8) AND ($9::text IS NULL OR c.id < $9)
           ORDER BY c.id DESC LIMIT $10""",
        reader.account_id,
        reader.staff.tenant_id,
        reader.staff.is_supervisor,
        status,
        assignee_id,
        is_unassigned,
        subject_id,
        customer_id,
        before,
        limit,
    )
    return [_row(row) for row in rows]


async def stand_in(
    tx: Tx, account_id: str, conversation_ids: Sequence[str]
) -> list[tuple[Conversation, Member | None]]:
    """These conversations, and this account in each."""
    rows = await tx.fetch(
        f"SELECT {COLUMNS}, {MEMBER_COLUMNS} FROM {_JOINED_ALL} WHERE c.id = ANY ($2) ORDER BY c.id",
        account_id,
        list(conversation_ids),
    )
    return [(conversation_of(row), member_of(row)) for row in rows]


async def takes_part(tx: Tx, account_ids: Sequence[str], *, limit: int) -> list[tuple[Conversation, Member]]:
    """Open conversations each of these accounts is in; of each account the last opened `limit`."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS}, {MEMBER_COLUMNS}
          FROM unnest($1::text[]) AS who (id)
         CROSS JOIN LATERAL (
               SELECT {MEMBER_COLUMNS}, p.conversation_id FROM participants p
                 JOIN conversations c ON c.id = p.conversation_id AND c.status = 'open'
                WHERE p.account_id = who.id AND p.left_seq IS NULL
                ORDER BY p.conversation_id DESC LIMIT $2) AS p
          JOIN conversations c ON c.id = p.conversation_id
        """,
        list(account_ids),
        limit,
    )
    return [(conversation_of(row), found) for row in rows if (found := member_of(row)) is not None]


async def deltas(tx: Tx, asked: Mapping[str, tuple[Sight, int]], *, limit: int) -> list[Message]:
    """Of each conversation the first messages after a seq, as far as they are seen; at most `limit` of each."""
    rows = await tx.fetch(
        f"""
        SELECT {MESSAGE_COLUMNS}
          FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::boolean[], $5::bigint[])
               AS asked (id, first, last, internal, have)
         CROSS JOIN LATERAL (
               SELECT {MESSAGE_COLUMNS} FROM messages m
                WHERE m.conversation_id = asked.id AND m.seq > asked.have AND m.seq >= asked.first
                  AND (asked.last IS NULL OR m.seq <= asked.last) AND (asked.internal OR NOT m.is_internal)
                ORDER BY m.seq LIMIT $6) AS m
         ORDER BY m.conversation_id, m.seq
        """,
        list(asked),
        [sight.first for sight, _ in asked.values()],
        [sight.last for sight, _ in asked.values()],
        [sight.internal for sight, _ in asked.values()],
        [have for _, have in asked.values()],
        limit,
    )
    return [message_of(row) for row in rows]


_FOUND = f"""
        SELECT {MESSAGE_COLUMNS} FROM messages m
          JOIN conversations c ON c.id = m.conversation_id
          LEFT JOIN participants p ON p.conversation_id = c.id AND p.account_id = $1
         WHERE m.words @> $4::text[]
           AND NOT EXISTS (SELECT FROM unnest($5::text[]) AS needle
                            WHERE strpos(lower(normalize(m.body, NFKC)), needle) = 0)
           AND ($6::text IS NULL OR m.conversation_id = $6)
           AND ($7::timestamptz IS NULL OR (m.at, m.conversation_id, m.seq) < ($7, $8::text, $9::bigint))
"""
_LAST_FIRST = "ORDER BY m.at DESC, m.conversation_id DESC, m.seq DESC LIMIT $10"


async def found(
    tx: Tx,
    reader: Reader,
    words: Sequence[str],
    needles: Sequence[str],
    *,
    conversation_id: str | None,
    before: tuple[datetime, str, int] | None,
    limit: int,
) -> list[Message]:
    """Messages with all these words and runs that this reader sees, last said first."""
    staff = reader.staff
    scope = f"({_SERVED})" if staff else f"({_OWN} AND {_SEEN_BY_PEOPLE} AND $2::text IS NULL AND NOT $3::boolean)"
    rows = await tx.fetch(
        f"{_FOUND} AND {scope} {_LAST_FIRST}",
        reader.account_id,
        staff.tenant_id if staff else None,
        staff.is_supervisor if staff else False,
        list(words),
        list(needles),
        conversation_id,
        *(before or (None, None, None)),
        limit,
    )
    return [message_of(row) for row in rows]
