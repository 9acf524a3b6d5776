"""Points mall: things for points, some with cash on top.

Tables    points_products, points_purchases
States    purchase: created → done → delivered; created → closed; done, delivered → refunded, of coupons
          (model.TRANSITIONS)
Calls     points (hold, use_held, release, give_back), coupons (give, revoke), rewards (rules_in_force), channels,
          payments, wallet
Hears     money.came, money.refused of its own subjects (`pmo_…`)
Tells     purchase.changed to the buyer
Deadlines points_mall.expire, 15 minutes after a purchase was asked for; points_mall.coupon gives a coupon paid in cash
Promises  no points are taken that nobody has agreed to give (RV-305); points, stock and cash go together or not at all
          (RV-307, FR-095): points and one piece are set aside when it is asked for and come back by themselves when its
          cash does not come; stock + held + sold never changes by a sale, and nothing is sold that is not there (I9);
          money that comes too late goes back; a coupon is used or given back, never both, and with it go back its
          points, its cash and the piece (RV-308)
Source    FR-095, FR-096; RV-305 to RV-308, RV-322, 5.15

What is bought without cash is done at once, and a coupon bought so is given in the same transaction.
"""

from rest.marketing.points_mall.actions import change_product, close, create_product, deliver, redeem
from rest.marketing.points_mall.deadlines import DEADLINES
from rest.marketing.points_mall.model import Product, Purchase, PurchaseState
from rest.marketing.points_mall.refunding import give_back
from rest.marketing.points_mall.subscribers import SUBSCRIBERS

__all__ = [
    "DEADLINES",
    "SUBSCRIBERS",
    "Product",
    "Purchase",
    "PurchaseState",
    "change_product",
    "close",
    "create_product",
    "deliver",
    "give_back",
    "redeem",
]
