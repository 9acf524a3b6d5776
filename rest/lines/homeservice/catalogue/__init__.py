"""Catalogue: what can be ordered where, and on which terms.

Tables    items, region_items (prices), region_settings (open, travel tariff, technician's rate)
Promises  an order keeps what it was posted under (HS-048); an unknown or closed region is `region_not_served`
Source    HS-038, HS-042, HS-043, HS-046, HS-048
"""

from rest.lines.homeservice.catalogue.actions import (
    close_region,
    item_in,
    items_around,
    items_in,
    open_regions,
    prices_around,
    save_item,
    withdraw_item,
)
from rest.lines.homeservice.catalogue.model import Item, ItemNotFound, OpenItem, RegionNotServed, RegionTerms

__all__ = [
    "Item",
    "ItemNotFound",
    "OpenItem",
    "RegionNotServed",
    "RegionTerms",
    "close_region",
    "item_in",
    "items_around",
    "items_in",
    "open_regions",
    "prices_around",
    "save_item",
    "withdraw_item",
]
