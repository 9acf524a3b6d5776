"""Top-ups, tiers and offers as values: what may be paid in, what is given for it, and the life of a top-up. Pure.

Source: HS-176, HS-179, 5.7; FR-066, FR-077 to FR-080.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rest.money import ledger
from storage.base.errors import Conflict, Malformed

PREFIX = "top_"
"""How a top-up's id begins: payments name what they are for by its id."""

PAY_WITHIN = timedelta(minutes=15)
"""The payment window of everything that is not an order of a line (rv part 6)."""

LOCK_EPOCH = 1
"""A top-up's price never changes: every attempt to pay it is for the same."""


class Kind(StrEnum):
    """Into what the money goes."""

    PLATFORM = "platform"
    RECHARGE = "recharge"
    TECHNICIAN = "technician"
    WORKER = "worker"


class TopupState(StrEnum):
    """Where a top-up stands."""

    CREATED = "created"
    PAID = "paid"
    CLOSED = "closed"


_CREATED, _PAID, _CLOSED = TopupState

TRANSITIONS: Mapping[tuple[TopupState, str], TopupState] = {
    (_CREATED, "pay"): _PAID,
    (_CREATED, "close"): _CLOSED,
    # Money that came although nobody waited: it was meant for the wallet, and that is where it goes.
    (_CLOSED, "pay_late"): _PAID,
}
"""(state, verb) → state. What is not listed is refused."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))

LIMITS: Mapping[Kind, tuple[int, int]] = {
    Kind.PLATFORM: (100, 5_000_000),
    Kind.RECHARGE: (100, 100_000_000),
    Kind.TECHNICIAN: (100, 2_000_000),
    Kind.WORKER: (100, 5_000_000),
}
"""The least and the most of one top-up, fen: 1 yuan, below which a channel's fee is more than it moves; at most 50,000
yuan into a wallet, one million of recharge funds (a company's), 20,000 bound to one technician, who may leave."""


class WrongTopupState(Conflict):
    """This top-up is past that."""

    code = "topup_state"


class TierInactive(Conflict):
    """This amount is not offered any more."""

    code = "tier_inactive"


class TierExists(Conflict):
    """There is an active tier of this amount."""

    code = "tier_exists"


class OfferUnavailable(Conflict):
    """This offer is not for this top-up."""

    code = "topup_offer_unavailable"


class TopupRuleInvalid(Malformed):
    """The terms of this offer contradict themselves."""

    code = "topup_offer_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """An amount offered at one tap."""

    id: str
    kind: Kind
    amount_fen: int
    place: int
    active: bool
    version: int
    changed_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a customer has topped up before. `taken`: offer → how often, those that wait for their money counted."""

    is_first: bool
    taken: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is given for a top-up: money, points, a coupon. Valid in `[from, until)`. Raises TopupRuleInvalid."""

    id: str
    name: Mapping[str, str]
    kind: Kind
    tier_ids: tuple[str, ...]
    bonus_fen: int
    bonus_points: int
    bonus_coupon: str | None
    first_time_only: bool
    valid_from: datetime
    valid_until: datetime
    per_account_max: int
    place: int
    active: bool
    version: int
    changed_by: str
    created_at: datetime
    updated_at: datetime

    def __post_init__(self) -> None:
        if not (self.bonus_fen or self.bonus_points or self.bonus_coupon):
            raise TopupRuleInvalid("Give money, points or a coupon.", field="bonus")
        if self.valid_until <= self.valid_from:
            raise TopupRuleInvalid("The window ends before it begins.", field="valid_until")

    def why_not(self, tier_id: str | None, past: Past, now: datetime) -> str | None:
        """Why it is not given for this tier to somebody with this past; None when it is."""
        if not self.active or not self.valid_from <= now < self.valid_until:
            return "not_open"
        if tier_id is None or (self.tier_ids and tier_id not in self.tier_ids):
            return "tier"
        if self.first_time_only and not past.is_first:
            return "first_time_only"
        return "limit" if past.taken.get(self.id, 0) >= self.per_account_max else None


def best_offer(offers: Iterable[Offer], tier_id: str | None, past: Past, now: datetime) -> Offer | None:
    """The first by place that is given; offers never add up."""
    fitting = [offer for offer in offers if offer.why_not(tier_id, past, now) is None]
    return min(fitting, key=lambda offer: (offer.place, offer.id), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topup:
    """One top-up. Units: fen, points. The bonus is what was promised when it was asked for."""

    id: str
    account_id: str
    kind: Kind
    worker_id: str | None
    amount_fen: int
    tier_id: str | None
    offer_id: str | None
    bonus_fen: int
    bonus_points: int
    bonus_coupon: str | None
    method: str
    state: TopupState
    reason: str | None
    version: int
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    closed_at: datetime | None

    def after(self, verb: str) -> Topup:
        """The top-up after this verb. Raises WrongTopupState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongTopupState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    def without_bonus(self) -> Topup:
        return replace(self, offer_id=None, bonus_fen=0, bonus_points=0, bonus_coupon=None)

    @property
    def target(self) -> str:
        """The account its principal goes to."""
        match self.kind:
            case Kind.PLATFORM:
                return ledger.customer_wallet(self.account_id)
            case Kind.RECHARGE:
                return ledger.customer_prepaid(self.account_id)
            case Kind.TECHNICIAN:
                return ledger.customer_credit(self.account_id, self.worker_id or "")
            case Kind.WORKER:
                return ledger.worker_wallet(self.worker_id or "")

    def entries(self) -> list[tuple[str, int]]:
        """What crediting it moves: the principal out of its escrow, the bonus out of the platform's promotion."""
        moves = [(ledger.escrow(self.id), -self.amount_fen), (self.target, self.amount_fen)]
        if self.bonus_fen:
            moves += [
                (ledger.promo("topup"), -self.bonus_fen),
                (ledger.customer_bonus(self.account_id), self.bonus_fen),
            ]
        return moves
