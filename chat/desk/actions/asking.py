"""Asking how it was: once per closure, and for those who answered until then."""

from __future__ import annotations

from chat.desk.facts import RatingAsked
from chat.desk.model import Thread
from chat.desk.ratings import Rating, shares_of
from chat.desk.store import timers as store
from storage.tx import Tx


async def ask_rating(tx: Tx, thread: Thread, owner_id: str | None) -> None:
    """Write down whom this closure counts for, and ask. `rating.asked` carries no link: it is read by its owner."""
    rating = Rating(
        id=tx.new_id("rtg"),
        conversation_id=thread.conversation_id,
        closure_no=thread.closure_no,
        queue_id=thread.queue_id,
        customer_id=thread.customer_id,
        owner_id=owner_id,
        shares=shares_of(await store.replies_since_closure(tx, thread.conversation_id)),
        asked_at=tx.now,
    )
    if await store.ask_rating(tx, rating):
        asked = RatingAsked(conversation_id=thread.conversation_id, rating_id=rating.id, closure_no=thread.closure_no)
        tx.tell(asked, to=thread.audience)
