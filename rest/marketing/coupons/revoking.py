"""A coupon is taken back: by whoever sold it, or gave it with what was bought. What becomes of the price is his."""

from __future__ import annotations

from rest.marketing.coupons import store
from rest.marketing.coupons.actions import expire_key
from rest.marketing.coupons.facts import CouponRevoked, owner
from rest.marketing.coupons.model import Coupon
from storage.base.errors import NotFound
from storage.postgres import RetryTx
from storage.tx import Tx


async def revoke(tx: Tx, coupon_id: str) -> Coupon:
    """Nobody can use it any more, and it may be given to somebody else (RV-269, RV-308).

    An order that wants it at the same moment gets it or does not: both write its one row. Locks template → coupon.
    Raises NotFound, CouponLocked, CouponUsed, WrongCouponState.
    """
    seen = await store.template_of(tx, coupon_id)
    if seen is None:
        raise NotFound
    await store.return_stock(tx, seen)
    coupon = await store.lock(tx, coupon_id)
    assert coupon is not None  # noqa: S101 - coupons are never deleted
    after = coupon.revoked()
    if not await store.save(tx, coupon, after):
        raise RetryTx
    tx.unschedule(expire_key(coupon_id))
    tx.tell(CouponRevoked(coupon_id=coupon_id, template_id=coupon.template_id), to=[owner(coupon.account_id)])
    return after
