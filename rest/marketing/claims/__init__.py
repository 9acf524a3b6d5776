"""Claims: coupons that people take themselves, and who may.

Tables    none
Calls     coupons (offers, claim), membership (levels_of, hold_levels_of)
Promises  coupons for members are shown to live members only, and taken by them alone: a claim holds its account's
          memberships, and what they are at the instant of its transaction decides; a coupon that has been taken stays
          usable when the membership is over (RV-270)
Source    HS-183, HS-184; RV-310

Coupons do not know membership, which gives coupons; so this stands above both.
"""

from rest.marketing.claims.actions import claim

__all__ = ["claim"]
