"""Who may see or lock an order. There is no way to an order that does not say on whose behalf.

Other people's orders look exactly like orders that do not exist (404).
"""

from __future__ import annotations

from typing import TypeVar

from rest.trade.orders.executor import Job, Line
from storage.base.errors import NotFound
from storage.tx import Tx

J = TypeVar("J", bound=Job)


async def read_for_customer(tx: Tx, line: Line[J], order_id: str, account_id: str) -> J:
    """The customer's own order. Raises NotFound."""
    job = await line.read(tx, order_id)
    if job is None or job.order.customer_id != account_id:
        raise NotFound
    return job


async def read_for_worker(tx: Tx, line: Line[J], order_id: str, worker_id: str) -> J:
    """The order this worker is bound to. Raises NotFound."""
    job = await line.read(tx, order_id)
    if job is None or job.order.provider_id != worker_id:
        raise NotFound
    return job


async def read_for_staff(tx: Tx, line: Line[J], order_id: str) -> J:
    """Any order of the line; the route has checked the staff role. Raises NotFound."""
    job = await line.read(tx, order_id)
    if job is None:
        raise NotFound
    return job


async def lock_for_customer(
    tx: Tx, line: Line[J], order_id: str, account_id: str, *, workers: tuple[str, ...] = ()
) -> J:
    """Lock the customer's own order; its worker and these others first. Raises NotFound."""
    return _found(await line.lock(tx, order_id, account_id, workers))


async def lock_for_worker(tx: Tx, line: Line[J], order_id: str, worker_id: str) -> J:
    """Lock this worker, then the order bound to him. Raises NotFound."""
    job = _found(await line.lock_bound(tx, order_id, worker_id))
    if job.order.provider_id != worker_id:
        raise NotFound
    return job


async def lock_for_system(tx: Tx, line: Line[J], order_id: str, *, workers: tuple[str, ...] = ()) -> J:
    """Lock an order for staff (the route has checked the role) or a deadline. Raises NotFound."""
    return _found(await line.lock(tx, order_id, None, workers))


def _found(job: J | None) -> J:
    if job is None:
        raise NotFound
    return job
