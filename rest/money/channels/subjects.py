"""What is paid for and is no order of a line, such as a top-up or a purchase: its money, its news, its channel.

A payment names what it is for by its id, and the id begins with a prefix of its kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from rest.edge.context import Ctx
from rest.money import ledger, payments, wallet
from rest.money.channels.actions import begin
from rest.money.channels.errors import ChannelUnavailable
from rest.money.channels.facts import MoneyCame, MoneyRefused
from rest.money.channels.wiring import CHANNELS
from rest.money.payments import Method, WrongPaymentState
from storage.jobs import Subscriber
from storage.tx import Tx


class Receive(Protocol):
    async def __call__(self, tx: Tx, subject_id: str, payment_id: str, /, *, ref: str | None) -> object: ...


Refuse = Callable[[Tx, str, str, str], Awaitable[None]]
"""Takes the transaction, the subject's id, the payment's and the reason."""


def subscribers(prefix: str, receive: Receive, refuse: Refuse) -> Mapping[str, list[Subscriber]]:
    """Hear what channels say of subjects with this prefix. Everything else they say is for others."""

    def is_ours(fact: Any) -> bool:  # noqa: ANN401 - a fact of a channel: topics give no types
        return str(fact.order_id).startswith(prefix)

    async def money_came(tx: Tx, fact: dict[str, Any]) -> None:
        if fact["order_id"].startswith(prefix):
            await receive(tx, fact["order_id"], fact["payment_id"], ref=fact["ref"])

    async def money_refused(tx: Tx, fact: dict[str, Any]) -> None:
        if fact["order_id"].startswith(prefix):
            await refuse(tx, fact["order_id"], fact["payment_id"], fact["reason"])

    return {
        MoneyCame.topic: [Subscriber(money_came, wants=is_ours)],
        MoneyRefused.topic: [Subscriber(money_refused, wants=is_ours)],
    }


def check_channel(ctx: Ctx, method: str) -> None:
    """Whether this channel is set up here. Raises ChannelUnavailable."""
    channels = ctx.app.get(CHANNELS)
    if channels is None or method not in channels.names:
        raise ChannelUnavailable(method=method)


class Came(StrEnum):
    """What became of money that came for something."""

    REPEATED = "repeated"
    RETURNED = "returned"
    GOOD = "good"


async def receive_price(
    tx: Tx, subject_id: str, payment_id: str, *, lock_epoch: int, waits: bool, wanted: bool, ref: str | None
) -> Came:
    """Book money that a channel has. `waits`: the subject waits for it now; `wanted`: it is good though it be late.

    What is not wanted goes back; what was known moves nothing. Good money is in the subject's escrow, and nobody waits
    for another attempt to pay it. The caller holds the subject's lock.
    """
    receipt = await payments.receive(tx, payment_id, lock_epoch=lock_epoch if waits else None, ref=ref)
    if receipt.repeated:
        return Came.REPEATED
    if not wanted:
        await payments.return_late(tx, payment_id)
        return Came.RETURNED
    if receipt.late:  # of an attempt that was replaced, or of a subject that had been given up
        await payments.restore_late(tx, payment_id, lock_epoch=lock_epoch)
        await payments.close_open(tx, subject_id, "paid_otherwise")
    return Came.GOOD


async def refuse_price(tx: Tx, payment_id: str, reason: str) -> bool:
    """A channel will not take this attempt; False where it has moved on and that is no news."""
    try:
        await payments.fail(tx, payment_id, reason)
    except WrongPaymentState:
        return False
    return True


async def return_price(tx: Tx, subject_id: str, amount_fen: int, *, revenue: str, reason: str) -> None:
    """What was earned for it is not: back into its escrow, and from there to whatever it was paid with.

    To the wallet at once, over its channel after the commit. Once for each subject; the caller holds its lock.
    """
    await wallet.move(
        tx,
        ref=f"{subject_id}:taken_back",
        kind="settlement",
        order_id=subject_id,
        entries=[(ledger.revenue(revenue), -amount_fen), (ledger.escrow(subject_id), amount_fen)],
    )
    await payments.give_back(tx, subject_id, amount_fen, ref=f"{subject_id}:refund", reason=reason)


async def take_price(
    tx: Tx,
    subject_id: str,
    account_id: str,
    amount_fen: int,
    *,
    lock_epoch: int,
    method: str,
    payer: str | None,
    description: str,
    expires_at: datetime,
) -> bool:
    """Take it from the wallet at once, or ask a channel for it after the commit; whether it has been taken.

    Raises InsufficientFunds.
    """
    if method != Method.WALLET:
        await begin(
            tx, order_id=subject_id, account_id=account_id, amount_fen=amount_fen, lock_epoch=lock_epoch,
            channel=method, payer=payer, description=description, expires_at=expires_at,
        )  # fmt: skip
        return False
    payment = await payments.open_payment(
        tx, order_id=subject_id, account_id=account_id, amount_fen=amount_fen, lock_epoch=lock_epoch
    )
    await payments.settle_paid(tx, payment)
    return True
