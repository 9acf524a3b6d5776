"""What top-ups look like over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rest.edge.values import Amount, Body, ByLanguage, Id, Instant, Money, PageQuery, Query, exactly
from rest.money.topups.model import Offer, Tier, Topup

OfferedKind = Literal["platform", "recharge", "technician"]
AnyKind = Literal["platform", "recharge", "technician", "worker"]
State = Literal["created", "paid", "closed"]
Place = Annotated[int, Meta(ge=0, le=10_000)]
Points = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Payer = Annotated[str, Meta(pattern=exactly("[A-Za-z0-9_-]{1,64}"))]
TierIds = Annotated[list[Id], Meta(max_length=100)]
PerAccount = Annotated[int, Meta(ge=1, le=1_000)]
Name = Annotated[str, Meta(min_length=1, max_length=60)]


class TopupBody(Body, frozen=True, kw_only=True):
    """A tier or an amount, and by which channel. `technician` says for whose orders (HS-176).

    `payer`: the payer's id in the channel's application (WeChat's `openid`); without it a code to scan is made.
    """

    kind: OfferedKind
    method: Literal["wechat", "alipay"]
    tier_id: Id | None = None
    amount: Amount | None = None
    worker_id: Id | None = None
    offer_id: Id | None = None
    payer: Payer | None = None


class OwnTopupBody(Body, frozen=True, kw_only=True):
    """A technician's own (HS-179)."""

    method: Literal["wechat", "alipay"]
    amount: Amount
    payer: Payer | None = None


class TopupTierBody(Body, frozen=True, kw_only=True):
    kind: OfferedKind
    amount: Amount
    place: Place = 0
    active: bool = True


class TopupTierChange(Body, frozen=True, kw_only=True):
    """What shall change; another amount is another tier."""

    place: Place | None = None
    active: bool | None = None


class TopupOfferNames(ByLanguage, frozen=True, kw_only=True):
    """What the offer is called, in both languages."""

    zh: Name = msgspec.field(name="zh-CN")
    en: Name


class TopupOfferBody(Body, frozen=True, kw_only=True):
    """What is given for topping up, from `valid_from` until just before `valid_until`. No `tier_ids`: every tier."""

    name: TopupOfferNames
    kind: OfferedKind
    tier_ids: TierIds = msgspec.field(default_factory=list)
    bonus: Amount | None = None
    bonus_points: Points = 0
    bonus_coupon: Id | None = None
    first_time_only: bool = False
    valid_from: Instant
    valid_until: Instant
    per_account_max: PerAccount = 1
    place: Place = 0
    active: bool = True


class TopupOfferChange(Body, frozen=True, kw_only=True):
    """What shall change; what is left out stays."""

    tier_ids: TierIds | UnsetType = UNSET
    first_time_only: bool | UnsetType = UNSET
    valid_from: Instant | UnsetType = UNSET
    valid_until: Instant | UnsetType = UNSET
    per_account_max: PerAccount | UnsetType = UNSET
    place: Place | UnsetType = UNSET
    active: bool | UnsetType = UNSET

    def changes(self) -> dict[str, Any]:
        given = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET}
        return given | ({"tier_ids": tuple(given["tier_ids"])} if "tier_ids" in given else {})


class TopupOffersQuery(Query, frozen=True, kw_only=True):
    kind: OfferedKind = "platform"


class TopupQuery(PageQuery, frozen=True, kw_only=True):
    state: State | None = None


class AdminTopupQuery(PageQuery, frozen=True, kw_only=True):
    state: State | None = None
    kind: AnyKind | None = None
    account_id: Id | None = None


class TopupGiftView(msgspec.Struct, frozen=True, kw_only=True):
    """What is given for a top-up."""

    offer_id: str
    name: Mapping[str, str]
    bonus: Money
    points: int
    coupon: str | None
    valid_until: datetime

    @classmethod
    def of(cls, offer: Offer) -> TopupGiftView:
        return cls(
            offer_id=offer.id,
            name=offer.name,
            bonus=Money(offer.bonus_fen),
            points=offer.bonus_points,
            coupon=offer.bonus_coupon,
            valid_until=offer.valid_until,
        )


class TopupTierOffer(msgspec.Struct, frozen=True, kw_only=True):
    """An amount to top up, and what I am given for it now."""

    tier_id: str
    amount: Money
    offer: TopupGiftView | None


class TopupOffersView(msgspec.Struct, frozen=True, kw_only=True):
    """The tiers of a kind in their order, at most 100; `minimum` and `maximum` of amounts typed by hand, if any."""

    kind: str
    minimum: Money | None
    maximum: Money | None
    tiers: list[TopupTierOffer]


class TopupView(msgspec.Struct, frozen=True, kw_only=True):
    """A top-up: `bonus`, `bonus_points` and `bonus_coupon` come with the money."""

    id: str
    account_id: str
    kind: AnyKind
    worker_id: str | None
    amount: Money
    tier_id: str | None
    offer_id: str | None
    bonus: Money
    bonus_points: int
    bonus_coupon: str | None
    method: str
    state: State
    reason: str | None
    version: int
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None

    @classmethod
    def of(cls, one: Topup) -> TopupView:
        return cls(
            id=one.id,
            account_id=one.account_id,
            kind=one.kind.value,
            worker_id=one.worker_id,
            amount=Money(one.amount_fen),
            tier_id=one.tier_id,
            offer_id=one.offer_id,
            bonus=Money(one.bonus_fen),
            bonus_points=one.bonus_points,
            bonus_coupon=one.bonus_coupon,
            method=one.method,
            state=one.state.value,
            reason=one.reason,
            version=one.version,
            created_at=one.created_at,
            expires_at=one.expires_at,
            paid_at=one.paid_at,
        )


class TopupTierView(msgspec.Struct, frozen=True, kw_only=True):
    """A tier as staff see it, and who changed it last."""

    id: str
    kind: str
    amount: Money
    place: int
    active: bool
    version: int
    changed_by: str
    updated_at: datetime

    @classmethod
    def of(cls, tier: Tier) -> TopupTierView:
        return cls(
            id=tier.id,
            kind=tier.kind.value,
            amount=Money(tier.amount_fen),
            place=tier.place,
            active=tier.active,
            version=tier.version,
            changed_by=tier.changed_by,
            updated_at=tier.updated_at,
        )


class TopupOfferView(msgspec.Struct, frozen=True, kw_only=True):
    """An offer as staff see it, and who changed it last."""

    id: str
    name: Mapping[str, str]
    kind: str
    tier_ids: list[str]
    bonus: Money
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
    updated_at: datetime

    @classmethod
    def of(cls, offer: Offer) -> TopupOfferView:
        return cls(
            id=offer.id,
            name=offer.name,
            kind=offer.kind.value,
            tier_ids=list(offer.tier_ids),
            bonus=Money(offer.bonus_fen),
            bonus_points=offer.bonus_points,
            bonus_coupon=offer.bonus_coupon,
            first_time_only=offer.first_time_only,
            valid_from=offer.valid_from,
            valid_until=offer.valid_until,
            per_account_max=offer.per_account_max,
            place=offer.place,
            active=offer.active,
            version=offer.version,
            changed_by=offer.changed_by,
            updated_at=offer.updated_at,
        )
