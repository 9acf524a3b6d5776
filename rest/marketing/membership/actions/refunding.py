"""A purchase is given back, and the membership is what it was before it (RV-269)."""

from __future__ import annotations

from rest.marketing import coupons
from rest.marketing.coupons import CouponUsed
from rest.marketing.membership import store
from rest.marketing.membership.actions import purchases
from rest.marketing.membership.actions.buying import REVENUE
from rest.marketing.membership.actions.granting import grant_key
from rest.marketing.membership.actions.running import lock_current, restore
from rest.marketing.membership.model import (
    BenefitUsed,
    LaterPurchase,
    MemberPurchase,
    MemberPurchaseState,
    Membership,
)
from rest.money import channels
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


async def give_back(tx: Tx, purchase_id: str, account_id: str) -> MemberPurchase:
    """Within a week and unused: its coupons are revoked, its price returns the way it came. Again: nothing moves.

    Whoever uses it at the same moment has done so before, or finds another membership: both hold its row.
    Raises NotFound, WrongMemberPurchaseState, RefundWindow, LaterPurchase, BenefitUsed, CouponLocked.
    """
    seen = await store.purchase(tx, purchase_id, account_id)
    if seen is None:
        raise NotFound
    membership = await lock_current(tx, account_id, seen.line)
    purchase = await purchases.lock(tx, purchase_id)
    if purchase.state is MemberPurchaseState.REFUNDED:
        return purchase
    after = purchase.refunded(tx.now)
    last_id = await store.last_paid(tx, account_id, purchase.line)
    if last_id != purchase_id:
        raise LaterPurchase(purchase_id=last_id)
    await _check_unused(tx, membership, purchase)
    await _take_coupons(tx, purchase)
    await restore(tx, membership, purchase.former)
    await channels.return_price(tx, purchase_id, purchase.price_fen, revenue=REVENUE, reason="membership_given_back")
    tx.unschedule(grant_key(purchase_id))
    log("membership.refunded", purchase_id=purchase_id)
    return await purchases.save(tx, purchase, after)


async def _check_unused(tx: Tx, membership: Membership, purchase: MemberPurchase) -> None:
    """Raises BenefitUsed where an order was cheaper by what was bought."""
    order_id = await store.used_by(tx, membership.id, since_version=purchase.membership_version or 0)
    if order_id is not None:
        raise BenefitUsed(order_id=order_id)


async def _take_coupons(tx: Tx, purchase: MemberPurchase) -> None:
    """Those it gave, and those that its buyer has taken as a member since. Raises BenefitUsed, CouponLocked."""
    given = [(template, coupon) for template, coupon, _ in await store.coupons_of(tx, purchase.id) if coupon]
    assert purchase.ended_at is not None  # noqa: S101 - it is paid
    claimed = await coupons.claimed_as_member(tx, purchase.account_id, purchase.line, since=purchase.ended_at)
    for _, coupon_id in sorted({*given, *claimed}):  # one order for everybody who locks templates
        try:
            await coupons.revoke(tx, coupon_id)
        except CouponUsed as used:
            raise BenefitUsed(coupon_id=coupon_id) from used
