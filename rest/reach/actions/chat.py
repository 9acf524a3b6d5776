"""Messages nobody's device took: told once, together, some seconds later.

A message begins a wait for each participant it was told to, unless one before it is waited for already. When the wait
is over, the marks of the conversation say whether a device has it. What was said meanwhile is in the same notice, and
no message is told of twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chat import conversations
from rest.reach.actions.telling import notice_of, tell
from rest.reach.kinds import CHAT
from rest.reach.store import chat as store
from rest.reach.terms import Terms
from storage.tx import Tx

LOOK = "reach.chat"


async def wait(tx: Tx, conversation_id: str, account_id: str, *, fact_id: str, terms: Terms) -> None:
    """Look in a few seconds whether this person's devices have what was just said; locks the wait."""
    pushed_at = await store.begin(tx, conversation_id, account_id, fact_id)
    if pushed_at is False:
        return
    due_at = tx.now + terms.chat_after
    if isinstance(pushed_at, datetime):
        due_at = max(due_at, pushed_at + terms.chat_again)
    payload = {"conversation_id": conversation_id, "account_id": account_id}
    tx.schedule(LOOK, f"{LOOK}:{conversation_id}:{account_id}", due_at, payload)


async def look(tx: Tx, payload: dict[str, Any], *, terms: Terms) -> None:
    """The wait is over; locks it before looking, so that what is said now begins the next one."""
    conversation_id, account_id = payload["conversation_id"], payload["account_id"]
    waited = await store.lock(tx, conversation_id, account_id)
    if waited is None or not waited.is_waiting:
        return
    count, last_seq = await conversations.untaken(tx, conversation_id, account_id)
    if last_seq <= waited.pushed_seq:
        await store.end(tx, conversation_id, account_id)
        return
    await store.end(tx, conversation_id, account_id, pushed_seq=last_seq)
    fact = {"conversation_id": conversation_id, "count": count, "seq": last_seq}
    about = {**CHAT.about(fact), "seq": last_seq}
    await tell(tx, [notice_of(tx, CHAT, account_id, fact_id=waited.fact_id, fact=fact, about=about)], terms)
