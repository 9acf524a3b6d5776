"""What coupons look like over HTTP: requests as they come in, answers as they go out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.values import Amount, Body, ByLanguage, Id, Instant, Money, Note, PageQuery, exactly
from rest.marketing.coupons.model import CouponState, Gift, Held, Members, Template, TemplateChanges, Terms

BusinessLine = Literal["homeservice", "freight", "rv", "ebike", "mall"]
Name = Annotated[str, Meta(min_length=1, max_length=60)]
Level = Annotated[str, Meta(pattern=exactly("[a-z][a-z0-9_]{0,31}"), examples=["gold"])]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=40)]
RegionCode = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)")]
Quota = Annotated[int, Meta(ge=1, le=10_000_000)]
PerAccount = Annotated[int, Meta(ge=1, le=1_000)]
References = Annotated[list[Reference], Meta(max_length=100)]

STATES: Mapping[str, tuple[CouponState, ...]] = {
    "unused": (CouponState.ISSUED, CouponState.LOCKED),
    "used": (CouponState.USED,),
    "expired": (CouponState.EXPIRED,),
}
"""The lists people see (HS-183); a coupon held by an order that is not paid yet is not used."""


class Names(ByLanguage, frozen=True, kw_only=True):
    """What the coupon is called, in both languages."""

    zh: Name = msgspec.field(name="zh-CN")
    en: Name


class TermsBody(Body, frozen=True, kw_only=True):
    """`amount`, or `percent_bps` (taken off, 1500 is 15 %) with its `cap`. Empty lists and no `line` mean any.

    Valid from `valid_from` until `valid_until`, or for `valid_days` after issue. `threshold`: the items cost so much.
    A coupon of certain technicians is good only where one of them is chosen already.
    """

    line: BusinessLine | None = None
    amount: Amount | None = None
    percent_bps: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    cap: Amount | None = None
    threshold: Amount | None = None
    item_ids: References = msgspec.field(default_factory=list)
    worker_ids: References = msgspec.field(default_factory=list)
    region_codes: Annotated[list[RegionCode], Meta(max_length=100)] = msgspec.field(default_factory=list)
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    valid_days: Annotated[int, Meta(ge=1, le=3650)] | None = None

    def terms(self) -> Terms:
        """Raises CouponTermsInvalid."""
        return Terms(
            line=self.line,
            amount_fen=self.amount.amount if self.amount is not None else None,
            percent_bps=self.percent_bps,
            cap_fen=self.cap.amount if self.cap is not None else None,
            threshold_fen=self.threshold.amount if self.threshold is not None else 0,
            item_ids=tuple(self.item_ids),
            worker_ids=tuple(self.worker_ids),
            region_codes=tuple(self.region_codes),
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            valid_days=self.valid_days,
        )


class MembersBody(Body, frozen=True, kw_only=True):
    """Only members of this line may take one themselves: of one of these levels, or of any if there are none."""

    line: BusinessLine
    levels: Annotated[list[Level], Meta(max_length=100)] = msgspec.field(default_factory=list)

    def members(self) -> Members:
        return Members(line=self.line, levels=tuple(dict.fromkeys(self.levels)))


class MembersView(msgspec.Struct, frozen=True, kw_only=True):
    """Members of this line, of one of these levels or of any if there are none."""

    line: str
    levels: list[str]

    @classmethod
    def of(cls, template: Template) -> MembersView | None:
        members = template.members
        return None if members is None else cls(line=members.line, levels=list(members.levels))


class TemplateBody(Body, frozen=True, kw_only=True):
    """A new kind of coupon: how many there are, how many a person gets, whether people may take one themselves.

    `members`: not everybody may. What staff give, they may give to anybody.
    """

    name: Names
    terms: TermsBody
    quota: Quota
    per_account_max: PerAccount = 1
    claimable: bool = False
    members: MembersBody | None = None
    active: bool = True


class TemplateChange(Body, frozen=True, kw_only=True):
    """What shall change; what is left out stays. Terms and members only while nobody has such a coupon."""

    name: Names | None = None
    terms: TermsBody | None = None
    quota: Quota | None = None
    per_account_max: PerAccount | None = None
    claimable: bool | None = None
    members: MembersBody | None = None
    active: bool | None = None

    def changes(self) -> TemplateChanges:
        """Raises CouponTermsInvalid."""
        return TemplateChanges(
            name=self.name.by_tag() if self.name is not None else None,
            terms=self.terms.terms() if self.terms is not None else None,
            quota=self.quota,
            per_account_max=self.per_account_max,
            claimable=self.claimable,
            members=self.members.members() if self.members is not None else None,
            active=self.active,
        )


class GiftBody(Body, frozen=True, kw_only=True):
    """Whom to give one each, and why. Support gives in a case."""

    account_ids: Annotated[list[Id], Meta(min_length=1, max_length=100)]
    reason: Note
    case_id: Id | None = None


class TemplateQuery(PageQuery, frozen=True, kw_only=True):
    active: bool | None = None


class GiftQuery(PageQuery, frozen=True, kw_only=True):
    template_id: Id | None = None


class CouponQuery(PageQuery, frozen=True, kw_only=True):
    """`unused` has those that are held by an unpaid order too."""

    state: Literal["unused", "used", "expired"] = "unused"


class TermsView(msgspec.Struct, frozen=True, kw_only=True):
    """What such a coupon takes off, and from what."""

    line: str | None
    amount: Money | None
    percent_bps: int | None
    cap: Money | None
    threshold: Money
    item_ids: list[str]
    worker_ids: list[str]
    region_codes: list[str]
    valid_from: datetime | None
    valid_until: datetime | None
    valid_days: int | None

    @classmethod
    def of(cls, terms: Terms) -> TermsView:
        return cls(
            line=terms.line,
            amount=Money(terms.amount_fen) if terms.amount_fen is not None else None,
            percent_bps=terms.percent_bps,
            cap=Money(terms.cap_fen) if terms.cap_fen is not None else None,
            threshold=Money(terms.threshold_fen),
            item_ids=list(terms.item_ids),
            worker_ids=list(terms.worker_ids),
            region_codes=list(terms.region_codes),
            valid_from=terms.valid_from,
            valid_until=terms.valid_until,
            valid_days=terms.valid_days,
        )


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of coupon as staff see it. How many are out is counted apart: it moves without a new version."""

    id: str
    name: Mapping[str, str]
    terms: TermsView
    quota: int
    per_account_max: int
    claimable: bool
    members: MembersView | None
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, template: Template) -> TemplateView:
        return cls(
            id=template.id,
            name=template.name,
            terms=TermsView.of(template.terms),
            quota=template.quota,
            per_account_max=template.per_account_max,
            claimable=template.claimable,
            members=MembersView.of(template),
            active=template.active,
            version=template.version,
            created_at=template.created_at,
            updated_at=template.updated_at,
        )


class CountsView(msgspec.Struct, frozen=True, kw_only=True):
    """How many coupons of a template are in each state; `left` can still be given out."""

    left: int
    issued: int
    locked: int
    used: int
    expired: int
    revoked: int


class OfferView(msgspec.Struct, frozen=True, kw_only=True):
    """Coupons I may take now; `members`: because I am one."""

    id: str
    name: Mapping[str, str]
    terms: TermsView
    per_account_max: int
    members: MembersView | None

    @classmethod
    def of(cls, template: Template) -> OfferView:
        return cls(
            id=template.id,
            name=template.name,
            terms=TermsView.of(template.terms),
            per_account_max=template.per_account_max,
            members=MembersView.of(template),
        )


class CouponView(msgspec.Struct, frozen=True, kw_only=True):
    """An own coupon, valid from `valid_from` until just before `valid_until`; `order_id` is the order that holds it."""

    id: str
    template_id: str
    name: Mapping[str, str]
    terms: TermsView
    state: Literal["issued", "locked", "used", "expired", "revoked"]
    order_id: str | None
    source: Literal["claim", "gift"]
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    used_at: datetime | None
    version: int

    @classmethod
    def of(cls, held: Held) -> CouponView:
        coupon = held.coupon
        return cls(
            id=coupon.id,
            template_id=coupon.template_id,
            name=held.name,
            terms=TermsView.of(held.terms),
            state=coupon.state.value,
            order_id=coupon.order_id,
            source="gift" if coupon.source == "gift" else "claim",
            valid_from=coupon.valid_from,
            valid_until=coupon.valid_until,
            issued_at=coupon.issued_at,
            used_at=coupon.used_at,
            version=coupon.version,
        )


class GiftView(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a gift: who gave how many, why, and the most they take off together."""

    id: str
    template_id: str
    by: str
    reason: str
    case_id: str | None
    count: int
    value: Money
    at: datetime

    @classmethod
    def of(cls, gift: Gift) -> GiftView:
        return cls(
            id=gift.id,
            template_id=gift.template_id,
            by=gift.by_id,
            reason=gift.reason,
            case_id=gift.case_id,
            count=gift.count,
            value=Money(gift.value_fen),
            at=gift.at,
        )
