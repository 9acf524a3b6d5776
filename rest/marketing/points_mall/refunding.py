"""A bought coupon comes back, and its price goes back (RV-308).

Lock order: purchase → product → coupon template → coupon → points purse → payment → ledger accounts → job rows.
"""

from __future__ import annotations

from rest.marketing import coupons
from rest.marketing.points_mall import purchases, store
from rest.marketing.points_mall.actions import REVENUE, coupon_key
from rest.marketing.points_mall.model import Purchase, PurchaseState
from rest.money import channels, points
from storage.base.errors import NotFound
from storage.base.log import log
from storage.tx import Tx


async def give_back(tx: Tx, purchase_id: str, account_id: str) -> Purchase:
    """Within a day and unused: the coupon is revoked, points and cash return the way they came. Again: nothing moves.

    Points return to the lots they were taken from and end when those end; cash returns to the wallet at once and over
    its channel after the commit. The piece is in stock again: the coupon was one of a number, and nobody has used it.
    Raises NotFound, NotRefundable, WrongPurchaseState, RefundWindow, CouponLocked, CouponUsed.
    """
    purchase = await purchases.lock(tx, purchase_id)
    if purchase.account_id != account_id:
        raise NotFound
    if purchase.state is PurchaseState.REFUNDED:
        return purchase
    after = purchase.refunded(tx.now)
    await store.unsell_piece(tx, purchase.product_id)
    if purchase.coupon_id is not None:
        await coupons.revoke(tx, purchase.coupon_id)
    else:
        tx.unschedule(coupon_key(purchase_id))
    if purchase.points:
        await points.give_back(tx, purchase_id, purchase.points, ref=f"{purchase_id}:refund", reason="mall_back")
    if purchase.cash_fen:
        await channels.return_price(tx, purchase_id, purchase.cash_fen, revenue=REVENUE, reason="coupon_given_back")
    await purchases.save(tx, purchase, after)
    log("purchase.refunded", purchase_id=purchase_id)
    return after
