"""Membership: levels that are bought for months, and what they take off and give.

Tables    member_levels, memberships, member_purchases, member_coupons, member_uses
States    membership: none | expired → active → expired, and from active back to what it was before a purchase
          (model.TRANSITIONS); purchase: created → paid → done, created → closed, paid | done → refunded
          (model.PURCHASE_TRANSITIONS)
Calls     channels, payments, wallet, ledger (money), coupons (give_if_left, claimed_as_member, revoke)
Hears     money.came, money.refused of its own subjects (`mem_…`)
Tells     membership.changed, membership.ending, membership.purchase_changed to the member
Deadlines membership.expire at the end, membership.remind 7 days before it; membership.expire_purchase 15 minutes after
          a purchase was asked for; membership.grant gives a paid purchase's coupons
Promises  what is paid for is given at the version it was bought at, whatever ops publish meanwhile; months are calendar
          months of the business zone and add up; nothing that was paid is lost by an upgrade; one purchase of a line
          waits for money at a time, and money that comes for none goes back; a coupon that cannot be given is written
          down and holds nothing else up; the last purchase is used or given back, never both (RV-269): with its price
          go its coupons and its time, and there is what there was before it
Source    HS-188, 5.8; RV-269

A programme belongs to a line (`line`): what a level takes off, and from what, is the line's to compute (`rights`).
"""

from rest.marketing.membership.actions import (
    buy,
    close,
    expire,
    give_back,
    publish_level,
    receive_money,
    renew,
)
from rest.marketing.membership.deadlines import DEADLINES
from rest.marketing.membership.model import MemberPurchase, MemberPurchaseState, Membership, MembershipState
from rest.marketing.membership.runs import Level, Rights
from rest.marketing.membership.store import MEMBER, RIGHTS, hold_levels_of, levels_of, rights, rights_of, use
from rest.marketing.membership.subscribers import SUBSCRIBERS

__all__ = [
    "DEADLINES",
    "MEMBER",
    "RIGHTS",
    "SUBSCRIBERS",
    "Level",
    "MemberPurchase",
    "MemberPurchaseState",
    "Membership",
    "MembershipState",
    "Rights",
    "buy",
    "close",
    "expire",
    "give_back",
    "hold_levels_of",
    "levels_of",
    "publish_level",
    "receive_money",
    "renew",
    "rights",
    "rights_of",
    "use",
]
