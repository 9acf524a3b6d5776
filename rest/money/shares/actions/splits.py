"""Splits: an order's parts have matured, and its trade is shared among those of their owners who have receivers.

Lock order: the settlement → the split → ledger accounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from rest.money import settlement as settlements
from rest.money.channels.sharing import SHARE_AFTER, Shareable, SplitNews, check_split
from rest.money.settlement import LineState, Party, Settlement
from rest.money.shares import store
from rest.money.shares.model import LOOKS_S, Part, Split, SplitState, planned
from storage.base.log import log
from storage.base.money import share_bps
from storage.tx import Tx

SPLIT = "shares.split"
UNFREEZE = "shares.unfreeze"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a channel keeps of a trade, and how much of one it lets us share; basis points."""

    fees_bps: Mapping[str, int]
    max_bps: int


async def mature(tx: Tx, settlement_id: str) -> None:
    """The wait is over: parts go to wallets, but those of workers with a receiver rest until the channel has said.

    Only where all of the order's channel money came by one trade is it shared; of any other trade whose money is kept
    apart, all is ours again. Again, it changes nothing. Raises NotFound.
    """
    found = await settlements.lock(tx, settlement_id)
    if tx.now < found.matures_at:
        return
    trades = await store.trades(tx, found.order_id)
    workers: dict[str, str] = {}
    if len(trades) == 1 and trades[0].is_shared:
        workers = await store.bound(tx, trades[0].channel, _workers(found, LineState.ACCRUED))
    await settlements.mature(tx, settlement_id, resting={Party("worker", worker_id) for worker_id in workers})
    for trade in trades:
        if trade.is_shared:
            split = Split(
                id=tx.new_id("spl"),
                payment_id=trade.payment_id,
                settlement_id=settlement_id,
                order_id=found.order_id,
                channel=trade.channel,
                trade_no=trade.trade_no,
                state=SplitState.PLANNED,
                reason=None,
                version=1,
                created_at=tx.now,
                ended_at=None,
            )
            if await store.insert_split(tx, split):
                # The trade was paid before the order ended.
                _ask(tx, split.id, max(timedelta(0), found.created_at + SHARE_AFTER - tx.now), looked=0)


async def plan(tx: Tx, split_id: str, limits: Limits) -> Split | None:
    """Decide who gets how much, before the channel is asked; from then on it stands. None for an unknown one."""
    locked = await _lock(tx, split_id)
    if locked is None or locked[1].state is not SplitState.PLANNED:
        return None if locked is None else locked[1]
    found, split = locked
    trade = next((one for one in await store.trades(tx, split.order_id) if one.payment_id == split.payment_id), None)
    parts: tuple[Part, ...] = ()
    if trade is not None:
        shareable = Shareable(
            paid_fen=trade.amount_fen,
            fee_fen=share_bps(trade.amount_fen, limits.fees_bps[trade.channel]),
            shared_fen=0,
            refunded_fen=trade.refunded_fen,
            paid_at=found.created_at,
            is_flagged=trade.is_shared,
        )
        parts = await _parts(tx, found, trade.channel, shareable.left_fen(limits.max_bps))
        if parts:
            check_split(shareable, tuple(part.share for part in parts), max_bps=limits.max_bps, now=tx.now)
    asked = replace(split.after("ask", tx.now), parts=parts)
    await store.save_split(tx, asked)
    await store.save_parts(tx, split_id, parts)
    return asked


async def _parts(tx: Tx, found: Settlement, channel: str, left_fen: int) -> tuple[Part, ...]:
    workers = _workers(found, LineState.PAYABLE)
    accounts = await store.bound(tx, channel, workers)
    wanting = [worker_id for worker_id in workers if worker_id in accounts]
    wants = [_payable(found, worker_id) for worker_id in wanting]
    got = [(who, fen) for who, fen in zip(wanting, planned(wants, left_fen), strict=True) if fen]
    return tuple(
        Part(n=n, worker_id=who, account=accounts[who], amount_fen=fen) for n, (who, fen) in enumerate(got, start=1)
    )


async def finish(tx: Tx, split_id: str, told: SplitNews | None) -> bool:
    """The channel has ended it: what receivers have is booked, the rest goes to wallets. `told` None: nobody has any.

    False when what it said is no end, or not of what was asked for.
    """
    locked = await _lock(tx, split_id)
    if locked is None or locked[1].state is not SplitState.ASKED:
        return True
    _, split = locked
    parts = split.heard(told) if told is not None else split.parts
    if parts is None or (told is None and parts):
        return False
    await store.save_split(tx, split.after("finish", tx.now))
    await _pay(tx, split, parts)
    return True


async def give_up(tx: Tx, split_id: str, reason: str) -> None:
    """The channel has shared nothing and will not: all goes to wallets, and the trade's money is ours again."""
    locked = await _lock(tx, split_id)
    if locked is None or locked[1].state is not SplitState.ASKED:
        return
    _, split = locked
    await store.save_split(tx, split.after("give_up", tx.now, reason[:200]))
    await _pay(tx, split, [replace(part, is_paid=False) for part in split.parts])
    tx.schedule(UNFREEZE, f"{split_id}:unfreeze", tx.now, {"split_id": split_id})
    log("shares.given_up", level="warning", split_id=split_id, channel=split.channel, reason=reason[:200])


async def _pay(tx: Tx, split: Split, parts: Sequence[Part]) -> None:
    await store.save_parts(tx, split.id, parts)
    out = {Party("worker", part.worker_id): part.amount_fen for part in parts if part.is_paid}
    await settlements.pay(tx, split.settlement_id, out, channel=split.channel, ref=f"{split.id}:done")


async def look_again(tx: Tx, split_id: str, looked: int) -> None:
    """Ask later; `looked` so many times before."""
    _ask(tx, split_id, timedelta(seconds=LOOKS_S[min(looked, len(LOOKS_S) - 1)]), looked=looked + 1)


def _ask(tx: Tx, split_id: str, after: timedelta, *, looked: int) -> None:
    tx.schedule(SPLIT, f"{split_id}:split:{looked}", tx.now + after, {"split_id": split_id, "looked": looked})


async def _lock(tx: Tx, split_id: str) -> tuple[Settlement, Split] | None:
    seen = await store.read_split(tx, split_id)
    if seen is None:
        return None
    found = await settlements.lock(tx, seen.settlement_id)
    split = await store.lock_split(tx, split_id)
    assert split is not None  # noqa: S101 - rows stay
    return found, split


def _workers(found: Settlement, state: LineState) -> list[str]:
    """Workers with money in lines of this state, in the order of the lines."""
    lines = [line for line in found.lines if line.state is state and line.net_fen > 0 and line.party.kind == "worker"]
    return list(dict.fromkeys(line.party.id for line in lines))


def _payable(found: Settlement, worker_id: str) -> int:
    party = Party("worker", worker_id)
    return sum(line.net_fen for line in found.lines if line.party == party and line.state is LineState.PAYABLE)
