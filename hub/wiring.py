"""Fills the hub's ports from rest, dispatch and geo: the only file of the edge that knows the business lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import dispatch
from dispatch.store import workers as worker_store
from geo.point import Point
from hub.bus import Moved
from hub.ports import HistorySink, OrderView, Ports, PositionSink, SocketGate
from rest.app import CASE_SIDES
from rest.desk.cases.verbs import case_verbs
from rest.desk.conversations import verbs as talk
from rest.desk.support import verbs as support
from rest.lines.homeservice import tracking
from rest.lines.homeservice.verbs import VERBS
from storage.postgres import Database

WORKERS_MAX = 100_000
"""Accounts whose worker is remembered, about 20 MB; a crowd that comes back does not ask PostgreSQL again."""


def hub_ports(
    db: Database,
    gate: SocketGate,
    *,
    sinks: Sequence[PositionSink],
    history: HistorySink,
    area_of: Callable[[Point], str | None],
) -> Ports:
    """The hub's way down. `sinks` is kept as it is given: a worker built later adds itself to it."""
    worker_of: dict[str, str] = {}

    async def worker_id_of(account_id: str) -> str | None:
        if account_id in worker_of:  # an account keeps its worker for good
            return worker_of[account_id]
        async with db.look() as tx:
            worker = await dispatch.worker_of(tx, account_id)
        if worker is None:
            return None
        if len(worker_of) >= WORKERS_MAX:
            worker_of.clear()
        return worker_of.setdefault(account_id, worker.id)

    async def view_order(order_id: str) -> OrderView:
        trip = await tracking.view_trip(db, order_id)
        return OrderView(
            order_id=trip.order_id,
            customer_id=trip.customer_id,
            worker_id=trip.worker_id,
            version=trip.version,
            tracked_since=trip.tracked_since,
            destination=trip.destination,
        )

    async def go_silent(worker_id: str) -> None:
        await db.run(dispatch.go_offline, worker_id, reason="silent")

    async def last_known(worker_id: str) -> Moved | None:
        async with db.look() as tx:
            known = await worker_store.position(tx, worker_id)
        if known is None:
            return None
        point, at = known
        return Moved(worker_id, round(at.timestamp() * 1000), point.lon, point.lat)

    return Ports(
        gate=gate,
        worker_id_of=worker_id_of,
        known_worker_id=worker_of.get,
        open_share=partial(tracking.open_share, db),
        view_order=view_order,
        verbs={**VERBS, **talk.VERBS, **support.VERBS, **case_verbs(CASE_SIDES)},
        desk=support.DeskPort(db),
        digests=partial(talk.digests, db),
        on_silent=go_silent,
        last_known=last_known,
        area_of=area_of,
        sinks=sinks,
        history=history,
    )
