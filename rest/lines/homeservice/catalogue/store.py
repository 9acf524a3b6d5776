"""SQL of the catalogue: `items`, `region_items`, `region_settings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest.lines.homeservice.catalogue.model import Item, OpenItem, RegionTerms
from rest.marketing import membership
from rest.money import refunds
from rest.money.refunds.store import LATEST
from rest.trade.pricing import DistanceTariff
from storage.base import codec
from storage.tx import Tx

_POLICY = LATEST.format(name="'homeservice'")
_MEMBER = membership.MEMBER.format(account="$3", line="'homeservice'", now="$4")


async def is_open(tx: Tx, region_code: str) -> bool:
    return bool(await tx.fetchval("SELECT open FROM region_settings WHERE region_code = $1", region_code))


async def open_items(tx: Tx, region_code: str) -> list[Item]:
    """What can be ordered in the region, cheapest first."""
    found = await tx.fetch(
        """
        SELECT i.id, i.name, i.detail, i.minutes, p.price_fen
          FROM region_items p JOIN items i ON i.id = p.item_id
         WHERE p.region_code = $1 AND p.enabled AND i.state = 'on'
         ORDER BY p.price_fen, i.id
         LIMIT 200
        """,
        region_code,
    )
    return [_item_of(row) for row in found]


async def items_under(tx: Tx, stem: str) -> list[Item]:
    """What can be ordered in any open region whose code begins so, at the lowest price there."""
    found = await tx.fetch(
        """
        SELECT i.id, i.name, i.detail, i.minutes, min(p.price_fen) AS price_fen
          FROM region_items p JOIN items i ON i.id = p.item_id
          JOIN region_settings r ON r.region_code = p.region_code AND r.open
         WHERE starts_with(p.region_code, $1) AND p.enabled AND i.state = 'on'
         GROUP BY i.id ORDER BY min(p.price_fen), i.id
         LIMIT 200
        """,
        stem,
    )
    return [_item_of(row) for row in found]


async def prices_under(tx: Tx, stem: str, item_id: str) -> list[tuple[int, int]]:
    """(price, rate in basis points) of each open region whose code begins so and that has the item."""
    found = await tx.fetch(
        """
        SELECT DISTINCT p.price_fen, r.technician_rate_bps
          FROM region_items p JOIN region_settings r ON r.region_code = p.region_code AND r.open
         WHERE starts_with(p.region_code, $1) AND p.item_id = $2 AND p.enabled
        """,
        stem,
        item_id,
    )
    return [(row["price_fen"], row["technician_rate_bps"]) for row in found]


async def region_item(
    tx: Tx, region_code: str, item_id: str, account_id: str | None
) -> tuple[bool, OpenItem | None]:
    """Whether the region is open, and the item, if it can be ordered there, with all an order snapshots. One trip."""
    row = await tx.fetchrow(
        f"""
        SELECT r.region_code, r.travel_base_m, r.travel_base_fen, r.travel_per_km_fen, r.technician_rate_bps,
               i.id, i.name, i.detail, i.minutes, p.price_fen, ({_POLICY}) AS refund_policy,
               {membership.RIGHTS}
          FROM region_settings r
          LEFT JOIN region_items p ON p.region_code = r.region_code AND p.item_id = $2 AND p.enabled
          LEFT JOIN items i ON i.id = p.item_id AND i.state = 'on'
          {_MEMBER}
         WHERE r.region_code = $1 AND r.open
        """,
        region_code,
        item_id,
        account_id,
        tx.now,
    )
    if row is None:
        return False, None
    if row["id"] is None:
        return True, None
    published = None if row["refund_policy"] is None else codec.loads(row["refund_policy"])
    policy = refunds.sold_under("homeservice", published)
    rights = membership.rights_of(row)
    return True, OpenItem(item=_item_of(row), terms=_terms_of(row), refund_policy=policy, rights=rights)


async def save_item(tx: Tx, item_id: str, name: Mapping[str, str], detail: Mapping[str, str], minutes: int) -> None:
    await tx.execute(
        """
        INSERT INTO items (id, name, detail, minutes, created_at) VALUES ($1, $2::jsonb, $3::jsonb, $4, $5)
        ON CONFLICT (id) DO UPDATE
           SET name = EXCLUDED.name, detail = EXCLUDED.detail, minutes = EXCLUDED.minutes
        """,
        item_id,
        codec.dumps(dict(name)).decode(),
        codec.dumps(dict(detail)).decode(),
        minutes,
        tx.now,
    )


async def save_regions(tx: Tx, region_codes: Sequence[str], tariff: DistanceTariff, rate_bps: int) -> None:
    """Open these regions; terms they already have stay as they are."""
    await tx.execute(
        """
        INSERT INTO region_settings (region_code, open, travel_base_m, travel_base_fen, travel_per_km_fen,
                                     technician_rate_bps)
        SELECT code, true, $2, $3, $4, $5 FROM unnest($1::text[]) AS code
        ON CONFLICT (region_code) DO UPDATE SET open = true
        """,
        list(region_codes),
        tariff.base_m,
        tariff.base_fen,
        tariff.per_km_fen,
        rate_bps,
    )


async def save_prices(tx: Tx, region_codes: Sequence[str], prices: Mapping[str, int]) -> None:
    """Set these items' prices (fen) in all these regions."""
    await tx.execute(
        """
        INSERT INTO region_items (region_code, item_id, price_fen)
        SELECT code, item_id, price_fen
          FROM unnest($1::text[]) AS code, unnest($2::text[], $3::bigint[]) AS price (item_id, price_fen)
        ON CONFLICT (region_code, item_id) DO UPDATE SET price_fen = EXCLUDED.price_fen, enabled = true
        """,
        list(region_codes),
        list(prices),
        list(prices.values()),
    )


async def set_region_open(tx: Tx, region_code: str, is_open: bool) -> None:
    await tx.execute("UPDATE region_settings SET open = $2 WHERE region_code = $1", region_code, is_open)


async def set_item_state(tx: Tx, item_id: str, state: str) -> None:
    await tx.execute("UPDATE items SET state = $2 WHERE id = $1", item_id, state)


def _item_of(row: Any) -> Item:  # noqa: ANN401 - a row
    return Item(
        id=row["id"],
        name=codec.loads(row["name"]),
        detail=codec.loads(row["detail"]),
        minutes=row["minutes"],
        price_fen=row["price_fen"],
    )


def _terms_of(row: Any) -> RegionTerms:  # noqa: ANN401 - a row
    return RegionTerms(
        region_code=row["region_code"],
        tariff=DistanceTariff(
            base_m=row["travel_base_m"], base_fen=row["travel_base_fen"], per_km_fen=row["travel_per_km_fen"]
        ),
        technician_rate_bps=row["technician_rate_bps"],
    )
