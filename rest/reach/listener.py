"""Reads the feed and has every fact that somebody is told of heard exactly once.

The place in the feed and what the facts became are one transaction, so a fact is neither lost nor told twice, whoever
dies when. Orders pay nothing for it: no row is written for us when a fact is told. One listener at a time holds the
place's row; those of other processes find it locked and try again.

A fact that cannot be heard (a bug) must not silence those after it: it becomes a job, which is tried again and in the
end waits for a person.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from rest.reach.actions import hearing
from rest.reach.kinds import HEARD
from rest.reach.store import notices
from rest.reach.terms import Terms
from storage import outbox
from storage.base.log import log
from storage.jobs import Handler
from storage.outbox import FeedFact
from storage.postgres import Database, RetryTx, TryAgain
from storage.tx import Tx

POLL_S = 0.25
"""A commit of this process wakes us; those of others are seen this much later."""
GATHER_S = 0.1
"""Facts are gathered this long before they are heard: a phone in a pocket does not know the difference, and a grab that
shares the database with a transaction for each commit does."""
BATCH_MAX = 200

HEAR_AGAIN = "reach.hear"

WAITED_OUT = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    RetryTx,
    TryAgain,
)
"""No fault of a fact."""


class Listener:
    """Call `step` for ever, or `drain` until nothing is left."""

    def __init__(self, db: Database, terms: Terms, *, poll_s: float = POLL_S, gather_s: float = GATHER_S) -> None:
        self._db = db
        self._terms = terms
        self._poll_s = poll_s
        self._gather_s = gather_s
        self._woken = asyncio.Event()
        db.on_commit(self._committed)

    def _committed(self, facts: bool, due_at: datetime | None) -> None:  # noqa: ARG002 - the listener's shape
        if facts:
            self._woken.set()

    async def step(self) -> None:
        """Wait for facts, then hear what there is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._woken.wait()
                await asyncio.sleep(self._gather_s)
        self._woken.clear()
        await self.drain()

    async def drain(self) -> int:
        """Hear everything that is in the feed; how many facts were heard."""
        heard = 0
        while (some := await self.listen()) is not None:
            heard += some
        return heard

    async def listen(self) -> int | None:
        """Hear one batch; None when there is nothing, or somebody else listens."""
        try:
            return await self._db.run(self._hear_batch, BATCH_MAX)
        except WAITED_OUT:
            raise
        except Exception as problem:  # noqa: BLE001 - one of these facts; which, is found out one by one
            log("notices.batch_failed", level="error", error=problem)
        return await self._one_by_one()

    async def _one_by_one(self) -> int | None:
        heard = 0
        for _ in range(BATCH_MAX):
            try:
                some = await self._db.run(self._hear_batch, 1)
            except WAITED_OUT:
                raise
            except Exception as problem:  # noqa: BLE001 - this one: a person must look
                log("notices.fact_failed", level="error", error=problem)
                some = await self._db.run(self._set_aside)
            if some is None:
                break
            heard += some
        return heard or None

    async def _hear_batch(self, tx: Tx, limit: int) -> int | None:
        batch = await self._next(tx, limit)
        if batch is None:
            return None
        facts, upto, epoch = batch
        await hearing.hear(tx, facts, self._terms)
        await notices.move_place(tx, epoch, upto)
        return len(facts)

    async def _set_aside(self, tx: Tx) -> int | None:
        """Have the next fact tried again by a job, and go on behind it."""
        batch = await self._next(tx, 1)
        if batch is None:
            return None
        facts, upto, epoch = batch
        for fact in facts:
            tx.schedule(HEAR_AGAIN, f"{HEAR_AGAIN}:{fact.fact_id}", tx.now, _payload(fact))
        await notices.move_place(tx, epoch, upto)
        return len(facts)

    async def _next(self, tx: Tx, limit: int) -> tuple[Sequence[FeedFact], int, str] | None:
        """Facts after the place, as far as one transaction goes, and where it is then."""
        place = await notices.lock_place(tx)
        if place is None:
            return None
        epoch, seq = place
        head = await outbox.head(tx)
        if head.epoch != epoch or head.last_seq < seq:
            log("notices.other_feed", level="error", seq=seq, head_seq=head.last_seq)
            return [], head.last_seq, head.epoch
        if head.last_seq == seq:
            return None
        if head.floor_seq > seq:
            log("notices.missed", level="error", seq=seq, floor_seq=head.floor_seq)
        facts = await outbox.after_of(tx, HEARD, after=seq, upto=head.last_seq, limit=limit)
        return facts, facts[-1].seq if len(facts) == limit else head.last_seq, epoch


def again(terms: Terms) -> dict[str, Handler]:
    """The job of facts that were set aside."""

    async def hear_again(tx: Tx, payload: dict[str, Any]) -> None:
        await hearing.hear(tx, [_fact(payload, tx.now)], terms)

    return {HEAR_AGAIN: hear_again}


def _payload(fact: FeedFact) -> dict[str, Any]:
    return {"seq": fact.seq, "fact_id": fact.fact_id, "topic": fact.topic, "body": fact.body, "to": fact.audience}


def _fact(payload: dict[str, Any], now: datetime) -> FeedFact:
    return FeedFact(
        payload["seq"], payload["fact_id"], payload["topic"], payload["body"], tuple(payload["to"]), now, None
    )
