"""A customer's points as values: lots, what a verb takes from which lot, and the purse that sums them up. Pure.

Each verb takes a purse and returns it changed; the book's entries are the difference (`entries`), so that lots, purse
and ledger cannot tell different stories. What is taken is taken from the lot that ends first (FR-098); a lot without
an end comes last.

Source: FR-069, FR-091 to FR-098; RV-329 to RV-332.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from rest.money import ledger
from storage.base.errors import Conflict

POINTS_MAX = 1_000_000_000
"""Most that one verb moves; more is a mistake."""


class InsufficientPoints(Conflict):
    """There are not enough points for this."""

    code = "insufficient_points"


def as_points(number: int) -> dict[str, object]:
    """A number of points among the fields of a refusal."""
    return {"amount": number, "unit": "PTS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Points that came together and end together. All counts are points.

    `ref` names what they were earned by, once and for ever. `held` is set aside for a payment or a purchase, `repaid`
    went into a debt, `undone` is how much of the earning itself was taken back, from whichever lot.
    """

    id: str
    account_id: str
    ref: str
    reason: str
    earned: int
    held: int = 0
    used: int = 0
    expired: int = 0
    clawed: int = 0
    repaid: int = 0
    undone: int = 0
    is_pending: bool
    available_at: datetime
    expires_at: datetime | None
    created_at: datetime
    version: int = 1

    @property
    def left(self) -> int:
        """What nobody has taken yet."""
        return self.earned - self.held - self.used - self.expired - self.clawed - self.repaid

    @property
    def order(self) -> tuple[bool, datetime, str]:
        """Which lot is taken from first."""
        return self.expires_at is None, self.expires_at or self.created_at, self.id

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one holder (a payment, a purchase) has of one lot: `held` until it is used or released."""

    holder_id: str
    lot_id: str
    account_id: str
    held: int = 0
    used: int = 0
    returned: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums over a customer's lots. `balance` is what they are worth to him, debts counted (I19)."""

    available: int = 0
    pending: int = 0
    held: int = 0
    owed: int = 0
    earned: int = 0
    used: int = 0
    expired: int = 0
    clawed: int = 0
    version: int = 1

    @property
    def balance(self) -> int:
        return self.earned - self.used - self.expired - self.clawed

    def plus(self, **deltas: int) -> Totals:
        """The totals after these changes."""
        changed: Mapping[str, int] = {name: getattr(self, name) + delta for name, delta in deltas.items()}
        return replace(self, **changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Totals with the lots a verb may touch: those with something left, and those it names."""

    account_id: str
    totals: Totals
    lots: Mapping[str, Lot] = field(default_factory=dict)

    def spendable(self) -> list[Lot]:
        """Lots with something left, the one that ends first in front."""
        return sorted((lot for lot in self.lots.values() if not lot.is_pending and lot.left), key=lambda lot: lot.order)

    def with_lot(self, lot: Lot, **deltas: int) -> Purse:
        """The purse with this lot as it is now and the totals moved."""
        return replace(self, lots={**self.lots, lot.id: lot}, totals=self.totals.plus(**deltas))


def earn(purse: Purse, lot: Lot) -> Purse:
    """A new lot: pending, or available at once (and then debts are paid from it)."""
    into = "pending" if lot.is_pending else "available"
    return repay(purse.with_lot(lot, earned=lot.earned, **{into: lot.earned}))


def mature(purse: Purse, lot_id: str) -> Purse:
    """The after-sale window has closed: what is left of the lot may be spent."""
    lot = purse.lots[lot_id]
    after = purse.with_lot(replace(lot, is_pending=False), pending=-lot.left, available=lot.left)
    return repay(after)


def expire(purse: Purse, lot_id: str) -> Purse:
    """The lot's time is over: what nobody has taken is gone. What is held decides itself when it comes back."""
    lot = purse.lots[lot_id]
    after = replace(lot, expired=lot.expired + lot.left)
    return purse.with_lot(after, expired=lot.left, **{"pending" if lot.is_pending else "available": -lot.left})


def hold(purse: Purse, points: int, holder_id: str) -> tuple[Purse, list[Use]]:
    """Set points aside for this holder. Raises InsufficientPoints."""
    if points > purse.totals.available:
        raise InsufficientPoints(available=as_points(purse.totals.available))
    uses = []
    for lot, part in _take(purse.spendable(), points):
        purse = purse.with_lot(replace(lot, held=lot.held + part), available=-part, held=part)
        uses.append(Use(holder_id=holder_id, lot_id=lot.id, account_id=purse.account_id, held=part))
    return purse, uses


def use_held(purse: Purse, uses: Iterable[Use]) -> tuple[Purse, list[Use]]:
    """What was set aside is spent."""
    after = []
    for use in uses:
        lot = purse.lots[use.lot_id]
        lot = replace(lot, held=lot.held - use.held, used=lot.used + use.held)
        purse = purse.with_lot(lot, held=-use.held, used=use.held)
        after.append(replace(use, held=0, used=use.used + use.held))
    return purse, after


def release(purse: Purse, uses: Iterable[Use], now: datetime) -> tuple[Purse, list[Use]]:
    """What was set aside goes back to its lots; what has expired meanwhile is gone."""
    after = []
    for use in uses:
        lot = purse.lots[use.lot_id]
        purse = _back(purse, replace(lot, held=lot.held - use.held), use.held, now, held=-use.held)
        after.append(replace(use, held=0, returned=use.returned + use.held))
    return repay(purse), after


def give_back(purse: Purse, uses: Sequence[Use], points: int, now: datetime) -> tuple[Purse, list[Use]]:
    """Spent points come back, to the lots that end last first: they were taken last. Raises ValueError above `used`."""
    if points > sum(use.used for use in uses):
        raise ValueError(f"{points} points were not spent here")
    after = []
    newest_first = sorted(uses, key=lambda use: purse.lots[use.lot_id].order, reverse=True)
    for use in newest_first:
        part = min(points, use.used)
        if part == 0:
            continue
        points -= part
        lot = purse.lots[use.lot_id]
        purse = _back(purse, replace(lot, used=lot.used - part), part, now, used=-part)
        after.append(replace(use, used=use.used - part, returned=use.returned + part))
    return repay(purse), after


def claw_back(purse: Purse, points: int, lot_id: str) -> Purse:
    """Take back what this lot's earning gave: from the lot itself, from others, and the rest is owed (RV-332).

    Never more than the customer has had of it: what has expired he has not.
    """
    source = purse.lots[lot_id]
    points = min(points, source.earned - source.undone - source.expired)
    source = replace(source, undone=source.undone + points)
    purse = replace(purse, lots={**purse.lots, lot_id: source})
    others = [lot for lot in purse.spendable() if lot.id != lot_id]
    due = points
    for lot, part in _take([source, *others], points):
        due -= part
        into = "pending" if lot.is_pending else "available"
        purse = purse.with_lot(replace(lot, clawed=lot.clawed + part), clawed=part, **{into: -part})
    return replace(purse, totals=purse.totals.plus(clawed=due, owed=due))


def repay(purse: Purse) -> Purse:
    """Debts are paid from what is available, as soon as there is something."""
    for lot, part in _take(purse.spendable(), min(purse.totals.owed, purse.totals.available)):
        purse = purse.with_lot(replace(lot, repaid=lot.repaid + part), available=-part, owed=-part)
    return purse


def _back(purse: Purse, lot: Lot, part: int, now: datetime, **deltas: int) -> Purse:
    if lot.is_over(now):
        return purse.with_lot(replace(lot, expired=lot.expired + part), expired=part, **deltas)
    return purse.with_lot(lot, available=part, **deltas)


def _take(lots: Sequence[Lot], points: int) -> list[tuple[Lot, int]]:
    """How much of which lot, in this order; together less than `points` when they have less."""
    parts = []
    for lot in lots:
        part = min(points, lot.left)
        if part > 0:
            parts.append((lot, part))
            points -= part
    return parts


def entries(before: Purse, after: Purse, holder_id: str | None = None) -> list[tuple[str, int]]:
    """What the ledger must move for the purse to become this: entries that sum to zero; empty when nothing moved."""
    was, now, account_id = before.totals, after.totals, before.account_id
    moves = [
        (ledger.customer_points(account_id), now.available - was.available),
        (ledger.points_pending(account_id), now.pending - was.pending),
        (ledger.points_owed(account_id), was.owed - now.owed),
        (ledger.held_points(holder_id or ""), now.held - was.held),
    ]
    moves.append((ledger.platform_points(), -sum(amount for _, amount in moves)))
    return [(code, amount) for code, amount in moves if amount]
