"""What the customer says of it: his own answer, or one by the link he was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from chat.desk.actions.threads import close
from chat.desk.errors import RatingClosed, RatingDenied, RatingTokenInvalid
from chat.desk.facts import RatingGiven, staff_of
from chat.desk.model import EDIT_S, State
from chat.desk.ratings import Rating, rating_of_token
from chat.desk.store import agents as agent_store
from chat.desk.store import threads as thread_store
from chat.desk.store import timers as store
from storage.base.errors import NotFound
from storage.tx import Tx


async def rate(
    tx: Tx, rating_id: str, *, by_id: str, score: int, tags: Sequence[str] = (), comment: str | None = None
) -> Rating:
    """The customer's own answer; the first one closes a resolved thread. It may be changed for ten minutes.

    Tells rating.given. Raises NotFound, RatingDenied, RatingClosed.
    """
    rating = await store.find_rating(tx, rating_id)
    if rating is None:
        raise NotFound
    if await agent_store.find(tx, by_id) is not None:
        raise RatingDenied
    if rating.customer_id != by_id:
        raise NotFound
    return await _write(tx, rating, score, tags, comment)


async def rate_by_link(
    tx: Tx, secret: str, token: str, *, score: int, tags: Sequence[str] = (), comment: str | None = None
) -> Rating:
    """The same by a signed link, for whoever was sent it. Raises RatingTokenInvalid, RatingClosed."""
    rating_id = rating_of_token(secret, token)
    rating = None if rating_id is None else await store.find_rating(tx, rating_id)
    if rating is None:
        raise RatingTokenInvalid
    return await _write(tx, rating, score, tags, comment)


async def _write(tx: Tx, rating: Rating, score: int, tags: Sequence[str], comment: str | None) -> Rating:
    thread = await thread_store.lock(tx, rating.conversation_id)
    assert thread is not None  # noqa: S101 - a rating refers to its thread
    current = await store.find_rating(tx, rating.id) or rating
    given = replace(
        current,
        score=score,
        tags=tuple(tags),
        comment=comment,
        rated_at=current.rated_at or tx.now,
        edited_until=current.edited_until or tx.now + timedelta(seconds=EDIT_S),
    )
    if not await store.write_rating(tx, given):
        raise RatingClosed
    detail = {"rating_id": rating.id, "closure_no": rating.closure_no, "score": score}
    await thread_store.write_event(tx, thread, "rate", agent_id=rating.owner_id, detail=detail)
    fact = RatingGiven(
        conversation_id=rating.conversation_id, rating_id=rating.id, score=score, owner_id=rating.owner_id
    )
    tx.tell(fact, to=staff_of(thread))
    if thread.state is State.RESOLVED and thread.closure_no == rating.closure_no:
        await close(tx, thread.conversation_id, "rated", by_id=rating.customer_id)
    return given


async def rating_of(tx: Tx, conversation_id: str, closure_no: int) -> Rating:
    """Raises NotFound."""
    rating = await store.rating_of(tx, conversation_id, closure_no)
    if rating is None:
        raise NotFound
    return rating
