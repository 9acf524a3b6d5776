"""Receivers: staff name a worker's account at a channel, the channel accepts it or not, staff unbind it."""

from __future__ import annotations

from hashlib import sha256

from rest.money.shares import store
from rest.money.shares.model import Receiver, ReceiverState, ReceiverTaken
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx

BIND = "shares.bind"


async def bind(tx: Tx, *, worker_id: str, channel: str, account: str, name: str, by: str) -> Receiver:
    """Have the channel asked whether this may be a receiver. Raises ReceiverTaken."""
    receiver = Receiver(
        id=tx.new_id("rcv"),
        worker_id=worker_id,
        channel=channel,
        account=account,
        name=name,
        name_hash=sha256(name.encode()).hexdigest(),
        state=ReceiverState.ASKING,
        reason=None,
        by_id=by,
        version=1,
        created_at=tx.now,
        ended_at=None,
    )
    if not await store.insert_receiver(tx, receiver):
        raise ReceiverTaken
    tx.schedule(BIND, f"{receiver.id}:bind", tx.now, {"receiver_id": receiver.id})
    return receiver


async def accept(tx: Tx, receiver_id: str) -> None:
    """The channel knows it: what matures from now on goes there."""
    await _answer(tx, receiver_id, "accept", None)


async def refuse(tx: Tx, receiver_id: str, reason: str) -> None:
    """The channel will not have it."""
    await _answer(tx, receiver_id, "refuse", reason)


async def _answer(tx: Tx, receiver_id: str, verb: str, reason: str | None) -> None:
    receiver = await store.lock_receiver(tx, receiver_id)
    if receiver is None or receiver.state is not ReceiverState.ASKING:
        return
    await store.save_receiver(tx, receiver.after(verb, tx.now, reason and reason[:200]))
    log("shares.receiver_answered", receiver_id=receiver_id, channel=receiver.channel, verb=verb, reason=reason)


async def unbind(tx: Tx, receiver_id: str, *, by: str) -> Receiver:
    """Nothing more goes there; what has been asked for still does. Raises NotFound, WrongShareState."""
    receiver = await store.lock_receiver(tx, receiver_id)
    if receiver is None:
        raise NotFound
    after = receiver.after("unbind", tx.now)
    await store.save_receiver(tx, after)
    log("shares.receiver_unbound", receiver_id=receiver_id, by=by)
    return after
