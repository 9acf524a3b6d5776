"""Money that came and belongs to nothing: parked, shown to finance, and moved out once, with a reason (G9).

Lock order: the item → the attempt → ledger accounts.
"""

from __future__ import annotations

from dataclasses import replace

from rest.money import ledger
from rest.money.channels import store, suspense_store
from rest.money.channels.actions import refunds
from rest.money.channels.facts import MoneyCame
from rest.money.channels.model import AttemptState
from rest.money.channels.suspense_model import Cause, Item, ItemState, NothingToReturn, NotThatPayment
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


async def park(
    tx: Tx,
    channel: str,
    *,
    ref: str,
    cause: Cause,
    out_trade_no: str,
    trade_no: str,
    amount_fen: int,
    total_fen: int,
    order_id: str | None = None,
) -> None:
    """Book money as it is: the channel has it (or, below zero, has it not), and a person decides. Once by `ref`.

    Raises RefReused: the same trade with another amount.
    """
    await ledger.post(
        tx,
        ref=ref,
        kind="reconciled" if cause is Cause.BILL else "suspense",
        order_id=order_id,
        entries=[(ledger.clearing(channel), -amount_fen), (ledger.suspense(channel), amount_fen)],
    )
    item = Item(
        id=tx.new_id("sus"),
        channel=channel,
        ref=ref,
        cause=cause,
        out_trade_no=out_trade_no,
        trade_no=trade_no,
        amount_fen=amount_fen,
        total_fen=total_fen,
        state=ItemState.OPEN,
        reason=None,
        by_id=None,
        version=1,
        parked_at=tx.now,
        ended_at=None,
    )
    await suspense_store.insert(tx, item)


async def assign(tx: Tx, item_id: str, *, payment_id: str, by: str, reason: str) -> Item:
    """It is the money of this payment after all: its line hears of it as if it came just now.

    Only a payment of this channel, of exactly this amount, whose own money has not come. Raises NotFound,
    WrongItemState, NotThatPayment.
    """
    item = await _lock(tx, item_id)
    after = item.after("assign", reason=reason, by=by, now=tx.now)
    attempt = await store.lock_attempt(tx, payment_id)
    is_it = attempt is not None and (attempt.channel, attempt.amount_fen) == (item.channel, item.amount_fen)
    if attempt is None or not is_it or attempt.state is AttemptState.PAID or item.cause is Cause.BILL:
        raise NotThatPayment
    # The line books it anew from the clearing account, so it goes back there first.
    await _move(tx, after, "suspense_assigned", ledger.clearing(item.channel), order_id=attempt.order_id)
    await store.save_attempt(tx, replace(attempt.after("pay"), trade_no=item.trade_no))
    tx.tell(MoneyCame(order_id=attempt.order_id, payment_id=payment_id, ref=item.trade_no), to=())
    return await _end(tx, after)


async def refund(tx: Tx, item_id: str, *, by: str, reason: str) -> Item:
    """It goes back to whoever paid it, over the channel, by the trade's number.

    Raises NotFound, WrongItemState, NothingToReturn.
    """
    item = await _lock(tx, item_id)
    after = item.after("refund", reason=reason, by=by, now=tx.now)
    if item.amount_fen < 0:
        raise NothingToReturn
    await _move(tx, after, "refund", ledger.refunding(item.channel))
    await refunds.request(
        tx,
        payment_id=None,
        trade_no=item.trade_no,
        channel=item.channel,
        ref=f"{item.id}:refund",
        amount_fen=item.amount_fen,
        total_fen=item.total_fen,
        reason="not an order of ours",
    )
    return await _end(tx, after)


async def write_off(tx: Tx, item_id: str, *, by: str, reason: str) -> Item:
    """No place will be found for it: the platform's gain, or its loss. Raises NotFound, WrongItemState."""
    item = await _lock(tx, item_id)
    after = item.after("write_off", reason=reason, by=by, now=tx.now)
    await _move(tx, after, "write_off", ledger.written_off(item.channel))
    return await _end(tx, after)


async def _move(tx: Tx, item: Item, kind: str, into: str, *, order_id: str | None = None) -> None:
    await ledger.post(
        tx,
        ref=f"{item.id}:{kind}",
        kind=kind,
        order_id=order_id,
        note=item.reason,
        by_id=item.by_id,
        entries=[(ledger.suspense(item.channel), -item.amount_fen), (into, item.amount_fen)],
    )


async def _end(tx: Tx, item: Item) -> Item:
    await suspense_store.save(tx, item)
    log("suspense.moved", item_id=item.id, channel=item.channel, state=item.state.value, by=item.by_id)
    return item


async def _lock(tx: Tx, item_id: str) -> Item:
    item = await suspense_store.lock(tx, item_id)
    if item is None:
        raise NotFound
    return item
