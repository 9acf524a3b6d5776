"""What was said, on paper (FR-129): one row for each message, as whoever asks may read it now. No phone numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from chat import conversations, desk
from chat.conversations import Conversation, Message, Reader, Sought
from rest import people
from rest.desk.conversations.readers import reader_of
from rest.papers.exports import Filters, Kind, Wanted
from rest.papers.exports.lists import pages_by
from rest.papers.sheet import Column, Row
from rest.trade import orders
from storage import files
from storage.base.errors import Denied
from storage.tx import Tx

ASKERS = ("support", "supervisor", "admin", "tenant_supervisor", "tenant_admin")
"""The platform's desk, and who watches over a tenant's."""

Said = tuple[Message, Conversation]
Place = tuple[str, int]
"""Conversation and seq."""


async def _reader(tx: Tx, account_id: str) -> Reader:
    """As his roles are when the file is made, not when it was asked for. Raises Denied."""
    account = await people.account_of(tx, account_id)
    reader = reader_of(account.id, account.roles, account.tenant_id)
    if account.roles.isdisjoint(ASKERS) or reader.staff is None:
        raise Denied
    return reader


async def _scope(tx: Tx, account_id: str, _filters: Filters) -> Mapping[str, str]:
    """Raises Denied."""
    await _reader(tx, account_id)
    return {}


async def _rows(tx: Tx, wanted: Wanted) -> AsyncIterator[Sequence[Row]]:
    filters, reader = wanted.filters, await _reader(tx, wanted.account_id)
    of = Sought(
        conversation_id=filters.conversation_id,
        customer_id=filters.customer_id,
        agent_id=filters.agent_id,
        subject=None if filters.order_id is None else ("order", filters.order_id),
        since=filters.since,
        until=filters.until,
    )

    async def read(after: Place | None, limit: int) -> Sequence[Said]:
        return await conversations.records(tx, reader, filters.q, of=of, after=after, limit=limit)

    async for found in pages_by(read, first=None, place=_place):
        yield await _written(tx, found)


def _place(said: Said) -> Place | None:
    message, conversation = said
    return conversation.id, message.seq


async def _written(tx: Tx, found: Sequence[Said]) -> list[Row]:
    senders = list({message.sender_id for message, _ in found})
    names = {one.id: one.nickname for one in await people.accounts_of(tx, senders)}
    names |= await desk.agent_names_of(tx, senders)
    queues = await desk.queue_names_of(tx, list({conversation.id for _, conversation in found}))
    numbers = await orders.numbers_of(tx, [one.subject_id for _, one in found if one.subject_id is not None])
    shown = await files.names_of(tx, [message.file_id for message, _ in found if message.file_id is not None])
    return [
        (message.at, conversation.id, message.seq, message.sender_role.value, names.get(message.sender_id),
         message.kind.value, "internal" if message.is_internal else None, _text(message),
         shown.get(message.file_id or ""), message.recalled_at, queues.get(conversation.id),
         numbers.get(conversation.subject_id or ""))
        for message, conversation in found
    ]  # fmt: skip


def _text(message: Message) -> str:
    """What it says; of a place its name, of a card what it shows. A recalled message has no words any more."""
    data: Mapping[str, Any] = message.data or {}
    return message.body or str(data.get("title") or data.get("id") or "")


EXPORTS = (
    Kind(
        name="chat_records",
        title={"zh": "会话记录", "en": "Chat records"},
        roles=ASKERS,
        takes=frozenset({"since", "until", "q", "conversation_id", "customer_id", "agent_id", "order_id"}),
        columns=(
            Column("时间", "Said at", "instant", 20),
            Column("会话", "Conversation", "text", 31),
            Column("序号", "Place", "count", 8),
            Column("身份", "Role", "text", 12),
            Column("姓名", "Name", "text", 16),
            Column("类型", "Kind", "text", 12),
            Column("内部", "Internal", "text", 10),
            Column("内容", "Text", "text", 60),
            Column("附件", "File", "text", 24),
            Column("撤回时间", "Recalled at", "instant", 20),
            Column("队列", "Queue", "text", 16),
            Column("订单号", "Order", "text", 22),
        ),
        source=_rows,
        scoping=_scope,
    ),
)
