"""What channels say and what we keep of it, as values; both transition tables and the judgement of news. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from rest.money.channels.bills import BillLine
from rest.money.channels.sharing import Share, Sharing
from storage.base.errors import Conflict

CHANNELS = ("wechat", "alipay")
CURRENCY = "CNY"

ASK_AGAIN_S = (15, 30, 60, 120)
"""Seconds between two questions after an attempt whose news does not come; then the last of them, to its end."""
LOOK_AFTER = timedelta(seconds=60)
"""An attempt is looked at once more this long after its end: clocks differ."""
EXPIRE_MIN = timedelta(seconds=61)
"""WeChat takes no prepay that ends within the next minute."""
REFUND_WAITS_S = (60, 600)
"""Seconds before a refund that failed is asked for again, by the same number; at least a minute apart (WeChat)."""
REFUND_LOOKS_S = (60, 300, 1_800)
"""Seconds between two questions after a refund the channel has accepted."""


# What a channel says


class TradeState(StrEnum):
    """A trade as its channel sees it. `missing`: it knows none of this number."""

    MISSING = "missing"
    WAITING = "waiting"
    PAID = "paid"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """The channel's word on one number. `is_ours` is false when it names another merchant or application."""

    out_trade_no: str
    state: TradeState
    trade_no: str | None = None
    amount_fen: int | None = None
    currency: str = CURRENCY
    is_ours: bool = True


class RefundWord(StrEnum):
    """A refund as its channel sees it. `abnormal`: it will not get through by itself."""

    MISSING = "missing"
    PROCESSING = "processing"
    DONE = "done"
    ABNORMAL = "abnormal"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundNews:
    """The channel's word on one refund number."""

    out_refund_no: str
    state: RefundWord
    channel_ref: str | None = None
    amount_fen: int | None = None
    is_ours: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A verified notification: of a trade or of a refund. A `nonce` may be used once."""

    notify_id: str
    nonce: str | None
    trade: Trade | None = None
    refund: RefundNews | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """What the channel wants to hear."""

    status: int
    media: str
    body: bytes


# What we ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepay:
    """A trade to be opened. With `payer` (the payer's id in our application) inside it, without as a code to scan.

    `is_shared`: the channel keeps its money apart, so that it can be shared with receivers.
    """

    out_trade_no: str
    amount_fen: int
    description: str
    expires_at: datetime
    payer: str | None
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Money to give back of a trade; the same `out_refund_no` again gives nothing more.

    The trade is known by our number of it, or by the channel's own where it is no payment of ours. `returns` are shares
    that come back with it, where the channel wants it so.
    """

    out_trade_no: str | None
    trade_no: str | None = None
    out_refund_no: str
    amount_fen: int
    total_fen: int
    reason: str
    returns: tuple[Share, ...] = ()


class Channel(Protocol):
    """What the rest of the program knows of a payment channel.

    Every call raises ChannelRefused, ChannelUnreachable, BadSignature. `refused` None: over HTTP the problem says it.
    """

    @property
    def name(self) -> str: ...

    @property
    def taken(self) -> Ack: ...

    @property
    def refused(self) -> Ack | None: ...

    async def prepay(self, wanted: Prepay) -> dict[str, str]: ...

    async def query(self, out_trade_no: str) -> Trade: ...

    async def close(self, out_trade_no: str) -> None: ...

    async def refund(self, wanted: RefundOrder) -> RefundNews: ...

    async def query_refund(self, wanted: RefundOrder) -> RefundNews: ...

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notification: ...

    @property
    def sharing(self) -> Sharing:
        """What it can do for receivers of shares."""

    @property
    def merchant(self) -> str:
        """Who we are in its bills."""

    async def fetch_bill(self, day: date, to: Path) -> None:
        """Download and check the bill of a day that is over. Also raises BillNotReady, BillBroken."""

    def read_bill(self, path: Path) -> Iterator[BillLine]:
        """The lines of a bill that was fetched; reads a file, so not in the loop. Raises BillBroken."""


# What we keep


class WrongChannelState(Conflict):
    """This attempt or refund is past that."""

    code = "channel_state"


class AttemptState(StrEnum):
    """Where an attempt stands with its channel."""

    ASKING = "asking"
    READY = "ready"
    CLOSING = "closing"
    REFUSED = "refused"
    PAID = "paid"
    CLOSED = "closed"


_A = AttemptState
ATTEMPT_TABLE: Mapping[tuple[AttemptState, str], AttemptState] = {
    (_A.ASKING, "answer"): _A.READY,
    (_A.ASKING, "refuse"): _A.REFUSED,
    (_A.ASKING, "let_go"): _A.CLOSING,
    (_A.READY, "let_go"): _A.CLOSING,
    (_A.READY, "close"): _A.CLOSED,  # the channel ended it: its time was up
    (_A.CLOSING, "close"): _A.CLOSED,
    # Money may come whatever we believe: after a refusal, a close, or before the answer to our question.
    **{(state, "pay"): _A.PAID for state in AttemptState if state is not AttemptState.PAID},
}
"""(state, verb) → state. What is not listed is refused."""

ATTEMPT_VERBS = tuple(dict.fromkeys(verb for _, verb in ATTEMPT_TABLE))
OPEN = frozenset({_A.ASKING, _A.READY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A payment attempt at its channel; the payment's id is the channel's `out_trade_no`.

    `is_shared`: the channel keeps its money apart, so that it can be shared with receivers.
    """

    payment_id: str
    order_id: str
    account_id: str
    channel: str
    amount_fen: int
    state: AttemptState
    payer: str | None
    description: str
    expires_at: datetime
    params: Mapping[str, str] | None
    trade_no: str | None
    reason: str | None
    version: int
    created_at: datetime
    is_shared: bool = False

    def after(self, verb: str) -> Attempt:
        """Raises WrongChannelState."""
        state = ATTEMPT_TABLE.get((self.state, verb))
        if state is None:
            raise WrongChannelState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)


class RefundState(StrEnum):
    """A refund on its way back; `manual`: a person of finance has to look."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    DONE = "done"
    MANUAL = "manual"


_R = RefundState
REFUND_TABLE: Mapping[tuple[RefundState, str], RefundState] = {
    (_R.REQUESTED, "accept"): _R.ACCEPTED,
    (_R.REQUESTED, "fail"): _R.REQUESTED,
    (_R.REQUESTED, "give_up"): _R.MANUAL,
    (_R.ACCEPTED, "give_up"): _R.MANUAL,
    (_R.MANUAL, "retry"): _R.REQUESTED,
    **{(state, "finish"): _R.DONE for state in RefundState if state is not RefundState.DONE},
}
"""(state, verb) → state. What is not listed is refused."""

REFUND_VERBS = tuple(dict.fromkeys(verb for _, verb in REFUND_TABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money going back over a channel; its id is the channel's `out_refund_no`. Units: fen.

    `slow_at`: when it had taken longer than it may, and finance was told.
    """

    id: str
    payment_id: str | None
    trade_no: str | None
    channel: str
    ref: str
    amount_fen: int
    total_fen: int
    reason: str
    state: RefundState
    failures: int
    problem: str | None
    channel_ref: str | None
    version: int
    requested_at: datetime
    ended_at: datetime | None
    slow_at: datetime | None = None

    def after(self, verb: str) -> Refund:
        """Raises WrongChannelState."""
        state = REFUND_TABLE.get((self.state, verb))
        if state is None:
            raise WrongChannelState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    @property
    def order(self) -> RefundOrder:
        """What the channel is asked for."""
        return RefundOrder(
            out_trade_no=self.payment_id,
            trade_no=self.trade_no,
            out_refund_no=self.id,
            amount_fen=self.amount_fen,
            total_fen=self.total_fen,
            reason=self.reason,
        )


class Outcome(StrEnum):
    """What became of news. The last six want a person's eye; of them the first three have put money into suspense."""

    PASSED_ON = "passed_on"
    REPEATED = "repeated"
    NOTED = "noted"
    REFUND_DONE = "refund_done"
    UNKNOWN_ORDER = "unknown_order"
    WRONG_AMOUNT = "wrong_amount"
    SECOND_MONEY = "second_money"
    WRONG_MERCHANT = "wrong_merchant"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_REFUND = "wrong_refund"


SUSPENSE = frozenset({Outcome.UNKNOWN_ORDER, Outcome.WRONG_AMOUNT, Outcome.SECOND_MONEY})
ALARMS = SUSPENSE | {Outcome.WRONG_MERCHANT, Outcome.WRONG_CURRENCY, Outcome.WRONG_REFUND}


def judge(trade: Trade, attempt: Attempt | None, channel: str) -> Outcome:
    """What news of a trade means for the attempt it names. Money of ours is never left out of the book."""
    if not trade.is_ours:
        return Outcome.WRONG_MERCHANT
    if trade.state is not TradeState.PAID or trade.trade_no is None or not trade.amount_fen:
        return Outcome.NOTED
    if trade.currency != CURRENCY:
        return Outcome.WRONG_CURRENCY
    if attempt is None or attempt.channel != channel:
        return Outcome.UNKNOWN_ORDER
    if attempt.state is AttemptState.PAID:
        return Outcome.REPEATED if attempt.trade_no == trade.trade_no else Outcome.SECOND_MONEY
    return Outcome.PASSED_ON if trade.amount_fen == attempt.amount_fen else Outcome.WRONG_AMOUNT


# Amounts as Alipay writes them

_YUAN = re.compile(r"(0|[1-9][0-9]{0,10})(?:\.([0-9]{1,2}))?", re.ASCII)


def fen(text: Any) -> int | None:  # noqa: ANN401 - whatever the channel sent
    """Integer fen of `409.00`; None for anything else."""
    found = _YUAN.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))
