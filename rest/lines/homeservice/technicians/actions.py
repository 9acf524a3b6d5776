"""Verbs of technicians: become one, set what is taken and how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import dispatch
from dispatch.model import Worker
from rest.lines.homeservice import catalogue
from rest.lines.homeservice.catalogue import Item, ItemNotFound
from rest.lines.homeservice.technicians import store
from rest.lines.homeservice.technicians.model import HoursInvalid, NotActive, Technician
from storage.tx import Tx

DAY_MIN = 1_440


@dataclass(frozen=True, slots=True)
class Me:
    """A technician with his worker."""

    technician: Technician
    worker: Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSettings:
    """Changes to how orders are taken (HS-030); None leaves a setting as it is. Hours are minutes of the local day."""

    takes_pool: bool | None = None
    takes_direct: bool | None = None
    radius_m: int | None = None
    work_from_min: int | None = None
    work_to_min: int | None = None
    rest_dates: frozenset[date] | None = None
    free_travel_m: int | None = None
    auto_accept: bool | None = None


async def add_technician(
    tx: Tx,
    account_id: str,
    *,
    real_name: str,
    display_name: str,
    city: str,
    area_code: str,
    work_min: tuple[int, int] = dispatch.USUAL_HOURS_MIN,
) -> Me:
    """Make an account a technician with the default settings: every open item, offline (HS-022, HS-029).

    `area_code` is where he works: a district, a city (…00), or "" for anywhere.
    """
    items = await catalogue.items_around(tx, area_code)
    worker = await dispatch.create_worker(
        tx,
        account_id=account_id,
        display_name=display_name,
        services=[item.id for item in items],
        area_code=area_code,
        work_min=work_min,
    )
    await store.insert(tx, worker.id, account_id, real_name, city)
    return await me(tx, account_id)


async def worker_id_of(tx: Tx, account_id: str) -> str:
    """The worker this account is. Raises NotActive."""
    worker_id = await store.worker_id_of(tx, account_id)
    if worker_id is None:
        raise NotActive
    return worker_id


async def me(tx: Tx, account_id: str) -> Me:
    """The technician side of this account. Raises NotActive."""
    technician = await store.of_account(tx, account_id)
    if technician is None:
        raise NotActive
    return Me(technician, await dispatch.get_worker(tx, technician.worker_id))


async def change_settings(tx: Tx, account_id: str, changes: OrderSettings) -> Me:
    """Save order settings; they hold for new offers at once (HS-030). Raises NotActive, HoursInvalid, RadiusRange."""
    mine = await me(tx, account_id)
    on_worker: dict[str, Any] = {
        name: value
        for name in ("takes_pool", "takes_direct", "radius_m", "work_from_min", "work_to_min", "rest_dates")
        if (value := getattr(changes, name)) is not None
    }
    hours = (
        on_worker.get("work_from_min", mine.worker.work_from_min),
        on_worker.get("work_to_min", mine.worker.work_to_min),
    )
    if not all(0 <= minute <= DAY_MIN for minute in hours) or hours[0] == hours[1]:
        raise HoursInvalid
    if on_worker:
        await dispatch.update_worker(tx, mine.worker.id, **on_worker)
    free_travel_m, auto_accept = changes.free_travel_m, changes.auto_accept
    await store.save(
        tx,
        mine.worker.id,
        free_travel_m=mine.technician.free_travel_m if free_travel_m is None else free_travel_m,
        auto_accept=mine.technician.auto_accept if auto_accept is None else auto_accept,
    )
    return await me(tx, account_id)


async def my_items(tx: Tx, account_id: str) -> list[tuple[Item, bool]]:
    """Every item of the technician's region, and whether he takes it (HS-027). Raises NotActive."""
    mine = await me(tx, account_id)
    items = await catalogue.items_around(tx, mine.worker.area_code)
    return [(item, item.id in mine.worker.services) for item in items]


async def my_item(tx: Tx, account_id: str, item_id: str) -> tuple[Item, bool]:
    """Raises NotActive, ItemNotFound."""
    for item, enabled in await my_items(tx, account_id):
        if item.id == item_id:
            return item, enabled
    raise ItemNotFound(item_id=item_id)


async def set_item(tx: Tx, account_id: str, item_id: str, *, enabled: bool) -> tuple[Item, bool]:
    """Take an item or stop taking it (HS-028). Raises NotActive, ItemNotFound."""
    item, _ = await my_item(tx, account_id, item_id)
    mine = await me(tx, account_id)
    worker = await dispatch.lock_worker(tx, mine.worker.id)
    services = worker.services | {item_id} if enabled else worker.services - {item_id}
    if services != worker.services:
        await dispatch.update_worker(tx, worker.id, services=services)
    return item, enabled


async def go_online(tx: Tx, account_id: str) -> Me:
    """Become visible to the pool (HS-032). Raises NotActive."""
    mine = await me(tx, account_id)
    return Me(mine.technician, await dispatch.go_online(tx, mine.worker.id))


async def go_offline(tx: Tx, account_id: str) -> Me:
    """Leave the pool; running orders are untouched (HS-032). Raises NotActive."""
    mine = await me(tx, account_id)
    return Me(mine.technician, await dispatch.go_offline(tx, mine.worker.id, reason="asked"))
