"""Work between transactions: everything that is asked of a channel. No transaction is open while it answers.

Each job reads where things stand, asks, and writes what it heard; it may run more than once, and every question is
known to the channel by a number that never changes. A channel that does not answer raises, and the runner comes back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from rest.money.channels import actions, store
from rest.money.channels.actions.attempts import CLOSE, PREPAY, WATCH, watch_again
from rest.money.channels.actions.refunds import REFUND, SLOW
from rest.money.channels.errors import BadSignature, ChannelRefused, ChannelUnreachable
from rest.money.channels.model import (
    LOOK_AFTER,
    Attempt,
    AttemptState,
    Channel,
    Prepay,
    Refund,
    RefundNews,
    RefundState,
    RefundWord,
    TradeState,
)
from rest.money.channels.sharing import Share
from rest.money.channels.wiring import Channels
from storage.postgres import Database
from storage.tx import Tx

Payload = dict[str, Any]

PURGE = "channel.purge"
PURGE_EVERY = timedelta(hours=1)
PURGE_MAX = 5_000
NONCE_KEPT = timedelta(minutes=15)
"""Longer than a signed time is believed, early and late."""


class Returns(Protocol):
    """Who knows what receivers have of a trade, and brings it back before a refund that needs it."""

    async def wanted(self, tx: Tx, refund: Refund, *, with_refund: bool) -> tuple[Share, ...] | None:
        """Shares to send with the refund, where the channel returns them so; None: the refund has to wait."""

    async def refused(self, tx: Tx, refund_id: str, reason: str) -> None:
        """The channel has not made the refund with its shares."""


class Asking:
    """The jobs, with the database and the channels they use."""

    def __init__(self, db: Database, channels: Channels, returns: Returns | None) -> None:
        self._db = db
        self._channels = channels
        self._returns = returns

    async def prepay(self, payload: Payload) -> None:
        attempt = await self._attempt(payload)
        if attempt is None or attempt.state is not AttemptState.ASKING:
            return
        channel = self._channels.find(attempt.channel)
        if channel is None:
            await self._db.run(actions.refuse, attempt.payment_id, "method_unavailable")
            return
        if attempt.expires_at <= self._db.clock.now():
            await self._db.run(actions.let_go, attempt.payment_id)
            return
        wanted = Prepay(
            out_trade_no=attempt.payment_id,
            amount_fen=attempt.amount_fen,
            description=attempt.description,
            expires_at=attempt.expires_at,
            payer=attempt.payer,
            is_shared=attempt.is_shared,
        )
        try:
            params = await channel.prepay(wanted)
        except ChannelRefused as refusal:
            await self._db.run(actions.refuse, attempt.payment_id, refusal.code)
        else:
            await self._db.run(actions.answer, attempt.payment_id, params)

    async def watch(self, payload: Payload) -> None:
        """Ask for news that has not come, for as long as it may."""
        attempt = await self._attempt(payload)
        if attempt is None or attempt.state is not AttemptState.READY:
            return
        trade = await self._channels.get(attempt.channel).query(attempt.payment_id)
        if trade.state is TradeState.PAID:
            await self._db.run(actions.take_found, attempt.channel, trade)
        elif trade.state is TradeState.CLOSED:
            await self._db.run(actions.closed, attempt.payment_id)
        elif self._db.clock.now() >= attempt.expires_at + LOOK_AFTER:
            await self._db.run(actions.let_go, attempt.payment_id)
        else:
            await self._db.run(watch_again, attempt.payment_id, payload["asked"] + 1)

    async def close(self, payload: Payload) -> None:
        """Query, then close: money that is there already is taken, and what is closed cannot be paid afterwards."""
        attempt = await self._attempt(payload)
        if attempt is None or attempt.state in {AttemptState.PAID, AttemptState.REFUSED}:
            return
        channel = self._channels.get(attempt.channel)
        trade = await channel.query(attempt.payment_id)
        if trade.state is TradeState.PAID:
            await self._db.run(actions.take_found, attempt.channel, trade)
            return
        look_at = None
        if trade.state is TradeState.WAITING:
            try:
                await channel.close(attempt.payment_id)
            except ChannelRefused as refusal:  # it is being paid this very moment
                raise ChannelUnreachable(f"not closed: {refusal}") from refusal
        elif trade.state is TradeState.MISSING and self._db.clock.now() < attempt.expires_at:
            look_at = attempt.expires_at + LOOK_AFTER
        await self._db.run(actions.closed, attempt.payment_id, look_at=look_at)

    async def refund(self, payload: Payload) -> None:
        async with self._db.look() as tx:
            refund = await store.read_refund(tx, payload["refund_id"])
        if refund is None or refund.state in {RefundState.DONE, RefundState.MANUAL}:
            return
        is_asked = refund.state is RefundState.ACCEPTED
        try:
            channel = self._channels.get(refund.channel)
            told = await (channel.query_refund(refund.order) if is_asked else self._refund(channel, refund, payload))
        except (ChannelRefused, ChannelUnreachable, BadSignature, LookupError) as problem:
            if is_asked:
                await self._db.run(actions.look_again, refund.id, payload["looked"])
            else:
                await self._db.run(actions.fail, refund.id, str(problem))
            return
        if told is None:
            return
        if told.state is RefundWord.DONE:
            await self._db.run(actions.finish, refund.id, told.channel_ref)
        elif told.state is not RefundWord.PROCESSING:
            await self._db.run(actions.give_up, refund.id, f"the channel says {told.state.value}")
        elif is_asked:
            await self._db.run(actions.look_again, refund.id, payload["looked"])
        else:
            await self._db.run(actions.accept, refund.id, told.channel_ref)

    async def _refund(self, channel: Channel, refund: Refund, payload: Payload) -> RefundNews | None:
        """Ask for it, with the shares that have to come back for it; None when it has to wait for them."""
        if self._returns is None:
            return await channel.refund(refund.order)
        with_refund = channel.sharing.returns_with_refunds
        shares = await self._db.run(self._returns.wanted, refund, with_refund=with_refund)
        if shares is None:
            await self._db.run(actions.wait, refund.id, payload.get("waited", 0))
            return None
        try:
            return await channel.refund(replace(refund.order, returns=shares))
        except ChannelRefused as refusal:
            if shares:
                await self._db.run(self._returns.refused, refund.id, refusal.code)
            raise

    async def _attempt(self, payload: Payload) -> Attempt | None:
        async with self._db.look() as tx:
            return await store.read_attempt(tx, payload["payment_id"])


def outside_jobs(
    db: Database, channels: Channels, returns: Returns | None = None
) -> dict[str, Callable[[Payload], Awaitable[None]]]:
    """Kind to job, for the runner's `outside`. `returns`: where trades are shared."""
    asking = Asking(db, channels, returns)
    return {PREPAY: asking.prepay, WATCH: asking.watch, CLOSE: asking.close, REFUND: asking.refund}


async def purge(tx: Tx, _payload: Payload) -> None:
    """Forget nonces whose time is no longer believed anyway; comes back by itself."""
    gone = await store.purge_nonces(tx, tx.now - NONCE_KEPT, limit=PURGE_MAX)
    tx.schedule(PURGE, PURGE, tx.now if gone == PURGE_MAX else tx.now + PURGE_EVERY, {})


async def begin_purging(tx: Tx) -> None:
    """Schedule the first round; called at start, harmless when repeated."""
    tx.schedule(PURGE, PURGE, tx.now, {})


DEADLINES = {PURGE: purge, SLOW: actions.slow}
