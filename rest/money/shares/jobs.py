"""Work between transactions: what is asked of a channel about receivers, splits and returns.

Each question has a number that never changes, and the channel is first asked what it knows of it: a job that died
between asking and booking is harmless.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rest.money.channels import BadSignature, ChannelRefused, Channels, ChannelUnreachable, sharing
from rest.money.channels import actions as channel_actions
from rest.money.channels.model import RefundState
from rest.money.channels.sharing import ReturnOrder, ShareState, Sharing, SplitNews
from rest.money.shares import store
from rest.money.shares.actions import receivers, returns, splits
from rest.money.shares.actions.splits import Limits
from rest.money.shares.model import ReceiverState, Return, ReturnState, Split, SplitState
from storage.base.log import log
from storage.base.settings import Settings
from storage.postgres import Database

Payload = dict[str, Any]

NO_WORD = (ChannelUnreachable, BadSignature, LookupError)
"""The channel may have done it or not: it is asked again."""


class SharingJobs:
    """The jobs, with what they use."""

    def __init__(self, db: Database, channels: Channels, limits: Limits) -> None:
        self._db, self._channels, self._limits = db, channels, limits

    async def bind(self, payload: Payload) -> None:
        async with self._db.look() as tx:
            receiver = await store.read_receiver(tx, payload["receiver_id"])
        if receiver is None or receiver.state is not ReceiverState.ASKING:
            return
        channel = self._channels.find(receiver.channel)
        if channel is None:
            await self._db.run(receivers.refuse, receiver.id, "method_unavailable")
            return
        try:
            await channel.sharing.add_receiver(sharing.Receiver(account=receiver.account, name=receiver.name or ""))
        except ChannelRefused as refusal:
            await self._db.run(receivers.refuse, receiver.id, refusal.code)
        else:
            await self._db.run(receivers.accept, receiver.id)

    async def split(self, payload: Payload) -> None:
        """Decide, ask, book; what is not known yet is asked for later."""
        split = await self._db.run(splits.plan, payload["split_id"], self._limits)
        if split is None or split.state is not SplitState.ASKED:
            return
        try:
            side = self._channels.get(split.channel).sharing
            is_over = await (self._split(side, split) if split.parts else self._keep_all(side, split))
        except (*NO_WORD, ChannelRefused) as problem:
            log("shares.no_word", level="warning", split_id=split.id, reason=str(problem)[:200])
            is_over = False
        if not is_over:
            await self._db.run(splits.look_again, split.id, payload["looked"])

    async def _split(self, side: Sharing, split: Split) -> bool:
        told = await side.query_split(split.order)
        if told.state is ShareState.MISSING:
            try:
                told = await side.split(split.order)
            except ChannelRefused as refusal:
                if (await side.query_split(split.order)).state is not ShareState.MISSING:
                    raise
                await self._db.run(splits.give_up, split.id, refusal.code)
                return True
        return await self._db.run(splits.finish, split.id, told)

    async def _keep_all(self, side: Sharing, split: Split) -> bool:
        """Nobody has a part: the trade's money is ours. A channel that refuses holds nothing back (any more)."""
        await _unfreeze(side, split.id, split)
        return await self._db.run(splits.finish, split.id, None)

    async def unfreeze(self, payload: Payload) -> None:
        async with self._db.look() as tx:
            split = await store.read_split(tx, payload["split_id"])
        if split is not None:
            await _unfreeze(self._channels.get(split.channel).sharing, f"{split.id}_u", split)

    async def give_back(self, payload: Payload) -> None:
        async with self._db.look() as tx:
            back = await store.read_return(tx, payload["return_id"])
            split = None if back is None else await store.read_split(tx, back.split_id)
        if back is None or split is None or back.state is not ReturnState.ASKED:
            return
        try:
            side = self._channels.get(split.channel).sharing
            ask = self._with_refund if side.returns_with_refunds else self._return
            is_over = await ask(side, split, back)
        except (*NO_WORD, ChannelRefused) as problem:
            log("shares.no_word", level="warning", return_id=back.id, reason=str(problem)[:200])
            is_over = False
        if not is_over:
            await self._db.run(returns.look_again, back.id, payload["looked"])

    async def _return(self, side: Sharing, split: Split, back: Return) -> bool:
        share = sharing.Share(
            account=split.parts[back.n - 1].account, amount_fen=back.amount_fen, description="refund of an order"
        )
        wanted = ReturnOrder(out_return_no=back.id, out_split_no=split.id, trade_no=split.trade_no, share=share)
        told = await side.query_return(wanted)
        if told.state is ShareState.MISSING:
            try:
                told = await side.give_back(wanted)
            except ChannelRefused as refusal:
                if (await side.query_return(wanted)).state is not ShareState.MISSING:
                    raise
                await self._db.run(returns.give_up, back.id, refusal.code)
                return True
        if told.state is ShareState.FAILED:
            await self._db.run(returns.give_up, back.id, "the channel says failed")
        elif told.state is ShareState.DONE:
            await self._db.run(returns.finish, back.id)
        return told.state in {ShareState.FAILED, ShareState.DONE}

    async def _with_refund(self, _side: Sharing, _split: Split, back: Return) -> bool:
        """It came back when the refund was made."""
        async with self._db.look() as tx:
            refund = await channel_actions.find_refund(tx, back.refund_id)
        if refund is None or refund.state is not RefundState.DONE:
            return False
        await self._db.run(returns.finish, back.id)
        return True


async def _unfreeze(side: Sharing, number: str, split: Split) -> SplitNews | None:
    try:
        return await side.unfreeze(number, split.trade_no)
    except ChannelRefused as refusal:
        log("shares.not_unfrozen", level="warning", split_id=split.id, channel=split.channel, reason=refusal.code)
        return None


def outside_jobs(
    db: Database, channels: Channels, settings: Settings
) -> dict[str, Callable[[Payload], Awaitable[None]]]:
    """Kind to job, for the runner's `outside`."""
    fees_bps = {"wechat": settings.channel_fee_wechat_bps, "alipay": settings.channel_fee_alipay_bps}
    jobs = SharingJobs(db, channels, Limits(fees_bps=fees_bps, max_bps=settings.channel_share_max_bps))
    return {
        receivers.BIND: jobs.bind,
        splits.SPLIT: jobs.split,
        splits.UNFREEZE: jobs.unfreeze,
        returns.RETURN: jobs.give_back,
    }
