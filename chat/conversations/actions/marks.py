"""What somebody has read, and what an agent has begun to write."""

from __future__ import annotations

from chat.conversations.actions.saying import stand
from chat.conversations.facts import UNSEEN, MessageRead, member_audience
from chat.conversations.model import TEXT_MAX, Draft, Member, MessageTooLong, Reader, ReadOnly
from chat.conversations.store import threads
from storage.tx import Tx


async def mark_read(
    tx: Tx, reader: Reader, conversation_id: str, *, read_seq: int = 0, delivered_seq: int = 0
) -> Member | None:
    """Move one's marks forward: what is read is delivered too. They never go back, nor past what there is.

    None, and nothing told, when they stand there already. Tells message.read. Raises NotFound, ReadOnly for who
    takes no part.
    """
    standing, _ = await stand(tx, reader, conversation_id)
    if standing.member is None:
        raise ReadOnly
    member = await threads.mark(tx, conversation_id, reader.account_id, read_seq=read_seq, delivered_seq=delivered_seq)
    if member is None or member.role in UNSEEN or not member.is_active:
        return member
    fact = MessageRead(
        conversation_id=conversation_id,
        reader_id=member.account_id,
        reader_role=member.role.value,
        read_seq=member.read_seq,
        delivered_seq=member.delivered_seq,
    )
    tx.tell(fact, to=[member_audience(standing.conversation, one) for one in standing.active])
    return member


async def save_draft(tx: Tx, reader: Reader, conversation_id: str, body: str, *, base_seq: int) -> None:
    """Keep what this member of staff has begun to write here; nothing is no draft. It goes when he answers.

    Raises NotFound, ReadOnly, MessageTooLong.
    """
    _, sight = await stand(tx, reader, conversation_id)
    if not sight.internal:
        raise ReadOnly
    if len(body) > TEXT_MAX:
        raise MessageTooLong(characters_max=TEXT_MAX)
    if body:
        await threads.save_draft(tx, reader.account_id, Draft(conversation_id, body, base_seq, tx.now))
    else:
        await threads.drop_draft(tx, reader.account_id, conversation_id)
