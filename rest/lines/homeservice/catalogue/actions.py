"""Verbs of the catalogue: read what a place offers, open regions, set prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rest.lines.homeservice.catalogue import store
from rest.lines.homeservice.catalogue.model import Item, ItemNotFound, OpenItem, RegionNotServed, area_stem
from rest.trade.pricing import DistanceTariff
from storage.tx import Tx


async def items_in(tx: Tx, region_code: str) -> list[Item]:
    """Items open in the region, cheapest first (HS-043). Raises RegionNotServed."""
    if not await store.is_open(tx, region_code):
        raise RegionNotServed(region_code=region_code)
    return await store.open_items(tx, region_code)


async def items_around(tx: Tx, area_code: str) -> list[Item]:
    """Items open anywhere in an area: a district, a city (…00), a province (…0000) or, for "", everywhere.

    The price is the lowest of the area's regions.
    """
    return await store.items_under(tx, area_stem(area_code))


async def prices_around(tx: Tx, area_code: str, item_id: str) -> list[tuple[int, int]]:
    """Price and technician's rate of the item in each open region of an area."""
    return await store.prices_under(tx, area_stem(area_code), item_id)


async def item_in(tx: Tx, region_code: str, item_id: str, *, account_id: str | None = None) -> OpenItem:
    """One item with the region's price and terms, and the rights of this account as a member.

    Raises RegionNotServed, ItemNotFound (HS-072).
    """
    is_open, found = await store.region_item(tx, region_code, item_id, account_id)
    if not is_open:
        raise RegionNotServed(region_code=region_code)
    if found is None:
        raise ItemNotFound(item_id=item_id)
    return found


async def save_item(tx: Tx, item_id: str, *, name: Mapping[str, str], detail: Mapping[str, str], minutes: int) -> None:
    """Add an item or change it; orders keep what they snapshotted (HS-048)."""
    await store.save_item(tx, item_id, name, detail, minutes)


async def open_regions(
    tx: Tx, region_codes: Sequence[str], *, tariff: DistanceTariff, rate_bps: int, prices: Mapping[str, int]
) -> None:
    """Open districts and set item prices (fen by item id) there."""
    await store.save_regions(tx, region_codes, tariff, rate_bps)
    await store.save_prices(tx, region_codes, prices)


async def close_region(tx: Tx, region_code: str) -> None:
    """Take no new orders there; running ones go on."""
    await store.set_region_open(tx, region_code, False)


async def withdraw_item(tx: Tx, item_id: str) -> None:
    """Take an item off every region's list; running orders keep their snapshot."""
    await store.set_item_state(tx, item_id, "off")
