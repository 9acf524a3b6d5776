"""What attempts over a channel tell whoever talks to the channel. Nobody's phone hears them."""

from __future__ import annotations

from typing import ClassVar

from storage.base.facts import Fact


class AttemptClosed(Fact, frozen=True, kw_only=True):
    """Nobody waits for this attempt any more: it should not be payable at its channel."""

    topic: ClassVar[str] = "money.attempt_closed"
    payment_id: str
    channel: str


class RefundDue(Fact, frozen=True, kw_only=True):
    """Money has been set aside to go back by the channel it came over. `ref` is the transfer that did so."""

    topic: ClassVar[str] = "money.refund_due"
    payment_id: str
    channel: str
    ref: str
    amount_fen: int
    total_fen: int
    reason: str
