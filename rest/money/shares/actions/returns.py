"""What receivers give back before a refund. The refund has taken it from their wallets; what comes back goes there.

So a wallet below zero is the platform's claim on a receiver that cannot or will not return, and stays one.
Lock order: the settlement → the split → ledger accounts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rest.money import ledger, wallet
from rest.money import settlement as settlements
from rest.money.channels import actions as channel_actions
from rest.money.channels.model import Refund
from rest.money.channels.sharing import Share
from rest.money.settlement import Party
from rest.money.shares import store
from rest.money.shares.model import LOOKS_S, Return, ReturnState, Split, SplitState, owed
from storage.base.log import log
from storage.tx import Tx

RETURN = "shares.return"


class Returning:
    """What refunds ask of shares (`channels.sharing.Returns`)."""

    async def wanted(self, tx: Tx, refund: Refund, *, with_refund: bool) -> tuple[Share, ...] | None:
        """Shares that go back with the refund; None: it has to wait for a split or for a return."""
        split = None if refund.payment_id is None else await store.split_of(tx, refund.payment_id)
        if split is None:
            return ()
        found = await settlements.lock(tx, split.settlement_id)
        split = await store.lock_split(tx, split.id)
        assert split is not None  # noqa: S101 - rows stay
        if split.state is SplitState.ASKED:
            return None
        known = await store.returns_of(tx, split.id)
        mine = [one for one in known if one.refund_id == refund.id]
        if not mine:
            nets = [found.net_of(Party("worker", part.worker_id)) for part in split.parts]
            mine = await _begin(tx, refund, split, known, nets)
        asked = [one for one in mine if one.state is ReturnState.ASKED]
        if asked and not with_refund:
            return None
        return tuple(_share(split, one) for one in asked)

    async def refused(self, tx: Tx, refund_id: str, reason: str) -> None:
        """The channel has not made this refund with its shares: it is asked for again without."""
        refund = await channel_actions.find_refund(tx, refund_id)
        split = None if refund is None or refund.payment_id is None else await store.split_of(tx, refund.payment_id)
        for one in [] if split is None else await store.returns_of(tx, split.id):
            if one.refund_id == refund_id:
                await give_up(tx, one.id, reason)


async def _begin(tx: Tx, refund: Refund, split: Split, known: list[Return], nets: list[int]) -> list[Return]:
    coming = [
        sum(one.amount_fen for one in known if one.n == part.n and one.state is ReturnState.ASKED)
        for part in split.parts
    ]
    held = [part.held_fen - back for part, back in zip(split.parts, coming, strict=True)]
    trades = await store.trades(tx, split.order_id)
    left = next((one.amount_fen - one.refunded_fen for one in trades if one.payment_id == split.payment_id), 0)
    made = [
        Return(
            id=tx.new_id("srt"),
            split_id=split.id,
            n=part.n,
            refund_id=refund.id,
            amount_fen=fen,
            state=ReturnState.ASKED,
            reason=None,
            version=1,
            created_at=tx.now,
            ended_at=None,
        )
        for part, fen in zip(split.parts, owed(held, nets, left), strict=True)
        if fen
    ]
    for one in made:
        await store.insert_return(tx, one)
        _ask(tx, one.id, timedelta(0), looked=0)
    return made


def _share(split: Split, one: Return) -> Share:
    part = split.parts[one.n - 1]
    return replace(part.share, amount_fen=one.amount_fen)


async def finish(tx: Tx, return_id: str) -> None:
    """The receiver has given it back: to his wallet, from which the refund took it. The refund goes on."""
    locked = await _lock(tx, return_id)
    if locked is None:
        return
    split, back = locked
    part = split.parts[back.n - 1]
    await store.save_return(tx, back.after("finish", tx.now))
    await store.save_parts(tx, split.id, [replace(part, returned_fen=part.returned_fen + back.amount_fen)])
    await wallet.move(
        tx,
        ref=f"{back.id}:done",
        kind="split_returned",
        order_id=split.order_id,
        entries=[
            (ledger.clearing(split.channel), -back.amount_fen),
            (ledger.worker_wallet(part.worker_id), back.amount_fen),
        ],
    )
    await channel_actions.ask_now(tx, back.refund_id)


async def give_up(tx: Tx, return_id: str, reason: str) -> None:
    """It does not come back: the claim stays in the wallet. The refund goes on."""
    locked = await _lock(tx, return_id)
    if locked is None:
        return
    split, back = locked
    await store.save_return(tx, back.after("give_up", tx.now, reason[:200]))
    await channel_actions.ask_now(tx, back.refund_id)
    log("shares.not_returned", level="error", return_id=return_id, channel=split.channel, reason=reason[:200])


async def look_again(tx: Tx, return_id: str, looked: int) -> None:
    """Ask later; `looked` so many times before."""
    _ask(tx, return_id, timedelta(seconds=LOOKS_S[min(looked, len(LOOKS_S) - 1)]), looked=looked + 1)


def _ask(tx: Tx, return_id: str, after: timedelta, *, looked: int) -> None:
    tx.schedule(RETURN, f"{return_id}:return:{looked}", tx.now + after, {"return_id": return_id, "looked": looked})


async def _lock(tx: Tx, return_id: str) -> tuple[Split, Return] | None:
    """The split, locked, and the return; None when it has ended."""
    seen = await store.read_return(tx, return_id)
    if seen is None:
        return None
    split = await store.lock_split(tx, seen.split_id)
    back = await store.read_return(tx, return_id)
    assert split is not None and back is not None  # noqa: PT018, S101 - rows stay
    return (split, back) if back.state is ReturnState.ASKED else None
