"""Verbs of membership, by family: `levels` publishes, `buying` sells, `refunding` takes back, `running` is time,
`granting` gives coupons.

Lock order: membership → purchase → coupon template → coupon → payment → ledger accounts → job rows.
"""

from rest.marketing.membership.actions.buying import buy, close, expire_purchase, receive_money, refuse, renew
from rest.marketing.membership.actions.granting import grant
from rest.marketing.membership.actions.levels import publish_level
from rest.marketing.membership.actions.refunding import give_back
from rest.marketing.membership.actions.running import expire, remind

__all__ = [
    "buy",
    "close",
    "expire",
    "expire_purchase",
    "give_back",
    "grant",
    "publish_level",
    "receive_money",
    "refuse",
    "remind",
    "renew",
]
