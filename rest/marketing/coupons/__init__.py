"""Coupons: promises to ask somebody for less, made by ops, kept once.

Tables    coupon_templates, coupons, coupon_gifts
States    issued → locked (with its order) → used (at payment); issued → expired; back to issued from locked when the
          order ends unpaid and from used when all that was paid goes back; issued, expired → revoked, when it is given
          back, or the membership it came with (model.TRANSITIONS)
Calls     storage only; routes also people and chat.cases. Who takes one is asked above, in marketing.claims
Tells     coupon.issued, coupon.released, coupon.revoked
Deadlines coupons.expire, one a coupon
Promises  a coupon belongs to one order at a time and an order has one; of several orders that ask one gets it; never
          more are issued than the quota and the limit per person say; what a coupon in somebody's hands promises
          does not change; a coupon takes nothing off travel and never more than the items cost; one for members is
          claimed by members alone (RV-310)
Source    HS-045, HS-047, HS-183 to HS-186, HS-189; RV-308, RV-310

An order that keeps a penalty does not give its coupon back (HS-129): it simply does not ask.
"""

from rest.marketing.coupons.actions import (
    Choice,
    change_template,
    choices,
    claim,
    create_template,
    give,
    give_back,
    give_if_left,
    lock_for_order,
    lock_template,
    look,
    offers,
    read_template,
    use,
)
from rest.marketing.coupons.deadlines import DEADLINES
from rest.marketing.coupons.model import (
    Coupon,
    CouponLocked,
    CouponNotApplicable,
    CouponState,
    CouponUsed,
    Held,
    Members,
    MembersOnly,
    Purchase,
    Template,
    TemplateChanges,
    Terms,
)
from rest.marketing.coupons.revoking import revoke
from rest.marketing.coupons.store import claimed_as_member

__all__ = [
    "DEADLINES",
    "Choice",
    "Coupon",
    "CouponLocked",
    "CouponNotApplicable",
    "CouponState",
    "CouponUsed",
    "Held",
    "Members",
    "MembersOnly",
    "Purchase",
    "Template",
    "TemplateChanges",
    "Terms",
    "change_template",
    "choices",
    "claim",
    "claimed_as_member",
    "create_template",
    "give",
    "give_back",
    "give_if_left",
    "lock_for_order",
    "lock_template",
    "look",
    "offers",
    "read_template",
    "revoke",
    "use",
]
