"""A small town to try the product in: districts, items with prices, people with fixed phones.

Seeding again changes nothing. `open_region` gives imported areas the same items and prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dispatch
from geo import Point, areas
from rest.desk.support.demo import open_desk
from rest.lines.homeservice import catalogue, technicians
from rest.lines.homeservice.rules import current_rules
from rest.money import wallet
from rest.people import Role, grant_role
from rest.people import store as people
from rest.people.operators import create_accounts
from rest.trade.pricing import DistanceTariff
from storage.base import codec
from storage.base.settings import Settings
from storage.postgres import Database
from storage.tx import Tx

CENTRE = Point(104.05, 30.66)
CITY = "990100"
CITY_NAME = "Demo city"
WALLET_FEN = 500_000
"""What a demo customer can spend: 5,000.00 yuan."""
LOAD_WALLET_FEN = 100_000_000
"""What a customer made for load tests can spend: he must not run dry in an endless run."""
AT_ANY_HOUR = (0, technicians.DAY_MIN)
"""Whoever tries the product, tries it in the middle of somebody's night."""


@dataclass(frozen=True, slots=True)
class DemoItem:
    """An item with its price in every open region."""

    id: str
    zh: str
    en: str
    detail_zh: str
    detail_en: str
    minutes: int
    price_fen: int


ITEMS = (
    DemoItem(
        "itm_00000000000000000000000001",
        "肩颈按摩",
        "Neck and shoulder massage",
        "坐姿放松肩颈",
        "Seated, 45 minutes",
        45,
        16_800,
    ),
    DemoItem(
        "itm_00000000000000000000000002",
        "全身推拿",
        "Full body massage",
        "经典中式推拿",
        "Classic Chinese tuina",
        60,
        26_800,
    ),
    DemoItem(
        "itm_00000000000000000000000003",
        "足底按摩",
        "Foot massage",
        "含热水泡脚",
        "With a warm foot bath",
        60,
        19_800,
    ),
    DemoItem(
        "itm_00000000000000000000000004",
        "日常保洁",
        "Home cleaning",
        "两小时,自带工具",
        "Two hours, tools included",
        120,
        12_000,
    ),
)

# A grid of corners, a little crooked so that districts look like districts; neighbours share their corners.
_LONS = (103.960, 104.020, 104.078, 104.140)
_LATS = (30.600, 30.662, 30.720)
_CROOKED = ((0.0, 0.004), (-0.006, -0.003), (0.005, 0.006), (0.0, -0.004))
_NAMES = ("西南区", "南区", "东南区", "西北区", "北区", "东北区")


def customer_phone(n: int) -> str:
    """The phone of demo customer `n`, from 1."""
    return f"+86138000000{n:02}"


def technician_phone(n: int) -> str:
    """The phone of demo technician `n`, from 1."""
    return f"+86138000001{n:02}"


STAFF: Mapping[str, Role] = {
    "+8613800000201": Role.SUPPORT,
    "+8613800000202": Role.OPS,
    "+8613800000203": Role.FINANCE,
    "+8613800000204": Role.SUPPORT,
}
AGENTS: Mapping[str, str] = {"+8613800000201": "小林", "+8613800000204": "小周"}
"""Who answers customers, under which name."""
CUSTOMERS = 4
TECHNICIANS = 12
_SURNAMES = "李王张刘陈杨赵黄周吴徐孙"


async def seed(tx: Tx) -> bool:
    """Make the demo town where there are no areas yet, and its people; whether anything is new."""
    is_new = not await areas.list_areas(tx)
    if is_new:
        await areas.import_areas(tx, areas.parse_areas(codec.dumps(_districts()), crs="wgs84"))
        await open_region(tx, [])
    for n in range(1, CUSTOMERS + 1):
        await _customer(tx, customer_phone(n))
    for n in range(1, TECHNICIANS + 1):
        await _technician(tx, n)
    staff = {phone: await _account(tx, phone, role) for phone, role in STAFF.items()}
    await open_desk(tx, {staff[phone]: name for phone, name in AGENTS.items()})
    return is_new


async def open_region(tx: Tx, codes: Sequence[str]) -> list[str]:
    """Open stored areas (all for no codes) with the demo items at their prices; the codes opened.

    Raises ValueError for a code no stored area has.
    """
    stored = {area.code for area in await areas.list_areas(tx)}
    wanted = sorted({areas.normalize_code(code) if code.isdigit() else code for code in codes} or stored)
    if missing := [code for code in wanted if code not in stored]:
        raise ValueError(f"import these areas first: {', '.join(missing)}")
    rules = current_rules()
    for item in ITEMS:
        await catalogue.save_item(
            tx,
            item.id,
            name={"zh-CN": item.zh, "en": item.en},
            detail={"zh-CN": item.detail_zh, "en": item.detail_en},
            minutes=item.minutes,
        )
    tariff = DistanceTariff(
        base_m=rules.travel_base_m, base_fen=rules.travel_base_fen, per_km_fen=rules.travel_per_km_fen
    )
    prices = {item.id: item.price_fen for item in ITEMS}
    await catalogue.open_regions(tx, wanted, tariff=tariff, rate_bps=rules.technician_rate_bps, prices=prices)
    return wanted


async def operators_accounts(
    db: Database, settings: Settings, role: str, count: int, *, ttl_s: int
) -> list[dict[str, Any]]:
    """Accounts with tokens for operators and load tests: technicians are workers, users have money to spend."""
    make_workers = _make_technicians if role == Role.TECHNICIAN else None
    rows = await create_accounts(db, settings, role, count, ttl_s=ttl_s, make_workers=make_workers)
    if role == Role.USER:
        for start in range(0, len(rows), 500):
            await db.run(_fill_wallets, [row["account_id"] for row in rows[start : start + 500]])
    return rows


async def _make_technicians(tx: Tx, account_ids: Sequence[str]) -> dict[str, str]:
    made = {}
    for n, account_id in enumerate(account_ids, start=1):
        mine = await _at_any_hour(tx, account_id, real_name="Load test", display_name=f"Technician {n}")
        made[account_id] = mine.worker.id
    return made


async def _fill_wallets(tx: Tx, account_ids: Sequence[str]) -> None:
    for account_id in account_ids:
        await wallet.credit(tx, account_id, LOAD_WALLET_FEN, f"load:{account_id}", "load test")


def _districts() -> dict[str, Any]:
    """Six districts around CENTRE as GeoJSON, WGS-84."""
    features = []
    for row in range(2):
        for column in range(3):
            number = row * 3 + column
            corners = [
                _corner(column, row),
                _corner(column + 1, row),
                _corner(column + 1, row + 1),
                _corner(column, row + 1),
            ]
            properties = {"adcode": 990101 + number, "name": _NAMES[number], "level": "district", "parent": CITY}
            geometry = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def _corner(column: int, row: int) -> list[float]:
    east, north = _CROOKED[(column + row) % len(_CROOKED)]
    return [round(_LONS[column] + east, 6), round(_LATS[row] + north, 6)]


async def _account(tx: Tx, phone: str, role: Role | None = None) -> str:
    account = await people.find_or_add_account(tx, tx.new_id("acc"), phone)
    if role is not None and role not in account.roles:
        await grant_role(tx, account.id, role, by=account.id, reason="demo")
    return account.id


async def _customer(tx: Tx, phone: str) -> None:
    account_id = await _account(tx, phone)
    await wallet.credit(tx, account_id, WALLET_FEN, f"demo:{account_id}", "demo")


async def _technician(tx: Tx, n: int) -> None:
    account_id = await _account(tx, technician_phone(n), Role.TECHNICIAN)
    if await dispatch.worker_of(tx, account_id) is not None:
        return
    name = f"{_SURNAMES[n - 1]}师傅"
    mine = await _at_any_hour(tx, account_id, real_name=name, display_name=name)
    place = Point(CENTRE.lon + 0.012 * ((n % 4) - 1.5), CENTRE.lat + 0.014 * (n // 4 - 1.5))
    await dispatch.save_positions(tx, [(mine.worker.id, place.lon, place.lat, 10.0, None, None, tx.now)])


async def _at_any_hour(tx: Tx, account_id: str, *, real_name: str, display_name: str) -> technicians.Me:
    return await technicians.add_technician(
        tx,
        account_id,
        real_name=real_name,
        display_name=display_name,
        city=CITY_NAME,
        area_code="",
        work_min=AT_ANY_HOUR,
    )
