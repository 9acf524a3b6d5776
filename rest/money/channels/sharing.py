"""A trade's money shared with receivers by its channel (分账), as values and limits. Pure.

The flag is set when the trade is opened; what was shared has to be returned before it can be refunded. Receivers are
merchants: nothing that went to a person can be asked back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from storage.base.errors import Conflict

SHARES_MAX = 50
"""Receivers of one split."""
SHARE_AFTER = timedelta(minutes=1)
"""A channel that has just been paid does not know the trade everywhere yet."""
RETURN_WITHIN = timedelta(days=180)


class NotShareable(Conflict):
    """This trade's money cannot be shared like this; `reason` says why."""

    code = "not_shareable"


class ShareState(StrEnum):
    """Of a split, of one share of it, or of a return. `missing`: the channel knows none of this number."""

    MISSING = "missing"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A merchant that may have a share: his number at the channel, and his full name there."""

    account: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one receiver gets, or gives back."""

    account: str
    amount_fen: int
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOrder:
    """Shares of one trade; the same `out_split_no` again shares nothing more. `ends`: what is left is ours for good."""

    out_split_no: str
    trade_no: str
    shares: tuple[Share, ...]
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareNews:
    """The channel's word on one share. A failed one has come back to us."""

    account: str
    amount_fen: int
    state: ShareState
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitNews:
    """The channel's word on a split: done when every share has ended, whichever way."""

    out_split_no: str
    state: ShareState
    channel_ref: str | None = None
    shares: tuple[ShareNews, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnOrder:
    """A share to be given back by its receiver; the same `out_return_no` again gives nothing more."""

    out_return_no: str
    out_split_no: str
    trade_no: str
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnNews:
    """The channel's word on a return."""

    out_return_no: str
    state: ShareState
    channel_ref: str | None = None


class Sharing(Protocol):
    """What a channel can do for shares. Every call raises ChannelRefused, ChannelUnreachable, BadSignature.

    `returns_with_refunds`: a share comes back in the refund that needs it, and not by a question of its own.
    """

    @property
    def returns_with_refunds(self) -> bool: ...

    async def add_receiver(self, receiver: Receiver) -> None: ...

    async def split(self, wanted: SplitOrder) -> SplitNews: ...

    async def query_split(self, wanted: SplitOrder) -> SplitNews: ...

    async def give_back(self, wanted: ReturnOrder) -> ReturnNews: ...

    async def query_return(self, wanted: ReturnOrder) -> ReturnNews: ...

    async def unfreeze(self, out_split_no: str, trade_no: str) -> SplitNews: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shareable:
    """A trade as the limits see it: what it brought, what the channel keeps, what has been shared and refunded."""

    paid_fen: int
    fee_fen: int
    shared_fen: int
    refunded_fen: int
    paid_at: datetime
    is_flagged: bool

    def left_fen(self, max_bps: int) -> int:
        """What may still be shared: of what is ours after the fee, and of the part the channel allows."""
        ours = self.paid_fen - self.fee_fen - self.refunded_fen
        allowed = self.paid_fen * max_bps // 10_000
        return max(0, min(ours, allowed) - self.shared_fen)


def check_split(trade: Shareable, shares: tuple[Share, ...], *, max_bps: int, now: datetime) -> None:
    """Raises NotShareable: known before the channel is asked."""
    reason = _why_not(trade, shares, max_bps, now)
    if reason is not None:
        raise NotShareable(reason=reason)


def _why_not(trade: Shareable, shares: tuple[Share, ...], max_bps: int, now: datetime) -> str | None:
    accounts = {share.account for share in shares}
    amounts = [share.amount_fen for share in shares]
    if not trade.is_flagged:
        return "not_flagged"
    if not 1 <= len(shares) <= SHARES_MAX or len(accounts) != len(shares) or min(amounts) <= 0:
        return "receivers"
    if now < trade.paid_at + SHARE_AFTER:
        return "too_soon"
    return "too_much" if sum(amounts) > trade.left_fen(max_bps) else None
