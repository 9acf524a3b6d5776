"""What a line lets its orders be paid with, and how a price is made up of it. Pure.

A policy is versioned data of its line; an order is paid by the version it was made under. The parts of a payment always
sum to the price, whatever is asked for. Source: FR-064 to FR-069, RV-277 to RV-280, HS-146, HS-176.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rest.money.payments.model import CHANNELS, Part, Tender
from storage.base.errors import Invalid
from storage.base.money import BPS, as_money

SINGLE_MAX_FEN = 5_000_000
"""RV-280: 50,000 yuan in one payment."""
DAILY_MAX_FEN = 20_000_000
"""RV-280: 200,000 yuan of one customer in a day."""


class MethodUnavailable(Invalid):
    """This order cannot be paid in this way."""

    code = "method_unavailable"


class PartsMismatch(Invalid):
    """The parts of the payment do not make up the price."""

    code = "parts_mismatch"


class TooManyMethods(Invalid):
    """Not so many ways of payment may be combined."""

    code = "too_many_methods"


class PointsShare(Invalid):
    """Points may pay only a part of this price."""

    code = "points_share"


class SingleLimit(Invalid):
    """One payment cannot be this large."""

    code = "single_limit"


class DailyLimit(Invalid):
    """You have reached today's limit of payments."""

    code = "daily_limit"


@dataclass(frozen=True, slots=True)
class Ask:
    """One way of payment a customer names, and how much of it; None: what the others leave."""

    tender: Tender
    amount_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What a customer has for one order: fen, and points. `worker_id`: whose credit it is."""

    wallet: int = 0
    credit: int = 0
    prepaid: int = 0
    bonus: int = 0
    points: int = 0
    worker_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPolicy:
    """Units: fen, basis points. `tenders` stand in the order in which they are used up.

    `uses_up`: how much of each is not the customer's to say, each one named pays as much as it can (RV-278).
    """

    version: int
    tenders: tuple[Tender, ...]
    methods_max: int
    single_max_fen: int = SINGLE_MAX_FEN
    daily_max_fen: int = DAILY_MAX_FEN
    points_per_yuan: int = 100
    points_share_bps: int = 5_000
    uses_up: bool = False
    limitless: frozenset[Tender] = field(default=frozenset({Tender.OFFLINE}))
    alone: frozenset[Tender] = field(default=frozenset({Tender.OFFLINE}))
    """Tenders that no limit counts, and tenders that combine with no other (RV-280, RV-284)."""

    def __post_init__(self) -> None:
        """A policy that cannot hold is found at start."""
        if len(set(self.tenders)) != len(self.tenders) or Tender.BONUS in self.tenders:
            raise ValueError("each tender once; bonus goes with prepaid")
        if not (self.methods_max > 0 and 0 <= self.points_share_bps <= BPS and self.points_per_yuan > 0):
            raise ValueError("a policy lets something pay")

    def offered(self, open_channels: Collection[str]) -> list[Tender]:
        """What may be used now, in the order of use. Bank transfers need no channel of ours to be open."""
        return [one for one in self.tenders if one not in CHANNELS - {Tender.OFFLINE} or one.value in open_channels]

    # What each tender can give

    def worth_fen(self, points: int) -> int:
        """What so many points pay, rounded down."""
        return points * 100 // self.points_per_yuan

    def points_for(self, amount_fen: int) -> int:
        """How many points pay this, rounded up."""
        return -(-amount_fen * self.points_per_yuan // 100)

    def points_max_fen(self, payable_fen: int) -> int:
        """How much of a price points may pay."""
        return payable_fen * self.points_share_bps // BPS

    def gives(self, tender: Tender, purse: Purse, payable_fen: int) -> int:
        """How much of this price the customer could pay with it, in fen; whoever pays by channel can pay all."""
        match tender:
            case Tender.WALLET:
                has = purse.wallet
            case Tender.CREDIT:
                has = purse.credit
            case Tender.PREPAID:
                has = purse.prepaid + purse.bonus
            case Tender.POINTS:
                has = min(self.worth_fen(purse.points), self.points_max_fen(payable_fen))
            case _:
                has = payable_fen
        return max(0, min(has, payable_fen))

    # Making up a price

    def suggest(self, payable_fen: int, purse: Purse, open_channels: Collection[str]) -> list[Ask]:
        """What is used up in the policy's order, with a channel for the rest; empty when nothing covers the price."""
        offered = [one for one in self.offered(open_channels) if one not in self.alone]
        channel = next((one for one in offered if one in CHANNELS), None)
        chosen: list[Ask] = []
        left = payable_fen
        for tender in (one for one in offered if one not in CHANNELS):
            amount = min(left, self.gives(tender, purse, payable_fen))
            is_last = len(chosen) + 1 == self.methods_max
            if amount == 0 or (is_last and amount < left):
                continue  # the last place is for whoever covers the rest
            chosen.append(Ask(tender, amount))
            left -= amount
        if left and channel is not None:
            return [*chosen, Ask(channel, left)]
        return [] if left else chosen

    def plan(
        self, payable_fen: int, asked: Sequence[Ask], purse: Purse, open_channels: Collection[str]
    ) -> tuple[Part, ...]:
        """The parts that make up the price as asked, in the policy's order.

        Raises MethodUnavailable, TooManyMethods, PartsMismatch, PointsShare, SingleLimit. Whether the money is there is
        the book's to say.
        """
        self._check_named(asked, open_channels)
        amounts = self._amounts(payable_fen, asked, purse)
        if amounts.get(Tender.POINTS, 0) > self.points_max_fen(payable_fen):
            raise PointsShare(maximum=as_money(self.points_max_fen(payable_fen)))
        parts: list[Part] = []
        for tender in self.tenders:
            if amounts.get(tender, 0) > 0:
                parts += self._parts(tender, amounts[tender], purse)
        if self.limited_fen(parts) > self.single_max_fen:
            raise SingleLimit(maximum=as_money(self.single_max_fen))
        return tuple(parts)

    def _check_named(self, asked: Sequence[Ask], open_channels: Collection[str]) -> None:
        named = [ask.tender for ask in asked]
        offered = self.offered(open_channels)
        for tender in named:
            if tender not in offered:
                raise MethodUnavailable(method=tender.value)
        if len(named) > self.methods_max or (len(named) > 1 and self.alone.intersection(named)):
            raise TooManyMethods(maximum=1 if self.alone.intersection(named) else self.methods_max)
        if not named or len(set(named)) != len(named) or len(CHANNELS.intersection(named)) > 1:
            raise PartsMismatch(methods=[tender.value for tender in named])

    def _amounts(self, payable_fen: int, asked: Sequence[Ask], purse: Purse) -> Mapping[Tender, int]:
        if self.uses_up:
            return self._used_up(payable_fen, asked, purse)
        known = {ask.tender: ask.amount_fen for ask in asked if ask.amount_fen is not None}
        open_ended = [ask.tender for ask in asked if ask.amount_fen is None]
        rest = payable_fen - sum(known.values())
        fits = rest >= 0 if open_ended else rest == 0
        if not fits or len(open_ended) > 1 or min(known.values(), default=0) < 0:
            raise PartsMismatch(payable=as_money(payable_fen), given=as_money(sum(known.values())))
        return {**known, **dict.fromkeys(open_ended, rest)}

    def _used_up(self, payable_fen: int, asked: Sequence[Ask], purse: Purse) -> Mapping[Tender, int]:
        """Each as much as it can, in the policy's order and a channel last; what was asked for must not differ."""
        said = {ask.tender: ask.amount_fen for ask in asked}
        amounts: dict[Tender, int] = {}
        left = payable_fen
        for tender in sorted((one for one in self.tenders if one in said), key=lambda one: one in CHANNELS):
            # A purse that does not cover the price by itself is not filled up here: the book refuses it.
            can = left if len(said) == 1 else min(left, self.gives(tender, purse, payable_fen))
            amounts[tender] = can
            left -= can
        wrong = [tender for tender, amount in said.items() if amount is not None and amount != amounts[tender]]
        if left or wrong:
            raise PartsMismatch(payable=as_money(payable_fen), given=as_money(payable_fen - left))
        return amounts

    def _parts(self, tender: Tender, amount_fen: int, purse: Purse) -> list[Part]:
        if tender is Tender.POINTS:
            return [Part(tender, amount_fen, points=self.points_for(amount_fen))]
        if tender is Tender.CREDIT:
            if purse.worker_id is None:
                raise MethodUnavailable(method=tender.value)
            return [Part(tender, amount_fen, worker_id=purse.worker_id)]
        if tender is Tender.PREPAID and amount_fen > purse.prepaid:
            own = max(purse.prepaid, 0)  # what he paid in himself first (FR-066)
            if amount_fen - own <= purse.bonus:
                split = [Part(Tender.PREPAID, own), Part(Tender.BONUS, amount_fen - own)]
                return [part for part in split if part.amount_fen]
        return [Part(tender, amount_fen)]

    def limited_fen(self, parts: Sequence[Part]) -> int:
        """How much of a payment of these parts the limits count: all or nothing of it."""
        is_free = any(part.tender in self.limitless for part in parts)
        return 0 if is_free else sum(part.amount_fen for part in parts)
