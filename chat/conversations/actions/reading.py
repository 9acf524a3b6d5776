"""Reading: lists, history, what one has missed, search, files. What somebody sees is decided by `may_read` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from chat.conversations.actions.saying import stand
from chat.conversations.model import (
    DELTAS_MAX,
    EVERYTHING,
    SYNC_BYTES,
    SYNC_MAX,
    SYNC_ROWS,
    Conversation,
    Delta,
    Draft,
    Member,
    Message,
    NothingSought,
    Reader,
    Role,
    Row,
    Sight,
    Sought,
    Standing,
    may_read,
)
from chat.conversations.store import lists, messages, threads
from chat.conversations.words import needles, words_of
from storage import files
from storage.base import codec
from storage.base.errors import NotFound
from storage.files import StoredFile
from storage.tx import Tx

DIGEST_MAX = 200
"""Conversations of one account in a digest; nobody serves more at once."""


DRAFTS_MAX = 100

MESSAGE_BYTES = 600
"""Of a message without its text, as it is sent, at most."""


UNTAKEN_MAX = 99


async def read_conversation(tx: Tx, reader: Reader, conversation_id: str) -> tuple[Standing, Sight]:
    """The conversation, as this reader stands in it. Raises NotFound."""
    return await stand(tx, reader, conversation_id)


async def members_of(tx: Tx, reader: Reader, conversation_id: str) -> list[Member]:
    """Who is or was in it; staff who read along only for staff. Raises NotFound."""
    _, sight = await stand(tx, reader, conversation_id)
    found = await threads.members(tx, conversation_id)
    return found if sight.internal else [member for member in found if member.role is not Role.OBSERVER]


async def history(
    tx: Tx,
    reader: Reader,
    conversation_id: str,
    *,
    after: int = 0,
    before: int | None = None,
    is_oldest_first: bool = False,
    limit: int,
) -> list[Message]:
    """Messages between two seqs, without these: the last ones newest first, or the first ones oldest first.

    Raises NotFound.
    """
    _, sight = await stand(tx, reader, conversation_id)
    upto = None if before is None else before - 1
    lasts = [last for last in (sight.last, upto) if last is not None]
    part = replace(sight, first=max(sight.first, after + 1), last=min(lasts, default=None))
    read = messages.earliest if is_oldest_first else messages.latest
    return await read(tx, conversation_id, part, limit=limit)


async def drafts_of(tx: Tx, reader: Reader) -> list[Draft]:
    """One's own drafts where one may still read, last saved first."""
    drafts = await threads.drafts(tx, reader.account_id, DRAFTS_MAX)
    here = await seen(tx, reader, [draft.conversation_id for draft in drafts])
    return [draft for draft in drafts if draft.conversation_id in here]


async def draft_of(tx: Tx, reader: Reader, conversation_id: str) -> Draft:
    """One's own draft here. Raises NotFound, also when there is none."""
    await stand(tx, reader, conversation_id)
    draft = await threads.draft(tx, reader.account_id, conversation_id)
    if draft is None:
        raise NotFound
    return draft


async def seen(tx: Tx, reader: Reader, conversation_ids: Sequence[str]) -> dict[str, tuple[Conversation, Sight]]:
    """Of these conversations the ones this reader sees, and what of each."""
    found = await lists.stand_in(tx, reader.account_id, conversation_ids)
    sights = ((conversation, may_read(reader, conversation, member)) for conversation, member in found)
    return {conversation.id: (conversation, sight) for conversation, sight in sights if sight is not None}


async def sync(tx: Tx, reader: Reader, have: Mapping[str, int]) -> list[Delta]:
    """Of each conversation what comes after the last message one has; `more` where something is left to ask for.

    Conversations this reader does not see are left out, as if they were not there.
    Bounds    SYNC_MAX conversations, DELTAS_MAX messages of each, SYNC_ROWS and SYNC_BYTES of all.
    """
    known = await seen(tx, reader, list(have)[:SYNC_MAX])
    asked = {conversation_id: (sight, have[conversation_id]) for conversation_id, (_, sight) in known.items()}
    found: dict[str, list[Message]] = {conversation_id: [] for conversation_id in asked}
    limit = min(DELTAS_MAX, max(10, SYNC_ROWS // max(1, len(asked))))
    for message in await lists.deltas(tx, asked, limit=limit + 1):
        found[message.conversation_id].append(message)
    room, deltas = SYNC_BYTES, []
    for conversation_id, missed in found.items():
        shown: list[Message] = []
        while len(shown) < min(limit, len(missed)) and room > 0:
            shown.append(missed[len(shown)])
            room -= MESSAGE_BYTES + len(codec.dumps(shown[-1].body))
        last_seq = last_seen(*known[conversation_id])
        deltas.append(Delta(conversation_id, tuple(shown), last_seq, len(shown) < len(missed)))
    return deltas


async def digests(tx: Tx, readers: Sequence[Reader]) -> dict[str, dict[str, int]]:
    """Account → the open conversations it takes part in → the last seq it sees there. Who has none is left out.

    Whoever holds less than this has lost something and asks for it (`sync`).
    """
    by_account = {reader.account_id: reader for reader in readers}
    found: dict[str, dict[str, int]] = {}
    for conversation, member in await lists.takes_part(tx, list(by_account), limit=DIGEST_MAX):
        sight = may_read(by_account[member.account_id], conversation, member)
        if sight is not None:
            found.setdefault(member.account_id, {})[conversation.id] = last_seen(conversation, sight)
    return found


async def untaken(tx: Tx, conversation_id: str, account_id: str) -> tuple[int, int]:
    """Messages of others that no device of this person has taken: how many (counted to 99), and the last one's seq.

    None for who takes no part. What staff say among themselves does not count.
    """
    return await lists.untaken(tx, conversation_id, account_id, limit=UNTAKEN_MAX)


def last_seen(conversation: Conversation, sight: Sight) -> int:
    """The last seq within sight. For who has left: as far as he may ask."""
    last = conversation.last_seq if sight.internal else conversation.public_seq
    return last if sight.last is None else min(last, sight.last)


async def list_own(
    tx: Tx,
    account_id: str,
    *,
    status: str | None = None,
    subject_id: str | None = None,
    before: str | None = None,
    limit: int = 20,
) -> list[Row]:
    """Where this person is or was served, last opened first."""
    return await lists.own(tx, account_id, status=status, subject_id=subject_id, before=before, limit=limit)


async def list_served(
    tx: Tx,
    reader: Reader,
    *,
    status: str | None = None,
    assignee_id: str | None = None,
    is_unassigned: bool = False,
    subject_id: str | None = None,
    customer_id: str | None = None,
    before: str | None = None,
    limit: int = 20,
) -> list[Row]:
    """What this member of staff may read, last opened first."""
    if reader.staff is None:
        raise NotFound
    return await lists.served(
        tx,
        reader,
        status=status,
        assignee_id=assignee_id,
        is_unassigned=is_unassigned,
        subject_id=subject_id,
        customer_id=customer_id,
        before=before,
        limit=limit,
    )


async def search(
    tx: Tx,
    reader: Reader,
    text: str | None = None,
    *,
    of: Sought = EVERYTHING,
    before: tuple[datetime, str, int] | None = None,
    limit: int = 20,
) -> list[Message]:
    """Messages that say this and are of these, among those this reader sees, last said first (FR-129).

    Whole words, any run of Chinese; without words somebody's or something's must be named. `before`: (at, conversation
    id, seq) of the last one of the page before. Raises NothingSought.
    """
    if text is None and of.is_anybody_s:
        raise NothingSought
    return await lists.found(tx, reader, _said(text), of, before=before, limit=limit)


def _said(text: str | None) -> lists.Words | None:
    """Raises NothingSought."""
    if text is None:
        return None
    words = words_of(text)
    if not words:
        raise NothingSought
    return lists.Words(words, needles(text))


async def records(
    tx: Tx,
    reader: Reader,
    text: str | None = None,
    *,
    of: Sought = EVERYTHING,
    after: tuple[str, int] | None = None,
    limit: int = 500,
) -> list[tuple[Message, Conversation]]:
    """The same, each with its conversation: those last opened first, and of each its messages in their order.

    `after`: (conversation id, seq) of the last one of the page before. Raises NothingSought for a text without words.
    """
    return await lists.records(tx, reader, _said(text), of, after=after, limit=limit)


async def file_of(tx: Tx, reader: Reader, conversation_id: str, file_id: str) -> StoredFile:
    """A file somebody showed in this conversation, if this reader sees the message. Raises NotFound."""
    _, sight = await stand(tx, reader, conversation_id)
    message = await messages.of_file(tx, conversation_id, file_id)
    if message is None or not sight.covers(message.seq, is_internal=message.is_internal):
        raise NotFound
    return await files.read(tx, file_id)
