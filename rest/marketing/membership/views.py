"""What membership looks like over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rest.edge.values import Body, ByLanguage, Id, Money, PageQuery, Version, exactly
from rest.marketing.membership.model import MemberPurchase, Membership
from rest.marketing.membership.runs import Level
from rest.money.signing import Digits, SignatureBody

MemberLine = Literal["homeservice", "freight", "rv", "ebike", "mall"]
MembershipStates = Literal["active", "expired"]
MemberPurchaseStates = Literal["created", "paid", "done", "closed", "refunded"]
LevelCode = Annotated[str, Meta(pattern=exactly("[a-z][a-z0-9_]{0,31}"), examples=["gold"])]
Name = Annotated[str, Meta(min_length=1, max_length=60)]


class LevelNames(ByLanguage, frozen=True, kw_only=True):
    """What it is called, in both languages."""

    zh: Name = msgspec.field(name="zh-CN")
    en: Name


class LevelBody(Body, frozen=True, kw_only=True):
    """What a level is from now on. `discount_bps` off the price of items, 500 is 5 %; a coupon of each template comes
    with each purchase. A level keeps its line and its rank; one that is not on sale is not sold, and runs on."""

    code: LevelCode
    line: MemberLine
    name: LevelNames
    rank: Annotated[int, Meta(ge=1, le=100)]
    price_fen: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    months: Annotated[int, Meta(ge=1, le=36)]
    discount_bps: Annotated[int, Meta(ge=0, le=9_000)] = 0
    coupon_templates: Annotated[list[Id], Meta(max_length=20)] = msgspec.field(default_factory=list)
    on_sale: bool = True


class MemberRenewal(Body, frozen=True, kw_only=True):
    """`version`: of the level, as it was shown; it says the price, the months and what they give.

    `payer`: the payer's id in the channel's application (WeChat's `openid`); without it a code to scan is made.
    """

    version: Version
    method: Literal["wallet", "wechat", "alipay"]
    payer: Annotated[str, Meta(pattern=exactly("[A-Za-z0-9_-]{1,64}"))] | None = None
    password: Digits | None = None
    signature: SignatureBody | None = None


class LevelQuery(PageQuery, frozen=True, kw_only=True):
    """Of which line."""

    line: MemberLine = "homeservice"


class LevelVersionQuery(PageQuery, frozen=True, kw_only=True):
    line: MemberLine | None = None


class LevelMemberQuery(PageQuery, frozen=True, kw_only=True):
    line: MemberLine | None = None
    state: MembershipStates | None = None
    level: LevelCode | None = None


class MemberPurchaseQuery(PageQuery, frozen=True, kw_only=True):
    state: MemberPurchaseStates | None = None


class AdminMemberPurchaseQuery(PageQuery, frozen=True, kw_only=True):
    state: MemberPurchaseStates | None = None
    account_id: Id | None = None


class LevelView(msgspec.Struct, frozen=True, kw_only=True):
    """A level as it is sold now."""

    code: str
    version: int
    line: str
    name: Mapping[str, str]
    rank: int
    price: Money
    months: int
    discount_bps: int
    coupon_templates: list[str]

    @classmethod
    def of(cls, level: Level) -> LevelView:
        return cls(
            code=level.code,
            version=level.version,
            line=level.line,
            name=level.name,
            rank=level.rank,
            price=Money(level.price_fen),
            months=level.months,
            discount_bps=level.discount_bps,
            coupon_templates=list(level.coupon_templates),
        )


class LevelForStaff(LevelView, frozen=True, kw_only=True):
    """One version of a level, and who published it."""

    on_sale: bool
    changed_by: str
    created_at: datetime

    @classmethod
    def of(cls, level: Level) -> LevelForStaff:
        shown = LevelView.of(level)
        given = {name: getattr(shown, name) for name in shown.__struct_fields__}
        return cls(**given, on_sale=level.on_sale, changed_by=level.changed_by, created_at=level.created_at)


class MembershipView(msgspec.Struct, frozen=True, kw_only=True):
    """A membership of mine: it runs until just before `ends_at`, or did."""

    id: str
    line: str
    state: MembershipStates
    level: str
    level_version: int
    discount_bps: int
    since: datetime
    ends_at: datetime
    version: int

    @classmethod
    def of(cls, one: Membership) -> MembershipView:
        run = one.run
        assert run is not None  # noqa: S101 - those that never ran are not listed
        return cls(
            id=one.id,
            line=one.line,
            state="active" if one.state.value == "active" else "expired",
            level=run.level,
            level_version=run.level_version,
            discount_bps=run.discount_bps,
            since=run.since,
            ends_at=run.ends_at,
            version=one.version,
        )


class Memberships(msgspec.Struct, frozen=True, kw_only=True):
    """Mine, one a line."""

    data: list[MembershipView]


class LevelMemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A member, as staff see him."""

    account_id: str
    membership: MembershipView

    @classmethod
    def of(cls, one: Membership) -> LevelMemberView:
        return cls(account_id=one.account_id, membership=MembershipView.of(one))


class MemberCouponView(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that came with a purchase; `skipped` is the code of why there is none."""

    template_id: str
    coupon_id: str | None
    skipped: str | None


class MemberPurchaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase: `created` waits for its money, `paid` for its coupons. `starts_at`, `ends_at`: the time it gave.
    The last one may be given back until just before `refundable_until`."""

    id: str
    account_id: str
    line: str
    level: str
    level_version: int
    kind: Literal["buy", "renew", "upgrade"]
    price: Money
    method: str
    state: MemberPurchaseStates
    reason: str | None
    carried: Money
    starts_at: datetime | None
    ends_at: datetime | None
    version: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    refundable_until: datetime | None
    refunded_at: datetime | None

    @classmethod
    def of(cls, one: MemberPurchase) -> MemberPurchaseView:
        return cls(
            id=one.id,
            account_id=one.account_id,
            line=one.line,
            level=one.level,
            level_version=one.level_version,
            kind=one.kind,  # type: ignore[arg-type]  # its column has a check
            price=Money(one.price_fen),
            method=one.method,
            state=one.state.value,
            reason=one.reason,
            carried=Money(one.carried_fen),
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            version=one.version,
            created_at=one.created_at,
            expires_at=one.expires_at,
            ended_at=one.ended_at,
            refundable_until=one.refundable_until,
            refunded_at=one.refunded_at,
        )


class MemberCoupons(msgspec.Struct, frozen=True, kw_only=True):
    """What came with a purchase; empty until it is `done`."""

    data: list[MemberCouponView]

    @classmethod
    def of(cls, found: Sequence[tuple[str, str | None, str | None]]) -> MemberCoupons:
        return cls(data=[MemberCouponView(template_id=one, coupon_id=had, skipped=why) for one, had, why in found])
