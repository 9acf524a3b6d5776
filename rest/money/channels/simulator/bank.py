"""What the pretended channels know: trades, refunds, the news they owe us, and the faults that are switched on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from storage.base.clock import Clock

FAULTS = ("refuse", "error", "hang", "drop", "forge", "lose")
"""Of an answer: a no; 500; nothing for long; the connection cut; a wrong signature; cut after the work was done."""


class Refusal(Exception):
    """The channel says no: its own code."""

    def __init__(self, code: str, status: int = 400) -> None:
        self.code, self.status = code, status
        super().__init__(code)


@dataclass(slots=True, kw_only=True)
class Refund:
    """Money given back. `is_done` is false while it is under way."""

    number: str
    refund_id: str
    amount_fen: int
    is_done: bool
    made_at: datetime


@dataclass(slots=True, kw_only=True)
class Trade:
    """One trade. `pays_at`: the payer has paid, and the channel will know it then."""

    channel: str
    number: str
    amount_fen: int
    description: str
    payer: str | None
    notify_url: str
    expires_at: datetime
    asked: Any
    state: str = "waiting"
    trade_no: str | None = None
    paid_fen: int = 0
    pays_at: datetime | None = None
    paid_at: datetime | None = None
    is_shareable: bool = False
    shared_fen: int = 0
    told: dict[str, Any] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)

    @property
    def refunded_fen(self) -> int:
        return sum(refund.amount_fen for refund in self.refunds.values())


@dataclass(slots=True, kw_only=True)
class News:
    """A notification owed. `changes` are what the channel gets wrong in it; `sent` the last request, to be repeated."""

    id: int
    channel: str
    number: str
    refund: str | None
    notify_id: str
    answers: list[int] = field(default_factory=list)
    is_taken: bool = False
    sent: tuple[dict[str, str], bytes] | None = None


class Bank:
    """The books of both channels."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = count(1)
        self.trades: dict[tuple[str, str], Trade] = {}
        self.news: dict[int, News] = {}
        self.faults: Counter[str] = Counter()
        self.bill_faults: dict[tuple[str, str], str] = {}
        self.files: dict[str, bytes] = {}
        self.slow_refunds = False
        self.asked: Counter[str] = Counter()

    @property
    def now(self) -> datetime:
        return self._clock.now()

    def fault(self, channel: str) -> str | None:
        """The next fault of this channel's answers, used up by asking."""
        for name in FAULTS:
            key = f"{channel}.{name}"
            if self.faults[key] > 0:
                self.faults[key] -= 1
                return name
        return None

    def number(self) -> str:
        return f"4200{next(self._numbers):020}"

    # Trades

    def open(self, trade: Trade) -> Trade:
        """The same again is the same trade; anything else under its number is refused."""
        known = self.trades.get((trade.channel, trade.number))
        if known is None:
            self.trades[trade.channel, trade.number] = trade
            return trade
        if known.asked != trade.asked:
            raise Refusal("PARAM_MISMATCH")
        if known.state != "waiting":
            raise Refusal("TRADE_OVER")
        return known

    def find(self, channel: str, number: str) -> Trade | None:
        """The trade as it is now: payments under way arrive, unpaid ones run out."""
        trade = self.trades.get((channel, number))
        if trade is not None:
            self._age(trade)
        return trade

    def find_own(self, channel: str, trade_no: str) -> Trade | None:
        """The trade of the channel's own number."""
        return next((t for t in self.trades.values() if (t.channel, t.trade_no) == (channel, trade_no)), None)

    def age(self) -> None:
        for trade in self.trades.values():
            self._age(trade)

    def _age(self, trade: Trade) -> None:
        if trade.pays_at is not None and trade.pays_at <= self.now:
            self._paid(trade)
        elif trade.state == "waiting" and trade.expires_at <= self.now:
            trade.state = "closed"

    def pay(self, trade: Trade, *, amount_fen: int | None = None, told: dict[str, Any] | None = None) -> News:
        """The payer pays; `told` is what the channel says wrongly about it."""
        self._age(trade)
        if trade.state != "waiting":
            raise Refusal("NOT_PAYABLE", 409)
        trade.paid_fen, trade.told = amount_fen or trade.amount_fen, told or {}
        return self._paid(trade)

    def pay_late(self, trade: Trade, after_s: float) -> None:
        """The payer pays now, and the channel is slow to know: until then it is neither paid nor closable."""
        if trade.state != "waiting":
            raise Refusal("NOT_PAYABLE", 409)
        trade.state, trade.paid_fen = "paying", trade.amount_fen
        trade.pays_at = self.now + timedelta(seconds=after_s)

    def _paid(self, trade: Trade) -> News:
        trade.paid_at = trade.pays_at or self.now
        trade.state, trade.trade_no, trade.pays_at = "paid", trade.trade_no or self.number(), None
        return self.owe(trade)

    def fail(self, trade: Trade) -> None:
        if trade.state != "waiting":
            raise Refusal("NOT_PAYABLE", 409)
        trade.state = "failed"

    def close(self, trade: Trade) -> None:
        self._age(trade)
        if trade.state in {"paid", "paying"}:
            raise Refusal("ORDERPAID")
        trade.state = "closed"

    def refund(self, trade: Trade, number: str, amount_fen: int) -> tuple[Refund, bool]:
        """The refund of this number, and whether it is new."""
        known = trade.refunds.get(number)
        if known is not None:
            if known.amount_fen != amount_fen:
                raise Refusal("PARAM_MISMATCH")
            return known, False
        # What receivers have must come back before it can go to the payer.
        if trade.state != "paid" or trade.refunded_fen + amount_fen > trade.paid_fen - trade.shared_fen:
            raise Refusal("NOT_ENOUGH")
        done = not self.slow_refunds
        made = Refund(number=number, refund_id=self.number(), amount_fen=amount_fen, is_done=done, made_at=self.now)
        trade.refunds[number] = made
        return made, True

    def finish_refund(self, trade: Trade, number: str) -> News:
        trade.refunds[number].is_done = True
        return self.owe(trade, number)

    # Bills

    def put_away(self, raw: bytes) -> str:
        """Keep a file to be downloaded; the token it is asked for by."""
        token = f"{next(self._numbers):032x}"
        self.files[token] = raw
        return token

    # News

    def owe(self, trade: Trade, refund: str | None = None) -> News:
        number = next(self._numbers)
        news = News(id=number, channel=trade.channel, number=trade.number, refund=refund, notify_id=f"EV-{number:030}")
        self.news[number] = news
        return news

    def owed(self) -> list[News]:
        return [news for news in self.news.values() if not news.is_taken]
