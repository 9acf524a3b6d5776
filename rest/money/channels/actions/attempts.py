"""An attempt at its channel: begun with its payment, answered by a job, let go when nobody waits for it any more.

Lock order: the order (held by whoever begins) → payment → attempt. The other verbs hold the attempt alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from rest.edge.values import Money
from rest.money import payments
from rest.money.channels import store
from rest.money.channels.facts import MoneyRefused, PaymentReady
from rest.money.channels.model import ASK_AGAIN_S, EXPIRE_MIN, OPEN, Attempt, AttemptState
from rest.money.payments import Method, Part, Payment, PayPolicy
from storage.base.log import log
from storage.tx import Tx

PREPAY = "channel.prepay"
WATCH = "channel.watch"
CLOSE = "channel.close"


async def begin(
    tx: Tx,
    *,
    order_id: str,
    account_id: str,
    amount_fen: int,
    lock_epoch: int,
    channel: str,
    payer: str | None,
    description: str,
    expires_at: datetime,
    parts: Sequence[Part] = (),
    policy: PayPolicy | None = None,
    is_shared: bool = False,
) -> Payment:
    """Open an attempt and have its channel asked after the commit. The caller holds the order's lock.

    `parts` of a mixed payment sum to the amount: the channel is asked for its own, or for all without them. What
    `is_shared` is kept apart there. Asking again for one that can still be paid returns it; one that ended, or is for
    another payer, is replaced: a channel refuses other parameters under the same number.
    """
    open_payment = partial(
        payments.open_payment,
        tx,
        order_id=order_id,
        account_id=account_id,
        amount_fen=amount_fen,
        lock_epoch=lock_epoch,
        method=Method(channel),
        parts=parts,
        policy=policy,
    )
    payment = await open_payment()
    known = await store.lock_attempt(tx, payment.id)
    if known is not None:
        is_paid = known.state is AttemptState.PAID  # its news is on the way to the order
        if is_paid or (known.state in OPEN and known.payer == payer and tx.now < known.expires_at):
            return payment
        await payments.close_open(tx, order_id, "replaced")
        payment = await open_payment()
    attempt = _attempt(tx, payment, payer=payer, description=description, expires_at=expires_at, is_shared=is_shared)
    await store.insert_attempt(tx, attempt)
    tx.schedule(PREPAY, f"{payment.id}:prepay", tx.now, {"payment_id": payment.id})
    return payment


def _attempt(
    tx: Tx, payment: Payment, *, payer: str | None, description: str, expires_at: datetime, is_shared: bool
) -> Attempt:
    part = payment.channel_part
    assert part is not None and part.tender is payment.method  # noqa: PT018, S101 - it was opened over a channel
    return Attempt(
        payment_id=payment.id,
        order_id=payment.order_id,
        account_id=payment.account_id,
        channel=part.tender.value,
        amount_fen=part.amount_fen,
        state=AttemptState.ASKING,
        payer=payer,
        description=description,
        expires_at=max(expires_at, tx.now + EXPIRE_MIN),
        params=None,
        trade_no=None,
        reason=None,
        version=1,
        created_at=tx.now,
        is_shared=is_shared,
    )


async def answer(tx: Tx, payment_id: str, params: Mapping[str, str]) -> None:
    """The channel can be paid: the customer is told how. Its news is waited for, and asked for if it stays away."""
    attempt = await store.lock_attempt(tx, payment_id)
    if attempt is None or attempt.state in {AttemptState.PAID, AttemptState.READY}:
        return
    if attempt.state is not AttemptState.ASKING:
        schedule_close(tx, payment_id)  # let go while the question was under way: there is something to close now
        return
    await store.save_attempt(tx, replace(attempt.after("answer"), params=params))
    schedule_watch(tx, payment_id, 0)
    fact = PaymentReady(
        order_id=attempt.order_id,
        payment_id=payment_id,
        method=attempt.channel,
        amount=Money(attempt.amount_fen),
        params=params,
        expires_at=attempt.expires_at,
    )
    tx.tell(fact, to=[f"customer:{attempt.account_id}"], expires_at=attempt.expires_at)


async def refuse(tx: Tx, payment_id: str, reason: str) -> None:
    """The channel will not take it: the line is told."""
    attempt = await store.lock_attempt(tx, payment_id)
    if attempt is None or attempt.state is not AttemptState.ASKING:
        return
    await store.save_attempt(tx, replace(attempt.after("refuse"), reason=reason[:200]))
    tx.tell(MoneyRefused(order_id=attempt.order_id, payment_id=payment_id, reason=reason[:200]), to=())
    log("channel.refused", level="warning", payment_id=payment_id, channel=attempt.channel, reason=reason[:200])


async def let_go(tx: Tx, payment_id: str) -> None:
    """Nobody waits for it any more: its channel is asked whether it was paid, and then to close it."""
    attempt = await store.lock_attempt(tx, payment_id)
    if attempt is None or attempt.state not in OPEN:
        return
    await store.save_attempt(tx, attempt.after("let_go"))
    schedule_close(tx, payment_id)


async def closed(tx: Tx, payment_id: str, *, look_at: datetime | None = None) -> None:
    """It cannot be paid at its channel. `look_at`: ask once more then, for it may yet come to life (Alipay's codes)."""
    attempt = await store.lock_attempt(tx, payment_id)
    if attempt is None or attempt.state not in {AttemptState.READY, AttemptState.CLOSING, AttemptState.CLOSED}:
        return
    if attempt.state is not AttemptState.CLOSED:
        await store.save_attempt(tx, attempt.after("close"))
    if look_at is not None:
        tx.schedule(CLOSE, f"{payment_id}:look", look_at, {"payment_id": payment_id})


def schedule_watch(tx: Tx, payment_id: str, asked: int) -> None:
    """Ask the channel for its news later; `asked` so many times before."""
    due_at = tx.now + timedelta(seconds=ASK_AGAIN_S[min(asked, len(ASK_AGAIN_S) - 1)])
    tx.schedule(WATCH, f"{payment_id}:watch:{asked}", due_at, {"payment_id": payment_id, "asked": asked})


async def watch_again(tx: Tx, payment_id: str, asked: int) -> None:
    schedule_watch(tx, payment_id, asked)


def schedule_close(tx: Tx, payment_id: str) -> None:
    tx.schedule(CLOSE, f"{payment_id}:close", tx.now, {"payment_id": payment_id})
