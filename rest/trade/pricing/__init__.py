"""Pricing: price lines and distance tariffs. Pure: values in, integer fen out.

Owns      no tables; lines snapshot what they quote on their orders
Promises  a total is the sum of its lines; who gets what of it is money.settlement's
Source    HS-045, HS-046; spec part 8
"""

from rest.trade.pricing.model import DistanceTariff, PriceLine, total, travel_fee

__all__ = ["DistanceTariff", "PriceLine", "total", "travel_fee"]
