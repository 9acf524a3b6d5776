"""Shares as the pretended channels know them, with the limits of the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rest.money.channels.sharing import RETURN_WITHIN, SHARE_AFTER, SHARES_MAX
from rest.money.channels.simulator.bank import Bank, Refusal, Trade
from rest.money.channels.simulator.bills import fee

RATIO_BPS = 3_000
"""Of a trade at most so much is shared."""


@dataclass(slots=True, kw_only=True)
class Split:
    """Shares by receiver. What has ended is ended by the next question after it, as a real channel takes its time."""

    number: str
    own_number: str
    trade: Trade
    shares: dict[str, int]
    asked: Any
    is_done: bool = False
    closed: set[str] = field(default_factory=set)
    returns: dict[str, tuple[str, int]] = field(default_factory=dict)

    def back(self, account: str) -> int:
        return sum(amount for whose, amount in self.returns.values() if whose == account)

    @property
    def out_fen(self) -> int:
        return sum(amount - self.back(who) for who, amount in self.shares.items() if who not in self.closed)


class Shares:
    """Receivers and splits of one channel."""

    def __init__(self, bank: Bank, channel: str) -> None:
        self._bank, self._channel = bank, channel
        self.receivers: dict[str, str] = {}
        self.splits: dict[str, Split] = {}
        self.is_slow = False
        self.unwilling: set[str] = set()

    def of(self, trade: Trade) -> list[Split]:
        return [split for split in self.splits.values() if split.trade is trade]

    def split(self, trade: Trade, number: str, shares: Mapping[str, int], *, ends: bool, asked: Any) -> Split:  # noqa: ANN401
        """The split of this number. Raises Refusal, as the real one does for the same reasons."""
        known = self.splits.get(number)
        if known is not None:
            if known.asked != asked:
                raise Refusal("PARAM_ERROR")
            return known
        self._check(trade, shares)
        made = Split(number=number, own_number=self._bank.number(), trade=trade, shares=dict(shares), asked=asked)
        made.closed = set(shares) & self.unwilling
        made.is_done = not shares
        self.splits[number] = made
        trade.shared_fen = sum(split.out_fen for split in self.of(trade))
        trade.is_shareable = trade.is_shareable and not ends
        return made

    def _check(self, trade: Trade, shares: Mapping[str, int]) -> None:
        if trade.state != "paid" or trade.paid_at is None:
            raise Refusal("ORDER_NOT_EXIST", 404)
        if not trade.is_shareable:
            raise Refusal("NOT_SHARE_ORDER")
        if self._bank.now < trade.paid_at + SHARE_AFTER:
            raise Refusal("ORDER_NOT_READY")
        if len(shares) > SHARES_MAX or any(amount <= 0 for amount in shares.values()):
            raise Refusal("PARAM_ERROR")
        if not shares.keys() <= self.receivers.keys():
            raise Refusal("RECEIVER_INVALID")
        total = sum(split.out_fen for split in self.of(trade)) + sum(shares.values())
        ours = trade.paid_fen - fee(trade.paid_fen) - trade.refunded_fen
        if total > min(ours, trade.paid_fen * RATIO_BPS // 10_000):
            raise Refusal("NOT_ENOUGH")

    def look(self, number: str) -> Split:
        split = self.splits.get(number)
        if split is None:
            raise Refusal("RESOURCE_NOT_EXISTS", 404)
        split.is_done = split.is_done or not self.is_slow
        return split

    def give_back(self, number: str, return_no: str, account: str, amount_fen: int) -> Split:
        """A return of a share, whole or in part."""
        split = self.look(number)
        if return_no in split.returns:
            if split.returns[return_no] != (account, amount_fen):
                raise Refusal("PARAM_ERROR")
            return split
        if not split.is_done or account in split.closed or account not in split.shares:
            raise Refusal("ORDER_NOT_READY")
        if split.trade.paid_at is not None and self._bank.now > split.trade.paid_at + RETURN_WITHIN:
            raise Refusal("TIME_EXPIRED")
        if split.back(account) + amount_fen > split.shares[account]:
            raise Refusal("NOT_ENOUGH")
        split.returns[return_no] = (account, amount_fen)
        split.trade.shared_fen -= amount_fen
        return split
