"""Pricing: price lines, distance tariffs and splits. Pure: values in, integer fen out.

Owns      no tables; lines snapshot what they quote on their orders
Promises  a total is the sum of its lines; parts of a split sum to the whole exactly
Source    HS-045, HS-046, HS-220; spec part 8
"""

from rest.trade.pricing.model import DistanceTariff, PriceLine, Split, split_service, total, travel_fee

__all__ = ["DistanceTariff", "PriceLine", "Split", "split_service", "total", "travel_fee"]
