"""Money on its way back over a channel: asked for by the same number until it is done, or a person must look (HS-150).

The money was set aside when the refund was decided; here it leaves: `refunding` → `clearing`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from rest.edge.values import Money
from rest.money import ledger, workdays
from rest.money.channels import store
from rest.money.channels.facts import RefundSlow
from rest.money.channels.model import (
    REFUND_LOOKS_S,
    REFUND_WAITS_S,
    Outcome,
    Refund,
    RefundNews,
    RefundState,
    RefundWord,
    WrongChannelState,
)
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx

REFUND = "channel.refund"
SLOW = "channel.refund_slow"
SLOW_AFTER = 3
"""Working days (RV-290): what channels promise at most; then a person asks why."""
BY_HAND = "offline"
"""The channel that is a bank account and a person."""


async def request(
    tx: Tx,
    *,
    payment_id: str | None,
    channel: str,
    ref: str,
    amount_fen: int,
    total_fen: int,
    reason: str,
    trade_no: str | None = None,
) -> None:
    """Have the channel asked to give this back; once for each transfer `ref` that set money aside.

    Money that is no payment of ours is named by the channel's own number of it. What came as a bank transfer goes back
    as one: a person makes it, and says so (`done_by_hand`).
    """
    by_hand = channel == BY_HAND
    refund = Refund(
        id=tx.new_id("rfd"),
        payment_id=payment_id,
        trade_no=trade_no,
        channel=channel,
        ref=ref,
        amount_fen=amount_fen,
        total_fen=total_fen,
        reason=reason,
        state=RefundState.MANUAL if by_hand else RefundState.REQUESTED,
        failures=0,
        problem="to be transferred by hand" if by_hand else None,
        channel_ref=None,
        version=1,
        requested_at=tx.now,
        ended_at=None,
    )
    if await store.insert_refund(tx, refund):
        await _watch(tx, refund)
        if not by_hand:
            _ask(tx, refund.id, 0)


async def _watch(tx: Tx, refund: Refund) -> bool:
    """Look at it when its working days are over; whether they are not yet."""
    due_at = await workdays.due_after(tx, refund.requested_at, SLOW_AFTER)
    if due_at > tx.now:
        tx.schedule(SLOW, f"{refund.id}:slow:{due_at:%Y%m%d}", due_at, {"refund_id": refund.id})
    return due_at > tx.now


async def slow(tx: Tx, payload: dict[str, Any]) -> None:
    """Its working days are over and the customer has not got it: finance is told, once (RV-290).

    A holiday that was written down since moves the end. The refund itself goes on as it was.
    """
    refund = await store.lock_refund(tx, payload["refund_id"])
    if refund is None or refund.state is RefundState.DONE or refund.slow_at is not None:
        return
    if await _watch(tx, refund):
        return
    await store.save_slow(tx, refund.id)
    tx.tell(
        RefundSlow(
            channel_refund_id=refund.id,
            channel=refund.channel,
            state=refund.state.value,
            amount=Money(refund.amount_fen),
            requested_at=refund.requested_at,
        ),
        to=["desk"],
    )
    log("channel.refund_slow", level="error", refund_id=refund.id, channel=refund.channel, state=refund.state.value)


async def finish(tx: Tx, refund_id: str, channel_ref: str | None) -> None:
    """The customer has it."""
    refund = await store.lock_refund(tx, refund_id)
    if refund is None or refund.state is RefundState.DONE:
        return
    done = replace(refund.after("finish"), channel_ref=channel_ref, problem=None, ended_at=tx.now)
    await store.save_refund(tx, done)
    await ledger.post(
        tx,
        ref=f"{refund.id}:done",
        kind="refund_done",
        entries=[
            (ledger.refunding(refund.channel), -refund.amount_fen),
            (ledger.clearing(refund.channel), refund.amount_fen),
        ],
    )


async def accept(tx: Tx, refund_id: str, channel_ref: str | None) -> None:
    """The channel will see to it; it is asked until it has."""
    refund = await store.lock_refund(tx, refund_id)
    if refund is None or refund.state is not RefundState.REQUESTED:
        return
    await store.save_refund(tx, replace(refund.after("accept"), channel_ref=channel_ref, problem=None))
    await look_again(tx, refund_id, 0)


async def look_again(tx: Tx, refund_id: str, looked: int) -> None:
    """Ask later what has become of it; `looked` so many times before."""
    _ask(tx, refund_id, REFUND_LOOKS_S[min(looked, len(REFUND_LOOKS_S) - 1)], looked=looked + 1)


async def wait(tx: Tx, refund_id: str, waited: int) -> None:
    """It needs something else first: asked for later, without counting a failure; `waited` so many times before."""
    due_at = tx.now + timedelta(seconds=REFUND_LOOKS_S[min(waited, len(REFUND_LOOKS_S) - 1)])
    payload = {"refund_id": refund_id, "looked": 0, "waited": waited + 1}
    tx.schedule(REFUND, f"{refund_id}:wait:{waited}", due_at, payload)


async def ask_now(tx: Tx, refund_id: str) -> None:
    """What it waited for is there."""
    tx.schedule(REFUND, f"{refund_id}:now", tx.now, {"refund_id": refund_id, "looked": 0})


async def find_refund(tx: Tx, refund_id: str) -> Refund | None:
    """As it stands."""
    return await store.read_refund(tx, refund_id)


async def fail(tx: Tx, refund_id: str, problem: str) -> None:
    """It could not be asked for, or was refused: again by the same number, in the end for a person."""
    refund = await store.lock_refund(tx, refund_id)
    if refund is None or refund.state is not RefundState.REQUESTED:
        return
    failures = refund.failures + 1
    if failures > len(REFUND_WAITS_S):
        await _give_up(tx, replace(refund, failures=failures), problem)
        return
    await store.save_refund(tx, replace(refund.after("fail"), failures=failures, problem=problem[:200]))
    _ask(tx, refund_id, REFUND_WAITS_S[failures - 1], looked=failures)


async def give_up(tx: Tx, refund_id: str, problem: str) -> None:
    """The channel says it will not get through."""
    refund = await store.lock_refund(tx, refund_id)
    if refund is not None and refund.state in {RefundState.REQUESTED, RefundState.ACCEPTED}:
        await _give_up(tx, refund, problem)


async def _give_up(tx: Tx, refund: Refund, problem: str) -> None:
    await store.save_refund(tx, replace(refund.after("give_up"), problem=problem[:200]))
    log("channel.refund_manual", level="error", refund_id=refund.id, channel=refund.channel, reason=problem[:200])


async def retry(tx: Tx, refund_id: str, by: str) -> Refund:
    """A person of finance has it asked for again. Raises NotFound, WrongChannelState."""
    refund = await store.lock_refund(tx, refund_id)
    if refund is None:
        raise NotFound
    if refund.channel == BY_HAND:
        raise WrongChannelState(state=refund.state.value)  # there is nobody to ask
    again = replace(refund.after("retry"), failures=0)
    await store.save_refund(tx, again)
    _ask(tx, refund_id, 0)
    log("channel.refund_retried", refund_id=refund_id, by=by)
    return again


async def done_by_hand(tx: Tx, refund_id: str, *, by: str, bank_ref: str) -> Refund:
    """A person of finance has transferred it; `bank_ref` is the bank's number. Saying so again changes nothing.

    Raises NotFound; WrongChannelState for what a channel gives back by itself, or another number than before.
    """
    refund = await store.lock_refund(tx, refund_id)
    if refund is None:
        raise NotFound
    is_repeat = refund.state is RefundState.DONE and refund.channel_ref == bank_ref
    if refund.channel != BY_HAND or (refund.state is not RefundState.MANUAL and not is_repeat):
        raise WrongChannelState(state=refund.state.value)
    if not is_repeat:
        await finish(tx, refund_id, bank_ref)
        log("channel.refund_by_hand", refund_id=refund_id, by=by)
    done = await store.lock_refund(tx, refund_id)
    assert done is not None  # noqa: S101 - locked above
    return done


async def hear(tx: Tx, channel: str, told: RefundNews) -> Outcome:
    """The channel's own news of a refund."""
    refund = await store.lock_refund(tx, told.out_refund_no)
    is_right = refund is not None and refund.channel == channel and told.is_ours
    if refund is None or not is_right or told.amount_fen not in {None, refund.amount_fen}:
        return Outcome.WRONG_REFUND
    if told.state is RefundWord.ABNORMAL:
        await give_up(tx, refund.id, "the channel says abnormal")
        return Outcome.NOTED
    if told.state is not RefundWord.DONE:
        return Outcome.NOTED
    await finish(tx, refund.id, told.channel_ref)
    return Outcome.REFUND_DONE


def _ask(tx: Tx, refund_id: str, after_s: int, *, looked: int = 0) -> None:
    due_at = tx.now + timedelta(seconds=after_s)
    tx.schedule(REFUND, f"{refund_id}:ask:{looked}", due_at, {"refund_id": refund_id, "looked": looked})
