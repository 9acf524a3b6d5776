"""Asking once more: what is open goes on, what has just been answered is opened again, all else is a new thread.

Whoever asks again within ASK_AGAIN_S about the same thing was, by all appearances, not helped: the same thread goes
back to whoever had it, with all that was said, and its next end is a closure of its own. Later, or about something
else, he gets a thread of his own that names the former one; a former one that still waited for its rating is closed,
and may be rated all the same.
"""

from __future__ import annotations

from dataclasses import replace

from chat import conversations
from chat.desk.actions.line import Newcomer, destination_of, submit
from chat.desk.actions.threads import close, reopen
from chat.desk.model import LIVE, State, Thread, is_same_matter
from chat.desk.routing import Request
from chat.desk.store import threads as store
from storage.tx import Tx


async def ask(
    tx: Tx,
    customer_id: str,
    request: Request,
    *,
    subject: tuple[str, str] | None = None,
    language: str = "zh-CN",
    customer_name: str = "",
) -> Thread:
    """The customer's thread about this subject at this desk, in the line or served. `language`, `customer_name`: how he
    is greeted where it is a new one.

    Tells what submitting, opening again and closing tell. Raises RoutingMissing.
    """
    last = await store.lock_last(tx, customer_id, request.tenant_id, subject)
    if last is not None and last.state not in LIVE:
        if is_same_matter(last, request.category, tx.now) and not await _talks_elsewhere(tx, last):
            return await reopen(tx, last.conversation_id, by_id=customer_id)
        if last.state is State.RESOLVED:
            await close(tx, last.conversation_id, "asked_anew", by_id=customer_id)
    to = await destination_of(tx, request)
    opened, _ = await conversations.open_conversation(
        tx, customer_id=customer_id, subject=subject, tenant_id=request.tenant_id, circle=to.circle
    )
    new = Newcomer(
        conversation_id=opened.id,
        customer_id=customer_id,
        request=request,
        subject_kind=subject[0] if subject else None,
        subject_id=subject[1] if subject else None,
        language=language,
        customer_name=customer_name,
    )
    if last is not None and last.conversation_id != opened.id:
        new = replace(new, former_id=last.conversation_id)
    return await submit(tx, new, to)


async def _talks_elsewhere(tx: Tx, last: Thread) -> bool:
    """Whether a conversation about the same was opened since the thread's own was closed."""
    if last.state is not State.CLOSED:
        return False
    return await conversations.has_other_open(tx, last.conversation_id)
