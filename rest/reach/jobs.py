"""Work between transactions: each delivery is asked of its provider here, and nowhere else.

No transaction is open while a provider answers. The story of one delivery, and what dying on each line leaves behind:

1. `prepare` reads what to send. Dying: nothing has happened.
2. Where a provider knows sendings by a ticket, the ticket is got and written down. Dying: it is used the next time.
3. The provider is asked. Dying after it answered: the next runner asks with the same ticket and is answered the same.
4. The answer is written down. Only that ends the job.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rest.reach.actions import chat, sending
from rest.reach.actions.telling import SEND, SEND_BULK, WAKE
from rest.reach.broadcasts import actions as broadcasts
from rest.reach.listener import again
from rest.reach.senders.contract import Envelope, NotNow, Refused, Sender, Sent, Ticket, Unreachable
from rest.reach.store import chat as chat_store
from rest.reach.store import deliveries, notices
from rest.reach.terms import Terms
from rest.reach.wiring import Senders
from storage.base.clock import business_day
from storage.jobs import Handler
from storage.postgres import Database
from storage.tx import Tx

Payload = dict[str, Any]

PRUNE = "reach.prune"
PRUNE_EVERY = timedelta(hours=1)
PRUNE_MAX = 2_000
DEVICE_KEPT = timedelta(days=255)
"""As long as JPush keeps one it has not heard of."""
COUNTS_KEPT = timedelta(days=3)
WAITS_KEPT = timedelta(days=7)

TICKETS_MAX = 2


def outside_jobs(db: Database, senders: Senders) -> dict[str, Callable[[Payload], Awaitable[None]]]:
    """Kind to job, for the `outside` of the runner of notices people wait for."""
    return {SEND: _sending(db, senders)}


def bulk_jobs(db: Database, senders: Senders) -> dict[str, Callable[[Payload], Awaitable[None]]]:
    """The same for a runner of its own: a hundred thousand of a broadcast must not stand before an offer."""
    return {SEND_BULK: _sending(db, senders)}


def _sending(db: Database, senders: Senders) -> Callable[[Payload], Awaitable[None]]:
    """The job of one delivery."""

    async def send(payload: Payload) -> None:
        delivery_id, attempt = payload["delivery_id"], payload["attempt"]
        envelope = await db.run(sending.prepare, delivery_id, attempt)
        if envelope is None:
            return
        sender = senders.find(envelope.channel)
        if sender is None:
            await db.run(sending.refuse, delivery_id, attempt, problem="channel_not_set_up", is_gone=False)
            return
        try:
            sent = await _send(db, sender, envelope)
        except Refused as refusal:
            await db.run(sending.refuse, delivery_id, attempt, problem=str(refusal), is_gone=refusal.is_gone)
        except NotNow as later:
            await db.run(
                sending.put_off, delivery_id, attempt,
                problem=str(later), keeps_ticket=False, wait_s=later.wait_s, terms=senders.terms,
            )  # fmt: skip
        except Unreachable as problem:
            await db.run(
                sending.put_off, delivery_id, attempt,
                problem=str(problem), keeps_ticket=True, wait_s=0, terms=senders.terms,
            )  # fmt: skip
        else:
            if sent is not None:
                await db.run(sending.take, delivery_id, attempt, sent.ref)

    return send


async def _send(db: Database, sender: Sender, envelope: Envelope) -> Sent | None:
    """None: another runner has sent it meanwhile."""
    for _ in range(TICKETS_MAX):
        answer = await sender.send(envelope)
        if isinstance(answer, Sent):
            return answer
        assert isinstance(answer, Ticket)  # noqa: S101 - the contract has no third answer
        ticket = await db.run(sending.keep_ticket, envelope.id, envelope.attempt, answer.text)
        if ticket is None:
            return None
        envelope = replace(envelope, ticket=ticket)
    raise Refused("a ticket was not enough")


def deadlines(terms: Terms) -> dict[str, Handler]:
    """Kind to handler, for the runner."""

    async def look(tx: Tx, payload: Payload) -> None:
        await chat.look(tx, payload, terms=terms)

    async def tell_next(tx: Tx, payload: Payload) -> None:
        await broadcasts.step(tx, payload, terms=terms)

    async def prune(tx: Tx, _payload: Payload) -> None:
        """Forget what is old; comes back by itself."""
        await notices.prune_counts(tx, business_day(tx.now - COUNTS_KEPT))
        gone = (
            await notices.prune(tx, tx.now - terms.keep, limit=PRUNE_MAX),
            await deliveries.prune_devices(tx, tx.now - DEVICE_KEPT, limit=PRUNE_MAX),
            await chat_store.prune(tx, tx.now - WAITS_KEPT, limit=PRUNE_MAX),
        )
        tx.schedule(PRUNE, PRUNE, tx.now if PRUNE_MAX in gone else tx.now + PRUNE_EVERY, {})

    return {
        chat.LOOK: look,
        WAKE: sending.wake,
        PRUNE: prune,
        broadcasts.STEP: tell_next,
        broadcasts.COUNT: broadcasts.count,
        **again(terms),
    }


async def begin_pruning(tx: Tx) -> None:
    """Schedule the first round; called at start, harmless when repeated."""
    tx.schedule(PRUNE, PRUNE, tx.now, {})
