"""Templates and coupons as values: what a coupon takes off, what it is good for, and its life as a table. Pure.

Source: HS-045, HS-047, HS-183 to HS-186, HS-189; RV-308, RV-310.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from storage.base.errors import Conflict, Denied, Invalid, Malformed
from storage.base.money import share_bps

GIFT_CASE_MAX_FEN = 10_000
"""What support may give in one case, at most: 100 yuan; more is for ops (HS-189)."""


class CouponState(StrEnum):
    """Where a coupon stands."""

    ISSUED = "issued"
    LOCKED = "locked"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"


_ISSUED, _LOCKED, _USED, _EXPIRED, _REVOKED = CouponState

TRANSITIONS: Mapping[tuple[CouponState, str], CouponState] = {
    (_ISSUED, "lock"): _LOCKED,
    (_ISSUED, "expire"): _EXPIRED,
    (_LOCKED, "use"): _USED,
    (_LOCKED, "release"): _ISSUED,
    (_USED, "give_back"): _ISSUED,
    (_ISSUED, "revoke"): _REVOKED,
    (_EXPIRED, "revoke"): _REVOKED,
}
"""(state, verb) → state. What is not listed is refused.

Locked with its order, used at payment. `release` when the order ends unpaid, `give_back` when all that was paid goes
back. An order that keeps a penalty asks for neither: its coupon stays used (HS-129, HS-185). Time takes only a coupon
that no order holds. `revoke`: whoever bought it, or the membership it came with, has his price back (RV-269, RV-308);
its time may be over by then."""

VERBS = tuple(dict.fromkeys(verb for _, verb in TRANSITIONS))


class WrongCouponState(Conflict):
    """This coupon is past that."""

    code = "coupon_state"


class CouponNotApplicable(Invalid):
    """This coupon cannot be used for this order."""

    code = "coupon_not_applicable"


class CouponLocked(Conflict):
    """This coupon is held by another order."""

    code = "coupon_locked"


class CouponUsed(Invalid):
    """This coupon has been used."""

    code = "coupon_used"


class CouponSoldOut(Conflict):
    """All of these coupons have been given out."""

    code = "coupon_sold_out"


class CouponLimit(Conflict):
    """One person gets no more of these coupons."""

    code = "coupon_limit"


class CouponNotOpen(Conflict):
    """These coupons are not given out now."""

    code = "coupon_not_open"


class MembersOnly(Denied):
    """Only members may take these coupons."""

    code = "members_only"


class CouponTermsInvalid(Malformed):
    """The terms of this coupon contradict themselves."""

    code = "coupon_terms_invalid"


class CouponTermsFixed(Conflict):
    """Coupons with these terms are in people's hands; make another template."""

    code = "coupon_terms_fixed"


class CouponQuota(Conflict):
    """More of these coupons have been given out than that."""

    code = "coupon_quota"


class CouponGiftLimit(Invalid):
    """This is more than support may give in one case."""

    code = "coupon_gift_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a coupon takes off, and from what. Units: fen, basis points, days.

    Either an amount or a percentage with a cap. Empty tuples and a `line` of None mean any. Region codes name a
    district, a city (…00) or a province (…0000). Valid in a fixed window or for `valid_days` after issue.
    Raises CouponTermsInvalid.
    """

    line: str | None = None
    amount_fen: int | None = None
    percent_bps: int | None = None
    cap_fen: int | None = None
    threshold_fen: int = 0
    item_ids: tuple[str, ...] = ()
    worker_ids: tuple[str, ...] = ()
    region_codes: tuple[str, ...] = ()
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    valid_days: int | None = None

    def __post_init__(self) -> None:
        if (self.amount_fen is None) == (self.percent_bps is None):
            raise CouponTermsInvalid("Give an amount or a percentage.", field="amount")
        if (self.percent_bps is None) != (self.cap_fen is None):
            raise CouponTermsInvalid("A percentage has a cap, and nothing else has.", field="cap")
        if (self.valid_from is None) != (self.valid_until is None):
            raise CouponTermsInvalid("A window has a beginning and an end.", field="valid_until")
        if (self.valid_from is None) == (self.valid_days is None):
            raise CouponTermsInvalid("Give a window or a number of days.", field="valid_days")
        if self.valid_from is not None and self.valid_until is not None and self.valid_until <= self.valid_from:
            raise CouponTermsInvalid("The window ends before it begins.", field="valid_until")

    @property
    def worth_fen(self) -> int:
        """The most such a coupon can take off."""
        return self.amount_fen or self.cap_fen or 0

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """When a coupon issued now is valid: `[from, until)`."""
        if self.valid_from is not None and self.valid_until is not None:
            return self.valid_from, self.valid_until
        return now, now + timedelta(days=self.valid_days or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Who may take such a coupon: members of this line, of one of these levels; no levels mean any."""

    line: str
    levels: tuple[str, ...] = ()

    def admit(self, member_of: Mapping[str, str]) -> bool:
        """`member_of`: the level that somebody has, by line."""
        level = member_of.get(self.line)
        return level is not None and (not self.levels or level in self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What coupons are made from; names by language tag. `claimable` says that people may take one themselves, and
    `members` which people, if not everybody (RV-310)."""

    id: str
    name: Mapping[str, str]
    terms: Terms
    quota: int
    issued: int
    per_account_max: int
    claimable: bool
    members: Members | None = None
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime

    def is_open(self, now: datetime) -> bool:
        """Whether any of it may be had, as long as there is some."""
        until = self.terms.valid_until
        return self.active and (until is None or until > now)

    def changed(self, now: datetime, changes: TemplateChanges) -> Template:
        """The template after this change. Raises CouponTermsFixed, CouponQuota."""
        given = {name: value for name in CHANGEABLE if (value := getattr(changes, name)) is not None}
        after: Template = replace(self, **given, version=self.version + 1, updated_at=now)
        if (after.terms, after.members) != (self.terms, self.members) and self.issued > 0:
            raise CouponTermsFixed(issued=self.issued)
        if after.quota < self.issued:
            raise CouponQuota(issued=self.issued)
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChanges:
    """What shall change; None stays. Terms and members are replaced whole, and only while nobody has such a coupon."""

    name: Mapping[str, str] | None = None
    terms: Terms | None = None
    quota: int | None = None
    per_account_max: int | None = None
    claimable: bool | None = None
    members: Members | None = None
    active: bool | None = None


CHANGEABLE = ("name", "terms", "quota", "per_account_max", "claimable", "members", "active")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """One person's coupon; `seq` counts what this person got from this template. Valid in `[from, until)`."""

    id: str
    template_id: str
    account_id: str
    seq: int
    state: CouponState
    order_id: str | None
    source: str
    gift_id: str | None
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    locked_at: datetime | None
    used_at: datetime | None
    version: int

    def after(self, verb: str) -> Coupon:
        """The coupon after this verb. Raises WrongCouponState."""
        state = TRANSITIONS.get((self.state, verb))
        if state is None:
            raise WrongCouponState(state=self.state.value)
        return replace(self, state=state, version=self.version + 1)

    def used(self, now: datetime) -> Coupon:
        """Paid with. An order that came in time may pay after the coupon's own end."""
        return replace(self.after("use"), used_at=now)

    def returned(self, now: datetime) -> Coupon:
        """Given back by its order, used or not: to its owner, or to nobody when its time is over."""
        freed = self.after("give_back" if self.state is CouponState.USED else "release")
        freed = replace(freed, order_id=None, locked_at=None, used_at=None)
        return replace(freed.after("expire"), version=freed.version) if now >= self.valid_until else freed

    def revoked(self) -> Coupon:
        """Taken back from whoever has it. Raises CouponLocked, CouponUsed, WrongCouponState."""
        if self.state is CouponState.LOCKED:
            raise CouponLocked
        if self.state is CouponState.USED:
            raise CouponUsed
        return self.after("revoke")

    def expired(self, now: datetime) -> Coupon | None:
        """The coupon after its time; None when it is held, used, gone or not due."""
        return self.after("expire") if self.state is CouponState.ISSUED and now >= self.valid_until else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a coupon shall be used for. `worker_id` None: nobody is chosen yet. `item_fen` is all items' amount."""

    line: str
    item_id: str
    region_code: str
    worker_id: str | None
    item_fen: int


class Reason(StrEnum):
    """Why a coupon cannot be used."""

    UNKNOWN = "unknown"
    LOCKED = "locked"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NOT_YET = "not_yet"
    LINE = "line"
    ITEM = "item"
    REGION = "region"
    TECHNICIAN = "technician"
    THRESHOLD = "threshold"
    NO_DISCOUNT = "no_discount"


def why_not(coupon: Coupon, terms: Terms, purchase: Purchase, now: datetime) -> Reason | None:
    """The first reason why this coupon is no good for this purchase now; None when it is good.

    A coupon of certain technicians is good only where one of them is chosen already: who grabs is not known before.
    """
    if coupon.state is not CouponState.ISSUED:
        return Reason(coupon.state.value)
    if now >= coupon.valid_until:
        return Reason.EXPIRED
    if now < coupon.valid_from:
        return Reason.NOT_YET
    return unfit(terms, purchase)


def unfit(terms: Terms, purchase: Purchase) -> Reason | None:
    """The first of the terms that this purchase does not meet."""
    fits = {
        Reason.LINE: terms.line in {None, purchase.line},
        Reason.ITEM: not terms.item_ids or purchase.item_id in terms.item_ids,
        Reason.REGION: not terms.region_codes or any(_is_in(purchase.region_code, code) for code in terms.region_codes),
        Reason.TECHNICIAN: not terms.worker_ids or purchase.worker_id in terms.worker_ids,
        Reason.THRESHOLD: purchase.item_fen >= terms.threshold_fen,
        Reason.NO_DISCOUNT: discount(terms, purchase.item_fen) > 0,
    }
    return next((reason for reason, fit in fits.items() if not fit), None)


def _is_in(region_code: str, area_code: str) -> bool:
    """Whether a district is one, or lies in a city (…00) or a province (…0000)."""
    stem = area_code[:2] if area_code.endswith("0000") else area_code[:4] if area_code.endswith("00") else area_code
    return region_code.startswith(stem)


def discount(terms: Terms, item_fen: int) -> int:
    """What such a coupon takes off items of this amount: never more than they cost, and never travel (HS-045)."""
    if terms.amount_fen is not None:
        return min(terms.amount_fen, item_fen)
    return min(share_bps(item_fen, terms.percent_bps or 0), terms.cap_fen or 0, item_fen)


@dataclass(frozen=True, slots=True)
class Held:
    """A coupon with the name and terms of its template."""

    coupon: Coupon
    name: Mapping[str, str]
    terms: Terms


@dataclass(frozen=True, slots=True)
class Gift:
    """The record of coupons given by staff; `value_fen` is the most they take off together."""

    id: str
    template_id: str
    by_id: str
    reason: str
    case_id: str | None
    count: int
    value_fen: int
    at: datetime
