"""Reading: lists, history, what one has missed, search, files. What somebody sees is decided by `may_read` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from chat.conversations.actions.saying import stand
from chat.conversations.model import (
    DELTAS_MAX,
    SYNC_MAX,
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
    Standing,
    may_read,
)
from chat.conversations.store import lists, messages, threads
from chat.conversations.words import needles, words_of
from storage import files
from storage.base.errors import NotFound
from storage.files import StoredFile
from storage.tx import Tx

DIGEST_MAX = 200
"""Conversations of one account in a digest; nobody serves more at once."""


DRAFTS_MAX = 100


async def read_conversation(tx: Tx, reader: Reader, conversation_id: str) -> tuple[Standing, Sight]:
    """The conversation, as this reader stands in it. Raises NotFound."""
    return await stand(tx, reader, conversation_id)


async def members_of(tx: Tx, reader: Reader, conversation_id: str) -> list[Member]:
    """Who is or was in it; staff who read along only for staff. Raises NotFound."""
    _, sight = await stand(tx, reader, conversation_id)
    found = await threads.members(tx, conversation_id)
    return found if sight.internal else [member for member in found if member.role is not Role.OBSERVER]


async def history(
    tx: Tx, reader: Reader, conversation_id: str, *, before: int | None = None, after: int | None = None, limit: int
) -> list[Message]:
    """The last messages before a seq, newest first; with `after` the first ones after it, oldest first.

    Raises NotFound.
    """
    _, sight = await stand(tx, reader, conversation_id)
    if after is not None:
        return await messages.later(tx, conversation_id, sight, after=after, limit=limit)
    return await messages.earlier(tx, conversation_id, sight, before=before, limit=limit)


async def drafts_of(tx: Tx, reader: Reader) -> list[Draft]:
    """One's own drafts where one may still read, last saved first."""
    drafts = await threads.drafts(tx, reader.account_id, DRAFTS_MAX)
    here = await seen(tx, reader, [draft.conversation_id for draft in drafts])
    return [draft for draft in drafts if draft.conversation_id in here]


async def seen(tx: Tx, reader: Reader, conversation_ids: Sequence[str]) -> dict[str, tuple[Conversation, Sight]]:
    """Of these conversations the ones this reader sees, and what of each."""
    found = await lists.stand_in(tx, reader.account_id, conversation_ids)
    sights = ((conversation, may_read(reader, conversation, member)) for conversation, member in found)
    return {conversation.id: (conversation, sight) for conversation, sight in sights if sight is not None}


async def sync(tx: Tx, reader: Reader, have: Mapping[str, int]) -> list[Delta]:
    """Of each conversation what comes after the last message one has, at most DELTAS_MAX of it.

    Conversations this reader does not see are left out, as if they were not there. Bounds: SYNC_MAX conversations.
    """
    known = await seen(tx, reader, list(have)[:SYNC_MAX])
    asked = {conversation_id: (sight, have[conversation_id]) for conversation_id, (_, sight) in known.items()}
    found: dict[str, list[Message]] = {conversation_id: [] for conversation_id in asked}
    for message in await lists.deltas(tx, asked, limit=DELTAS_MAX + 1):
        found[message.conversation_id].append(message)
    return [
        Delta(
            conversation_id,
            tuple(missed[:DELTAS_MAX]),
            last_seen(*known[conversation_id]),
            len(missed) > DELTAS_MAX,
        )
        for conversation_id, missed in found.items()
    ]


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
    text: str,
    *,
    conversation_id: str | None = None,
    before: tuple[datetime, str, int] | None = None,
    limit: int = 20,
) -> list[Message]:
    """Messages that say this, among those this reader sees, last said first. Whole words, any run of Chinese.

    `before`: (at, conversation id, seq) of the last one of the page before. Raises NothingSought.
    """
    words = words_of(text)
    if not words:
        raise NothingSought
    return await lists.found(
        tx, reader, words, needles(text), conversation_id=conversation_id, before=before, limit=limit
    )


async def file_of(tx: Tx, reader: Reader, conversation_id: str, file_id: str) -> StoredFile:
    """A file somebody showed in this conversation, if this reader sees the message. Raises NotFound."""
    _, sight = await stand(tx, reader, conversation_id)
    message = await messages.of_file(tx, conversation_id, file_id)
    if message is None or not sight.covers(message.seq, is_internal=message.is_internal):
        raise NotFound
    return await files.read(tx, file_id)
