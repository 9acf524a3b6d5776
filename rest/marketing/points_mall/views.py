"""What the points mall looks like over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rest.edge.values import Body, ByLanguage, Id, Line, Money, PageQuery, exactly
from rest.marketing.points_mall.model import Product, Purchase
from rest.money.signing import Digits, SignatureBody

PurchaseStates = Literal["created", "done", "delivered", "closed", "refunded"]
Name = Annotated[str, Meta(min_length=1, max_length=60)]
Price = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Fen = Annotated[int, Meta(ge=0, le=10**12)]
ListPrice = Annotated[int, Meta(ge=1, le=10**12)]
Pieces = Annotated[int, Meta(ge=0, le=10_000_000)]
PerAccount = Annotated[int, Meta(ge=1, le=1_000)]


class ProductNames(ByLanguage, frozen=True, kw_only=True):
    """What it is called, in both languages."""

    zh: Name = msgspec.field(name="zh-CN")
    en: Name


class ProductBody(Body, frozen=True, kw_only=True):
    """Something for points, for cash, or for both. With a `coupon_template` it is a coupon; others are delivered.

    `list_fen`: what it costs elsewhere.
    """

    name: ProductNames
    points: Price
    cash_fen: Fen = 0
    list_fen: ListPrice | None = None
    stock: Pieces
    per_account_max: PerAccount = 1
    coupon_template: Id | None = None
    active: bool = True


class ProductChange(Body, frozen=True, kw_only=True):
    """What shall change; what is left out stays. `stock_added` may be below zero."""

    points: Price | UnsetType = UNSET
    cash_fen: Fen | UnsetType = UNSET
    list_fen: ListPrice | UnsetType | None = UNSET
    per_account_max: PerAccount | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    stock_added: Annotated[int, Meta(ge=-10_000_000, le=10_000_000)] = 0

    def changes(self) -> dict[str, Any]:
        names = [name for name in self.__struct_fields__ if name != "stock_added"]
        return {name: value for name in names if (value := getattr(self, name)) is not UNSET}


class RedeemBody(Body, frozen=True, kw_only=True):
    """`confirm`: yes, take the points; needed where there are some. `method`: how to pay the cash, where there is some.

    `payer`: the payer's id in the channel's application (WeChat's `openid`); without it a code to scan is made.
    """

    confirm: bool = False
    method: Literal["wallet", "wechat", "alipay"] | None = None
    payer: Annotated[str, Meta(pattern=exactly("[A-Za-z0-9_-]{1,64}"))] | None = None
    password: Digits | None = None
    signature: SignatureBody | None = None


class DeliveryBody(Body, frozen=True, kw_only=True):
    """How it was delivered: a parcel's number, or to whom."""

    note: Line


class PurchaseQuery(PageQuery, frozen=True, kw_only=True):
    state: PurchaseStates | None = None


class AdminPurchaseQuery(PageQuery, frozen=True, kw_only=True):
    state: PurchaseStates | None = None
    account_id: Id | None = None


class ProductView(msgspec.Struct, frozen=True, kw_only=True):
    """What I can buy for points or cash now. `list_price` is what it costs elsewhere."""

    id: str
    name: Mapping[str, str]
    points: int
    cash: Money
    list_price: Money | None
    stock: int
    per_account_max: int
    coupon_template: str | None

    @classmethod
    def of(cls, product: Product) -> ProductView:
        return cls(
            id=product.id,
            name=product.name,
            points=product.points,
            cash=Money(product.cash_fen),
            list_price=None if product.list_fen is None else Money(product.list_fen),
            stock=product.stock,
            per_account_max=product.per_account_max,
            coupon_template=product.coupon_template,
        )


class ProductForStaff(ProductView, frozen=True, kw_only=True):
    """A product with its counters. They move without a new version."""

    held: int
    sold: int
    active: bool
    version: int
    changed_by: str
    updated_at: datetime

    @classmethod
    def of(cls, product: Product) -> ProductForStaff:
        shown = ProductView.of(product)
        given = {name: getattr(shown, name) for name in shown.__struct_fields__}
        return cls(
            **given,
            held=product.held,
            sold=product.sold,
            active=product.active,
            version=product.version,
            changed_by=product.changed_by,
            updated_at=product.updated_at,
        )


class PurchaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase: `created` waits for its cash, `done` for its delivery."""

    id: str
    account_id: str
    product_id: str
    points: int
    cash: Money
    list_price: Money | None
    method: str | None
    state: PurchaseStates
    reason: str | None
    note: str | None
    coupon_id: str | None
    version: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    refundable_until: datetime | None
    refunded_at: datetime | None

    @classmethod
    def of(cls, one: Purchase) -> PurchaseView:
        return cls(
            id=one.id,
            account_id=one.account_id,
            product_id=one.product_id,
            points=one.points,
            cash=Money(one.cash_fen),
            list_price=None if one.list_fen is None else Money(one.list_fen),
            method=one.method,
            state=one.state.value,
            reason=one.reason,
            note=one.note,
            coupon_id=one.coupon_id,
            version=one.version,
            created_at=one.created_at,
            expires_at=one.expires_at,
            ended_at=one.ended_at,
            refundable_until=one.refundable_until,
            refunded_at=one.refunded_at,
        )
