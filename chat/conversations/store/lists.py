"""SQL of lists, synchronising and search: many conversations at once.

`_SERVED` is `model.may_read` for staff, `_OWN` for people, as conditions; a test compares them over every case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chat.conversations.model import Conversation, Member, Message, Reader, Row, Sight, Sought
from chat.conversations.store.messages import COLUMNS as MESSAGE_COLUMNS
from chat.conversations.store.messages import message_of
from chat.conversations.store.threads import COLUMNS, MEMBER_COLUMNS, conversation_of, member_of
from storage.tx import Tx

UNREAD_MAX = 100

_OWN = "p.role IN ('customer', 'worker')"
# $1 the reader, $2 the tenant whose desk it is (null: the platform's), $3 whether he is a supervisor.
_SERVED = """c.customer_id IS DISTINCT FROM $1 AND (p.role IS NULL OR p.role NOT IN ('customer', 'worker'))
    AND (c.tenant_id IS NOT DISTINCT FROM $2
         OR ($2 IS NULL AND ($3 OR (c.is_handed AND p.left_seq IS NULL AND p.role = 'agent'))))
    AND ($3 OR NOT EXISTS (SELECT FROM conversation_circles w WHERE w.conversation_id = c.id AND $1 <> ALL (w.ids)))"""
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
    last = _said(row) if row["said_seq"] is not None else None
    return Row(conversation_of(row), member_of(row), row["unread"], last)


def _said(row: Any) -> Message:  # noqa: ANN401 - a row
    return message_of({name: row[f"said_{name}"] for name in _MESSAGE_NAMES})


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


@dataclass(frozen=True, slots=True)
class Words:
    """What a message must say: these words, and these runs of characters."""

    words: Sequence[str]
    needles: Sequence[str]


_JOINED_SAID = f"{_JOINED_ALL} JOIN messages m ON m.conversation_id = c.id"


class _Query:
    """Conditions with their arguments, $1 … $3 those of the reader."""

    def __init__(self, reader: Reader) -> None:
        staff = reader.staff
        scope = f"({_SERVED})" if staff else f"({_OWN} AND {_SEEN_BY_PEOPLE} AND $2::text IS NULL AND NOT $3::boolean)"
        self.conditions = [scope, "m.target_seq IS NULL"]
        self.args: list[Any] = [
            reader.account_id, staff.tenant_id if staff else None, staff.is_supervisor if staff else False,
        ]  # fmt: skip

    def ask(self, condition: str, *args: Any) -> None:  # noqa: ANN401 - SQL values
        """`{}` in the condition stand for the arguments."""
        self.args += args
        first = len(self.args) - len(args) + 1
        self.conditions.append(condition.format(*(f"${n}" for n in range(first, len(self.args) + 1))))

    def sql(self, columns: str, order: str, limit: int) -> str:
        self.args.append(limit)
        where = " AND ".join(self.conditions)
        return f"SELECT {columns} FROM {_JOINED_SAID} WHERE {where} ORDER BY {order} LIMIT ${len(self.args)}"


def _asked(reader: Reader, said: Words | None, of: Sought) -> _Query:
    query = _Query(reader)
    if said is not None:
        query.ask("m.words @> {}::text[]", list(said.words))
        query.ask(
            "NOT EXISTS (SELECT FROM unnest({}::text[]) AS needle"
            " WHERE strpos(lower(normalize(m.body, NFKC)), needle) = 0)",
            list(said.needles),
        )
    if of.conversation_id is not None:
        query.ask("m.conversation_id = {}", of.conversation_id)
    if of.customer_id is not None:
        query.ask("c.customer_id = {}", of.customer_id)
    if of.agent_id is not None:
        query.ask(
            "c.id IN (SELECT a.conversation_id FROM participants a WHERE a.account_id = {} AND a.role = 'agent')",
            of.agent_id,
        )
    if of.subject is not None:
        query.ask("c.subject_kind = {} AND c.subject_id = {}", *of.subject)
    if of.since is not None:
        query.ask("m.at >= {0} AND c.last_at >= {0}", of.since)
    if of.until is not None:
        query.ask("m.at < {0} AND c.opened_at < {0}", of.until)
    return query


async def found(
    tx: Tx,
    reader: Reader,
    said: Words | None,
    of: Sought,
    *,
    before: tuple[datetime, str, int] | None,
    limit: int,
) -> list[Message]:
    """Messages of these that this reader sees, last said first."""
    query = _asked(reader, said, of)
    if before is not None:
        query.ask("(m.at, m.conversation_id, m.seq) < ({}, {}::text, {}::bigint)", *before)
    sql = query.sql(MESSAGE_COLUMNS, "m.at DESC, m.conversation_id DESC, m.seq DESC", limit)
    return [message_of(row) for row in await tx.fetch(sql, *query.args)]


async def records(
    tx: Tx,
    reader: Reader,
    said: Words | None,
    of: Sought,
    *,
    after: tuple[str, int] | None,
    limit: int,
) -> list[tuple[Message, Conversation]]:
    """The same conversation by conversation, those last opened first, each from its beginning."""
    query = _asked(reader, said, of)
    if after is not None:
        query.ask("(c.id < {0} OR (c.id = {0} AND m.seq > {1}::bigint)) AND c.id <= {0}", *after)
    rows = await tx.fetch(query.sql(f"{COLUMNS}, {_ALIASED}", "c.id DESC, m.seq", limit), *query.args)
    return [(_said(row), conversation_of(row)) for row in rows]


async def untaken(tx: Tx, conversation_id: str, account_id: str, *, limit: int) -> tuple[int, int]:
    """How many messages of others no device of this person has, as far as he sees them, and the last one's seq."""
    row = await tx.fetchrow(
        """
        SELECT count(*)::int AS n, coalesce(max(seq), 0) AS last_seq FROM (
               SELECT m.seq FROM participants p JOIN messages m ON m.conversation_id = p.conversation_id
                WHERE p.conversation_id = $1 AND p.account_id = $2 AND p.left_seq IS NULL
                  AND m.seq > p.delivered_seq AND m.seq >= p.joined_seq AND m.sender_id <> $2
                  AND m.target_seq IS NULL AND m.kind <> 'system' AND NOT m.is_internal
                ORDER BY m.seq DESC LIMIT $3) AS waiting
        """,
        conversation_id,
        account_id,
        limit,
    )
    return row["n"], row["last_seq"]
