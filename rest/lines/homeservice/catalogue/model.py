"""What can be ordered, where, and on which terms. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest.marketing.membership import Rights
from rest.trade.pricing import DistanceTariff
from storage.base.errors import Invalid, NotFound


class RegionNotServed(Invalid):
    """We do not serve this place yet."""

    code = "region_not_served"


class ItemNotFound(NotFound):
    """There is no such item in this region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A service product at a region's price. Names and details by language tag; price in fen."""

    id: str
    name: Mapping[str, str]
    detail: Mapping[str, str]
    minutes: int
    price_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionTerms:
    """A region's travel tariff and the technician's rate in basis points."""

    region_code: str
    tariff: DistanceTariff
    technician_rate_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItem:
    """An item that can be ordered now, with the terms of its region: what an order snapshots (HS-048).

    `rights`: what whoever asked has as a member.
    """

    item: Item
    terms: RegionTerms
    refund_policy: Mapping[str, Any]
    rights: Rights | None = None


def area_stem(area_code: str) -> str:
    """The digits every region of this area begins with: 370602 → 370602, 370600 → 3706, 370000 → 37, "" → ""."""
    if area_code.endswith("0000"):
        return area_code[:2]
    return area_code[:4] if area_code.endswith("00") else area_code
