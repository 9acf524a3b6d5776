"""Pricing: price lines, discounts and distance tariffs. Pure: values in, integer fen out.

Owns      no tables; orders keep the lines of the price they were fixed at (`order_lines`)
Promises  a total is the sum of its lines and never below zero; no discount touches travel or takes more than the items
          cost, and its parts sum to it exactly; which discounts go together is a table
Source    HS-045, HS-046, HS-186, HS-220; spec part 8
"""

from rest.trade.pricing.lines import (
    COUPON,
    ITEM,
    MEMBER,
    TRAVEL,
    VOUCHER,
    CouponStacking,
    Discount,
    PriceChanged,
    check_quote,
    net,
    price_lines,
    quote_hash,
    taken_off,
)
from rest.trade.pricing.model import DistanceTariff, PriceLine, total, travel_fee

__all__ = [
    "COUPON",
    "ITEM",
    "MEMBER",
    "TRAVEL",
    "VOUCHER",
    "CouponStacking",
    "Discount",
    "DistanceTariff",
    "PriceChanged",
    "PriceLine",
    "Split",
    "check_quote",
    "net",
    "price_lines",
    "quote_hash",
    "taken_off",
    "total",
    "travel_fee",
]
