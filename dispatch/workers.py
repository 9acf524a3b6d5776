"""Verbs of workers: create, settings, online and offline."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from dispatch import telling
from dispatch.facts import WorkerChanged
from dispatch.model import Worker, WorkerNotFound
from dispatch.store import calls as call_store
from dispatch.store import workers as store
from storage.base.errors import Conflict, Invalid
from storage.tx import Tx

RADIUS_M = range(1_000, 100_001)
"""HS-030: 1–100 km."""

SERVICES_MAX = 500

USUAL_HOURS_MIN = (540, 1_380)
"""HS-031: 09:00–23:00, in minutes of the local day."""


class NotActive(Conflict):
    """This worker is suspended."""

    code = "not_active"
    status = 403


class RadiusRange(Invalid):
    """The radius must be 1 to 100 km."""

    code = "radius_range"


async def create_worker(
    tx: Tx,
    *,
    account_id: str,
    display_name: str,
    services: Iterable[str],
    area_code: str = "",
    radius_m: int = 20_000,
    work_min: tuple[int, int] = USUAL_HOURS_MIN,
) -> Worker:
    """Make the worker of an account: offline, taking both modes (HS-031). `work_min`: from and to, of the local day."""
    return await store.insert(
        tx, worker_id=tx.new_id("wrk"), account_id=account_id, display_name=display_name,
        services=sorted(services), area_code=area_code, radius_m=_radius(radius_m), work_min=work_min,
    )  # fmt: skip


async def worker_of(tx: Tx, account_id: str) -> Worker | None:
    """The worker of an account, if it has one."""
    return await store.of_account(tx, account_id)


async def accounts_of(tx: Tx, worker_ids: Collection[str]) -> dict[str, str]:
    """Whose accounts these workers are."""
    return await store.accounts_of(tx, list(worker_ids)) if worker_ids else {}


async def workers_of(tx: Tx, account_ids: Collection[str]) -> dict[str, str]:
    """The workers among these accounts, by account."""
    return await store.of_accounts(tx, list(account_ids)) if account_ids else {}


async def get_worker(tx: Tx, worker_id: str) -> Worker:
    worker = await store.read(tx, worker_id)
    if worker is None:
        raise WorkerNotFound
    return worker


async def lock_worker(tx: Tx, worker_id: str) -> Worker:
    """Take the worker's row lock; the first lock of every verb that touches a worker."""
    worker = await store.lock(tx, worker_id)
    if worker is None:
        raise WorkerNotFound
    return worker


async def update_worker(tx: Tx, worker_id: str, **changes: Any) -> Worker:  # noqa: ANN401 - fields of Worker
    """Change settings; they hold for new offers at once (HS-030). Keys are fields of `Worker`."""
    worker = await lock_worker(tx, worker_id)
    if "radius_m" in changes:
        _radius(changes["radius_m"])
    if "services" in changes:
        changes["services"] = frozenset(changes["services"])
        if len(changes["services"]) > SERVICES_MAX:
            raise Invalid(f"at most {SERVICES_MAX} services")
    changed = dataclasses.replace(worker, **changes, version=worker.version + 1)
    await store.save(tx, changed)
    await tell_changed(tx, changed.id)
    return changed


async def go_online(tx: Tx, worker_id: str) -> Worker:
    """Become visible to the pool. Raises NotActive for a suspended worker (HS-032)."""
    worker = await lock_worker(tx, worker_id)
    if worker.status != "active":
        raise NotActive
    return worker if worker.online else await _set_online(tx, worker, online=True)


async def go_offline(tx: Tx, worker_id: str, *, reason: str = "asked") -> Worker:
    """Leave the pool: open offers and waiting grabs end; what is locked or won stays (HS-032, part 5.4)."""
    worker = await lock_worker(tx, worker_id)
    if not worker.online:
        return worker
    gone = await call_store.close_grabs(tx, state="void", was=("offered",), worker_id=worker.id)
    await telling.end_grabs(tx, gone, state="void", reason="worker_offline")
    offers = await call_store.close_offers(tx, state="withdrawn", worker_id=worker.id)
    telling.offers_closed(tx, offers, reason=f"worker_offline:{reason}")
    return await _set_online(tx, worker, online=False)


async def _set_online(tx: Tx, worker: Worker, *, online: bool) -> Worker:
    changed = dataclasses.replace(worker, online=online, version=worker.version + 1)
    await store.save(tx, changed)
    await tell_changed(tx, changed.id)
    return changed


async def tell_changed(tx: Tx, worker_id: str) -> None:
    """Tell operations and the dispatcher's index that this worker is to be read again."""
    online, state = await store.doing(tx, worker_id)
    tx.tell(WorkerChanged(worker_id=worker_id, online=online, state=state), to=["ops"])


async def save_positions(
    tx: Tx, fixes: Sequence[tuple[str, float, float, float | None, float | None, float | None, Any]]
) -> None:
    """Write last positions in one statement: (worker_id, lon, lat, accuracy_m, heading_deg, speed_mps, at)."""
    if fixes:
        await store.save_positions(tx, fixes)


def _radius(radius_m: int) -> int:
    if radius_m not in RADIUS_M:
        raise RadiusRange
    return radius_m
