"""Taking a coupon. Lock order: memberships → coupon template → job rows."""

from __future__ import annotations

from rest.marketing import coupons, membership
from rest.marketing.coupons import Held
from storage.tx import Tx


async def claim(tx: Tx, template_id: str, account_id: str) -> Held:
    """Take one for oneself (HS-183, RV-310). A membership that ends meanwhile waits: it ran at `tx.now`, or did not.

    Raises NotFound, CouponNotOpen, CouponSoldOut, CouponLimit, MembersOnly.
    """
    member_of = await membership.hold_levels_of(tx, account_id)
    return await coupons.claim(tx, template_id, account_id, member_of=member_of)
